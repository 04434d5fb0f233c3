"""Delivers one DVC experiment as one complete MLflow run with its two registered models.

Idempotent: an experiment is known by the hash of its params, models and figures. Whatever the
train stage has logged live is completed; where it has not run (its result came from DVC's cache),
the run is made from the files.
"""

import logging
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.exceptions import MlflowException

from skipintro.core.cache_dir import cache_dir
from skipintro.detection.kinds import kind_of
from skipintro.detectors.shipping import PYFUNC, copy_code, packages_of
from skipintro.experiment import FinishedExperiment, MadeModel
from skipintro.tracking import runs
from skipintro.tracking.store import Store

EXPERIMENT_TAG, MODEL_TAG, TRAINED_TAG = "experiment.sha256", "model.sha256", "encoder.trained"
CHALLENGER = "challenger"
log = logging.getLogger(__name__)


def deliver(store: Store, experiment: FinishedExperiment) -> None:
    """Log, register and complete the experiment's run; do nothing where that was done before.

    What fails in the middle is completed by the next call. A request that was repeated, since its
    answer got lost, leaves nothing behind.
    """
    name = experiment.origin.title(experiment.params["epochs"])
    complete = {EXPERIMENT_TAG: experiment.sha256(), runs.COMPLETE_TAG: "true"}
    with FileLock(cache_dir("locks") / "mlflow-delivery.lock"):
        done = runs.find(store, complete)
        if done and all(_same(store, model) for model in experiment.models):
            log.info("this experiment is in MLflow already: run %s", done[0].info.run_name)
        else:
            fitting = [run for run in _unfinished(store, experiment) if _fits(run, experiment)]
            fitting.sort(key=lambda run: EXPERIMENT_TAG not in run.data.tags)  # what was begun
            known = [run.info.run_id for run in (*done, *fitting)]
            tags = {**experiment.origin.tags, runs.WEIGHTS_TAG: experiment.weights_sha256}
            run_id = known[0] if known else runs.create(store, name, tags)
            with mlflow.start_run(run_id=run_id):  # it ends as FAILED where the block fails
                _log(store, run_id, experiment)
                registered = _register_all(store, run_id, experiment)
            store.client.set_tag(run_id, runs.COMPLETE_TAG, "true")  # the last step
            log.info("run %s; %s", name, ", ".join(registered))
        for left_over in _unfinished(store, experiment):  # trained once more, or of other params
            store.client.delete_run(left_over.info.run_id)
        runs.close_stale(store)


def _unfinished(store: Store, experiment: FinishedExperiment) -> list[Run]:
    """Return the runs of these weights that wait for their delivery, or were killed within it."""
    waiting = {runs.WEIGHTS_TAG: experiment.weights_sha256, runs.COMPLETE_TAG: "false"}
    found = runs.find(store, waiting)
    return [run for run in found if run.info.status != "KILLED" or EXPERIMENT_TAG in run.data.tags]


def _fits(live: Run, experiment: FinishedExperiment) -> bool:
    """Return whether an unfinished run can become the experiment's.

    Its params are those (a threshold may be new since), and no other one's figures stand in it.
    """
    params = {name: str(value) for name, value in experiment.params.items()}
    sha256 = experiment.sha256()
    return (
        live.data.params.items() <= params.items()
        and live.data.tags.get(EXPERIMENT_TAG, sha256) == sha256
    )


def _log(store: Store, run_id: str, experiment: FinishedExperiment) -> None:
    """Log into the active run what is not there yet."""
    client, encoder = store.client, experiment.encoder
    tags = {
        **runs.process_tags(),
        **experiment.origin.tags,
        **experiment.data_tags(),
        **{model.tag(): model.sha256 for model in experiment.models},
        "encoder.name": encoder.name,
        "encoder.weights": encoder.weights,
        "encoder.weights_sha256": encoder.weights_sha256,
        TRAINED_TAG: str(encoder.trained).lower(),
        EXPERIMENT_TAG: experiment.sha256(),
    }
    mlflow.set_tags(tags)  # before any figure, so that no other experiment takes this run
    now, curves = int(time.time() * 1000), experiment.history
    logged = client.get_metric_history(run_id, next(iter(curves[0][1])))
    known = {point.step for point in logged}  # the live log lacks some epochs if MLflow was away
    missing = [(epoch, figures) for epoch, figures in curves if epoch not in known]
    points = [Metric(k, v, now, epoch) for epoch, row in missing for k, v in row.items()]
    client.log_batch(run_id, metrics=points)
    runs.describe(store, run_id, experiment.params, experiment.origin)
    mlflow.log_artifacts(str(experiment.reports), "reports")
    there = {file.path for file in client.list_artifacts(run_id, "tables")}
    for name, columns in experiment.tables.items():
        if (path := f"tables/{name}.json") not in there:  # else MLflow adds the rows once more
            mlflow.log_table(dict(columns), path)


def _register_all(store: Store, run_id: str, experiment: FinishedExperiment) -> list[str]:
    """Register both models, link the run to them, and log each one's figures as its own.

    Both first: MLflow takes the figures that a run has for those of a model that it logs then.
    """
    versions = [_register(store, run_id, experiment, model) for model in experiment.models]
    run = store.client.get_run(run_id)
    linked = {output.model_id for output in run.outputs.model_outputs} if run.outputs else set()
    for model, (_, model_id) in zip(experiment.models, versions, strict=True):
        if model_id not in linked:
            store.client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
        at = run.info.start_time  # so that what is logged once more is the same
        mlflow.log_metrics(dict(model.metrics), step=0, timestamp=at, model_id=model_id)
    return [f"{m.name} version {n}" for m, (n, _) in zip(experiment.models, versions, strict=True)]


def _register(
    store: Store, run_id: str, experiment: FinishedExperiment, model: MadeModel
) -> tuple[int, str]:
    """Return the version with this very model, made where there is none, and its logged model's id.

    A delivery before may have made it and been killed before it had its alias.
    """
    client = store.client
    if not (same := _same(store, model)):
        model_id = _logged(store, run_id, model)
        tags = {MODEL_TAG: model.sha256, **experiment.data_tags()}
        if kind_of(model.folder) == "head":  # the other one uses no encoder
            tags["encoder.name"] = experiment.encoder.name
            tags[TRAINED_TAG] = str(experiment.encoder.trained).lower()
        with suppress(MlflowException):  # it is there already
            client.create_registered_model(model.name)
        client.create_model_version(  # a server takes no source that it cannot check by the id
            model.name, f"models:/{model_id}", run_id=run_id, tags=tags, model_id=model_id
        )
        same = _same(store, model)
    aliased = {int(number) for number in client.get_registered_model(model.name).aliases.values()}
    for repeated in sorted(same)[1:]:  # by a request whose answer got lost, here or before
        if repeated not in aliased:
            client.delete_model_version(model.name, str(repeated))
    number = min(same)
    newest = max(int(v.version) for v in client.search_model_versions(f"name = '{model.name}'"))
    if newest == number and newest not in aliased:  # nor the champion
        client.set_registered_model_alias(model.name, CHALLENGER, str(newest))
    return number, same[number].removeprefix("models:/")


def _same(store: Store, model: MadeModel) -> dict[int, str]:
    """Return the sources of the versions with this very model."""
    found = store.client.search_model_versions(f"name = '{model.name}'")
    return {int(v.version): str(v.source) for v in found if v.tags.get(MODEL_TAG) == model.sha256}


def _logged(store: Store, run_id: str, model: MadeModel) -> str:
    """Return the id of the run's logged model, logged where a delivery before has not done so."""
    same = f"source_run_id = '{run_id}' AND name = '{model.name}'"
    same += f" AND tags.`{MODEL_TAG}` = '{model.sha256}'"
    for found in store.client.search_logged_models([store.experiment_id], same):
        if found.status == LoggedModelStatus.READY:
            return str(found.model_id)
    with tempfile.TemporaryDirectory() as temporary:
        logged = mlflow.pyfunc.log_model(
            name=model.name,
            python_model=str(PYFUNC),
            artifacts={"detector": str(model.folder)},
            code_paths=[str(copy_code(Path(temporary)))],
            pip_requirements=packages_of(model.folder),
            tags={MODEL_TAG: model.sha256},
        )
    return str(logged.model_id)

"""Delivers one DVC experiment as one complete MLflow run with its two registered models.

Idempotent: an experiment is known by the hash of its params, models and figures. Whatever the
train stage has logged live is completed; where it has not run (its result came from DVC's cache),
the run is made from the files.
"""

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric, Run, RunTag
from mlflow.exceptions import MlflowException

from skipintro.core.cache_dir import cache_dir
from skipintro.detection.kinds import kind_of
from skipintro.detectors.shipping import PYFUNC, copy_code, packages_of
from skipintro.experiment import FinishedExperiment, MadeModel
from skipintro.origin import NAME_TAG
from skipintro.tracking.runs import (
    COMPLETE_TAG,
    WEIGHTS_TAG,
    close_stale_runs,
    describe_run,
    new_run,
    process_tags,
    runs_with,
)
from skipintro.tracking.store import FAULTS, Store

EXPERIMENT_TAG, MODEL_TAG, TRAINED_TAG = "experiment.sha256", "model.sha256", "encoder.trained"
DETECTOR_TAG = "detector"  # of a run: which of its models players use
CHALLENGER = "challenger"
log = logging.getLogger(__name__)


def deliver(store: Store, experiment: FinishedExperiment) -> None:
    """Log, register and complete the experiment's run; do nothing where that was done before.

    What fails in the middle is completed by the next call. A request that was repeated, since its
    answer got lost, leaves nothing behind.
    """
    with FileLock(cache_dir("locks") / "mlflow-delivery.lock"):
        done = runs_with(store, {EXPERIMENT_TAG: experiment.sha256(), COMPLETE_TAG: "true"})
        if done:
            run_id, exp_name = done[0].info.run_id, experiment.origin.experiment
            log.info("this experiment is in MLflow already: run %s", done[0].info.run_name)
            if exp_name and NAME_TAG not in done[0].data.tags:
                store.client.set_tag(run_id, NAME_TAG, exp_name)
            _register_all(store, run_id, experiment)
        else:
            fitting = [run for run in _unfinished(store, experiment) if _fits(run, experiment)]
            fitting.sort(key=lambda run: EXPERIMENT_TAG not in run.data.tags)  # what was begun
            name = experiment.origin.title(experiment.params["epochs"])
            tags = {**experiment.origin.tags, WEIGHTS_TAG: experiment.weights_sha256}
            run_id = fitting[0].info.run_id if fitting else new_run(store, name, tags)
            with _failing(store, run_id):
                _log(store, run_id, experiment)
                registered = _register_all(store, run_id, experiment)
                store.client.set_terminated(run_id)
            store.client.set_tag(run_id, COMPLETE_TAG, "true")  # the last step
            log.info("run %s; %s", name, ", ".join(registered))
        for left_over in _unfinished(store, experiment):  # trained once more, or of other params
            store.client.delete_run(left_over.info.run_id)
        close_stale_runs(store)


def _unfinished(store: Store, experiment: FinishedExperiment) -> list[Run]:
    """Return the runs of these weights that wait for their delivery, or were killed within it."""
    found = runs_with(store, {WEIGHTS_TAG: experiment.weights_sha256, COMPLETE_TAG: "false"})
    return [run for run in found if run.info.status != "KILLED" or EXPERIMENT_TAG in run.data.tags]


def _fits(live: Run, experiment: FinishedExperiment) -> bool:
    """Tell whether an unfinished run can become the experiment's.

    Its params are those (a threshold may be new since), and no other one's figures stand in it.
    """
    wanted = {name: str(value) for name, value in experiment.params.items()}
    sha256 = experiment.sha256()
    return (
        live.data.params.items() <= wanted.items()
        and live.data.tags.get(EXPERIMENT_TAG, sha256) == sha256
    )


@contextmanager
def _failing(store: Store, run_id: str) -> Iterator[None]:
    """Let no run claim to be running whose delivery has failed, if the store can still be told."""
    try:
        yield
    except BaseException:
        with suppress(*FAULTS):
            store.client.set_terminated(run_id, "FAILED")
        raise


def _log(store: Store, run_id: str, experiment: FinishedExperiment) -> None:
    client, encoder = store.client, experiment.encoder
    begun = {**process_tags(), EXPERIMENT_TAG: experiment.sha256()}  # before any of its figures
    _tag(store, run_id, begun)
    now = int(time.time() * 1000)
    known = {  # the live log lacks some epochs if MLflow was away
        name: {point.step for point in client.get_metric_history(run_id, name)}
        for name in experiment.history[-1][1]
    }
    curves = [
        Metric(name, value, now, epoch)
        for epoch, figures in experiment.history
        for name, value in figures.items()
        if epoch not in known[name]
    ]
    for first in range(0, len(curves), 1000):  # MLflow's limit for one request
        client.log_batch(run_id, metrics=curves[first : first + 1000])
    _tag(
        store,
        run_id,
        {
            **experiment.origin.tags,
            **{model.tag(): model.sha256 for model in experiment.models},
            DETECTOR_TAG: experiment.models[0].name,
            **experiment.data_tags(),
            "encoder.name": encoder.name,
            "encoder.weights": encoder.weights,
            "encoder.weights_sha256": encoder.weights_sha256,
            TRAINED_TAG: str(encoder.trained).lower(),
        },
    )
    describe_run(store, run_id, experiment.params, experiment.origin)
    client.log_artifacts(run_id, str(experiment.reports), "reports")
    there = {file.path for file in client.list_artifacts(run_id, "tables")}
    for name, columns in experiment.tables.items():
        if (path := f"tables/{name}.json") not in there:  # else MLflow adds the rows once more
            client.log_table(run_id, dict(columns), path)


def _tag(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    store.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


def _register_all(store: Store, run_id: str, experiment: FinishedExperiment) -> list[str]:
    """Register both models, link the run to them, and log each one's figures as its own."""
    versions = [_register(store, run_id, experiment, model) for model in experiment.models]
    run = store.client.get_run(run_id)
    linked = {output.model_id for output in run.outputs.model_outputs} if run.outputs else set()
    for model, (_, model_id) in zip(experiment.models, versions, strict=True):
        if model_id not in linked:
            store.client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
        at = run.info.start_time  # so that what is logged once more is the same
        figures = [Metric(k, v, at, 0, model_id=model_id) for k, v in model.metrics.items()]
        store.client.log_batch(run_id, metrics=figures)
    return [f"{m.name} version {n}" for m, (n, _) in zip(experiment.models, versions, strict=True)]


def _register(
    store: Store, run_id: str, experiment: FinishedExperiment, model: MadeModel
) -> tuple[int, str]:
    """Return the version with this very model, made where there is none, and its logged model's id.

    A delivery before may have made it and been killed before it had its alias.
    """
    client = store.client
    try:
        client.get_registered_model(model.name)
    except MlflowException:
        client.create_registered_model(model.name)
    if not (same := _same(store, model)):
        model_id = _logged(store, run_id, model)
        tags = {MODEL_TAG: model.sha256, **experiment.data_tags()}
        if kind_of(model.folder) == "head":  # the other one uses no encoder
            tags["encoder.name"] = experiment.encoder.name
            tags[TRAINED_TAG] = str(experiment.encoder.trained).lower()
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
    outputs = store.client.get_run(run_id).outputs
    for output in outputs.model_outputs if outputs else []:
        found = store.client.get_logged_model(output.model_id)
        is_same = (found.name, found.tags.get(MODEL_TAG)) == (model.name, model.sha256)
        if is_same and found.status == LoggedModelStatus.READY:
            return str(output.model_id)
    with tempfile.TemporaryDirectory() as temporary, mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name=model.name,
            python_model=str(PYFUNC),
            artifacts={"detector": str(model.folder)},
            code_paths=[str(copy_code(model.folder, Path(temporary)))],
            pip_requirements=packages_of(model.folder),
            tags={MODEL_TAG: model.sha256},
        )
    return str(logged.model_id)

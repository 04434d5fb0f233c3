"""Follows a training as it goes: an MLflow run that is watched from the UI, never relied on.

The run is tagged `complete=false`; the track stage finds it by the hash of the weights and
completes it. When MLflow goes away in the middle, training goes on and says so once.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

from skipintro.core.params import flat_params
from skipintro.core.processes import is_alive
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.origin import Origin
from skipintro.tracking.store import FAULTS, Store

WEIGHTS_TAG, COMPLETE_TAG = "weights.sha256", "complete"
_HOST, _PROCESS, _STARTED = "process.host", "process.id", "process.started"
_SOURCE = {"mlflow.source.name": "dvc.yaml", "mlflow.source.type": "PROJECT"}

log = logging.getLogger(__name__)


class LiveRun:
    """One run that is being logged to."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id, self._away = store, run_id, False

    def log_start(self, params: Mapping[str, Any], origin: Origin) -> None:
        """Log what runs are told apart by, so that they can be compared before they end."""
        self._try(lambda: log_start(self._store, self._run_id, params, origin))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log the figures of one epoch."""
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._try(lambda: self._store.client.log_batch(self._run_id, metrics=metrics))

    def name_weights(self, sha256: str) -> None:
        """Tag the run with the hash by which the track stage finds it."""
        self._try(lambda: self._store.client.set_tag(self._run_id, WEIGHTS_TAG, sha256))

    def end(self, status: str) -> None:
        """Set the final status."""
        self._try(lambda: self._store.client.set_terminated(self._run_id, status))

    def _try(self, call: Callable[[], object]) -> None:
        if self._away:
            return
        try:
            call()
        except FAULTS as error:
            self._away = True
            log.warning(
                "MLflow does not answer any more (%s); training goes on, and the track stage "
                "delivers the whole run",
                type(error).__name__,
            )


def log_start(store: Store, run_id: str, params: Mapping[str, Any], origin: Origin) -> None:
    """Log datasets, and params as text, in requests of as many as MLflow takes."""
    inputs = [
        DatasetInput(
            Dataset(name=data.dataset, digest=data.digest, source_type="dvc", source=data.path),
            tags=[InputTag("mlflow.data.context", data.stage)],
        )
        for data in origin.data
    ]
    store.client.log_inputs(run_id, inputs)
    texts = [Param(name, str(value)) for name, value in params.items()]
    for first in range(0, len(texts), 100):  # MLflow's limit for one request
        store.client.log_batch(run_id, params=texts[first : first + 100])


def run_params(encoder: EncoderIdentity) -> dict[str, Any]:
    """Give all params that shape a result, flat; the encoder's weights are those that it has."""
    return {**flat_params(), "embed.weights": encoder.weights}


@contextmanager
def live_run(store: Store, name: str, origin: Origin) -> Iterator[LiveRun]:
    """Open a run for the length of the block; a killed or failed one is closed as that."""
    close_stale_runs(store)
    live = LiveRun(store, new_run(store, name, origin.tags))
    try:
        yield live
    except Exception:
        live.end("FAILED")
        raise
    except BaseException:  # interrupted or terminated
        live.end("KILLED")
        raise
    live.end("FINISHED")


def new_run(store: Store, name: str, tags: Mapping[str, str]) -> str:
    """Make a run that waits to be completed; gives its id."""
    tags = {**_SOURCE, **tags, **process_tags(), COMPLETE_TAG: "false"}
    run = store.client.create_run(store.experiment_id, run_name=name, tags=tags)
    return str(run.info.run_id)


def process_tags() -> dict[str, str]:
    """Name the process that works on a run, so that others can tell whether it lives."""
    process = psutil.Process()
    started = str(process.create_time())
    return {_HOST: socket.gethostname(), _PROCESS: str(process.pid), _STARTED: started}


def close_stale_runs(store: Store) -> None:
    """Close the runs of this machine that claim to be running, but whose process is gone."""
    running = store.client.search_runs(
        [store.experiment_id],
        f"attributes.status = 'RUNNING' AND tags.`{_HOST}` = '{socket.gethostname()}'",
    )
    for run in running:
        if not _alive(run.data.tags):
            log.info("run %s was killed before; closing it", run.info.run_name)
            store.client.set_terminated(run.info.run_id, "KILLED")


def _alive(tags: Mapping[str, str]) -> bool:
    try:
        return is_alive(int(tags[_PROCESS]), float(tags[_STARTED]))
    except (KeyError, ValueError):
        return False

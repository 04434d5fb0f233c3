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
from mlflow.entities import Metric, Param, RunStatus
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from skipintro.core.params import flat_params
from skipintro.core.processes import is_alive
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.tracking.store import Store

WEIGHTS_TAG, COMPLETE_TAG = "weights.sha256", "complete"
_HOST, _PROCESS, _STARTED = "process.host", "process.id", "process.started"

log = logging.getLogger(__name__)


class LiveRun:
    """One run that is being logged to."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id, self._away = store, run_id, False

    def log_params(self, values: Mapping[str, Any]) -> None:
        """Log the params, so that runs can be compared before they end."""
        self._try(lambda: log_params(self._store, self._run_id, values))

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
        except (MlflowException, SQLAlchemyError, OSError) as error:
            self._away = True
            log.warning(
                "MLflow does not answer any more (%s); training goes on, and the track stage "
                "delivers the whole run",
                type(error).__name__,
            )


def log_params(store: Store, run_id: str, values: Mapping[str, Any]) -> None:
    """Log params as text, in requests of as many as MLflow takes."""
    params = [Param(name, str(value)) for name, value in values.items()]
    for first in range(0, len(params), 100):  # MLflow's limit for one request
        store.client.log_batch(run_id, params=params[first : first + 100])


def title(epochs: int, experiment: str | None) -> str:
    """Give the name of a run, as the lists of the UI show it; `experiment` is DVC's."""
    return f"{epochs} epochs ({experiment})" if experiment else f"{epochs} epochs"


def run_params(encoder: EncoderIdentity) -> dict[str, Any]:
    """Give all params that shape a result, flat; the encoder's weights are those that it has."""
    return {**flat_params(), "embed.weights": encoder.weights}


@contextmanager
def live_run(store: Store, name: str, tags: Mapping[str, str]) -> Iterator[LiveRun]:
    """Open a run for the length of the block; a killed or failed one is closed as that."""
    close_stale_runs(store)
    run = store.client.create_run(
        store.experiment_id,
        run_name=name,
        tags={**tags, **process_tags(), COMPLETE_TAG: "false"},
    )
    live = LiveRun(store, run.info.run_id)
    try:
        yield live
    except Exception:
        live.end(RunStatus.to_string(RunStatus.FAILED))
        raise
    except BaseException:  # interrupted or terminated
        live.end(RunStatus.to_string(RunStatus.KILLED))
        raise
    live.end(RunStatus.to_string(RunStatus.FINISHED))


def process_tags() -> dict[str, str]:
    """Name the process that works on a run, so that others can tell whether it lives."""
    process = psutil.Process()
    return {
        _HOST: socket.gethostname(),
        _PROCESS: str(process.pid),
        _STARTED: str(process.create_time()),
    }


def close_stale_runs(store: Store) -> None:
    """Close the runs of this machine that claim to be running, but whose process is gone."""
    running = store.client.search_runs(
        [store.experiment_id],
        f"attributes.status = 'RUNNING' AND tags.`{_HOST}` = '{socket.gethostname()}'",
    )
    for run in running:
        if not _alive(run.data.tags):
            log.info("run %s was killed before; closing it", run.info.run_name)
            store.client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))


def _alive(tags: Mapping[str, str]) -> bool:
    try:
        return is_alive(int(tags[_PROCESS]), float(tags[_STARTED]))
    except (KeyError, ValueError):
        return False

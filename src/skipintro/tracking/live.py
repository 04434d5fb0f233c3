"""Follows a training as it goes: an MLflow run that is watched from the UI, never relied on.

The run is tagged `complete=false`; the track stage finds it by the hash of the weights and
completes it. When MLflow goes away in the middle, training goes on and says so once.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlflow.entities import Metric

from skipintro.core.params import load_params
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.experiment import TrackParams, experiment_params
from skipintro.origin import Origin, origin_of
from skipintro.tracking import runs
from skipintro.tracking.store import FAULTS, Store, connect, translate_errors

log = logging.getLogger(__name__)


class LiveRun:
    """One run that is being logged to."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id, self._away = store, run_id, False

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log the figures of one epoch."""
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self.attempt(lambda: self._store.client.log_batch(self._run_id, metrics=metrics))

    def name_weights(self, sha256: str) -> None:
        """Tag the run with the hash by which the track stage finds it."""
        self.attempt(lambda: self._store.client.set_tag(self._run_id, runs.WEIGHTS_TAG, sha256))

    def attempt(self, call: Callable[[], object]) -> None:
        """Ask something of MLflow, unless it went away before; that it does is no failure."""
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


@contextmanager
def followed(epochs: int, encoder: EncoderIdentity) -> Iterator[LiveRun]:
    """Open the run of a training of this checkout, in the store of `track`.

    Raises InputError where the store does not answer at the start.
    """
    tracking = load_params(TrackParams, "track")
    store, origin = connect(tracking.experiment), origin_of(tracking.dataset)
    params = experiment_params(encoder)
    with translate_errors(), live_run(store, origin.title(epochs), params, origin) as live:
        yield live


@contextmanager
def live_run(
    store: Store, name: str, params: Mapping[str, Any], origin: Origin
) -> Iterator[LiveRun]:
    """Open a run for the length of the block; a killed or failed one is closed as that.

    It has params and data from its start, so that runs can be compared before they end.
    """
    runs.close_stale(store)
    run_id = runs.create(store, name, origin.tags)
    live, status = LiveRun(store, run_id), "KILLED"  # where it is interrupted or terminated
    live.attempt(lambda: runs.describe(store, run_id, params, origin))
    try:
        yield live
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        live.attempt(lambda: store.client.set_terminated(run_id, status))

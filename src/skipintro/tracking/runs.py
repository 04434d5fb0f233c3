"""Runs of the experiment: made, found, described, and closed where their process is gone."""

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psutil
from mlflow.entities import Dataset, DatasetInput, InputTag, Param, Run

from skipintro.core.params import flat_params
from skipintro.core.processes import is_alive
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.origin import Origin
from skipintro.tracking.store import Store

WEIGHTS_TAG, COMPLETE_TAG = "weights.sha256", "complete"
_HOST, _PROCESS, _STARTED = "process.host", "process.id", "process.started"
_SOURCE = {"mlflow.source.name": "dvc.yaml", "mlflow.source.type": "PROJECT"}

log = logging.getLogger(__name__)


def new_run(store: Store, name: str, tags: Mapping[str, str]) -> str:
    """Make a run that waits to be completed; gives its id."""
    tags = {**_SOURCE, **tags, **process_tags(), COMPLETE_TAG: "false"}
    run = store.client.create_run(store.experiment_id, run_name=name, tags=tags)
    return str(run.info.run_id)


def runs_with(store: Store, tags: Mapping[str, str], *, status: str = "") -> list[Run]:
    """Return the runs with these tags, the newest first."""
    clauses = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
    clauses += [f"attributes.status = '{status}'"] if status else []
    newest_first = ["attributes.start_time DESC"]
    return list(
        store.client.search_runs(
            [store.experiment_id], " AND ".join(clauses), order_by=newest_first
        )
    )


@dataclass(frozen=True)
class RunRow:
    """One run of the experiment, as a list of them shows it."""

    name: str
    id: str
    started: datetime
    state: str
    metrics: dict[str, float]


def measured_runs(store: Store, n_most: int) -> list[RunRow]:
    """Return the runs of the experiment, the newest first."""
    found = store.client.search_runs(
        [store.experiment_id], max_results=n_most, order_by=["attributes.start_time DESC"]
    )
    rows = []
    for run in found:
        started = datetime.fromtimestamp(run.info.start_time / 1000).astimezone()
        is_complete = run.data.tags.get(COMPLETE_TAG) == "true"
        state = "complete" if is_complete else run.info.status.lower()
        rows.append(
            RunRow(run.info.run_name, run.info.run_id, started, state, dict(run.data.metrics))
        )
    return rows


def describe_run(store: Store, run_id: str, params: Mapping[str, Any], origin: Origin) -> None:
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
    """Return all params that shape a result, flat; the encoder's weights are those that it has."""
    return {**flat_params(), "embed.weights": encoder.weights}


def process_tags() -> dict[str, str]:
    """Name the process that works on a run, so that others can tell whether it lives."""
    process = psutil.Process()
    started = str(process.create_time())
    return {_HOST: socket.gethostname(), _PROCESS: str(process.pid), _STARTED: started}


def close_stale_runs(store: Store) -> None:
    """Close the runs of this machine that claim to be running, but whose process is gone."""
    for run in runs_with(store, {_HOST: socket.gethostname()}, status="RUNNING"):
        if not _alive(run.data.tags):
            log.info("run %s was killed before; closing it", run.info.run_name)
            store.client.set_terminated(run.info.run_id, "KILLED")


def _alive(tags: Mapping[str, str]) -> bool:
    try:
        return is_alive(int(tags[_PROCESS]), float(tags[_STARTED]))
    except (KeyError, ValueError):
        return False

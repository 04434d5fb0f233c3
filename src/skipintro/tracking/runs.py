"""Runs of the experiment: made, found, described, and closed where their process is gone."""

import logging
import socket
from collections.abc import Mapping
from typing import Any

import psutil
from mlflow.entities import Dataset, DatasetInput, InputTag, Param, Run

from skipintro.core.processes import is_alive
from skipintro.origin import Origin
from skipintro.tracking.store import Store

WEIGHTS_TAG, COMPLETE_TAG = "weights.sha256", "complete"
_HOST, _PROCESS, _STARTED = "process.host", "process.id", "process.started"
_SOURCE = {"mlflow.source.name": "dvc.yaml", "mlflow.source.type": "PROJECT"}

Runs = list[Run]  # of MLflow

log = logging.getLogger(__name__)


def create(store: Store, name: str, tags: Mapping[str, str]) -> str:
    """Make a run that waits to be completed; gives its id."""
    tags = {**_SOURCE, **tags, **process_tags(), COMPLETE_TAG: "false"}
    run = store.client.create_run(store.experiment_id, run_name=name, tags=tags)
    return str(run.info.run_id)


def find(store: Store, tags: Mapping[str, str], *, status: str = "", n_most: int = 1000) -> Runs:
    """Return the runs with these tags, the newest first."""
    clauses = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
    clauses += [f"attributes.status = '{status}'"] if status else []
    filter_string = " AND ".join(clauses)
    return list(store.client.search_runs([store.experiment_id], filter_string, max_results=n_most))


def describe(store: Store, run_id: str, params: Mapping[str, Any], origin: Origin) -> None:
    """Log datasets, and params as text."""
    inputs = [
        DatasetInput(
            Dataset(name=data.dataset, digest=data.digest, source_type="dvc", source=data.path),
            tags=[InputTag("mlflow.data.context", data.stage)],
        )
        for data in origin.data
    ]
    store.client.log_inputs(run_id, inputs)
    texts = [Param(name, str(value)) for name, value in params.items()]
    store.client.log_batch(run_id, params=texts)


def process_tags() -> dict[str, str]:
    """Name the process that works on a run, so that others know whether it lives."""
    process = psutil.Process()
    started = str(process.create_time())
    return {_HOST: socket.gethostname(), _PROCESS: str(process.pid), _STARTED: started}


def close_stale(store: Store) -> None:
    """Close the runs of this machine that claim to be running, but whose process is gone."""
    for run in find(store, {_HOST: socket.gethostname()}, status="RUNNING"):
        tags = run.data.tags
        if not is_alive(int(tags[_PROCESS]), float(tags[_STARTED])):
            log.info("run %s was killed before; closing it", run.info.run_name)
            store.client.set_terminated(run.info.run_id, "KILLED")

"""Finds the MLflow store and its experiment, in one place for all stages and commands.

The store is `MLFLOW_TRACKING_URI` where that is set, else `mlflow.db` beside `dvc.yaml` of the
main workspace, also for experiments that DVC runs in a temporary folder.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from skipintro.core.errors import InputError
from skipintro.core.params import StageParams
from skipintro.core.scratch import scratch_folder

log = logging.getLogger(__name__)


class StoreParams(StageParams):
    """Section `track` of params.yaml."""

    experiment: str = Field(min_length=1)
    model: str = Field(min_length=1)


@dataclass(frozen=True)
class Store:
    """An MLflow store that has answered, and the experiment to log to."""

    client: MlflowClient
    experiment_id: str


def workspace() -> Path:
    """Give the root of the main workspace, absolute: DVC's where it runs us, else this folder."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def tracking_uri() -> str:
    """Give the URI of the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace()}/mlflow.db"


def connect(experiment: str) -> Store:
    """Open the store and make the experiment where it is missing.

    Raises InputError, within seconds, where the store does not answer.
    """
    uri = tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        with FileLock(scratch_folder("locks") / "mlflow-store.lock"):  # two first users at once
            client = MlflowClient(uri)
            found = client.get_experiment_by_name(experiment)
            if found is None:
                place = None if uri.startswith("http") else (workspace() / "mlartifacts").as_uri()
                made = client.create_experiment(experiment, artifact_location=place)
            else:
                if found.lifecycle_stage == "deleted":
                    client.restore_experiment(found.experiment_id)
                made = found.experiment_id
    except ImportError as error:
        raise InputError(
            f"{without_credentials(uri)}: MLflow lacks a driver for this store ({error}); install "
            "it, correct MLFLOW_TRACKING_URI, or unset it to use mlflow.db in this checkout"
        ) from error
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise InputError(
            f"{without_credentials(uri)}: the MLflow store does not answer "
            f"({type(error).__name__}); start the server, correct MLFLOW_TRACKING_URI, or unset it "
            "to use mlflow.db in this checkout; nothing is lost, `dvc repro` goes on from here"
        ) from error
    mlflow.set_experiment(experiment_id=made)
    return Store(client, made)


@contextmanager
def faults_told() -> Iterator[None]:
    """Tell a store that fails in the middle in one line; its own words may hold credentials.

    Raises InputError.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of a file, not of a server
            raise
        raise InputError(
            f"{without_credentials(tracking_uri())}: the MLflow store failed "
            f"({type(error).__name__}); see to it and run again, nothing is lost"
        ) from error


def without_credentials(uri: str) -> str:
    """Give a URI that may be shown: user, password and query are left out.

    Also where the password holds a `/`, which parsers of URIs take for the host's end.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark:
        scheme, rest = "", uri
    if not rest.startswith("/"):  # a file's path has no user, but may hold an @
        user, at, rest = rest.rpartition("@")
        if at and ("?" in user or "#" in user):  # who can say what is a password there
            rest = "…"
    return scheme + mark + rest.partition("?")[0].partition("#")[0]

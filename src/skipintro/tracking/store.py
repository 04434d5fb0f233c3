"""Opens the MLflow store and its experiment, in one place for all stages and commands."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as database
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from skipintro.core.errors import InputError
from skipintro.core.files import replacing, sweep
from skipintro.core.params import StageParams
from skipintro.core.scratch import scratch_folder
from skipintro.tracking.addresses import (
    file_of,
    tracking_uri,
    uri_of,
    without_credentials,
    workspace,
)

_ATTEMPTS = 3  # at a database that does not answer; MLflow's own 10 take 103 s
_MOVE_AWAY = (
    "put a copy of it back, or move it away and run `dvc repro --force track` for a new one"
)
_REMEDIES = {  # of what SQLite says, by its code
    sqlite3.SQLITE_BUSY: "end what holds it",
    sqlite3.SQLITE_CORRUPT: _MOVE_AWAY,
    sqlite3.SQLITE_ERROR: _MOVE_AWAY,  # tables that are not as they are to be
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_NOTADB: _MOVE_AWAY,
    sqlite3.SQLITE_READONLY: "give yourself the right to write it",
}

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


def open_client(uri: str) -> MlflowClient:
    """Give a client of the store, for this process and all that MLflow does in it by itself."""
    database.MAX_RETRY_COUNT = _ATTEMPTS
    mlflow.set_tracking_uri(uri)
    return MlflowClient(uri)


def connect(experiment: str) -> Store:
    """Open the store and make the experiment where it is missing.

    Raises InputError, within seconds, where the store does not answer.
    """
    uri = tracking_uri()
    with FileLock(scratch_folder("locks") / "mlflow-store.lock"):  # two first users at once
        try:
            _make_file(uri)
            client = open_client(uri)
            made = _experiment_id(client, uri, experiment)
        except ImportError as error:
            raise InputError(
                f"{without_credentials(uri)}: MLflow lacks a driver for this store ({error}); "
                "install it, correct MLFLOW_TRACKING_URI, or unset it to use mlflow.db in this "
                "checkout"
            ) from error
        except (MlflowException, SQLAlchemyError, OSError) as error:
            usual = "start the server" if uri.startswith("http") else "see to it"
            fault, remedy = _fault(error, usual)
            raise InputError(
                f"{without_credentials(uri)}: the MLflow store does not answer ({fault}); "
                f"{remedy}, correct MLFLOW_TRACKING_URI, or unset it to use mlflow.db in this "
                "checkout; nothing is lost, `dvc repro` goes on from here"
            ) from error
    mlflow.set_experiment(experiment_id=made)
    return Store(client, made)


def _make_file(uri: str) -> None:
    """Make the store's file where it is missing, and put it into place whole.

    MLflow makes its tables in many steps; killed between two of them, it cannot go on.
    """
    file = file_of(uri)
    if file is None or file.exists() or not file.resolve().parent.is_dir():
        return
    sweep(file.resolve().parent)
    with suppress(FileExistsError), replacing(file.resolve()) as draft:
        made = SqlAlchemyStore(uri_of(draft), _artifacts())  # type: ignore[no-untyped-call]  # MLflow's
        made.engine.dispose()
        if file.exists():  # by a program that does not know our lock: it stays
            raise FileExistsError


def _experiment_id(client: MlflowClient, uri: str, experiment: str) -> str:
    found = client.get_experiment_by_name(experiment)
    if found is None:
        place = None if uri.startswith("http") else _artifacts()
        return str(client.create_experiment(experiment, artifact_location=place))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _artifacts() -> str:
    return (workspace() / "mlartifacts").as_uri()


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
        fault, remedy = _fault(error, "see to it")
        raise InputError(
            f"{without_credentials(tracking_uri())}: the MLflow store failed ({fault}); {remedy}, "
            "and run again, nothing is lost"
        ) from error


def _fault(error: BaseException, remedy: str) -> tuple[str, str]:
    """Give what may be shown of a store's fault, and the remedy for it, else the usual one.

    That is SQLite's own words, which hold no address, or the name of the error.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.Error):
            code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the rest tells a kind of it
            return str(cause), _REMEDIES.get(code, remedy)
        cause = cause.__cause__
    return type(error).__name__, remedy

"""Opens the MLflow store and its experiment, in one place for all stages and commands."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import mlflow
import sqlalchemy
from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from skipintro.core.cache_dir import cache_dir
from skipintro.core.errors import InputError
from skipintro.core.files import atomic_write, remove_stale
from skipintro.core.store_address import (
    file_of,
    is_missing,
    tracking_uri,
    uri_of,
    without_credentials,
    workspace,
)
from skipintro.core.store_faults import store_fault

FAULTS = (MlflowException, SQLAlchemyError, OSError)  # of a store
_PATIENCE_S = 30  # with a file that another process has locked
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# The UI opens an experiment without it as one of "GenAI apps & agents".
_KIND = {"mlflow.experimentKind": "custom_model_development"}


@dataclass(frozen=True)
class Store:
    """An MLflow store that has answered, and the experiment to log to."""

    client: MlflowClient
    experiment_id: str


def open_client(uri: str) -> MlflowClient:
    """Return a client of the store, for this process and all that MLflow does in it by itself.

    A database is tried first: where it does not answer, MLflow tries for 103 s.
    """
    if uri.startswith(_DATABASES) and ((file := file_of(uri)) is None or file.exists()):
        waits = {"timeout": _PATIENCE_S} if file else {}
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool, connect_args=waits)
        sqlalchemy.inspect(engine).get_table_names()
    mlflow.set_tracking_uri(uri)
    return MlflowClient(uri)


def existing_store(experiment: str) -> Store | None:
    """Open the store to look something up, or give None where its file was never made."""
    return None if is_missing(tracking_uri()) else connect(experiment)


def connect(experiment: str) -> Store:
    """Open the store and make the experiment where it is missing.

    Raises InputError, within seconds, where the store does not answer.
    """
    uri = tracking_uri()
    lost = (
        "correct MLFLOW_TRACKING_URI, or unset it to use mlflow.db in this checkout; nothing is "
        "lost, `dvc repro` goes on from here"
    )
    with (
        FileLock(cache_dir("locks") / "mlflow-store.lock"),  # two first users at once
        translate_errors("does not answer", lost),
    ):
        _make_file(uri)
        client = open_client(uri)
        made = _experiment_id(client, uri, experiment)
    mlflow.set_experiment(experiment_id=made)
    return Store(client, made)


def _make_file(uri: str) -> None:
    """Make the store's file where it is missing, and put it into place whole.

    MLflow makes its tables in many steps; killed between two of them, it cannot go on.
    """
    file = file_of(uri)
    if file is None or file.exists() or not file.resolve().parent.is_dir():
        return
    remove_stale(file.resolve().parent)
    with suppress(FileExistsError), atomic_write(file.resolve()) as draft:
        MlflowClient(uri_of(draft)).search_experiments(max_results=1)
        if file.exists():  # by a program that does not know our lock: it stays
            raise FileExistsError


def _experiment_id(client: MlflowClient, uri: str, experiment: str) -> str:
    found = client.get_experiment_by_name(experiment)
    if found is None:
        place = None if uri.startswith("http") else (workspace() / "mlartifacts").as_uri()
        return str(client.create_experiment(experiment, place, _KIND))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


@contextmanager
def translate_errors(
    what: str = "failed", then: str = "and run again, nothing is lost"
) -> Iterator[None]:
    """Report a store's fault in one line; its own words may hold credentials. Raises InputError."""
    try:
        yield
    except (*FAULTS, ImportError) as error:
        if what == "failed" and (isinstance(error, ImportError) or getattr(error, "errno", None)):
            raise  # of the work, not of the store
        uri = tracking_uri()
        usual = "start the server" if uri.startswith("http") else "see to it"
        fault, remedy = store_fault(error, usual)
        raise InputError(
            f"{without_credentials(uri)}: the MLflow store {what} ({fault}); {remedy}, {then}"
        ) from error

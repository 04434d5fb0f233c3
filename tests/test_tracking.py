"""One MLflow run for one experiment, whatever happens to the process, the store or the cache."""

import logging
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import mlflow
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

import forked
from conftest import ENCODER
from experiment_cases import HISTORY, copy_empty_store, experiment, main_workspace
from skipintro.core.errors import InputError
from skipintro.core.store_address import tracking_uri, without_credentials
from skipintro.detection.kinds import FILES, Kind
from skipintro.experiment import FinishedExperiment, experiment_params
from skipintro.origin import Origin
from skipintro.tracking.live import LiveRun, live_run
from skipintro.tracking.publish import deliver
from skipintro.tracking.runs import close_stale
from skipintro.tracking.store import (
    Store,
    connect,
    translate_errors,
)

NO_ORIGIN = Origin({}, ())


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Path]:
    """Yield the main workspace; the process itself runs elsewhere, as in a DVC experiment."""
    folder = tmp_path_factory.mktemp("tracking")
    copy_empty_store(empty_store, folder)
    with main_workspace(folder, tmp_path_factory.mktemp("elsewhere")):
        yield folder


@pytest.fixture
def store(workspace: Path, request: pytest.FixtureRequest) -> Store:
    """Return an experiment of its own for each test, in the module's store."""
    return connect(request.node.name)


def runs(store: Store) -> list[Run]:
    """Return all runs that are not deleted, the oldest first."""
    found = store.client.search_runs([store.experiment_id], order_by=["attributes.start_time ASC"])
    return list(found)


def steps(store: Store, run: Run, metric: str) -> list[int]:
    return [point.step for point in store.client.get_metric_history(run.info.run_id, metric)]


def found_whole(store: Store, registered: str) -> None:
    """Check that there is one run with all of it, and one version of each model, linked to it."""
    [run] = runs(store)
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")
    assert run.outputs is not None
    linked = [output.model_id for output in run.outputs.model_outputs]
    assert len(linked) == 2
    for name in (f"{registered}-detector", f"{registered}-classifier"):
        [version] = store.client.search_model_versions(f"name = '{name}'")
        assert version.run_id == run.info.run_id
        assert str(version.source).removeprefix("models:/") in linked
        aliases = store.client.get_registered_model(name).aliases
        assert {alias: str(number) for alias, number in aliases.items()} == {
            "challenger": str(version.version)
        }
    assert len(store.client.load_table(store.experiment_id, "tables/episodes.json")) == 2
    for metric in run.data.metrics:  # no point stands twice
        points = store.client.get_metric_history(run.info.run_id, metric)
        assert len({point.step for point in points}) == len(points), metric


def numbers(store: Store, model: str) -> list[str]:
    found = store.client.search_model_versions(f"name = '{model}'")
    return sorted(str(version.version) for version in found)


def train_live(
    store: Store, finished: FinishedExperiment, *epochs: int, killed: bool = False
) -> None:
    """Log some epochs of an experiment as the train stage does."""
    with live_run(store, "3 epochs", finished.params, finished.origin) as live:
        for epoch, figures in finished.history:
            if epoch in epochs:
                live.log(epoch, figures)
        live.name_weights(finished.weights_sha256)
        if killed:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:secret@host:80/path?token=secret", "http://host:80/path"),
        ("http://user:secret@host:80?token=secret", "http://host:80"),
        ("https://secret@host", "https://host"),
        ("http://[::1]:5000/", "http://[::1]:5000/"),
        ("http://host:port/", "http://host:port/"),
        ("postgresql://user:sec/ret@host/db", "postgresql://host/db"),
        ("postgresql://user:12/secret@host/db", "postgresql://host/db"),
        ("postgresql://user:sec#ret@host/db", "postgresql://…"),
        ("postgresql://user:sec?ret@host/db", "postgresql://…"),
        ("mysql+pymysql://user:sec@ret@host:3306/db", "mysql+pymysql://host:3306/db"),
        ("http://host/path?token=sec@ret", "http://…"),
        ("sqlite:////folder/mlflow.db", "sqlite:////folder/mlflow.db"),
        ("sqlite:////name@place/mlflow.db", "sqlite:////name@place/mlflow.db"),
        ("sqlite:///mlflow.db?secret", "sqlite:///mlflow.db"),
        ("user:secret@host", "host"),
        ("databricks", "databricks"),
        ("mlruns", "mlruns"),
        ("", ""),
    ],
)
def test_a_uri_is_shown_without_its_secrets(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("http://user:secret@127.0.0.1:9/", "http://127.0.0.1:9/: the MLflow store does not"),
        ("http://user:secret@127.0.0.1:port/", "http://127.0.0.1:port/: the MLflow store does not"),
        ("postgresql://user:secret@127.0.0.1:9/db", "postgresql://127.0.0.1:9/db: "),
        ("unknown://user:secret@host/", "unknown://host/: the MLflow store does not"),
        ("sqlite:///{folder}/broken.db", "broken.db: the MLflow store does not"),
    ],
)
def test_a_store_that_does_not_answer_is_told_with_the_remedy_and_without_secrets(
    uri: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.db").write_text("no database " * 500, encoding="utf-8")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder=tmp_path))
    before = mlflow.get_tracking_uri()
    with pytest.raises(InputError) as caught:
        connect("any")
    mlflow.set_tracking_uri(before)
    assert told in str(caught.value)
    assert "unset it to use mlflow.db" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_does_not_answer_is_given_up_within_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.db").write_text("no database " * 500, encoding="utf-8")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/broken.db")
    began = time.monotonic()
    with pytest.raises(InputError, match="does not answer"):
        connect("any")
    assert time.monotonic() - began < 10  # MLflow's own patience is 103 s


@pytest.mark.parametrize(
    ("code", "words", "remedy"),
    [
        (sqlite3.SQLITE_BUSY, "database is locked", "end what holds it"),
        (sqlite3.SQLITE_NOTADB, "file is not a database", "put a copy of it back, or move"),
        (sqlite3.SQLITE_CORRUPT, "malformed", "put a copy of it back, or move"),
        (sqlite3.SQLITE_ERROR, "table issues already exists", "put a copy of it back, or move"),
        (sqlite3.SQLITE_FULL, "database or disk is full", "free some space"),
        (sqlite3.SQLITE_IOERR, "disk I/O error", "see to it"),
    ],
)
def test_what_sqlite_says_is_told_with_its_own_remedy(
    code: int, words: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////folder/mlflow.db?secret")
    fault = MlflowException("SELECT secret")
    fault.__cause__ = cause = sqlite3.OperationalError(words)
    cause.sqlite_errorcode = code
    with pytest.raises(InputError) as caught, translate_errors():
        raise fault
    assert f"/folder/mlflow.db: the MLflow store failed ({words}); {remedy}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_store_is_the_one_that_is_named_else_the_main_workspace_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", "/main")
    assert tracking_uri() == "sqlite:////main/mlflow.db"
    monkeypatch.delenv("DVC_ROOT")
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    assert tracking_uri() == "http://server"


@pytest.mark.parametrize(
    ("named", "uri"),
    [
        ("sqlite:///mlflow.db", "sqlite:////main/mlflow.db"),
        ("sqlite:///a/b.db?timeout=5", "sqlite:////main/a/b.db?timeout=5"),
        ("sqlite:////elsewhere/mlflow.db", "sqlite:////elsewhere/mlflow.db"),
    ],
)
def test_a_store_in_a_relative_file_is_one_of_the_main_workspace(
    monkeypatch: pytest.MonkeyPatch, named: str, uri: str
) -> None:
    monkeypatch.setenv("DVC_ROOT", "/main")  # an experiment's own folder is removed after it
    monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    assert tracking_uri() == uri


class AwayClient:
    """A client whose server has gone."""

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0

    def __getattr__(self, name: str) -> Any:
        def call(*_: object, **__: object) -> None:
            self.calls += 1
            raise self.error

        return call


@pytest.mark.parametrize("error", [MlflowException("no answer"), ConnectionError("reset")])
def test_when_mlflow_goes_away_training_goes_on_and_says_so_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    client = AwayClient(error)
    live = LiveRun(Store(cast(MlflowClient, client), "1"), "run")
    for epoch, figures in HISTORY:
        live.log(epoch, figures)
    live.name_weights("abc")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "training goes on" in caplog.text
    assert client.calls == 1  # each further one would wait for the server's time-out


def test_the_default_store_lies_in_the_main_workspace(workspace: Path, store: Store) -> None:
    assert (workspace / "mlflow.db").is_file()
    found = store.client.get_experiment(store.experiment_id)
    assert found.artifact_location == (workspace / "mlartifacts").as_uri()
    assert not list(Path.cwd().iterdir())


def test_the_experiment_opens_in_the_ui_as_one_of_machine_learning(store: Store) -> None:
    kind = store.client.get_experiment(store.experiment_id).tags["mlflow.experimentKind"]
    assert kind == "custom_model_development"


def test_connecting_again_finds_the_same_experiment_even_a_deleted_one(store: Store) -> None:
    name = store.client.get_experiment(store.experiment_id).name
    assert connect(name).experiment_id == store.experiment_id
    store.client.delete_experiment(store.experiment_id)
    assert connect(name).experiment_id == store.experiment_id
    assert store.client.get_experiment(store.experiment_id).lifecycle_stage == "active"


def test_two_processes_that_open_an_empty_store_at_once_share_it(tmp_path: Path) -> None:
    """One of them makes its tables, which takes seconds."""
    script = (
        "from skipintro.tracking.store import connect; print('ID', connect('new').experiment_id)"
    )
    job = forked.Job(["a store"], str(tmp_path), prelude=script)
    done = forked.forks().run(job, job)
    assert [one.code for one in done] == [0, 0], done
    ids = [one.said.rpartition("ID ")[2].strip() for one in done]
    assert ids[0] == ids[1] != ""
    assert (tmp_path / "mlflow.db").is_file()


# Ends the process as soon as one of the last tables is there.
KILLED_WHILE_IT_MAKES_TABLES = """
import os, signal
from sqlalchemy import Engine, event
from skipintro.tracking.store import connect

@event.listens_for(Engine, "after_cursor_execute")
def end(_connection, _cursor, statement, *_):
    if "CREATE TABLE issues" in statement:
        os.kill(os.getpid(), signal.SIGKILL)

connect("new")
"""


def test_a_process_that_is_killed_while_it_makes_the_store_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    job = forked.Job(["a store"], str(tmp_path), prelude=KILLED_WHILE_IT_MAKES_TABLES)
    [ended] = forked.forks().run(job)
    assert ended.code == -signal.SIGKILL, ended.said
    assert not (tmp_path / "mlflow.db").exists()
    before = mlflow.get_tracking_uri()
    assert connect("new").experiment_id
    mlflow.set_tracking_uri(before)
    assert {path.name for path in tmp_path.iterdir()} == {".skipintro", "mlflow.db"}


def test_a_store_that_another_program_makes_meanwhile_stays(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = MlflowClient.search_experiments

    def also_made_by_another(client: MlflowClient, **words: Any) -> Any:
        copy_empty_store(empty_store, tmp_path)
        MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").create_experiment("theirs")
        return asked(client, **words)

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db?timeout=9")
    before = mlflow.get_tracking_uri()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "search_experiments", also_made_by_another)
        client = connect("any").client
    mlflow.set_tracking_uri(before)
    assert {one.name for one in client.search_experiments()} == {"any", "theirs", "Default"}


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (None, "FINISHED"),
        (ValueError("a mistake"), "FAILED"),
        (InputError("a fault"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
    ],
    ids=["done", "mistake", "fault", "interrupt", "SIGTERM"],
)
def test_a_live_run_ends_as_its_block_ends(
    store: Store, end: BaseException | None, status: str
) -> None:
    def train() -> None:
        with live_run(store, "3 epochs", {}, Origin({"dvc.exp_name": "longer"}, ())) as live:
            live.log(1, {"train_loss": 0.5})
            assert [run.info.status for run in runs(store)] == ["RUNNING"]
            if end is not None:
                raise end

    if end is None:
        train()
    else:
        with pytest.raises(type(end)):
            train()
    [run] = runs(store)
    assert run.info.status == status
    assert run.info.run_name == "3 epochs"
    assert run.data.tags["dvc.exp_name"] == "longer"
    assert run.data.tags["complete"] == "false"
    assert run.data.metrics == {"train_loss": 0.5}


def test_a_run_whose_process_is_gone_is_closed_but_not_that_of_a_living_one(store: Store) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    changes = {
        "alive": {},
        "gone": {"process.id": str(gone.pid)},
        "pid taken by another": {"process.started": "1.0"},
        "other machine": {"process.host": "elsewhere", "process.id": str(gone.pid)},
    }
    blocks = {name: live_run(store, name, {}, NO_ORIGIN) for name in changes}
    for name, block in blocks.items():
        block.__enter__()
        [run] = [run for run in runs(store) if run.info.run_name == name]
        for key, value in changes[name].items():
            assert key in run.data.tags
            store.client.set_tag(run.info.run_id, key, value)
    close_stale(store)
    assert {run.info.run_name: run.info.status for run in runs(store)} == {
        "alive": "RUNNING",
        "gone": "KILLED",
        "pid taken by another": "KILLED",
        "other machine": "RUNNING",
    }
    for block in blocks.values():
        block.__exit__(None, None, None)


def test_an_experiment_from_the_cache_gets_a_run_with_its_whole_curves(
    store: Store, tmp_path: Path
) -> None:
    deliver(store, experiment(tmp_path, 1, origin={"dvc.exp_name": "longer"}))
    [run] = runs(store)
    assert run.info.run_name == "3 epochs (longer)"
    assert run.info.status == "FINISHED"
    assert steps(store, run, "train_loss") == steps(store, run, "test_f1") == [1, 2, 3]
    curve = store.client.get_metric_history(run.info.run_id, "test_f1")
    assert [point.value for point in curve] == [0.25, 0.5, 0.75]
    assert run.data.metrics["windows/test/f1"] == 0.5
    assert run.data.params == {"epochs": "3", "train.seed": "1"}
    assert run.data.tags["complete"] == "true"
    assert run.data.tags["dvc.exp_name"] == "longer"
    assert run.data.tags["encoder.trained"] == "true"
    assert run.inputs is not None
    [dataset] = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("toy", "abc.dir")
    assert [(tag.key, tag.value) for tag in dataset.tags] == [("mlflow.data.context", "window")]
    assert run.data.tags["dataset"] == "toy"
    for folder, name in (("reports", "metrics.json"), ("tables", "episodes.json")):
        found = store.client.list_artifacts(run.info.run_id, folder)
        assert [file.path for file in found] == [f"{folder}/{name}"]
    table = store.client.load_table(store.experiment_id, "tables/episodes.json")
    assert table["id"].tolist() == ["a", "b"]


def test_delivering_again_changes_nothing(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    finished = experiment(tmp_path, 2, registered="again")
    deliver(store, finished)
    before = runs(store)
    with caplog.at_level(logging.INFO, logger="skipintro"):
        deliver(store, finished)
    assert "in MLflow already" in caplog.text
    assert [run.to_dictionary() for run in runs(store)] == [run.to_dictionary() for run in before]
    assert numbers(store, "again-detector") == numbers(store, "again-classifier") == ["1"]


@pytest.mark.parametrize("epochs", [(1, 2, 3), (1, 2), (1, 3), ()], ids=str)
def test_a_live_run_is_completed_and_every_epoch_stands_in_it_once(
    store: Store, tmp_path: Path, epochs: tuple[int, ...]
) -> None:
    finished = experiment(tmp_path, 3)
    train_live(store, finished, *epochs)
    [live] = runs(store)
    deliver(store, finished)
    [run] = runs(store)
    assert run.info.run_id == live.info.run_id
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")
    assert sorted(steps(store, run, "train_loss")) == [1, 2, 3]
    assert sorted(steps(store, run, "test_f1")) == [1, 2, 3]
    assert run.data.metrics["windows/test/f1"] == 0.5


def test_a_live_run_carries_params_and_dataset_from_its_start(store: Store, tmp_path: Path) -> None:
    params = {"epochs": 3, "window.length": 60, "demo.rates": ["12", "25"]}
    with live_run(store, "3 epochs", params, experiment(tmp_path).origin):
        [run] = runs(store)
    assert run.data.params == {"epochs": "3", "window.length": "60", "demo.rates": "['12', '25']"}
    assert run.inputs is not None
    assert [data.dataset.name for data in run.inputs.dataset_inputs] == ["toy"]


def test_more_params_than_a_request_may_hold_are_all_delivered(
    store: Store, tmp_path: Path
) -> None:
    params = {"epochs": 3, **{f"p{number}": number for number in range(250)}}
    with live_run(store, "3 epochs", params, NO_ORIGIN):
        pass
    deliver(store, experiment(tmp_path, 21, params=params))
    wanted = {name: str(value) for name, value in params.items()}
    assert [run.data.params for run in runs(store)] == [wanted, wanted]


def test_a_live_run_whose_params_were_changed_after_the_training_gives_way_to_a_new_one(
    store: Store, tmp_path: Path
) -> None:
    trained = experiment(tmp_path, 10, params={"epochs": 3, "evaluate.threshold": 0.5})
    train_live(store, trained, 1, 2, 3)
    deliver(store, replace(trained, params={"epochs": 3, "evaluate.threshold": 0.7}))
    [run] = runs(store)
    assert run.data.params == {"epochs": "3", "evaluate.threshold": "0.7"}
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")
    assert steps(store, run, "train_loss") == [1, 2, 3]


def test_the_params_of_a_run_are_the_file_s_but_for_the_gate_and_the_weights_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    embed = "embed: {weights: openai}\ncompute: {engine: ray, ray: {workers: 2}}"
    sections = f"{embed}\ndemo: {{library: {{n_shows: 8}}}}\ntrack: {{}}\npromote: {{}}\n"
    Path("params.yaml").write_text(f"epochs: 3\n{sections}", encoding="utf-8")
    used = ENCODER.model_copy(update={"weights": "imagenet"})
    expected = {"epochs": 3, "embed.weights": "imagenet", "demo.library.n_shows": 8}
    assert experiment_params(used) == expected


def test_a_training_that_was_killed_or_makes_other_weights_is_not_completed(
    store: Store, tmp_path: Path
) -> None:
    finished = experiment(tmp_path, 4)
    train_live(store, replace(finished, weights_sha256="other"), 1, 2, 3)
    with pytest.raises(KeyboardInterrupt):
        train_live(store, finished, 1, 2, killed=True)
    deliver(store, finished)
    found = [(run.info.status, run.data.tags["complete"]) for run in runs(store)]
    assert found == [("FINISHED", "false"), ("KILLED", "false"), ("FINISHED", "true")]


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize(
    "last",
    [
        "log_artifacts",
        "create_registered_model",
        "create_model_version",
        "set_registered_model_alias",
        "set_terminated",
        "set_tag",
    ],
)
def test_a_delivery_that_was_killed_goes_on_to_one_run_and_one_version(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, is_live: bool
) -> None:
    registered = f"killed-after-{last}-{is_live}"
    finished = experiment(tmp_path, 14, registered=registered)
    if is_live:
        train_live(store, finished, 1, 2, 3)
    call = getattr(MlflowClient, last)

    def killed(*words: Any, **named: Any) -> None:
        call(*words, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, last, killed)
        with pytest.raises(KeyboardInterrupt):
            deliver(store, finished)
    for run in runs(store):  # as a process leaves it that is killed, and cannot end its run
        if run.data.tags["complete"] == "false":
            store.client.update_run(run.info.run_id, status="RUNNING")
            store.client.set_tag(run.info.run_id, "process.started", "1.0")
    deliver(store, finished)
    found_whole(store, registered)


def test_training_the_same_twice_before_it_is_delivered_leaves_one_run(
    store: Store, tmp_path: Path
) -> None:
    finished = experiment(tmp_path, 15)
    for _ in range(3):
        train_live(store, finished, 1, 2, 3)
    deliver(store, finished)
    [run] = runs(store)
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")


def test_training_the_same_once_more_leaves_one_run(store: Store, tmp_path: Path) -> None:
    finished = experiment(tmp_path, 5)
    for _ in range(2):
        train_live(store, finished, 1, 2, 3)
        deliver(store, finished)
    [run] = runs(store)
    assert run.data.tags["complete"] == "true"


@contextmanager
def unlucky(**fates: str) -> Iterator[None]:
    """Let some calls of MLflow's client be made twice, or fail before or after they are made."""

    def fated(method: Callable[..., Any], fate: str) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            if fate == "lost":
                raise MlflowException("lost on the way")
            if "twice" in fate:
                method(*words, **named)
            result = method(*words, **named)
            if "unanswered" in fate:
                raise MlflowException("the answer was lost")
            return result

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name, fate in fates.items():
            patch.setattr(MlflowClient, name, fated(getattr(MlflowClient, name), fate))
        yield


@pytest.mark.parametrize("call", ["create_run", "create_model_version"])
def test_a_request_that_was_made_twice_leaves_one_run_and_one_version(
    store: Store, tmp_path: Path, call: str
) -> None:
    finished = experiment(tmp_path, 11, registered=f"twice {call}")
    with unlucky(**{call: "twice"}):
        deliver(store, finished)
    found_whole(store, f"twice {call}")


@pytest.mark.parametrize(
    ("call", "fate"),
    [
        ("log_artifacts", "lost"),
        ("create_model_version", "unanswered"),
        ("create_model_version", "twice unanswered"),
        ("set_registered_model_alias", "lost"),
        ("set_terminated", "lost"),
    ],
)
def test_a_delivery_that_fails_claims_to_be_nothing_else_and_the_next_one_completes_it(
    store: Store, tmp_path: Path, call: str, fate: str
) -> None:
    registered = f"{fate} {call}"
    finished = experiment(tmp_path, 12, registered=registered)
    with pytest.raises(MlflowException), unlucky(**{call: fate}):
        deliver(store, finished)
    [run] = runs(store)
    assert run.info.status != "RUNNING" or call == "set_terminated"  # which nobody can tell then
    deliver(store, finished)
    found_whole(store, registered)


def test_figures_of_another_experiment_never_stay_in_a_run(store: Store, tmp_path: Path) -> None:
    before = experiment(tmp_path, 13, metrics={"f1": 0.9, "gone": 1.0})
    with pytest.raises(MlflowException), unlucky(log_artifacts="lost"):
        deliver(store, before)
    deliver(store, experiment(tmp_path, 13, metrics={"f1": 0.5}))
    [run] = runs(store)
    assert (run.data.metrics["f1"], "gone" in run.data.metrics) == (0.5, False)


def test_a_version_that_was_deleted_is_registered_again_with_its_run(
    store: Store, tmp_path: Path
) -> None:
    finished, model = experiment(tmp_path, 16, registered="deleted"), "deleted-classifier"
    deliver(store, finished)
    store.client.delete_model_version(model, "1")
    deliver(store, finished)
    [run], [version] = runs(store), store.client.search_model_versions(f"name = '{model}'")
    assert (str(version.version), version.run_id) == ("2", run.info.run_id)
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")


def test_a_promoted_model_that_is_delivered_again_is_no_challenger(
    store: Store, tmp_path: Path
) -> None:
    finished, model = experiment(tmp_path, 14, registered="promoted"), "promoted-classifier"
    deliver(store, finished)
    store.client.set_registered_model_alias(model, "champion", "1")
    store.client.delete_registered_model_alias(model, "challenger")
    deliver(store, finished)
    assert list(store.client.get_registered_model(model).aliases) == ["champion"]


def test_another_classifier_is_a_version_and_the_same_detector_is_linked_to_its_first(
    store: Store, tmp_path: Path
) -> None:
    first, second = (
        experiment(tmp_path / str(seed), seed, registered="two", metrics={"windows/test/f1": f1})
        for seed, f1 in ((6, 0.5), (7, 0.75))
    )
    deliver(store, first)
    deliver(store, second)
    found = store.client.search_model_versions("name = 'two-classifier'")
    by_version = {str(v.version): v for v in found}
    assert {n: v.tags["model.sha256"] for n, v in by_version.items()} == {
        "1": first.models[1].sha256,
        "2": second.models[1].sha256,
    }
    ids = [run.info.run_id for run in runs(store)]
    assert [by_version["1"].run_id, by_version["2"].run_id] == ids
    [detector] = store.client.search_model_versions("name = 'two-detector'")
    assert detector.run_id == ids[0]
    for run, version in zip(runs(store), (by_version["1"], by_version["2"]), strict=True):
        assert run.outputs is not None
        linked = {output.model_id for output in run.outputs.model_outputs}
        assert linked == {str(one.source).removeprefix("models:/") for one in (detector, version)}
        assert run.data.tags["two-detector.sha256"] == first.models[0].sha256
    for version, f1 in ((by_version["1"], 0.5), (by_version["2"], 0.75)):
        logged = store.client.get_logged_model(str(version.source).removeprefix("models:/"))
        assert {m.key: m.value for m in logged.metrics or ()} == {"windows/test/f1": f1}
    registered = store.client.get_registered_model("two-classifier")
    assert {alias: str(v) for alias, v in registered.aliases.items()} == {"challenger": "2"}
    deliver(store, first)  # back to the first: it is known
    assert len(runs(store)) == 2
    assert numbers(store, "two-classifier") == ["1", "2"]


def test_the_same_models_with_other_params_are_a_run_of_their_own_but_no_new_versions(
    store: Store, tmp_path: Path
) -> None:
    finished = experiment(tmp_path, 8, registered="same")
    deliver(store, finished)
    deliver(store, replace(finished, params={"epochs": 3, "ingest.mode": "reference"}))
    found = [(run.info.status, run.data.tags["complete"]) for run in runs(store)]
    assert found == [("FINISHED", "true"), ("FINISHED", "true")]
    assert numbers(store, "same-detector") == numbers(store, "same-classifier") == ["1"]


def test_each_registered_model_has_its_own_files_and_requirements_exact_and_no_pickle(
    store: Store, workspace: Path, tmp_path: Path
) -> None:
    deliver(store, experiment(tmp_path, 9, registered="files"))
    own = {}
    kinds: dict[str, Kind] = {"files-detector": "openings", "files-classifier": "head"}
    for model, kind in kinds.items():
        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{model}@challenger"))
        files = {file.name for file in folder.rglob("*") if file.is_file()}
        assert "pyfunc_model.py" in files
        assert {file.name for file in (folder / "artifacts").rglob("*.*")} == set(FILES[kind])
        assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pt", ".pth"))]
        requirements = (folder / "requirements.txt").read_text(encoding="utf-8").split()
        assert all("==" in line for line in requirements)
        own[model] = {line.partition("==")[0] for line in requirements}
    assert "torch" in own["files-classifier"] - own["files-detector"]
    version = store.client.get_model_version_by_alias("files-classifier", "challenger")
    assert version.tags["encoder.trained"] == "true"
    assert version.tags["test_data.sha256"] == "test data"
    assert version.tags["train_data.sha256"] == "train data"
    of_detector = store.client.get_model_version_by_alias("files-detector", "challenger").tags
    assert not [name for name in of_detector if name.startswith("encoder")]
    assert str(workspace) in str(store.client.get_experiment(store.experiment_id).artifact_location)


def test_a_store_that_fails_in_the_middle_is_told_in_one_line_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:hunter2@host:5000")
    for error in (MlflowException("http://user:hunter2@host"), ConnectionError("hunter2")):
        failed = pytest.raises(InputError, match=r"^http://host:5000: the MLflow store failed")
        with failed as told, translate_errors():
            raise error
        assert "hunter2" not in str(told.value)
    with pytest.raises(FileNotFoundError), translate_errors():  # of a file, and told as such
        Path("/nowhere/at/all").read_bytes()

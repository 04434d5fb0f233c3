"""MLflow's store away: before the work, in the middle, at any request, locked and damaged."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from conftest import copy_of
from experiment_cases import experiment, main_workspace
from forked import Forked, Job
from server_cases import free_port, is_healthy, running, wait_for
from skipintro.core.errors import InputError
from skipintro.experiment import FinishedExperiment
from skipintro.tracking.live import live_run
from skipintro.tracking.publish import deliver
from skipintro.tracking.store import connect, translate_errors
from torture.conftest import Attack
from torture.worked import STAGES, Worked, left_by

MLFLOW = str(Path(sys.executable).parent / "mlflow")


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run MLflow's own server on a store in a folder."""
    folder.mkdir(exist_ok=True)
    words = [MLFLOW, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    words += ["--artifacts-destination", str(folder / "artifacts")]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = folder / "server.log"
    with running(words, log, env=env) as server:
        wait_for(lambda: is_healthy(f"http://127.0.0.1:{port}/health"), server, log, 180)
        yield server


@dataclass
class Weather:
    """Which requests get lost on the way, and whether there or back."""

    first: int = 10**9
    n_lost: int = 0
    is_answer_lost: bool = False
    n_seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def loses_next(self) -> bool:
        with self.lock:
            self.n_seen += 1
            return self.first <= self.n_seen < self.first + self.n_lost


class _Proxy(BaseHTTPRequestHandler):
    """Passes requests on to a server, but for those that get lost."""

    weather: Weather
    port: int

    def do_GET(self) -> None:
        is_lost = self.weather.loses_next()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if is_lost and not self.weather.is_answer_lost:
            self._hang_up()
            return
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as there:
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            content = answer.read()
        if is_lost:
            self._hang_up()
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  the names are the library's

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def proxy(port: int) -> Iterator[tuple[int, type[_Proxy]]]:
    """Put a proxy before a server; its `weather` is set by each case."""
    handler = type("Proxy", (_Proxy,), {"weather": Weather(), "port": port})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def deliver_once(name: str, finished: FinishedExperiment, *, live: bool = False) -> str:
    """Do what the stages train and track do; gives the fault, or nothing."""
    try:
        with translate_errors():
            store = connect(name)
            if live:
                with live_run(store, "3 epochs", finished.params, finished.origin) as run:
                    for epoch, figures in finished.history:
                        run.log(epoch, figures)
                    run.name_weights(finished.weights_sha256)
            deliver(store, finished)
    except InputError as error:
        return str(error)
    return ""


def assert_one_whole_run(client: MlflowClient, name: str, finished: FinishedExperiment) -> None:
    found = client.get_experiment_by_name(name)
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    assert "RUNNING" not in [run.info.status for run in runs], runs
    whole = [run for run in runs if run.data.tags["complete"] == "true"]
    assert [run.data.tags["experiment.sha256"] for run in whole] == [finished.sha256()]
    [run] = whole
    assert run.info.status == "FINISHED"
    for model in finished.models:
        assert run.data.metrics.items() >= model.metrics.items()
    for metric in finished.history[-1][1]:
        steps = [point.step for point in client.get_metric_history(run.info.run_id, metric)]
        assert sorted(steps) == [epoch for epoch, _ in finished.history]
    assert run.inputs is not None
    assert len(run.inputs.dataset_inputs) == len(finished.origin.data)
    for model in finished.models:
        [version] = client.search_model_versions(f"name = '{model.name}'")
        assert version.tags["model.sha256"] == model.sha256
        aliases = client.get_registered_model(model.name).aliases
        assert {alias: str(number) for alias, number in aliases.items()} == {
            "challenger": str(version.version)
        }
    assert len(client.load_table(found.experiment_id, "tables/episodes.json")) == 2


@pytest.mark.promise(
    "Whichever requests or answers of the stages train and track get lost, the next run leaves "
    "one whole run and one version, and nothing that claims to be running."
)
@pytest.mark.only_from(
    "wide",
    "a server of MLflow's",
    held_by="test_tracking.py::"
    "test_a_delivery_that_fails_claims_to_be_nothing_else_and_the_next_one_completes_it",
)
def test_requests_that_get_lost(
    attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with mlflow_server(tmp_path / "server", port), proxy(port) as (way, handler):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{way}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DVC_ROOT", str(tmp_path))
        client = MlflowClient(f"http://127.0.0.1:{way}")
        assert (
            deliver_once("first", experiment(tmp_path / "first", seed=10**6, registered="first"))
            == ""
        )
        n_requests = handler.weather.n_seen
        for number in attack.cases(wide=3, full=30):
            is_live = attack.rng.random() < 0.5
            weather = Weather(
                first=attack.rng.randrange(1, n_requests + 12 * is_live),
                n_lost=attack.rng.choice((1, 1, 2, 3, 10**6)),
                is_answer_lost=attack.rng.random() < 0.5,
            )
            told = (weather.first, weather.n_lost, weather.is_answer_lost, is_live)
            with attack.case((number, *told)):
                name = f"case {number}"
                finished = experiment(tmp_path / str(number), seed=number, registered=name)
                handler.weather = weather
                fault = deliver_once(name, finished, live=is_live)
                assert not fault or "MLflow store" in fault, fault
                is_lost = weather.n_seen >= weather.first
                assert not (is_lost and weather.n_lost == 10**6) or fault
                handler.weather = Weather()
                assert deliver_once(name, finished) == ""
                assert_one_whole_run(client, name, finished)
    mlflow.set_tracking_uri("")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store to which one experiment was delivered; copy its mlflow.db."""
    folder = tmp_path_factory.mktemp("delivered")
    with main_workspace(folder):
        assert deliver_once("first", experiment(folder / "experiment", seed=10**6)) == ""
    return folder


HELD = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.promise(
    "A store that another process has locked is waited for, up to half a minute, then reported; "
    "the next run delivers."
)
def test_a_locked_store(attack: Attack, delivered: Path, tmp_path: Path) -> None:
    shutil.copy(delivered / "mlflow.db", tmp_path)
    with main_workspace(tmp_path):
        for number in attack.cases(quick=1, wide=1, full=3):
            seconds = (2, 600, 10)[number]
            name = f"case {number}"
            finished = experiment(tmp_path / str(number), seed=number, registered=name)
            words = [sys.executable, "-c", HELD, str(tmp_path / "mlflow.db"), str(seconds)]
            with (
                attack.case(seconds),
                subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder,
            ):
                try:
                    assert holder.stdout is not None
                    assert holder.stdout.readline() == "held\n"
                    began = time.monotonic()
                    fault = deliver_once(name, finished)
                    assert time.monotonic() - began < 60
                    assert bool(fault) == (seconds == 600), fault
                    if fault:
                        assert f"{tmp_path}/mlflow.db" in fault
                        assert "database is locked); end what holds it" in fault
                finally:
                    holder.kill()
                assert deliver_once(name, finished) == ""
                assert_one_whole_run(MlflowClient(), name, finished)


def damaged(content: bytes, attack: Attack) -> bytes:
    """Return a store that was cut, or in which bytes, pages or none were left."""
    kind = attack.rng.choice(("cut", "empty", "bits", "bytes", "page", "head"))
    spoilt = bytearray(content)
    if kind == "cut":
        return content[: attack.rng.randrange(len(content))]
    if kind == "empty":
        return b""
    if kind == "head":
        spoilt[: attack.rng.randrange(1, 100)] = b""
    elif kind == "page":
        first = attack.rng.randrange(len(content) // 4096) * 4096
        spoilt[first : first + 4096] = attack.rng.randbytes(4096)
    else:
        for _ in range(1000 if kind == "bytes" else 3):
            spoilt[attack.rng.randrange(len(spoilt))] = attack.rng.randrange(256)
    return bytes(spoilt)


@pytest.mark.promise(
    "A damaged `mlflow.db` is reported in one line that names it and the remedy, or works."
)
def test_a_damaged_store(attack: Attack, delivered: Path, tmp_path: Path) -> None:
    content = (delivered / "mlflow.db").read_bytes()
    for number in attack.cases(quick=1, wide=4, full=40):
        folder = tmp_path / str(number)
        folder.mkdir()
        database = folder / "mlflow.db"
        database.write_bytes(damaged(content, attack))
        with attack.case((number, len(database.read_bytes()))), main_workspace(folder):
            other = experiment(tmp_path / "other", seed=2)
            fault = deliver_once("first", other)
            if fault:
                assert str(database) in fault, fault
                assert "move it away" in fault or "see to it" in fault, fault
                assert "\n" not in fault
        shutil.rmtree(folder)


ANSWERS = {
    "nothing listens": None,
    "hangs": b"",
    "no HTTP": b"220 ready\r\n",
    "fails": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "is none": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
}


@contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """Listen, and give the same answer to everybody; an empty one is waited for in vain."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if answer is None:
            yield listening.getsockname()[1]
            return
        listening.listen(64)
        waiting = []

        def answer_all() -> None:
            with suppress(OSError):  # at the end
                while True:
                    one, _ = listening.accept()
                    waiting.append(one)
                    if answer:
                        one.settimeout(10)
                        with suppress(OSError), one:
                            one.recv(65536)
                            one.sendall(answer)

        thread = threading.Thread(target=answer_all)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in waiting:
                one.close()


@pytest.mark.promise(
    "A training without a store that answers ends within half a minute, before any work, and says "
    "so; one whose server is killed goes on, and the next `track` delivers the whole run."
)
def test_servers_that_are_away(
    attack: Attack, tmp_path: Path, worked: Worked, forks: Forked
) -> None:
    worked = Worked(copy_of(worked, tmp_path / "checkout").folder, STAGES)
    before = worked.unbroken["train"]
    names = list(ANSWERS)[: attack.size(quick=1, wide=2, full=len(ANSWERS))]
    for name in names:
        with attack.case(name), answering(ANSWERS[name]) as port:
            uri = f"http://127.0.0.1:{port}"
            began = time.monotonic()
            fault = forks.stage("train", worked.folder, MLFLOW_TRACKING_URI=uri).fault()
            assert time.monotonic() - began < 40
            assert f"{uri}: the MLflow store does not answer" in fault, fault
            assert left_by(worked, "train") == before
    for epoch in range(1, attack.size(wide=1, full=2) + 1):
        with attack.case(("killed", epoch)):
            port, folder = free_port(), tmp_path / f"server {epoch}"
            uri = f"http://127.0.0.1:{port}"
            with mlflow_server(folder, port) as server:
                prelude = KILL.format(pid=server.pid, epoch=epoch)
                done = forks.stage("train", worked.folder, prelude=prelude, MLFLOW_TRACKING_URI=uri)
                assert done.code == 0, done
                assert "training goes on" in done.said
                assert left_by(worked, "train") == before
            with mlflow_server(folder, port):
                done = forks.stage("track", worked.folder, MLFLOW_TRACKING_URI=uri)
                assert done.code == 0, done
                client = MlflowClient(uri)
                found = client.get_experiment_by_name("skipintro")
                assert found is not None
                runs = client.search_runs([found.experiment_id])
                assert sorted(run.info.status for run in runs) == ["FINISHED", "KILLED"]
                [run] = [run for run in runs if run.data.tags["complete"] == "true"]
                curve = client.get_metric_history(run.info.run_id, "train_loss")
                assert [point.step for point in curve] == [1, 2]
                assert len(client.search_model_versions("name = 'intro-detector'")) == 1


KILL = """
import psutil, time
from skipintro.tracking.live import LiveRun
log = LiveRun.log
def killing(self, step, values):
    if step == {epoch}:
        server = psutil.Process({pid})
        for process in (*server.children(recursive=True), server):
            process.kill()
        time.sleep(1)  # its parent, the test, does not reap it now: nobody else can wait for it
    log(self, step, values)
LiveRun.log = killing
"""
TOGETHER = """
import sys
from pathlib import Path
from conftest import copy_of
from experiment_cases import experiment
from skipintro.tracking.publish import deliver
from skipintro.tracking.store import connect, translate_errors
with translate_errors():
    deliver(connect("together"), experiment(Path("{seed}"), seed={seed}))
"""


@pytest.mark.promise(
    "Experiments that are delivered at once into an empty store have one whole run and one version "
    "each."
)
def test_experiments_at_once(attack: Attack, tmp_path: Path, forks: Forked) -> None:
    size = attack.size(quick=2, wide=3, full=6)
    for number in attack.cases(quick=1, wide=1, full=2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with attack.case(number):
            jobs = [
                Job(["prelude"], str(folder), prelude=TOGETHER.format(seed=seed))
                for seed in range(size)
            ]
            for done in forks.run(*jobs):
                assert done.code == 0, done
            client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
            found = client.get_experiment_by_name("together")
            assert found is not None
            runs = client.search_runs([found.experiment_id])
            assert [(r.info.status, r.data.tags["complete"]) for r in runs] == (
                [("FINISHED", "true")] * size
            )
            assert len({run.data.tags["experiment.sha256"] for run in runs}) == size
            assert len(client.search_model_versions("name = 'intro-classifier'")) == size
            assert len(client.search_model_versions("name = 'intro-detector'")) == 1

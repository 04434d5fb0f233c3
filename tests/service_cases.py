"""Servers of `skipintro serve`, in a thread or as a process of their own, and how to ask them."""

import http.client
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from subprocess import Popen
from typing import Any

from library_cases import Place
from server_cases import Answer, running, told_port
from skipintro.library.cache import Cache
from skipintro.library.models import find_model
from skipintro.library.results import Settings
from skipintro.service.allowed_paths import Roots
from skipintro.service.predictor import Plan
from skipintro.service.server import make_server
from skipintro.service.sockets import listen

MOST_BYTES = 300_000
_APART = """
import pytest
from library_cases import record_slowly, use_cheap_encoder
from skipintro.cli import main
use_cheap_encoder(pytest.MonkeyPatch())
record_slowly(pytest.MonkeyPatch(), {delay_s})
{more}
main()
"""


def lying(folder: Path) -> list[Path]:
    """Return what lies below a folder now; unlike rglob, bears that files go meanwhile."""
    return [Path(place, name) for place, *names in os.walk(folder) for name in chain(*names)]


def videos(folder: Path) -> list[Path]:
    return [path for path in lying(folder) if path.suffix == ".mp4"]


@dataclass(frozen=True)
class Served:
    """A server that runs, and the folder of its uploads."""

    port: int
    uploads: Path
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            with suppress(ConnectionError):  # refused before the body is through
                connection.request(method, path, body, {**self.headers, **headers})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())

    def detect(self, *paths: object) -> Answer:
        body = json.dumps({"paths": [str(path) for path in paths]})
        return self.ask("POST", "/detect", body, **{"Content-Type": "application/json"})

    def left(self) -> list[Path]:
        """Return what lies in the folder of uploads, once the service has had time to tidy."""
        deadline = time.monotonic() + 5
        while (found := lying(self.uploads)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found


def plan_of(place: Place, max_hours: float = 1.0) -> Plan:
    memory = Cache(place.cache)
    model, _ = find_model(str(place.detector), None, memory)
    memory.close()
    settings = Settings("whole", "cpu")
    return Plan(model, place.cache, settings, Roots([place.library]), 4, max_hours)


@contextmanager
def serving(
    plan: Plan, *, n_waiting: int = 8, time_limit_s: float = 60.0, token: str | None = None
) -> Iterator[Served]:
    listening = listen("127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as uploads:
        server = make_server(
            plan,
            Path(uploads),
            n_waiting=n_waiting,
            time_limit_s=time_limit_s,
            most_bytes=MOST_BYTES,
            token=token,
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Served(listening.getsockname()[1], Path(uploads))
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
            server.worker.close()


@dataclass(frozen=True)
class Apart:
    """A server in a process of its own, and all that it says."""

    served: Served
    process: "Popen[bytes]"
    log: Path

    def said(self) -> str:
        return self.log.read_text("utf-8")


@contextmanager
def serving_apart(
    place: Place, folder: Path, *options: str, delay_s: float = 0.0, more: str = ""
) -> Iterator[Apart]:
    """Run `skipintro serve` with the cheap encoder; `more` is said in Python before it starts."""
    uploads, log = folder / "uploads", folder / "serve.log"
    uploads.mkdir()
    words = ["serve", "--root", str(place.library), "--port", "0", "--model", str(place.detector)]
    script = _APART.format(delay_s=delay_s, more=more)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(uploads)}
    cache = ["--cache", str(folder / "cache")]
    command = [sys.executable, "-c", script, *words, *cache, *options]
    with running(command, log, env=env) as process:
        yield Apart(Served(told_port(process, log), uploads), process, log)

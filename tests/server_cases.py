"""Servers that a test starts and ends, and what they answer."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def fault(self) -> str:
        """Return the fault; an answer with one holds nothing else, and no traceback."""
        content = self.json()
        assert list(content) == ["error"]
        assert "Traceback" not in content["error"]
        assert "\n" not in content["error"]
        return str(content["error"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    words: list[str],
    log: Path,
    *,
    env: Mapping[str, str] = os.environ,
    user: str | None = None,
    cwd: Path | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server; at the end it and its children are told to end, by their process ids."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, stdout=out, stderr=out, env={**env}, user=user, cwd=cwd or log.parent
        )
    try:
        yield process
    finally:
        children = []
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in psutil.wait_procs(children, timeout=5)[1]:
            child.kill()


LISTENING = "listening on http://"  # said by `skipintro serve`


def told_port(server: "subprocess.Popen[bytes]", log: Path) -> int:
    """Return the port on which `skipintro serve --port 0` says that it listens."""
    wait_for(lambda: LISTENING in log.read_text("utf-8"), server, log, limit_s=120)
    [line] = [one for one in log.read_text("utf-8").splitlines() if LISTENING in one]
    return int(line.rsplit(":", 1)[1])


def wait_for(
    answers: Callable[[], bool], server: "subprocess.Popen[bytes]", log: Path, limit_s: float
) -> None:
    deadline = time.monotonic() + limit_s
    while not answers():
        told = log.read_text("utf-8", "replace")
        assert server.poll() is None, told
        assert time.monotonic() < deadline, told
        time.sleep(0.2)


def wait_until(comes_true: Callable[[], bool], limit_s: float, missing: str) -> None:
    """Wait for a condition; what is missing at the limit is told."""
    deadline = time.monotonic() + limit_s
    while not comes_true():
        assert time.monotonic() < deadline, missing
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  the address is ours
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False

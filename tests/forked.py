"""Stages and commands in processes that start at once: forked from one that has loaded all."""

import atexit
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from skipintro.core.processes import is_alive

# Reads a line for each order: a job, whose process's id it answers with, or such an id, whose exit
# code it answers with once that has ended.
_DRIVER = """
import gc, importlib, json, os, signal, sys, traceback
gc.disable()
import library_cases, uvicorn  # for preludes, and for what commands import when they run
from skipintro import cli
from skipintro.detection import head_detector
from skipintro.detectors import videos
from skipintro.library import embedding, models, shot_boundaries, sidecar_writer
from skipintro.review import app, label_issues
from skipintro.sidecars import mux
first_half = ("annotate", "demo", "embed", "evaluate", "fingerprint")
for name in (*first_half, "ingest", "fit", "track", "train", "window"):
    importlib.import_module(f"skipintro.stages.{name}")
from skipintro.core.stage import run_stage
gc.freeze()  # which also leaves the memory that the forked ones share as it is
gc.enable()

def run_words(job_words):
    first, *words = job_words
    if first == "stage":
        module = sys.modules[f"skipintro.stages.{words[0]}"]
        run_stage(words[0], module.Params, module.main)
    elif first == "skipintro":
        sys.argv = [first, *words]
        cli.main()

def opened(log):
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

def work(job):
    signal.alarm(300)  # nothing that is forked here takes as long
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(opened(job["log"]), 1)
    os.dup2(opened(job["log"] + ".errors") if job["streams"] == "apart" else 1, 2)
    os.chdir(job["folder"])
    os.umask(job["umask"])
    os.environ.update(job["env"])
    exec(job["prelude"], {})
    run_words(job["words"])

def fork(job):
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        work(job)
        code = 0
    except KeyboardInterrupt:
        code = 130
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)

print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if isinstance(order, dict):
        print(fork(order), flush=True)
    else:
        print(os.waitstatus_to_exitcode(os.waitpid(order, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Job:
    """`stage <name>` or `skipintro …`, in a folder; `prelude` is code that runs before it.

    `env` comes on top of this process's environment, less what says where a store is; the umask is
    this process's. Errors are told among the rest, or apart from it.
    """

    words: Sequence[str]
    folder: str
    env: Mapping[str, str] = field(default_factory=dict)
    prelude: str = ""
    streams: Literal["together", "apart"] = "together"

    def as_told(self, log: Path) -> dict[str, object]:
        """Return what the driver reads."""
        env = {**plain_environment(), **self.env}
        os.umask(umask := os.umask(0))  # the only way to read it
        return {**asdict(self), "env": env, "umask": umask, "log": str(log)}


@dataclass(frozen=True)
class Done:
    """How a job ended: its exit code, negative where a signal has ended it, and what it said."""

    code: int
    said: str
    errors: str = ""  # of a job that tells them apart

    def fault(self) -> str:
        """Return the one line that a fault is told in."""
        assert self.code == 1, self
        assert "Traceback" not in self.said, self.said
        *_, last = self.said.splitlines() or [""]
        assert "error: " in last or "failed: " in self.said, self.said
        return last


class Forked:
    """The process that has loaded all."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process, self._folder = process, folder
        self._numbers = itertools.count()

    @contextmanager
    def started(self, job: Job) -> Iterator["Started"]:
        """Start a job; it is killed at the end of the block, if it has not ended."""
        log = self._folder / f"{next(self._numbers)}.log"
        process = Started(self, self.ask(job.as_told(log)), log)
        try:
            yield process
        finally:
            process.send(signal.SIGKILL)
            process.wait()

    def run(self, *jobs: Job) -> list[Done]:
        """Run jobs side by side, to their ends."""
        with ExitStack() as stack:
            processes = [stack.enter_context(self.started(job)) for job in jobs]
            return [process.wait() for process in processes]

    def stage(self, name: str, folder: Path, *, prelude: str = "", **env: str) -> Done:
        """Run one stage in a checkout."""
        return self.run(Job(["stage", name], str(folder), env, prelude))[0]

    def ask(self, order: object) -> int:
        """Return the driver an order, and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process that forks is gone: {errors_of(self._folder)}"
        return int(answer)


class Started:
    """A job at work in a process of its own."""

    def __init__(self, forks: Forked, pid: int, log: Path) -> None:
        self.pid = pid
        self._forks, self._log = forks, log
        self._done: Done | None = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it was waited for: then the number may be another's."""
        if self._done is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def printed(self) -> str:
        """Return what it has printed so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def has_ended(self) -> bool:
        return self._done is not None or not is_alive(self.pid)

    def wait(self) -> Done:
        """Wait for its end, which an alarm brings about after five minutes."""
        if self._done is None:
            code = self._forks.ask(self.pid)
            logs = (self._log, self._log.with_name(f"{self._log.name}.errors"))
            self._done = Done(code, *(_read(log) for log in logs))
        return self._done


def _read(log: Path) -> str:
    """Return what a log holds, and remove it; there is none of a job that was killed at once."""
    if not log.exists():
        return ""
    said = log.read_text("utf-8", "replace")
    log.unlink()
    return said


def errors_of(folder: Path) -> str:
    """Return what the process that forks has told of itself."""
    return (folder / "errors.log").read_text("utf-8", "replace")[-2000:]


def plain_environment() -> dict[str, str]:
    """Return this process's environment, less what DVC and MLFLOW read."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}


@cache
def forks() -> Forked:
    """Return the one of this test run, started by the first test that needs it."""
    resources = ExitStack()
    atexit.register(resources.close)
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="skipintro-forked-"))
    return resources.enter_context(forked(Path(folder)))


@contextmanager
def forked(folder: Path) -> Iterator[Forked]:
    """Start the process, with nothing in its environment that says where a store is."""
    env = plain_environment()
    env |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (folder / "errors.log").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _DRIVER],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n", errors_of(folder)
            yield Forked(process, folder)
        finally:
            process.stdin.close()
            process.wait(timeout=60)
            process.stdout.close()

"""Stages and commands in processes that start at once: forked from one that has loaded all."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

_DRIVER = """
import importlib, json, os, signal, sys, traceback
from skipintro import cli
for name in ("annotate", "demo", "embed", "evaluate", "ingest", "rank", "track", "train", "window"):
    importlib.import_module(f"skipintro.stages.{name}")
from skipintro.core.stage import run_stage

def work(job):
    signal.alarm(300)  # nothing that is forked here takes as long
    out = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1), os.dup2(out, 2)
    os.chdir(job["folder"])
    os.environ.update(job["env"])
    exec(job["prelude"], {})
    first, *words = job["words"]
    if first == "stage":
        module = sys.modules[f"skipintro.stages.{words[0]}"]
        run_stage(words[0], module.Params, module.main)
    elif first == "skipintro":
        sys.argv = [first, *words]
        cli.main()

def fork(job):
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        work(job)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)

print("ready", flush=True)
for line in sys.stdin:
    children = [fork(job) for job in json.loads(line)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps(codes), flush=True)
"""


@dataclass(frozen=True)
class Job:
    """`stage <name>` or `skipintro …`, in a folder; `prelude` is code that runs before it.

    `env` comes on top of this process's environment, less what says where a store is.
    """

    words: Sequence[str]
    folder: str
    env: Mapping[str, str] = field(default_factory=dict)
    prelude: str = ""

    def as_told(self, log: Path) -> dict[str, object]:
        """Return what the driver reads."""
        return {**asdict(self), "env": {**plain_environment(), **self.env}, "log": str(log)}


@dataclass(frozen=True)
class Done:
    """How a job ended."""

    code: int
    said: str

    def fault(self) -> str:
        """Give the one line that a fault is told in."""
        assert self.code == 1, self
        assert "Traceback" not in self.said, self.said
        *_, last = self.said.splitlines() or [""]
        assert "error: " in last or "failed: " in self.said, self.said
        return last


class Forked:
    """The process that has loaded all."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process, self._folder = process, folder

    def run(self, *jobs: Job) -> list[Done]:
        """Run jobs side by side."""
        logs = [self._folder / f"{number}.log" for number in range(len(jobs))]
        told = [job.as_told(log) for job, log in zip(jobs, logs, strict=True)]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        codes = json.loads(self._process.stdout.readline())
        return [
            Done(code, log.read_text("utf-8", "replace"))
            for code, log in zip(codes, logs, strict=True)
        ]

    def stage(self, name: str, folder: Path, *, prelude: str = "", **env: str) -> Done:
        """Run one stage in a checkout."""
        return self.run(Job(["stage", name], str(folder), env, prelude))[0]


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
    env |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
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
            assert process.stdout.readline() == "ready\n", (folder / "errors.log").read_text()
            yield Forked(process, folder)
        finally:
            process.stdin.close()
            process.wait(timeout=60)
            process.stdout.close()

"""Starts commands, and breaks them off as systems and people do; checks what is left of them."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import yaml
from mlflow.tracking import MlflowClient

from conftest import TINY, Checkout
from forked import Done, Forked, Job
from library_cases import Place
from skipintro.core.files import sha256_of_file
from torture.worked import CHEAP

LIMIT_S = 600.0
LOCKS = ("data/dvc.lock", "dvc.lock")
PLACES = ("data", "models", "reports")

# So slow that it can be met at its work.
SLOW = f"""{CHEAP}
import pytest
from library_cases import record_slowly
record_slowly(pytest.MonkeyPatch(), 0.1)
"""


def send(number: signal.Signals, pid: int, *, to_group: bool = False) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself
        (os.killpg if to_group else os.kill)(pid, number)


@contextmanager
def started(
    words: Sequence[str], folder: Path, log: Path, env: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a command in a session of its own, as a terminal does; nothing is left at the end."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            words, cwd=folder, env={**env}, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield process
    finally:
        send(signal.SIGCONT, process.pid, to_group=True)
        send(signal.SIGKILL, process.pid, to_group=True)
        process.wait()


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """Wait until something is so, or the process has ended."""
    deadline = time.monotonic() + LIMIT_S
    while process.poll() is None and not is_so():
        assert time.monotonic() < deadline, f"{process.args!r}: not in {LIMIT_S:g} s"
        time.sleep(0.01)


def at_work_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that run in a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def stages_at_work(folder: Path) -> dict[str, int]:
    """Return the stages that run in a folder, by name, with their processes."""
    found = {}
    for process in at_work_in(folder):
        with suppress(psutil.Error):
            words = process.cmdline()
            if words[1:2] == ["-m"] and words[-1].startswith("skipintro.stages."):
                found[words[-1].rpartition(".")[2]] = process.pid
    return found


def holds_the_lock(pid: int) -> bool:
    """Tell whether a stage is at its work, and not only loading what it needs."""
    with suppress(psutil.Error):
        return any("/locks/stage-" in file.path for file in psutil.Process(pid).open_files())
    return False


def outputs(checkout: Checkout) -> dict[str, str]:
    """Return every file at its final place, by content; drafts are in hidden folders."""
    found = {}
    for place in PLACES:
        for path in (checkout.folder / place).rglob("*"):
            name = path.relative_to(checkout.folder)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                with suppress(FileNotFoundError):  # somebody is at work
                    found[name.as_posix()] = sha256_of_file(path)
    return found


class Expected:
    """What a `dvc repro` that nothing disturbs makes."""

    def __init__(self, unbroken: Checkout) -> None:
        self._outputs = outputs(unbroken)
        self._locks = [(unbroken.folder / lock).read_bytes() for lock in LOCKS]

    def check_whole(self, checkout: Checkout) -> None:
        """Check that every file that is at its final place is as it is to be."""
        for name, sha256 in outputs(checkout).items():
            assert self._outputs.get(name) == sha256, f"{name}: half-written, or a stranger"

    def check(self, checkout: Checkout) -> None:
        """Check that all is made, whole, once, and that nothing is left of those that broke off."""
        others = dict(outputs(checkout).items() ^ self._outputs.items())
        assert not others, f"not as it is to be: {sorted(others)}"
        for lock, expected in zip(LOCKS, self._locks, strict=True):
            made = (checkout.folder / lock).read_bytes()
            assert made == expected, f"{lock} is not as it is to be"
        left = [str(path) for path in checkout.folder.rglob(".draft.*")]
        assert not left, f"left behind: {left}"
        left = list(stages_at_work(checkout.folder))
        assert not left, f"still at work: {left}"
        self._check_store(checkout)

    def _check_store(self, checkout: Checkout) -> None:
        client = MlflowClient(f"sqlite:///{checkout.folder}/mlflow.db")
        experiment = client.get_experiment_by_name("skipintro")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        statuses = sorted(run.info.status for run in runs)
        assert statuses.count("FINISHED") == 1, statuses
        assert set(statuses) <= {"FINISHED", "KILLED"}, statuses
        [run] = [run for run in runs if run.info.status == "FINISHED"]
        assert run.data.tags["complete"] == "true", run.data.tags
        curve = client.get_metric_history(run.info.run_id, "train_loss")
        steps = sorted({point.step for point in curve})
        assert steps == list(range(1, TINY["epochs"] + 1)), steps
        for model in ("intro-detector", "intro-classifier"):
            [version] = client.search_model_versions(f"name = '{model}'")
            assert version.run_id == run.info.run_id, "the version is of another run"
            aliases = client.get_registered_model(model).aliases
            assert list(aliases) == ["challenger"], aliases


def forget(checkout: Checkout, *, all_of_it: bool) -> Checkout:
    """Take away what a `dvc repro` has made: all of it, or what comes after the data."""
    gone = ["models", "reports", "mlartifacts"]
    gone += [".dvc/cache", "data", ".skipintro"] if all_of_it else [".dvc/cache/runs"]
    for name in gone:
        shutil.rmtree(checkout.folder / name)
    if not all_of_it:  # DVC runs nothing whose outputs are in its cache
        lock = yaml.safe_load((checkout.folder / "dvc.lock").read_text("utf-8"))
        for stage in ("train", "fit", "evaluate"):
            for out in lock["stages"][stage]["outs"]:
                cached = checkout.folder / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]
                cached.unlink(missing_ok=True)
    (checkout.folder / "mlflow.db").unlink()
    checkout.run("git", "checkout", "-q", "--", ".")
    if all_of_it:
        for name in LOCKS:
            (checkout.folder / name).unlink()
    (checkout.folder / "reports/evaluate/metrics.json").unlink()
    return checkout


class Library:
    """A library that is copied anew for each case, to one place, so that all paths are the same."""

    def __init__(self, made: Place, folder: Path) -> None:
        self._made = made
        self.place = Place(folder / "library", made.detector, folder / "cache")
        self._words = [
            *self.place.words(str(self.place.library), "--format", "json", "--mux"),
            *(word for kind in ("edl", "chapters", "json") for word in ("--write", kind)),
        ]

    def job(self, *more: str) -> Job:
        """Return `skipintro detect` over the library, slow, and what is said of it apart."""
        words = ("skipintro", *self._words, *more)
        return Job(words, str(self._made.library), prelude=SLOW, streams="apart")

    def answers(self, forks: Forked, *more: str) -> Done:
        """Run `skipintro detect` to its end."""
        [done] = forks.run(self.job(*more))
        assert done.code == 0, done
        return done

    def renew(self) -> None:
        for folder in (self.place.library, self.place.cache):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._made.library, self.place.library)

    def files(self) -> dict[str, str]:
        """Return everything in the library, and the fingerprints, by content."""
        found = [*self.place.library.rglob("*"), *self.place.cache.rglob("*.npz")]
        return {
            str(path): sha256_of_file(path)
            for path in found
            if path.is_file() and ".draft." not in str(path)
        }

    def check(self, expected: Mapping[str, str]) -> None:
        """Check that all files are as expected, that no draft is left and the memory is sound."""
        others = sorted(dict(self.files().items() ^ expected.items()))
        assert not others, f"not as expected: {others}"
        left = [path.name for path in self.place.library.rglob(".*")]
        assert not left, f"left behind: {left}"
        with closing(sqlite3.connect(self.place.cache / "results.sqlite")) as answers:
            told = answers.execute("PRAGMA integrity_check").fetchall()
        assert told == [("ok",)], told

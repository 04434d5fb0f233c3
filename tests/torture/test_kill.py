"""Stages, DVC and commands that are broken off at any moment, and what the next run makes of it."""

import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from conftest import REPRO, Checkout, copy_of
from forked import Forked, Job
from library_cases import TOYS, Place
from review_cases import OVERRIDES, ask, make_doubtful_checkout
from server_cases import free_port, listens
from skipintro.core.processes import is_alive
from skipintro.episodes.annotations import format_time, read_overrides
from skipintro.review.overrides import OverridesFile
from torture.breaking import (
    LOCKS,
    Expected,
    Library,
    forget,
    holds_the_lock,
    send,
    stages_at_work,
    started,
    wait_until,
)
from torture.conftest import Attack

pytestmark = pytest.mark.slow

FIRST = ("demo", "ingest", "annotate", "embed", "fingerprint", "window")
LATER = ("train", "fit", "evaluate", "track")
STAGES = FIRST + LATER
N_CHAINS = 2  # side by side, each in a checkout of its own
WITH_MUCH_TO_DO = ("demo", "embed", "train", "evaluate", "track")  # so that it can be stopped
WAITING = "another stage is at work in this workspace; waiting for its end"
# What DVC writes in place, and says of it when it was killed in that millisecond.
CUT = {
    "Unable to read RWLock-file": ".dvc/tmp/rwlock",
    **{f"'{lock}' validation failed": lock for lock in LOCKS},
    **{f"unable to read: '{lock}'": lock for lock in LOCKS},
}
KILL, TERM, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
ORDERS = (
    *(("the stage", KILL), ("dvc", KILL), ("all", KILL), ("the stage", KILL), ("dvc", KILL)),
    ("dvc", TERM),
    ("all", INT),  # as a terminal sends it
)


def durations(reproduced: Checkout) -> dict[str, float]:
    """Return how long each stage takes, in their order, told by when its last file was written.

    Those were forked; the start of a process, measured here, comes on top.
    """
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", "import mlflow, torch"], check=True)
    start_s = time.monotonic() - began_s
    places = {stage: next(reproduced.folder.glob(f"*/{stage}")) for stage in STAGES}
    ends = sorted(
        (max(path.stat().st_mtime for path in place.rglob("*")), stage)
        for stage, place in places.items()
    )
    began = (reproduced.folder / ".git/HEAD").stat().st_mtime
    befores = [began, *(end for end, _ in ends)]
    return {
        stage: start_s + max(end - before, 0.1)
        for (end, stage), before in zip(ends, befores, strict=False)
    }


class Chain:
    """A checkout whose `dvc repro` is broken off again and again."""

    def __init__(self, checkout: Checkout, stack: ExitStack) -> None:
        self.checkout, self._stack = checkout, stack
        self.log = checkout.folder.with_suffix(".log")

    def repro(self) -> "subprocess.Popen[bytes]":
        """Start `dvc repro`; what is left of it lives on until the end of the chain."""
        return self._stack.enter_context(
            started(REPRO, self.checkout.folder, self.log, self.checkout.env)
        )

    def wait_for(self, stage: str, process: "subprocess.Popen[bytes]") -> int:
        """Wait for a stage's process, and give its id; 0 where there is none until DVC's end."""
        wait_until(lambda: stage in stages_at_work(self.checkout.folder), process)
        return stages_at_work(self.checkout.folder).get(stage, 0)

    def stop_at_work(
        self, stage: str, process: "subprocess.Popen[bytes]"
    ) -> "tuple[subprocess.Popen[bytes], int]":
        """Stop a stage that holds the lock, and give DVC's process and its id.

        On a busy machine it may have ended just before: then DVC is let go on, and all begins anew.
        """
        for _ in range(4):
            if left := self.wait_for(stage, process):
                wait_until(lambda: holds_the_lock(left) or has_ended(left), process)
                send(signal.SIGSTOP, left)
                if holds_the_lock(left):
                    return process, left
                send(signal.SIGCONT, left)
            process.wait(600)
            forget(self.checkout, all_of_it=True)
            process = self.repro()
        pytest.fail(f"{stage} is never met at its work: {self.told()[-2000:]}")

    def wait_for_any(self, stages: Sequence[str], process: "subprocess.Popen[bytes]") -> None:
        """Wait for the process of any of these stages, or for DVC's end."""
        wait_until(
            lambda: not stages_at_work(self.checkout.folder).keys().isdisjoint(stages), process
        )

    def break_off(
        self, process: "subprocess.Popen[bytes]", whom: str, number: signal.Signals
    ) -> None:
        """Send a signal, and wait for the end of DVC alone: a stage may be left behind.

        A stage can have ended by itself just before; then the next one is meant.
        """
        for _ in range(4):
            at_work = list(stages_at_work(self.checkout.folder).values())
            if whom == "the stage" and at_work:
                send(number, at_work[0])
            else:
                send(number, process.pid, to_group=whom == "all")
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
                return
        pytest.fail(f"{number.name} to {whom} does not end it")

    def told(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def waits(self, since: int) -> bool:
        return WAITING in self.told()[since:]

    def finish(self) -> None:
        """Run `dvc repro` to its end; DVC's own files may want the remedy that is documented."""
        for _ in range(3):
            since = len(self.told())
            process = self.repro()
            process.wait(600)
            if process.returncode == 0:
                return
            told = self.told()[since:]
            cut = [name for words, name in CUT.items() if words in told]
            assert cut, told[-2000:]
            for name in cut:
                (self.checkout.folder / name).unlink()
        pytest.fail("the remedy did not help")


@pytest.mark.promise(
    "`dvc repro` may be killed, terminated or interrupted at any moment, the stage, DVC or both, "
    "and be started again at once: it ends with the same bytes, one finished run and one version."
)
@pytest.mark.only_from(
    "wide",
    "`dvc repro` after `dvc repro`",
    held_by="test_pipeline.py::test_an_interrupted_training_ends_with_the_bytes_of_an_unbroken_one",
)
def test_kill_dvc_repro(attack: Attack, reproduced: Checkout, tmp_path: Path) -> None:
    expected, took, is_full = Expected(reproduced), durations(reproduced), attack.is_full
    stages = [stage for stage in took if is_full or stage in LATER]
    hits, n_wanted = list[str](), attack.size(wide=1, full=50)

    def break_chain(number: int, seed: float) -> None:
        if len(hits) >= n_wanted:
            return
        rng = random.Random(seed)  # noqa: S311  no secret
        checkout = forget(copy_of(reproduced, tmp_path / str(number)), all_of_it=is_full)
        with ExitStack() as stack:
            chain = Chain(checkout, stack)
            moments = stages * 2 if is_full else rng.sample(stages, 1)
            for stage in sorted(moments, key=stages.index):
                whom, order = rng.choice(ORDERS)
                is_aimed = rng.random() < 0.5
                delay = rng.uniform(0, took[stage] + (0 if is_aimed else 2))
                with attack.case((number, stage, is_aimed, round(delay, 2), whom, order.name)):
                    process = chain.repro()
                    if is_aimed:
                        chain.wait_for_any(stages[stages.index(stage) :], process)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(delay)
                    chain.break_off(process, whom, order)
                    if process.returncode != 0:
                        hits.append(stage)
                    expected.check_whole(checkout)
                if process.returncode == 0 or len(hits) >= n_wanted:
                    break
            with attack.case((number, "to the end")):
                chain.finish()
                expected.check(checkout)
        shutil.rmtree(checkout.folder)

    numbers = attack.cases(wide=2, full=8)
    with ThreadPoolExecutor(N_CHAINS) as pool:
        list(pool.map(break_chain, numbers, [attack.rng.random() for _ in numbers]))
    assert len(hits) >= n_wanted, f"broken off {len(hits)} times of {n_wanted}"


@pytest.mark.promise(
    "A stage that was left behind and hears of nothing (stopped, then woken when its successor is "
    "there) writes nothing beside it: the successor waits, and says so."
)
@pytest.mark.only_from(
    "full",
    "a minute for each stage",
    held_by="test_stage.py::"
    "test_a_stage_waits_for_one_that_was_left_behind_even_if_that_is_stopped",
)
def test_wake_a_stage_that_was_left_behind(
    attack: Attack, reproduced: Checkout, tmp_path: Path
) -> None:
    expected = Expected(reproduced)
    checkout = forget(copy_of(reproduced, tmp_path / "checkout"), all_of_it=True)
    with ExitStack() as stack:
        chain = Chain(checkout, stack)
        process = chain.repro()
        for stage in WITH_MUCH_TO_DO:
            with attack.case(stage):
                process, left = chain.stop_at_work(stage, process)
                chain.break_off(process, "dvc", KILL)
                since = len(chain.told())
                process = chain.repro()
                wait_until(partial(chain.waits, since), process)
                assert chain.waits(since), chain.told()[-2000:]
                send(signal.SIGCONT, left)
                wait_until(partial(has_ended, left), process)
                expected.check_whole(checkout)
        with attack.case("to the end"):
            process.wait(600)
            assert process.returncode == 0, chain.told()[-2000:]
            expected.check(checkout)


def has_ended(pid: int) -> bool:
    return not is_alive(pid)


@pytest.mark.promise(
    "`skipintro detect` may be killed, terminated or interrupted at any moment: every file is "
    "whole, and the same command finishes with the same files and results, and leaves no drafts."
)
@pytest.mark.only_from(
    "wide",
    "a library again and again",
    held_by="test_detect_command.py::"
    "test_an_interruption_leaves_whole_files_and_the_next_run_goes_on",
)
def test_kill_detect(attack: Attack, forks: Forked, place: Place, tmp_path: Path) -> None:
    library = Library(place, tmp_path)
    library.renew()
    began = time.monotonic()
    told, took = library.answers(forks).said, time.monotonic() - began
    expected = library.files()
    assert len(expected) == len(TOYS) * (1 + 4 + 2)  # video, sidecars and copy, both evidences
    for number in attack.cases(wide=2, full=24):
        library.renew()
        moments = [attack.rng.uniform(0, took) for _ in range(attack.rng.choice((1, 1, 2, 3)))]
        orders = [attack.rng.choice((KILL, KILL, TERM, INT)) for _ in moments]
        more = ("--jobs", attack.rng.choice("12"))
        with attack.case((number, [round(moment, 3) for moment in moments], orders)):
            for moment, order in zip(moments, orders, strict=True):
                with forks.started(library.job(*more)) as process:
                    time.sleep(moment)
                    process.send(order)
                    done = process.wait()
                assert done.code in {0, 130, -order}, done
                assert library.files().items() <= expected.items()
            assert library.answers(forks, *more).said == told
            library.check(expected)
            again = library.answers(forks, *more)
            assert again.said == told
            assert again.errors.rstrip().endswith("nothing to do, all is known and in place")


@pytest.mark.promise(
    "`skipintro review` may be killed at any moment: the overrides file is whole, and has every "
    "decision that was acknowledged."
)
@pytest.mark.only_from(
    "wide",
    "a page again and again",
    held_by="test_review.py::test_a_kill_right_after_a_decision_loses_nothing",
)
def test_kill_review(attack: Attack, forks: Forked, tmp_path: Path) -> None:
    checkout = make_doubtful_checkout(tmp_path)
    path = checkout.folder / OVERRIDES
    rng = attack.rng
    for number in attack.cases(wide=8, full=100):
        order = rng.choice((KILL, KILL, KILL, TERM, INT))
        acknowledged = json.loads(path.read_text("utf-8"))
        port, enough = free_port(), rng.uniform(0, 0.4)
        words = ["skipintro", "review", "--all", "--no-open", "--port", str(port)]
        with (
            attack.case((number, order, round(enough, 3))),
            forks.started(Job(words, str(checkout.folder))) as process,
        ):
            deadline = time.monotonic() + 60
            while not listens(port):
                assert not process.has_ended(), process.wait()
                assert time.monotonic() < deadline, "the page is not served in 60 s"
                time.sleep(0.01)
            timer = threading.Timer(enough, process.send, [order])
            timer.start()
            asked = _decide_until_it_ends(port, acknowledged, rng)
            timer.join()
            done = process.wait()
            assert done.code in {0, -order}, done
            content = json.loads(path.read_text("utf-8"))
            assert content in (acknowledged, {**acknowledged, **asked})
            assert read_overrides(path).keys() == content.keys()
    OverridesFile(path, checkout.folder / "lock")
    assert list(path.parent.glob(".draft.*")) == []


def _decide_until_it_ends(
    port: int, acknowledged: dict[str, Any], rng: random.Random
) -> dict[str, Any]:
    """Post decisions, one after the other; give the one that nobody acknowledged."""
    entry: dict[str, Any] = {}
    deadline = time.monotonic() + 60
    with suppress(OSError, HTTPException):
        state = ask(port, "GET", "/doubts").json()
        while True:
            assert time.monotonic() < deadline, "the page is still served 60 s after the signal"
            doubt = rng.choice([one for one in state["doubts"] if one["id"] != "unplayable"])
            start_s = rng.randrange(1, 13_000) / 1000
            entry = {
                doubt["id"]: {
                    "start": format_time(start_s),
                    "end": format_time(start_s + 16),
                    "reason": f"because of {rng.randrange(10**9)}",
                }
            }
            body = {
                "id": doubt["id"],
                "kind": "correct",
                "start_s": start_s,
                "end_s": round(start_s + 16, 3),
                "reason": entry[doubt["id"]]["reason"],
                "seen": doubt["decision"],
            }
            answer = ask(port, "POST", "/decisions", body)
            assert answer.status == 200, answer.body
            acknowledged |= entry
            state = answer.json()
    return entry

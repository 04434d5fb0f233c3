"""Calls in child processes: what they give, what ends them, and that nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

import isolation_cases
from isolation_cases import ACCIDENTS, MEMORY_MB, are_gone
from skipintro.core import isolation
from skipintro.core.errors import InputError
from skipintro.core.isolation import LostError, run_in_subprocess, thread_map
from skipintro.video.container import VideoError

LONG_S, SHORT_S = 60.0, 0.5


def call(function: Callable[..., Any], *args: Any, stall_s: float = LONG_S) -> list[Any]:
    return list(run_in_subprocess(function, *args, stall_s=stall_s, memory_mb=MEMORY_MB))


def test_one_value_or_all_of_an_iterator_come_back() -> None:
    assert call(divmod, 17, 5) == [(3, 2)]
    assert call(isolation_cases.count, 1000) == list(range(1000))
    assert call(isolation_cases.count, 0) == []


def test_one_child_serves_many_calls_and_is_another_process() -> None:
    pids = {pid for _ in range(3) for pid in call(isolation_cases.where)}
    assert len(pids) == 1
    assert pids.isdisjoint({isolation_cases.where()})


def test_a_child_imports_no_torch_and_has_a_process_group_of_its_own() -> None:
    [modules] = call(isolation_cases.names_of_modules)
    assert "torch" in sys.modules
    assert not {"torch", "mlflow", "pandas"} & set(modules)
    assert call(isolation_cases.group) != [isolation_cases.group()]  # Ctrl-C does not reach it


@pytest.mark.parametrize("name", ACCIDENTS)
def test_a_child_that_is_lost_is_told_and_the_next_call_is_served(name: str) -> None:
    function, args, told = ACCIDENTS[name]
    if function is isolation_cases.want_memory and sys.platform != "linux":
        pytest.skip("no other system than Linux limits the memory of a process")
    stall_s = SHORT_S if "loop" in name else LONG_S
    [pid] = call(isolation_cases.where)
    with pytest.raises(LostError) as caught:
        call(function, *args, stall_s=stall_s)
    assert str(caught.value) == told
    assert are_gone([pid])
    assert call(divmod, 17, 5) == [(3, 2)]


def test_a_child_that_has_died_between_two_calls_is_replaced() -> None:
    [pid] = call(isolation_cases.where)
    os.kill(pid, signal.SIGKILL)
    assert are_gone([pid])
    [child] = isolation._idle
    deadline = time.monotonic() + LONG_S
    while child.is_there():  # a process is there until its last thread has ended
        assert time.monotonic() < deadline, "a killed child is still there"
        time.sleep(0.01)
    assert call(isolation_cases.where) != [pid]


@pytest.mark.parametrize(
    "error",
    [
        VideoError(Path("a.mp4"), "damaged", "replace it"),
        InputError("params.yaml: wrong"),
        FileNotFoundError(2, "No such file", "a.mp4"),
        KeyError("x"),
    ],
    ids=repr,
)
def test_an_exception_passes_as_it_is_and_the_child_stays(error: Exception) -> None:
    [pid] = call(isolation_cases.where)
    with pytest.raises(type(error)) as caught:
        call(isolation_cases.fail, error)
    assert str(caught.value) == str(error)
    assert getattr(caught.value, "fault", None) == getattr(error, "fault", None)
    assert call(isolation_cases.where) == [pid]


def test_what_cannot_be_sent_is_an_error_not_a_silence() -> None:
    with pytest.raises(Exception, match="pickle"):
        call(eval, "lambda: 0")


def test_what_a_child_that_was_taken_over_sends_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(LostError, match="sent an invalid message"):
        call(isolation_cases.send_order, tmp_path / "made")
    assert not (tmp_path / "made").exists()
    assert call(divmod, 17, 5) == [(3, 2)]


@pytest.mark.parametrize(
    "content", [b"", b"no message", b"\x80\x04e.", b"\x80\x04K\x01.", b"\x80\x04]K\x01a."]
)
def test_bytes_that_are_no_message_are_refused(content: bytes) -> None:
    with pytest.raises(LostError, match=r"sent an invalid message|ended"):
        call(isolation_cases.send_bytes, content)
    assert call(divmod, 17, 5) == [(3, 2)]


def test_slow_work_that_goes_on_is_not_taken_for_a_loop() -> None:
    assert call(isolation_cases.work_slowly, 3 * SHORT_S, stall_s=SHORT_S) == ["done"]


def test_the_parent_is_told_how_far_the_work_has_come() -> None:
    reached: list[float] = []
    work = run_in_subprocess(
        isolation_cases.work_slowly,
        1.0,
        stall_s=LONG_S,
        memory_mb=MEMORY_MB,
        reached=reached.append,
    )
    assert list(work) == ["done"]
    assert reached == sorted(reached)
    assert 0.5 < reached[-1] <= 1


def test_a_child_is_some_items_ahead_and_no_more(tmp_path: Path) -> None:
    file = tmp_path / "given"
    items = run_in_subprocess(
        isolation_cases.give_large, file, 200, stall_s=LONG_S, memory_mb=MEMORY_MB
    )
    next(items)
    call(isolation_cases.work_slowly, SHORT_S)
    # One was taken, one is on its way, one waits for room.
    assert isolation._READ_AHEAD <= file.stat().st_size <= isolation._READ_AHEAD + 3
    assert len(list(items)) == 199


def test_a_call_that_is_left_half_way_leaves_nothing_and_the_next_is_served() -> None:
    [pid] = call(isolation_cases.where)
    items = run_in_subprocess(isolation_cases.count, 10**9, stall_s=LONG_S, memory_mb=MEMORY_MB)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    del items
    assert are_gone([pid])
    assert call(divmod, 17, 5) == [(3, 2)]


def test_calls_of_many_threads_do_not_meet() -> None:
    def numbers(n: int) -> list[int]:
        return call(isolation_cases.count, n)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(numbers, [3000, 1, 500, 0, 2000, 7, 900]))
    assert [len(numbers) for numbers in found] == [3000, 1, 500, 0, 2000, 7, 900]
    assert all(numbers == list(range(len(numbers))) for numbers in found)


def test_who_leaves_calls_that_are_made_side_by_side_waits_for_none_and_leaves_no_child() -> None:
    with thread_map(2) as mapped:
        assert list(mapped(partial(call, divmod), [17, 9], [5, 2])) == [[(3, 2)], [(4, 1)]]
    begun: SimpleQueue[int] = SimpleQueue()
    ended: SimpleQueue[LostError] = SimpleQueue()

    def endless(_: int) -> None:
        calls = run_in_subprocess(isolation_cases.say_and_loop, stall_s=LONG_S, memory_mb=MEMORY_MB)
        try:
            for pid in calls:
                begun.put(pid)
        except LostError as error:
            ended.put(error)

    with thread_map(2) as mapped:
        mapped(endless, range(9))
        pids = [begun.get(timeout=LONG_S), begun.get(timeout=LONG_S)]
    for _ in pids:
        assert str(ended.get(timeout=5)) == "is not waited for any more"
    assert are_gone(pids)
    assert begun.empty()


def test_a_child_works_in_the_folder_of_its_parent_wherever_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = Path("here")
    assert call(isolation_cases.is_there, name) == [False]
    (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert call(isolation_cases.is_there, name) == [True]


PARENT = """
import sys
import isolation_cases
from skipintro.core.isolation import run_in_subprocess
[pid] = run_in_subprocess(isolation_cases.where, stall_s=60, memory_mb=400)
print(pid, flush=True)
for _ in run_in_subprocess(getattr(isolation_cases, sys.argv[1]), 10**6, stall_s=60, memory_mb=400):
    break
else:
    sys.exit(0)
input()
"""


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("work", ["work_slowly", "count"])
def test_a_child_ends_with_its_parent(work: str, signal_: int) -> None:
    """Busy for long, or waiting for its parent to take what it has."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, work],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.send_signal(signal_)
        parent.wait(20)
        assert are_gone([pid])


def test_a_parent_that_ends_in_order_leaves_no_child_and_says_nothing() -> None:
    program = PARENT.partition("for _ in")[0]
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    assert are_gone([int(done.stdout)])


def test_an_environment_in_which_no_child_starts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    isolation.end_idle()
    monkeypatch.setattr(isolation, "_PROGRAM", "exit(4)")
    with pytest.raises(InputError, match=r"ended \(exit code 4\) at its start"):
        call(divmod, 17, 5)

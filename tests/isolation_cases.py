"""What a child process is made to do: to crash, to loop, to want memory, or to work in order."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from skipintro.core import isolation
from skipintro.core.isolation import heartbeat

if TYPE_CHECKING:
    import pytest

MEMORY_MB = 400


def crash(number: int) -> None:
    os.kill(os.getpid(), number)


def read_nowhere() -> None:
    """Crash for real, in C."""
    ctypes.string_at(0)


def leave() -> None:
    os._exit(3)


def loop() -> None:
    while True:
        pass


def say_and_loop() -> Iterator[int]:
    yield os.getpid()
    loop()


def loop_in_c() -> None:
    """Never let another thread of Python's work."""
    sum(iter(int, 1))


def want_memory() -> None:
    kept = [bytearray(2**20)]
    while True:
        kept.append(bytearray(2**24))


class Order:
    """What a child that was taken over would send: a file is made where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


def send_order(path: Path) -> Order:
    return Order(path)


def send_bytes(content: bytes) -> None:
    """Send what is no message, as the first answer."""
    Connection(0).send_bytes(content)


# By name: the call, its arguments, and what is told of it.
ACCIDENTS: dict[str, tuple[Callable[..., None], tuple[Any, ...], str]] = {
    "segmentation fault": (crash, (signal.SIGSEGV,), "crashed (signal 11)"),
    "a real one": (read_nowhere, (), "crashed (signal 11)"),
    "abort": (crash, (signal.SIGABRT,), "crashed (signal 6)"),
    "killed": (crash, (signal.SIGKILL,), "crashed (signal 9)"),
    "end": (leave, (), "ended (exit code 3)"),
    "endless loop": (loop, (), "made no progress for 0.5 s"),
    "endless loop in C": (loop_in_c, (), "made no progress for 0.5 s"),
    "memory": (want_memory, (), f"needed more than {MEMORY_MB} MB of memory"),
}


def where() -> int:
    return os.getpid()


def names_of_modules() -> list[str]:
    return sorted(sys.modules)


def group() -> int:
    return os.getpgid(0)


def is_there(path: Path) -> bool:
    return path.exists()


def count(n: int) -> Iterator[int]:
    yield from range(n)


def give_large(path: Path, n: int) -> Iterator[bytes]:
    """Yield more than fits between two processes; the file grows by a byte for each."""
    with path.open("wb", buffering=0) as file:
        for _ in range(n):
            file.write(b".")
            yield bytes(2**20)


def fail(error: Exception) -> None:
    raise error


def work_slowly(seconds: float) -> str:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(0.01)
        heartbeat(seconds - left)
    return "done"


def are_gone(pids: list[int], within_s: float = 10.0) -> bool:
    """Whether processes end within some seconds."""
    end = time.monotonic() + within_s
    while any(map(_runs, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# By a word in a file's name: what opening it does, and what is told of that.
BOOBY_TRAPS = {
    "segfault": "crashed (signal 11)",
    "abort": "crashed (signal 6)",
    "loop": "made no progress for 2 s",
    "bomb": "needed more than 500 MB of memory",
}
_TRAPS = """
import ctypes, os
from pathlib import Path
import av

def hungry():
    kept = []
    while True:
        kept.append(bytearray(2**24))

TRAPS = {
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "loop": lambda: sum(iter(int, 1)),
    "bomb": hungry,
}

def trapped(file, *args, _open=av.open, **options):
    for word, spring in TRAPS.items():
        if word in Path(file).stem:
            spring()
    return _open(file, *args, **options)

av.open = trapped
"""


def use_booby_traps(folder: Path, patch: "pytest.MonkeyPatch") -> None:
    """Make every child that starts from now on fall into traps when it opens certain names."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_TRAPS)
    patch.syspath_prepend(folder)
    isolation.end_idle()

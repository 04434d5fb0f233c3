"""Runs functions in child processes: a crash, an endless loop or lack of memory ends the child.

A child serves one call after the other, and is replaced when it is lost. It ends with its parent,
whose Ctrl-C it does not hear. It is a plain `python -c`: a child of `multiprocessing` would import
its parent's main module again, with torch, and a fork would copy torch's threads. It guards
against accidents and is no sandbox: it reads and writes what its parent may.
"""

import atexit
import math
import os
import pickle
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path, PurePath
from queue import Queue, SimpleQueue
from threading import Event, Thread, local
from typing import Any

from pydantic import BaseModel

from skipintro.core.errors import InputError

_PROGRAM = f"import {{}}; from {__name__} import serve; serve()"
_SOURCE = Path(__file__).resolve().parents[2]
_START_S = 60.0  # a loaded machine takes some
_END_S = 5.0
_LOOK_EVERY_S = 1.0  # so that a parent that was suspended finds what came meanwhile
_REPORT_EVERY_S = 0.2
_READ_AHEAD = 64  # items
_STARVED = 77  # a child's exit code
_READY, _ALIVE, _ITEM, _RAISED, _DONE = range(5)

# What a message may load by name, besides classes of InputError, of records and of paths, where
# it is loaded: the caller for pictures has loaded numpy.
_NAMES = {
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("fractions", "Fraction"),
}
_KINDS = (InputError, BaseModel, PurePath)

# Folder, memory in MB, function, its arguments.
_Call = tuple[Path, int, Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class LostError(Exception):
    """A child that did not bring its call to an end, and why."""


def run_in_subprocess(
    function: Callable[..., Any],
    *args: Any,
    stall_s: float,
    memory_mb: int,
    reached: Callable[[float], None] | None = None,
    **kwargs: Any,
) -> Iterator[Any]:
    """Yield what a function returns in a child: one value, or all of an iterator's.

    The child is up to 64 values ahead; `reached` is called now and then with how far it has come.
    Raises what the function raises, and LostError where the child ends, is silent for `stall_s`, or
    needs more than `memory_mb` (Linux; other systems have no such limit). A caller that
    stops early loses the child, too; the next call starts a new one.
    """
    child = _idle_child(function.__module__)
    is_done = False
    try:
        child.send((Path.cwd(), memory_mb, function, args, kwargs))
        while not is_done:
            kind, value = child.receive(stall_s, memory_mb, reached)
            is_done = kind in {_RAISED, _DONE}
            if kind == _ITEM:
                yield value
            elif kind == _RAISED:
                raise value
    finally:
        if is_done:
            _idle.append(child)
        else:
            child.end()


@contextmanager
def thread_map(n_calls: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Yield a `map` that makes so many calls at once, in threads.

    A caller that stops early waits for none of them; their children are ended.
    """
    if n_calls == 1:
        yield map
        return
    is_over = Event()
    pool = ThreadPoolExecutor(n_calls, initializer=partial(setattr, _of_thread, "is_over", is_over))
    try:
        yield pool.map
    finally:
        is_over.set()
        pool.shutdown(wait=False, cancel_futures=True)


_of_thread = local()  # is_over: an Event, where `thread_map` made the thread


def heartbeat(second: float | None = None) -> None:
    """Let the parent know, if there is one, that the work goes on: cheap, to be called often.

    `second` is how far it has come; None: as far as reported before.
    """
    if _outbox is not None:
        _outbox.heartbeat(second)


class _Reader(pickle.Unpickler):
    """Reads a child's message, and makes nothing but pictures, numbers, paths and our own classes.

    A video may have taken the child over: see "Restricting Globals" in Python's manual of pickle.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return what a message names. Raises UnpicklingError for what it may not."""
        found = getattr(sys.modules.get(module), name, None)
        if (module, name) in _NAMES or (
            isinstance(found, type)
            and (
                issubclass(found, _KINDS)
                or (module == "builtins" and issubclass(found, (Exception, bytearray)))
            )
        ):
            return found
        raise pickle.UnpicklingError(f"{module}.{name}")


class _Child:
    """A process that serves calls; it imports a module before, which takes its time."""

    def __init__(self, module: str) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM.format(module)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # an allocator's last words
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(_SOURCE), *filter(None, sys.path)]),
                    "OPENBLAS_NUM_THREADS": "1",  # its threads count as memory, and do nothing
                },
            )
        try:
            self.receive(_START_S, 0)
        except LostError as error:
            self.end()
            raise InputError(
                f"{sys.executable}: a child process {error} at its start; look whether the "
                "environment is whole (`make env`)"
            ) from error

    def is_there(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    def send(self, call: _Call) -> None:
        """Hand a call over."""
        with suppress(OSError):  # it has just died: `receive` reports it
            self._connection.send(call)

    def receive(
        self, stall_s: float, memory_mb: int, reached: Callable[[float], None] | None = None
    ) -> tuple[int, Any]:
        """Return the next message, but signs of life. Raises LostError."""
        n_looks = math.ceil(stall_s / _LOOK_EVERY_S)
        n_left = n_looks
        is_over = getattr(_of_thread, "is_over", None)
        while n_left:
            if is_over is not None and is_over.is_set():
                raise LostError("is not waited for any more")
            n_left -= 1
            try:
                if not self._connection.poll(stall_s / n_looks):
                    continue
                kind, value = _Reader(BytesIO(self._connection.recv_bytes())).load()
            except (EOFError, OSError):
                raise LostError(self._last_words(memory_mb)) from None
            except Exception as error:  # of bytes that are no message, whatever they are taken for
                reason = f"{type(error).__name__}: {error}"
                raise LostError(f"sent an invalid message ({reason})") from None
            if kind != _ALIVE:
                return kind, value
            if reached is not None and isinstance(value, float):
                reached(value)
            n_left = n_looks
        raise LostError(f"made no progress for {stall_s:g} s")

    def end(self) -> None:
        """Kill it, whatever it does."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # a disk that does not respond
            self._process.wait(_END_S)
        self._connection.close()

    def _last_words(self, memory_mb: int) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        code = self._process.poll()
        if code == _STARVED:
            return f"needed more than {memory_mb} MB of memory"
        if code is not None and code < 0:
            return f"crashed (signal {-code})"
        return f"ended (exit code {code})"


_idle: list[_Child] = []


def _idle_child(module: str) -> _Child:
    while _idle:
        with suppress(IndexError):  # another thread was faster
            child = _idle.pop()
            if child.is_there():
                return child
            child.end()
    return _Child(module)


def end_idle() -> None:
    """End the children that have nothing to do; the next call starts one."""
    while _idle:
        _idle.pop().end()


atexit.register(end_idle)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's


# From here on: what runs in the child.


class _Outbox:
    """Messages to the parent; who puts one waits while the parent is far behind."""

    def __init__(self) -> None:
        self._messages: Queue[bytes] = Queue(_READ_AHEAD)
        self._reported = 0.0  # when there was one
        self._reached: float | None = None  # how far the work has come

    def begin(self) -> None:
        """Forget how far the last call came."""
        self._reached = None

    def put(self, kind: int, value: object = None) -> None:
        """Add a message."""
        self._messages.put(pickle.dumps((kind, value), pickle.HIGHEST_PROTOCOL))
        self._reported = time.monotonic()

    def get(self) -> bytes:
        """Take a message, as soon as there is one."""
        return self._messages.get()

    def heartbeat(self, second: float | None) -> None:
        """Add a sign of life, unless there is one."""
        self._reached = self._reached if second is None else second
        if time.monotonic() - self._reported > _REPORT_EVERY_S and self._messages.empty():
            self.put(_ALIVE, self._reached)


_outbox: _Outbox | None = None  # None: this process is no child


def serve() -> None:
    """Serve the calls that come on standard input, a socket, until it is closed."""
    global _outbox  # noqa: PLW0603  a process has one parent
    outbox = _outbox = _Outbox()
    connection = Connection(0)
    calls: SimpleQueue[_Call] = SimpleQueue()
    for step in (
        lambda: calls.put(connection.recv()),
        lambda: connection.send_bytes(outbox.get()),
    ):
        Thread(target=_repeat, args=(step,), daemon=True).start()
    outbox.put(_READY)
    _repeat(lambda: _serve_one(calls.get(), outbox))


def _serve_one(call: _Call, outbox: _Outbox) -> None:
    folder, memory_mb, function, args, kwargs = call
    outbox.begin()
    try:
        os.chdir(folder)
        _limit_memory(memory_mb)
        given = function(*args, **kwargs)
        for item in given if isinstance(given, Iterator) else (given,):
            outbox.put(_ITEM, item)
    except Exception as error:
        if _is_of_memory(error):
            os._exit(_STARVED)
        if not isinstance(error, InputError):  # a mistake in the code shows where
            error.add_note(traceback.format_exc())
        outbox.put(_RAISED, error)
    else:
        outbox.put(_DONE)


def _limit_memory(memory_mb: int) -> None:
    """Limit what this process may write to; no other system than Linux keeps to it."""
    if sys.platform == "linux":
        import resource  # noqa: PLC0415  not on every system

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = memory_mb << 20
        least = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(resource.RLIMIT_DATA, (least, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no file behind


def _is_of_memory(error: BaseException | None) -> bool:
    """Whether an exception, or one that led to it, is a lack of memory."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None


def _repeat(step: Callable[[], None]) -> None:
    """Do one step after the other; what cannot be reported to the parent ends the process."""
    while True:
        try:
            step()
        except (EOFError, OSError):  # the parent is gone
            os._exit(0)
        except MemoryError:
            os._exit(_STARVED)
        except BaseException:
            os._exit(1)

"""Ctrl-C and SIGTERM end a command in order, whatever becomes of the exception that they raise.

Python raises it in the midst of any code: a library may take it for a fault of its own, and a
`__del__` drops it. So that it came is noted as well.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_came = Event()


def listen() -> None:
    """From now on, note Ctrl-C and SIGTERM, and raise KeyboardInterrupt for them."""
    _came.clear()
    for number in _SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: object) -> None:
    _came.set()
    raise KeyboardInterrupt


def check() -> None:
    """Raise KeyboardInterrupt, again, where one came: what looks like a fault may be its effect."""
    if _came.is_set():
        raise KeyboardInterrupt


@contextmanager
def ending_with(code: int, message: Callable[[], str]) -> Iterator[None]:
    """End the process with a code, at once, where Ctrl-C or SIGTERM comes within the block.

    Threads that still decode are not waited for: they write nothing.
    """
    try:
        yield
        check()
    except BaseException as error:
        if not (_came.is_set() or isinstance(error, KeyboardInterrupt)):
            raise
        for number in _SIGNALS:  # a second one would cut the end short
            signal.signal(number, signal.SIG_IGN)
        sys.stderr.write(f"{message()}\n")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

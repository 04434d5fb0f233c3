"""One process at a time for a folder: the error for a second one names the first."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from skipintro.core.errors import InputError


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock `<name>.lock` of a folder for the length of the block.

    The system takes it from a process that is killed. Raises InputError naming the process that
    holds it, whose number stands in `<name>.pid`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(folder / f"{name}.lock"), folder / f"{name}.pid"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        pid = holder.read_text("ascii", "replace").strip() if holder.is_file() else ""
        raise InputError(
            f"{folder}: `skipintro {name}` is at work on this cache already, in process "
            f"{pid or 'unknown'}; end that one (kill {pid or '<its number>'}), or give another "
            "--cache"
        ) from error
    try:
        holder.write_text(f"{os.getpid()}\n", "ascii")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()

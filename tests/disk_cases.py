"""Small disks, full disks, and disks that cannot be written."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MOUNTED = """
mount -t tmpfs -o "size=$2" tmpfs "$1" || exit
echo mounted
read -r _
umount --lazy "$1"
"""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Put an empty disk of its own at a folder; skips the test where that is not allowed.

    A process that outlives the test, however that ends, takes the disk away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        ["sh", "-c", _MOUNTED, "sh", str(folder), size],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        told = holder.stdout.readline()
        if told != "mounted\n":
            pytest.skip(f"a small disk cannot be mounted here: {told.strip()}")
        yield
    assert holder.returncode == 0


@contextmanager
def filled(folder: Path, free: int = 0) -> Iterator[None]:
    """Fill the disk of a folder but for some bytes, in whole pages."""
    status = os.statvfs(folder)
    ballast = folder / "ballast"
    left = status.f_bavail * status.f_frsize - free
    with ballast.open("wb") as file:
        if left > 0:
            os.posix_fallocate(file.fileno(), 0, left)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write a small disk from everybody, root too."""
    for_all = ["mount", "-o", "remount,ro", str(folder)]
    subprocess.run(for_all, check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)

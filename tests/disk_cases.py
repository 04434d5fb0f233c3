"""Small disks, full disks, and disks that cannot be written."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Put an empty disk of its own at a folder; skips the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("a small disk cannot be mounted here: there is no `mount`")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


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

"""Memory of large arrays is given back, and small ones of all threads are in one place."""

import subprocess
import sys

import pytest

# Of 6 MB, which glibc would keep after the first; what comes after it holds the heap's end.
_LARGE = """
import sys
import numpy as np
import psutil

from skipintro.core.allocator import configure_malloc

if sys.argv[1] == "settled":
    configure_malloc()
process, kept = psutil.Process(), []
for _ in range(4):
    large = np.ones(6 << 20, np.uint8)
    kept.append(np.ones(100_000, np.uint8))
    held = process.memory_info().rss
    del large
print(held - process.memory_info().rss)
"""

# Arenas are made for threads that want memory at the same time, one for each.
_THREADS = """
import ctypes
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from skipintro.core.allocator import configure_malloc

if sys.argv[1] == "settled":
    configure_malloc()
together = Barrier(4)

def make(_):
    array = np.ones(100_000, np.uint8)
    together.wait()
    return array

with ThreadPoolExecutor(4) as threads:
    kept = list(threads.map(make, range(4)))
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
told = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, ctypes.c_void_p(told))
libc.fclose(ctypes.c_void_p(told))
"""


def told(program: str, how: str) -> str:
    words = [sys.executable, "-c", program, how]
    return subprocess.run(words, capture_output=True, check=True, text=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator alone is settled")
def test_memory_of_a_large_array_is_given_back_though_a_small_one_came_after_it() -> None:
    assert int(told(_LARGE, "settled")) > 5 << 20
    assert int(told(_LARGE, "as it comes")) < 1 << 20  # else this test shows nothing


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator alone is settled")
def test_threads_share_one_arena() -> None:
    assert told(_THREADS, "settled").count("<heap nr=") == 1
    assert told(_THREADS, "as it comes").count("<heap nr=") > 1  # else this test shows nothing

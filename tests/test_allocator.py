"""Memory of large arrays is given back, whatever was made after them."""

import subprocess
import sys

import pytest

# Of 6 MB, which glibc would keep after the first; what comes after it holds the heap's end.
_PROGRAM = """
import sys
import numpy as np
import psutil

from skipintro.core.allocator import settle_allocator

if sys.argv[1] == "settled":
    settle_allocator()
process, kept = psutil.Process(), []
for _ in range(4):
    large = np.ones(6 << 20, np.uint8)
    kept.append(np.ones(100_000, np.uint8))
    held = process.memory_info().rss
    del large
print(held - process.memory_info().rss)
"""


def given_back(how: str) -> int:
    words = [sys.executable, "-c", _PROGRAM, how]
    return int(subprocess.run(words, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator alone is settled")
def test_memory_of_a_large_array_is_given_back_though_a_small_one_came_after_it() -> None:
    assert given_back("settled") > 5 << 20
    assert given_back("as it comes") < 1 << 20  # else this test shows nothing

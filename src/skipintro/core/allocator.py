"""How this process gets the memory of large arrays."""

import ctypes
import os
import sys

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of mallopt(3)
_LARGE_BYTES = 4 << 20


def configure_malloc() -> None:
    """Have large arrays in memory of their own, that is given back when they are, in huge pages.

    glibc by itself keeps freed arrays of up to 32 MB among small ones, and for each thread apart;
    where threads make and drop arrays of many sizes, as an encoder does, the holes grow. Huge pages
    need this call: torch looks at its variable when it makes its first tensor. Elsewhere than
    on Linux with glibc nothing happens.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
            libc.mallopt(_M_ARENA_MAX, 1)

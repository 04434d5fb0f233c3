"""What libchromaprint says of a sound, where it is installed: our points are held against it."""

import ctypes
import ctypes.util
import sys
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skipintro.evidence.chroma import Points

_ALGORITHM = 1  # TEST2, the library's default
_FULL_SCALE = 32767  # of the whole numbers that the library takes
_NAMES = {"linux": "libchromaprint.so.1", "darwin": "libchromaprint.1.dylib"}
_SHORTS = ctypes.POINTER(ctypes.c_int16)
_LONGS = ctypes.POINTER(ctypes.c_uint32)


@cache
def library() -> ctypes.CDLL | None:
    """Return the library, with the types of what is called; None where it is not installed."""
    for name in (_NAMES.get(sys.platform), ctypes.util.find_library("chromaprint")):
        if name is not None:
            try:
                return _typed(ctypes.CDLL(name))
            except OSError:
                continue
    return None


def library_points(samples: NDArray[np.float32], rate: int) -> Points:
    """Return the library's points of one channel of sound in [-1, 1]."""
    known = library()
    assert known is not None
    context = ctypes.c_void_p(known.chromaprint_new(_ALGORITHM))
    whole = np.ascontiguousarray(np.rint(samples.clip(-1, 1) * _FULL_SCALE), np.int16)
    found, n_found = _LONGS(), ctypes.c_int(0)
    assert known.chromaprint_start(context, rate, 1)
    assert known.chromaprint_feed(context, whole.ctypes.data_as(_SHORTS), len(whole))
    assert known.chromaprint_finish(context)
    assert known.chromaprint_get_raw_fingerprint(
        context, ctypes.byref(found), ctypes.byref(n_found)
    )
    points = np.array(found[: n_found.value], np.uint32)
    known.chromaprint_dealloc(found)
    known.chromaprint_free(context)
    return points


def _typed(known: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the functions of chromaprint.h that are called."""
    context, whole = ctypes.c_void_p, ctypes.c_int
    known.chromaprint_new.argtypes, known.chromaprint_new.restype = [whole], context
    known.chromaprint_start.argtypes = [context, whole, whole]
    known.chromaprint_feed.argtypes = [context, _SHORTS, whole]
    known.chromaprint_finish.argtypes = [context]
    known.chromaprint_get_raw_fingerprint.argtypes = [
        context,
        ctypes.POINTER(_LONGS),
        ctypes.POINTER(whole),
    ]
    known.chromaprint_dealloc.argtypes, known.chromaprint_dealloc.restype = [context], None
    known.chromaprint_free.argtypes, known.chromaprint_free.restype = [context], None
    return known

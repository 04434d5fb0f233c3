"""Chromaprint points: 32 bits of the melody around each moment, about eight a second.

By libchromaprint (Lukas Lalinsky, https://acoustid.org/chromaprint), which is optional: it is
looked for when it is first asked for.
"""

import ctypes
import ctypes.util
import sys
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skipintro.core.errors import InputError

POINT_S = 4096 // 3 / 11025  # s: from one point to the next; frames overlap by two thirds

Points = NDArray[np.uint32]  # (n,); point k tells of the 2.7 s or so from t = k * POINT_S on

_ALGORITHM = 1  # TEST2, the library's default
_FULL_SCALE = 32767  # of the whole numbers that the library takes
_FED = 1 << 20  # samples at a time
_NAMES = {"linux": "libchromaprint.so.1", "darwin": "libchromaprint.1.dylib"}
_SHORTS = ctypes.POINTER(ctypes.c_int16)
_LONGS = ctypes.POINTER(ctypes.c_uint32)


def is_available() -> bool:
    """Return whether libchromaprint is installed."""
    return _library() is not None


def points(samples: NDArray[np.float32], rate: int) -> Points:
    """Return the points of one channel of sound in [-1, 1], `rate` samples a second.

    Sound of less than 2.7 s or so has none. Raises InputError where libchromaprint is missing.
    """
    library = _library()
    if library is None:
        raise InputError(
            "Chromaprint: libchromaprint is not installed; install it"
            " (Debian: apt install libchromaprint1, macOS: brew install chromaprint)"
        )
    context = ctypes.c_void_p(library.chromaprint_new(_ALGORITHM))
    try:
        return _points_by(library, context, samples, rate)
    finally:
        library.chromaprint_free(context)


def _points_by(
    library: ctypes.CDLL, context: ctypes.c_void_p, samples: NDArray[np.float32], rate: int
) -> Points:
    if not library.chromaprint_start(context, rate, 1):
        raise ValueError(f"Chromaprint takes no sound of {rate} samples a second")
    for first in range(0, len(samples), _FED):
        scaled = samples[first : first + _FED].clip(-1, 1) * _FULL_SCALE
        whole = np.ascontiguousarray(np.round(scaled), np.int16)
        if not library.chromaprint_feed(context, whole.ctypes.data_as(_SHORTS), len(whole)):
            raise RuntimeError("Chromaprint does not take the sound")
    found, n_found = _LONGS(), ctypes.c_int(0)
    if not (
        library.chromaprint_finish(context)
        and library.chromaprint_get_raw_fingerprint(
            context, ctypes.byref(found), ctypes.byref(n_found)
        )
    ):
        raise RuntimeError("Chromaprint gives no points")
    try:
        return np.array(found[: n_found.value], np.uint32)
    finally:
        library.chromaprint_dealloc(found)


@cache
def _library() -> ctypes.CDLL | None:
    """Return the library with the types of what is called; None where it is not installed."""
    for name in (_NAMES.get(sys.platform), ctypes.util.find_library("chromaprint")):
        if name is not None:
            try:
                library = ctypes.CDLL(name)
            except OSError:
                continue
            return _typed(library)
    return None


def _typed(library: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the functions of chromaprint.h that are called."""
    context, whole = ctypes.c_void_p, ctypes.c_int
    library.chromaprint_new.argtypes, library.chromaprint_new.restype = [whole], context
    library.chromaprint_start.argtypes = [context, whole, whole]
    library.chromaprint_feed.argtypes = [context, _SHORTS, whole]
    library.chromaprint_finish.argtypes = [context]
    library.chromaprint_get_raw_fingerprint.argtypes = [
        context,
        ctypes.POINTER(_LONGS),
        ctypes.POINTER(whole),
    ]
    library.chromaprint_dealloc.argtypes, library.chromaprint_dealloc.restype = [context], None
    library.chromaprint_free.argtypes, library.chromaprint_free.restype = [context], None
    return library

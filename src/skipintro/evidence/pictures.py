"""Picture fingerprints: what a grey thumbnail shows, whatever its encoding, size and frame.

A thumbnail is cut to the part of the picture that ever changes, so that letterbox and windowbox
do not count, and brought to 32 x 18. Its low-frequency cosine coefficients, the mean left out, are
what is compared: they hardly know codec, grain, small lettering or a station's logo.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.fft import dctn

from skipintro.evidence.track import Track, unit_rows

THUMBNAIL = (36, 64)  # rows, columns, as decoded
_WIDE, _HIGH = 32, 18  # of the part that is compared
_LEAST_ROWS, _LEAST_COLUMNS = 12, 20  # a smaller active part is taken for a still picture

Thumbnails = NDArray[np.uint8]  # (n, 36, 64)


class PictureSettings(BaseModel):
    """How pictures become fingerprints; a part of a detector's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rate: int = Field(ge=1)  # pictures a second
    coefficients: int = Field(ge=2, le=16)  # of the cosine transform, each way
    emphasis: float = Field(ge=0)  # exponent by which higher frequencies weigh more
    flat: float = Field(ge=0)  # standard deviation of grey (0 to 255) below which nothing is said
    border: float = Field(ge=0)  # the same over time: what changes less is a border


def picture_track(thumbnails: Thumbnails, settings: PictureSettings) -> Track:
    """Return the fingerprints of thumbnails uint8 (n, 36, 64), `settings.rate` a second.

    level: mean grey, 0 to 255. change: mean absolute difference from the thumbnail before.
    """
    n, size = len(thumbnails), settings.coefficients
    if not n:
        nothing = np.zeros(0, np.float32)
        return Track(settings.rate, np.zeros((0, size**2), np.float32), nothing, nothing)
    pictures = _active_part(thumbnails, settings.border)
    waves = dctn(pictures, axes=(1, 2), norm="ortho")[:, :size, :size]
    down, across = np.mgrid[0:size, 0:size]
    weights = np.maximum(np.hypot(down, across * _HIGH / _WIDE), 0.5) ** settings.emphasis
    weights[0, 0] = 0  # brightness
    spread = pictures.std(axis=(1, 2))
    rows = unit_rows((waves * weights).reshape(n, -1), spread >= settings.flat)
    change = np.zeros(n, np.float32)
    steps = np.abs(np.diff(thumbnails.astype(np.int16), axis=0))
    change[1:] = steps.mean(axis=(1, 2))
    return Track(settings.rate, rows, pictures.mean(axis=(1, 2)).astype(np.float32), change)


def scattered_track(
    thumbnails: Thumbnails, at: NDArray[np.int64], n: int, settings: PictureSettings
) -> Track:
    """Return a track of n rows by the thumbnails of rising moments `at`; others say nothing.

    Where a level or a change is not known, known ones stand in turn, so that medians and ranks are
    about those of the whole.
    """
    known = picture_track(thumbnails, settings)
    follows = np.diff(at, prepend=-1) == 1
    rows = np.zeros((n, known.rows.shape[1]), np.float32)
    level, change = np.resize(known.level, n), np.resize(known.change[follows], n)
    rows[at], level[at], change[at[follows]] = known.rows, known.level, known.change[follows]
    return Track(settings.rate, rows, level, change)


def _active_part(thumbnails: Thumbnails, border: float) -> NDArray[np.float32]:
    """Return float32 (n, 18, 32): the rows and columns that ever change."""
    spread = thumbnails[::4].astype(np.float32).std(axis=0)
    rows = np.flatnonzero(np.median(spread, axis=1) > border)
    columns = np.flatnonzero(np.median(spread, axis=0) > border)
    if len(rows) < _LEAST_ROWS or len(columns) < _LEAST_COLUMNS:
        rows, columns = np.arange(THUMBNAIL[0]), np.arange(THUMBNAIL[1])
    down = _averaging(rows[0], rows[-1] + 1, THUMBNAIL[0], _HIGH)
    across = _averaging(columns[0], columns[-1] + 1, THUMBNAIL[1], _WIDE)
    return np.asarray(down @ thumbnails.astype(np.float32) @ across.T, np.float32)


def _averaging(first: int, last: int, n: int, size: int) -> NDArray[np.float32]:
    """Return float32 (size, n): means over `size` equal parts of `[first, last)`."""
    edges = np.linspace(first, last, size + 1)
    pixels = np.arange(n)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    covered = np.maximum(covered, 0)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True), np.float32)

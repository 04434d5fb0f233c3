"""The pictures around given seconds of one video, for a person who checks a label or a find."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from skipintro.core.errors import InputError
from skipintro.video.isolated_decode import pictures, thumbnails
from skipintro.video.scaling import Picture

MARGIN_S = 2  # before and after
SIZE = 224  # px, as encoders see them


def pictures_around(video: Path, seconds: Sequence[int]) -> list[list[tuple[int, Picture | None]]]:
    """Return for each second the 5 from MARGIN_S before to MARGIN_S after, each with its picture.

    None stands for a second before the beginning or after the end. Nothing is decoded beyond the
    last second. Raises InputError where of a given second there is no picture at all, and
    VideoError as `pictures` does.
    """
    rows = [range(second - MARGIN_S, second + MARGIN_S + 1) for second in seconds]
    required = {second for row in rows for second in row}
    found = {}
    n_seconds = 0
    for second, picture in enumerate(pictures(video, SIZE, max(required) + 1)):
        n_seconds = second + 1
        if second in required:
            found[second] = picture
    for second, row in zip(seconds, rows, strict=True):
        if found.keys().isdisjoint(row):
            raise InputError(
                f"{video}: got {second} s, but the last picture is that of {n_seconds - 1} s; "
                "name an earlier second"
            )
    return [[(second, found.get(second)) for second in row] for row in rows]


def strip(video: Path, seconds: Sequence[float]) -> list[tuple[float, Picture | None]]:
    """Return small pictures at given times, each with its time; None before the beginning or after.

    Read by seeking where the container allows it. Raises VideoError as `thumbnails` does.
    """
    inside = [second for second in seconds if second >= 0]
    jpegs = dict(zip(inside, thumbnails(video, inside), strict=True))
    return [(second, _picture(jpegs.get(second))) for second in seconds]


def _picture(jpeg: bytes | None) -> Picture | None:
    return None if jpeg is None else np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))

"""The pictures around given seconds of one video, for a person who checks a label."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.episodes.video import Picture, pictures

MARGIN_S = 2  # before and after
SIZE = 224  # px, as encoders see them


def pictures_around(video: Path, seconds: Sequence[int]) -> list[list[tuple[int, Picture | None]]]:
    """Give for each second the 5 from MARGIN_S before to MARGIN_S after, each with its picture.

    None stands for what lies before the beginning or after the end. Nothing is decoded beyond the
    last second. Raises InputError where of a given second there is no picture at all, and
    VideoError as `pictures` does.
    """
    rows = [range(second - MARGIN_S, second + MARGIN_S + 1) for second in seconds]
    wanted = {second for row in rows for second in row}
    found = {}
    n_seconds = 0
    for second, picture in enumerate(islice(pictures(video, SIZE), max(wanted) + 1)):
        n_seconds = second + 1
        if second in wanted:
            found[second] = picture
    for second, row in zip(seconds, rows, strict=True):
        if found.keys().isdisjoint(row):
            raise InputError(
                f"{video}: got {second} s, but the last picture is that of {n_seconds - 1} s; "
                "give an earlier second"
            )
    return [[(second, found.get(second)) for second in row] for row in rows]

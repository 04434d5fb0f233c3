"""The label of a video from one source, and the files that it is read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.core.files import read_small_text
from skipintro.episodes.annotations import format_interval, format_time
from skipintro.labelling.kinds import Kind

Interval = tuple[float, float]  # [start_s, end_s), whole milliseconds

_MOST_BYTES = 4 << 20  # of a file that lists one folder's videos
_LONGEST_S = 1e7  # as in label files


@dataclass(frozen=True)
class SourceLabel:
    """The intro of one video from one place."""

    kind: Kind
    place: str  # a file, or a line of one
    intervals: tuple[Interval, ...]  # (): it says that there is no intro
    series: str | None = None  # None: it does not say


def interval_of(place: str, start_s: float, end_s: float) -> Interval:
    """Return an interval in whole milliseconds. Raises InputError where it has no length."""
    if not 0 <= start_s < _LONGEST_S or not 0 <= end_s < _LONGEST_S:
        raise InputError(f"{place}: {start_s:g} to {end_s:g} s is no part of a video; correct it")
    start, end = round(start_s, 3), round(end_s, 3)
    if start >= end:
        raise InputError(
            f"{place}: start {format_time(start)} does not lie before end {format_time(end)}; "
            "correct it"
        )
    return start, end


def at_most(
    most: int, place: str, intervals: Sequence[Interval], remedy: str
) -> tuple[Interval, ...]:
    """Return the intervals in the order of time. Raises InputError for more, or that overlap."""
    found = tuple(sorted(intervals))
    if len(found) > most or any(other[0] < one[1] for one, other in pairwise(found)):
        spans = ", ".join(format_interval(interval) for interval in intervals)
        raise InputError(
            f"{place}: {len(intervals)} intervals may be the intro ({spans}); {remedy}"
        )
    return found


def read_text(path: Path) -> str:
    """Return a small text file in UTF-8.

    Raises InputError for anything else, an empty file, and one larger than any of its kind.
    """
    text = read_small_text(path, _MOST_BYTES, "put the right file there")
    if not text.strip():
        raise InputError(f"{path}: empty; write the intro into it or delete it")
    return text

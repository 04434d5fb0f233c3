"""Reads the chapter that is the intro: of a video, or of the FFMETADATA file beside it."""

from itertools import pairwise
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.episodes.annotations import format_interval
from skipintro.labelling.source import Interval, interval_of, only_one
from skipintro.video.chapters import METADATA, read_chapters
from skipintro.video.container import VideoError
from skipintro.video.titles import Chapter, names_opening

SUFFIX = METADATA
_REMEDY = "leave one title that names an opening, or name other sources with --from"


def of_video(video: Path) -> Interval | None:
    """Return the chapter in a video whose title names an opening, None where there is none.

    Raises VideoError where the file cannot be read, InputError where several chapters are it.
    """
    return _opening(str(video), read_chapters(video))


def of_metadata(path: Path) -> Interval | None:
    """Return the same of an FFMETADATA file, whose chapters may neither be reversed nor overlap."""
    try:
        found = read_chapters(path)
    except VideoError as error:
        raise InputError(
            f"{path}: no FFMETADATA, or with chapters that end before they start ({error.fault}); "
            "correct or delete it"
        ) from error
    rising = sorted((interval_of(str(path), one.start_s, one.end_s), one.title) for one in found)
    for (one, _), (other, _) in pairwise(rising):
        if other[0] < one[1]:
            raise InputError(
                f"{path}: chapters {format_interval(one)} and {format_interval(other)} overlap; "
                "correct it"
            )
    return _opening(str(path), found)


def _opening(place: str, chapters: list[Chapter]) -> Interval | None:
    named = [
        # A container may begin some milliseconds after its first chapter does.
        interval_of(f"{place}: chapter {one.title!r:.80}", max(0.0, one.start_s), one.end_s)
        for one in chapters
        if names_opening(one.title)
    ]
    return only_one(place, named, _REMEDY)

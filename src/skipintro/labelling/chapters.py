"""Reads the chapters that are the intro: of a video, or of the FFMETADATA file beside it."""

from itertools import pairwise
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.episodes.annotations import format_interval
from skipintro.episodes.naming import n_named
from skipintro.labelling.source import Interval, at_most, interval_of
from skipintro.video.chapters import METADATA, read_chapters
from skipintro.video.container import VideoError
from skipintro.video.titles import Chapter, names_opening

SUFFIX = METADATA
_REMEDY = "leave one title that names an opening, or name other sources with --from"


def of_video(video: Path) -> tuple[Interval, ...]:
    """Return the chapters in a video whose titles name an opening.

    Raises VideoError where the file cannot be read, InputError where they are more than its name
    numbers episodes.
    """
    return _openings(video, read_chapters(video))


def of_metadata(path: Path) -> tuple[Interval, ...]:
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
    return _openings(path, found)


def _openings(path: Path, chapters: list[Chapter]) -> tuple[Interval, ...]:
    named = [
        # A container may begin some milliseconds after its first chapter does.
        interval_of(f"{path}: chapter {one.title!r:.80}", max(0.0, one.start_s), one.end_s)
        for one in chapters
        if names_opening(one.title)
    ]
    return at_most(n_named(path.stem), str(path), named, _REMEDY)

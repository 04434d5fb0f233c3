"""The kinds of sources that labels come from; loads nothing."""

from enum import StrEnum


class Kind(StrEnum):
    """Where labels may come from; the first that tells of a video gives its times."""

    CSV = "csv"
    EDL = "edl"
    SEGMENTS = "segments"
    CHAPTERS = "chapters"

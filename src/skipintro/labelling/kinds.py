"""The kinds of sources that labels come from; loads nothing."""

from enum import StrEnum


class Kind(StrEnum):
    """Where labels may come from; the first that has a video sets its times."""

    CSV = "csv"
    EDL = "edl"
    SEGMENTS = "segments"
    CHAPTERS = "chapters"

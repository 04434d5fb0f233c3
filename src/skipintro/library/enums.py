"""The words of options and rows; apart, since --help needs no more."""

from enum import StrEnum


class Form(StrEnum):
    """How results are printed: `--format`."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


class Source(StrEnum):
    """The source of an intro."""

    DETECTOR = "detector"
    CHAPTER = "chapter"  # in the file itself
    SETTINGS = "settings"  # by hand, in `skipintro.toml`


class Kind(StrEnum):
    """The sidecars of `--write`."""

    EDL = "edl"
    CHAPTERS = "chapters"
    SEGMENTS = "segments"
    JSON = "json"

"""The words that options take and rows tell; apart, since --help needs no more."""

from enum import StrEnum


class Form(StrEnum):
    """How results are printed: `--format`."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


class Source(StrEnum):
    """Who says where an intro is."""

    DETECTOR = "detector"
    CHAPTER = "chapter"  # in the file itself
    SETTINGS = "settings"  # by hand, in `skipintro.toml`


class Kind(StrEnum):
    """The sidecars of `--write`."""

    EDL = "edl"
    CHAPTERS = "chapters"
    SEGMENTS = "segments"
    JSON = "json"

"""The words that options take; apart, since the command line's --help needs no more."""

from enum import StrEnum


class Form(StrEnum):
    """How results are printed: `--format`."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


class Kind(StrEnum):
    """The sidecars of `--write`."""

    EDL = "edl"
    CHAPTERS = "chapters"
    SEGMENTS = "segments"
    JSON = "json"

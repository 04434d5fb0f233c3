"""Settings of a shelf: `skipintro.toml` in a library's root, a show's folder, or any between.

Reads  skipintro.toml beside a video and in every folder above it; of each key the nearest counts
"""

import logging
import os
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error, read_small_text
from skipintro.detection.limits import Limits
from skipintro.episodes.annotations import format_interval, format_time
from skipintro.episodes.labels import Interval, parse_time
from skipintro.episodes.search import Search

NAME = "skipintro.toml"
_MOST_BYTES = 1 << 20
_IN_TEXT = re.compile(r"\(at line (?P<line>\d+), column \d+\)")

log = logging.getLogger(__name__)


def _seconds(value: Any) -> float:
    if isinstance(value, time):  # `00:01:10` without quotes is TOML's time of a day
        value = value.isoformat()
    try:
        return parse_time("", value) or 0.0  # TOML has no null
    except InputError as error:
        raise ValueError(str(error).removeprefix(": ")) from error


def _intervals(value: Any) -> Any:
    """Return the pairs of a list of them, or of a pair alone; [] is no intro."""
    several = isinstance(value, list) and not (value and _is_ends(value))
    found = [_interval(each) for each in (value if several else [value])]
    for one, other in pairwise(found):
        if other[0] < one[1]:
            raise ValueError(
                f"{format_interval(other)} begins before {format_interval(one)} ends; put them in "
                "the order of time"
            )
    return tuple(found)


def _is_ends(value: list[Any]) -> bool:
    """Return whether a list is one interval: two times, neither of them a list."""
    return not any(isinstance(each, list) for each in value)


def _interval(value: Any) -> Interval:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(
            'expected ["0:01:10", "0:01:25"], a list of several such, or [] for no intro'
        )
    start_s, end_s = (round(_seconds(end), 3) for end in value)
    if start_s >= end_s:
        raise ValueError(
            f"start {format_time(start_s)} does not lie before end {format_time(end_s)}"
        )
    return start_s, end_s


ByHand = Annotated[tuple[Interval, ...], BeforeValidator(_intervals)]


class Chosen(BaseModel):
    """What one file sets, or a command; None: it says nothing of that."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    skip: bool | None = None
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    min_length: float | None = Field(default=None, ge=0)  # s
    max_length: float | None = Field(default=None, ge=0)  # s
    search: Search | None = None
    intervals: Mapping[str, ByHand] = Field(default_factory=dict)  # by name or path below the file

    @model_validator(mode="after")
    def _lengths_leave_something(self) -> "Chosen":
        least, most = self.min_length, self.max_length
        if least is not None and most is not None and least > most:
            raise ValueError("min_length is more than max_length")
        return self


@dataclass(frozen=True)
class ByHandEntry:
    """Intervals by hand, () for no intro, and the line that holds them."""

    intervals: tuple[Interval, ...]
    place: str


@dataclass(frozen=True)
class Local:
    """What holds for one video."""

    skip: bool = False
    search: Search | None = None  # None: as the model was trained
    limits: Limits = field(default_factory=Limits)
    by_hand: ByHandEntry | None = None


@dataclass(frozen=True)
class _File:
    path: Path
    text: str
    chosen: Chosen

    def by_hand(self, video: Path) -> tuple[str, ByHand] | None:
        """Return the key that names a video below this file, and its intervals."""
        names = {_plain(video.relative_to(self.path.parent).as_posix()), _plain(video.name)}
        for name, intervals in self.chosen.intervals.items():
            if _plain(name) in names:
                return name, intervals
        return None


class Shelf:
    """The settings of videos, by the files above them; `given` goes before all of them.

    Each file is read once. Everything raises InputError naming file, line and fault.
    """

    def __init__(self, given: Chosen | None = None) -> None:
        self._given = given or Chosen()
        self._files: dict[Path, _File | None] = {}  # by folder
        self._used: set[tuple[Path, str]] = set()

    def of(self, video: Path) -> Local:
        """Return what holds for a video."""
        path = Path(os.path.abspath(video))  # noqa: PTH100  as it is called, links unresolved
        files = [file for folder in path.parents if (file := self._file(folder))]
        layers = [self._given, *(file.chosen for file in files)]

        def nearest(key: str, default: Any = None) -> Any:
            values = (getattr(layer, key) for layer in layers)
            return next((value for value in values if value is not None), default)

        limits = Limits(
            min_confidence=nearest("min_confidence"),
            min_length_s=nearest("min_length", 0.0),
            max_length_s=nearest("max_length", float("inf")),
        )
        by_hand = next(self._entries(path, files), None)
        return Local(nearest("skip", default=False), nearest("search"), limits, by_hand)

    def warn_of_unknown(self) -> None:
        """Name the intervals by hand that are of no file below: names are mistyped easily."""
        for file in filter(None, self._files.values()):
            missing = {
                _plain(name): name
                for name in file.chosen.intervals
                if (file.path, name) not in self._used
            }
            for place, _, names in os.walk(file.path.parent, followlinks=False) if missing else ():
                folder = Path(place).relative_to(file.path.parent)
                for name in names:
                    missing.pop(_plain(name), None)
                    missing.pop(_plain((folder / name).as_posix()), None)
            for name in missing.values():
                line = _line_of(file.text, ("intervals", name))
                log.warning("%s:%d: no file %s below; correct its name", file.path, line, name)

    def _entries(self, video: Path, files: Iterable[_File]) -> Iterator[ByHandEntry]:
        for file in files:
            if found := file.by_hand(video):
                name, intervals = found
                self._used.add((file.path, name))
                line = _line_of(file.text, ("intervals", name))
                yield ByHandEntry(intervals, f"{file.path}:{line}: intervals: {name}")

    def _file(self, folder: Path) -> _File | None:
        if folder not in self._files:
            self._files[folder] = _read(folder / NAME)
        return self._files[folder]


def _read(path: Path) -> _File | None:
    """Read a file; None where there is none. Raises InputError."""
    try:
        text = read_small_text(path, _MOST_BYTES, "put settings there")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(describe_os_error(error)) from error
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        message = str(error)
        at = _IN_TEXT.search(message)
        line = at["line"] if at else text.count("\n") + 1
        fault = _IN_TEXT.sub("", message).removesuffix("(at end of document)").strip()
        raise InputError(f"{path}:{line}: no valid TOML: {fault}; correct it") from error
    try:
        return _File(path, text, Chosen.model_validate(values))
    except ValidationError as error:
        raise InputError(_fault(path, text, error)) from error


def _fault(path: Path, text: str, error: ValidationError) -> str:
    faults = error.errors()
    # A misspelt key shows what to correct, whatever else is wrong.
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
    steps = tuple(str(step) for step in fault["loc"])
    place = f"{path}:{_line_of(text, steps)}"
    if fault["type"] == "extra_forbidden":
        known = ", ".join(Chosen.model_fields)
        return f"{place}: unknown key {steps[-1]!r:.80}; correct or remove it (known: {known})"
    if steps[:1] == ("search",):  # a union, whose branches each have a fault of their own
        what = 'expected "whole", "first-quarter" or a whole number of seconds'
    else:
        what = fault["msg"].removeprefix("Value error, ")
    got = "" if isinstance(fault["input"], Mapping) else f", got {fault['input']!r:.80}"
    key = ".".join(steps[:2] if steps[:1] == ("intervals",) else steps[:1])
    return f"{place}: {f'{key}: ' if key else ''}{what}{got}; correct it"


def _line_of(text: str, steps: tuple[str, ...]) -> int:
    """Return the number of the line where a key is, as far as a search of the text shows."""
    lines = text.splitlines()
    for step in reversed(steps[:2]):
        key = re.compile(rf"""^\s*(?:\[.*)?(?:.*[.{{,\s])?["']?{re.escape(step)}["']?\s*[=.\]]""")
        for number, line in enumerate(lines, 1):
            if key.search(line) and not line.lstrip().startswith("#"):
                return number
    return 1


def _plain(name: str) -> str:
    """Return the same text for a name, however its letters are composed."""
    return unicodedata.normalize("NFC", name)

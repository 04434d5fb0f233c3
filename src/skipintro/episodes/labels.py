"""Reads the label files of a source folder: `{id: {"name", "start", "end", …}}`.

An entry may have `url` and `series`, and `tags`: a list of words by which figures are split. A file
of several episodes has `intervals`, a list of `[start, end]`, in place of `start` and `end`.
"""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from skipintro.core.errors import InputError
from skipintro.core.files import read_small_text

_CLOCK = re.compile(r"(?:(?P<h>\d{1,3}):)?(?P<m>\d{1,3}):(?P<s>\d{1,2}(?:\.\d{1,6})?)", re.ASCII)
_UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of one, ends of lines
_NUMBER = re.compile(r"\d{1,7}(?:\.\d{1,6})?", re.ASCII)
_TAKEN = {".", "..", "labels.json"}  # other names in a split's folder
_MOST_BYTES = 16 << 20  # of a file; some hundred thousand labels
_LONGEST_ID_BYTES = 200  # file systems take 255; extensions and temporary names need room

Interval = tuple[float, float]  # [start_s, end_s)


class Label(BaseModel):
    """One label as it is in the file, its times read as seconds; both None: no intro."""

    model_config = ConfigDict(frozen=True)

    name: str = ""
    series: str | None = None
    url: str | None = None
    tags: tuple[str, ...] = ()
    start_s: float | None
    end_s: float | None
    further: tuple[Interval, ...] = ()  # those after the first, in the order of time


def read_labels(path: Path, remedy_if_missing: str = "correct the path") -> dict[str, Label]:
    """Read a label file, in its own order.

    Raises InputError, naming the file, the episode and the remedy, for anything that is not the
    layout above: no JSON, no object, an id twice, an id that is no plain file name, times that
    are missing, negative or not readable.
    """
    content = read_json_object(path, remedy_if_missing)
    labels = {}
    for episode, fields in content.items():
        check_episode_id(str(path), episode)
        labels[episode] = _label(f"{path}: {episode}", fields)
    return labels


def read_json_object(path: Path, remedy_if_missing: str) -> dict[str, Any]:
    """Read a JSON file, written by hand, that holds an object by episode id.

    Raises InputError, naming the file and the remedy, for no UTF-8, no JSON, no object, a key
    that occurs twice in one object at any depth, and more bytes than a person could write. An id
    is the same however its letters are composed: it is given in Unicode's form NFC.
    """
    try:
        text = read_small_text(path, _MOST_BYTES, "name the right file")
    except FileNotFoundError:
        raise InputError(f"{path}: missing; {remedy_if_missing}") from None
    try:
        found = json.loads(text, object_pairs_hook=lambda pairs: _unique(path, pairs))
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 4,301 digits
        raise InputError(f"{path}: not valid JSON ({error}); correct it") from error
    if not isinstance(found, dict):
        raise InputError(
            f"{path}: expected an object {{id: …}}, got {type(found).__name__}; correct it"
        )
    by_id: dict[str, Any] = {}
    for key, value in found.items():
        if (id_ := unicodedata.normalize("NFC", key)) in by_id:
            raise InputError(
                f"{path}: {key!r} stands in it twice, of letters composed in two ways; remove one"
            )
        by_id[id_] = value
    return by_id


def check_episode_id(place: str, episode: str) -> None:
    """Raise InputError unless the id can be the name of a folder, and of nothing elsewhere."""
    remedy = "an id is the name of its video, without folders: rename it"
    if not episode.strip() or episode.casefold() in _TAKEN:
        raise InputError(f"{place}: {episode!r} is no usable episode id; {remedy}")
    if "/" in episode or "\\" in episode:
        raise InputError(f"{place}: the id {episode!r} holds a path separator; {remedy}")
    if ".." in episode or any(unicodedata.category(c) in _UNWRITABLE for c in episode):
        raise InputError(f"{place}: the id {episode!r} holds '..' or control characters; {remedy}")
    if len(episode.encode()) > _LONGEST_ID_BYTES:
        raise InputError(
            f"{place}: the id {episode[:40] + '…'!r} is longer than {_LONGEST_ID_BYTES} bytes; "
            f"{remedy}"
        )


def parse_time(place: str, value: Any) -> float | None:
    """Return seconds for `H:MM:SS`, `MM:SS` (with or without a fraction) or a number; None stays.

    Raises InputError naming `place` for anything else.
    """
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = _finite(value)
        if seconds is not None and seconds >= 0:
            return abs(seconds)  # -0.0 is 0
        if seconds is not None:
            raise InputError(f"{place}: the time {value!r:.80} is negative; times count from 0:00")
    elif isinstance(value, str):
        text = value.strip()
        if text.startswith("-"):
            raise InputError(f"{place}: the time {value!r:.80} is negative; times count from 0:00")
        clock = _CLOCK.fullmatch(text)
        if clock:
            hours, minutes, seconds = clock["h"], int(clock["m"]), float(clock["s"])
            if seconds < 60 and (hours is None or minutes < 60):
                return int(hours or 0) * 3600 + minutes * 60 + seconds
        elif _NUMBER.fullmatch(text):
            return float(text)
    raise InputError(
        f"{place}: {str(value)[:80]!r} is no time; write H:MM:SS, MM:SS or a number of seconds"
    )


def parse_ends(
    place: str, fields: Mapping[str, Any]
) -> tuple[float | None, float | None, tuple[Interval, ...]]:
    """Return start and end of the first interval, both None for no intro, and the further ones.

    Raises InputError naming `place` where neither they nor `intervals` can be read, or where both
    are given and differ.
    """
    if "intervals" in fields:
        first, *further = _intervals(f"{place}: intervals", fields["intervals"])
        for key, known in zip(("start", "end"), first, strict=True):
            if key in fields and parse_time(f"{place}: {key}", fields[key]) != known:
                raise InputError(
                    f"{place}: {key} is not that of the first of intervals; remove start and end"
                )
        return *first, tuple(further)
    for key in ("start", "end"):
        if key not in fields:
            raise InputError(
                f"{place}: {key!r} is missing; give a time, or null for both: no intro"
            )
    start_s = parse_time(f"{place}: start", fields["start"])
    end_s = parse_time(f"{place}: end", fields["end"])
    if (start_s is None) != (end_s is None):
        raise InputError(
            f"{place}: only one of start and end is null; give both times, or null for both"
        )
    return start_s, end_s, ()


def _intervals(place: str, value: Any) -> list[Interval]:
    if not isinstance(value, list) or not value:
        raise InputError(
            f"{place}: expected a list of [start, end], got {value!r:.80}; correct it, or give "
            "start and end alone"
        )
    found = []
    for number, pair in enumerate(value, 1):
        if not isinstance(pair, list) or len(pair) != 2:
            raise InputError(f"{place}: {number}: expected [start, end], got {pair!r:.80}")
        start_s, end_s = (parse_time(f"{place}: {number}", end) for end in pair)
        if start_s is None or end_s is None or start_s >= end_s:
            raise InputError(f"{place}: {number}: start does not lie before end; correct it")
        found.append((start_s, end_s))
    for number, (one, other) in enumerate(pairwise(found), 2):
        if other[0] < one[1]:
            raise InputError(
                f"{place}: {number}: begins before the one before it ends; put them in the order "
                "of time, and join those that overlap"
            )
    return found


def _label(place: str, fields: Any) -> Label:
    if not isinstance(fields, dict):
        raise InputError(f"{place}: expected an object, got {type(fields).__name__}; correct it")
    start_s, end_s, further = parse_ends(place, fields)
    texts = {key: fields.get(key) for key in ("name", "series", "url")}
    for key, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise InputError(
                f"{place}: {key}: expected text, got {type(text).__name__}; correct it"
            )
    tags = fields.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag.strip() for tag in tags):
        raise InputError(f"{place}: tags: expected a list of words, got {tags!r:.80}; correct it")
    return Label(
        name=texts["name"] or "",
        series=texts["series"],
        url=texts["url"],
        tags=tuple(dict.fromkeys(tag.strip() for tag in tags)),
        start_s=start_s,
        end_s=end_s,
        further=further,
    )


def _unique(path: Path, pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"{path}: the key {key!r} occurs twice; remove one")
        if isinstance(value, str) and any(unicodedata.category(c) == "Cs" for c in value):
            raise InputError(f"{path}: {key!r}: {value[:80]!r} holds half a character; correct it")
        found[key] = value
    return found


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number < 1e7 else None

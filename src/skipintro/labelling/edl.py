"""Reads edit decision lists of Kodi and MPlayer: `Show S01E01.edl`.

One line an interval, `start end action`, blanks or tabs between; times are seconds or H:MM:SS.sss;
https://kodi.wiki/view/Edit_decision_list.
"""

import re
from itertools import pairwise
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.episodes.annotations import format_interval
from skipintro.labelling.source import Interval, at_most, interval_of, read_text

SUFFIX = ".edl"
SKIPPED = {0, 3}  # cut, commercial break; a player passes over either
_REMEDY = "leave the one of the intro in it, or name other sources with --from"
_ENTRY = re.compile(r"(\S+)[ \t]+(\S+)[ \t]+([0-3])", re.ASCII)
_SECONDS = re.compile(r"\d{1,7}(?:\.\d{1,9})?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,3}):([0-5]?\d):([0-5]?\d(?:\.\d{1,9})?)", re.ASCII)


def read(path: Path) -> tuple[Interval, ...]:
    """Return the one interval that is skipped (actions 0 and 3).

    Nothing where the file has mutes (1) and scene markers (2) alone. Raises InputError for a line
    of another form, times that are frames, reversed or overlapping intervals, and several skips:
    another one may be the credits.
    """
    entries = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        entry = _ENTRY.fullmatch(line.strip())
        if entry is None:
            raise InputError(
                f"{place}: {line.strip()!r:.80} is no entry; expected `start end action` with an "
                "action from 0 to 3: correct it, or delete what is no EDL of Kodi"
            )
        action = int(entry[3])
        if action != 2:  # of a scene marker one time counts alone
            interval = interval_of(place, _seconds(place, entry[1]), _seconds(place, entry[2]))
            entries.append((interval, action))
    for (one, _), (other, _) in pairwise(sorted(entries)):
        if other[0] < one[1]:
            raise InputError(
                f"{path}: {format_interval(one)} and {format_interval(other)} overlap; correct it"
            )
    return at_most(1, str(path), [one for one, action in entries if action in SKIPPED], _REMEDY)


def _seconds(place: str, text: str) -> float:
    if _SECONDS.fullmatch(text):
        return float(text)
    if clock := _CLOCK.fullmatch(text):
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    fault = "counts frames" if text.startswith("#") else "is no time"
    raise InputError(f"{place}: {text!r:.80} {fault}; write seconds or H:MM:SS.sss")

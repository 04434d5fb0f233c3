"""Reads media segments of Jellyfin: `Show S01E01.segments.json`.

What `GET /MediaSegments/{itemId}` of Jellyfin 10.10 returns: `Items`, each with `Type`,
`StartTicks` and `EndTicks`; https://jellyfin.org/docs/general/server/metadata/media-segments/.
"""

from pathlib import Path
from typing import Any

from skipintro.core.errors import InputError
from skipintro.episodes.labels import read_json_object
from skipintro.episodes.naming import n_named
from skipintro.labelling.source import Interval, at_most, interval_of, read_text

SUFFIX = ".segments.json"
TICKS_A_SECOND = 10_000_000
_TYPES = {"Unknown", "Commercial", "Preview", "Recap", "Outro", "Intro"}  # MediaSegmentType


def read(path: Path) -> tuple[Interval, ...]:
    """Return the segments of the type Intro.

    Raises InputError for what is no such response, a reversed segment, and more intros than the
    file's name numbers episodes.
    """
    read_text(path)
    items = read_json_object(path, "put the file back").get("Items")
    if not isinstance(items, list):
        raise InputError(f"{path}: expected `Items`, a list of segments; correct or delete it")
    intros = [
        interval_of(place, ticks["StartTicks"] / TICKS_A_SECOND, ticks["EndTicks"] / TICKS_A_SECOND)
        for number, item in enumerate(items, 1)
        if (ticks := _checked(place := f"{path}: segment {number}", item))["Type"] == "Intro"
    ]
    most = n_named(path.name.removesuffix(SUFFIX))
    return at_most(most, str(path), intros, "leave one of the type Intro in it")


def _checked(place: str, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise InputError(f"{place}: expected an object, got {type(item).__name__}; correct it")
    if item.get("Type") not in _TYPES:
        raise InputError(
            f"{place}: Type {item.get('Type')!r:.80} is none of Jellyfin's; correct it (known: "
            f"{', '.join(sorted(_TYPES))})"
        )
    for key in ("StartTicks", "EndTicks"):
        ticks = item.get(key)
        if not isinstance(ticks, int) or isinstance(ticks, bool) or not 0 <= ticks < 1 << 63:
            raise InputError(
                f"{place}: {key} {ticks!r:.80} is no number of ticks of 100 ns; correct it"
            )
    return item

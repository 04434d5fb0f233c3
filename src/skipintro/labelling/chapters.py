"""Reads the chapter that is the intro: of a video, or of the FFMETADATA file beside it.

By its title, which names an opening in one of several languages; whole words count, whatever their
case and accents.
"""

import re
import unicodedata
from itertools import pairwise
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.episodes.annotations import span
from skipintro.labelling.told import Interval, interval_of, only_one
from skipintro.video.decoder import decoded
from skipintro.video.info import USUAL_LIMITS
from skipintro.video.opening import VideoError, opened_container, origin_of

SUFFIX = ".ffmetadata"
_FORMAT = "ffmetadata"  # as libav calls it
_OPENING_NAMES = (
    *("intro", "op", "opening", "main title", "main titles", "title sequence"),
    *("вступление", "заставка", "vorspann", "générique", "generic", "cabecera", "sigla"),
    *("abertura", "czołówka", "オープニング", "片头", "片頭"),
)
_OTHER_NAMES = (  # Opening scene, Intro end, Après le générique, Générique de fin, После заставки
    *("after", "before", "end", "ending", "fin", "closing", "outro", "pre", "post", "scene"),
    *("recap", "logo", "logos", "without", "ende", "nach", "vor", "ohne", "avant", "après"),
    *("до", "после", "без", "конец"),
)
_REMEDY = "leave one title that names an opening, or name other sources with --from"

Chapter = tuple[float, float, str]  # start and end in seconds of playing, title


def of_video(video: Path) -> Interval | None:
    """Give the chapter in a video whose title names an opening, None where there is none.

    Raises VideoError where the file cannot be read, InputError where several chapters are it.
    """
    return _opening(str(video), _chapters(video))


def of_metadata(path: Path) -> Interval | None:
    """Give the same of an FFMETADATA file, whose chapters may neither be reversed nor overlap."""
    try:
        found = _chapters(path)
    except VideoError as error:
        raise InputError(
            f"{path}: no FFMETADATA, or with chapters that end before they start ({error.fault}); "
            "correct or delete it"
        ) from error
    rising = sorted((interval_of(str(path), start, end), title) for start, end, title in found)
    for (one, _), (other, _) in pairwise(rising):
        if other[0] < one[1]:
            raise InputError(f"{path}: chapters {span(one)} and {span(other)} overlap; correct it")
    return _opening(str(path), found)


def names_opening(title: str) -> bool:
    """Tell whether a chapter's title names an opening."""
    words = " ".join(re.findall(r"\w+", _plain(title).replace("_", " ")))
    return bool(_OPENING.search(words)) and not _OTHER.search(words)


def chapters_of(path: Path) -> list[Chapter]:
    """Give all chapters, in seconds from the start of playing, as libav reads them.

    For a process of its own: see `skipintro.video.decoder`. Raises VideoError.
    """
    with opened_container(path) as container:
        if (container.format.name == _FORMAT) != (path.suffix == SUFFIX):
            raise VideoError(path, f"holds {container.format.name}")
        origin = origin_of(container)
        chapters = []
        for chapter in container.chapters():
            if not chapter["time_base"]:
                raise VideoError(path, "holds a chapter without a unit of time")
            start, end = (chapter[key] * chapter["time_base"] - origin for key in ("start", "end"))
            chapters.append((float(start), float(end), chapter["metadata"].get("title", "")))
    return chapters


def _chapters(path: Path) -> list[Chapter]:
    [found] = decoded(chapters_of, path, USUAL_LIMITS)
    return found  # type: ignore[no-any-return]  # what its function gives


def _opening(place: str, chapters: list[Chapter]) -> Interval | None:
    named = [
        # A container may begin some milliseconds after its first chapter does.
        interval_of(f"{place}: chapter {title!r:.80}", max(0.0, start), end)
        for start, end, title in chapters
        if names_opening(title)
    ]
    return only_one(place, named, _REMEDY)


def _plain(text: str) -> str:
    """Leave out case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if unicodedata.category(sign) != "Mn")


def _any_of(names: tuple[str, ...], ending: str = "") -> re.Pattern[str]:
    told = "|".join(re.escape(_plain(name)) for name in names)
    return re.compile(rf"\b(?:{told}){ending}\b")


_OPENING = _any_of(_OPENING_NAMES, r"\d{0,2}")  # OP1
_OTHER = _any_of(_OTHER_NAMES)

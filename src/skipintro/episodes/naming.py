"""Which series a video file belongs to, from its name and its folders.

guessit knows how files of series are named. Ours is what it cannot do: to find the folder of the
series, some numberings, and speed. It takes 6 ms a name, so that a name is cut at its numbering
where a mark shows that (`S01E02`, `Folge 3`, a date), and guessit runs once a series.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from skipintro.episodes.spelling import drawn, normalize_title

_EPISODE = (
    "episode|episodio|episódio|épisode|ep|folge|capítulo|capitulo|cap|odcinek|bölüm|"
    "серия|серія|выпуск|part|pt"
)
_SEASON = "season|series|staffel|saison|temporada|stagione|sezon|сезон"
_DISC = "disc|disk|dvd|cd|bd"
_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten"
_NUMBERINGS = tuple(  # where one begins; the first pattern that a name has counts
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bs\d{1,4}[\s.-]*(?:ep?|x)[\s.-]*\d+",  # S01E02
        r"(?<!\w)\d{1,2}x\d{1,3}(?!\d)",  # 1x02
        r"\b(?:19|20)\d\d([-. ])[01]\d\1[0-3]\d\b",  # 2024-03-05
        r"\b\d+[\s.-]*(?:сезон|серия|серія|выпуск)\b",
        rf"\b(?:{_SEASON})[\s.-]*\d+|\bs\d{{1,2}}\b|\b\d+(?:st|nd|rd|th) season\b",  # S2
        rf"\b(?:{_EPISODE})[\s.-]*(?:\d+|(?:{_WORDS})\b)|\be\d+",  # Episode 3, e03, Part One
        r"第\s*\d+|\b\d+\s*[화회話集]",
        r"[\s(]\d+\s*of\s*\d+\b",  # 2of6
        r"^\[[^\]]+\].*?(?P<here>-\s+\d{1,4}(?:v\d)?\b)",  # [Group] Show - 2001: no year
        r"\s-\s+(?!(?:19|20)\d\d\b)\d{1,4}(?:v\d)?\b",  # Show - 12 - Title
        r"#\d+",
        r"^\d{1,3}(?:\.\s|\s-\s)",  # 01 - Title
        r"\b(?:title|[a-f]\d)? ?t\d\d$",  # of a disc, as MakeMKV copies it: B1_t03, title_t00
        r"^vts \d+ \d+$|^\d{5}$",  # of a disc: VTS_01_1.VOB, 00001.m2ts
        r"(?<!\d)(?!(?:19|20)\d\d$)\d{1,4}$",  # Show 12, Show12, 12
    )
)
_BY_A_MARK = _NUMBERINGS[:2]  # in a folder's name a number alone is a part of the title
_OF_SEASON = re.compile(
    rf"\b(?:(?:{_SEASON})[\s._-]*\d{{1,4}}|(?:{_DISC})[\s._-]*\d{{1,2}}|[sd]\d{{1,2}})\b.*"
    r"|^(?:specials|extras|samples?|video[ _]ts|bdmv|stream)$",
    re.IGNORECASE | re.DOTALL,
)
_ENCODING = re.compile(  # 1080p, 1920x1080, x264, and all that follows
    r"\b(?:\d{3,4}[pi]|\d{3,4}x\d{3,4}|[xh]\.?26[45])\b.*", re.IGNORECASE | re.DOTALL
)
_LIKE_A_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_NUMBERED = {"season", "episode", "date", "part", "absolute_episode"}
_TITLED = {"title", "alternative_title", "film_title"}


_Match = tuple[str, int, int, Any]  # what it is, where it begins and ends, its value


@dataclass(frozen=True)
class _Parsed:
    """The parts of a name: a title, and what distinguishes series of the same title."""

    title: str = ""
    country: str = ""
    year: str = ""


_NOTHING = _Parsed()


def series_of_file(video: Path) -> str:
    """Return the title that the episodes of one series share, as far as one file shows it.

    It is before the numbering. A file whose name begins with the numbering (`S01E02.mkv`,
    `03.mp4`), or that has none and is in the folder of a season, a disc or one episode, belongs
    to the folder of its series. A film without any numbering is a series of its own.
    """
    return _parsed(video).title


def series_of_files(videos: Sequence[Path]) -> list[str]:
    """Return the name of the series of each file: its title.

    Countries or years distinguish series of one title, where the files have several. A file
    that has none goes with those in its folder.
    """
    parsed = [_parsed(video) for video in videos]
    names = [each.title for each in parsed]
    by_title = defaultdict(list)
    for place, each in enumerate(parsed):
        by_title[each.title].append(place)
    countries, years = [each.country for each in parsed], [each.year for each in parsed]
    for places in by_title.values():
        for marks in (countries, years):
            if len({marks[place] for place in places} - {""}) < 2:
                continue
            beside = {videos[place].parent: marks[place] for place in places if marks[place]}
            for place in places:
                mark = marks[place] or beside.get(videos[place].parent, "")
                names[place] = f"{names[place]} {mark}".strip()
    return names


def folder_of_series(video: Path) -> str:
    """Return the normalized name of the folder of a file's series; seasons are passed over."""
    return next(filter(None, map(_without_season, _folders(video))), "")


def n_named(name: str) -> int:
    """Return how many episodes a file's name, without its suffix, numbers: 2 for `S01E01-E02`."""
    if len(re.findall(r"\d+", name)) < 2:
        return 1
    return max(1, len({value for kind, *_, value in _guess(name) if kind == "episode"}))


def _parsed(video: Path) -> _Parsed:
    parsed = _of_file(video)
    folder = folder_of_series(video)
    if parsed.title and (folder == parsed.title or not folder.startswith(parsed.title)):
        return parsed  # the folder has nothing to add
    of_folders = map(_of_folder, _folders(video))
    of_folder = next((found for found in of_folders if found.title), _NOTHING)
    if parsed.title not in {"", of_folder.title}:
        return parsed
    country, year = parsed.country or of_folder.country, parsed.year or of_folder.year
    return _Parsed(of_folder.title, country, year)


def _folders(video: Path) -> list[str]:
    """Return the names of the folders of a file, except one of the file's own name."""
    return [folder.name for folder in video.absolute().parents if folder.name != video.stem]


def _of_file(video: Path) -> _Parsed:
    """Return the parts of a file's own name: none where the folder names the series."""
    name = _ENCODING.sub("", _readable(video.stem))
    numbering = _numbering(name, _NUMBERINGS)
    if numbering is not None:
        return _titled(name[:numbering])
    if _is_numbered_folder(video.absolute().parent.name):
        return _NOTHING
    return _guessed(name) if re.search(r"\d", name) else _Parsed(normalize_title(name))


@lru_cache(maxsize=4096)
def _without_season(name: str) -> str:
    return normalize_title(_OF_SEASON.sub("", drawn(name)))


@lru_cache(maxsize=4096)
def _of_folder(name: str) -> _Parsed:
    plain = _OF_SEASON.sub("", _readable(name))
    return _titled(_ENCODING.sub("", plain)[: _numbering(plain, _BY_A_MARK)])


def _is_numbered_folder(name: str) -> bool:
    """Return whether a folder's name is of a season, a disc or one episode."""
    plain = _readable(name)
    return bool(_OF_SEASON.search(plain)) or _numbering(plain, _BY_A_MARK) is not None


def _numbering(name: str, patterns: Sequence[re.Pattern[str]]) -> int | None:
    """Return the place at which a numbering begins, None where there is none."""
    found = next((found for each in patterns if (found := each.search(name))), None)
    return found and found.start("here" if "here" in found.re.groupindex else 0)


def _readable(name: str) -> str:
    return unicodedata.normalize("NFC", drawn(name)).replace("_", " ")


def _titled(head: str) -> _Parsed:
    """Return the text before a numbering: the title, without a group's name, year or country."""
    head = head.rstrip(" .-,([")
    return _title(head) if normalize_title(head) else _NOTHING


@lru_cache(maxsize=4096)
def _title(head: str) -> _Parsed:
    # Every numbering is written as the one that guessit knows best.
    return _of_guess(head, _guess(f"{head} S01E01"), len(head))


def _guessed(name: str) -> _Parsed:
    """Return what guessit finds in a name without a mark: a film, or `Show.103.hdtv`."""
    found = _guess(name)
    numbers = [start for kind, start, _, _ in found if kind in _NUMBERED]
    like_a_year = _LIKE_A_YEAR.search(name)
    if like_a_year and any(like_a_year.start() <= start < like_a_year.end() for start in numbers):
        return _Parsed(normalize_title(name[: like_a_year.end()]))  # Blade Runner 2049
    if numbers and min(numbers) == 0:
        return _Parsed(normalize_title(name))  # 12 Angry Men
    return _of_guess(name, found, min(numbers, default=len(name)))


def _of_guess(name: str, found: Sequence[_Match], end: int) -> _Parsed:
    """Return title, country and year of the text before the numbering, at `end`."""
    titles = [(start, stop) for kind, start, stop, _ in found if kind in _TITLED and start < end]
    title = name[:end]
    if titles:
        title = name[min(start for start, _ in titles) : min(end, max(stop for _, stop in titles))]
    marks = {kind: str(value).casefold() for kind, start, _, value in found if start < end}
    if not titles:
        return _Parsed(normalize_title(title))  # 1923 S01E01: the year is all that there is
    return _Parsed(normalize_title(title), marks.get("country", ""), marks.get("year", ""))


def _guess(name: str) -> list[_Match]:
    from guessit import guessit  # noqa: PLC0415  takes a tenth of a second
    from guessit.api import GuessitException  # noqa: PLC0415

    options = {"type": "episode", "advanced": True, "no_user_config": True}
    try:
        found = guessit(f"{name}.mkv", options)
    except GuessitException:  # of a name that it stumbles over
        return []
    each = ((kind, m) for kind, ms in found.items() for m in (ms if isinstance(ms, list) else [ms]))
    return [(kind, *match.span, match.value) for kind, match in each]

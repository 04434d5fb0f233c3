"""Which series a video file belongs to, told by its name and its folder."""

import re
import unicodedata
from pathlib import Path

_NUMBER = r"(?!(?:19|20)\d\d\b)\d{1,4}\b"  # of an episode; a year belongs to a name
_ENCODING = re.compile(  # 1080p, 1920x1080, x264, and all that follows
    r"\b(?:\d{3,4}[pi]|\d{3,4}x\d{3,4}|[xh]\.?26[45])\b.*", re.IGNORECASE | re.DOTALL
)
_NUMBERINGS = tuple(  # with all that follows; the first that a name has counts
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"\b(?:s\d+[\s.-]*e\d+|\d{1,2}x\d+).*",  # S01E02, 1x02
        r"\b(?:(?:season|сезон|episode|ep|part|серия)[\s.-]*\d+|e\d+).*",  # Episode 3, e03
        r"\b\d+[\s.-]*(?:сезон|серия)\b.*",
        rf"\s-\s+{_NUMBER}.*",  # Show - 12 - Title
        rf"^{_NUMBER}(?:\.\s|\s-\s).*",  # 01 - Title
        rf"(?<!\d){_NUMBER}\s*$",  # Show 12, 12
    )
)
_SEASON = re.compile(
    r"\b(?:season|series|staffel|saison|сезон|disc|s)[\s._-]*\d{1,2}\b.*|^(?:specials|extras)$",
    re.IGNORECASE | re.DOTALL,
)
# Cyrillic letters that are drawn as Latin ones, by https://www.unicode.org/reports/tr39/.
_CYRILLIC = "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝ"
_LATIN = "ABESIJKMHOPCTYXaesijopcyxhdqw"
_TO_LATIN, _TO_CYRILLIC = str.maketrans(_CYRILLIC, _LATIN), str.maketrans(_LATIN, _CYRILLIC)


def series_of_file(video: Path) -> str:
    """Give the name that the episodes of one series share: the file's before its numbering.

    A file whose name begins with the numbering (`S01E02.mkv`, `03.mp4`) belongs to its folder;
    folders of seasons, and those that hold one episode alone, are passed over. A film without any
    numbering is a series of its own.
    """
    name = _ENCODING.sub("", _drawn(video.stem).replace("_", " "))
    numbering = next((found for each in _NUMBERINGS if (found := each.search(name))), None)
    told = one_spelling(name if numbering is None else name[: numbering.start()])
    for folder in video.absolute().parents:
        if told:
            break
        if folder.name != video.stem:
            told = one_spelling(_SEASON.sub("", _drawn(folder.name)))
    return told


def _drawn(name: str) -> str:
    """Leave out what is not drawn: marks of direction, joiners, a byte-order mark."""
    return "".join(sign for sign in name if unicodedata.category(sign) != "Cf")


def one_spelling(name: str) -> str:
    """Give one spelling for `Show.Name`, `Show_Name -` and `show name`.

    However its letters are composed, with signs that are not drawn, and with look-alikes of another
    alphabet within a word. It may be empty.
    """
    composed = unicodedata.normalize("NFKC", _drawn(name))
    plain = re.sub(r"[\s._]+", " ", composed).lstrip(" -").rstrip(" -,[(")
    alike = re.sub(r"\w+", lambda word: _of_one_alphabet(word[0]), plain)
    return unicodedata.normalize("NFKC", alike.casefold())


def _of_one_alphabet(word: str) -> str:
    """Give a word that mixes Latin and Cyrillic in the one that it can be read in, Latin first."""
    if word.isascii() or not (_has("LATIN", word) and _has("CYRILLIC", word)):
        return word
    if not _has("CYRILLIC", latin := word.translate(_TO_LATIN)):
        return latin
    cyrillic = word.translate(_TO_CYRILLIC)
    return word if _has("LATIN", cyrillic) else cyrillic


def _has(alphabet: str, word: str) -> bool:
    return any(unicodedata.name(letter, "").startswith(alphabet) for letter in word)

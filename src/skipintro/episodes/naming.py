"""Which series a video file belongs to, told by its name and its folder."""

import re
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


def series_of_file(video: Path) -> str:
    """Give the name that the episodes of one series share: the file's before its numbering.

    A file whose name begins with the numbering (`S01E02.mkv`, `03.mp4`) belongs to its folder;
    folders of seasons, and those that hold one episode alone, are passed over. A film without any
    numbering is a series of its own.
    """
    name = _ENCODING.sub("", video.stem.replace("_", " "))
    numbering = next((found for each in _NUMBERINGS if (found := each.search(name))), None)
    told = _spelt(name if numbering is None else name[: numbering.start()])
    for folder in video.absolute().parents:
        if told:
            break
        told = "" if folder.name == video.stem else _spelt(_SEASON.sub("", folder.name))
    return told


def _spelt(name: str) -> str:
    """Give one spelling for `Show.Name`, `Show_Name -` and `show name`."""
    return re.sub(r"[\s._]+", " ", name).lstrip(" -").rstrip(" -,[(").casefold()

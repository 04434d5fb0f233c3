"""Which series a video file belongs to, told by its name and its folder."""

import re
from pathlib import Path

# What numbers an episode, and all that follows it: S01E02, 1x02, Episode 3, _e04, - 12
_NUMBERING = re.compile(
    r"[\s._-]*(s\d+[\s._-]*e\d+|\d+x\d+|\b(episode|ep|part|серия)[\s._-]*\d+|[\s._-]e\d+|\d+\s*$).*",
    re.IGNORECASE | re.DOTALL,
)
_SEASON_FOLDER = re.compile(r"(season|series|staffel|сезон|s)[\s._-]*\d+", re.IGNORECASE)


def series_of_file(video: Path) -> str:
    """Give the name that the episodes of one series share: the file's before its numbering.

    A file whose name begins with the numbering (`S01E02.mkv`, `03.mp4`) belongs to its folder;
    folders of seasons, and those that hold one episode alone, are passed over.
    """
    name = _NUMBERING.sub("", video.stem).strip(" ._-")
    if name:
        return name.casefold()
    folder = video.absolute().parent
    while folder.name and (_SEASON_FOLDER.fullmatch(folder.name) or folder.name == video.stem):
        folder = folder.parent
    return folder.name.casefold()

"""What a video is called in a label file."""

import unicodedata
from pathlib import Path

from skipintro.episodes.labels import check_episode_id
from skipintro.episodes.naming import folder_of_series, series_of_file


def id_of(video: Path) -> str:
    """Return the file's name without its suffix, after its series where the name lacks it.

    `Show S01E01.mkv` is `Show S01E01`; `Show/Season 1/S01E01.mkv` is `show S01E01`, since another
    show has an S01E01, too. Raises InputError where that cannot be an id.
    """
    stem = unicodedata.normalize("NFC", video.stem)
    if not series_of_file(Path("/", video.name)):  # folders alone name it
        stem = f"{folder_of_series(video)} {stem}".strip()
    check_episode_id(str(video), stem)
    return stem

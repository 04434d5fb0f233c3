"""What both kinds of worker need of a video and of its stored file."""

from pathlib import Path

from skipintro.core.files import is_intact
from skipintro.video.container import VideoError
from skipintro.video.isolated_decode import length_s


def promised_length_s(video: Path) -> float | None:
    """Return the length that the container promises, None where it has none or is no video."""
    try:
        return length_s(video)
    except VideoError:
        return None


def is_kept(file: Path) -> bool:
    """Return whether a file is there and intact; a damaged one is removed, to be made again."""
    if is_intact(file):
        return True
    file.unlink(missing_ok=True)
    return False

"""What both kinds of worker ask of a video and of the file that is kept of it."""

from pathlib import Path

from skipintro.core.files import is_intact
from skipintro.video.container import VideoError
from skipintro.video.isolated_decode import length_s


def promised_length_s(video: Path) -> float | None:
    """Return the length that the container promises, None where it tells none or is no video."""
    try:
        return length_s(video)
    except VideoError:
        return None


def is_kept(file: Path) -> bool:
    """Tell whether a file is there and whole; one that is damaged is removed, to be made anew."""
    if is_intact(file):
        return True
    file.unlink(missing_ok=True)
    return False

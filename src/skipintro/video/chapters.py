"""Reads the chapters of a video, or of an FFMETADATA file, in a child process."""

from pathlib import Path

from skipintro.video.container import VideoError, opened_container, origin_of
from skipintro.video.info import USUAL_LIMITS
from skipintro.video.isolated_decode import decoded
from skipintro.video.titles import Chapter

METADATA = ".ffmetadata"  # the suffix of a file that holds nothing but chapters and tags
_FORMAT = "ffmetadata"  # as libav calls it


def read_chapters(path: Path) -> list[Chapter]:
    """Return all chapters in the order of the file. Raises VideoError."""
    [found] = decoded(chapters_of, path, USUAL_LIMITS)
    return [Chapter(*fields) for fields in found]


def chapters_of(path: Path) -> list[tuple[float, float, str]]:
    """Return start, end and title of all chapters, in seconds from the start of playing.

    For a process of its own: see `skipintro.video.isolated_decode`. Raises VideoError.
    """
    with opened_container(path) as container:
        if (container.format.name == _FORMAT) != (path.suffix == METADATA):
            raise VideoError(path, f"holds {container.format.name}")
        origin = origin_of(container)
        chapters = []
        for chapter in container.chapters():
            if not chapter["time_base"]:
                raise VideoError(path, "holds a chapter without a unit of time")
            start, end = (chapter[key] * chapter["time_base"] - origin for key in ("start", "end"))
            chapters.append((float(start), float(end), chapter["metadata"].get("title", "")))
        return chapters

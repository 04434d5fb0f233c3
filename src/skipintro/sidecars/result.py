"""What a sidecar holds: one video, and the intervals to skip or none. And what a copy is called."""

from dataclasses import dataclass
from pathlib import Path

from skipintro.video.titles import Chapter

Interval = tuple[float, float]  # [start_s, end_s), whole milliseconds


@dataclass(frozen=True)
class Finding:
    """One video with the intervals that a player may skip: one or none, as a rule."""

    video: Path
    series: str
    length_s: float
    interval: Interval | None  # None: no intro; of several the first
    confidence: float | None  # of the interval
    source: str = "detector"  # who says so
    chapters: tuple[Chapter, ...] = ()  # that the video has
    further: tuple[Interval, ...] = ()  # after the first, of a file of several episodes

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """All intervals, in the order of time; () where there is no intro."""
        return () if self.interval is None else (self.interval, *self.further)


COPY = ".chapters"  # is before the suffix of a copy's name


def muxed_place(video: Path) -> Path:
    """Return the path of a video's copy with chapters."""
    return video.with_name(f"{video.stem}{COPY}{video.suffix}")


def is_muxed(path: Path) -> bool:
    """Return whether a video is such a copy: its original is beside it."""
    original = path.with_name(path.stem.removesuffix(COPY) + path.suffix)
    return path.stem.endswith(COPY) and original.exists()

"""What is known of a video of a library, and what shapes it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from skipintro.library.enums import Source
from skipintro.library.shelf import Local
from skipintro.video.titles import Chapter

if TYPE_CHECKING:
    from skipintro.episodes.search import Search

Interval = tuple[float, float]


@dataclass(frozen=True)
class Result:
    """What is known of one video: its intervals or none, or else the fault."""

    video: Path
    series: str
    sha256: str = ""
    length_s: float = 0.0
    intervals: tuple[Interval, ...] = ()  # in the order of time: one or none, as a rule
    confidence: float | None = None
    fault: str = ""
    source: Source = Source.DETECTOR
    chapters: tuple[Chapter, ...] = ()  # that the file has
    local: Local = field(default_factory=Local)  # what its shelf sets for it


@dataclass(frozen=True)
class Settings:
    """What shapes the vectors and how they are made."""

    search: "Search | None" = None  # None: as the model was trained
    device: str = "auto"
    encoder_weights: str | None = None
    jobs: int = 1
    sound_first: bool = True  # pictures only where sound, which is fast, leaves a question

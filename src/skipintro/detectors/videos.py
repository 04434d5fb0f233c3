"""A detector's folder at work on video files, whatever kind it is: paths in, intervals out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from skipintro.detection.episode import Prediction
from skipintro.detection.kinds import kind_of


class VideoDetector(Protocol):
    """Paths in, intervals out."""

    def detect(self, videos: Sequence[Path]) -> list[Prediction]:
        """Return one prediction a video; VideoError where one cannot be decoded."""
        ...


def load_detector(
    folder: Path, device: str = "auto", encoder_weights: str | None = None
) -> VideoDetector:
    """Return the detector of a folder. Raises InputError naming the file that is at fault.

    `device` (auto, cpu, cuda) and `encoder_weights` (a checkpoint file) are of a head's encoder.
    """
    if kind_of(folder) == "openings":
        from skipintro.detectors.opening_videos import OpeningsOnVideos  # noqa: PLC0415  scipy

        return OpeningsOnVideos(folder)
    from skipintro.core.device import choose_device  # noqa: PLC0415  torch takes seconds
    from skipintro.detection.head_detector import HeadOnVideos  # noqa: PLC0415

    return HeadOnVideos(folder, choose_device(device), encoder_weights)

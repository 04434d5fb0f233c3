"""A detector's folder at work on video files, whatever kind it is: paths in, intervals out."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from skipintro.detection.episode import Prediction
from skipintro.detection.kinds import kind_of
from skipintro.detectors.openings import load_openings
from skipintro.episodes.naming import series_of_files
from skipintro.evidence.recording import record_checked
from skipintro.evidence.track import Evidence
from skipintro.video.decoder import length_s


class VideoDetector(Protocol):
    """Paths in, intervals out."""

    def detect(self, videos: Sequence[Path]) -> list[Prediction]:
        """Return one prediction a video; VideoError where one cannot be decoded."""
        ...


class OpeningsOnVideos:
    """An opening detector: the videos of one series, by their names, help each other."""

    def __init__(self, folder: Path) -> None:
        self._detector = load_openings(folder)

    def detect(self, videos: Sequence[Path]) -> list[Prediction]:
        """Return one prediction a video; VideoError where one cannot be decoded."""
        series = defaultdict(list)
        for place, name in enumerate(series_of_files(videos)):
            series[name].append(place)
        found: dict[int, Prediction] = {}
        for places in series.values():
            evidence = [self._record(videos[k]) for k in places]
            found |= zip(places, self._detector.detect(evidence), strict=True)
        return [found[place] for place in range(len(videos))]

    def _record(self, video: Path) -> Evidence:
        return record_checked(video, self._detector.config.fingerprint, None, length_s(video))


def load_detector(
    folder: Path, device: str = "auto", encoder_weights: str | None = None
) -> VideoDetector:
    """Return the detector of a folder. Raises InputError naming the file that is at fault.

    `device` (auto, cpu, cuda) and `encoder_weights` (a checkpoint file) are of a head's encoder.
    """
    if kind_of(folder) == "openings":
        return OpeningsOnVideos(folder)
    from skipintro.core.device import choose_device  # noqa: PLC0415  torch takes seconds
    from skipintro.detection.head_detector import HeadOnVideos  # noqa: PLC0415

    return HeadOnVideos(folder, choose_device(device), encoder_weights)

"""An opening detector at work on video files: the videos of one series help each other."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from skipintro.detection.episode import Prediction
from skipintro.detectors.openings import load_openings
from skipintro.episodes.naming import series_of_files
from skipintro.evidence.recording import record_checked
from skipintro.evidence.track import Evidence
from skipintro.video.isolated_decode import length_s


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
            names = [videos[k].stem for k in places]
            found |= zip(places, self._detector.detect(evidence, names=names), strict=True)
        return [found[place] for place in range(len(videos))]

    def _record(self, video: Path) -> Evidence:
        return record_checked(video, self._detector.config.fingerprint, None, length_s(video))

"""A trained detector as one folder, and its use on video files: paths in, intervals out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict

from skipintro.core.errors import InputError
from skipintro.core.files import read_model
from skipintro.detection.decoding import DetectionConfig, detect_by_head
from skipintro.detection.episode import Episode, Prediction
from skipintro.detection.series_detector import SeriesDetector
from skipintro.detection.series_files import load_series
from skipintro.encoder import HUB_WEIGHTS, Encoder, load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.episodes.naming import series_of_file
from skipintro.model.head import load_head

DETECTION_FILE = "detection.json"


class DetectorConfig(BaseModel):
    """Which detector a folder is, and how its head is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: Literal["series", "head"]
    head: DetectionConfig


class Detector:
    """The series detector, or the write-up's head, with its encoder.

    The folder holds the head (`model.safetensors`, `config.json`), the series detector
    (`series.safetensors`, `series.json`) and `detection.json`, which says which of them speaks.
    It names its encoder, whose weights are loaded from where they live and refused if their hash
    differs.
    """

    def __init__(
        self, folder: Path, device: torch.device, encoder_weights: str | None = None
    ) -> None:
        self._config = read_model(DetectorConfig, folder / DETECTION_FILE)
        self._head = load_head(folder, device)
        self._series = load_series(folder) if self._config.detector == "series" else None
        wanted = self._head.config.encoder
        if encoder_weights is None:
            encoder_weights = HUB_WEIGHTS if wanted.weights == "imagenet" else wanted.weights
        if encoder_weights == "file":
            raise InputError(
                f"{folder}: trained on {wanted.name} with weights of a checkpoint file; name that "
                "file as `encoder_weights`"
            )
        self._encoder: Encoder = load_encoder(wanted.name, encoder_weights, device=device)
        found = self._encoder.identity
        if found.weights_sha256 != wanted.weights_sha256:
            raise InputError(
                f"{folder}: trained on {wanted.name} with weights {wanted.weights_sha256[:12]}…, "
                f"but those at hand are {found.weights_sha256[:12]}…; give the same weights as "
                "`encoder_weights`, or train anew"
            )

    def detect(self, videos: Sequence[Path]) -> list[Prediction]:
        """Give one prediction a video; those of one series (by name) help each other.

        Raises VideoError where one cannot be decoded.
        """
        known = {} if self._series is None else _known_series(self._series)
        episodes = [
            Episode(
                id=str(video),
                series=known.get(series_of_file(video), series_of_file(video)),
                vectors=embed_video(video, self._encoder, self._config.head.batch_size),
            )
            for video in videos
        ]
        if self._series is None:
            return detect_by_head(self._head, episodes, self._config.head)
        return self._series.detect(episodes)


def _known_series(detector: SeriesDetector) -> dict[str, str]:
    """Give the train series by the name that their files have, so that a new file finds it."""
    by_file = {series_of_file(Path("/", r.id)): r.series for r in detector.references}
    return {name: series for name, series in by_file.items() if name}

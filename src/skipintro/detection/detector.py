"""A trained detector as one folder, and its use on a video file: path in, interval out."""

from pathlib import Path

import torch

from skipintro.core.errors import InputError
from skipintro.core.files import read_model
from skipintro.detection.decoding import (
    Detection,
    DetectionConfig,
    find_interval,
    second_probabilities,
)
from skipintro.encoder import HUB_WEIGHTS, Encoder, load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.model.head import load_head

DETECTION_FILE = "detection.json"


class Detector:
    """The head, its encoder and the rule that reads intervals off.

    The folder holds `model.safetensors`, `config.json` and `detection.json`. It names its
    encoder, whose weights are loaded from where they live and refused if their hash differs.
    """

    def __init__(
        self, folder: Path, device: torch.device, encoder_weights: str | None = None
    ) -> None:
        self._head = load_head(folder, device)
        self._config = read_model(DetectionConfig, folder / DETECTION_FILE)
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

    def detect(self, video: Path) -> Detection | None:
        """Give the intro of one video, or None. Raises VideoError where it cannot be decoded."""
        vectors = embed_video(video, self._encoder, self._config.batch_size)
        return find_interval(second_probabilities(self._head, vectors, self._config), self._config)

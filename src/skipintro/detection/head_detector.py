"""The head of a detector's folder, and its use on video files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from skipintro.core.errors import InputError
from skipintro.detection.episode import Episode, Prediction
from skipintro.detection.folder import checked_config
from skipintro.detection.head_postprocess import detect_by_head
from skipintro.detection.kinds import ENCODER_WEIGHTS
from skipintro.encoder import ENCODERS, HUB_WEIGHTS, TOLERATE_BF16, Encoder, load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.encoder.stored import load_stored
from skipintro.episodes.embeddings import EmbeddingConfig
from skipintro.episodes.search import seconds_to_decode
from skipintro.model.head import load_head
from skipintro.video.container import check_not_truncated
from skipintro.video.isolated_decode import length_s


class HeadDetector:
    """The head of a detector's folder: from vectors to intervals, each episode by itself.

    `encoder` names the encoder whose vectors it understands. Raises InputError, naming the file,
    where one is missing, broken, or not as it was when the folder was made.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.config = checked_config(folder)
        self._head = load_head(folder, device)
        self.encoder = self._head.config.encoder

    def detect(self, episodes: Sequence[Episode]) -> list[Prediction]:
        """Return one prediction an episode."""
        return detect_by_head(self._head, episodes, self.config.head)


def load_same_encoder(
    detector: HeadDetector, place: Path, device: torch.device, weights: str | None = None
) -> Encoder:
    """Load the encoder that the detector at `place` was trained on.

    The folder may bring its weights. Where the encoder bears either precision, it has the one that
    is fast here. `weights` is for one that was loaded from a checkpoint file: that file. Raises
    InputError where the available weights differ.
    """
    required = detector.encoder
    trained_on = f"{place}: trained on {required.name}"
    if weights is not None and required.weights == "imagenet":
        raise InputError(f"{trained_on}, which brings its weights; leave `encoder_weights` out")
    if weights is not None and not Path(weights).is_file():
        raise InputError(f"{weights}: no such file; correct `encoder_weights`")
    precision = "auto" if required.name in TOLERATE_BF16 else detector.config.embedding.precision
    if weights is None and (stored := place / ENCODER_WEIGHTS).is_file():
        return load_stored(stored, required, device, precision)
    if weights is None and required.weights == "file":
        raise InputError(
            f"{trained_on} with weights of a checkpoint file; name that file as `encoder_weights`"
        )
    usual = HUB_WEIGHTS if required.weights == "imagenet" else required.weights
    try:
        encoder = load_encoder(required.name, weights or usual, device=device, precision=precision)
    except InputError as error:
        if weights is not None or required.name not in ENCODERS:
            raise
        raise InputError(
            f"{trained_on} with weights {usual!r}, which are neither in the local cache nor can "
            "be downloaded here; copy the Hugging Face cache of a machine that has them, or give "
            "them as a file: `encoder_weights`"
        ) from error
    found = encoder.identity
    if found.weights_sha256 != required.weights_sha256:
        raise InputError(
            f"{trained_on} with weights {required.weights_sha256[:12]}…, but available are "
            f"{found.weights_sha256[:12]}…; give the same weights as `encoder_weights`, or train "
            "again"
        )
    return encoder


def embed_checked(
    video: Path, encoder: Encoder, config: EmbeddingConfig, promised_s: float | None
) -> NDArray[np.float32]:
    """Return the vectors of as much of a video as `config.search` says, as float32 (n_seconds, D).

    `promised_s` is the length of the container. Raises VideoError where the video cannot be
    decoded, or ends before that.
    """
    n_seconds = seconds_to_decode(config.search, promised_s)
    vectors = embed_video(video, encoder, config.batch_size, n_seconds)
    check_not_truncated(video, len(vectors), promised_s, config.truncation_tolerance_s, n_seconds)
    return vectors


class HeadOnVideos:
    """A head with its encoder: paths in, intervals out.

    The folder names its encoder, whose weights are in it, or else loaded from where they live and
    refused if their hash differs.
    """

    def __init__(
        self, folder: Path, device: torch.device, encoder_weights: str | None = None
    ) -> None:
        self._detector = HeadDetector(folder, device)
        self._encoder = load_same_encoder(self._detector, folder, device, encoder_weights)

    def embed(self, video: Path) -> NDArray[np.float32]:
        """Return one file's vectors. Raises VideoError as `embed_checked` does."""
        config = self._detector.config.embedding
        vectors = embed_checked(video, self._encoder, config, promised_s := length_s(video))
        return config.looked_at(vectors, promised_s)

    def detect(self, videos: Sequence[Path]) -> list[Prediction]:
        """Return one prediction a video.

        Raises VideoError where one cannot be decoded, or ends too early.
        """
        return self._detector.detect(
            [Episode(str(video), "", self.embed(video)) for video in videos]
        )

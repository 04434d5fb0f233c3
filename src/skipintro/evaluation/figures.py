"""Measures a trained head: the write-up's table on windows, and intervals on whole episodes."""

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from skipintro.detection.decoding import (
    DetectionConfig,
    find_interval,
    second_probabilities,
    window_probabilities,
)
from skipintro.episodes.annotations import Annotation
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.model.head import IntroHead
from skipintro.model.metrics import (
    BinaryMetrics,
    EpisodeMetrics,
    binary_metrics,
    episode_metrics,
    iou,
)
from skipintro.model.windows import BalancedSequence, window_starts


class EpisodeResult(BaseModel):
    """One whole episode: truth, prediction, and the probability of every second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    series: str
    leaked: bool
    n_seconds: int
    truth: tuple[float, float] | None  # [start_s, end_s); None: no intro
    predicted: tuple[float, float] | None
    confidence: float | None
    iou: float | None  # None where there is no intro
    probabilities: list[float]


class WindowTable(BaseModel):
    """The write-up's table; frames that stand in several windows count in each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: BinaryMetrics
    test: BinaryMetrics
    test_without_leaked: BinaryMetrics | None  # None: too few frames are left


class EpisodeTable(BaseModel):
    """Whole test episodes, with and without those that stand in train as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: EpisodeMetrics
    test_without_leaked: EpisodeMetrics


class Metrics(BaseModel):
    """All figures of one evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: WindowTable
    episodes: EpisodeTable

    def flat(self) -> dict[str, float]:
        """Give `{"windows/test/f1": …}`, the names used by MLflow; figures that are None miss."""
        return dict(_flattened("", self.model_dump()))


class EvaluateManifest(BaseModel):
    """What the evaluation stood on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detection: DetectionConfig
    encoder: EncoderIdentity
    test_data_sha256: str  # of the test videos and their corrected labels; no encoder in it
    leaked: list[str]
    left_out: dict[str, str]
    versions: dict[str, str]


def window_outcome(
    head: IntroHead, sequence: BalancedSequence, stride: int, batch_size: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Give the labels and the probabilities of all windows, both (W, T)."""
    length = head.config.length
    starts = list(window_starts(len(sequence), length, stride))
    probabilities = window_probabilities(head, sequence.embeddings, starts, batch_size)
    frames = np.array(starts, int)[:, None] + np.arange(length)
    return sequence.labels[frames], probabilities


def window_metrics(
    head: IntroHead, sequence: BalancedSequence, stride: int, config: DetectionConfig
) -> BinaryMetrics | None:
    """Give the per-frame figures over all windows, or None where there is not one window."""
    if len(sequence) < head.config.length:
        return None
    labels, probabilities = window_outcome(head, sequence, stride, config.batch_size)
    return binary_metrics(labels, probabilities >= config.threshold)


def evaluate_episodes(
    head: IntroHead,
    episodes: Iterable[tuple[Annotation, NDArray[np.float32]]],
    config: DetectionConfig,
    leaked: Collection[str],
) -> list[EpisodeResult]:
    """Detect the intro of whole episodes, given as annotation and vectors (n_seconds, D)."""
    results = []
    for annotation, vectors in episodes:
        probabilities = second_probabilities(head, vectors, config)
        found = find_interval(probabilities, config)
        predicted = None if found is None else (found.start_s, found.end_s)
        start_s, end_s = annotation.start_s, annotation.end_s
        truth = None if start_s is None or end_s is None else (start_s, end_s)
        results.append(
            EpisodeResult(
                id=annotation.id,
                series=annotation.series,
                leaked=annotation.id in leaked,
                n_seconds=len(vectors),
                truth=truth,
                predicted=predicted,
                confidence=None if found is None else round(found.confidence, 6),
                iou=None if truth is None else round(iou(truth, predicted), 6),
                probabilities=[round(float(p), 4) for p in probabilities],
            )
        )
    return results


def summarise(results: Iterable[EpisodeResult]) -> EpisodeMetrics:
    """Give the figures over a list of episodes."""
    rows = list(results)
    return episode_metrics(
        [row.truth for row in rows],
        [row.predicted for row in rows],
        [row.n_seconds for row in rows],
    )


def _flattened(prefix: str, value: object) -> Iterable[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flattened(f"{prefix}/{key}" if prefix else key, inner)
    elif isinstance(value, (int, float)):
        yield prefix, float(value)

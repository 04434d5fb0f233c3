"""Figures of merit: per frame, as in the write-up's table, and for intervals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.metrics import precision_recall_fscore_support

Interval = tuple[float, float]  # [start_s, end_s)


class BinaryMetrics(BaseModel):
    """Per-frame figures with intro as the positive class; an undefined ratio is 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: float
    precision: float
    recall: float
    f1: float


def binary_metrics(truth: ArrayLike, predicted: ArrayLike) -> BinaryMetrics:
    """Compare two arrays of 0 and 1 of one shape, every element counted once."""
    flat_truth = np.asarray(truth, bool).ravel()
    flat_predicted = np.asarray(predicted, bool).ravel()
    if not flat_truth.size:
        return BinaryMetrics(accuracy=0.0, precision=0.0, recall=0.0, f1=0.0)
    precision, recall, f1, _ = precision_recall_fscore_support(
        flat_truth, flat_predicted, average="binary", zero_division=0.0
    )
    return BinaryMetrics(
        accuracy=float(np.mean(flat_truth == flat_predicted)),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
    )


def iou(first: Interval | None, second: Interval | None) -> float:
    """Intersection over union of two half-open intervals in seconds; 0 where one is missing."""
    if first is None or second is None:
        return 0.0
    shared = max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
    union = (first[1] - first[0]) + (second[1] - second[0]) - shared
    return shared / union if union > 0 else 0.0


def interval_frames(interval: Interval | None, n_seconds: int) -> NDArray[np.bool_]:
    """Give bool (n_seconds,): which frames k have start_s <= k < end_s."""
    seconds = np.arange(n_seconds)
    if interval is None:
        return np.zeros(n_seconds, bool)
    return (seconds >= interval[0]) & (seconds < interval[1])


class EpisodeMetrics(BaseModel):
    """Figures over whole episodes at their natural share of intro.

    None where nothing can be said: no episode with (or without) an intro among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: int
    with_intro: int
    found: int  # of those with an intro: an interval that overlaps it
    mean_iou: float | None  # over episodes with an intro; a miss counts 0
    recall_at_iou_50: float | None
    false_alarms: int  # intervals in episodes without an intro
    per_second: BinaryMetrics


def episode_metrics(
    truths: Sequence[Interval | None],
    predictions: Sequence[Interval | None],
    n_seconds: Sequence[int],
) -> EpisodeMetrics:
    """Compare one true and one predicted interval (or None) for every episode."""
    rows = list(zip(truths, predictions, n_seconds, strict=True))
    overlaps = [iou(truth, predicted) for truth, predicted, _ in rows if truth is not None]
    empty: list[NDArray[np.bool_]] = [np.zeros(0, bool)]
    return EpisodeMetrics(
        episodes=len(rows),
        with_intro=len(overlaps),
        found=sum(overlap > 0 for overlap in overlaps),
        mean_iou=float(np.mean(overlaps)) if overlaps else None,
        recall_at_iou_50=float(np.mean([o >= 0.5 for o in overlaps])) if overlaps else None,
        false_alarms=sum(truth is None and predicted is not None for truth, predicted, _ in rows),
        per_second=binary_metrics(
            np.concatenate(empty + [interval_frames(truth, n) for truth, _, n in rows]),
            np.concatenate(empty + [interval_frames(predicted, n) for _, predicted, n in rows]),
        ),
    )

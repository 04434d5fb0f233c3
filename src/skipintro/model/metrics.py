"""Figures of merit of frames, as in the write-up's table."""

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict


class BinaryMetrics(BaseModel):
    """Per-frame figures with intro as the positive class; an undefined ratio is 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: float
    precision: float
    recall: float
    f1: float


def binary_metrics(truth: ArrayLike, predicted: ArrayLike) -> BinaryMetrics:
    """Compare two arrays of 0 and 1 of one shape, every element counted once."""
    from sklearn.metrics import precision_recall_fscore_support  # noqa: PLC0415  takes a second

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

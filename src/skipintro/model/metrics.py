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
    """Compare two arrays of 0 and 1 of one shape, every element counted once.

    Raises ValueError where one has more elements than the other.
    """
    flat_truth = np.asarray(truth, bool).ravel()
    flat_predicted = np.asarray(predicted, bool).ravel()
    if flat_truth.size != flat_predicted.size:
        raise ValueError(f"inconsistent: {flat_truth.size} and {flat_predicted.size} elements")
    n_intro, n_predicted = int(flat_truth.sum()), int(flat_predicted.sum())
    n_found = int((flat_truth & flat_predicted).sum())
    return BinaryMetrics(
        accuracy=_share(int((flat_truth == flat_predicted).sum()), flat_truth.size),
        precision=_share(n_found, n_predicted),
        recall=_share(n_found, n_intro),
        f1=_share(2 * n_found, n_intro + n_predicted),
    )


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0

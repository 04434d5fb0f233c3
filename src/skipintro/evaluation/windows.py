"""The head on the windows of a sequence, as in the write-up's table."""

import numpy as np
from numpy.typing import NDArray

from skipintro.detection.head_postprocess import window_probabilities
from skipintro.model.head import IntroHead
from skipintro.model.metrics import BinaryMetrics, binary_metrics
from skipintro.model.windows import FrameSequence, window_starts


def window_outcome(
    head: IntroHead, sequence: FrameSequence, stride: int, batch_size: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the labels and the probabilities of all windows, both (W, T)."""
    length = head.config.length
    starts = list(window_starts(len(sequence), length, stride))
    probabilities = window_probabilities(head, sequence.embeddings, starts, batch_size)
    frames = np.array(starts, int)[:, None] + np.arange(length)
    return sequence.labels[frames], probabilities


def window_metrics(
    labels: NDArray[np.uint8], probabilities: NDArray[np.float32], threshold: float
) -> BinaryMetrics | None:
    """Return the figures over all frames of a `window_outcome`, or None where it has no window."""
    return binary_metrics(labels, probabilities >= threshold) if len(labels) else None

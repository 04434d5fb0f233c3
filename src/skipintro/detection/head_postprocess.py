"""From the head's window logits to one probability a second, and from those to an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from skipintro.detection.episode import Episode, Prediction
from skipintro.detection.folder import DetectionConfig
from skipintro.detection.segment import maximum_sum_segment
from skipintro.model.head import IntroHead
from skipintro.model.windows import covering_starts


@dataclass(frozen=True)
class Detection:
    """An interval `[start_s, end_s)` and its confidence: the mean probability within it."""

    start_s: float
    end_s: float
    confidence: float


def window_probabilities(
    head: IntroHead, embeddings: NDArray[np.float32], starts: list[int], batch_size: int
) -> NDArray[np.float32]:
    """Return float32 (W, T) probabilities of the windows of `embeddings` (N, D) at `starts`."""
    device = next(head.parameters()).device
    length = min(head.config.length, len(embeddings))
    frames = torch.from_numpy(embeddings).to(device)
    offsets = torch.arange(length, device=device)
    found = [np.empty((0, length), np.float32)]
    with torch.inference_mode():
        for first in range(0, len(starts), batch_size):
            batch = torch.tensor(starts[first : first + batch_size], device=device)
            logits = head(frames[batch[:, None] + offsets])  # (B, T)
            found.append(torch.sigmoid(logits).float().cpu().numpy())
    return np.concatenate(found)


def second_probabilities(
    head: IntroHead, embeddings: NDArray[np.float32], config: DetectionConfig
) -> NDArray[np.float32]:
    """Return float32 (N,): for each second, the mean over the windows that hold it."""
    starts = covering_starts(len(embeddings), head.config.length, config.stride)
    windows = window_probabilities(head, embeddings, starts, config.batch_size)
    total, count = np.zeros(len(embeddings)), np.zeros(len(embeddings))
    for start, probabilities in zip(starts, windows, strict=True):
        total[start : start + len(probabilities)] += probabilities
        count[start : start + len(probabilities)] += 1
    return (total / count).astype(np.float32)


def find_interval(
    probabilities: NDArray[np.float32], threshold: float, min_length_s: float
) -> Detection | None:
    """Return the stretch with the largest sum of (probability - threshold), or None."""
    best = maximum_sum_segment(probabilities.astype(np.float64) - threshold)
    if best is None or best[1] - best[0] < min_length_s:
        return None
    confidence = float(probabilities[best[0] : best[1]].mean(dtype=np.float64))
    return Detection(start_s=float(best[0]), end_s=float(best[1]), confidence=confidence)


def prediction_of(probabilities: NDArray[np.float32], found: Detection | None) -> Prediction:
    """Return the prediction of what was found in an episode's probabilities, or of nothing."""
    if found is None:
        return Prediction(interval=None, confidence=None, probabilities=probabilities)
    return Prediction((found.start_s, found.end_s), found.confidence, probabilities)


def detect_by_head(
    head: IntroHead, episodes: Sequence[Episode], config: DetectionConfig
) -> list[Prediction]:
    """Return the head's prediction for each episode by itself, as the write-up's method has it."""
    predictions = []
    for episode in episodes:
        probabilities = second_probabilities(head, episode.vectors, config)
        found = find_interval(probabilities, config.threshold, config.min_length_s)
        predictions.append(prediction_of(probabilities, found))
    return predictions

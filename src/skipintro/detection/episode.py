"""What goes into a detector and what comes out of it: episodes, labels, predictions."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from skipintro.evidence.track import Evidence

Interval = tuple[float, float]  # [start_s, end_s)


@dataclass(frozen=True, eq=False)  # compared as an object: arrays have no single result of ==
class Episode:
    """What a detector sees of one episode: embeddings, fingerprints, or both."""

    id: str
    series: str
    vectors: NDArray[np.float32] = field(  # (n_seconds, D), one row a second
        default_factory=lambda: np.zeros((0, 0), np.float32)
    )
    fingerprints: Evidence = field(default_factory=lambda: Evidence({}, 0.0))


@dataclass(frozen=True, eq=False)
class LabelledEpisode:
    """An episode with its corrected label."""

    episode: Episode
    truth: Interval | None  # None: no intro
    n_not_searched: int = 0  # seconds after those that the vectors tell of
    tags: tuple[str, ...] = ()  # of its label

    def of_library(self, name: str) -> "LabelledEpisode":
        """Return the episode with a series that only its own library has."""
        series = f"{name}/{self.episode.series}"
        return replace(self, episode=replace(self.episode, series=series))


def truth_seconds(labelled: LabelledEpisode) -> NDArray[np.bool_]:
    """Return bool (n_seconds,): the frames k with start_s <= k < end_s."""
    seconds = np.arange(len(labelled.episode.vectors))
    if labelled.truth is None:
        return np.zeros(len(seconds), bool)
    return (seconds >= labelled.truth[0]) & (seconds < labelled.truth[1])


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a detector says of one episode."""

    interval: Interval | None  # None: no intro
    confidence: float | None  # of the interval, 0 to 1; None where a detector gives none
    probabilities: NDArray[np.float32]  # (n_seconds,) of intro; (0,) where a detector gives none

"""What goes into a detector and what comes out of it: episodes, labels, predictions."""

from collections.abc import Sequence
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
    truth: Interval | None  # None: no intro; of several the first
    n_not_searched: int = 0  # seconds after those of the vectors
    tags: tuple[str, ...] = ()  # of its label
    further: tuple[Interval, ...] = ()  # after the first, of a file of several episodes

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """All intervals, in the order of time; () where there is no intro."""
        return all_of(self.truth, self.further)

    def of_library(self, name: str) -> "LabelledEpisode":
        """Return the episode with a series that only its own library has."""
        series = f"{name}/{self.episode.series}"
        return replace(self, episode=replace(self.episode, series=series))


def truth_seconds(labelled: LabelledEpisode) -> NDArray[np.bool_]:
    """Return bool (n_seconds,): the frames k with start_s <= k < end_s of some interval."""
    return interval_seconds(labelled.intervals, len(labelled.episode.vectors))


def interval_seconds(intervals: Sequence[Interval], n_seconds: int) -> NDArray[np.bool_]:
    """Return bool (n_seconds,): which seconds k have start_s <= k < end_s for some interval."""
    seconds = np.arange(n_seconds)
    inside = np.zeros(n_seconds, bool)
    for start_s, end_s in intervals:
        inside |= (seconds >= start_s) & (seconds < end_s)
    return inside


def all_of(first: Interval | None, further: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Return an interval and the further ones; () where there is none."""
    return () if first is None else (first, *further)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a detector says of one episode."""

    interval: Interval | None  # None: no intro; of several the first
    confidence: float | None  # of the surest interval, 0 to 1; None where a detector gives none
    probabilities: NDArray[np.float32]  # (n_seconds,) of intro; (0,) where a detector gives none
    further: tuple[Interval, ...] = ()  # after the first, of a file of several episodes

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """All intervals, in the order of time; () where there is no intro."""
        return all_of(self.interval, self.further)

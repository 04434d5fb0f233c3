"""One whole test episode: its truth, its prediction, and how far the two are apart."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from skipintro.detection.episode import Interval, LabelledEpisode, Prediction

ROUNDING = 1e-9  # decimal times are inexact in binary: 64.4 - 61.4 comes out above 3.0


@dataclass(frozen=True, eq=False)  # compared as an object: arrays have no single result of ==
class Outcome:
    """One whole test episode: the truth, and what the detector hands to a player.

    Raises ValueError for an interval that holds nothing, for predictions that overlap, and for
    probabilities that are not one a second in [0, 1].
    """

    id: str
    series: str
    truth: Interval | None  # None: no intro
    predicted: tuple[Interval, ...]  # disjoint, in any order; detectors give at most one
    confidence: float | None  # of the prediction; None where there is none
    n_seconds: int
    probabilities: NDArray[np.float32]  # (n_seconds,) of intro; (0,) where a detector gives none
    seen: bool  # the series is in train
    leaked: bool  # the episode is in train as well
    corrected: bool  # the label was shifted or overridden
    tags: tuple[str, ...] = ()  # of its label

    def __post_init__(self) -> None:
        intervals = [*self.predicted, *([] if self.truth is None else [self.truth])]
        for start_s, end_s in intervals:
            if not start_s < end_s:
                raise ValueError(f"{self.id}: got [{start_s}, {end_s}) s, expected start < end")
        for first, second in pairwise(sorted(self.predicted)):
            if second[0] < first[1]:
                raise ValueError(f"{self.id}: predictions {first} and {second} overlap; merge them")
        if self.probabilities.shape not in {(0,), (self.n_seconds,)}:
            raise ValueError(
                f"{self.id}: got probabilities of shape {self.probabilities.shape}, "
                f"expected ({self.n_seconds},), one a second, or (0,)"
            )
        if not np.all((self.probabilities >= 0) & (self.probabilities <= 1)):
            raise ValueError(f"{self.id}: got a probability outside [0, 1]")


def outcome_of(
    labelled: LabelledEpisode, prediction: Prediction, *, seen: bool, leaked: bool, corrected: bool
) -> Outcome:
    """Return the outcome of a prediction for a labelled episode; no intro where none looked."""
    probabilities = prediction.probabilities
    n_seconds = len(labelled.episode.vectors) + labelled.n_not_searched
    if probabilities.size:  # fingerprints may end within a second, embeddings before the end
        probabilities = np.pad(probabilities, (0, max(0, n_seconds - len(probabilities))))
        probabilities = probabilities[:n_seconds]
    return Outcome(
        id=labelled.episode.id,
        series=labelled.episode.series,
        truth=labelled.truth,
        predicted=() if prediction.interval is None else (prediction.interval,),
        confidence=prediction.confidence,
        n_seconds=n_seconds,
        probabilities=probabilities,
        seen=seen,
        leaked=leaked,
        corrected=corrected,
        tags=labelled.tags,
    )


def overlap_s(first: Interval, second: Interval) -> float:
    """Return the seconds that two intervals share."""
    return max(0.0, min(first[1], second[1]) - max(first[0], second[0]))


def interval_seconds(intervals: tuple[Interval, ...], n_seconds: int) -> NDArray[np.bool_]:
    """Return bool (n_seconds,): which seconds k have start_s <= k < end_s for some interval."""
    seconds = np.arange(n_seconds)
    inside = np.zeros(n_seconds, bool)
    for start_s, end_s in intervals:
        inside |= (seconds >= start_s) & (seconds < end_s)
    return inside


def truth_seconds(outcome: Outcome) -> NDArray[np.bool_]:
    """Return bool (n_seconds,): which seconds are intro."""
    return interval_seconds(() if outcome.truth is None else (outcome.truth,), outcome.n_seconds)


def temporal_iou(outcome: Outcome) -> float:
    """Return the overlap of truth and predictions, over the hull of them all; 0 without a truth.

    The hull runs from the earliest start to the latest end, so that a gap counts as predicted
    wrongly. For one prediction that overlaps, it is the usual intersection over union.
    """
    truth = outcome.truth
    if truth is None or not outcome.predicted:
        return 0.0
    start_s, end_s = truth
    shared_s = 0.0
    for predicted in outcome.predicted:
        shared_s += overlap_s(truth, predicted)
        start_s, end_s = min(start_s, predicted[0]), max(end_s, predicted[1])
    return shared_s / (end_s - start_s)


def boundary_errors(outcome: Outcome) -> tuple[float, float] | None:
    """Return (start, end) errors in seconds, predicted minus true, or None where one is missing.

    Of several predictions the one with the greatest overlap counts, then the one whose absolute
    errors sum to less, then the earlier.
    """
    truth = outcome.truth
    if truth is None or not outcome.predicted:
        return None

    def distance(predicted: Interval) -> tuple[float, float, float]:
        off_s = abs(predicted[0] - truth[0]) + abs(predicted[1] - truth[1])
        return -round(overlap_s(truth, predicted), 9), round(off_s, 9), predicted[0]

    best = min(outcome.predicted, key=distance)
    return best[0] - truth[0], best[1] - truth[1]


def is_found(outcome: Outcome, tolerance_s: float, start_tolerance_s: float | None = None) -> bool:
    """Whether both ends of some prediction lie at most `tolerance_s` from those of the truth.

    The start may lie `start_tolerance_s` from it, where that is given.
    """
    truth, at_end_s = outcome.truth, tolerance_s + ROUNDING
    at_start_s = at_end_s if start_tolerance_s is None else start_tolerance_s + ROUNDING
    return truth is not None and any(
        abs(start_s - truth[0]) <= at_start_s and abs(end_s - truth[1]) <= at_end_s
        for start_s, end_s in outcome.predicted
    )


def is_of_whole_episode(outcome: Outcome) -> bool:
    """Whether some prediction covers more than half of the episode."""
    return any(end_s - start_s > outcome.n_seconds / 2 for start_s, end_s in outcome.predicted)


def skipped_story_s(outcome: Outcome) -> float:
    """Return the seconds in [0, n_seconds) that are predicted and no intro."""
    skipped_s = 0.0
    for start_s, end_s in outcome.predicted:
        inside = (max(start_s, 0.0), min(end_s, float(outcome.n_seconds)))
        if inside[0] < inside[1]:
            skipped_s += inside[1] - inside[0]
            skipped_s -= 0.0 if outcome.truth is None else overlap_s(inside, outcome.truth)
    return skipped_s

"""One whole test episode: its truth, its prediction, and how far the two are apart."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from skipintro.detection.episode import (
    Interval,
    LabelledEpisode,
    Prediction,
    all_of,
    interval_seconds,
)

ROUNDING = 1e-9  # decimal times are inexact in binary: 64.4 - 61.4 comes out above 3.0


@dataclass(frozen=True, eq=False)  # compared as an object: arrays have no single result of ==
class Outcome:
    """One whole test episode: the truth, and what the detector hands to a player.

    Raises ValueError for an interval that holds nothing, for predictions or truths that overlap,
    and for probabilities that are not one a second in [0, 1].
    """

    id: str
    series: str
    truth: Interval | None  # None: no intro; of several the first
    predicted: tuple[Interval, ...]  # disjoint, in any order
    confidence: float | None  # of the prediction; None where there is none
    n_seconds: int
    probabilities: NDArray[np.float32]  # (n_seconds,) of intro; (0,) where a detector gives none
    seen: bool  # the series is in train
    leaked: bool  # the episode is in train as well
    corrected: bool  # the label was shifted or overridden
    tags: tuple[str, ...] = ()  # of its label
    further: tuple[Interval, ...] = ()  # truths after the first, of a file of several episodes

    @property
    def truths(self) -> tuple[Interval, ...]:
        """All true intervals, in the order of time; () where there is no intro."""
        return all_of(self.truth, self.further)

    def __post_init__(self) -> None:
        for name, intervals in (("predictions", self.predicted), ("truths", self.truths)):
            for start_s, end_s in intervals:
                if not start_s < end_s:
                    raise ValueError(f"{self.id}: got [{start_s}, {end_s}) s, expected start < end")
            for first, second in pairwise(sorted(intervals)):
                if second[0] < first[1]:
                    raise ValueError(f"{self.id}: {name} {first} and {second} overlap; merge them")
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
        predicted=prediction.intervals,
        confidence=prediction.confidence,
        n_seconds=n_seconds,
        probabilities=probabilities,
        seen=seen,
        leaked=leaked,
        corrected=corrected,
        tags=labelled.tags,
        further=labelled.further,
    )


def by_truth(outcome: Outcome) -> tuple[Outcome, ...]:
    """Return an outcome for each true interval, with the predictions that are nearest to it.

    Nearest is where most is shared, then where the middles lie closest. With one truth, or none,
    the outcome is returned as it is.
    """
    truths = outcome.truths
    if len(truths) < 2:
        return (outcome,)

    def nearest(predicted: Interval) -> Interval:
        return min(
            truths,
            key=lambda truth: (-overlap_s(truth, predicted), abs(sum(truth) - sum(predicted))),
        )

    owners = [(nearest(predicted), predicted) for predicted in outcome.predicted]
    return tuple(
        replace(
            outcome,
            truth=truth,
            further=(),
            predicted=tuple(predicted for owner, predicted in owners if owner == truth),
        )
        for truth in truths
    )


def overlap_s(first: Interval, second: Interval) -> float:
    """Return the seconds that two intervals share."""
    return max(0.0, min(first[1], second[1]) - max(first[0], second[0]))


def truth_seconds(outcome: Outcome) -> NDArray[np.bool_]:
    """Return bool (n_seconds,): which seconds are intro."""
    return interval_seconds(outcome.truths, outcome.n_seconds)


def temporal_iou(outcome: Outcome) -> float:
    """Return the overlap of truth and predictions, over the hull of them all; 0 without a truth.

    Of several truths it is the mean of what each gets by the predictions nearest to it.

    The hull runs from the earliest start to the latest end, so that a gap counts as predicted
    wrongly. For one prediction that overlaps, it is the usual intersection over union.
    """
    if outcome.further:
        each = [temporal_iou(one) for one in by_truth(outcome)]
        return sum(each) / len(each)
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

    They are those of the first truth; `by_truth` gives one after the other.

    Of several predictions the one with the greatest overlap counts, then the one whose absolute
    errors sum to less, then the earlier.
    """
    outcome = by_truth(outcome)[0]
    truth = outcome.truth
    if truth is None or not outcome.predicted:
        return None

    def distance(predicted: Interval) -> tuple[float, float, float]:
        off_s = abs(predicted[0] - truth[0]) + abs(predicted[1] - truth[1])
        return -round(overlap_s(truth, predicted), 9), round(off_s, 9), predicted[0]

    best = min(outcome.predicted, key=distance)
    return best[0] - truth[0], best[1] - truth[1]


def n_found(outcome: Outcome, tolerance_s: float, start_tolerance_s: float | None = None) -> int:
    """Count the truths that have a prediction with both ends at most `tolerance_s` off.

    The start may be `start_tolerance_s` off, where that is given.
    """
    at_end_s = tolerance_s + ROUNDING
    at_start_s = at_end_s if start_tolerance_s is None else start_tolerance_s + ROUNDING
    return sum(
        one.truth is not None
        and any(
            abs(start_s - one.truth[0]) <= at_start_s and abs(end_s - one.truth[1]) <= at_end_s
            for start_s, end_s in one.predicted
        )
        for one in by_truth(outcome)
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
            for truth in outcome.truths:
                skipped_s -= overlap_s(inside, truth)
    return skipped_s

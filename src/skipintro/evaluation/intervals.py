"""Figures of merit for intervals: how good they are for a player that skips them.

All take outcomes of whole episodes. A figure of which nothing can be said is None.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from skipintro.detection.episode import interval_seconds
from skipintro.evaluation.calibration import ProbabilityFigures, probability_figures
from skipintro.evaluation.results import (
    ROUNDING,
    Outcome,
    boundary_errors,
    by_truth,
    is_of_whole_episode,
    n_found,
    skipped_story_s,
    temporal_iou,
    truth_seconds,
)

SECONDS_PER_HOUR = 3600
USEFUL_START_S, USEFUL_END_S = 15.0, 5.0  # by which measurements of media servers go

Statistic = Callable[[Sequence[Outcome]], float | None]

# What one episode adds to the numerator and to the denominator of a figure. Denominators are whole
# numbers, so that a sum of them is 0 exactly where nothing can be said.
Terms = Callable[[Outcome], tuple[float, int]]


class PrecisionRecall(BaseModel):
    """Precision, recall and F1: all None where nothing is true and nothing predicted, else 0 to 1.

    With something on one side alone, the ratio that is undefined is 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: float | None
    recall: float | None
    f1: float | None


class BoundaryErrors(BaseModel):
    """How far one end is from the truth, without its sign, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float
    median: float
    p90: float  # interpolated linearly between the two nearest
    worst: float


class IntervalFigures(BaseModel):
    """Figures over whole episodes at their natural share of intro."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: int
    with_intro: int
    without_intro: int
    further: int = Field(default=0, exclude_if=lambda n: not n)  # true intervals after the first
    predicted: int  # episodes with a prediction
    hours: float

    within_1s: PrecisionRecall  # of intervals: both ends at most 1 s off
    within_2s: PrecisionRecall
    within_3s: PrecisionRecall
    within_5s: PrecisionRecall
    useful: PrecisionRecall  # the start at most 15 s off, the end 5 s: what a skip button needs

    mean_iou: float | None  # over true intervals; a miss counts 0
    recall_at_iou_30: float | None  # share of true intervals that reach an IoU of 0.3
    recall_at_iou_50: float | None
    recall_at_iou_70: float | None

    start_error_s: BoundaryErrors | None  # over true intervals that have a prediction
    end_error_s: BoundaryErrors | None
    end_bias_s: float | None  # mean of predicted minus true end; positive: story is cut

    story_s_per_hour: float | None  # seconds of story that are skipped, an hour of episode
    whole_episode_detections: int  # episodes of which a prediction covers over half
    false_alarms: int  # episodes without an intro that have a prediction
    false_alarm_rate: float | None  # their share of the episodes without an intro

    per_second: PrecisionRecall  # of the seconds of the predicted intervals
    probabilities: ProbabilityFigures  # of each second, whatever is predicted from them


def interval_figures(outcomes: Sequence[Outcome]) -> IntervalFigures:
    """Return all figures of a list of outcomes, which may be empty."""
    each = [one for row in outcomes for one in by_truth(row)]
    errors = [found for one in each if (found := boundary_errors(one)) is not None]
    without_intro = [row for row in outcomes if row.truth is None]
    false_alarms = sum(bool(row.predicted) for row in without_intro)
    return IntervalFigures(
        episodes=len(outcomes),
        with_intro=len(outcomes) - len(without_intro),
        without_intro=len(without_intro),
        further=sum(len(row.further) for row in outcomes),
        predicted=sum(bool(row.predicted) for row in outcomes),
        hours=_hours(outcomes),
        within_1s=found_within(outcomes, tolerance_s=1.0),
        within_2s=found_within(outcomes, tolerance_s=2.0),
        within_3s=found_within(outcomes, tolerance_s=3.0),
        within_5s=found_within(outcomes, tolerance_s=5.0),
        useful=found_within(outcomes, tolerance_s=USEFUL_END_S, start_tolerance_s=USEFUL_START_S),
        mean_iou=mean_iou(outcomes),
        recall_at_iou_30=recall_at_iou(outcomes, least=0.3),
        recall_at_iou_50=recall_at_iou(outcomes, least=0.5),
        recall_at_iou_70=recall_at_iou(outcomes, least=0.7),
        start_error_s=_sizes([start_s for start_s, _ in errors]),
        end_error_s=_sizes([end_s for _, end_s in errors]),
        end_bias_s=_mean([end_s for _, end_s in errors]),
        story_s_per_hour=story_s_per_hour(outcomes),
        whole_episode_detections=sum(map(is_of_whole_episode, outcomes)),
        false_alarms=false_alarms,
        false_alarm_rate=false_alarms / len(without_intro) if without_intro else None,
        per_second=_per_second(outcomes),
        probabilities=probability_figures(outcomes),
    )


def found_within(
    outcomes: Sequence[Outcome], tolerance_s: float, start_tolerance_s: float | None = None
) -> PrecisionRecall:
    """Compare intervals: one is right with both ends at most `tolerance_s` off.

    Its start may be `start_tolerance_s` off, where that is given.
    A truth is matched by one prediction at most; every other prediction is false.
    """
    counts = [_interval_counts(row, tolerance_s, start_tolerance_s) for row in outcomes]
    return _precision_recall(
        right=sum(right for right, _, _ in counts),
        predicted=sum(predicted for _, predicted, _ in counts),
        true=sum(true for _, _, true in counts),
    )


def f1_within(outcomes: Sequence[Outcome], tolerance_s: float) -> float | None:
    """Return the F1 of intervals with both ends at most `tolerance_s` off."""
    return found_within(outcomes, tolerance_s).f1


def mean_iou(outcomes: Sequence[Outcome]) -> float | None:
    """Return the mean temporal IoU over the true intervals; a miss counts 0."""
    return ratio(_iou_terms, outcomes)


def recall_at_iou(outcomes: Sequence[Outcome], least: float) -> float | None:
    """Return the share of the true intervals whose temporal IoU is `least` or more."""
    each = [one for row in outcomes for one in by_truth(row)]
    return _mean([temporal_iou(one) >= least - ROUNDING for one in each if one.truth is not None])


def story_s_per_hour(outcomes: Sequence[Outcome]) -> float | None:
    """Return the seconds of story that a player would skip, an hour of episode."""
    return ratio(_story_terms, outcomes)


def ratio(terms: Terms, outcomes: Sequence[Outcome]) -> float | None:
    """Return the sum of the numerators over that of the denominators, None where that is 0."""
    numerator, denominator = summed(terms, outcomes)
    return numerator / denominator if denominator else None


def summed(terms: Terms, outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Return the sums of numerators and denominators, exact, so that no order changes them."""
    pairs = [terms(row) for row in outcomes]
    return math.fsum(pair[0] for pair in pairs), math.fsum(pair[1] for pair in pairs)


def _interval_counts(
    outcome: Outcome, tolerance_s: float, start_tolerance_s: float | None = None
) -> tuple[int, int, int]:
    """(right, predicted, true) intervals of one episode."""
    right = n_found(outcome, tolerance_s, start_tolerance_s)
    return right, len(outcome.predicted), len(outcome.truths)


def _f1_terms(*, right: int, predicted: int, true: int) -> tuple[float, int]:
    return 2.0 * right, predicted + true


def _f1_terms_within(outcome: Outcome, tolerance_s: float) -> tuple[float, int]:
    right, predicted, true = _interval_counts(outcome, tolerance_s)
    return _f1_terms(right=right, predicted=predicted, true=true)


def _iou_terms(outcome: Outcome) -> tuple[float, int]:
    n_truths = len(outcome.truths)
    return n_truths * temporal_iou(outcome), n_truths


def _story_terms(outcome: Outcome) -> tuple[float, int]:
    return SECONDS_PER_HOUR * skipped_story_s(outcome), outcome.n_seconds


# The figures that are reported with an interval of confidence, by their names in IntervalFigures.
HEADLINES: Mapping[str, Terms] = MappingProxyType(
    {
        "within_1s/f1": partial(_f1_terms_within, tolerance_s=1.0),
        "within_3s/f1": partial(_f1_terms_within, tolerance_s=3.0),
        "mean_iou": _iou_terms,
        "story_s_per_hour": _story_terms,
    }
)


def _hours(outcomes: Sequence[Outcome]) -> float:
    return sum(row.n_seconds for row in outcomes) / SECONDS_PER_HOUR


def _precision_recall(*, right: int, predicted: int, true: int) -> PrecisionRecall:
    numerator, denominator = _f1_terms(right=right, predicted=predicted, true=true)
    if not denominator:
        return PrecisionRecall(precision=None, recall=None, f1=None)
    return PrecisionRecall(
        precision=right / predicted if predicted else 0.0,
        recall=right / true if true else 0.0,
        f1=numerator / denominator,
    )


def _per_second(outcomes: Sequence[Outcome]) -> PrecisionRecall:
    right = predicted = true = 0
    for row in outcomes:
        intro, said = truth_seconds(row), interval_seconds(row.predicted, row.n_seconds)
        right += int(np.count_nonzero(intro & said))
        predicted += int(np.count_nonzero(said))
        true += int(np.count_nonzero(intro))
    return _precision_recall(right=right, predicted=predicted, true=true)


def _sizes(errors_s: Sequence[float]) -> BoundaryErrors | None:
    if not errors_s:
        return None
    sizes = np.abs(errors_s)
    return BoundaryErrors(
        mean=float(sizes.mean()),
        median=float(np.median(sizes)),
        p90=float(np.percentile(sizes, 90)),
        worst=float(sizes.max()),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

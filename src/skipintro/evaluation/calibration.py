"""Whether a probability of a second, and the confidence of an episode, may be believed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from skipintro.evaluation.results import Outcome, n_found, truth_seconds

N_BINS = 10  # of equal width over [0, 1]


class ProbabilityFigures(BaseModel):
    """How well the probabilities of seconds rank and how well they are calibrated.

    Over the episodes that have probabilities, every second counted once. All None where there is
    not one second; the average precision also where no second is intro.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    average_precision: float | None
    brier_score: float | None  # mean squared error (Brier, 1950): 0 to 1, lower is better
    expected_calibration_error: float | None  # of the bins of `reliability`; lower is better


@dataclass(frozen=True)
class ReliabilityBin:
    """The seconds with a probability in [lower, upper); in [lower, upper] for the last bin."""

    lower: float
    upper: float
    n_seconds: int
    mean_probability: float | None  # None in a bin without a second
    observed_share: float | None  # of intro among these seconds


@dataclass(frozen=True)
class RiskCoveragePoint:
    """What a player gets that skips where the confidence is `threshold` or more."""

    threshold: float
    coverage: float  # predictions that are accepted, of the episodes that have one
    risk: float  # share of the accepted predictions that are wrong


@dataclass(frozen=True)
class RiskCoverage:
    """Risk against coverage, by falling threshold, and the area under it; None without a point."""

    points: tuple[RiskCoveragePoint, ...]
    area: float | None


def probability_figures(outcomes: Sequence[Outcome]) -> ProbabilityFigures:
    """Return the figures of the probabilities of all seconds together."""
    from sklearn.metrics import average_precision_score  # noqa: PLC0415  takes a second

    intro, probabilities = _seconds(outcomes)
    if not probabilities.size:
        return ProbabilityFigures(
            average_precision=None, brier_score=None, expected_calibration_error=None
        )
    return ProbabilityFigures(
        average_precision=(
            float(average_precision_score(intro, probabilities)) if intro.any() else None
        ),
        brier_score=float(np.mean((probabilities - intro) ** 2)),
        expected_calibration_error=_expected_calibration_error(reliability(outcomes)),
    )


def reliability(outcomes: Sequence[Outcome]) -> tuple[ReliabilityBin, ...]:
    """Return ten bins of equal width, from 0 to 1, for a reliability diagram."""
    intro, probabilities = _seconds(outcomes)
    bins = np.minimum((probabilities * N_BINS).astype(int), N_BINS - 1)
    return tuple(
        _reliability_bin(index, intro[bins == index], probabilities[bins == index])
        for index in range(N_BINS)
    )


def risk_coverage(outcomes: Sequence[Outcome], tolerance_s: float = 3.0) -> RiskCoverage:
    """Return risk against coverage as a threshold on the confidence falls; ties go together.

    An episode's prediction is wrong if any of its intervals matches no truth within `tolerance_s`;
    where there is no intro, that is any. Predictions without a confidence are left out. The area
    is the mean risk over coverage, a step a threshold: AURC of Geifman, Uziel and El-Yaniv
    (ICLR 2019), where there are no ties.
    """
    graded = [
        (row.confidence, len(row.predicted) > n_found(row, tolerance_s))
        for row in outcomes
        if row.predicted and row.confidence is not None
    ]
    points: list[RiskCoveragePoint] = []
    area = 0.0
    for threshold in sorted({confidence for confidence, _ in graded}, reverse=True):
        accepted = [wrong for confidence, wrong in graded if confidence >= threshold]
        coverage, risk = len(accepted) / len(graded), sum(accepted) / len(accepted)
        area += risk * (coverage - (points[-1].coverage if points else 0.0))
        points.append(RiskCoveragePoint(threshold=threshold, coverage=coverage, risk=risk))
    return RiskCoverage(points=tuple(points), area=area if points else None)


def _seconds(outcomes: Sequence[Outcome]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return truth and probability of every second that has one, both (S,)."""
    rows = [row for row in outcomes if row.probabilities.size]
    return (
        np.concatenate([np.zeros(0, bool), *(truth_seconds(row) for row in rows)]),
        np.concatenate([np.zeros(0), *(row.probabilities for row in rows)]),
    )


def _reliability_bin(
    index: int, intro: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> ReliabilityBin:
    filled = bool(probabilities.size)
    return ReliabilityBin(
        lower=index / N_BINS,
        upper=(index + 1) / N_BINS,
        n_seconds=probabilities.size,
        mean_probability=float(probabilities.mean()) if filled else None,
        observed_share=float(intro.mean()) if filled else None,
    )


def _expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Weigh |mean probability - observed share| by seconds (Naeini et al., AAAI 2015)."""
    gaps = [
        one.n_seconds * abs(one.mean_probability - one.observed_share)
        for one in bins
        if one.mean_probability is not None and one.observed_share is not None
    ]
    return sum(gaps) / sum(one.n_seconds for one in bins)

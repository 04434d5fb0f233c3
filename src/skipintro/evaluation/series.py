"""Figures that take the series as the unit: episodes of one series are not independent."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from skipintro.evaluation.intervals import (
    Statistic,
    Terms,
    f1_within,
    mean_iou,
    story_s_per_hour,
    summed,
)
from skipintro.evaluation.results import Outcome


class MacroFigures(BaseModel):
    """Means over series; each leaves out the series without that figure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: int
    f1_within_3s: float | None
    mean_iou: float | None
    story_s_per_hour: float | None


def macro_average(outcomes: Sequence[Outcome]) -> MacroFigures:
    """Return the mean over series of three figures, so that a long series weighs no more."""
    series = by_series(outcomes)

    def mean(statistic: Statistic) -> float | None:
        figures = [figure for rows in series if (figure := statistic(rows)) is not None]
        return sum(figures) / len(figures) if figures else None

    return MacroFigures(
        series=len(series),
        f1_within_3s=mean(lambda rows: f1_within(rows, tolerance_s=3.0)),
        mean_iou=mean(mean_iou),
        story_s_per_hour=mean(story_s_per_hour),
    )


def bootstrap(
    outcomes: Sequence[Outcome],
    figures: Mapping[str, Terms],
    n_resamples: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> dict[str, tuple[float, float] | None]:
    """Return for each figure the (low, high) that hold the middle `level` of its resamples.

    Draws as many series as there are, with replacement, and takes all their episodes; the
    percentile interval of Efron and Tibshirani (1993, chapter 13). Resamples of which a figure
    is undefined are left out. None where it is undefined for all, and with fewer than
    two series, which say nothing of how series differ. What is drawn does not depend on the order
    of the outcomes.
    """
    if n_resamples < 1 or not 0 < level < 1:
        raise ValueError(
            f"got {n_resamples} resamples and level {level}, "
            "expected one resample or more and a level between 0 and 1"
        )
    series = by_series(outcomes)
    if len(series) < 2:
        return dict.fromkeys(figures)
    drawn = rng.integers(len(series), size=(n_resamples, len(series)))
    times = _times_drawn(drawn)
    bounds = {}
    for name, terms in figures.items():
        sums = times @ np.array([summed(terms, rows) for rows in series])  # (n_resamples, 2)
        numerators, denominators = sums[sums[:, 1] > 0].T
        bounds[name] = _middle(numerators / denominators, level)
    return bounds


def by_series(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Return the outcomes of each series, by the series' name."""
    names = sorted({row.series for row in outcomes})
    return [[row for row in outcomes if row.series == name] for name in names]


def _times_drawn(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often each resample holds each series; both are (n_resamples, n_series)."""
    n_resamples, n_series = drawn.shape
    cells = drawn + n_series * np.arange(n_resamples)[:, None]
    times = np.bincount(cells.ravel(), minlength=cells.size)
    return times.reshape(drawn.shape).astype(float)


def _middle(values: NDArray[np.float64], level: float) -> tuple[float, float] | None:
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

"""Detectors side by side on the same test episodes, overall and on parts of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from skipintro.evaluation.intervals import HEADLINES, IntervalFigures, interval_figures
from skipintro.evaluation.results import Outcome
from skipintro.evaluation.series import MacroFigures, bootstrap, macro_average
from skipintro.evaluation.slices import slices

UNDEFINED = "-"


class ComparisonRow(BaseModel):
    """One detector on one part of the test episodes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: str
    slice_name: str
    figures: IntervalFigures
    macro: MacroFigures
    bounds: dict[str, tuple[float, float] | None]  # (low, high) of each of HEADLINES


class Comparison(BaseModel):
    """All detectors on all parts: by detector, then by part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_resamples: int
    seed: int
    level: float  # share of the resamples within the bounds
    rows: tuple[ComparisonRow, ...]


def compare(
    outcomes: Mapping[str, Sequence[Outcome]], *, n_resamples: int, seed: int, level: float
) -> Comparison:
    """Compare detectors, given by name with their outcomes of the same episodes in one order.

    On one part the same series are drawn for every detector. Raises ValueError where the
    detectors were not tried on the same episodes.
    """
    _check_same_episodes(outcomes)
    return Comparison(
        n_resamples=n_resamples,
        seed=seed,
        level=level,
        rows=tuple(
            ComparisonRow(
                detector=detector,
                slice_name=slice_name,
                figures=interval_figures(part),
                macro=macro_average(part),
                bounds=bootstrap(part, HEADLINES, n_resamples, np.random.default_rng(seed), level),
            )
            for detector, rows in outcomes.items()
            for slice_name, part in _parts(rows).items()
        ),
    )


def markdown(comparison: Comparison, slice_name: str) -> str:
    """Return a Markdown table of one part: a row a detector, (low, high) beside the headlines.

    Found are intros with both ends within 3 s, useful ones with the start within 15 s and the end
    within 5 s; over half are intervals that cover over half of an episode. Raises ValueError for a
    part that is not there.
    """
    rows = [row for row in comparison.rows if row.slice_name == slice_name]
    if not rows:
        names = ", ".join(dict.fromkeys(row.slice_name for row in comparison.rows))
        raise ValueError(f"got the part {slice_name!r}, expected one of: {names or 'none at all'}")
    bounds = f"[{comparison.level * 100:g}%]"
    header = [
        "detector",
        "F1 within 1 s",
        f"F1 within 3 s {bounds}",
        f"mean IoU {bounds}",
        "useful",
        f"story skipped, s an hour {bounds}",
        "over half",
        "false alarms",
        "found",
    ]
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *(_cells(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _check_same_episodes(outcomes: Mapping[str, Sequence[Outcome]]) -> None:
    tried = {
        detector: [
            (row.id, row.series, row.truths, row.n_seconds, row.seen, row.leaked, row.corrected)
            for row in rows
        ]
        for detector, rows in outcomes.items()
    }
    first = next(iter(tried), "")
    for detector, episodes in tried.items():
        if episodes != tried[first]:
            raise ValueError(
                f"{detector} and {first} were not tried on the same episodes with the same truths "
                "in the same order; measure both on one test set"
            )


def _parts(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    without_leaked = [row for row in outcomes if not row.leaked]
    return {
        "all": list(outcomes),
        "all_without_leaked": without_leaked,
        "seen": [row for row in without_leaked if row.seen],
        "unseen": [row for row in without_leaked if not row.seen],
    } | slices(outcomes)


def _cells(row: ComparisonRow) -> list[str]:
    figures = row.figures
    n_true = figures.with_intro + figures.further
    found = round((figures.within_3s.recall or 0.0) * n_true)
    return [
        row.detector.replace("|", "\\|"),
        _number(figures.within_1s.f1),
        _bounded(figures.within_3s.f1, row.bounds["within_3s/f1"]),
        _bounded(figures.mean_iou, row.bounds["mean_iou"]),
        _number(figures.useful.f1),
        _bounded(figures.story_s_per_hour, row.bounds["story_s_per_hour"], digits=1),
        str(figures.whole_episode_detections),
        _count(figures.false_alarms, figures.without_intro),
        _count(found, n_true),
    ]


def _number(value: float | None, digits: int = 3) -> str:
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def _bounded(value: float | None, bounds: tuple[float, float] | None, digits: int = 3) -> str:
    if value is None:
        return UNDEFINED
    within = UNDEFINED if bounds is None else ", ".join(_number(end, digits) for end in bounds)
    return f"{_number(value, digits)} [{within}]"


def _count(k: int, n: int) -> str:
    return f"{k} of {n}" if n else UNDEFINED

"""Series-disjoint cross-validation: every series is predicted by a fit that never saw it."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from skipintro.detection.episode import LabelledEpisode, Prediction
from skipintro.detectors.openings import OpeningDetector
from skipintro.evaluation.baselines import BaselineSettings, baselines
from skipintro.evaluation.benchmark import matched_seasons, predict_openings, score
from skipintro.evaluation.intervals import HEADLINES, IntervalFigures, interval_figures
from skipintro.evaluation.results import Outcome


class Spread(BaseModel):
    """Mean and standard deviation of a figure over the seeds; None where it is undefined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float | None
    deviation: float | None


class CrossValidation(BaseModel):
    """Each detector's figures on series that it had not seen, over several ways to fold them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: int
    series: int
    folds: int
    seeds: int
    detectors: dict[str, dict[str, Spread]]  # by detector, then by figure
    by_seed: dict[str, list[IntervalFigures]]


def cross_validate(
    episodes: Sequence[LabelledEpisode],
    *,
    fit: Callable[[Sequence[LabelledEpisode]], OpeningDetector],
    baseline_settings: BaselineSettings,
    folds: int,
    seeds: int,
) -> CrossValidation:
    """Fold the series again for each seed; `fit` makes its own choices within each part.

    Raises ValueError with fewer series than folds.
    """
    by_series = defaultdict(list)
    for labelled in episodes:
        by_series[labelled.episode.series].append(labelled)
    names = sorted(by_series)
    if len(names) < folds:
        raise ValueError(
            f"got {len(names)} series, expected at least one for each of {folds} folds"
        )
    known = baselines(baseline_settings, [labelled.episode for labelled in episodes])
    by_seed: dict[str, list[IntervalFigures]] = defaultdict(list)
    for seed in range(seeds):
        outcomes: dict[str, list[Outcome]] = defaultdict(list)
        for part in np.array_split(np.random.default_rng(seed).permutation(names), folds):
            held = [labelled for name in part for labelled in by_series[name]]
            rest = [labelled for name in names if name not in part for labelled in by_series[name]]
            predictions: dict[str, list[Prediction]] = {}
            unlabelled = [labelled.episode for labelled in held]
            detector = fit(rest)
            seasons = matched_seasons(detector, unlabelled)
            predictions["openings"] = predict_openings(detector, unlabelled, seasons)
            for name, baseline in known.items():
                predictions[name] = baseline(rest, unlabelled, unlabelled)
            judged = score(predictions, held, seen=(), leaked=(), corrected=())
            for name, its_own in judged.items():
                outcomes[name] += its_own
        for name, its_own in outcomes.items():
            by_seed[name].append(interval_figures(its_own))
    return CrossValidation(
        episodes=len(episodes),
        series=len(names),
        folds=folds,
        seeds=seeds,
        detectors={name: _spreads(figures) for name, figures in by_seed.items()},
        by_seed=dict(by_seed),
    )


def markdown(found: CrossValidation) -> str:
    """Return a Markdown table: a row a detector, mean ± standard deviation over the seeds."""
    lines = [["detector", *HEADLINES, "false_alarm_rate"]]
    lines.append(["---", *["---:"] * (len(lines[0]) - 1)])
    for name, spreads in found.detectors.items():
        lines.append([name, *(_cell(spreads[figure]) for figure in lines[0][1:])])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _spreads(figures: Sequence[IntervalFigures]) -> dict[str, Spread]:
    values = {
        "within_1s/f1": [f.within_1s.f1 for f in figures],
        "within_3s/f1": [f.within_3s.f1 for f in figures],
        "mean_iou": [f.mean_iou for f in figures],
        "story_s_per_hour": [f.story_s_per_hour for f in figures],
        "false_alarm_rate": [f.false_alarm_rate for f in figures],
    }
    found = {}
    for name, column in values.items():
        known = [value for value in column if value is not None]
        mean = float(np.mean(known)) if known else None
        deviation = float(np.std(known, ddof=1)) if len(known) > 1 else None
        found[name] = Spread(mean=mean, deviation=deviation)
    return found


def _cell(spread: Spread) -> str:
    if spread.mean is None:
        return "-"
    return f"{spread.mean:.3f}" + ("" if spread.deviation is None else f" ± {spread.deviation:.3f}")

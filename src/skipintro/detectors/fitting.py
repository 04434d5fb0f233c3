"""Fits the opening detector on labelled seasons.

Both rankers learn to grade a candidate by how near its ends are to those of an opening. What the
second one sees of the first, and what confidence is read from, comes from seasons held out: all
seasons of a show are held out together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.core.errors import InputError
from skipintro.detection.episode import Interval
from skipintro.detectors.augmentation import AugmentationSettings, vary
from skipintro.detectors.candidates import Candidates, Floats
from skipintro.detectors.consensus import with_consensus
from skipintro.detectors.openings import (
    OpeningConfig,
    OpeningDetector,
    required_features,
)
from skipintro.detectors.trees import Trees, fit_trees


class TreeSettings(BaseModel):
    """Of the boosted trees, by scikit-learn's names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_iter: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    max_leaf_nodes: int = Field(ge=2)
    min_samples_leaf: int = Field(ge=1)
    l2_regularization: float = Field(ge=0)
    max_features: float = Field(gt=0, le=1)


class OpeningFitSettings(BaseModel):
    """How the detector is fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(ge=0)
    folds: int = Field(ge=2)  # of whole shows
    graded_errors_s: tuple[float, ...]  # of the worse end, and what such a candidate is worth
    grades: tuple[float, ...]
    max_wrong: int = Field(ge=1)  # candidates worth nothing of an episode that are learned from
    augmentation: AugmentationSettings
    right_within_s: float = Field(gt=0)  # that confidence means
    trees: TreeSettings


@dataclass(frozen=True, eq=False)
class LabelledSeason:
    """The candidates of a season's episodes, and their openings: (0), one or several."""

    show: str
    candidates: tuple[Candidates, ...]
    openings: tuple[tuple[Interval, ...], ...]
    weight: float = 1.0  # of its candidates, beside those of other seasons


@dataclass(frozen=True, eq=False)
class FittedOpenings:
    """The trees, the curve from score to confidence, and each episode's best by other shows."""

    alone: Trees
    agreed: Trees
    calibration: tuple[tuple[float, ...], tuple[float, ...]]  # scores, shares that are right
    held_out: tuple[tuple[Floats, ...], ...]  # scores of the candidates of each season's episodes


def fit_openings(
    seasons: Sequence[LabelledSeason], settings: OpeningFitSettings, rate: int
) -> FittedOpenings:
    """Fit both rankers and the confidence. Raises InputError with fewer shows than folds."""
    shows = sorted({season.show for season in seasons})
    if len(shows) < settings.folds:
        raise InputError(
            f"{len(shows)} shows to learn from, expected one for each of {settings.folds} folds; "
            "add labelled series"
        )
    folds = folds_of(seasons, settings)
    plain = [[found.features for found in season.candidates] for season in seasons]
    alone_scores = _held_out(seasons, plain, folds, settings, rate)
    with_siblings = [
        [
            with_consensus(position, season.candidates, scores, rate)
            for position in range(len(season.candidates))
        ]
        for season, scores in zip(seasons, alone_scores, strict=True)
    ]
    agreed_scores = _held_out(seasons, with_siblings, folds, settings, rate)
    return FittedOpenings(
        alone=_fitted(seasons, plain, settings, rate),
        agreed=_fitted(seasons, with_siblings, settings, rate),
        calibration=_calibration(seasons, agreed_scores, settings, rate),
        held_out=tuple(tuple(scores) for scores in agreed_scores),
    )


def fitted_detector(fitted: FittedOpenings, config: OpeningConfig) -> OpeningDetector:
    """Return the fitted detector, with its own calibration in place of the one of `config`."""
    scores, shares = fitted.calibration
    whole = config.model_copy(
        update={
            "calibration_scores": scores,
            "calibration_shares": shares,
            "features": required_features(config),
        }
    )
    return OpeningDetector(whole, fitted.alone, fitted.agreed)


def folds_of(seasons: Sequence[LabelledSeason], settings: OpeningFitSettings) -> NDArray[np.int64]:
    """Return for each season the fold that holds it out, from 0; a show is in one fold."""
    shows = sorted({season.show for season in seasons})
    order = np.random.default_rng(settings.seed).permutation(len(shows))
    fold_of = {shows[show]: place % settings.folds for place, show in enumerate(order)}
    return np.array([fold_of[season.show] for season in seasons], np.int64)


def grades_of(
    candidates: Candidates,
    openings: Sequence[Interval],
    settings: OpeningFitSettings,
    rate: int,
) -> Floats:
    """Return float64 (C,), 0 to 1: what each candidate is worth, by its nearest opening."""
    errors = errors_of(candidates, openings, rate)
    return np.asarray(np.interp(errors, settings.graded_errors_s, settings.grades))


def errors_of(candidates: Candidates, openings: Sequence[Interval], rate: int) -> Floats:
    """Return float64 (C,): how far the worse end is from that of the nearest opening, in s."""
    errors = np.full(len(candidates), np.inf)
    for opening in openings:
        apart = np.abs(candidates.spans / rate - np.array(opening)).max(axis=1)
        errors = np.minimum(errors, apart)
    return errors


def _held_out(
    seasons: Sequence[LabelledSeason],
    features: Sequence[Sequence[Floats]],
    folds: NDArray[np.int64],
    settings: OpeningFitSettings,
    rate: int,
) -> list[list[Floats]]:
    """Return the scores of all candidates by trees that were fitted without their show."""
    scores: list[list[Floats]] = [[] for _ in seasons]
    for fold in range(settings.folds):
        others = np.flatnonzero(folds != fold).tolist()
        trees = _fitted([seasons[k] for k in others], [features[k] for k in others], settings, rate)
        for place in np.flatnonzero(folds == fold).tolist():
            scores[place] = [trees.predict(rows) for rows in features[place]]
    return scores


def _fitted(
    seasons: Sequence[LabelledSeason],
    features: Sequence[Sequence[Floats]],
    settings: OpeningFitSettings,
    rate: int,
) -> Trees:
    rows, grades, weights = learned_rows(seasons, features, settings, rate)
    if not grades.any():
        raise InputError(
            "nothing to learn from: no labelled opening comes back in another episode of its "
            "series, or not in enough series; add episodes or labels, or start from the detector "
            "that comes with the package (fit.use_start: true)"
        )
    return fit_trees(rows, grades, settings.trees.model_dump(), settings.seed, weights=weights)


def learned_rows(
    seasons: Sequence[LabelledSeason],
    features: Sequence[Sequence[Floats]],
    settings: OpeningFitSettings,
    rate: int,
) -> tuple[Floats, Floats, Floats]:
    """Return features (n, F), grades (n,) and weights (n,).

    Of all candidates that are worth something, and of some that are not.
    """
    generator = np.random.default_rng(settings.seed)
    rows, targets, weights = [], [], []
    for season, its_own in zip(seasons, features, strict=True):
        variation = vary(season.candidates, season.openings, settings.augmentation, generator, rate)
        for position, (found, openings, table) in enumerate(
            zip(season.candidates, season.openings, its_own, strict=True)
        ):
            grades = grades_of(found, openings, settings, rate)
            wrong = np.flatnonzero((grades <= 0) & variation.possible(position, found, rate))
            if len(wrong) > settings.max_wrong:
                wrong = generator.choice(wrong, settings.max_wrong, replace=False)
            chosen = np.sort(np.concatenate([np.flatnonzero(grades > 0), wrong]))
            rows.append(variation.features(position, found, table, rate)[chosen])
            targets.append(grades[chosen])
            weights.append(np.full(len(chosen), season.weight))
    return np.concatenate(rows), np.concatenate(targets), np.concatenate(weights)


def _calibration(
    seasons: Sequence[LabelledSeason],
    scores: Sequence[Sequence[Floats]],
    settings: OpeningFitSettings,
    rate: int,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return how often a best candidate of a score is right: an isotonic curve, held-out scores."""
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415  fitting alone

    best, right, weights = [], [], []
    for season, its_own in zip(seasons, scores, strict=True):
        for found, openings, values in zip(
            season.candidates, season.openings, its_own, strict=True
        ):
            if len(values):
                place = int(values.argmax())
                best.append(float(values[place]))
                right.append(errors_of(found, openings, rate)[place] <= settings.right_within_s)
                weights.append(season.weight)
    curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
        best, right, sample_weight=weights
    )
    return (
        tuple(round(float(v), 6) for v in curve.X_thresholds_),
        tuple(round(float(v), 6) for v in curve.y_thresholds_),
    )

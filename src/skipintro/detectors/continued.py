"""Goes on fitting a detector on the labelled seasons of one library.

The detector that comes with the package has learned from many shows, a library seldom has more
than a few. So its trees stay, and further ones learn what they leave unexplained of the library's
own labels: gradient boosting that goes on where it stopped. How many is chosen on series that are
held out; none, unless they gain more than chance would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from skipintro.core.arithmetic import Arithmetic
from skipintro.detectors.candidates import Floats
from skipintro.detectors.consensus import with_consensus
from skipintro.detectors.fitting import (
    LabelledSeason,
    OpeningFitSettings,
    errors_of,
    folds_of,
    learned_rows,
)
from skipintro.detectors.openings import OpeningDetector
from skipintro.detectors.trees import Trees, fit_trees


class Trial(BaseModel):
    """What a number of further trees gets on series that are held out, in episodes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    further_trees: int
    right: int  # both ends within `right_within_s`
    wrong: int


class FitManifest(BaseModel):
    """What the fit stage made, and its inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: int
    series: int
    start_learned_from: str  # empty where train alone was learned from, and nothing was tried
    chosen: Trial | None
    trials: tuple[Trial, ...]
    weights_sha256: str
    arithmetic: Arithmetic
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class Continued:
    """The detector that came of it, the trials, and the scores of each season when held out."""

    detector: OpeningDetector
    chosen: Trial
    trials: tuple[Trial, ...]
    held_out: tuple[tuple[Floats, ...], ...]


def continue_fit(
    start: OpeningDetector,
    seasons: Sequence[LabelledSeason],
    settings: OpeningFitSettings,
    further_trees: Sequence[int],
    chance_episodes: float,
) -> Continued:
    """Return the detector with as many further trees as do best on series held out.

    A number is chosen over a smaller one if right less wrong episodes are `chance_episodes` more.
    With one series there is nothing to hold out, and the detector stays as it is.
    """
    library = _Library(start, seasons, settings)
    folds = folds_of(seasons, settings)
    numbers = sorted({0, *further_trees}) if folds.max(initial=0) > 0 else [0]
    held_out = {n_trees: library.held_out(n_trees, folds) for n_trees in numbers}
    trials = [library.trial(n_trees, scores) for n_trees, scores in held_out.items()]
    chosen = trials[0]
    for trial in trials[1:]:
        if trial.right - trial.wrong >= chosen.right - chosen.wrong + max(chance_episodes, 1):
            chosen = trial
    agreed = start.agreed
    if chosen.further_trees:
        agreed = agreed.followed_by(
            library.further(list(range(len(seasons))), chosen.further_trees)
        )
    return Continued(
        detector=OpeningDetector(start.config, start.alone, agreed),
        chosen=chosen,
        trials=tuple(trials),
        held_out=tuple(tuple(scores) for scores in held_out[chosen.further_trees]),
    )


class _Library:
    """The seasons to learn from, as the detector at the start sees them."""

    def __init__(
        self,
        start: OpeningDetector,
        seasons: Sequence[LabelledSeason],
        settings: OpeningFitSettings,
    ) -> None:
        self._start, self._seasons, self._settings = start, seasons, settings
        self._rate = start.config.matching.rate
        self._tables = [_agreed_features(start, season) for season in seasons]

    def held_out(self, n_trees: int, folds: NDArray[np.int64]) -> list[list[Floats]]:
        """Return the scores of all candidates with further trees that have not seen their show."""
        scores = [[self._start.agreed.predict(rows) for rows in its] for its in self._tables]
        if not n_trees:
            return scores
        for fold in range(int(folds.max()) + 1):
            trees = self.further(np.flatnonzero(folds != fold).tolist(), n_trees)
            for place in np.flatnonzero(folds == fold).tolist():
                scores[place] = [
                    begun + trees.predict(rows)
                    for begun, rows in zip(scores[place], self._tables[place], strict=True)
                ]
        return scores

    def further(self, chosen: Sequence[int], n_trees: int) -> Trees:
        """Return trees fitted on what the detector leaves unexplained of the chosen seasons."""
        rows, grades, weights = learned_rows(
            [self._seasons[k] for k in chosen],
            [self._tables[k] for k in chosen],
            self._settings,
            self._rate,
        )
        if not len(rows):  # nothing comes back in the chosen seasons
            return Trees.none()
        trees = self._settings.trees.model_copy(update={"max_iter": n_trees})
        unexplained = grades - self._start.agreed.predict(rows)
        return fit_trees(
            rows, unexplained, trees.model_dump(), self._settings.seed, weights=weights
        )

    def trial(self, n_trees: int, scores: Sequence[Sequence[Floats]]) -> Trial:
        """Return how many episodes are right and wrong by such scores."""
        config = self._start.config
        right = wrong = 0
        for season, of_season in zip(self._seasons, scores, strict=True):
            for found, openings, values in zip(
                season.candidates, season.openings, of_season, strict=True
            ):
                if not len(values):
                    continue
                best = int(values.argmax())
                if config.confidence(float(values[best])) < config.min_confidence:
                    continue
                error_s = errors_of(found, openings, self._rate)[best]
                is_right = bool(error_s <= self._settings.right_within_s)
                right, wrong = right + is_right, wrong + (not is_right)
        return Trial(further_trees=n_trees, right=right, wrong=wrong)


def _agreed_features(start: OpeningDetector, season: LabelledSeason) -> list[Floats]:
    rate = start.config.matching.rate
    alone = [start.alone.predict(found.features) for found in season.candidates]
    return [
        with_consensus(position, season.candidates, alone, rate)
        for position in range(len(season.candidates))
    ]

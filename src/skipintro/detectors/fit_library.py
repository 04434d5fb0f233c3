"""What the labelled episodes of a library teach the opening detector: from series to a detector."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from skipintro.core.errors import InputError
from skipintro.core.layout import ANNOTATIONS, FINGERPRINTED
from skipintro.core.params import StageParams
from skipintro.core.progress import Unit, progress
from skipintro.detection.dataset import fingerprinted_episodes, read_fingerprinted
from skipintro.detection.episode import LabelledEpisode, Prediction
from skipintro.detectors.augmentation import AugmentationSettings
from skipintro.detectors.candidates import CandidateSettings
from skipintro.detectors.continued import Trial, continue_fit
from skipintro.detectors.ends import EndsSettings
from skipintro.detectors.fitting import (
    LabelledSeason,
    OpeningFitSettings,
    TreeSettings,
    fit_openings,
    fitted_detector,
)
from skipintro.detectors.openings import (
    OpeningConfig,
    OpeningDetector,
    SeasonSettings,
    load_openings,
    season_candidates,
)
from skipintro.detectors.several import SeveralSettings
from skipintro.evidence.settings import FingerprintSettings
from skipintro.matching.pairs import MatchingSettings
from skipintro.matching.siblings import SiblingSettings


class LearningSettings(BaseModel):
    """How a detector is fitted to a library."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    season: SeasonSettings
    fit: OpeningFitSettings
    start_from: Path | None  # a detector's folder; None: learn from the labels alone
    further_trees: tuple[int, ...]  # numbers that are tried, beyond those of the start
    chance_episodes: float = Field(ge=0)  # that a larger number has to gain
    min_confidence: float = Field(ge=0, le=1)
    ends: EndsSettings = EndsSettings()
    several: SeveralSettings = SeveralSettings()


class FitParams(StageParams):
    """Section `fit` of params.yaml."""

    start_from: Path
    use_start: bool
    further_trees: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    chance_episodes: float = Field(ge=0)
    min_confidence: float = Field(ge=0, le=1)
    ends: EndsSettings
    several: SeveralSettings
    seed: int = Field(ge=0)
    folds: int = Field(ge=2)
    graded_errors_s: tuple[float, ...]
    grades: tuple[float, ...]
    max_wrong: int = Field(ge=1)
    augmentation: AugmentationSettings
    right_within_s: float = Field(gt=0)
    trees: TreeSettings
    matching: MatchingSettings
    siblings: SiblingSettings
    candidates: CandidateSettings

    def learning(self) -> LearningSettings:
        """Return the params as the package knows them."""
        return LearningSettings(
            season=SeasonSettings(
                matching=self.matching, siblings=self.siblings, candidates=self.candidates
            ),
            fit=OpeningFitSettings.model_validate(
                {name: getattr(self, name) for name in OpeningFitSettings.model_fields}
            ),
            start_from=self.start_from if self.use_start else None,
            further_trees=self.further_trees,
            chance_episodes=self.chance_episodes,
            min_confidence=self.min_confidence,
            ends=self.ends,
            several=self.several,
        )


@dataclass(frozen=True, eq=False)
class Learned:
    """The detector; what it predicts for each episode when its series is held out; the trials."""

    detector: OpeningDetector
    held_out: tuple[tuple[LabelledEpisode, Prediction], ...]
    start_learned_from: str  # empty where it learned from the labels alone
    chosen: Trial | None  # None where nothing was to be chosen
    trials: tuple[Trial, ...]


def learn(
    labelled: Sequence[LabelledEpisode],
    fingerprint: FingerprintSettings,
    settings: LearningSettings,
    learned_from: str = "",
) -> Learned:
    """Fit a detector on labelled episodes; `learned_from` says in words what they are.

    Raises InputError where the start does not fit the settings, or where there is no start and
    fewer series than folds.
    """
    series = series_of(labelled)
    seasons = [
        labelled_season(name, episodes, settings.season)
        for name, episodes in progress(series.items(), len(series), Unit.SERIES)
    ]
    config = OpeningConfig(
        fingerprint=fingerprint.needed_by(settings.season.matching.alike),
        matching=settings.season.matching,
        siblings=settings.season.siblings,
        candidates=settings.season.candidates,
        min_confidence=settings.min_confidence,
        ends=settings.ends,
        several=settings.several,
        calibration_scores=(0.0,),
        calibration_shares=(0.0,),
        features=(),
        learned_from=learned_from or f"{len(labelled)} episodes of {len(series)} series",
        weights_sha256="",
    )
    start_learned_from, chosen = "", None
    trials: tuple[Trial, ...] = ()
    if settings.start_from is None:
        fitted = fit_openings(seasons, settings.fit, settings.season.matching.rate)
        detector, held_out = fitted_detector(fitted, config), fitted.held_out
    else:
        start = load_openings(settings.start_from).with_settings(config, settings.start_from)
        continued = continue_fit(
            start, seasons, settings.fit, settings.further_trees, settings.chance_episodes
        )
        detector, held_out = continued.detector, continued.held_out
        start_learned_from = start.config.learned_from
        chosen, trials = continued.chosen, continued.trials
    predictions = [
        prediction
        for episodes, season, of_season in zip(series.values(), seasons, held_out, strict=True)
        for prediction in zip(
            episodes,
            detector.to_predictions(
                season.candidates,
                of_season,
                [one.episode.fingerprints.length_s for one in episodes],
                names=[one.episode.id for one in episodes],
            ),
            strict=True,
        )
    ]
    return Learned(detector, tuple(predictions), start_learned_from, chosen, trials)


def learn_from_checkouts(
    checkouts: Sequence[Path], settings: LearningSettings, learned_from: str
) -> tuple[OpeningDetector, int]:
    """Return the detector of all labelled episodes of the checkouts, and how many they are.

    A series of the same name in two checkouts is two series. Raises InputError where a checkout
    lacks its data, holds no labelled episode, or was fingerprinted with other settings.
    """
    episodes: list[LabelledEpisode] = []
    fingerprint: FingerprintSettings | None = None
    for number, checkout in enumerate(checkouts):
        annotations, manifest = read_fingerprinted(checkout)
        its_own = manifest.fingerprint.needed_by(settings.season.matching.alike)
        if fingerprint is not None and its_own != fingerprint:
            raise InputError(
                f"{checkout / FINGERPRINTED}: made with other settings than those of "
                f"{checkouts[0]}; run `dvc repro fingerprint` in it with the same params.yaml"
            )
        fingerprint = its_own
        splits = dict.fromkeys(episode.split for episode in annotations.episodes)
        found = {
            one.episode.id: one
            for split in splits
            for one in fingerprinted_episodes(split, annotations, manifest, checkout)
        }
        if not found:
            raise InputError(f"{checkout / ANNOTATIONS}: no labelled episode; label some first")
        episodes += [one.of_library(str(number)) for one in found.values()]
    if fingerprint is None:
        raise InputError("no checkout to learn from; name at least one")
    return learn(episodes, fingerprint, settings, learned_from).detector, len(episodes)


def series_of(labelled: Iterable[LabelledEpisode]) -> dict[str, list[LabelledEpisode]]:
    """Return the episodes of each series, in the order of their ids."""
    series = defaultdict(list)
    for one in sorted(labelled, key=lambda one: one.episode.id):
        series[one.episode.series].append(one)
    return dict(series)


def labelled_season(
    name: str, episodes: Sequence[LabelledEpisode], settings: SeasonSettings
) -> LabelledSeason:
    """Return a series as the rankers learn from it."""
    return LabelledSeason(
        show=name,
        candidates=season_candidates([one.episode.fingerprints for one in episodes], settings),
        openings=tuple(one.intervals for one in episodes),
    )

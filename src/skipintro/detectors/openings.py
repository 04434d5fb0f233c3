"""The opening detector: the intro of each episode of a season, by what its siblings share.

Candidates are ranked twice: each by itself, and again when it is known what the siblings hold
their matches for. The best one is reported where it is likely enough to be right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from skipintro.core.errors import InputError
from skipintro.core.files import (
    as_json,
    read_model,
    sha256_of_file,
    sha256_of_json,
    write_json,
)
from skipintro.detection.episode import Prediction
from skipintro.detection.kinds import OPENINGS_CONFIG, OPENINGS_WEIGHTS
from skipintro.detection.limits import Limits
from skipintro.detectors.candidates import Candidates, CandidateSettings, find_candidates, names
from skipintro.detectors.consensus import CONSENSUS, with_consensus
from skipintro.detectors.ends import EndsSettings, mean_ends
from skipintro.detectors.several import SeveralSettings, further_openings, n_episodes
from skipintro.detectors.trees import Trees
from skipintro.evidence.settings import FingerprintSettings
from skipintro.evidence.track import Evidence
from skipintro.matching.pairs import MatchingSettings, moments_of
from skipintro.matching.shared import SharedEvidence, shared_by_kind
from skipintro.matching.siblings import Recall, Season, SiblingSettings, season_of

_UNLIMITED = Limits()


class SeasonSettings(BaseModel):
    """How the candidates of a season's episodes are found."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    matching: MatchingSettings
    siblings: SiblingSettings
    candidates: CandidateSettings


class OpeningConfig(SeasonSettings):
    """All that shapes what an opening detector predicts, beside its trees."""

    fingerprint: FingerprintSettings
    min_confidence: float = Field(ge=0, le=1)  # below it, rather none than a wrong one
    # Left out of the file where they are as they ship: there are detectors from before them.
    ends: EndsSettings = Field(default=EndsSettings(), exclude_if=lambda one: one == EndsSettings())
    several: SeveralSettings = Field(
        default=SeveralSettings(), exclude_if=lambda one: one == SeveralSettings()
    )
    # Of the score of an episode's best candidate, and how often such a one is right.
    calibration_scores: tuple[float, ...] = Field(min_length=1)
    calibration_shares: tuple[float, ...] = Field(min_length=1)
    features: tuple[str, ...]
    learned_from: str
    weights_sha256: str
    sha256: str = ""  # of all fields above; empty: put together by hand, and taken as it is

    @model_validator(mode="after")
    def _calibration_is_a_curve(self) -> "OpeningConfig":
        if len(self.calibration_scores) != len(self.calibration_shares):
            raise ValueError("calibration: as many scores as shares")
        if list(self.calibration_scores) != sorted(self.calibration_scores):
            raise ValueError("calibration_scores: not in order")
        return self

    def own_sha256(self) -> str:
        """Return the hash of all fields but itself."""
        return sha256_of_json(self.model_dump(mode="json", exclude={"sha256"}))

    def confidence(self, score: float) -> float:
        """Return how often a best candidate of such a score is right, 0 to 1."""
        return float(np.interp(score, self.calibration_scores, self.calibration_shares))


def required_features(config: OpeningConfig) -> tuple[str, ...]:
    """Return the names of the features that today's code makes, for the kinds of a detector."""
    return (*names(tuple(config.matching.alike)), *CONSENSUS)


def season_candidates(
    episodes: Sequence[Evidence], settings: SeasonSettings, season: Season | None = None
) -> tuple[Candidates, ...]:
    """Return the candidates of each episode; all are of one series, in the order of the season.

    `season` is the result of `matched` for them, where that was done before.
    """
    season = matched(episodes, settings) if season is None else season
    return tuple(
        find_candidates(season, position, settings.matching, settings.candidates)
        for position in range(len(episodes))
    )


def matched(
    episodes: Sequence[Evidence], settings: SeasonSettings, recall: Recall | None = None
) -> Season:
    """Return the episodes of a series with what they share; pairs that `recall` knows as known."""
    moments = [moments_of(episode, settings.matching) for episode in episodes]
    return season_of(moments, settings.matching, settings.siblings, recall)


@dataclass(frozen=True, eq=False)
class OpeningDetector:
    """What was fitted: see `skipintro.detectors.fitting`."""

    config: OpeningConfig
    alone: Trees  # ranks each candidate by itself
    agreed: Trees  # and when it is known what its siblings say

    def detect(
        self,
        episodes: Sequence[Evidence],
        season: Season | None = None,
        limits: Sequence[Limits] | None = None,
        names: Sequence[str] | None = None,
    ) -> list[Prediction]:
        """Return one prediction an episode; all are of one series, in the order of the season.

        `season`, here and below: the episodes as `matched`, where that was done before. `limits`
        are of each episode; None: the detector's own alone. `names` of the files say which of
        them hold several episodes; None: their lengths alone do.
        """
        candidates = season_candidates(episodes, self.config, season)
        scores = self.scores(candidates)
        return self.to_predictions(
            candidates, scores, [each.length_s for each in episodes], limits=limits, names=names
        )

    def to_predictions(
        self,
        candidates: Sequence[Candidates],
        scores: Sequence[NDArray[np.float64]],
        lengths_s: Sequence[float],
        *,
        limits: Sequence[Limits] | None = None,
        names: Sequence[str] | None = None,
    ) -> list[Prediction]:
        """Return the predictions of a season, of scored candidates; the rest as `detect` has it."""
        limits = [_UNLIMITED] * len(candidates) if limits is None else limits
        names = [""] * len(candidates) if names is None else names
        numbers = n_episodes(lengths_s, names, self.config.several)
        return [
            self.to_prediction(*each)
            for each in zip(candidates, scores, lengths_s, limits, numbers, strict=True)
        ]

    def shared(
        self, episodes: Sequence[Evidence], season: Season | None = None
    ) -> list[SharedEvidence]:
        """Return for each episode of a series what its siblings share with it, by kind."""
        season = matched(episodes, self.config) if season is None else season
        matching = self.config.matching
        return [
            SharedEvidence(matching.rate, shared_by_kind(season, position, matching))
            for position in range(len(episodes))
        ]

    def scores(self, candidates: Sequence[Candidates]) -> list[NDArray[np.float64]]:
        """Return the scores (C,) of the candidates of each episode of a season."""
        rate = self.config.matching.rate
        alone = [self.alone.predict(found.features) for found in candidates]
        return [
            self.agreed.predict(with_consensus(position, candidates, alone, rate))
            for position in range(len(candidates))
        ]

    def with_settings(self, config: OpeningConfig, place: Path) -> "OpeningDetector":
        """Return the detector with other settings; what it has learned stays.

        `place` names it in the InputError that is raised where its features do not fit them.
        """
        learned = {"calibration_scores", "calibration_shares", "features", "learned_from"}
        update = {name: getattr(self.config, name) for name in learned}
        if required_features(config) != self.config.features:
            raise InputError(
                f"{place}: learned from {', '.join(self.config.matching.alike)}, but params.yaml: "
                f"fit.matching.alike names {', '.join(config.matching.alike)}; correct it, or set "
                "fit.use_start: false"
            )
        return OpeningDetector(config.model_copy(update=update), self.alone, self.agreed)

    def to_prediction(
        self,
        found: Candidates,
        scores: NDArray[np.float64],
        length_s: float,
        limits: Limits = _UNLIMITED,
        most: int = 1,
    ) -> Prediction:
        """Return the best allowed candidate, or none where it is not likely enough to be right.

        Its ends are means with the allowed ones that are nearly as good, see `ends`.

        Of a file of several episodes, up to `most` that are the same opening are predicted; the
        confidence is that of the best. The probability of a second is that of the likeliest
        candidate that holds it, allowed or not.
        """
        rate = self.config.matching.rate
        seconds = np.zeros(int(np.ceil(found.n / rate)), np.float32)
        for (start, stop), score in sorted(
            zip(found.spans.tolist(), scores.tolist(), strict=True), key=lambda each: each[1]
        ):
            seconds[start // rate : -(-stop // rate)] = self.config.confidence(score)
        spans_s = found.spans / rate
        allowed = np.array([limits.allow(start, stop) for start, stop in spans_s.tolist()], bool)
        if not allowed.any():
            return Prediction(None, None, seconds)
        of_allowed = np.where(allowed, scores, -np.inf)
        best = int(of_allowed.argmax())
        confidence = self.config.confidence(float(scores[best]))
        least = limits.min_confidence
        if confidence < (self.config.min_confidence if least is None else least):
            return Prediction(None, None, seconds)
        chosen = [best]
        if most > 1:
            every = np.where(allowed, [self.config.confidence(float(each)) for each in scores], -1)
            again = further_openings(found, every, best, self.config.several, rate)
            chosen += again[: most - 1]
        spans = [mean_ends(spans_s, of_allowed, each, self.config.ends) for each in chosen]
        first, *further = sorted((start, min(end, max(start, length_s))) for start, end in spans)
        return Prediction(first, confidence, seconds, tuple(further))


def save_openings(folder: Path, detector: OpeningDetector) -> OpeningDetector:
    """Write a detector; the same bytes for the same numbers. Return it as it will be read."""
    content = detector.alone.arrays("alone") | detector.agreed.arrays("agreed")
    (folder / OPENINGS_WEIGHTS).write_bytes(save(content))
    sha256 = sha256_of_file(folder / OPENINGS_WEIGHTS)
    config = detector.config.model_copy(update={"weights_sha256": sha256})
    config = config.model_copy(update={"sha256": config.own_sha256()})
    write_json(folder / OPENINGS_CONFIG, config)
    return load_openings(folder)


def load_openings(folder: Path) -> OpeningDetector:
    """Read what `save_openings` wrote. Raises InputError naming the file at fault."""
    config = read_model(OpeningConfig, folder / OPENINGS_CONFIG)
    path = folder / OPENINGS_WEIGHTS
    remedy = "install skipintro again, or fit it again"
    content = (folder / OPENINGS_CONFIG).read_bytes()
    if config.sha256 and (config.sha256 != config.own_sha256() or content != as_json(config)):
        raise InputError(
            f"{folder / OPENINGS_CONFIG}: not as it was made (the hash in it is of another "
            f"content); {remedy}"
        )
    if not path.is_file():
        raise InputError(f"{path}: missing; {remedy}")
    if (found := sha256_of_file(path)) != config.weights_sha256:
        raise InputError(
            f"{path}: its content is not that of {OPENINGS_CONFIG} beside it (sha256 "
            f"{found[:12]}…, expected {config.weights_sha256[:12]!r}…); {remedy}"
        )
    if (required := required_features(config)) != config.features:
        odd = sorted(set(required) ^ set(config.features))[:3] or ["their order"]
        raise InputError(
            f"{folder / OPENINGS_CONFIG}: features: of another version ({', '.join(odd)}); {remedy}"
        )
    try:
        arrays = load_file(path)
        trees = {name: Trees.of_arrays(arrays, name) for name in ("alone", "agreed")}
    except (SafetensorError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: broken ({error}); {remedy}") from error
    if surplus := set(arrays) - {key for name in trees for key in trees[name].arrays(name)}:
        raise InputError(f"{path}: broken ({min(surplus)} is of no tree); {remedy}")
    n_features = {"alone": len(required) - len(CONSENSUS), "agreed": len(required)}
    for name, each in trees.items():
        if each.feature.max() >= n_features[name]:
            raise InputError(f"{path}: {name}.feature: no such feature; {remedy}")
    return OpeningDetector(config, trees["alone"], trees["agreed"])

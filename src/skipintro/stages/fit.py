"""Fits the opening detector on the train episodes; every choice is made on series held out.

Reads   data/annotate, data/fingerprint, the detector to start from
Writes  models/fit/openings.safetensors, openings.json, held_out.json (what the fit predicts for
        each train episode when its series is held out), manifest.json
"""

import logging
from pathlib import Path
from typing import Annotated

from pydantic import Field

from skipintro.core.arithmetic import in_use
from skipintro.core.errors import InputError
from skipintro.core.files import write_json, write_sums
from skipintro.core.layout import ANNOTATIONS, FITTED
from skipintro.core.params import StageParams
from skipintro.core.stage import run_stage, stage_output, versions
from skipintro.detection.contradiction import HeldOut
from skipintro.detection.labelled import fingerprinted_episodes, read_fingerprinted
from skipintro.detectors.candidates import CandidateSettings
from skipintro.detectors.continued import FitManifest
from skipintro.detectors.fitting import OpeningFitSettings, TreeSettings
from skipintro.detectors.learning import Learned, LearningSettings, learn
from skipintro.detectors.openings import SeasonSettings, save_openings
from skipintro.matching.pairs import MatchingSettings
from skipintro.matching.siblings import SiblingSettings

log = logging.getLogger(__name__)


class Params(StageParams):
    """Section `fit` of params.yaml."""

    start_from: Path
    use_start: bool
    further_trees: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    chance_episodes: float = Field(ge=0)
    min_confidence: float = Field(ge=0, le=1)
    seed: int = Field(ge=0)
    folds: int = Field(ge=2)
    graded_errors_s: tuple[float, ...]
    grades: tuple[float, ...]
    max_wrong: int = Field(ge=1)
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
        )


def main(params: Params) -> None:
    """Fit on train; no test episode is read."""
    annotations, manifest = read_fingerprinted()
    train = fingerprinted_episodes("train", annotations, manifest)
    if not train:
        raise InputError(f"{ANNOTATIONS}: no usable train episode; add labelled episodes to it")
    learned = learn(train, manifest.fingerprint, params.learning())
    with stage_output(FITTED) as folder:
        saved = save_openings(folder, learned.detector)
        write_json(folder / "held_out.json", _held_out(learned))
        write_json(
            folder / "manifest.json",
            FitManifest(
                episodes=len(train),
                series=len({labelled.episode.series for labelled in train}),
                start_learned_from=learned.start_learned_from,
                chosen=learned.chosen,
                trials=learned.trials,
                weights_sha256=saved.config.weights_sha256,
                arithmetic=in_use(),
                versions=versions("numpy", "scikit-learn", "scipy"),
            ),
        )
        write_sums(folder)
    if learned.chosen is not None:
        log.info(
            "series held out: %d right and %d wrong of %d episodes, with %d further trees",
            learned.chosen.right,
            learned.chosen.wrong,
            len(train),
            learned.chosen.further_trees,
        )


def _held_out(learned: Learned) -> list[dict[str, object]]:
    return [
        HeldOut(
            id=labelled.episode.id,
            series=labelled.episode.series,
            label=labelled.truth,
            interval=prediction.interval,
            confidence=prediction.confidence,
        ).model_dump(mode="json")
        for labelled, prediction in learned.held_out
    ]


if __name__ == "__main__":
    run_stage("fit", Params, main)

"""Fits the series detector on the train episodes, its settings chosen on held-out series.

Reads   data/annotate/annotations.json, data/embed, the prior file
Writes  models/rank/series.safetensors, series.json, held_out.json (what the fit says of each
        train episode when its series is held out), manifest.json
"""

import logging
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from skipintro.core.errors import InputError
from skipintro.core.files import check_sums, read_model, sha256_of_file, write_json, write_sums
from skipintro.core.params import StageParams
from skipintro.core.stage import run_stage, stage_output, versions
from skipintro.detection.candidates import CandidateConfig
from skipintro.detection.contradiction import HeldOut
from skipintro.detection.episode import LabelledEpisode
from skipintro.detection.fitting import FitSettings, Fitted, fit
from skipintro.detection.labelled import labelled_episodes
from skipintro.detection.series_files import SERIES_WEIGHTS, PriorFile, RankManifest, save_series
from skipintro.episodes.annotations import Annotations
from skipintro.episodes.embeddings import EmbedManifest

ANNOTATIONS = Path("data/annotate/annotations.json")
EMBEDDED = Path("data/embed")
OUTPUT = Path("models/rank")

log = logging.getLogger(__name__)


class Params(StageParams):
    """Section `rank` of params.yaml."""

    prior: Path
    use_prior: bool
    folds: int = Field(ge=2)
    similarities: tuple[Annotated[float, Field(gt=-1, lt=1)], ...] = Field(min_length=1)
    regularisations: tuple[float, ...] = Field(min_length=1)
    frame_regularisation: float = Field(gt=0)
    right_within_s: float = Field(ge=0)
    near_within_s: float = Field(ge=0)
    wrong_cost: float = Field(ge=0)
    chance_episodes: float = Field(ge=0)
    references_per_series: int = Field(ge=0)
    min_length_s: int = Field(ge=1)
    max_length_s: int = Field(ge=1)
    reach_s: int = Field(ge=0)
    lone_penalty: float = Field(ge=0)
    n_runs: int = Field(ge=1)
    n_candidates: int = Field(ge=1)
    n_siblings: int = Field(ge=0)

    @model_validator(mode="after")
    def _lengths_in_order(self) -> "Params":
        if self.min_length_s > self.max_length_s:
            raise ValueError("min_length_s is greater than max_length_s")
        return self

    def candidates(self) -> CandidateConfig:
        """Give how candidates are found, with the first of the similarities that are tried."""
        fields = set(CandidateConfig.model_fields) - {"similarity"}
        return CandidateConfig(similarity=self.similarities[0], **self.model_dump(include=fields))

    def settings(self) -> FitSettings:
        """Give what is tried and how it is judged."""
        return FitSettings(**self.model_dump(include=set(FitSettings.__dataclass_fields__)))


def main(params: Params) -> None:
    """Fit on train; no test episode is looked at."""
    for folder in (ANNOTATIONS.parent, EMBEDDED):
        check_sums(folder)
    annotations = read_model(Annotations, ANNOTATIONS)
    embedded = read_model(EmbedManifest, EMBEDDED / "manifest.json")
    train = labelled_episodes("train", annotations, embedded, EMBEDDED)
    if not train:
        raise InputError(f"{ANNOTATIONS}: no usable train episode; add labelled episodes to it")
    prior = read_model(PriorFile, params.prior) if params.use_prior else None
    priors = None if prior is None else prior.priors()
    fitted = fit(train, params.candidates(), params.settings(), priors)
    with stage_output(OUTPUT) as folder:
        save_series(folder, fitted.detector)
        write_json(folder / "held_out.json", _held_out(fitted, train))
        manifest = RankManifest(
            encoder=embedded.encoder,
            episodes=len(train),
            series=len({labelled.episode.series for labelled in train}),
            references=len(fitted.detector.references),
            chosen=fitted.chosen,
            trials=list(fitted.trials),
            prior_learned_from="" if prior is None else prior.learned_from,
            prior_videos=[] if prior is None else prior.videos,
            weights_sha256=sha256_of_file(folder / SERIES_WEIGHTS),
            versions=versions("numpy", "scikit-learn", "scipy"),
        )
        write_json(folder / "manifest.json", manifest)
        write_sums(folder)
    chosen = fitted.chosen
    log.info(
        "held-out series: %d right and %d wrong of %d episodes, at similarity %.2f, "
        "regularisation %g, confidence from %.2f",
        chosen.right,
        chosen.wrong,
        len(train),
        chosen.similarity,
        chosen.regularisation,
        chosen.min_confidence,
    )


def _held_out(fitted: Fitted, train: list[LabelledEpisode]) -> list[dict[str, object]]:
    return [
        HeldOut(
            id=labelled.episode.id,
            series=labelled.episode.series,
            label=labelled.truth,
            interval=told.interval,
            confidence=told.confidence,
        ).model_dump(mode="json")
        for labelled, told in zip(train, fitted.held_out, strict=True)
    ]


if __name__ == "__main__":
    run_stage("rank", Params, main)

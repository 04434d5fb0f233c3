"""Corrects the labels by rule and by hand, and says for each episode what was done and why.

Reads   data/ingest (labels.json of each split, manifest.json), the overrides file
Writes  data/annotate/annotations.json, data/annotate/manifest.json
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator

from skipintro.core.errors import InputError
from skipintro.core.files import check_sums, read_model, write_json, write_sums
from skipintro.core.params import StageParams
from skipintro.core.stage import run_stage, stage_output
from skipintro.episodes.annotations import (
    Annotation,
    Annotations,
    CorrectionRule,
    Override,
    Status,
    annotate,
    check_within,
    read_overrides,
    told_without_siblings,
    with_one_name_a_series,
    without_siblings,
)
from skipintro.episodes.catalog import IngestManifest
from skipintro.episodes.labels import read_labels
from skipintro.stages import words

INGESTED = Path("data/ingest")
OUTPUT = Path("data/annotate")


class Params(StageParams):
    """Section `annotate` of params.yaml."""

    overrides: Path
    inversion_shift_s: float = Field(gt=0)
    min_length_s: float = Field(gt=0)
    max_length_s: float = Field(gt=0)

    @model_validator(mode="after")
    def _lengths_in_order(self) -> "Params":
        if self.min_length_s > self.max_length_s:
            raise ValueError("min_length_s is greater than max_length_s")
        return self

    def rule(self) -> CorrectionRule:
        """Give the rule that these params set."""
        return CorrectionRule(
            inversion_shift_s=self.inversion_shift_s,
            min_length_s=self.min_length_s,
            max_length_s=self.max_length_s,
        )


def read_annotations(
    ingested: Path,
    manifest: IngestManifest,
    rule: CorrectionRule,
    overrides: Mapping[str, Override],
) -> list[Annotation]:
    """Read the labels of each split in the folder of the ingest stage, and annotate them.

    Raises InputError naming the file and the remedy.
    """
    found = [
        annotate(split, id_, label, rule, overrides.get(id_))
        for split in dict.fromkeys(episode.split for episode in manifest.episodes)
        for id_, label in read_labels(_labels(ingested, split), "run `dvc repro annotate`").items()
    ]
    return with_one_name_a_series(found)


def _labels(ingested: Path, split: str) -> Path:
    return ingested / split / "labels.json"


def main(params: Params) -> None:
    """Annotate every labelled episode of both splits."""
    check_sums(INGESTED)
    manifest = read_model(IngestManifest, INGESTED / "manifest.json")
    overrides = read_overrides(params.overrides)
    usable = manifest.usable()
    episodes = read_annotations(INGESTED, manifest, params.rule(), overrides)
    for episode in episodes:
        ingested = usable.get((episode.split, episode.id))
        if ingested is not None and ingested.video is not None:
            by_hand = episode.id in overrides
            place = params.overrides if by_hand else _labels(INGESTED, episode.split)
            check_within(str(place), episode, ingested.video.n_seconds)
    strangers = sorted(set(overrides) - {episode.id for episode in episodes})
    if strangers:
        raise InputError(
            f"{params.overrides}: {strangers[0]!r} is no episode of the source; correct the id"
        )
    annotations = Annotations(episodes=episodes, leaked=manifest.leaked)
    counts = Counter(episode.status for episode in episodes)
    with stage_output(OUTPUT) as folder:
        write_json(folder / "annotations.json", annotations)
        write_json(
            folder / "manifest.json",
            {
                "episodes": len(episodes),
                "by_status": {status: counts[status] for status in Status},
                "unusable": {f"{e.split}/{e.id}": e.reason for e in episodes if not e.usable},
                "leaked": annotations.leaked,
                "rule": params.rule().model_dump(),
            },
        )
        write_sums(folder)
    alone = without_siblings(episodes)
    words.annotate(episodes, Status, told_without_siblings(alone) if alone else "")


if __name__ == "__main__":
    run_stage("annotate", Params, main)

"""The section `annotate` of params.yaml at work: the labels of all splits, corrected."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator

from skipintro.core.params import StageParams
from skipintro.episodes.annotations import (
    Annotation,
    CorrectionRule,
    Override,
    annotate,
    unify_series,
)
from skipintro.episodes.catalog import IngestManifest
from skipintro.episodes.labels import read_labels


class CorrectionParams(StageParams):
    """Section `annotate` of params.yaml."""

    overrides: Path
    inversion_shift_s: float = Field(gt=0)
    min_length_s: float = Field(gt=0)
    max_length_s: float = Field(gt=0)

    @model_validator(mode="after")
    def _lengths_in_order(self) -> "CorrectionParams":
        if self.min_length_s > self.max_length_s:
            raise ValueError("min_length_s is greater than max_length_s")
        return self

    def rule(self) -> CorrectionRule:
        """Return the rule that these params set."""
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
        for id_, label in read_labels(
            labels_file(ingested, split), "run `dvc repro annotate`"
        ).items()
    ]
    return unify_series(found)


def labels_file(ingested: Path, split: str) -> Path:
    """Return the label file of a split in the folder of the ingest stage."""
    return ingested / split / "labels.json"

"""What one DVC experiment has produced, by its files, and the names that MLflow knows it by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from skipintro.core.files import sha256_of_file, sha256_of_json
from skipintro.core.params import StageParams, flat_params
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.origin import Origin

DATA_TAGS = {split: f"{split}_data.sha256" for split in ("train", "test")}


class TrackParams(StageParams):
    """Section `track` of params.yaml, and the top-level `dataset`."""

    dataset: str = Field(min_length=1)
    experiment: str = Field(min_length=1)
    detector: str = Field(min_length=1)  # names in MLflow's registry
    classifier: str = Field(min_length=1)
    with_encoder: Literal["auto", "always", "never"]

    @model_validator(mode="after")
    def _two_names(self) -> "TrackParams":
        if self.detector == self.classifier:
            raise ValueError(f"detector and classifier are both {self.detector!r}")
        return self


@dataclass(frozen=True)
class MadeModel:
    """One model of an experiment: a detector's folder, complete, and its own headline figures."""

    name: str  # in MLflow's registry
    folder: Path
    sha256: str  # of all its files
    metrics: Mapping[str, float]

    def tag(self) -> str:
        """Return the tag by which the runs of this very model are found."""
        return f"{self.name}.sha256"


@dataclass(frozen=True)
class FinishedExperiment:
    """What one DVC experiment has produced, read from its files."""

    origin: Origin
    params: Mapping[str, Any]  # flat, all that affects results
    history: Sequence[tuple[int, Mapping[str, float]]]  # (epoch, figures)
    models: Sequence[MadeModel]  # the detector first
    weights_sha256: str  # of the head, by which a live run is found
    data_sha256: Mapping[str, str]  # of the splits train and test
    encoder: EncoderIdentity
    reports: Path  # with metrics.json, which has all figures
    tables: Mapping[str, Mapping[str, Sequence[Any]]]  # columns by name, by table

    def sha256(self) -> str:
        """Return the hash by which the experiment is known."""
        return sha256_of_json(
            {
                "params": dict(self.params),
                "metrics": sha256_of_file(self.reports / "metrics.json"),
                "models": {model.name: model.sha256 for model in self.models},
                "data": dict(self.data_sha256),
            }
        )

    def data_tags(self) -> dict[str, str]:
        """Return the tags of the inputs of its figures."""
        return {tag: self.data_sha256[split] for split, tag in DATA_TAGS.items()}


def experiment_params(encoder: EncoderIdentity) -> dict[str, Any]:
    """Return all params that shape a result, flat; the encoder's weights are those that it has."""
    return {**flat_params(), "embed.weights": encoder.weights}

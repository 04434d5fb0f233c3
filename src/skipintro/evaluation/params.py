"""The section `evaluate` of params.yaml."""

from typing import Literal

from pydantic import Field

from skipintro.core.params import StageParams
from skipintro.detection.folder import DetectionConfig
from skipintro.detection.kinds import Kind
from skipintro.evaluation.baselines import BaselineSettings


class Bootstrap(StageParams):
    """How confidence intervals are drawn: whole series, with replacement."""

    n_resamples: int = Field(ge=1)
    seed: int = Field(ge=0)
    level: float = Field(gt=0, lt=1)


class EvaluationParams(StageParams):
    """Section `evaluate` of params.yaml, and the top-level `dataset`."""

    dataset: str = Field(min_length=1)
    detector: Kind
    device: Literal["auto", "cpu", "cuda"]
    stride: int = Field(ge=1)
    threshold: float = Field(gt=0, lt=1)
    min_length_s: float = Field(ge=1)
    batch_size: int = Field(ge=1)
    bootstrap: Bootstrap
    baselines: BaselineSettings

    def head(self) -> DetectionConfig:
        """Return how the head's intervals are read off."""
        return DetectionConfig(**self.model_dump(include=set(DetectionConfig.model_fields)))

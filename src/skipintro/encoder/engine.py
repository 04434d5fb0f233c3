"""Embeds many videos: what an engine is, and the one that does it in this process.

Reads the videos of its jobs; writes each job's target, whole, as soon as its vectors are there.
The engine shapes no byte of them: an `EncoderSpec` holds all that does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from skipintro.core.device import Precision
from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file
from skipintro.core.isolation import side_by_side
from skipintro.core.params import StageParams
from skipintro.core.scratch import key_of
from skipintro.core.stage import versions
from skipintro.encoder import load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.episodes.embeddings import (
    EncoderIdentity,
    Search,
    remember_vectors,
    searched_seconds,
)
from skipintro.video.info import USUAL_LIMITS, DecodingLimits

# All of this folder but the engines: by what they remember, it makes no difference who made it.
_CODE = (
    "video",
    "encoder/__init__",
    "encoder/clip",
    "encoder/efficientnet",
    "encoder/embedding",
)
_PACKAGES = ("av", "open_clip_torch", "torch")


class RayParams(StageParams):
    """Section `embed.ray` of params.yaml: where the workers run, and what each one is given."""

    workers: int = Field(ge=1)
    cpus_per_worker: float = Field(gt=0)
    gpus_per_worker: float = Field(ge=0)
    address: str | None = Field(min_length=1)


@dataclass(frozen=True)
class EncoderSpec:
    """All that shapes the vectors of a video: the same spec, code and packages, the same bytes."""

    name: str
    weights: str
    device: Literal["cpu", "cuda"]
    precision: Precision
    batch_size: int
    search: Search


@dataclass(frozen=True)
class Job:
    """One video, the hash and length that it must have, and the file for its vectors."""

    path: Path
    sha256: str
    n_seconds: int
    target: Path
    limits: DecodingLimits = USUAL_LIMITS


@dataclass(frozen=True)
class Origin:
    """What made a vector: equal origins, equal bytes."""

    spec: EncoderSpec
    identity: EncoderIdentity
    code: str
    versions: dict[str, str]

    @property
    def key(self) -> str:
        """Hash by which vectors are remembered; the weights count by their hash, not by name."""
        spec = {name: value for name, value in asdict(self.spec).items() if name != "weights"}
        identity = self.identity.model_dump()
        return key_of(spec=spec, encoder=identity, made_by=self.code, versions=self.versions)


class Embedder:
    """An encoder that was loaded by its spec, at work on jobs."""

    def __init__(self, spec: EncoderSpec) -> None:
        self._spec = spec
        self._encoder = load_encoder(
            spec.name, spec.weights, device=torch.device(spec.device), precision=spec.precision
        )
        self.origin = Origin(
            spec, self._encoder.identity, code=key_of(*_CODE), versions=versions(*_PACKAGES)
        )

    def vectors(self, job: Job) -> NDArray[np.float32]:
        """Give a job's float32 (n_seconds, dimension).

        Raises InputError where the file is not the one that was ingested, VideoError where
        decoding fails.
        """
        if not job.path.is_file() or sha256_of_file(job.path) != job.sha256:
            raise InputError(
                f"{job.path}: gone or changed since it was ingested; put it back, or run "
                "`dvc repro` once more to ingest it anew"
            )
        n_seconds = searched_seconds(self._spec.search, job.n_seconds)
        return embed_video(job.path, self._encoder, self._spec.batch_size, n_seconds, job.limits)


class Engine(Protocol):
    """Jobs in, finished jobs out."""

    origin: Origin

    def embed(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Yield each job when its target is written; raises what stopped it (InputError)."""
        ...


class LocalEngine:
    """So many videos at once, by one encoder, which the decoding of one may not feed."""

    def __init__(self, spec: EncoderSpec, n_at_once: int) -> None:
        self._embedder = Embedder(spec)
        self._n_at_once = n_at_once
        self.origin = self._embedder.origin

    def embed(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Yield each job when its target, and those of the jobs before it, are written."""

        def embedded(job: Job) -> Job:
            remember_vectors(job.target, self._embedder.vectors(job))
            return job

        with side_by_side(self._n_at_once) as mapped:
            yield from mapped(embedded, jobs)

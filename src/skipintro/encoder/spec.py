"""The vectors of a video as a kind of evidence that every engine makes."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch

from skipintro.core.cache_dir import code_hash
from skipintro.core.device import Precision
from skipintro.core.versions import versions
from skipintro.encoder import load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.encoder.hardware import n_at_once
from skipintro.engines.base import Job, Origin
from skipintro.episodes.embeddings import EncoderIdentity, npy_bytes
from skipintro.episodes.search import Search, searched_seconds

_PACKAGES = ("av", "open_clip_torch", "torch")


@dataclass(frozen=True)
class EncoderSpec:
    """All that shapes the vectors of a video."""

    name: str
    weights: str
    device: Literal["cpu", "cuda"]
    precision: Precision
    batch_size: int
    search: Search

    @property
    def uses_gpu(self) -> bool:
        """Return whether the encoder works on a GPU."""
        return self.device == "cuda"

    @property
    def n_at_once(self) -> int:
        """Return how many videos feed the encoder."""
        return n_at_once(self.device)

    def open(self) -> "Embedder":
        """Load the encoder."""
        return Embedder(self)

    def origin(self) -> "EncoderOrigin":
        """Load the encoder without its device, to know its weights and not to work with it."""
        return replace(Embedder(replace(self, device="cpu")).origin, spec=self)


@dataclass(frozen=True)
class EncoderOrigin(Origin):
    """What made a vector; the weights count by their hash, not by name."""

    spec: EncoderSpec
    identity: EncoderIdentity

    def settings(self) -> dict[str, Any]:
        """Return the spec and the weights."""
        spec = {name: value for name, value in asdict(self.spec).items() if name != "weights"}
        return {"settings": spec, "weights": self.identity.model_dump()}


class Embedder:
    """An encoder that was loaded by its spec, at work on jobs."""

    def __init__(self, spec: EncoderSpec) -> None:
        self._spec = spec
        self._encoder = load_encoder(
            spec.name, spec.weights, device=torch.device(spec.device), precision=spec.precision
        )
        self.origin = EncoderOrigin(
            code=code_hash("skipintro.encoder.embedding"),
            versions=versions(*_PACKAGES),
            spec=spec,
            identity=self._encoder.identity,
        )

    def make(self, job: Job) -> bytes:
        """Return a job's float32 (n_seconds, dimension) as the bytes of an .npy file."""
        n_seconds = searched_seconds(self._spec.search, job.n_seconds)
        return npy_bytes(
            embed_video(job.path, self._encoder, self._spec.batch_size, n_seconds, job.limits)
        )

"""The embeddings of all episodes as files: one array an episode, and a manifest of their origin."""

import math
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.core.errors import InputError
from skipintro.core.files import remember, remembered, replacing

# The part of an episode that is looked at, from its beginning; a number is of seconds.
Search = Literal["whole", "first-quarter"] | Annotated[int, Field(ge=1)]


class EncoderIdentity(BaseModel):
    """Which encoder made a vector: two vectors are comparable only if this is the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    weights: str  # a tag, `untrained`, or `file` for a checkpoint file, whose hash tells the rest
    weights_sha256: str
    trained: bool
    dimension: int
    image_size: int  # side of the square pictures, in pixels


class EmbeddingConfig(BaseModel):
    """How videos become vectors, beside the encoder: what a detector was trained on, it goes by.

    But for the precision, where an encoder bears either.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Literal["auto", "fp32", "bf16"]  # as it was asked for
    batch_size: int = Field(ge=1)
    search: Search
    truncation_tolerance_s: float = Field(ge=0)  # as ingest had it

    def seconds(self, length_s: float | None) -> int | None:
        """Give how many seconds of an episode are decoded; None: all there are.

        Without a length, a first quarter is known at the end alone.
        """
        if isinstance(self.search, int) and length_s is None:
            return self.search
        if self.search == "whole" or length_s is None:
            return None
        return searched_seconds(self.search, math.ceil(length_s))

    def looked_at(
        self, vectors: NDArray[np.float32], length_s: float | None
    ) -> NDArray[np.float32]:
        """Give those of the decoded vectors (n_seconds, D) that are looked at."""
        n_seconds = self.seconds(length_s)
        if n_seconds is None:
            n_seconds = searched_seconds(self.search, len(vectors))
        return vectors[:n_seconds]


def searched_seconds(search: Search, n_seconds: int) -> int:
    """Give how many seconds of an episode are looked at."""
    if search == "whole":
        return n_seconds
    if search == "first-quarter":
        return math.ceil(n_seconds / 4)
    return min(search, n_seconds)


class EmbeddedEpisode(BaseModel):
    """Where one episode's array lies, and the video that it was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    id: str
    file: Path  # relative to the manifest's folder
    n_seconds: int  # of the whole episode; the array has fewer where only a part was searched
    video_sha256: str


class EmbedManifest(BaseModel):
    """What the embed stage made, in the order of the ingest manifest."""

    model_config = ConfigDict(extra="forbid")

    encoder: EncoderIdentity
    embedding: EmbeddingConfig
    precision: str  # of the encoder's arithmetic, here
    episodes: list[EmbeddedEpisode]
    left_out: dict[str, str]  # `<split>/<id>`: why
    versions: dict[str, str]


def read_vectors(path: Path) -> NDArray[np.float32]:
    """Read one episode's float32 (n_seconds, D). Raises InputError where it cannot be read."""
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it and run `dvc repro`") from (
            error
        )


def write_vectors(path: Path, vectors: NDArray[np.float32]) -> None:
    """Write one episode's array, whole or not at all."""
    with replacing(path) as draft:
        draft.write_bytes(_as_npy(vectors))


def remember_vectors(path: Path, vectors: NDArray[np.float32]) -> None:
    """Keep an array for later runs; one that is damaged meanwhile will not be taken for it."""
    remember(path, _as_npy(vectors))


def remembered_vectors(path: Path) -> NDArray[np.float32] | None:
    """Give the array that was kept, float32 (n_seconds, D); None where it is missing or damaged."""
    content = remembered(path)
    return None if content is None else np.asarray(np.load(BytesIO(content)), np.float32)


def _as_npy(vectors: NDArray[np.float32]) -> bytes:
    """Give the bytes of a .npy file; NumPy itself does not tell why it cannot write one."""
    buffer = BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    return buffer.getvalue()

"""The embeddings of all episodes as files: one array an episode, and a manifest of their origin."""

from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.core.arithmetic import Arithmetic
from skipintro.core.errors import InputError
from skipintro.core.files import atomic_write, read_checked, write_checked
from skipintro.episodes.search import Search, searched_seconds, seconds_to_decode


class EncoderIdentity(BaseModel):
    """Which encoder made a vector: two vectors are comparable only if this is the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    weights: str  # a tag, `untrained`, or `file` for a checkpoint file, which its hash identifies
    weights_sha256: str
    trained: bool
    dimension: int
    image_size: int  # side of the square pictures, in pixels


class EmbeddingConfig(BaseModel):
    """How videos become vectors, beside the encoder: what a detector was trained on, it goes by.

    But for the precision, where an encoder bears either.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Literal["auto", "fp32", "bf16"]  # as requested
    batch_size: int = Field(ge=1)
    search: Search
    truncation_tolerance_s: float = Field(ge=0)  # as ingest had it

    def looked_at(
        self, vectors: NDArray[np.float32], length_s: float | None
    ) -> NDArray[np.float32]:
        """Return those of the decoded vectors (n_seconds, D) that are looked at."""
        n_seconds = seconds_to_decode(self.search, length_s)
        if n_seconds is None:
            n_seconds = searched_seconds(self.search, len(vectors))
        return vectors[:n_seconds]


class EmbeddedEpisode(BaseModel):
    """Where one episode's array is, and the video that it was made from."""

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
    arithmetic: Arithmetic
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
    with atomic_write(path) as draft:
        draft.write_bytes(npy_bytes(vectors))


def store_vectors(path: Path, vectors: NDArray[np.float32]) -> None:
    """Keep an array for later runs; one that is damaged meanwhile will not be taken for it."""
    write_checked(path, npy_bytes(vectors))


def stored_vectors(path: Path) -> NDArray[np.float32] | None:
    """Return the stored array, float32 (n_seconds, D); None where it is missing or damaged."""
    content = read_checked(path)
    return None if content is None else vectors_of_npy(content)


def vectors_of_npy(content: bytes) -> NDArray[np.float32]:
    """Return the float32 (n_seconds, D) of an .npy file that is whole."""
    return np.asarray(np.load(BytesIO(content)), np.float32)


def npy_bytes(vectors: NDArray[np.float32]) -> bytes:
    """Return the bytes of an .npy file; NumPy itself does not say why it cannot write one."""
    buffer = BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    return buffer.getvalue()

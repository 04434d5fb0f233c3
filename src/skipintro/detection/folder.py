"""A detector's folder: made of what the stages have written, and checked. Needs no torch."""

import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from skipintro.core.errors import InputError
from skipintro.core.files import check_sums, read_model, sha256_of_file, write_json
from skipintro.core.layout import HEAD_CONFIG, HEAD_WEIGHTS
from skipintro.detection.kinds import (
    DETECTION_FILE,
    FILES,
    Kind,
    identity_of,
)
from skipintro.episodes.embeddings import EmbeddingConfig


class DetectionConfig(BaseModel):
    """How an interval is read off the head's probabilities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stride: int = Field(ge=1)  # seconds between the windows that are averaged
    threshold: float = Field(gt=0, lt=1)  # a second above it speaks for intro, below against
    min_length_s: float = Field(ge=1)  # shorter intervals are dropped
    batch_size: int = Field(ge=1)


class HeadDetectorConfig(BaseModel):
    """How a head is read, and how its videos become vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: DetectionConfig
    embedding: EmbeddingConfig
    sha256: dict[str, str] = Field(default_factory=dict)  # of the files beside it, by name


def assemble(
    folder: Path, kind: Kind, *, head: Path, openings: Path, config: HeadDetectorConfig
) -> str:
    """Make an empty folder a detector's, of what the train and the fit stage have written.

    Return its identity.
    """
    source = openings if kind == "openings" else head
    check_sums(source)
    for name in FILES[kind]:
        if name != DETECTION_FILE:
            shutil.copyfile(source / name, folder / name)
    if kind == "head":
        hashes = {name: sha256_of_file(folder / name) for name in (HEAD_WEIGHTS, HEAD_CONFIG)}
        write_json(folder / DETECTION_FILE, config.model_copy(update={"sha256": hashes}))
    return identity_of(folder)


def checked_config(folder: Path) -> HeadDetectorConfig:
    """Read how a head is used. Raises InputError where a file is not as it was made."""
    config = read_model(HeadDetectorConfig, folder / DETECTION_FILE)
    for name, expected in config.sha256.items():
        path = folder / name
        if name not in FILES["head"]:
            raise InputError(f"{folder / DETECTION_FILE}: sha256: unknown file {name!r:.80}")
        if not path.is_file():
            raise InputError(f"{path}: missing; run `dvc repro` to make it")
        if (found := sha256_of_file(path)) != expected:
            raise InputError(
                f"{path}: its content is not that of {DETECTION_FILE} beside it (sha256 "
                f"{found[:12]}…, expected {expected[:12]!r}…); restore it, or run `dvc repro`"
            )
    return config

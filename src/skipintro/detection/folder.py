"""A detector's folder: which files it holds, and what it is. Needs no torch."""

import shutil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from skipintro.core.errors import InputError
from skipintro.core.files import (
    check_sums,
    read_model,
    sha256_of_file,
    sha256_of_json,
    write_json,
)
from skipintro.detection.series_files import SERIES_CONFIG, SERIES_WEIGHTS
from skipintro.episodes.embeddings import EmbeddingConfig
from skipintro.model.config import CONFIG_FILE, WEIGHTS_FILE

DETECTION_FILE = "detection.json"
_FILES = (WEIGHTS_FILE, CONFIG_FILE, SERIES_WEIGHTS, SERIES_CONFIG)


class DetectionConfig(BaseModel):
    """How an interval is read off the probabilities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stride: int = Field(ge=1)  # seconds between the windows that are averaged
    threshold: float = Field(gt=0, lt=1)  # a second above it speaks for intro, below against
    min_length_s: float = Field(ge=1)  # shorter intervals are dropped
    batch_size: int = Field(ge=1)


class DetectorConfig(BaseModel):
    """Which detector a folder is, how its head is read, and how its videos become vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: Literal["series", "head"]
    head: DetectionConfig
    embedding: EmbeddingConfig
    sha256: dict[str, str] = Field(default_factory=dict)  # of the files beside it, by name


def assemble(folder: Path, *, head: Path, series: Path, config: DetectorConfig) -> str:
    """Make an empty folder a detector's, of what the train and the rank stage have written.

    Return the hash of all its files.
    """
    for source, names in (
        (head, (WEIGHTS_FILE, CONFIG_FILE)),
        (series, (SERIES_WEIGHTS, SERIES_CONFIG)),
    ):
        check_sums(source)
        for name in names:
            shutil.copyfile(source / name, folder / name)
    hashes = {name: sha256_of_file(folder / name) for name in _FILES}
    write_json(folder / DETECTION_FILE, config.model_copy(update={"sha256": hashes}))
    return sha256_of_json({**hashes, DETECTION_FILE: sha256_of_file(folder / DETECTION_FILE)})


def checked_config(folder: Path) -> DetectorConfig:
    """Read what a detector's folder is. Raises InputError where a file is not as it was made."""
    config = read_model(DetectorConfig, folder / DETECTION_FILE)
    for name, expected in config.sha256.items():
        path = folder / name
        if name not in _FILES:
            raise InputError(f"{folder / DETECTION_FILE}: sha256: unknown file {name!r:.80}")
        if not path.is_file():
            raise InputError(f"{path}: missing; run `dvc repro` to make it")
        if (found := sha256_of_file(path)) != expected:
            raise InputError(
                f"{path}: its content is not that of {DETECTION_FILE} beside it (sha256 "
                f"{found[:12]}…, expected {expected[:12]!r}…); restore it, or run `dvc repro`"
            )
    return config

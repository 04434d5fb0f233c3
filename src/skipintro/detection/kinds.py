"""The two kinds of detector, and the files that each one's folder holds. Imports nothing slow."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file, sha256_of_json
from skipintro.core.layout import HEAD_CONFIG, HEAD_WEIGHTS

Kind = Literal["openings", "head"]

OPENINGS_CONFIG, OPENINGS_WEIGHTS = "openings.json", "openings.safetensors"
DETECTION_FILE = "detection.json"
# Of a head's folder that brings its encoder along. The head names the hash of these weights: they
# belong to its identity wherever they are.
ENCODER_WEIGHTS = "encoder.safetensors"
FILES: dict[Kind, tuple[str, ...]] = {
    "openings": (OPENINGS_CONFIG, OPENINGS_WEIGHTS),  # goes by fingerprints of a whole season
    "head": (DETECTION_FILE, HEAD_CONFIG, HEAD_WEIGHTS),  # the write-up's model, by embeddings
}


def kind_of(folder: Path) -> Kind:
    """Return the kind of detector in a folder. Raises InputError where a file misses."""
    kind: Kind = "openings" if (folder / OPENINGS_CONFIG).is_file() else "head"
    for name in FILES[kind]:
        if not (folder / name).is_file():
            raise InputError(f"{folder}: no detector's folder: {name} is missing")
    return kind


def identity_of(folder: Path, content: Callable[[Path], str] = sha256_of_file) -> str:
    """Return the hash of the files that a detector has to have, by which the registry knows it.

    `content` returns the sha256 of one file.
    """
    return sha256_of_json({name: content(folder / name) for name in FILES[kind_of(folder)]})

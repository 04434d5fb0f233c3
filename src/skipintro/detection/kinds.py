"""The two kinds of detector, and the files that each one's folder holds. Imports nothing slow."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file, sha256_of_json

Kind = Literal["openings", "head"]

OPENINGS_CONFIG, OPENINGS_WEIGHTS = "openings.json", "openings.safetensors"
HEAD_CONFIG, HEAD_WEIGHTS = "config.json", "model.safetensors"
DETECTION_FILE = "detection.json"
FILES: dict[Kind, tuple[str, ...]] = {
    "openings": (OPENINGS_CONFIG, OPENINGS_WEIGHTS),  # goes by fingerprints of a whole season
    "head": (DETECTION_FILE, HEAD_CONFIG, HEAD_WEIGHTS),  # the write-up's model, by embeddings
}


def kind_of(folder: Path) -> Kind:
    """Return the kind of detector that lies in a folder. Raises InputError where a file misses."""
    kind: Kind = "openings" if (folder / OPENINGS_CONFIG).is_file() else "head"
    for name in FILES[kind]:
        if not (folder / name).is_file():
            raise InputError(f"{folder}: no detector's folder: {name} is missing")
    return kind


def identity_of(folder: Path, content: Callable[[Path], str] = sha256_of_file) -> str:
    """Return the hash of all files of a detector, by which it is known in the registry.

    `content` gives the sha256 of one file.
    """
    return sha256_of_json({name: content(folder / name) for name in FILES[kind_of(folder)]})

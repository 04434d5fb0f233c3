"""Resumable work beside the stages' outputs: `.skipintro/` in the main workspace, git-ignored.

DVC deletes a stage's outputs before it runs, so what must survive that (embeddings by content,
training checkpoints, locks) lies here, keyed by a hash of everything that it depends on.
"""

import os
from pathlib import Path

from skipintro.core.files import sha256_of_file, sha256_of_json, sweep

_PACKAGE = Path(__file__).resolve().parents[1]


def scratch_folder(name: str) -> Path:
    """Give `.skipintro/<name>` of the main workspace, also from an experiment's temporary one."""
    folder = Path(os.environ.get("DVC_ROOT", ".")) / ".skipintro" / name
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    return folder


def key_of(*modules: str, **settings: object) -> str:
    """Hash of the source code of the named modules of this package and of JSON-like settings.

    A module in a folder is named with a slash (`encoder/clip`); a folder stands for all in it.
    """
    code: dict[str, str] = {}
    for module in modules:
        place = _PACKAGE / module
        files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        code |= {file.relative_to(_PACKAGE).as_posix(): sha256_of_file(file) for file in files}
    return sha256_of_json({"code": code, **settings})

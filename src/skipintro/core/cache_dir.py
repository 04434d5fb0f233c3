"""Resumable work beside the stages' outputs: `.skipintro/` in the main workspace, git-ignored.

DVC deletes a stage's outputs before it runs, so what must survive that (embeddings by content,
training checkpoints, locks) is here, keyed by a hash of everything that it depends on.
"""

import os
from pathlib import Path

from skipintro.core.code import hash_of_code
from skipintro.core.files import remove_stale, sha256_of_json


def cache_dir(name: str) -> Path:
    """Return `.skipintro/<name>` of the main workspace, also from an experiment's temporary one."""
    folder = Path(os.environ.get("DVC_ROOT", ".")) / ".skipintro" / name
    folder.mkdir(parents=True, exist_ok=True)
    remove_stale(folder)
    return folder


def code_hash(*modules: str, **settings: object) -> str:
    """Hash of the code that results of the named modules depend on, and of JSON-like settings.

    A module is named as it is imported; what it imports counts, as `core.code` defines.
    """
    return sha256_of_json({"code": hash_of_code(*modules), **settings})

"""The hashes of all that the toy pipeline makes, and of the small pieces of its arithmetic.

`make golden` writes both anew. The receipt of `track` is left out: it knows where the source lies.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from conftest import Checkout
from skipintro.core.files import sha256_of_file

GOLDEN = Path(__file__).with_name("golden") / "toy.json"
WRITE = "WRITE_GOLDEN"  # a variable of the environment
_LOCKS = ("data/dvc.lock", "dvc.lock")
_STAGES = ("demo", "ingest", "annotate", "embed", "fingerprint", "window", "train", "fit")
STAGES = (*_STAGES, "evaluate")  # in the order in which they run

Hashes = Mapping[str, Mapping[str, str]]  # of files, by stage


def hashes(checkout: Checkout) -> Hashes:
    """Return the hash of every file that every stage has made."""
    locked: dict[str, list[str]] = {}
    for name in _LOCKS:
        content = yaml.safe_load((checkout.folder / name).read_text(encoding="utf-8"))
        for stage, told in content["stages"].items():
            locked[stage] = [out["path"] for out in told["outs"]]
    return {
        stage: {
            file.relative_to(checkout.folder).as_posix(): sha256_of_file(file)[:16]
            for out in locked[stage]
            for file in _files(checkout.folder / out)
        }
        for stage in STAGES
    }


def first_difference(found: Hashes, wanted: Hashes) -> str | None:
    """Return the first stage that has made other files, and which; None where all are the same."""
    for stage in STAGES:
        ours, theirs = found[stage], wanted.get(stage, {})
        if ours != theirs:
            names = sorted(n for n in {*ours, *theirs} if ours.get(n) != theirs.get(n))
            return f"{stage} is the first stage to differ: {', '.join(names)}"
    return None


def read_golden() -> Hashes:
    found: Hashes = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def _files(path: Path) -> list[Path]:
    return sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]

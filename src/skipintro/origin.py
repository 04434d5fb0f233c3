"""Where an experiment comes from: the commit, DVC's name of it, and the data by DVC's hashes."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from skipintro.core import arithmetic

NAME_TAG = "dvc.exp_name"
_STAGES = ("ingest", "annotate", "embed", "fingerprint", "window")  # whose outputs are data
_CODE_AND_PARAMS = ("src", "dvc.yaml", "params.yaml", "data", ":!data/dvc.lock")


@dataclass(frozen=True)
class DataVersion:
    """What one stage has made of a dataset, by the hash that DVC knows it by."""

    dataset: str
    stage: str
    path: str
    digest: str


@dataclass(frozen=True)
class Origin:
    """What every run carries."""

    tags: Mapping[str, str]
    data: Sequence[DataVersion]

    @property
    def experiment(self) -> str | None:
        """DVC's name of the experiment, None for a plain `dvc repro`."""
        return self.tags.get(NAME_TAG)

    def title(self, epochs: int) -> str:
        """Return the name of its run, as lists show it."""
        return f"{epochs} epochs" + (f" ({self.experiment})" if self.experiment else "")


def origin_of(dataset: str) -> Origin:
    """Set it to the checkout that this process works in; `dataset` names the data."""
    tags = {"dataset": dataset, "arithmetic": arithmetic.in_use()}
    if name := os.environ.get("DVC_EXP_NAME"):
        tags[NAME_TAG] = name
    if commit := _git("rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
        is_changed = bool(_git("status", "--porcelain", "--", *_CODE_AND_PARAMS))
        tags["git.dirty"] = str(is_changed).lower()  # since the commit
    return Origin(tags, _data(dataset, Path("dvc.lock")))


def _data(dataset: str, lock: Path) -> list[DataVersion]:
    if not lock.exists():
        return []
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
    return [
        DataVersion(dataset, stage, out["path"], out["md5"])
        for stage in _STAGES
        for out in stages.get(stage, {}).get("outs", [])
    ]


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""

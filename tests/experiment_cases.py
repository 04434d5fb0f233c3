"""Finished experiments, small enough to be delivered in a second, and stores to deliver them to."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch

from conftest import EMBEDDING, ENCODER, tiny_config
from skipintro.core.files import sha256_of_file, write_json
from skipintro.core.layout import HEAD_WEIGHTS
from skipintro.detection.folder import DetectionConfig, HeadDetectorConfig
from skipintro.detection.kinds import DETECTION_FILE, FILES, identity_of
from skipintro.experiment import FinishedExperiment, MadeModel
from skipintro.model.head import IntroHead, save_head
from skipintro.origin import DataVersion, Origin
from skipintro.tracking.store import connect

HISTORY = tuple((epoch, {"train_loss": 1 / epoch, "test_f1": epoch / 4}) for epoch in (1, 2, 3))


@contextmanager
def main_workspace(folder: Path, here: Path | None = None) -> Iterator[None]:
    """Make a folder the main workspace, which has the store; the process runs `here`, or in it."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            patch.setenv("DVC_ROOT", str(folder))
            patch.chdir(here or folder)
            yield
    finally:
        mlflow.set_tracking_uri("")


def make_empty_store(folder: Path) -> None:
    """Make a workspace with a store and no experiment but MLflow's own, which takes seconds."""
    folder.mkdir()
    with main_workspace(folder):
        connect("Default")


def copy_empty_store(workspace: Path, folder: Path) -> None:
    """Copy such a store into another workspace, whose artifacts it names."""
    copy = shutil.copy(workspace / "mlflow.db", folder)
    with closing(sqlite3.connect(copy)) as database, database:
        database.execute(
            "update experiments set artifact_location = replace(artifact_location, ?, ?)",
            (workspace.as_uri(), folder.as_uri()),
        )


def experiment(
    folder: Path,
    seed: int = 0,
    *,
    registered: str = "intro",
    metrics: Mapping[str, float] | None = None,
    origin: Mapping[str, str] | None = None,
    **changes: Any,
) -> FinishedExperiment:
    """Write what a finished experiment leaves, and describe it.

    `registered` begins the names of its models. The seed makes another classifier, not another
    detector, as other epochs do.
    """
    detector, classifier, reports = (folder / one for one in ("detector", "classifier", "reports"))
    for place in (detector, classifier, reports):
        place.mkdir(parents=True, exist_ok=True)
    for name in FILES["openings"]:
        (detector / name).write_text(name, encoding="utf-8")
    torch.manual_seed(seed)
    save_head(classifier, IntroHead(tiny_config()))
    rule = DetectionConfig(stride=1, threshold=0.5, min_length_s=1, batch_size=1)
    write_json(classifier / DETECTION_FILE, HeadDetectorConfig(head=rule, embedding=EMBEDDING))
    figures = {"windows/test/f1": 0.5} if metrics is None else dict(metrics)
    write_json(reports / "metrics.json", figures)
    made = FinishedExperiment(
        origin=Origin(
            {"dataset": "toy", "git.dirty": "false", **(origin or {})},
            [DataVersion("toy", "window", "data/window", "abc.dir")],
        ),
        params={"epochs": 3, "train.seed": seed},
        history=HISTORY,
        models=(
            MadeModel(
                f"{registered}-detector",
                detector,
                identity_of(detector),
                {"detector/held_out/f1_within_3s": 0.75},
            ),
            MadeModel(f"{registered}-classifier", classifier, identity_of(classifier), figures),
        ),
        weights_sha256=sha256_of_file(classifier / HEAD_WEIGHTS),
        data_sha256={"train": "train data", "test": "test data"},
        encoder=ENCODER,
        reports=reports,
        tables={"episodes": {"id": ["a", "b"], "iou": [0.5, None]}},
    )
    return replace(made, **changes)

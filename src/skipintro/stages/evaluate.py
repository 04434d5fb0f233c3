"""Measures the trained head on windows and on whole test episodes, and draws what it found.

Reads   models/train, data/window, data/embed, data/annotate/annotations.json
Writes  reports/evaluate/metrics.json, episodes.json, manifest.json, loss.png, confusion.png,
        precision_recall.png, timelines/<id>.png
"""

import csv
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from skipintro.core.device import choose_device
from skipintro.core.errors import InputError
from skipintro.core.files import output_folder, read_model, sha256_of_json, write_json
from skipintro.core.params import StageParams
from skipintro.core.stage import run_stage, versions
from skipintro.detection.decoding import DetectionConfig
from skipintro.episodes.annotations import Annotation, Annotations
from skipintro.episodes.embeddings import EmbedManifest, read_vectors
from skipintro.evaluation import plots
from skipintro.evaluation.figures import (
    EpisodeTable,
    EvaluateManifest,
    Metrics,
    WindowTable,
    evaluate_episodes,
    summarise,
    window_metrics,
    window_outcome,
)
from skipintro.model.head import load_head
from skipintro.model.windows import WindowManifest, read_sequence

MODEL = Path("models/train")
WINDOWS = Path("data/window")
EMBEDDED = Path("data/embed")
ANNOTATIONS = Path("data/annotate/annotations.json")
OUTPUT = Path("reports/evaluate")

log = logging.getLogger(__name__)


class Params(StageParams):
    """Section `evaluate` of params.yaml."""

    device: Literal["auto", "cpu", "cuda"]
    stride: int = Field(ge=1)
    threshold: float = Field(gt=0, lt=1)
    min_length_s: float = Field(ge=1)
    batch_size: int = Field(ge=1)


def main(params: Params) -> None:
    """Evaluate on both splits' windows and on the test split's whole episodes."""
    head = load_head(MODEL, choose_device(params.device))
    config = DetectionConfig(**params.model_dump(exclude={"device"}))
    window = read_model(WindowManifest, WINDOWS / "manifest.json")
    annotations = read_model(Annotations, ANNOTATIONS)
    embedded = read_model(EmbedManifest, EMBEDDED / "manifest.json")
    train, test = (read_sequence(WINDOWS / f"{split}.npz") for split in ("train", "test"))
    clean = test.without(annotations.leaked)

    train_row = window_metrics(head, train, window.stride, config)
    test_row = window_metrics(head, test, window.stride, config)
    if train_row is None or test_row is None:
        raise InputError(f"{WINDOWS}: does not fit the model's window length; run `dvc repro`")
    episodes = list(_test_episodes(annotations, embedded))
    results = evaluate_episodes(
        head, tqdm(episodes, desc="evaluate", disable=None), config, annotations.leaked
    )
    metrics = Metrics(
        windows=WindowTable(
            train=train_row,
            test=test_row,
            test_without_leaked=window_metrics(head, clean, window.stride, config),
        ),
        episodes=EpisodeTable(
            test=summarise(results),
            test_without_leaked=summarise(r for r in results if not r.leaked),
        ),
    )
    video_hashes = {e.id: e.video_sha256 for e in embedded.episodes if e.split == "test"}
    manifest = EvaluateManifest(
        detection=config,
        encoder=embedded.encoder,
        test_data_sha256=sha256_of_json(
            [[a.id, a.start_s, a.end_s, video_hashes[a.id]] for a, _ in episodes]
        ),
        leaked=annotations.leaked,
        left_out={id_: why for id_, why in window.left_out.items() if id_.startswith("test/")},
        versions=versions("torch", "numpy", "scikit-learn", "matplotlib"),
    )
    labels, probabilities = window_outcome(head, test, window.stride, config.batch_size)
    with output_folder(OUTPUT) as folder:
        write_json(folder / "metrics.json", metrics)
        write_json(folder / "episodes.json", [result.model_dump(mode="json") for result in results])
        write_json(folder / "manifest.json", manifest)
        plots.loss_curves(folder / "loss.png", _history())
        plots.confusion(folder / "confusion.png", labels, probabilities >= config.threshold)
        plots.precision_recall(folder / "precision_recall.png", labels, probabilities)
        (folder / "timelines").mkdir()
        for result in results:
            plots.timeline(folder / "timelines" / f"{result.id}.png", result, config.threshold)
    for name, row in metrics.windows:
        if row is not None:
            log.info("windows, %s: accuracy %.4f, F1 %.4f", name, row.accuracy, row.f1)
    for name, row in metrics.episodes:
        log.info(
            "episodes, %s: %d of %d intros found, mean IoU %s, %d false alarms",
            name,
            row.found,
            row.with_intro,
            "-" if row.mean_iou is None else f"{row.mean_iou:.3f}",
            row.false_alarms,
        )


def _test_episodes(
    annotations: Annotations, embedded: EmbedManifest
) -> Iterator[tuple[Annotation, NDArray[np.float32]]]:
    """Yield every test episode whose truth is known, with its vectors."""
    files = {e.id: EMBEDDED / e.file for e in embedded.episodes if e.split == "test"}
    for annotation in annotations.of_split("test"):
        if annotation.usable and annotation.id in files:
            yield annotation, read_vectors(files[annotation.id])


def _history() -> dict[str, list[float]]:
    """Read the training's curves by name."""
    with (MODEL / "history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


if __name__ == "__main__":
    run_stage("evaluate", Params, main)

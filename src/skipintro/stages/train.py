"""Trains the head and follows it live in MLflow.

Reads   data/window
Writes  models/train/model.safetensors, config.json, history.csv, manifest.json
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from skipintro.core.arithmetic import in_use
from skipintro.core.cache_dir import cache_dir, code_hash
from skipintro.core.device import choose_device, choose_precision, has_native_bf16
from skipintro.core.errors import InputError
from skipintro.core.files import (
    check_sums,
    read_model,
    sha256_of_file,
    write_json,
    write_sums,
)
from skipintro.core.layout import HEAD_WEIGHTS
from skipintro.core.params import StageParams
from skipintro.core.progress import log_epoch
from skipintro.core.stage import run_stage, stage_output
from skipintro.core.versions import versions
from skipintro.model.config import HeadConfig
from skipintro.model.head import save_head
from skipintro.model.history import write_history
from skipintro.model.training import Augmentation, EpochRow, TrainManifest, TrainSettings, train
from skipintro.model.windows import WindowManifest, read_sequence
from skipintro.tracking.live import followed

WINDOWS = Path("data/window")
OUTPUT = Path("models/train")


class Params(StageParams):
    """Section `train` of params.yaml, and the top-level `epochs`."""

    epochs: int = Field(ge=1)
    seed: int = Field(ge=0)
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    feedforward: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    position_std: float = Field(ge=0)
    augmentation: Augmentation


def main(params: Params) -> None:
    """Train on the train windows; a killed training goes on where it was."""
    check_sums(WINDOWS)
    manifest = read_model(WindowManifest, WINDOWS / "manifest.json")
    if manifest.encoder.dimension % params.heads:
        raise InputError(
            f"params.yaml: train.heads: {params.heads} does not divide the embeddings' dimension "
            f"{manifest.encoder.dimension}; choose a divisor"
        )
    device = choose_device(params.device)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic sums on CUDA
    config = HeadConfig(
        length=manifest.length,
        dimension=manifest.encoder.dimension,
        layers=params.layers,
        heads=params.heads,
        feedforward=params.feedforward,
        dropout=params.dropout,
        position_std=params.position_std,
        encoder=manifest.encoder,
    )
    settings = TrainSettings(
        epochs=params.epochs,
        seed=params.seed,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        precision=choose_precision(params.precision, is_good=has_native_bf16(device)),
        stride=manifest.stride,
        augmentation=params.augmentation,
    )
    sequences = {split: read_sequence(WINDOWS / f"{split}.npz") for split in ("train", "test")}
    key = code_hash(
        "skipintro.model.training",
        config=config.model_dump(),
        settings=settings.model_dump(),
        data={split: sha256_of_file(WINDOWS / f"{split}.npz") for split in sequences},
        device=device.type,
        arithmetic=in_use(),
        versions=versions("torch", "numpy"),
    )
    checkpoint = cache_dir("checkpoints") / f"{key}.pt"

    def on_epoch(row: EpochRow) -> None:
        log_epoch(row.epoch, params.epochs, row.flat())
        live.log(row.epoch, row.flat())

    with followed(params.epochs, manifest.encoder) as live:
        head, history = train(
            config,
            settings,
            sequences["train"],
            sequences["test"],
            device=device,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
        )
        with stage_output(OUTPUT) as folder:
            save_head(folder, head)
            write_history(folder, history)
            write_json(
                folder / "manifest.json",
                TrainManifest(
                    settings=settings,
                    windows=manifest.splits,
                    parameters=sum(p.numel() for p in head.parameters()),
                    weights_sha256=sha256_of_file(folder / HEAD_WEIGHTS),
                    arithmetic=in_use(),
                    versions=versions("torch", "numpy", "safetensors"),
                ),
            )
            write_sums(folder)
            live.name_weights(sha256_of_file(folder / HEAD_WEIGHTS))
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run_stage("train", Params, main)

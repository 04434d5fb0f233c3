"""Encoding and a training step against the arithmetic limit of the precision in use.

The limit is the counted work over the rate of a large matrix product, measured beside it. Pictures
are encoded as the stage does it: batches side by side, each by one thread. The plain loop trains
torch's own layers in fp32, by Adam as it comes.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skipintro.core.device import (
    Precision,
    choose_device,
    choose_precision,
    has_native_bf16,
    type_of,
)
from skipintro.encoder import load_encoder
from skipintro.encoder.embedding import encoded
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.model.head import HeadConfig, IntroHead
from skipintro.model.training import Learner
from tables import tell

ROUNDS, SIDE = 5, 2048
BATCH, N_BATCHES = 16, 8  # embed.batch_size, and enough of them for each thread to have several
DEVICE = choose_device("auto")


class Work(NamedTuple):
    """What is measured, and its floating-point operations."""

    run: Callable[[], object]
    operations: float


def seconds(work: Callable[[], object]) -> float:
    """Give the least time of several, after one that does not count."""
    work()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return min(times)


def product_rate(precision: Precision) -> float:
    """Give the floating-point operations a second of a matrix product."""
    matrix = torch.randn(SIDE, SIDE, device=DEVICE, dtype=type_of(precision))
    return 10 * 2 * SIDE**3 / seconds(lambda: [matrix @ matrix for _ in range(10)])


def operations(work: Callable[[], object]) -> float:
    """Count the floating-point operations of matrix products and convolutions."""
    torch.backends.mha.set_fastpath_enabled(value=False)  # its operations are not counted
    with FlopCounterMode(display=False) as counter:
        work()
    torch.backends.mha.set_fastpath_enabled(value=True)
    return float(counter.get_total_flops())


def work_of(run: Callable[[], object]) -> Work:
    """Give what this thread alone does, counted."""
    return Work(run, operations(run))


def encoding(precision: Precision) -> Work:
    """Give the encoding of batches by CLIP, whose arithmetic no training changes."""
    encoder = load_encoder("clip-vit-b-32", "untrained", device=DEVICE, precision=precision)
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    return Work(
        lambda: list(encoded(iter([pictures] * N_BATCHES), encoder)),
        N_BATCHES * operations(lambda: encoder.encode(pictures)),
    )


def training(precision: Precision) -> Work:
    """Give a step of the write-up's head on a batch of 8 windows."""
    identity = EncoderIdentity(
        name="any", weights="any", weights_sha256="", trained=True, dimension=512, image_size=224
    )
    head = IntroHead(
        HeadConfig(
            length=60,
            dimension=512,
            layers=16,
            heads=16,
            feedforward=2048,
            dropout=0.1,
            position_std=0.02,
            encoder=identity,
        )
    ).to(DEVICE)
    adam = torch.optim.Adam(head.parameters(), lr=0.00005, fused=True)
    learner = Learner(head, adam, precision)
    frames = torch.randn(8, 60, 512, device=DEVICE)
    labels = (torch.rand(8, 60, device=DEVICE) > 0.5).float()
    return work_of(lambda: learner.step(frames, labels))


def plain_training() -> Work:
    """Give a step of torch's own transformer of the same size on as many windows, in fp32."""
    layer = nn.TransformerEncoderLayer(512, 16, 2048, 0.1, batch_first=True)
    plain = nn.Sequential(
        nn.TransformerEncoder(layer, 16, enable_nested_tensor=False), nn.Linear(512, 1)
    ).to(DEVICE)
    adam = torch.optim.Adam(plain.parameters(), lr=0.00005)
    frames = torch.randn(8, 60, 512, device=DEVICE)
    labels = (torch.rand(8, 60, device=DEVICE) > 0.5).float()

    def step() -> None:
        adam.zero_grad()
        logits = plain(frames).squeeze(-1)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's method
        adam.step()

    return work_of(step)


def main() -> None:
    """Measure both in fp32 and in the precision that `auto` gives."""
    exact: Precision = "fp32"
    chosen = choose_precision("auto", is_good=has_native_bf16(DEVICE))
    precisions = tuple(dict.fromkeys((exact, chosen)))
    encodings = {(f"encoding {BATCH * N_BATCHES} pictures", p): encoding(p) for p in precisions}
    trainings = {("a training step", p): training(p) for p in precisions}
    rows: list[dict[str, float | str]] = []
    for ways in (encodings, {("a plain loop's step", exact): plain_training(), **trainings}):
        first: float | None = None
        for (name, precision), work in ways.items():
            limit = work.operations / product_rate(precision)
            took = seconds(work.run)
            first = first or took
            rows.append(
                {
                    "work": f"{name}, {precision}",
                    "s": took,
                    "limit s": limit,
                    "share of the limit": limit / took,
                    "times as fast as the first": first / took,
                }
            )
    tell("arithmetic", rows)


if __name__ == "__main__":
    main()

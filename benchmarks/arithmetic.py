"""Encoding and a training step against the arithmetic limit of the precision in use.

The limit is the time of as many operations in products of large matrices, done in turn with the
work: a processor that others share, or that runs faster for a moment, does so for both. Pictures
are encoded as the stage does it: batches side by side, each by one thread. The plain loop trains
torch's own layers in fp32, by Adam as it comes.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
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
from skipintro.model.config import HeadConfig
from skipintro.model.head import IntroHead
from skipintro.model.training import Learner
from tables import WRITE_UP_HEAD, print_table

ROUNDS, SIDE = 15, 2048
BATCH, N_BATCHES = 16, 8  # embed.batch_size, and enough of them for each thread to have several
DEVICE = choose_device("auto")


class Work(NamedTuple):
    """What is measured, in which precision, and its floating-point operations."""

    run: Callable[[], object]
    precision: Precision
    operations: float


def seconds(work: Callable[[], object]) -> float:
    """Return the time that a work takes once."""
    began = time.perf_counter()
    work()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def medians(measures: Sequence[Callable[[], float]]) -> NDArray[np.float64]:
    """Return the medians of what is measured in turn, round by round; the first does not count."""
    rounds = [[measure() for measure in measures] for _ in range(ROUNDS + 1)]
    return np.median(rounds[1:], axis=0)


def limit(work: Work) -> float:
    """Return the time that products of large matrices take for as many operations as the work."""
    matrix = torch.randn(SIDE, SIDE, device=DEVICE, dtype=type_of(work.precision))
    product = torch.empty_like(matrix)  # of each in turn: no time goes into new memory
    n_products = math.ceil(work.operations / (2 * SIDE**3))
    took = seconds(lambda: [torch.mm(matrix, matrix, out=product) for _ in range(n_products)])
    return took * work.operations / (n_products * 2 * SIDE**3)


def operations(work: Callable[[], object]) -> float:
    """Count the floating-point operations of matrix products and convolutions."""
    torch.backends.mha.set_fastpath_enabled(value=False)  # its operations are not counted
    with FlopCounterMode(display=False) as counter:
        work()
    torch.backends.mha.set_fastpath_enabled(value=True)
    return float(counter.get_total_flops())


def encoding(precision: Precision) -> Work:
    """Return the encoding of batches by CLIP, whose arithmetic no training changes."""
    encoder = load_encoder("clip-vit-b-32", "untrained", device=DEVICE, precision=precision)
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    return Work(
        lambda: list(encoded(iter([pictures] * N_BATCHES), encoder)),
        precision,
        N_BATCHES * operations(lambda: encoder.encode(pictures)),
    )


def training(precision: Precision) -> Work:
    """Return a step of the write-up's head on a batch of 8 windows."""
    identity = EncoderIdentity(
        name="any", weights="any", weights_sha256="", trained=True, dimension=512, image_size=224
    )
    head = IntroHead(HeadConfig.model_validate({**WRITE_UP_HEAD, "encoder": identity})).to(DEVICE)
    adam = torch.optim.Adam(head.parameters(), lr=0.00005, fused=True)
    learner = Learner(head, adam, precision)
    frames = torch.randn(8, 60, 512, device=DEVICE)
    labels = (torch.rand(8, 60, device=DEVICE) > 0.5).float()

    def step() -> None:
        learner.step(frames, labels)

    return Work(step, precision, operations(step))


def products(precision: Precision) -> Work:
    """Return the products of a step's linear layers, forward and backward, and nothing between."""
    shapes = ((512, 1536), (512, 512), (512, 2048), (2048, 512))  # in and out
    make = partial(torch.randn, device=DEVICE, dtype=type_of(precision))
    frames = {size: make(8 * 60, size) for size in (512, 1536, 2048)}
    weights = [make(n_out, n_in) for _ in range(16) for n_in, n_out in shapes]

    def multiply() -> None:
        for weight in weights:
            n_out, n_in = weight.shape
            nn.functional.linear(frames[n_in], weight)
            frames[n_out] @ weight
            frames[n_out].T @ frames[n_in]

    return Work(multiply, precision, operations(multiply))


def plain_training() -> Work:
    """Return a step of torch's own transformer of the same size on as many windows, in fp32."""
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

    return Work(step, "fp32", operations(step))


def main() -> None:
    """Measure both in fp32 and in the precision that `auto` gives."""
    chosen = choose_precision("auto", is_good=has_native_bf16(DEVICE))
    precisions = tuple(dict.fromkeys(("fp32", chosen)))
    encodings = {
        f"encoding {BATCH * N_BATCHES} pictures, {precision}": encoding(precision)
        for precision in precisions
    }
    trainings = {"a plain loop's step, fp32": plain_training()}
    for precision in precisions:
        trainings[f"a training step, {precision}"] = training(precision)
        trainings[f"its layers' products alone, {precision}"] = products(precision)
    rows: list[dict[str, float | str]] = []
    for works in (encodings, trainings):
        rows += measured(works)
    print_table("arithmetic", rows)


def measured(works: dict[str, Work]) -> list[dict[str, float | str]]:
    """Return a row of each work: medians of rounds in which each is done beside its limit."""
    in_turn = [
        measure
        for work in works.values()
        for measure in (partial(limit, work), partial(seconds, work.run))
    ]
    limits, times = medians(in_turn).reshape(-1, 2).T
    return [
        {
            "work": name,
            "s": float(took),
            "limit s": float(least),
            "share of the limit": float(least / took),
            "times as fast as the first": float(times[0] / took),
        }
        for name, least, took in zip(works, limits, times, strict=True)
    ]


if __name__ == "__main__":
    main()

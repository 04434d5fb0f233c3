"""What int8 would bring: CLIP with its linear layers in int8, beside fp32 and bf16.

    python benchmarks/int8.py

By torch's dynamic quantisation: weights in int8 ahead, activations when they come. The weights are
untrained; the arithmetic is the same. One thread, as each batch has when videos are embedded.
"""

import copy
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.ao.quantization import quantize_dynamic

from skipintro.encoder import TorchEncoder
from skipintro.encoder.clip import load_clip
from tables import tell

ROUNDS, BATCH = 5, 32


def in_int8(encoder: TorchEncoder) -> TorchEncoder:
    """Give a copy of an encoder whose linear layers reckon in int8."""
    other = copy.copy(encoder)
    other.module = quantize_dynamic(encoder.module, {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    return other


def timed(encoder: TorchEncoder, pictures: NDArray[np.uint8]) -> tuple[float, NDArray[np.float32]]:
    """Give the least seconds of several rounds, and the vectors."""
    vectors = encoder.encode(pictures)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        encoder.encode(pictures)
        times.append(time.perf_counter() - began)
    return min(times), vectors


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Give the least cosine of rows (N, D) with each other."""
    products = (a * b).sum(axis=1)
    return float((products / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def main() -> None:
    """Measure the three beside each other."""
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    exact, half = load_clip("untrained", cpu, "fp32"), load_clip("untrained", cpu, "bf16")
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    encoders = {"fp32": exact, "int8": in_int8(exact), "bf16": half}
    runs = {name: timed(encoder, pictures) for name, encoder in encoders.items()}
    first, expected = runs["fp32"]
    rows: list[dict[str, float | str]] = [
        {
            "precision": name,
            "s a batch of 32": took,
            "times as fast": first / took,
            "least cosine to fp32": cosine(vectors, expected),
        }
        for name, (took, vectors) in runs.items()
    ]
    tell("int8", rows)


if __name__ == "__main__":
    main()

"""What int8 would bring: CLIP with its linear layers in int8, beside fp32 and bf16.

    python benchmarks/int8.py

By torch's dynamic quantisation: weights in int8 ahead, activations when they come. The weights are
untrained; the arithmetic is the same. One thread, as each batch has when videos are embedded.
"""

import copy
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic

from arithmetic import BATCH, medians, seconds
from embedding_speed import cosine
from skipintro.encoder import TorchEncoder
from skipintro.encoder.clip import load_clip
from tables import print_table


def in_int8(encoder: TorchEncoder) -> TorchEncoder:
    """Return a copy of an encoder whose linear layers reckon in int8."""
    other = copy.copy(encoder)
    other.module = quantize_dynamic(encoder.module, {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]  # torch's
    return other


def main() -> None:
    """Measure the three beside each other."""
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    exact, half = load_clip("untrained", cpu, "fp32"), load_clip("untrained", cpu, "bf16")
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    encoders = {"fp32": exact, "int8": in_int8(exact), "bf16": half}
    expected = exact.encode(pictures)
    works = [partial(seconds, partial(each.encode, pictures)) for each in encoders.values()]
    took = {name: float(s) for name, s in zip(encoders, medians(works), strict=True)}
    rows: list[dict[str, float | str]] = [
        {
            "precision": name,
            f"s a batch of {BATCH}": took[name],
            "times as fast": took["fp32"] / took[name],
            "least cosine to fp32": cosine(each.encode(pictures), expected),
        }
        for name, each in encoders.items()
    ]
    print_table("int8", rows)


if __name__ == "__main__":
    main()

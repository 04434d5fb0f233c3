"""What portable arithmetic costs on this processor: each piece of work in both, by turns.

Each measurement is a process of its own, since libraries choose their kernels when they are loaded.
The last column is what portable takes of the time of fast; `precision: auto` is bf16 in fast
arithmetic where the processor has it, and fp32 in portable.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

from skipintro.core import arithmetic
from tables import WRITE_UP_HEAD, print_table

ROUNDS, STEPS = 3, 4  # processes of each kind; repetitions in one, the best of which counts


def best(work: Callable[[], object]) -> float:
    """Return the least seconds of a few repetitions."""
    times = []
    for _ in range(STEPS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def measured_here() -> dict[str, float]:
    """Return the seconds of each piece of work in this process."""
    import numpy as np  # noqa: PLC0415  not before the arithmetic is settled
    import torch  # noqa: PLC0415  nor before it

    from skipintro.core.device import choose_precision, has_native_bf16  # noqa: PLC0415  nor before it
    from skipintro.encoder import load_encoder  # noqa: PLC0415  nor before it
    from skipintro.encoder.embedding import encoded  # noqa: PLC0415  nor before it
    from skipintro.model.config import HeadConfig  # noqa: PLC0415  nor before it
    from skipintro.model.head import IntroHead  # noqa: PLC0415  nor before it
    from skipintro.model.training import Learner  # noqa: PLC0415  nor before it

    cpu = torch.device("cpu")
    encoder = load_encoder("efficientnet-lite0", "openai", device=cpu)
    size = encoder.identity.image_size
    rng = np.random.default_rng(0)
    batches = rng.integers(0, 256, (4, 16, size, size, 3), np.uint8)
    config = HeadConfig.model_validate({**WRITE_UP_HEAD, "encoder": encoder.identity})
    head = IntroHead(config)
    optimizer = torch.optim.Adam(head.parameters(), lr=5e-5, fused=True)
    learner = Learner(head, optimizer, choose_precision("auto", is_good=has_native_bf16(cpu)))
    frames, labels = torch.randn(8, 60, 512), (torch.randn(8, 60) > 0).float()
    vectors = rng.standard_normal((3000, 64), np.float32)
    return {
        "encoding 64 pictures": best(lambda: list(encoded(iter(batches), encoder))),
        "a training step": best(lambda: learner.step(frames, labels)),
        "comparing moments (numpy)": best(lambda: vectors @ vectors.T),
    }


def measured(word: arithmetic.Arithmetic) -> dict[str, float]:
    """Return the same of a fresh process."""
    plain = {k: v for k, v in os.environ.items() if k not in arithmetic.environment("portable")}
    done = subprocess.run(
        [sys.executable, __file__, word], env=plain, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure both by turns, and print the medians."""
    rounds = [(measured("fast"), measured("portable")) for _ in range(ROUNDS)]
    rows: list[dict[str, float | str]] = []
    for work in rounds[0][0]:
        fast, portable = (median(one[way][work] for one in rounds) for way in (0, 1))
        rows.append(
            {"work": work, "fast, s": fast, "portable, s": portable, "ratio": portable / fast}
        )
    print_table("portable", rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        arithmetic.settle("fast" if sys.argv[1] == "fast" else "portable")
        print(json.dumps(measured_here()))
    else:
        main()

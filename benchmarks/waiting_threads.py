"""A training step with OpenMP threads that spin or sleep while they wait, alone and beside a load.

Each row is a process of its own; the load is one process that keeps one core busy. The last column
is the ratio to spinning under the same load.
"""

import os
import subprocess
import sys
import time

import torch
from torch import nn

from tables import print_table

STEPS = 3


def step_seconds() -> float:
    """Time one step of torch's transformer of the head's size at batch 8, the best of a few."""
    layer = nn.TransformerEncoderLayer(512, 16, 2048, 0.1, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 16, enable_nested_tensor=False)
    windows = torch.randn(8, 60, 512)
    best = float("inf")
    for _ in range(STEPS):
        start = time.perf_counter()
        encoder(windows).sum().backward()
        best = min(best, time.perf_counter() - start)
    return best


def measured(policy: str) -> float:
    """Return the seconds of a step in a fresh process with this policy."""
    done = subprocess.run(
        [sys.executable, __file__, "step"],
        env={**os.environ, "OMP_WAIT_POLICY": policy},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    """Measure both policies, without and with a load."""
    rows: list[dict[str, float | str]] = []
    for load in (0, 1):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
        try:
            spinning = measured("ACTIVE")
            sleeping = measured("PASSIVE")
        finally:
            for process in busy:
                process.kill()
        rows += [
            {"load": load, "threads wait": way, "s a step": s, "ratio": s / spinning}
            for way, s in (("spinning", spinning), ("sleeping", sleeping))
        ]
    print_table("waiting_threads", rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["step"]:
        print(step_seconds())
    else:
        main()

"""Embedding by CLIP of 1080p videos, one after the other and several at once, by the local engine.

    python benchmarks/videos_at_once.py [VIDEO ...]

Files of 100 s, else as in embedding_speed.py, and two or more for each. On a GPU where there is
one; CLIP is untrained.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from clips import DEMO, compose
from cost import SECONDS
from skipintro.core.device import choose_device
from skipintro.core.files import sha256_of_file
from skipintro.encoder.hardware import encoder_precision, n_at_once
from skipintro.encoder.spec import EncoderSpec
from skipintro.engines.base import Job
from skipintro.engines.local import LocalEngine
from tables import print_table

LENGTH_S, LEAST_FILES = 100, 4


def main(sources: Sequence[Path]) -> None:
    """Embed the same files with each number at once; the encoder has been loaded before."""
    device = choose_device("auto").type
    spec = EncoderSpec(
        name="clip-vit-b-32",
        weights="untrained",
        device="cuda" if device == "cuda" else "cpu",
        precision=encoder_precision("local", "auto", "clip-vit-b-32", device),
        batch_size=16,
        search="whole",
    )
    title = torch.cuda.get_device_name() if device == "cuda" else "no GPU"
    rows: list[dict[str, float | str]] = []
    made: set[bytes] = set()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "1080p.mp4"
        compose(video, sources, LENGTH_S)
        sha256 = sha256_of_file(video)
        for number in sorted({1, 2, 4, n_at_once(device)}):
            jobs = [
                Job(video, sha256, LENGTH_S, Path(folder) / f"{number} {index}.npy")
                for index in range(max(LEAST_FILES, 2 * number))
            ]
            engine = LocalEngine(spec, number)
            list(engine.run(jobs[:1]))  # a GPU's first batch takes seconds
            began = time.perf_counter()
            for job in engine.run(jobs):
                made.add(job.target.read_bytes())
            speed = len(jobs) * LENGTH_S / (time.perf_counter() - began)
            rows.append(
                {
                    "videos at once": f"{number} ({torch.get_num_threads()} threads, {title})",
                    "frames/s": speed,
                    "times as fast as one": speed / float(rows[0]["frames/s"]) if rows else 1.0,
                    "hours for 10,000 episodes": SECONDS / speed / 3600,
                }
            )
    if len(made) != 1:
        sys.exit("the vectors differ")
    print_table("videos_at_once", rows)


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]] or sorted(DEMO.glob("*/*.mp4")))

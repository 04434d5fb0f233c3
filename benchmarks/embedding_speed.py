"""From a 1080p file to CLIP's vectors: the obvious way, ours, and ours in its parts.

    python benchmarks/embedding_speed.py [VIDEO ...]

The videos, by default the demo's, are joined and scaled up to 1080p H.264 with B-frames and a key
frame every 10 s. CLIP is untrained: its arithmetic is the same. The obvious way: OpenCV reads
every frame, PIL and open_clip's transform prepare one a second, fp32 in batches of 32; ours are
of 16. Our parts alone go as in the stage: decoders in a child process, batches side by side. Both
ways encode on a GPU where there is one.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import open_clip
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image

from clips import DEMO, LENGTH_S, RATE, compose
from skipintro.core.device import choose_device
from skipintro.encoder import load_encoder
from skipintro.encoder.clip import ARCHITECTURE, load_clip
from skipintro.encoder.embedding import embed_video, encoded
from skipintro.video.isolated_decode import pictures
from tables import print_table

BATCH, OURS, ROUNDS = 32, 16, 2
DEVICE = choose_device("auto")


class Took(NamedTuple):
    """What a piece of work took."""

    s: float
    core_s: float  # that its processes were at work, the decoders' too


def timed(work: Callable[[], object]) -> Took:
    """Do a piece of work."""
    began, busy = time.perf_counter(), core_seconds()
    work()
    return Took(time.perf_counter() - began, core_seconds() - busy)


def core_seconds() -> float:
    """Return the seconds that this process and its children have been at work."""
    this = psutil.Process()
    children = [child.cpu_times() for child in this.children(recursive=True)]
    own = this.cpu_times()
    ended = own.children_user + own.children_system
    return float(ended + sum(times.user + times.system for times in (own, *children)))


def cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the least cosine between two rows of the same number."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(1) / lengths).min())


def main(sources: Sequence[Path]) -> None:
    """Measure all ways by turns, and give the best time of each."""
    _, _, transform = open_clip.create_model_and_transforms(ARCHITECTURE, pretrained=None)
    encoder = load_encoder("clip-vit-b-32", "untrained", device=DEVICE)
    exact = load_clip("untrained", DEVICE, "fp32").module
    found: dict[str, NDArray[np.float32]] = {}

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "1080p.mp4"
        compose(path, sources)

        def obvious() -> None:
            capture = cv2.VideoCapture(str(path))
            batch: list[torch.Tensor] = []
            vectors: list[NDArray[np.float32]] = []
            number = 0
            while True:
                is_there, frame = capture.read()
                if is_there and number % RATE == 0:
                    picture = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
                    batch.append(transform(picture))
                if batch and (len(batch) == BATCH or not is_there):
                    with torch.inference_mode():
                        vectors.append(exact(torch.stack(batch).to(DEVICE)).cpu().numpy())
                    batch = []
                if not is_there:
                    break
                number += 1
            found["obvious"] = np.concatenate(vectors)

        def ours() -> None:
            found["ours"] = embed_video(path, encoder, OURS)

        shown = np.stack(list(islice(pictures(path, 224), LENGTH_S)))

        batches = np.split(shown, range(OURS, len(shown), OURS))
        ways: dict[str, Callable[[], object]] = {
            "the obvious way": obvious,
            "ours": ours,
            "ours, decoding alone": lambda: list(pictures(path, 224)),
            "ours, encoding alone": lambda: list(encoded(iter(batches), encoder)),
        }
        best = dict.fromkeys(ways, Took(float("inf"), 0))
        for _ in range(ROUNDS):
            for way, work in ways.items():
                best[way] = min(best[way], timed(work))
    whole, decoding, encoding = (
        best[f"ours{part}"].s for part in ("", ", decoding alone", ", encoding alone")
    )
    print_table(
        "embedding_speed",
        [
            {
                "way": way,
                "s": took.s,
                "times real time": LENGTH_S / took.s,
                "core-s": took.core_s,
                "of ours": took.s / whole,
            }
            for way, took in best.items()
        ],
    )
    ratios: dict[str, float] = {
        "the obvious way / ours": best["the obvious way"].s / whole,
        "ours / its parts alone, summed": whole / (decoding + encoding),
        "ours / the slower of its parts alone": whole / max(decoding, encoding),
        "least cosine to the obvious way": cosine(found["obvious"], found["ours"]),
        f"frames a second, encoding in {encoder.precision}": LENGTH_S / encoding,
    }
    print_table(
        "embedding_ratios", [{"ratio": name, "value": value} for name, value in ratios.items()]
    )


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]] or sorted(DEMO.glob("*/*.mp4")))

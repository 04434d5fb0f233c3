"""Peak memory of embedding a short and a long episode: it must not grow with the length.

Each length is embedded in a process of its own. Prints one table, with the ratio to the shortest.
"""

import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from skipintro.encoder import load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.episodes.video import encode_h264

LENGTHS_S = (60, 600, 2400)


def embed(path: Path) -> None:
    """Embed one file and print (seconds of video, peak MiB of this process)."""
    encoder = load_encoder("efficientnet-lite0", "openai", device=torch.device("cpu"))
    vectors = embed_video(path, encoder, 32)
    print(len(vectors), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Write the videos and embed each."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (360, 640, 3)).astype(np.uint8)
    base = None
    print(f"{'episode':>10} {'peak MiB':>9} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for length_s in LENGTHS_S:
            path = Path(folder) / f"{length_s}.mp4"
            frames = (np.roll(picture, 4 * index, axis=1) for index in range(length_s))
            encode_h264(path, frames, Fraction(1), crf=40, keyframe_interval=10)
            done = subprocess.run(
                [sys.executable, __file__, str(path)], capture_output=True, text=True, check=True
            )
            peak = float(done.stdout.split()[1])
            base = base or peak
            print(f"{length_s:>8} s {peak:9.0f} {peak / base:6.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        embed(Path(sys.argv[1]))
    else:
        main()

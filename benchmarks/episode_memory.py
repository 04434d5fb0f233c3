"""Peak memory of embedding 1080p episodes of 10 minutes and of 2 hours: it must not grow.

    python benchmarks/episode_memory.py [VIDEO ...]

The videos are as in embedding_speed.py, repeated. Each length is embedded by a process of its own.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from clips import DEMO, compose, repeat
from skipintro.encoder import load_encoder
from skipintro.encoder.embedding import embed_video
from tables import tell

LENGTHS_S = (600, 7200)


def embed(path: Path) -> None:
    """Embed one file and print (seconds of video, peak MiB of this process)."""
    encoder = load_encoder("efficientnet-lite0", "openai", device=torch.device("cpu"))
    vectors = embed_video(path, encoder, 32)
    print(len(vectors), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main(sources: list[Path]) -> None:
    """Write the videos and embed each."""
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as folder:
        clip, path = Path(folder) / "clip.mp4", Path(folder) / "episode.mp4"
        compose(clip, sources)
        for length_s in LENGTHS_S:
            repeat(path, clip, length_s)
            done = subprocess.run(
                [sys.executable, __file__, "--embed", str(path)],
                capture_output=True,
                text=True,
                check=True,
            )
            n_seconds, peak = map(float, done.stdout.split())
            first = float(rows[0]["peak MiB"]) if rows else peak
            rows.append(
                {"episode": f"{n_seconds:.0f} s", "peak MiB": peak, "to the first": peak / first}
            )
    tell("episode_memory", rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--embed"]:
        embed(Path(sys.argv[2]))
    else:
        main([Path(word) for word in sys.argv[1:]] or sorted(DEMO.glob("*/*.mp4")))

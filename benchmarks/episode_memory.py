"""Peak memory of embedding 1080p episodes of 10 minutes and of 2 hours: it must not grow.

    python benchmarks/episode_memory.py [VIDEO ...]

The videos are as in embedding_speed.py, repeated. Each length is embedded by a process of its own;
the child in which it decodes counts as well.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from clips import DEMO, compose, repeat
from main_job import PeakMemory
from skipintro.encoder import load_encoder
from skipintro.encoder.embedding import embed_video
from tables import tell

LENGTHS_S = (600, 7200)


def embed(path: Path) -> None:
    """Embed one file and print the seconds of video."""
    encoder = load_encoder("efficientnet-lite0", "openai", device=torch.device("cpu"))
    print(len(embed_video(path, encoder, 32)))


def main(sources: list[Path]) -> None:
    """Write the videos and embed each."""
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as folder:
        clip, path = Path(folder) / "clip.mp4", Path(folder) / "episode.mp4"
        compose(clip, sources)
        for length_s in LENGTHS_S:
            repeat(path, clip, length_s)
            words = [sys.executable, __file__, "--embed", str(path)]
            process = subprocess.Popen(words, stdout=subprocess.PIPE)
            memory = PeakMemory(process)
            n_seconds = int(process.communicate()[0])
            peak = memory.bytes / 2**20
            first = float(rows[0]["peak MiB"]) if rows else peak
            rows.append(
                {"episode": f"{n_seconds} s", "peak MiB": peak, "to the first": peak / first}
            )
    tell("episode_memory", rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--embed"]:
        embed(Path(sys.argv[2]))
    else:
        main([Path(word) for word in sys.argv[1:]] or sorted(DEMO.glob("*/*.mp4")))

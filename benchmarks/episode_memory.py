"""Peak memory of embedding 1080p episodes of 10 minutes and of 2 hours: it must not grow.

    python benchmarks/episode_memory.py [VIDEO ...]

The videos are as in embedding_speed.py, repeated. Each length is embedded by a process of its own;
the child in which it decodes counts as well. The peaks are Linux's own: looking by the clock would
miss most of the short ones, the more so in a short run.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import torch

from clips import DEMO, compose, repeat
from memory import peak_resident
from skipintro.encoder import load_encoder
from skipintro.encoder.embedding import embed_video
from tables import print_table

LENGTHS_S = (600, 7200)


def embed(path: Path) -> None:
    """Embed one file and print the seconds of video and the peaks, in bytes, of both processes."""
    encoder = load_encoder("efficientnet-lite0", "openai", device=torch.device("cpu"))
    n_seconds = len(embed_video(path, encoder, 16))
    [decoder] = psutil.Process().children()
    print(json.dumps([n_seconds, peak_resident("self"), peak_resident(decoder.pid)]))


def main(sources: list[Path]) -> None:
    """Write the videos and embed each."""
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as folder:
        clip, path = Path(folder) / "clip.mp4", Path(folder) / "episode.mp4"
        compose(clip, sources)
        for length_s in LENGTHS_S:
            repeat(path, clip, length_s)
            words = [sys.executable, __file__, "--embed", str(path)]
            printed = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout
            n_seconds, *peaks = json.loads(printed)
            encoding, decoding = (size / 2**20 for size in peaks)
            peak_mib = encoding + decoding
            first = float(rows[0]["peak MiB"]) if rows else peak_mib
            rows.append(
                {
                    "episode": f"{n_seconds} s",
                    "encoding, MiB": encoding,
                    "decoding, MiB": decoding,
                    "peak MiB": peak_mib,
                    "to the first": peak_mib / first,
                }
            )
    print_table("episode_memory", rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--embed"]:
        embed(Path(sys.argv[2]))
    else:
        main([Path(word) for word in sys.argv[1:]] or sorted(DEMO.glob("*/*.mp4")))

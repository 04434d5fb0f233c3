"""The embed stage on a library of 40 episodes: all new, one added to a filled cache, none new.

    python benchmarks/adding_one.py [SECONDS]

The episodes are the demo's, each repeated until it lasts 300 s, or as long as requested. What
does not depend on their length (starting Python, loading the encoder) stands in the last row.
"""

import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from clips import repeat
from skipintro.core.files import sha256_of_file, write_json
from skipintro.episodes.catalog import IngestedEpisode, IngestManifest
from skipintro.video.info import USUAL_LIMITS
from skipintro.video.isolated_decode import inspect
from tables import print_table

ROOT = Path(__file__).resolve().parents[1]
N_EPISODES, LENGTH_S = 40, 300


def ingest(folder: Path, length_s: int) -> None:
    """Make what the ingest stage would have written."""
    videos = islice(cycle(sorted((ROOT / "data/ingest").glob("*/*.mp4"))), N_EPISODES)
    episodes = []
    for number, video in enumerate(videos):
        path = folder / f"e{number:02d}.mp4"
        repeat(path, video, length_s)
        with path.open("ab") as file:  # a box that players pass over: no two have the same bytes
            file.write((16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
        episodes.append(
            IngestedEpisode(
                split="train",
                id=path.stem,
                path=path,
                sha256=sha256_of_file(path),
                video=inspect(path, USUAL_LIMITS, truncation_tolerance_s=60),
                problem=None,
            )
        )
    made = IngestManifest(
        mode="copy",
        truncation_tolerance_s=2.0,
        decoding=USUAL_LIMITS,
        episodes=episodes,
        unlabelled=[],
        leaked=[],
        versions={},
    )
    write_json(folder / "data/ingest/manifest.json", made)


def run(folder: Path) -> float:
    """Run the stage and give its seconds, with the start of Python and loading the encoder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    began = time.perf_counter()
    words = [sys.executable, "-m", "skipintro.stages.embed"]
    subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def main(length_s: int) -> None:
    """Run the stage in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        ingest(folder, length_s)
        took = {"all": run(folder)}
        cached = sorted((folder / ".skipintro/embeddings").glob("*/*.npy"))
        cached[0].unlink()
        took[f"one added to {len(cached) - 1}"] = run(folder)
        took["none"] = run(folder)
    print_table(
        "adding_one",
        [{"embedded": k, "s": s, "of all": s / took["all"]} for k, s in took.items()],
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else LENGTH_S)

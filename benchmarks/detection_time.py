"""From a 1080p file to its interval by `skipintro detect`: first run, and with vectors cached.

    python benchmarks/detection_time.py [VIDEO ...]

The videos are as in embedding_speed.py, repeated to 10 and 45 minutes. The detector is the
champion, else the last one trained. The second run has the vectors and not the result, the third
one has both.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clips import DEMO, compose, repeat
from memory import PeakMemory
from tables import print_table

ROOT = Path(__file__).resolve().parents[1]
LENGTHS_S = (600, 2700)


def detect(video: Path, cache: Path) -> tuple[float, float]:
    """Return (seconds, peak MiB) of one command."""
    words = [str(Path(sys.executable).parent / "skipintro"), "detect", str(video)]
    words += ["--cache", str(cache), "--format", "json"]
    began = time.perf_counter()
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
    peak = PeakMemory(process)
    code, peak_bytes = process.wait(), peak.stop()
    if code != 0:
        sys.exit(f"{' '.join(words)}: exit code {code}")
    return time.perf_counter() - began, peak_bytes / 2**20


def main(sources: list[Path]) -> None:
    """Measure each length in a cache of its own."""
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        compose(clip, sources)
        for length_s in LENGTHS_S:
            video, cache = Path(folder) / f"Show S01E01 {length_s}.mp4", Path(folder) / "cache"
            repeat(video, clip, length_s)
            for state in ("cold", "vectors cached", "all cached"):
                if state == "vectors cached":
                    (cache / "results.sqlite").unlink()
                took, peak = detect(video, cache)
                rows.append(
                    {
                        "episode": f"{length_s // 60} min, {state}",
                        "s": took,
                        "times real time": length_s / took,
                        "peak MiB": peak,
                    }
                )
            shutil.rmtree(cache)
            video.unlink()
    print_table("detection_time", rows)


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]] or sorted(DEMO.glob("*/*.mp4")))

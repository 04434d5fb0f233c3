"""A shelf of 200 shows of 10 episodes: grouping its 2,000 names, and a run with nothing new.

    python benchmarks/shelf.py

The names are of five kinds, of which each show has one. The files are hard links to ten small ones,
so that the first run decodes ten.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from skipintro.detectors import SHIPPED
from skipintro.episodes.naming import series_of_files
from skipintro.video.encoding import encode_h264
from tables import print_table

N_SHOWS, N_EPISODES, RATE, LENGTH_S = 200, 10, 5, 20
WORDS = [a + b for a in ("Am", "Co", "Del", "Em") for b in ("ber", "ral", "ta", "on")]
NAMES: tuple[Callable[[str, int], str], ...] = (
    lambda show, n: f"{show}/Season 1/{show} - S01E{n:02d} - The Title of {n}.mkv",
    lambda show, n: f"{show}/{show.replace(' ', '.')}.S01E{n:02d}.1080p.WEB.h264-GRP.mkv",
    lambda show, n: f"Anime/[Group] {show} - {n:02d} [1080p][{n:08X}].mkv",
    lambda show, n: f"{show} (2019)/Season 2/{n:02d} - The Title.mkv",
    lambda show, n: f"Daily/{show}.2024.03.{n:02d}.Guest.Name.mkv",
)


def shelf() -> list[Path]:
    """Return the names of all episodes."""
    shows = [f"{a} {b} {c}" for a in WORDS for b in WORDS for c in WORDS if a < b < c][:N_SHOWS]
    kinds = [NAMES[place % len(NAMES)] for place in range(N_SHOWS)]
    return [
        Path(name(show, number))
        for show, name in zip(shows, kinds, strict=True)
        for number in range(1, N_EPISODES + 1)
    ]


def write_small(path: Path, seed: int) -> None:
    """Write some seconds of noise that changes every second."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (LENGTH_S, 36, 64, 3), np.uint8)
    frames = (pictures[k // RATE] for k in range(LENGTH_S * RATE))
    encode_h264(path, frames, Fraction(RATE), crf=30, keyframe_interval=25)


def seconds() -> tuple[float, float]:
    """Return the time, and that which this process and those it waited for took of processors."""
    used = os.times()
    return time.monotonic(), sum(used[:4])


def measured(what: str, work: Callable[[], object]) -> dict[str, float | str]:
    """Do work, and return its row."""
    began = seconds()
    work()
    took, of_processor = (now - then for now, then in zip(seconds(), began, strict=True))
    return {"what": what, "s": took, "s of a processor": of_processor}


def main() -> None:
    """Measure both."""
    names = shelf()
    rows = [measured(f"{len(names)} names to series", lambda: series_of_files(names))]
    with tempfile.TemporaryDirectory() as folder:
        small = [Path(folder, f"{number}.mkv") for number in range(N_EPISODES)]
        for seed, path in enumerate(small):
            write_small(path, seed)
        for place, name in enumerate(names):
            path = Path(folder, "shelf") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(small[place % N_EPISODES], path)
        command = str(Path(sys.executable).parent / "skipintro")
        fixed = ["--model", str(SHIPPED), "--cache", f"{folder}/cache"]
        words = [command, "detect", f"{folder}/shelf", *fixed]
        detect = partial(subprocess.run, words, stdout=subprocess.DEVNULL, check=True)
        rows += [measured(f"detect, {what}", detect) for what in ("at first", "nothing new")]
    print_table("shelf", rows)


if __name__ == "__main__":
    main()

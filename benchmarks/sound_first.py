"""A season from files to sidecars, sound first and thorough; one more, one renamed; sound alone.

    python benchmarks/sound_first.py [--episodes 10] [--minutes 42] [--height 1080]

The season is drawn by ffmpeg, which must be installed: H.264 and AAC in MKV, a body of its own for
each episode that is repeated without encoding it again, and in all the same opening of 30 s with
music of its own. Beside the speed of the sound's fingerprints stands that of `fpcalc`, where it is
installed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skipintro.core.isolation import thread_map
from skipintro.detectors import SHIPPED
from skipintro.detectors.openings import load_openings
from skipintro.evidence.recording import record_sound
from tables import print_table

BODY_S, OPENING_S, SHOT_S, RATE = 20, 30, 5, 48_000


def main() -> None:
    """Draw the season, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--minutes", type=int, default=42)
    parser.add_argument("--height", type=int, default=1080)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, spare = Path(place, "Show"), Path(place, "spare")
        for each in (folder, spare):
            each.mkdir()
        draw_season(folder, arguments.episodes + 1, arguments.minutes * 60, arguments.height)
        *videos, last = sorted(folder.iterdir())
        new = last.rename(spare / last.name)
        print_table("sound_speed", sound_speed(videos, arguments.minutes * 60))
        rows: list[dict[str, float | str]] = []
        found: dict[str, dict[str, str]] = {}
        for how in ("--thorough", "--sound-first"):
            cache = Path(place, how)
            took, found[how] = detect(folder, cache, how)
            rows.append({"what": f"{how[2:]}: {len(videos)} x {arguments.minutes} min", "s": took})
            added = new.rename(folder / new.name)
            rows.append({"what": f"{how[2:]}: one more", "s": detect(folder, cache, how)[0]})
            renamed = added.rename(added.with_name("Show S01E99.mkv"))
            rows.append(
                {"what": f"{how[2:]}: that one renamed", "s": detect(folder, cache, how)[0]}
            )
            renamed.rename(new)
        print_table("sound_first", rows)
        print_table(
            "sound_first_intervals",
            [{"episode": n, **{h[2:]: found[h][n] for h in found}} for n in found[how]],
        )


def detect(folder: Path, cache: Path, how: str) -> tuple[float, dict[str, str]]:
    """Return the seconds of one command, and the intervals by episode."""
    words = [str(Path(sys.executable).parent / "skipintro"), "detect", str(folder), how]
    words += ["--model", str(SHIPPED), "--cache", str(cache), "--write", "edl", "--format", "json"]
    began = time.perf_counter()
    done = subprocess.run(words, check=True, capture_output=True)
    took = time.perf_counter() - began
    found = json.loads(done.stdout)
    return took, {Path(r["video"]).stem: f"{r['start_s']} to {r['end_s']}" for r in found}


def sound_speed(videos: list[Path], length_s: int) -> list[dict[str, float | str]]:
    """Return by program how many times as fast as it plays the sound of two videos is read."""
    settings, some = load_openings(SHIPPED).config.fingerprint, videos[:2]
    works: dict[str, Callable[[Path], object]] = {
        "skipintro": lambda video: record_sound(video, settings, length_s)
    }
    if shutil.which("fpcalc"):
        words = ["fpcalc", "-length", str(length_s)]
        works["fpcalc"] = lambda video: subprocess.run(
            [*words, str(video)],
            check=False,
            capture_output=True,  # it is 3 at the sound's end
        )
    rows: list[dict[str, float | str]] = []
    for name, work in works.items():
        with thread_map(len(some)) as mapped:
            list(mapped(work, some))  # what is read is in memory, and the child is there
            began = time.perf_counter()
            list(mapped(work, some))
            took = time.perf_counter() - began
        rows.append({"two at once": name, "times real time": len(some) * length_s / took})
    return rows


def draw_season(folder: Path, n_episodes: int, length_s: int, height: int) -> None:
    """Write the episodes; the opening of each begins at another time."""
    with tempfile.TemporaryDirectory() as place:
        opening = draw(Path(place, "opening.mkv"), 0, OPENING_S, height)
        for number in range(1, n_episodes + 1):
            body = draw(Path(place, f"{number}.mkv"), number, BODY_S, height)
            n_bodies, n_before = (length_s - OPENING_S) // BODY_S, 1 + number % 3
            parts = [body] * n_before + [opening] + [body] * (n_bodies - n_before)
            listed = Path(place, "parts.txt")
            listed.write_text("".join(f"file '{part}'\n" for part in parts), encoding="utf-8")
            words = ["-f", "concat", "-safe", "0", "-i", str(listed), "-c", "copy"]
            ffmpeg(*words, str(folder / f"Show S01E{number:02d}.mkv"))


def draw(path: Path, seed: int, length_s: int, height: int) -> Path:
    """Write shots of moving colours under grain, and music."""
    tune = path.with_suffix(".wav")
    write_tune(tune, seed, length_s)
    shots = [
        f"gradients=s=480x270:r=24:d={SHOT_S}:seed={1000 * seed + shot}:nb_colors=6:speed=0.03"
        for shot in range(length_s // SHOT_S)
    ]
    labels = "".join(f"[s{shot}]" for shot in range(len(shots)))
    graph = ";".join(f"{source}[s{shot}]" for shot, source in enumerate(shots))
    graph += f";{labels}concat=n={len(shots)},scale={height * 16 // 9}:{height},noise=alls=6:allf=t"
    ffmpeg(
        *("-i", str(tune), "-filter_complex", graph + ",format=yuv420p[v]", "-map", "[v]"),
        *("-map", "0:a", "-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-g", "120"),
        *("-c:a", "aac", "-b:a", "128k", str(path)),
    )
    return path


def write_tune(path: Path, seed: int, length_s: int) -> None:
    """Write chords of random notes, four a second, as stereo."""
    rng, step = np.random.default_rng(seed), RATE // 4
    time_s = np.arange(step) / RATE
    fade = np.exp(-4 * time_s)
    pieces = []
    for _ in range(4 * length_s):
        notes = 110 * 2 ** (rng.integers(0, 48, 3) / 12)
        tones = [np.sin(2 * np.pi * note * k * time_s) / k for note in notes for k in (1, 2, 3)]
        pieces.append(np.sum(tones, axis=0) * fade)
    mono = np.concatenate(pieces) / 8 + 0.005 * rng.standard_normal(4 * length_s * step)
    samples = (np.clip(mono, -1, 1) * 32_000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.repeat(samples, 2).tobytes())


def ffmpeg(*words: str) -> None:
    """Run ffmpeg."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words], check=True)


if __name__ == "__main__":
    main()

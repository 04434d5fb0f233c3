"""Seconds from cached fingerprints to intervals: a season of 10 episodes of 42 minutes.

Then the same where the pairs of episodes are remembered, too, and with one episode more.

The tracks are drawn: shots of 2 to 8 s whose pictures drift, sound without repetition, an opening
of 60 s and a closing roll of 40 s that all episodes share, and three shots that come back.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skipintro.detectors import SHIPPED
from skipintro.detectors.openings import load_openings, matched
from skipintro.evidence.track import Evidence, Rows, Track, unit_rows
from skipintro.library.cache import Cache
from skipintro.library.pairs import PairCache
from tables import print_table

N_EPISODES, LENGTH_S, RATE, DIMENSION = 10, 42 * 60, 4, 64
N_RUNS = 3


def pictures(generator: np.random.Generator, n: int) -> Rows:
    """Draw rows of shots, each of which drifts a little."""
    rows: list[NDArray[np.float64]] = []
    while len(rows) < n:
        shot = generator.standard_normal(DIMENSION) / np.arange(1, DIMENSION + 1) ** 0.5
        for _ in range(int(generator.integers(2 * RATE, 8 * RATE))):
            shot = shot + 0.05 * generator.standard_normal(DIMENSION) * np.abs(shot).mean()
            rows.append(shot)
    return unit_rows(np.array(rows[:n]), np.ones(n, bool))


def sound(generator: np.random.Generator, n: int) -> Rows:
    """Draw rows of which neighbours are similar, as patches that overlap are."""
    steps = generator.standard_normal((n + 7, DIMENSION))
    patches = np.lib.stride_tricks.sliding_window_view(steps, 8, axis=0).mean(axis=2)
    return unit_rows(patches, np.ones(n, bool))


def episode(seed: int) -> Evidence:
    """Draw one episode of the season."""
    n, generator = LENGTH_S * RATE, np.random.default_rng([1, seed])
    tracks = {}
    for kind, draw in (("pictures", pictures), ("sound", sound)):
        rows = draw(generator, n).copy()
        shared = np.random.default_rng([2, len(kind)])
        for length_s, at_s in ((60, 30 + 40 * seed), (40, LENGTH_S - 40), (4, 900 + 10 * seed)):
            rows[at_s * RATE : (at_s + length_s) * RATE] = draw(shared, length_s * RATE)
        change = np.append(0, 1 - np.einsum("nd,nd->n", rows[1:], rows[:-1])).astype(np.float32)
        level = np.full(n, 100.0, np.float32)
        tracks[kind] = Track(RATE, rows, level, 20 * change)
    return Evidence(tracks, float(LENGTH_S))


def main() -> None:
    """Time some runs, and say how many openings were found."""
    detector = load_openings(SHIPPED)
    *season, more = (episode(seed) for seed in range(N_EPISODES + 1))
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as folder:
        pairs = PairCache(Cache(Path(folder)), detector.config)
        contents = [str(seed) for seed in range(N_EPISODES + 1)]  # in the place of their hashes
        for what, episodes, recall, n_runs in (
            ("nothing cached", season, None, N_RUNS),
            ("pairs to be cached", season, pairs.of_season(contents), 1),
            ("pairs cached", season, pairs.of_season(contents), N_RUNS),
            ("one more", [*season, more], pairs.of_season(contents), 1),
        ):
            times, used = [], []
            for _ in range(n_runs):
                began = time.perf_counter(), time.process_time()
                predictions = detector.detect(episodes, matched(episodes, detector.config, recall))
                times.append(time.perf_counter() - began[0])
                used.append(time.process_time() - began[1])
            found = sum(
                one.interval is not None and abs(one.interval[0] - 30 - 40 * seed) <= 1
                for seed, one in enumerate(predictions)
            )
            rows.append(
                {
                    "season of 10 x 42 min": what,
                    "median s": sorted(times)[n_runs // 2],
                    "s of a processor": sorted(used)[n_runs // 2],
                    "found": float(found),
                }
            )
    print_table("season_time", rows)


if __name__ == "__main__":
    main()

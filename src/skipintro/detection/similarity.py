"""How alike the seconds of two episodes are, and the stretches that run alike in both."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST_CELLS = 1 << 20  # that are looked at together; memory goes by it, the runs do not

Matrix = NDArray[np.float32]  # (n, m): cosine of second k of one episode and second j of another


def unit_rows(vectors: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give (n, D) rows of length 1 after `centre` (D,) was taken from each.

    Without the centre all pictures are alike: a network's features share a large common part.
    """
    rows = vectors - centre
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), np.float32)


@dataclass(frozen=True, eq=False)
class Runs:
    """Stretches `[start, stop)` of one episode that run alike, second by second, in another.

    Second k of the one goes with second k + offset of the other. int64 (R,) each, strongest
    first; score: float64 (R,), the sum of (similarity - threshold).
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    offset: NDArray[np.int64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start)


def runs(similarity: Matrix, threshold: float, min_length: int, n_most: int) -> Runs:
    """Give the `n_most` strongest runs above the threshold; a gap of one second is bridged."""
    n, m = similarity.shape
    if not n * m:
        nothing = np.zeros(0, np.int64)
        return Runs(nothing, nothing, nothing, np.zeros(0))
    if m < n:  # the work grows with the square of n; an opening is laid over the episode
        found = runs(similarity.T, threshold, min_length, n_most)
        start, stop = found.start + found.offset, found.stop + found.offset
        return Runs(start, stop, -found.offset, found.score)
    n_offsets = max(1, _MOST_CELLS // n)
    parts = [
        _runs_at(similarity, np.arange(first, min(first + n_offsets, m)), threshold, min_length)
        for first in range(1 - n, m, n_offsets)
    ]
    start, stop, offset, score = (np.concatenate(each) for each in zip(*parts, strict=True))
    strongest = np.argsort(-score, kind="stable")[:n_most]
    return Runs(start[strongest], stop[strongest], offset[strongest], score[strongest])


def _runs_at(
    similarity: Matrix, offsets: NDArray[np.int64], threshold: float, min_length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Give start, stop, offset and score of the runs at some offsets, in the order of these."""
    n, m = similarity.shape
    k = np.arange(n)
    j = k + offsets[:, None]
    inside = (j >= 0) & (j < m)
    sheared = np.where(inside, similarity[k, np.clip(j, 0, m - 1)], np.float32(-np.inf))
    alike = sheared > threshold
    alike[:, 1:-1] |= alike[:, :-2] & alike[:, 2:] & inside[:, 1:-1]
    edges = np.diff(np.pad(alike.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, start = np.nonzero(edges == 1)
    _, stop = np.nonzero(edges == -1)
    sums = np.pad(
        np.cumsum(np.where(alike, sheared - threshold, 0), axis=1, dtype=np.float64),
        ((0, 0), (1, 0)),
    )
    score = sums[row, stop] - sums[row, start]
    long = stop - start >= min_length
    return start[long], stop[long], offsets[row[long]], score[long]


def mean_along(similarity: Matrix, start: int, stop: int) -> NDArray[np.float64]:
    """Give the mean similarity of `[start, stop)` laid onto every place of the other episode.

    float64 (m - length + 1,), by the second of the other episode where it is laid; empty where
    the other one is shorter.
    """
    length = stop - start
    places = similarity.shape[1] - length + 1
    total = np.zeros(max(0, places))
    for step in range(length if places > 0 else 0):
        total += similarity[start + step, step : step + places]
    return total / length


def overlap(
    interval: tuple[int, int], start: NDArray[np.int64], stop: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the intersection over the hull of one interval and each of many; 0 where apart."""
    shared = np.minimum(interval[1], stop) - np.maximum(interval[0], start)
    hull = np.maximum(interval[1], stop) - np.minimum(interval[0], start)
    return np.asarray(np.maximum(0, shared) / hull)

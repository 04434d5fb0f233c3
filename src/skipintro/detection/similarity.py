"""How alike the seconds of two episodes are, and the stretches that run alike in both."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    if m < n:  # the work grows with the square of n; an opening is laid over the episode
        found = runs(similarity.T, threshold, min_length, n_most)
        start, stop = found.start + found.offset, found.stop + found.offset
        return Runs(start, stop, -found.offset, found.score)
    sheared = np.full((max(0, n + m - 1), n), -np.inf, np.float32)  # row: offset + n - 1, column: k
    k, j = np.arange(n)[:, None], np.arange(m)[None, :]
    sheared[j - k + n - 1, np.broadcast_to(k, (n, m))] = similarity
    alike = sheared > threshold
    alike[:, 1:-1] |= alike[:, :-2] & alike[:, 2:] & np.isfinite(sheared[:, 1:-1])
    edges = np.diff(np.pad(alike.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, start = np.nonzero(edges == 1)
    _, stop = np.nonzero(edges == -1)
    sums = np.pad(
        np.cumsum(np.where(alike, sheared - threshold, 0), axis=1, dtype=np.float64),
        ((0, 0), (1, 0)),
    )
    score = sums[row, stop] - sums[row, start]
    long_enough = np.flatnonzero(stop - start >= min_length)
    order = long_enough[np.argsort(-score[long_enough], kind="stable")][:n_most]
    return Runs(start[order], stop[order], row[order] - (n - 1), score[order])


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

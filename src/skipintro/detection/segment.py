"""The stretch of a sequence of scores that adds up to most."""

import numpy as np
from numpy.typing import NDArray


def maximum_sum_segment(scores: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return [start, end) of the stretch of `scores` (N,) with the largest sum; None if all <= 0.

    The maximum-sum segment (Bentley, Programming Pearls, column 8): a short dip does not split
    it. Of equal sums the earliest and shortest wins.
    """
    best, best_sum = None, 0.0
    start, running = 0, 0.0
    for index, score in enumerate(scores.tolist()):
        if running <= 0:
            start, running = index, 0.0
        running += score
        if running > best_sum:
            best, best_sum = (start, index + 1), running
    return best

"""The ends of an opening: means over the candidates that are nearly as good as the best one.

The ends of two candidates a moment apart often score nearly the same, so that a small change of the
evidence makes the other one the best. Means change as little as the evidence does, and are nearer
to the truth.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


class EndsSettings(BaseModel):
    """Which candidates count for the ends of the best one; the defaults ship."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    within_s: float = Field(default=1.5, ge=0)  # of either end of the best
    score_range: float = Field(default=0.06, gt=0)  # below its score, where a weight becomes 0


def mean_ends(
    spans_s: NDArray[np.float64], scores: NDArray[np.float64], best: int, settings: EndsSettings
) -> tuple[float, float]:
    """Return the start and the end of candidate `best`, s.

    spans_s (C, 2), scores (C,): of all candidates that may count. A weight is 1 at the score of
    `best`, and falls to 0 at `score_range` below it; none counts for more.
    """
    is_near = np.abs(spans_s - spans_s[best]).max(axis=1) <= settings.within_s
    weights = np.clip(1 - (scores[best] - scores[is_near]) / settings.score_range, 0, 1)
    start, end = (weights[:, None] * spans_s[is_near]).sum(axis=0) / weights.sum()
    return float(start), float(end)

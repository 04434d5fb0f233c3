"""Bounds that a user sets on the interval of an episode, beside the detector's own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skipintro.detection.episode import Prediction


@dataclass(frozen=True)
class Limits:
    """What an interval must have to be reported."""

    min_confidence: float | None = None  # None: as much as the detector requires
    min_length_s: float = 0.0
    max_length_s: float = float("inf")

    def allow(self, start_s: float, end_s: float) -> bool:
        """Return whether an interval is neither too short nor too long."""
        return self.min_length_s <= end_s - start_s <= self.max_length_s

    def applied_to(self, prediction: "Prediction") -> "Prediction":
        """Return a prediction without its interval where that is not allowed.

        For a detector that has one candidate an episode; others leave out candidates before.
        """
        from skipintro.detection.episode import Prediction  # noqa: PLC0415  numpy

        if prediction.interval is None:
            return prediction
        is_sure = (prediction.confidence or 0.0) >= (self.min_confidence or 0.0)
        if is_sure and self.allow(*prediction.interval):
            return prediction
        return Prediction(None, None, prediction.probabilities)

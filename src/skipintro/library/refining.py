"""From what a detector found to what a player may skip: confidence, cuts, lengths, pads."""

from collections.abc import Callable
from dataclasses import dataclass

from skipintro.library.answers import Answer
from skipintro.sidecars.finding import Finding


@dataclass(frozen=True)
class Rule:
    """What is taken, and how far it reaches; the defaults take all as it was found."""

    min_confidence: float = 0.0
    min_length_s: float = 0.0
    max_length_s: float = float("inf")
    snap: bool = False
    pad_start_s: float = 0.0  # added before; negative: the skip begins later
    pad_end_s: float = 0.0


def refine(answer: Answer, rule: Rule, snapped: Callable[[Answer, float], float]) -> Finding:
    """Give the finding; times are whole milliseconds within the video.

    `snapped` gives the time of the nearest change of picture.
    """
    interval = answer.interval
    if interval is not None and (answer.confidence or 0.0) < rule.min_confidence:
        interval = None
    if interval is not None:
        start_s, end_s = interval
        if rule.snap:
            start_s, end_s = snapped(answer, start_s), snapped(answer, end_s)
        allowed = rule.min_length_s <= end_s - start_s <= rule.max_length_s
        start_s = round(max(0.0, start_s - rule.pad_start_s), 3)
        end_s = round(min(answer.length_s, end_s + rule.pad_end_s), 3)
        interval = (start_s, end_s) if allowed and start_s < end_s else None
    return Finding(
        video=answer.video,
        series=answer.series,
        length_s=answer.length_s,
        interval=interval,
        confidence=None if interval is None else answer.confidence,
    )

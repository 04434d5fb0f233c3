"""From what was found to what a player may skip: cuts and pads."""

from collections.abc import Callable
from dataclasses import dataclass

from skipintro.library.enums import Source
from skipintro.library.results import Answer
from skipintro.sidecars.result import Finding


@dataclass(frozen=True)
class Rule:
    """How far an interval of the detector's reaches; the defaults take it as it was found."""

    snap: bool = False
    pad_start_s: float = 0.0  # added before; negative: the skip begins later
    pad_end_s: float = 0.0


def refine(answer: Answer, rule: Rule, snapped: Callable[[Answer, float], float]) -> Finding:
    """Return the finding; times are whole milliseconds within the video.

    What a person or the file itself says is taken as it is. `snapped` returns the time of the
    nearest change of picture.
    """
    intervals = list(answer.intervals)
    if answer.source is Source.DETECTOR:
        intervals = []
        for start_s, end_s in answer.intervals:
            if rule.snap:
                start_s, end_s = snapped(answer, start_s), snapped(answer, end_s)  # noqa: PLW2901
            since = round(max(0.0, start_s - rule.pad_start_s), 3)
            until = round(min(answer.length_s, end_s + rule.pad_end_s), 3)
            if intervals and since < intervals[-1][1]:  # padded into each other
                since = intervals.pop()[0]
            if since < until:
                intervals.append((since, until))
    interval = next(iter(intervals), None)
    return Finding(
        video=answer.video,
        series=answer.series,
        length_s=answer.length_s,
        interval=interval,
        confidence=None if interval is None else answer.confidence,
        source=answer.source,
        chapters=answer.chapters,
        further=tuple(intervals[1:]),
    )

"""From what was found to what a player may skip: cuts and pads."""

from collections.abc import Callable
from dataclasses import dataclass

from skipintro.library.enums import Source
from skipintro.library.results import Result
from skipintro.sidecars.result import Finding


@dataclass(frozen=True)
class Rule:
    """How far an interval of the detector's reaches; the defaults take it as it was found."""

    snap: bool = False
    pad_start_s: float = 0.0  # added before; negative: the skip begins later
    pad_end_s: float = 0.0


def refine(result: Result, rule: Rule, snapped: Callable[[Result, float], float]) -> Finding:
    """Return the finding; times are whole milliseconds within the video.

    What a person or the file itself says is taken as it is. `snapped` returns the time of the
    nearest change of picture.
    """
    intervals = list(result.intervals)
    if result.source is Source.DETECTOR:
        intervals = []
        for start_s, end_s in result.intervals:
            if rule.snap:
                start_s, end_s = snapped(result, start_s), snapped(result, end_s)  # noqa: PLW2901  moved
            since = round(max(0.0, start_s - rule.pad_start_s), 3)
            until = round(min(result.length_s, end_s + rule.pad_end_s), 3)
            if intervals and since < intervals[-1][1]:  # padded into each other
                since = intervals.pop()[0]
            if since < until:
                intervals.append((since, until))
    interval = next(iter(intervals), None)
    return Finding(
        video=result.video,
        series=result.series,
        length_s=result.length_s,
        interval=interval,
        confidence=None if interval is None else result.confidence,
        source=result.source,
        chapters=result.chapters,
        further=tuple(intervals[1:]),
    )

"""From the answers for whole series to the rows of the videos that were asked for."""

from collections.abc import Callable, Sequence

from skipintro.core.errors import InputError
from skipintro.library.answers import Answer
from skipintro.library.detecting import Detection
from skipintro.library.memory import MemoryUnusableError
from skipintro.library.output import Row
from skipintro.library.refining import Rule, refine
from skipintro.library.walking import Series
from skipintro.sidecars.finding import Finding


def asked_rows(
    detection: Detection, groups: Sequence[Series], row: Callable[[Answer], Row]
) -> list[Row]:
    """Give a row a video, in the order of their series and names.

    `row` is called as soon as a series is answered.
    """
    asked = [video for group in groups for video in group.videos if video in group.asked]
    place = {video: number for number, video in enumerate(asked)}
    rows = [
        row(answer)
        for answers in detection.answers(groups)
        for answer in answers
        if answer.video in place
    ]
    return sorted(rows, key=lambda row: place[row.finding.video])


def row_of(answer: Answer, rule: Rule, snapped: Callable[[Answer, float], float]) -> Row:
    """Give the refined finding, or none with its fault; `snapped` as `refine` has it."""
    fault = answer.fault
    if not fault:
        try:
            return Row(refine(answer, rule, snapped))
        except MemoryUnusableError:
            raise
        except InputError as error:
            fault = str(error)
    return Row(Finding(answer.video, answer.series, 0.0, None, None), fault)

"""What a person decides of one doubt, and the override that says so."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from skipintro.detection.episode import Interval
from skipintro.episodes.annotations import CorrectionRule, Override, format_time
from skipintro.episodes.labels import parse_time
from skipintro.review.label_issues import Doubt
from skipintro.review.overrides import Entry
from skipintro.service.http_errors import RefusalError

EXAMPLE = '{"id": "…", "kind": "correct", "start_s": 70, "end_s": 85, "seen": null}'

_REASONS = {
    "accept": "reviewed: the label is right",
    "correct": "reviewed: corrected",
    "no_intro": "reviewed: no intro",
}
Second = Annotated[float, Field(ge=0, lt=1e7, allow_inf_nan=False)]


class Decision(BaseModel):
    """The body of `POST /decisions`; the times are those of `correct`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str
    kind: Literal["accept", "correct", "no_intro", "skip", "undo"]
    start_s: Second | None = None
    end_s: Second | None = None
    reason: str = Field(default="", max_length=500)
    seen: Override | None  # the entry of the overrides file when the person looked


def entry_of(decision: Decision, doubt: Doubt, rule: CorrectionRule) -> Entry:
    """Return the override of an accepted label, of a correction, or of no intro.

    Of several intervals the first is corrected, and the further ones stay as they are.
    Raises RefusalError (422) for an interval that the annotate stage would not take.
    """
    interval: Interval | None = None
    further: tuple[Interval, ...] = ()
    if decision.kind == "accept":
        if not doubt.usable:
            raise _refused(doubt, "the label cannot be used; correct it, or say: no intro")
        interval, further = doubt.label, doubt.further
    elif decision.kind == "correct":
        if decision.start_s is None or decision.end_s is None:
            raise _refused(doubt, "expected both start and end; set the other one, too")
        interval = round(decision.start_s, 3), round(decision.end_s, 3)
        further = doubt.further if decision.seen is None else decision.seen.further
    reason = decision.reason.strip() or _REASONS[decision.kind]
    if interval is None:
        return {"start": None, "end": None, "reason": reason}
    for each in (interval, *further):
        _check(each, doubt, rule)
    if further and further[0][0] < interval[1]:
        raise _refused(
            doubt, f"the next one begins at {format_time(further[0][0])}, before it ends"
        )
    times = [[_written(second) for second in each] for each in (interval, *further)]
    if further:
        return {"intervals": times, "reason": reason}
    return {"start": times[0][0], "end": times[0][1], "reason": reason}


def _check(interval: Interval, doubt: Doubt, rule: CorrectionRule) -> None:
    start_s, end_s = interval
    if start_s >= end_s:
        raise _refused(
            doubt,
            f"the start {format_time(start_s)} does not lie before the end {format_time(end_s)}",
        )
    if end_s > doubt.n_seconds:
        raise _refused(
            doubt,
            f"the end {format_time(end_s)} lies after the episode's end "
            f"({format_time(doubt.n_seconds)})",
        )
    length_s = round(end_s - start_s, 6)
    if not rule.min_length_s <= length_s <= rule.max_length_s:
        raise _refused(
            doubt,
            f"a length of {length_s:g} s lies outside {rule.min_length_s:g} to "
            f"{rule.max_length_s:g} s (annotate.min_length_s and max_length_s in params.yaml)",
        )


def _written(second: float) -> str | float:
    """Return a time as a person would write it, where that loses nothing."""
    text = format_time(second)
    return text if parse_time("", text) == second else second


def _refused(doubt: Doubt, fault: str) -> RefusalError:
    return RefusalError(422, f"{doubt.id}: {fault}; nothing is written")

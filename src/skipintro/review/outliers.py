"""Names labels that do not fit the others of their series; it looks at labels alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from pydantic import BaseModel, ConfigDict, Field

from skipintro.episodes.annotations import Annotation, Status, format_time

LEAST_EPISODES = 3  # of a series that have an interval; of fewer none is the odd one out

# A normal distribution's standard deviation over its median absolute deviation, by which the
# latter estimates the former (Rousseeuw and Croux 1993, JASA 88:1273).
DEVIATION_OF_MAD = 1.4826


class SuspicionRule(BaseModel):
    """How far from its series a label may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deviations: float = Field(ge=0)  # standard deviations from the median, by the MAD
    length_off_s: float = Field(gt=0)  # s from the median length that are always allowed
    start_off_s: float = Field(gt=0)  # s from the median start that are always allowed
    shifted_length_off_s: float = Field(gt=0)  # s of a shifted label from the nearest length


class Suspicious(BaseModel):
    """A label to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    split: str
    series: str
    reason: str
    score: float  # how far off, over what is allowed; more than 1
    start_s: float = Field(exclude=True)  # corrected, which the reason shows as times
    end_s: float = Field(exclude=True)


@dataclass(frozen=True)
class _Interval:
    id: str
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return round(self.end_s - self.start_s, 6)  # times have six decimals at most


def suspicious(annotations: Sequence[Annotation], rule: SuspicionRule) -> list[Suspicious]:
    """Return the labels that do not fit, the most suspicious first; of one score, in their order.

    A label does not fit where its length or its start is far from the series' median, or where
    its start was shifted and its length is near to that of no other. Only labels with an interval
    count, and only series of LEAST_EPISODES or more. An episode that has the same label in both
    splits counts once, and is named for each.
    """
    of_series: dict[str, list[tuple[Annotation, _Interval]]] = {}
    for one in annotations:
        if one.start_s is not None and one.end_s is not None:
            interval = _Interval(one.id, one.start_s, one.end_s)
            of_series.setdefault(one.series, []).append((one, interval))
    found = []
    for labels in of_series.values():
        distinct = list(dict.fromkeys(interval for _, interval in labels))
        if len({interval.id for interval in distinct}) < LEAST_EPISODES:
            continue
        for annotation, interval in labels:
            label = _suspicious(annotation, interval, distinct, rule)
            if label is not None:
                found.append(label)
    return sorted(found, key=lambda label: -label.score)


def _suspicious(
    annotation: Annotation, label: _Interval, series: Sequence[_Interval], rule: SuspicionRule
) -> Suspicious | None:
    shifted = annotation.status is Status.SHIFTED
    others = [other for other in series if other.id != label.id]
    lengths_s, starts_s = [one.length_s for one in others], [one.start_s for one in others]
    nearest_s = min(lengths_s, key=lambda length_s: abs(length_s - label.length_s))
    apart_s = round(abs(nearest_s - label.length_s), 6)
    the_others = f"the {len(others)} others of its series"

    length = _off(label.length_s, [one.length_s for one in series], rule.length_off_s, rule)
    start = _off(label.start_s, [one.start_s for one in series], rule.start_off_s, rule)
    shifted_off = apart_s / rule.shifted_length_off_s if shifted else 0.0
    faults = []
    if length > 1:
        range_s = _range(label.length_s, lengths_s, "{:g}".format)
        faults.append(f"is {label.length_s:g} s long; {the_others} are {range_s} s")
    elif shifted_off > 1:
        nearest = f"the nearest in length of {the_others} is {nearest_s:g} s"
        faults.append(f"is {label.length_s:g} s long; {nearest}")
    if start > 1:
        starts = _range(label.start_s, starts_s, format_time)
        faults.append(f"starts at {format_time(label.start_s)}; {the_others} start at {starts}")
    if not faults:
        return None
    span = (
        f"{format_time(label.start_s)} to {format_time(label.end_s)}" + " (start shifted)" * shifted
    )
    return Suspicious(
        id=annotation.id,
        split=annotation.split,
        series=annotation.series,
        reason=f"{span} {'; it also '.join(faults)}",
        score=round(max(length, shifted_off, start), 3),
        start_s=label.start_s,
        end_s=label.end_s,
    )


def _off(value_s: float, series_s: Sequence[float], always_s: float, rule: SuspicionRule) -> float:
    """Return how far a value is from the series' median, over what is allowed."""
    middle_s = median(series_s)
    mad_s = median(abs(one_s - middle_s) for one_s in series_s)
    allowed_s = max(always_s, rule.deviations * DEVIATION_OF_MAD * mad_s)
    return round(abs(value_s - middle_s), 6) / allowed_s


def _range(own_s: float, others_s: Sequence[float], written: Callable[[float], str]) -> str:
    """Return lowest and highest, and the median where the two alone do not show what is off."""
    low_s, high_s = min(others_s), max(others_s)
    if low_s == high_s:
        return written(low_s)
    ends = f"{written(low_s)} to {written(high_s)}"
    return f"{ends}, median {written(median(others_s))}" if low_s <= own_s <= high_s else ends

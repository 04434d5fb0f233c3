"""Turns raw labels into corrected annotations; no label is changed, each correction is recorded."""

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from skipintro.core.errors import InputError
from skipintro.episodes.labels import (
    Interval,
    Label,
    check_episode_id,
    parse_ends,
    read_json_object,
)
from skipintro.episodes.spelling import normalize_title


class Status(StrEnum):
    """What became of a raw label."""

    AS_LABELLED = "as_labelled"
    SHIFTED = "shifted"
    OVERRIDDEN = "overridden"
    NO_INTRO = "no_intro"
    UNUSABLE = "unusable"


class Annotation(BaseModel):
    """The corrected label of one episode: `[start_s, end_s)`, or None for both, and why.

    `further` are the intervals after that one, of a file of several episodes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    id: str
    series: str
    raw_start_s: float | None
    raw_end_s: float | None
    start_s: float | None
    end_s: float | None
    further: tuple[Interval, ...] = Field(default=(), exclude_if=lambda found: not found)
    status: Status
    reason: str
    tags: tuple[str, ...] = ()  # as the label file has them

    @property
    def usable(self) -> bool:
        """Whether the truth of this episode is known: it has an interval, or surely no intro."""
        return self.status is not Status.UNUSABLE

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """All intervals, in the order of time; () where there is none."""
        if self.start_s is None or self.end_s is None:
            return ()
        return (self.start_s, self.end_s), *self.further

    def intro_frames(self, n_seconds: int) -> range:
        """Return the frames k with start_s <= k < end_s; empty where there is no intro.

        Of several intervals it is the first one's: the write-up knows one an episode.
        """
        if self.start_s is None or self.end_s is None:
            return range(0)
        return range(math.ceil(self.start_s), min(math.ceil(self.end_s), n_seconds))


class Annotations(BaseModel):
    """Every episode of the source, in the order of the label files, train before test."""

    model_config = ConfigDict(extra="forbid")

    episodes: list[Annotation]
    leaked: list[str]

    def of_split(self, split: str) -> list[Annotation]:
        """Return one split's annotations, in the label file's order."""
        return [episode for episode in self.episodes if episode.split == split]


class Override(BaseModel):
    """A hand-written correction; both times None: the episode has no intro."""

    model_config = ConfigDict(frozen=True)

    start_s: float | None
    end_s: float | None
    reason: str
    further: tuple[Interval, ...] = Field(default=(), exclude_if=lambda found: not found)


class CorrectionRule(BaseModel):
    """When a label is shifted and when it is believed; all in seconds."""

    model_config = ConfigDict(frozen=True)

    inversion_shift_s: float
    min_length_s: float
    max_length_s: float


def correct(
    label: Label, rule: CorrectionRule, override: Override | None = None
) -> tuple[float | None, float | None, Status, str]:
    """Return (start_s, end_s, status, reason) of a raw label; an override wins over the rule.

    Where start > end, `inversion_shift_s` is taken from start; if then start < end it is
    the label (the rule of the public label files of this task). Start and end are None for
    no intro and for a label that cannot be used.
    """
    if override is not None:
        return override.start_s, override.end_s, Status.OVERRIDDEN, override.reason
    start, end = label.start_s, label.end_s
    if start is None or end is None:
        return None, None, Status.NO_INTRO, "start and end are null"
    status, reason = Status.AS_LABELLED, "start lies before end"
    if start > end:
        shifted = start - rule.inversion_shift_s
        fault = f"start {start:g} s lies after end {end:g} s"
        if not 0 <= shifted < end:
            return None, None, Status.UNUSABLE, f"{fault}, and shifting it does not repair that"
        start, status = shifted, Status.SHIFTED
        reason = f"{fault}; {rule.inversion_shift_s:g} s taken from start"
    for since, until in ((start, end), *label.further):
        length = round(until - since, 6)  # times have six decimals at most; 2.3 - 1.3 is one second
        if not max(rule.min_length_s, 1e-9) <= length <= rule.max_length_s:
            bounds = f"{rule.min_length_s:g} to {rule.max_length_s:g} s"
            return None, None, Status.UNUSABLE, f"a length of {length:g} s lies outside {bounds}"
    return start, end, status, reason


def annotate(
    split: str, episode: str, label: Label, rule: CorrectionRule, override: Override | None = None
) -> Annotation:
    """Return the annotation of one episode."""
    start_s, end_s, status, reason = correct(label, rule, override)
    further = label.further if override is None else override.further
    return Annotation(
        split=split,
        id=episode,
        series=unicodedata.normalize("NFC", label.series or series_of(label.name) or episode),
        raw_start_s=label.start_s,
        raw_end_s=label.end_s,
        start_s=start_s,
        end_s=end_s,
        further=() if start_s is None else further,
        status=status,
        reason=reason,
        tags=label.tags,
    )


def series_of(name: str) -> str:
    """Return the series' name in an episode's name such as `Show. Season 1, episode 2`."""
    return name.split(". ", maxsplit=1)[0].strip()


def unify_series(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return the episodes of a series the first one's name of it, where they spell it otherwise."""
    first: dict[str, str] = {}  # by spelling
    named = (
        (a, first.setdefault(normalize_title(a.series) or a.series, a.series)) for a in annotations
    )
    return [a if a.series == name else a.model_copy(update={"series": name}) for a, name in named]


def without_siblings(annotations: Iterable[Annotation]) -> list[str]:
    """Return the ids of episodes whose series has no other, in either split."""
    ids: dict[str, set[str]] = {}
    for each in annotations:
        ids.setdefault(each.series, set()).add(each.id)
    return [id_ for episodes in ids.values() if len(episodes) == 1 for id_ in episodes]


def format_singletons(ids: Sequence[str]) -> str:
    """Say what `without_siblings` has found, in one line, with the remedy."""
    named = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
    return (
        f"{len(ids)} episodes have no sibling, by which the series detector goes: {named}; "
        "if they have, give them one `series`, or names such as `Show. Episode 2`"
    )


def format_interval(interval: tuple[float, float]) -> str:
    """Write an interval as people read it."""
    return f"{format_time(interval[0])} to {format_time(interval[1])}"


def check_within(place: str, annotation: Annotation, n_seconds: int) -> None:
    """Raise InputError where a corrected label ends after its episode (`n_seconds` rounded up)."""
    for _, end_s in annotation.intervals:
        if end_s <= n_seconds:
            continue
        raise InputError(
            f"{place}: {annotation.id}: end {format_time(end_s)} lies after the "
            f"episode's end ({n_seconds} s); correct the label, override it or drop the episode"
        )


def read_overrides(path: Path) -> dict[str, Override]:
    """Read `{id: {"start", "end", "reason"}}`, written by hand; both times null: no intro.

    `intervals` may stand in place of start and end, as in a label file. Raises InputError naming
    the file, the episode and the remedy.
    """
    overrides = {}
    for episode, fields in read_json_object(path, "write {} into it for no overrides").items():
        check_episode_id(str(path), episode)
        overrides[episode] = _override(f"{path}: {episode}", fields)
    return overrides


def _override(place: str, fields: Any) -> Override:
    known = [{"start", "end", "reason"}, {"intervals", "reason"}]
    if not isinstance(fields, Mapping) or set(fields) not in known:
        raise InputError(
            f"{place}: expected exactly start, end and reason, or intervals and reason; correct it"
        )
    start_s, end_s, further = parse_ends(place, fields)
    if start_s is not None and end_s is not None and start_s >= end_s:
        raise InputError(f"{place}: start does not lie before end; correct it")
    if not isinstance(fields["reason"], str) or not fields["reason"].strip():
        raise InputError(f"{place}: reason: say why the label is overridden")
    return Override(start_s=start_s, end_s=end_s, reason=fields["reason"], further=further)


def format_time(seconds: float) -> str:
    """Return `H:MM:SS`, with as many decimals as there are, three at most."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    fraction = f".{thousandths:03d}".rstrip("0") if thousandths else ""
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}{fraction}"

"""Published rules that find an opening by the sound that episodes share.

Media servers compare Chromaprint points of the first part of each episode with those of its
siblings, and keep the longest stretch that two share; what is silent in both is shared as well. The
rules differ in where they look for it: at the offset at which the most points are equal, or at
every offset, and then the ends are moved to silence. They look for silence in samples, and here it
is found from the loudest sample from one point to the next.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from skipintro.detection.episode import Episode, Interval
from skipintro.evidence.chroma import POINT_S, Points, points_of_track
from skipintro.evidence.track import Curve, Track

_COMPARED = 1 << 20  # pairs of points at a time

_Ints = NDArray[np.int64]
_Floats = NDArray[np.floating]


class SilenceRule(BaseModel):
    """How the ends of a stretch are moved to silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    below_db: float = Field(le=0)  # of full scale, the loudest sample
    min_length_s: float = Field(gt=0)
    within_s: float = Field(gt=0)  # of an end


class AudioRules(BaseModel):
    """What makes a shared stretch of sound an opening, by the numbers that were published."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    shift: int = Field(ge=0)  # by which the values of two points may differ to count for an offset
    max_bits: int = Field(ge=0, le=32)  # of 32, in which two points of a stretch may differ
    gap_s: float = Field(ge=0)  # between similar points, up to which it is one stretch
    min_length_s: float = Field(gt=0)  # of a stretch
    short_min_length_s: float = Field(gt=0)  # the same, of the rules named `_short`
    max_length_s: float = Field(gt=0)
    share: float = Field(gt=0, le=1)  # of an episode, from its beginning, that is searched,
    limit_s: float = Field(gt=0)  # but no more than so much
    silence: SilenceRule  # of the rule that moves ends to it

    @model_validator(mode="after")
    def _has_lengths(self) -> "AudioRules":
        if max(self.min_length_s, self.short_min_length_s) > self.max_length_s:
            raise ValueError(
                f"min_length_s {self.min_length_s} or short_min_length_s "
                f"{self.short_min_length_s} exceeds max_length_s {self.max_length_s}"
            )
        return self

    def by_name(self) -> dict[str, "AudioRule"]:
        """Return the two rules, and each once more with another least length."""
        longest_run = AudioRule(
            offset="longest_run",
            **{name: value for name, value in self if name != "short_min_length_s"},
        )
        most_points = replace(longest_run, offset="most_points", silence=None)
        short = self.short_min_length_s
        return {
            "sound_most_points": most_points,
            "sound_longest_run": longest_run,
            "sound_most_points_short": replace(most_points, min_length_s=short),
            "sound_longest_run_short": replace(longest_run, min_length_s=short),
        }


@dataclass(frozen=True)
class AudioRule:
    """One rule; numbers as in `AudioRules`."""

    offset: Literal["most_points", "longest_run"]  # which one of two episodes is looked at
    shift: int
    max_bits: int
    gap_s: float
    min_length_s: float
    max_length_s: float
    share: float
    limit_s: float
    silence: SilenceRule | None  # None: ends stay where points say


@dataclass(frozen=True)
class SharedRun:
    """A stretch that two episodes share, in points from the beginning of each."""

    first: int  # its start in the one
    second: int  # and in the other
    length: int


def predict_by_rule(
    episodes: Sequence[Episode], others: Sequence[Episode], rule: AudioRule
) -> list[Interval | None]:
    """Return what a rule finds in each episode, whose series' others serve as siblings.

    An episode that is among the others as well is no sibling of itself. One without sound has
    no interval.
    """
    seasons: dict[str, dict[str, Track]] = defaultdict(dict)
    for one in (*others, *episodes):
        if (track := one.fingerprints.tracks.get("chroma")) is not None:
            seasons[one.series][one.id] = track
    found: dict[tuple[str, str], Interval | None] = {}
    for series in dict.fromkeys(one.series for one in episodes):
        season = dict(sorted(seasons[series].items()))
        points = [points_of_track(track) for track in season.values()]
        levels = [track.level for track in season.values()]
        predicted = intervals_by_audio(points, levels, rule)
        found |= {(series, id_): interval for id_, interval in zip(season, predicted, strict=True)}
    return [found.get((one.series, one.id)) for one in episodes]


def intervals_by_audio(
    points: Sequence[Points], levels: Sequence[Curve], rule: AudioRule
) -> list[Interval | None]:
    """Return what a rule finds in each of the episodes of one series.

    points: of each episode, from its beginning. levels: dB of full scale, the loudest sample from
    one point to the next; they may be more, as sound goes on after the last point. Of stretches of
    equal length, the one that is shared with the earlier sibling wins.
    """
    searched = [
        one[: _n_searched(one, level, rule)] for one, level in zip(points, levels, strict=True)
    ]
    longest: list[tuple[int, int] | None] = [None] * len(searched)  # start and length, in points
    for one, other in combinations(range(len(searched)), 2):
        run = shared_run(searched[one], searched[other], rule)
        if run is not None:
            for index, start in ((one, run.first), (other, run.second)):
                best = longest[index]
                if best is None or run.length > best[1]:
                    longest[index] = start, run.length
    return [
        None if run is None else _interval(*run, level, rule)
        for run, level in zip(longest, levels, strict=True)
    ]


def shared_run(first: Points, second: Points, rule: AudioRule) -> SharedRun | None:
    """Return the longest stretch of a length that the rule allows; None where there is none."""
    offsets, counts = _offsets(first, second, rule.shift)
    if rule.offset == "most_points" and len(offsets):
        offsets = offsets[[counts.argmax()]]  # of equal ones, the first
    best: SharedRun | None = None
    for start, length, offset in _longest_of_blocks(first, second, offsets, rule):
        if best is None or length > best.length:
            best = SharedRun(first=start, second=start + offset, length=length)
    return best


def _n_searched(points: Points, level: Curve, rule: AudioRule) -> int:
    """Return the points of the part that is searched."""
    length_s = max(len(points), len(level)) * POINT_S
    return int(min(rule.share * length_s, rule.limit_s) / POINT_S)


def _offsets(first: Points, second: Points, shift: int) -> tuple[_Ints, _Ints]:
    """Return the offsets at which points are equal, ascending, and how many of each.

    A value counts with its first place alone, so that silence counts once.
    """
    values, at = np.unique(first.astype(np.int64), return_index=True)
    others, there = np.unique(second.astype(np.int64), return_index=True)
    found = [np.zeros(0, np.int64)]
    if len(others):
        for step in range(-shift, shift + 1):
            place = np.minimum(np.searchsorted(others, values + step), len(others) - 1)
            is_equal = others[place] == values + step
            found.append(there[place[is_equal]] - at[is_equal])
    offsets, counts = np.unique(np.concatenate(found), return_counts=True)
    return offsets, counts


def _longest_of_blocks(
    first: Points, second: Points, offsets: _Ints, rule: AudioRule
) -> Iterator[tuple[int, int, int]]:
    """Yield start, length and offset of the longest stretch of each block of offsets."""
    at = np.arange(len(first))
    size = max(1, _COMPARED // max(1, len(first)))
    for begin in range(0, len(offsets), size):
        block = offsets[begin : begin + size]
        there = at + block[:, None]  # (offsets, points)
        is_inside = (there >= 0) & (there < len(second))
        n_bits = np.bitwise_count(first ^ second[there.clip(0, len(second) - 1)])
        row, similar = np.nonzero(is_inside & (n_bits <= rule.max_bits))
        is_new = (np.diff(row) != 0) | (np.diff(similar) * POINT_S > rule.gap_s)
        begins = np.flatnonzero(np.append(len(row) > 0, is_new))
        ends = np.append(begins[1:], len(row)) - 1
        lengths = similar[ends] - similar[begins] + 1 if len(begins) else np.zeros(0, np.int64)
        length_s = lengths * POINT_S
        is_allowed = (length_s >= rule.min_length_s) & (length_s <= rule.max_length_s)
        if is_allowed.any():
            longest = np.where(is_allowed, lengths, 0).argmax()
            start = begins[longest]
            yield int(similar[start]), int(lengths[longest]), int(block[row[start]])


def _interval(start: int, length: int, level: Curve, rule: AudioRule) -> Interval:
    """Return a stretch in seconds, with its ends at silence where there is some near.

    It begins where a silence ends, and ends where one begins; no end crosses the middle.
    """
    start_s, end_s = start * POINT_S, (start + length) * POINT_S
    if rule.silence is None:
        return start_s, end_s
    begins, ends = _silences(level, rule.silence)
    middle_s, within_s = (start_s + end_s) / 2, rule.silence.within_s
    return (
        _nearest(ends[ends < middle_s], start_s, within_s),
        _nearest(begins[begins > middle_s], end_s, within_s),
    )


def _silences(level: Curve, rule: SilenceRule) -> tuple[_Floats, _Floats]:
    """Return the beginnings and the ends of what is silent long enough, in seconds.

    As fine as points, an eighth of a second: a step is silent where all of it is, so that a silence
    is one step longer, more or less, than the steps that show it.
    """
    steps = np.diff((level < rule.below_db).astype(np.int8), prepend=0, append=0)
    begins = np.flatnonzero(steps > 0) * POINT_S
    ends = np.flatnonzero(steps < 0) * POINT_S
    is_long = ends - begins + POINT_S >= rule.min_length_s
    return begins[is_long], ends[is_long]


def _nearest(times: _Floats, time_s: float, within_s: float) -> float:
    """Return the nearest time, or `time_s` where none is near enough."""
    if not len(times):
        return time_s
    nearest = float(times[np.abs(times - time_s).argmin()])
    return nearest if abs(nearest - time_s) <= within_s else time_s

"""Published rules that find an opening by the sound that episodes share.

Media servers compare Chromaprint points of the first part of each episode with those of its
siblings, and keep the longest stretch that two share. `PUBLISHED_RULES` has the numbers of two
such rules, and each once more with a least length of 3 s. What is silent in both is shared as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from skipintro.detection.episode import Interval
from skipintro.evidence.chromaprint import POINT_S, Points
from skipintro.evidence.track import Curve

LOUDNESS_RATE = 100  # values a second
_QUIETEST = 1e-5  # of a sample: -100 dB
_COMPARED = 1 << 20  # pairs of points at a time

_Ints = NDArray[np.int64]


class SilenceRule(BaseModel):
    """How the ends of a stretch are moved to silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    below_db: float = Field(le=0)  # of full scale, the loudest sample
    min_length_s: float = Field(gt=0)
    within_s: float = Field(gt=0)  # of an end


class AudioRule(BaseModel):
    """What makes a shared stretch of sound an opening."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    offset: Literal["most_points", "longest_run"]  # which one of two episodes is looked at
    shift: int = Field(ge=0)  # by which the values of two points may differ to count for an offset
    max_bits: int = Field(ge=0, le=32)  # of 32, in which two points of a stretch may differ
    gap_s: float = Field(ge=0)  # between points that are alike, up to which it is one stretch
    min_length_s: float = Field(gt=0)  # of a stretch
    max_length_s: float = Field(gt=0)
    share: float = Field(gt=0, le=1)  # of an episode, from its beginning, that is searched,
    limit_s: float = Field(gt=0)  # but no more than so much
    silence: SilenceRule | None  # None: ends stay where points say

    @model_validator(mode="after")
    def _has_lengths(self) -> "AudioRule":
        if self.min_length_s > self.max_length_s:
            raise ValueError(
                f"min_length_s {self.min_length_s} exceeds max_length_s {self.max_length_s}"
            )
        return self


_MOST_POINTS = AudioRule(
    offset="most_points",
    shift=2,
    max_bits=6,
    gap_s=3.5,
    min_length_s=15,
    max_length_s=120,
    share=0.25,
    limit_s=600,
    silence=None,
)
_LONGEST_RUN = _MOST_POINTS.model_copy(
    update={
        "offset": "longest_run",
        "silence": SilenceRule(below_db=-50, min_length_s=0.33, within_s=5),
    }
)
_SHORT = {"min_length_s": 3.0}

PUBLISHED_RULES: Mapping[str, AudioRule] = MappingProxyType(
    {
        "sound_most_points": _MOST_POINTS,
        "sound_longest_run": _LONGEST_RUN,
        "sound_most_points_short": _MOST_POINTS.model_copy(update=_SHORT),
        "sound_longest_run_short": _LONGEST_RUN.model_copy(update=_SHORT),
    }
)


@dataclass(frozen=True)
class SharedRun:
    """A stretch that two episodes share, in points from the beginning of each."""

    first: int  # its start in the one
    second: int  # and in the other
    length: int


def loudness(samples: NDArray[np.float32], rate: int) -> Curve:
    """Return the loudest sample of each hundredth of a second, in dB of full scale.

    Raises ValueError where `rate` is no multiple of 100.
    """
    size, rest = divmod(rate, LOUDNESS_RATE)
    if rest or not size:
        raise ValueError(f"expected a multiple of {LOUDNESS_RATE} samples a second, got {rate}")
    padded = np.pad(np.abs(samples), (0, -len(samples) % size))
    loudest = padded.reshape(-1, size).max(axis=1)
    return np.asarray(20 * np.log10(np.maximum(loudest, _QUIETEST)), np.float32)


def intervals_by_audio(
    points: Sequence[Points], loudness: Sequence[Curve], rule: AudioRule
) -> list[Interval | None]:
    """Return what a rule finds in each of the episodes of one series.

    points: of each episode, from its beginning. loudness: dB, `LOUDNESS_RATE` values a second. Of
    stretches of equal length, the one that is shared with the earlier sibling wins.
    """
    searched = [
        one[: _n_searched(one, curve, rule)] for one, curve in zip(points, loudness, strict=True)
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
        None if run is None else _interval(*run, curve, rule)
        for run, curve in zip(longest, loudness, strict=True)
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


def _n_searched(points: Points, loudness: Curve, rule: AudioRule) -> int:
    """Return the points of the part that is searched; both kinds end with the sound, or before."""
    length_s = max(len(points) * POINT_S, len(loudness) / LOUDNESS_RATE)
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
        row, alike = np.nonzero(is_inside & (n_bits <= rule.max_bits))
        is_new = (np.diff(row) != 0) | (np.diff(alike) * POINT_S > rule.gap_s)
        begins = np.flatnonzero(np.append(len(row) > 0, is_new))
        ends = np.append(begins[1:], len(row)) - 1
        lengths = alike[ends] - alike[begins] + 1 if len(begins) else np.zeros(0, np.int64)
        length_s = lengths * POINT_S
        is_allowed = (length_s >= rule.min_length_s) & (length_s <= rule.max_length_s)
        if is_allowed.any():
            longest = np.where(is_allowed, lengths, 0).argmax()
            start = begins[longest]
            yield int(alike[start]), int(lengths[longest]), int(block[row[start]])


def _interval(start: int, length: int, loudness: Curve, rule: AudioRule) -> Interval:
    """Return a stretch in seconds, with its ends at silence where there is some near.

    It begins where a silence ends, and ends where one begins; no end crosses the middle.
    """
    start_s, end_s = start * POINT_S, (start + length) * POINT_S
    if rule.silence is None:
        return start_s, end_s
    begins, ends = _silences(loudness, rule.silence)
    middle_s, within_s = (start_s + end_s) / 2, rule.silence.within_s
    return (
        _nearest(ends[ends < middle_s], start_s, within_s),
        _nearest(begins[begins > middle_s], end_s, within_s),
    )


def _silences(
    loudness: Curve, rule: SilenceRule
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the beginnings and the ends of what is silent long enough, in seconds."""
    steps = np.diff((loudness < rule.below_db).astype(np.int8), prepend=0, append=0)
    begins = np.flatnonzero(steps > 0) / LOUDNESS_RATE
    ends = np.flatnonzero(steps < 0) / LOUDNESS_RATE
    is_long = ends - begins >= rule.min_length_s - 0.5 / LOUDNESS_RATE
    return begins[is_long], ends[is_long]


def _nearest(times: NDArray[np.float64], time_s: float, within_s: float) -> float:
    """Return the time that lies nearest, or `time_s` where none is near enough."""
    if not len(times):
        return time_s
    nearest = float(times[np.abs(times - time_s).argmin()])
    return nearest if abs(nearest - time_s) <= within_s else time_s

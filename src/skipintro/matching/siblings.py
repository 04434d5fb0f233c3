"""Finds the siblings of each episode; a copy, sample, cut or other quality is no sibling.

Two files are of one episode where most of the shorter one is within the runs that they share:
however shifted, whatever is before or within.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import threadpool_limits

from skipintro.core.isolation import thread_map
from skipintro.matching.pairs import (
    Ints,
    Match,
    MatchingSettings,
    Moments,
    best_along,
    match,
    match_itself,
    there,
)

_STILL_S = 2.0


class SiblingSettings(BaseModel):
    """Which episodes count as siblings; a part of a detector's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    copy_share: float = Field(gt=0, le=1)  # of what a file shows: with more it is a copy
    copy_share_heard: float = Field(gt=0, le=1)  # of what it shows, where it sounds like a copy
    min_said_s: float = Field(ge=0)  # of which a kind must say something, to count
    n_siblings: int = Field(ge=1)  # nearest ones that are looked at


@dataclass(frozen=True, eq=False)
class Season:
    """Episodes that may have an opening in common, and what they share.

    matches: of two positions (first < second), where they are near enough to be looked at.
    siblings: of each episode the positions of its siblings, one for each episode that there is.
    """

    episodes: tuple[Moments, ...]
    matches: Mapping[tuple[int, int], Match]
    repeats: tuple[Ints, ...]  # the runs that come back within each episode
    siblings: tuple[tuple[int, ...], ...]

    def match(self, first: int, second: int) -> Match:
        """Return what an episode shares with another one, as the first sees it."""
        if first < second:
            return self.matches[first, second]
        return self.matches[second, first].turned()


@dataclass(frozen=True, eq=False)
class Pair:
    """What two episodes share, and whether they are one; of an episode and itself what returns."""

    match: Match
    is_copy: bool


class Recall(Protocol):
    """Remembers pairs of a season's episodes, by their positions; all calls are of one thread."""

    def get(self, first: int, second: int) -> Pair | None:
        """Return what was put, None where nothing was."""

    def put(self, first: int, second: int, pair: Pair) -> None:
        """Keep a pair."""


def season_of(
    episodes: Sequence[Moments],
    matching: MatchingSettings,
    settings: SiblingSettings,
    recall: Recall | None = None,
) -> Season:
    """Match each episode with those near to it, and tell copies from siblings.

    With `recall` only those are matched that it does not know.
    """
    n = len(episodes)
    near = [_nearest(position, n, settings.n_siblings) for position in range(n)]
    wanted = sorted({(min(a, b), max(a, b)) for a in range(n) for b in (*near[a], a)})
    pairs = {at: pair for at in wanted if recall and (pair := recall.get(*at))}
    unknown = [at for at in wanted if at not in pairs]

    def made(at: tuple[int, int]) -> Pair:
        if at[0] == at[1]:
            return Pair(Match(1.0, match_itself(episodes[at[0]], matching)), is_copy=False)
        first, second = (episodes[place] for place in at)
        found = match(first, second, matching)
        return Pair(found, _is_copy(first, second, found, matching, settings))

    # A product of matrices that takes all cores beside others that do waits for them.
    with threadpool_limits(1), thread_map(os.cpu_count() or 1) as mapped:
        for at, pair in zip(unknown, mapped(made, unknown), strict=True):
            pairs[at] = pair
            if recall:
                recall.put(*at, pair)
    return _joined(episodes, near, pairs)


def _joined(
    episodes: Sequence[Moments],
    near: Sequence[Sequence[int]],
    pairs: Mapping[tuple[int, int], Pair],
) -> Season:
    """Put a season together: of files of one episode only the nearest is a sibling of another."""
    n = len(episodes)
    origin = list(range(n))  # of each episode the first file that shows it
    for (a, b), pair in pairs.items():
        if pair.is_copy:
            same, other = sorted((origin[a], origin[b]))
            origin = [same if each == other else each for each in origin]
    siblings = []
    for position in range(n):
        others: dict[int, int] = {}
        for other in near[position]:
            if origin[other] != origin[position]:
                others.setdefault(origin[other], other)
        siblings.append(tuple(sorted(others.values())))
    matches = {(a, b): pair.match for (a, b), pair in pairs.items() if a < b}
    repeats = tuple(pairs[at, at].match.runs for at in range(n))
    return Season(tuple(episodes), matches, repeats, tuple(siblings))


def _nearest(position: int, n_places: int, most: int) -> list[int]:
    """Return other places, the nearest first; of two equally near ones the earlier first."""
    others = sorted(set(range(n_places)) - {position}, key=lambda other: abs(other - position))
    return others[:most]


def _is_copy(
    first: Moments,
    second: Moments,
    found: Match,
    matching: MatchingSettings,
    settings: SiblingSettings,
) -> bool:
    least = settings.min_said_s * matching.rate
    share_of = {
        kind: _share(first, second, found, kind, threshold=threshold, least=least)
        for kind, threshold in matching.alike.items()
    }
    shares = {kind: share for kind, share in share_of.items() if share is not None}
    if "sound" in shares and shares["sound"] > settings.copy_share:
        return shares.get("pictures", 1.0) > settings.copy_share_heard
    return any(share > settings.copy_share for kind, share in shares.items() if kind != "sound")


def _share(
    first: Moments,
    second: Moments,
    found: Match,
    kind: str,
    *,
    threshold: float,
    least: float,
) -> float | None:
    """Return the share of either file's moving moments in common runs, the larger of the two.

    Still pictures show no copy: slides, a static set and a desktop stay the same for long. None
    where one of them moves too little by this kind.
    """
    if kind not in first.tracks or kind not in second.tracks:
        return None
    said_here, said_there = (_moving(each, kind, threshold) for each in (first, second))
    if min(said_here.sum(), said_there.sum()) <= least:
        return None
    here, over_there = np.zeros(first.n, bool), np.zeros(second.n, bool)
    for start, stop, offset, _ in found.runs.tolist():
        at = np.arange(max(0, start), min(stop, first.n))
        other = there(at, found.speed, offset)
        rows = first.tracks[kind].rows, second.tracks[kind].rows
        same = best_along(*rows, at, other) > threshold
        here[at[same]] = True
        over_there[_inside(other[same], second.n)] = True
    return float(max(here[said_here].mean(), over_there[said_there].mean()))


def _moving(episode: Moments, kind: str, threshold: float) -> NDArray[np.bool_]:
    """Return the moments that differ from what the kind said some seconds before."""
    rows, steps = episode.tracks[kind].rows, round(_STILL_S * episode.rate)
    before = np.roll(rows, steps, axis=0)
    moving = np.einsum("nd,nd->n", rows, before) <= threshold
    moving[:steps] = True
    return np.asarray(moving & episode.says[kind])


def _inside(at: Ints, n: int) -> NDArray[np.int64]:
    return at[(at >= 0) & (at < n)]

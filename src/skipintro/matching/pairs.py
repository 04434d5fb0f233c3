"""Runs that two episodes share: stretches that are similar, moment by moment, at one offset.

All kinds of evidence are brought to one grid. Two moments are similar where one kind says so; one
that says nothing of a moment says nothing against it. Of equal offset, similar moments make
a run; gaps are bridged, since lettering, other speech or other pictures interrupt it. Where one
episode runs at another speed (PAL: 25 frames a second of 24), offsets drift and are counted along
that drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.evidence.track import Evidence, Rows, Track, on_grid

Ints = NDArray[np.int64]

_BLOCK = 64  # rows that are compared at a time: their result stays in the cache
_JITTER = 1  # rows that two samplings of the same moment may be apart
_SAME_RUN = 0.5  # share of a run that another one of nearly the same offset covers
_SAME_OFFSET = 3  # rows
_MOST_TRIED = 1500  # runs, strongest first, that are looked at


class MatchingSettings(BaseModel):
    """How runs are found; a part of a detector's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rate: int = Field(ge=1)  # moments a second, of the grid
    alike: dict[str, float]  # by kind, the cosine above which two moments are the same
    gap_s: float = Field(ge=0)  # up to which a run is bridged
    min_length_s: float = Field(gt=0)  # of a run
    min_share: float = Field(ge=0, le=1)  # of a run's moments that are similar
    common_share: float = Field(gt=0, le=1)  # of the other episode: a moment like more is static
    common_s: float = Field(ge=0)  # but no moment that is like less than so much
    speeds: tuple[float, ...]  # that one episode may run at, of the other's
    speed_gain: float = Field(ge=1)  # of the strongest runs, for a speed to be taken over 1
    n_runs: int = Field(ge=1)  # of a pair, the strongest
    max_comparisons: int = Field(ge=1)  # of a pair and kind; longer ones skip rows of the one


@dataclass(frozen=True, eq=False)
class Moments:
    """The evidence of one episode on the grid."""

    tracks: Mapping[str, Track]
    n: int
    rate: int

    @property
    def length_s(self) -> float:
        """Return the length in seconds."""
        return self.n / self.rate

    @cached_property
    def says(self) -> dict[str, NDArray[np.bool_]]:
        """Return by kind the moments of which it says something."""
        return {kind: track.says for kind, track in self.tracks.items()}


def moments_of(evidence: Evidence, settings: MatchingSettings) -> Moments:
    """Bring the kinds that are compared to the grid; a kind that lacks is silent throughout."""
    compared = {k: evidence.tracks[k] for k in settings.alike if k in evidence.tracks}
    n = max((round(len(t) * settings.rate / t.rate) for t in compared.values()), default=0)
    tracks = {kind: on_grid(track, settings.rate, n) for kind, track in compared.items()}
    return Moments(tracks, n, settings.rate)


@dataclass(frozen=True, eq=False)
class Match:
    """The runs of two episodes, strongest first.

    runs: int64 (R, 4), `[start, stop)` in the first, offset, similar moments. Moment i of the first
    is moment round(i * speed) + offset of the second.
    """

    speed: float
    runs: Ints

    def turned(self) -> "Match":
        """Return the match as the second episode sees it."""
        start, stop, offset, n_similar = self.runs.T
        turned = [
            np.round(start * self.speed).astype(np.int64) + offset,
            np.round(stop * self.speed).astype(np.int64) + offset,
            np.round(-offset / self.speed).astype(np.int64),
            n_similar,
        ]
        return Match(1 / self.speed, np.stack(turned, axis=1))


def there(at: Ints, speed: float, offset: int) -> Ints:
    """Return the moments of the second episode that match those of the first."""
    return np.asarray(np.round(at * speed).astype(np.int64) + offset)


def along(first: Rows, second: Rows, at: Ints, other: Ints) -> NDArray[np.float32]:
    """Return the cosine of pairs of moments; 0 where one is outside of its episode."""
    inside = (at >= 0) & (at < len(first)) & (other >= 0) & (other < len(second))
    found = np.zeros(len(at), np.float32)
    found[inside] = np.einsum("nd,nd->n", first[at[inside]], second[other[inside]])
    return found


def best_along(first: Rows, second: Rows, at: Ints, other: Ints) -> NDArray[np.float32]:
    """Return the same, the best of moments that are one apart: samplings differ by as much."""
    steps = range(-_JITTER, _JITTER + 1)
    return np.asarray(np.max([along(first, second, at, other + step) for step in steps], axis=0))


def match(first: Moments, second: Moments, settings: MatchingSettings) -> Match:
    """Find the runs of two episodes."""
    at, other, stride = _similar_by_any(first, second, settings)
    best = Match(1.0, np.zeros((0, 4), np.int64))
    strongest = 0.0
    for speed in settings.speeds:
        runs = _runs(at, other, speed, stride, settings)
        strength = float(np.sort(runs[:, 3])[::-1][:3].sum())
        if strength > strongest * (settings.speed_gain if strongest else 1):
            best, strongest = Match(speed, runs), strength
    strongest_runs = _distinct(best.runs, settings.n_runs)
    found = Match(best.speed, _centred(first, second, best.speed, strongest_runs, settings))
    return found if stride == 1 else _measured(first, second, found, stride, settings)


def match_itself(episode: Moments, settings: MatchingSettings) -> Ints:
    """Return the runs that come back within an episode, as int64 (R, 4), strongest first."""
    at, other, stride = _similar_by_any(episode, episode, settings)
    later = other - at > settings.gap_s * settings.rate
    runs = _runs(at[later], other[later], 1.0, stride, settings)
    return runs[np.argsort(-runs[:, 3], kind="stable")][: settings.n_runs]


def _similar_by_any(
    first: Moments, second: Moments, settings: MatchingSettings
) -> tuple[Ints, Ints, int]:
    """Return the pairs of moments similar by any kind, and the stride of compared rows."""
    stride = max(1, -(-first.n * second.n // settings.max_comparisons))
    found = [
        _similar(first.tracks[kind].rows, second.tracks[kind].rows, threshold, stride, settings)
        for kind, threshold in settings.alike.items()
        if kind in first.tracks and kind in second.tracks
    ]
    at = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in found)])
    other = np.concatenate([np.zeros(0, np.int64), *(columns for _, columns in found)])
    return at, other, stride


def _similar(
    first: Rows, second: Rows, threshold: float, stride: int, settings: MatchingSettings
) -> tuple[Ints, Ints]:
    """Return the pairs of similar moments, but those of static ones, which are like many."""
    enough = settings.common_s * settings.rate
    most_columns = max(enough, settings.common_share * len(second))
    most_rows = max(enough, settings.common_share * len(first)) / stride
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for begin in range(0, len(first), _BLOCK * stride):
        same = first[begin : begin + _BLOCK * stride : stride] @ second.T > threshold
        same[np.count_nonzero(same, axis=1) > most_columns] = False
        row, column = np.divmod(np.flatnonzero(same), len(second))
        rows.append(row * stride + begin)
        columns.append(column)
    row, column = np.concatenate(rows), np.concatenate(columns)
    is_rare = np.bincount(column, minlength=len(second))[column] <= most_rows
    return row[is_rare], column[is_rare]


def _runs(at: Ints, other: Ints, speed: float, stride: int, settings: MatchingSettings) -> Ints:
    """Join moments of one offset to runs, as int64 (R, 4)."""
    if not len(at):
        return np.zeros((0, 4), np.int64)
    offset = other - np.round(at * speed).astype(np.int64)
    order = np.lexsort((at, offset))
    at, offset = at[order], offset[order]
    is_new = np.append(True, (np.diff(offset) != 0) | (np.diff(at) != 0))
    at, offset = at[is_new], offset[is_new]
    gap = settings.gap_s * settings.rate
    begins = np.flatnonzero(np.append(True, (np.diff(offset) != 0) | (np.diff(at) > gap)))
    ends = np.append(begins[1:], len(at)) - 1
    start, stop, n_similar = at[begins], at[ends] + stride, (ends - begins + 1) * stride
    length = stop - start
    good = (length >= settings.min_length_s * settings.rate) & (
        n_similar >= settings.min_share * length
    )
    return np.asarray(np.stack([start, stop, offset[begins], n_similar], axis=1)[good])


def _distinct(runs: Ints, most: int) -> Ints:
    """Return the strongest runs, but those that say what a stronger one says."""
    runs = runs[np.argsort(-runs[:, 3], kind="stable")][:_MOST_TRIED]
    distinct = np.zeros((most, 4), np.int64)
    n_distinct = 0
    for run in runs:
        before = distinct[:n_distinct]
        shared = np.minimum(before[:, 1], run[1]) - np.maximum(before[:, 0], run[0])
        is_near = np.abs(before[:, 2] - run[2]) <= _SAME_OFFSET
        if (is_near & (shared > _SAME_RUN * (run[1] - run[0]))).any():
            continue
        distinct[n_distinct] = run
        n_distinct += 1
        if n_distinct == most:
            break
    return distinct[:n_distinct]


def _centred(
    first: Moments, second: Moments, speed: float, runs: Ints, settings: MatchingSettings
) -> Ints:
    """Move each offset by one moment where more is similar there."""
    kinds = [kind for kind in first.tracks if kind in second.tracks]
    centred = runs.copy()
    for row, (start, stop, offset, _) in enumerate(runs.tolist()):
        shifts = np.array([0, -1, 1])  # of equally strong ones the first
        at = np.tile(np.arange(start, stop), len(shifts))
        other = there(at, speed, offset) + np.repeat(shifts, stop - start)
        strength = np.zeros(len(shifts))
        for kind in kinds:
            cosine = along(first.tracks[kind].rows, second.tracks[kind].rows, at, other)
            above = np.maximum(cosine - settings.alike[kind], 0)
            strength += above.reshape(len(shifts), -1).sum(axis=1)
        centred[row, 2] += shifts[strength.argmax()]
    return centred


def _measured(
    first: Moments, second: Moments, found: Match, stride: int, settings: MatchingSettings
) -> Match:
    """Return the match with ends from every moment, where one of `stride` was compared."""
    measured = []
    for start, stop, offset, _ in found.runs.tolist():
        at = np.arange(max(0, start - stride + 1), min(stop, first.n))
        is_similar = np.zeros(len(at), bool)
        for kind in first.tracks:
            if kind in second.tracks:
                rows = first.tracks[kind].rows, second.tracks[kind].rows
                other = there(at, found.speed, offset)
                is_similar |= along(*rows, at, other) > settings.alike[kind]
        same = at[is_similar]
        if len(same) and same[-1] + 1 - same[0] >= settings.min_length_s * settings.rate:
            measured.append((same[0], same[-1] + 1, offset, len(same)))
    runs = np.array(measured, np.int64).reshape(-1, 4)
    return Match(found.speed, runs[np.argsort(-runs[:, 3], kind="stable")])

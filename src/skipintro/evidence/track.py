"""One kind of evidence of one episode, as an array over time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]  # (n, D), each of length 1, or of zeros where it says nothing
Curve = NDArray[np.float32]  # (n,)
Spans = list[tuple[int, int]]  # rows, as [start, stop)


@dataclass(frozen=True, eq=False)
class Track:
    """Evidence of one kind, `rate` rows a second; row k is of t = k / rate s.

    rows: what is compared by cosine; a row of zeros says nothing (a black picture, silence), it
    does not differ. level: how bright or loud, in the kind's own unit. change: how much it
    differs from the row before, in the kind's own unit, so that cuts stand out.
    """

    rate: float
    rows: Rows
    level: Curve
    change: Curve

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def says(self) -> NDArray[np.bool_]:
        """Return bool (n,): the rows that say something."""
        return np.asarray(np.abs(self.rows).sum(axis=1) > 0)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All kinds of one episode by name; they begin at t = 0 s together."""

    tracks: Mapping[str, Track]
    length_s: float  # of the episode
    is_sound_undecodable: bool = False  # there is sound, but no decoder for its codec


def unit_rows(values: NDArray[np.floating], says: NDArray[np.bool_]) -> Rows:
    """Return the rows brought to length 1, those that say nothing to zeros, as float32."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    rows = values / np.maximum(lengths, 1e-6)
    return np.where(says[:, None] & (lengths > 1e-6), rows, 0).astype(np.float32)


def silent_track(rate: float, n_rows: int, dimension: int, level: float) -> Track:
    """Return a track that says nothing at any time."""
    nothing = np.zeros(n_rows, np.float32)
    rows = np.zeros((n_rows, dimension), np.float32)
    return Track(rate, rows, np.full(n_rows, level, np.float32), nothing)


def on_grid(track: Track, rate: float, n_rows: int) -> Track:
    """Return the track at another rate: each moment of the grid has the row of its time."""
    if track.rate == rate and len(track) == n_rows:
        return track
    if not len(track):
        return silent_track(rate, n_rows, track.rows.shape[1], 0.0)
    at = np.floor(np.arange(n_rows) * (track.rate / rate) + 1e-9).astype(np.int64)
    is_there = at < len(track)
    at = np.minimum(at, len(track) - 1)
    rows = np.where(is_there[:, None], track.rows[at], 0).astype(np.float32)
    change = np.where(is_there & (np.diff(at, prepend=-1) > 0), track.change[at], 0)
    return Track(rate, rows, track.level[at], change.astype(np.float32))


def spans_of(mask: NDArray[np.bool_]) -> Spans:
    """Return the runs of a mask (n,)."""
    steps = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    begins, ends = (np.flatnonzero(steps == step).tolist() for step in (1, -1))
    return list(zip(begins, ends, strict=True))

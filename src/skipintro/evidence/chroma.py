"""Chromaprint points: 32 bits of the melody around each moment, about eight a second.

After Chromaprint (Lukas Lalinsky, https://acoustid.org/chromaprint), in numpy: its default
algorithm, TEST2, with the constants of src/fingerprinter_configuration.cpp. Sound of 11,025 Hz is
cut into frames that overlap by two thirds; the energies of each one's frequencies are summed to
the twelve notes, whatever their octave. Of this picture, smoothed over five frames and brought to
one length, 16 filters compare the notes of neighbouring areas, and each returns two bits.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.fft import rfft
from scipy.signal import firwin, resample_poly

from skipintro.evidence.sound import SILENT_DB
from skipintro.evidence.track import Curve, Track

_RATE = 11025  # samples a second that Chromaprint goes by
_FRAME = 4096  # of them
_HOP = _FRAME // 3
POINT_S = _HOP / _RATE  # s: from one point to the next
N_BITS = 32

Samples = NDArray[np.float32]
Points = NDArray[np.uint32]  # (n,); point k covers the 2.6 s or so from t = k * POINT_S on

_LOWEST_HZ, _HIGHEST_HZ, _A_HZ = 28, 3520, 27.5
_N_NOTES = 12
_SMOOTHING = (0.25, 0.75, 1.0, 0.75, 0.25)  # over frames
_LEAST = 0.01  # length of a row of notes below which it is silence
_WIDEST = 16  # rows that a filter looks at
# Signs of the parts of an area: rows are notes, columns are time.
_SHAPES = (
    ((1,),),
    ((-1,), (1,)),
    ((-1, 1),),
    ((-1, 1), (1, -1)),
    ((-1,), (1,), (-1,)),
    ((-1, 1, -1),),
)
# A filter's shape, first note, notes, rows of time; and the values that part its four results.
_FILTERS = (
    (0, 4, 3, 15, (1.98215, 2.35817, 2.63523)),
    (4, 4, 6, 15, (-1.03809, -0.651211, -0.282167)),
    (1, 0, 4, 16, (-0.298702, 0.119262, 0.558497)),
    (3, 8, 2, 12, (-0.105439, 0.0153946, 0.135898)),
    (3, 4, 4, 8, (-0.142891, 0.0258736, 0.200632)),
    (4, 0, 3, 5, (-0.826319, -0.590612, -0.368214)),
    (1, 2, 2, 9, (-0.557409, -0.233035, 0.0534525)),
    (2, 7, 3, 4, (-0.0646826, 0.00620476, 0.0784847)),
    (2, 6, 2, 16, (-0.192387, -0.029699, 0.215855)),
    (2, 1, 3, 2, (-0.0397818, -0.00568076, 0.0292026)),
    (5, 10, 1, 15, (-0.53823, -0.369934, -0.190235)),
    (3, 6, 2, 10, (-0.124877, 0.0296483, 0.139239)),
    (2, 1, 1, 14, (-0.101475, 0.0225617, 0.231971)),
    (3, 5, 6, 4, (-0.0799915, -0.00729616, 0.063262)),
    (1, 9, 2, 12, (-0.272556, 0.019424, 0.302559)),
    (3, 4, 2, 14, (-0.164292, -0.0321188, 0.0846339)),
)
_GRAY = np.array([0, 1, 3, 2], np.uint32)  # the bits of results 0 to 3: neighbours differ in one

_UP, _DOWN = 441, 640  # 11,025 of 16,000
_REACH = 4  # samples on either side of a filter for resampling, more or less
_BLOCK = 256  # frames at a time


class ChromaSettings(BaseModel):
    """How sound becomes points; a part of the settings of fingerprints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Literal["chromaprint-test2"]  # and all numbers with it: those of this module


class ChromaListener:
    """Hears sound of 16,000 Hz that comes in blocks, on its way to another listener.

    However it is cut into blocks, its points are the same. Memory grows by 52 bytes a point.
    """

    def __init__(self) -> None:
        self._resampled = _Resampled()
        self._waiting = np.zeros(0, np.float32)  # from the next frame's beginning on
        self._notes = [np.zeros((0, _N_NOTES), np.float32)]
        self._loudest = [np.zeros(0, np.float32)]  # of each hop

    def overhearing(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield the blocks, and hear each one."""
        for block in blocks:
            self._take(self._resampled.of(block))
            yield block
        self._take(self._resampled.rest())

    def track(self, n_rows: int) -> Track:
        """Return the first `n_rows` points, and the loudest sample from each one to the next."""
        left = np.abs(np.pad(self._waiting, (0, -len(self._waiting) % _HOP))).reshape(-1, _HOP)
        heard = np.concatenate([*self._loudest, left.max(axis=1, initial=0)])[:n_rows]
        loudest = np.zeros(n_rows, np.float32)
        loudest[: len(heard)] = heard
        level = np.maximum(20 * np.log10(np.maximum(loudest, 1e-9)), SILENT_DB)
        points = points_of_notes(np.concatenate(self._notes))[:n_rows]
        return track_of(points, level.astype(np.float32))

    def _take(self, sound: Samples) -> None:
        self._waiting = np.concatenate([self._waiting, sound])
        n_frames = max(0, (len(self._waiting) - _FRAME) // _HOP + 1)
        for first in range(0, n_frames, _BLOCK):
            frames = sliding_window_view(self._waiting, _FRAME)[first * _HOP :: _HOP][:_BLOCK]
            self._notes.append(notes_of(frames))
            self._loudest.append(np.abs(frames[:, :_HOP]).max(axis=1))
        self._waiting = self._waiting[n_frames * _HOP :]


def track_of(points: Points, level: Curve) -> Track:
    """Return points as a track as long as `level`, in dB of full scale.

    rows: the bits, highest first, as ±1 / sqrt(32), so that the cosine of two is
    1 - 2 * (bits that differ) / 32; there are points up to 2.6 s before the end of the sound, and
    then nothing is said. change: the step of level.
    """
    bits = np.unpackbits(points.astype(">u4").view(np.uint8).reshape(-1, 4), axis=1)
    rows = np.zeros((len(level), N_BITS), np.float32)
    rows[: len(bits)] = (bits * 2.0 - 1) / np.sqrt(N_BITS)
    return Track(1 / POINT_S, rows, level, np.abs(np.diff(level, prepend=level[:1])))


def points_of_track(track: Track) -> Points:
    """Return the points that a track was made of."""
    bits = track.rows[track.says] > 0
    return np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)


class _Resampled:
    """Brings sound of 16,000 Hz to Chromaprint's rate, however it is cut into blocks."""

    def __init__(self) -> None:
        self._waiting = np.zeros(_DOWN, np.float32)

    def of(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the samples known after a block, but for the last few hundredths of a second."""
        self._waiting = np.concatenate([self._waiting, block])
        n_steps = max(0, (len(self._waiting) - 2 * _DOWN) // _DOWN)
        found = self._inner(n_steps)
        self._waiting = self._waiting[n_steps * _DOWN :]
        return found

    def rest(self) -> NDArray[np.float32]:
        """Return what is left after the last block."""
        n_left = len(self._waiting) - _DOWN
        n_steps = -(-n_left // _DOWN)
        self._waiting = np.pad(self._waiting, (0, n_steps * _DOWN - n_left + _DOWN))
        return self._inner(n_steps)[: -(-n_left * _UP // _DOWN)]

    def _inner(self, n_steps: int) -> NDArray[np.float32]:
        if not n_steps:
            return np.zeros(0, np.float32)
        sound = self._waiting[: n_steps * _DOWN + 2 * _DOWN]
        found = resample_poly(sound, _UP, _DOWN, window=_low_pass())
        return np.asarray(found[_UP : (n_steps + 1) * _UP], np.float32)


@cache
def _low_pass() -> NDArray[np.float32]:
    """Return a filter that leaves the tones below 3.5 kHz, and nothing that would be mixed into it.

    Tones between become weaker, or other tones above the notes.
    """
    taps = firwin(2 * _REACH * _DOWN + 1, 1 / _DOWN, window=("kaiser", 5.0))
    return np.asarray(taps, np.float32)


def notes_of(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 (n, 12): the energy of each note, A first, in frames (n, 4096)."""
    bins, run_of, note_of = _bins_of_notes()
    waves = rfft(frames * np.hamming(_FRAME).astype(np.float32), axis=1)[:, bins]
    energies = waves.real**2 + waves.imag**2
    # Summed row by row: a product of matrices rounds by how many rows it is given.
    runs = np.add.reduceat(energies, run_of, axis=1)
    notes = [runs[:, note_of == note].sum(axis=1) for note in range(_N_NOTES)]
    return np.stack(notes, axis=1).astype(np.float32)


@cache
def _bins_of_notes() -> tuple[slice, NDArray[np.int64], NDArray[np.int64]]:
    """Return the frequencies that count, where runs of one note begin in them, and those notes."""
    first, end = (round(hz * _FRAME / _RATE) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    octaves = np.log2(np.arange(first, end) * (_RATE / _FRAME) / _A_HZ)
    notes = (_N_NOTES * (octaves - np.floor(octaves))).astype(np.int64)
    run_of = np.flatnonzero(np.diff(notes, prepend=-1))
    return slice(first, end), run_of, notes[run_of]


def points_of_notes(notes: NDArray[np.float32]) -> Points:
    """Return the points of the notes (n, 12) of frames: 19 fewer than there are frames."""
    n_rows = len(notes) - len(_SMOOTHING) + 1
    n_points = n_rows - _WIDEST + 1
    if n_points <= 0:
        return np.zeros(0, np.uint32)
    rows = np.zeros((n_rows, _N_NOTES))
    for frame, part in enumerate(_SMOOTHING):
        rows += part * notes[frame : frame + n_rows].astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.where(lengths < _LEAST, 0, rows / np.maximum(lengths, _LEAST))
    sums = np.pad(rows, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    points = np.zeros(n_points, np.uint32)
    for shape, note, n_notes, n_wide, limits in _FILTERS:
        parts = {1: np.zeros(n_points), -1: np.zeros(n_points)}
        signs = _SHAPES[shape]
        for row, (low, high) in zip(signs, _parts(n_notes, len(signs)), strict=True):
            along = sums[:, note + high] - sums[:, note + low]
            for sign, (since, until) in zip(row, _parts(n_wide, len(row)), strict=True):
                parts[sign] += along[until : until + n_points] - along[since : since + n_points]
        results = np.searchsorted(limits, np.log1p(parts[1]) - np.log1p(parts[-1]), side="right")
        points = (points << np.uint32(2)) | _GRAY[results]
    return points


def _parts(length: int, n_parts: int) -> Iterator[tuple[int, int]]:
    """Yield where each part begins and ends; the last one is longer where they do not come out."""
    size = length // n_parts
    for part in range(n_parts):
        yield part * size, length if part == n_parts - 1 else (part + 1) * size

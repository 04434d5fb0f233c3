"""Sound fingerprints: two seconds of a spectrogram, whatever the codec, loudness and channels.

Log energies of bands, less their running mean, so that equalisation and steady noise do not count;
the low frequencies of their cosine transform over time and over bands are what is compared. A bed
of speech over the same music leaves them similar, and so does the pitch of PAL's speed.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.fft import dct
from scipy.ndimage import uniform_filter1d

from skipintro.evidence.track import Track, unit_rows

SAMPLE_RATE = 16000  # samples a second, as decoded
SILENT_DB = -100.0
_WINDOW = 4096  # samples, a quarter of a second
_FLOOR = 1e-4  # of a band's magnitude, so that silence has a logarithm
_BLOCK = 500  # spectra at a time

Energies = NDArray[np.float32]  # (n, bands), mean magnitudes


class SoundSettings(BaseModel):
    """How sound becomes fingerprints; a part of a detector's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rate: int = Field(ge=1)  # spectra a second
    bands: int = Field(ge=8)
    lowest_hz: float = Field(gt=0)
    highest_hz: float = Field(gt=0, le=SAMPLE_RATE / 2)
    mean_s: float = Field(gt=0)  # of the running mean that is taken off
    patch_s: float = Field(gt=0)  # of sound in one fingerprint
    coefficients_time: int = Field(ge=1)  # of the cosine transform
    coefficients_bands: int = Field(ge=2)
    quiet: float = Field(ge=0)  # mean magnitude below which nothing is said
    steady: float = Field(ge=0)  # length of the coefficients below which nothing is: a tone, a hum

    @property
    def dimension(self) -> int:
        """Return the length of one fingerprint."""
        return self.coefficients_time * self.coefficients_bands


def band_energies(blocks: Iterable[NDArray[np.float32]], settings: SoundSettings) -> Energies:
    """Return float32 (n, bands) of samples that come in blocks, `settings.rate` rows a second.

    Row k is of the quarter of a second around t = k / rate s. Memory does not grow with the sound.
    """
    hop, half = SAMPLE_RATE // settings.rate, _WINDOW // 2
    first_of, n_of = _bands(settings)
    window = np.hanning(_WINDOW).astype(np.float32)
    found: list[Energies] = []
    waiting, n_samples = np.zeros(half, np.float32), 0

    def take(sound: NDArray[np.float32], n_rows: int) -> None:
        for first in range(0, n_rows, _BLOCK):
            starts = np.arange(first, min(n_rows, first + _BLOCK)) * hop
            pieces = sound[starts[:, None] + np.arange(_WINDOW)] * window
            magnitudes = np.abs(np.fft.rfft(pieces, axis=1)).astype(np.float32)
            # Summed row by row: a product of matrices rounds by how many rows it is given.
            sums = np.add.reduceat(magnitudes, first_of, axis=1)[:, :-1]
            found.append(np.where(n_of, sums / np.maximum(n_of, 1), 0).astype(np.float32))

    for block in blocks:
        n_samples += len(block)
        waiting = np.concatenate([waiting, block])
        n_rows = max(0, (len(waiting) - _WINDOW) // hop + 1)
        take(waiting, n_rows)
        waiting = waiting[n_rows * hop :]
    n_left = -(-n_samples // hop) - sum(map(len, found))
    take(np.concatenate([waiting, np.zeros(_WINDOW + n_left * hop, np.float32)]), n_left)
    return np.concatenate(found) if found else np.zeros((0, settings.bands), np.float32)


def sound_track(energies: Energies, n_rows: int, settings: SoundSettings) -> Track:
    """Return the fingerprints of band energies, `n_rows` of them; what lacks says nothing.

    level: dB of the mean magnitude. change: root mean square of the bands' steps of log energy.
    """
    energies = energies[:n_rows]
    n = len(energies)
    level = np.full(n_rows, SILENT_DB, np.float32)
    change = np.zeros(n_rows, np.float32)
    rows = np.zeros((n_rows, settings.dimension), np.float32)
    if n:
        loudness, logs = energies.mean(axis=1), np.log(energies + _FLOOR)
        level[:n] = 20 * np.log10(loudness + 1e-5)
        change[1:n] = np.sqrt((np.diff(logs, axis=0) ** 2).mean(axis=1))
        patches = _patches(logs, settings)
        moves = np.linalg.norm(patches, axis=1) >= settings.steady
        rows[:n] = unit_rows(patches, (loudness >= settings.quiet) & moves)
    return Track(settings.rate, rows, level, change)


def _patches(logs: NDArray[np.float32], settings: SoundSettings) -> NDArray[np.float32]:
    """Return the weighted cosine coefficients of the patch around each row."""
    shapes = logs - logs.mean(axis=1, keepdims=True)
    shapes = shapes - uniform_filter1d(shapes, round(settings.mean_s * settings.rate), axis=0)
    length = round(settings.patch_s * settings.rate)
    padded = np.pad(shapes, ((length // 2 - 1, length - length // 2), (0, 0)), mode="edge")
    n_times, n_bands = settings.coefficients_time, settings.coefficients_bands
    over_bands = dct(padded, axis=1, norm="ortho")[:, :n_bands]
    patches = np.lib.stride_tricks.sliding_window_view(over_bands, length, axis=0)[: len(logs)]
    found = dct(patches, axis=2, norm="ortho")[:, :, :n_times]  # (n, bands, times)
    band, time = np.mgrid[0:n_bands, 0:n_times]
    weights = np.sqrt((1 + time) * np.maximum(band, 1)) * (band > 0)
    return np.asarray((found * weights).reshape(len(logs), -1), np.float32)


def _bands(settings: SoundSettings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first frequency of each band, on a log scale, and of what follows the last one.

    And how many frequencies each of the bands has, which may be none.
    """
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)
    edges = np.geomspace(settings.lowest_hz, settings.highest_hz, settings.bands + 1)
    first_of = np.minimum(np.searchsorted(frequencies, edges), len(frequencies) - 1)
    return first_of, np.diff(first_of)

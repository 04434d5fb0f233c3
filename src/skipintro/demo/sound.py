"""Draws the sound of invented series: music, murmurs of voices, and what surrounds a scene.

Samples are float32 (n,), of one channel, about 1 at their loudest. The same generator, length and
rate make the same samples. Nothing here reads or writes files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_TABLE = 2048  # samples in one period of a wave
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10))  # semitones
_PROGRESSIONS = ((0, 5, 3, 4), (0, 3, 4, 0), (0, 4, 5, 3), (5, 3, 0, 4), (0, 2, 3, 4), (0, 6, 5, 4))
_LOWEST_ROOT = 45  # MIDI number of A2; a root is within an octave above it
_EIGHTHS, _N_BARS = 8, 8  # in a bar; in a tune, which then begins again
# Hz of F1, F2 and F3 of ten vowels: G. Peterson and H. Barney, Control methods used in a study of
# the vowels, J. Acoust. Soc. Am. 24 (1952), table II, men.
_VOWELS = (
    (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440),
    (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240), (640, 1190, 2390), (490, 1350, 1690),
)  # fmt: skip
_BANDWIDTHS = (70.0, 100.0, 150.0)  # Hz, of the three formants
_HIGHEST_OF_VOICE = 4000  # Hz


def music(rng: np.random.Generator, n_samples: int, rate: int) -> Samples:
    """Return the beginning of a tune: a melody over chords, a bass and a beat, in one timbre.

    A longer piece of the same generator begins like a shorter one.
    """
    tune = _Tune.drawn(rng, rate)
    out = np.zeros(n_samples, np.float32)
    step = 60 / tune.beats_a_minute / 2 * rate  # samples an eighth
    n_eighths = _EIGHTHS * _N_BARS
    for eighth in range(int(n_samples / step) + 1):
        at, place = round(eighth * step), eighth % n_eighths
        for note in tune.notes[place]:
            length = round(note.n_eighths * step)
            _add(out, at, note.loudness * _tone(tune, note, length, rate))
        for sound in tune.beat[place % _EIGHTHS]:
            _add(out, at, sound)
    return out


def murmur(rng: np.random.Generator, n_samples: int, rate: int) -> Samples:
    """Return two voices in turn: syllables of a buzz through formants, with hisses between them."""
    out = np.zeros(n_samples, np.float32)
    voices = [(float(hz), float(rng.uniform(0.95, 1.2))) for hz in rng.uniform(95, 230, 2)]
    at, turn = float(rng.uniform(0, 0.5)) * rate, 0
    while at < n_samples:
        pitch, size = voices[turn % 2]
        n_syllables = int(rng.integers(3, 13))
        for index in range(n_syllables):
            fall = 1.1 - 0.25 * index / n_syllables  # a sentence sinks
            length = round(float(rng.uniform(0.1, 0.26)) * rate)
            if rng.random() < 0.6:
                hiss = _hiss(rng, round(float(rng.uniform(0.03, 0.1)) * rate))
                _add(out, round(at), hiss)
                at += len(hiss)
            _add(out, round(at), _syllable(rng, pitch * fall, size, length, rate))
            at += length + float(rng.uniform(0.0, 0.05)) * rate
        at += float(rng.uniform(0.15, 0.9)) * rate
        turn += int(rng.random() < 0.7)
    return out


def surroundings(rng: np.random.Generator, n_samples: int, rate: int) -> Samples:
    """Return a scene's air, which swells and ebbs, with a few thumps and rattles in it."""
    size = -(-n_samples // _TABLE) * _TABLE
    hz = np.fft.rfftfreq(size, 1 / rate)
    dull, steep = float(rng.uniform(80, 1500)), float(rng.uniform(0.4, 1.0))
    spectrum = np.fft.rfft(rng.standard_normal(size)) / (1 + (hz / dull) ** 2) ** steep
    air = np.fft.irfft(spectrum, size)[:n_samples]
    swell = rng.uniform(0.5, 1.5, n_samples // rate + 2)
    air *= np.interp(np.arange(n_samples) / rate, np.arange(len(swell)), swell)
    out = (air / max(float(np.abs(air).max(initial=0)), 1e-9)).astype(np.float32)
    for _ in range(int(rng.poisson(0.4 * n_samples / rate))):
        at, loudness = int(rng.integers(n_samples)), float(rng.uniform(1, 4))
        sound = (
            _thump(rng, rate) if rng.random() < 0.5 else _hiss(rng, int(rng.integers(400, 4000)))
        )
        _add(out, at, loudness * sound)
    return out


def at_level(samples: Samples, level_db: float) -> Samples:
    """Return samples whose root mean square is `level_db`, in dB of full scale; silence stays."""
    loudness = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0
    factor = 10 ** (level_db / 20) / loudness if loudness else 0.0
    return (samples * np.float32(factor)).astype(np.float32)


def faded(samples: Samples, n_faded: int) -> Samples:
    """Return samples that rise from silence and sink back into it, over `n_faded` at each end."""
    out = samples.copy()
    n_faded = min(n_faded, len(samples) // 2)
    if n_faded:
        ramp = (np.arange(n_faded, dtype=np.float32) / n_faded).astype(np.float32)
        out[:n_faded] *= ramp
        out[-n_faded:] *= ramp[::-1]
    return out


@dataclass(frozen=True)
class _Note:
    """A tone of a tune, n eighths long."""

    hz: float
    n_eighths: int
    loudness: float


@dataclass(frozen=True, eq=False)
class _Tune:
    """What a piece of music repeats: its notes by eighth, and its beat by eighth of a bar."""

    beats_a_minute: float
    wave: Samples  # one period
    attack_s: float
    decay_s: float
    notes: tuple[tuple[_Note, ...], ...]
    beat: tuple[tuple[Samples, ...], ...]

    @staticmethod
    def drawn(rng: np.random.Generator, rate: int) -> "_Tune":
        """Draw a tune; each bar has a chord and a bass, and the melody walks over the scale."""
        root, scale = _LOWEST_ROOT + int(rng.integers(12)), _SCALES[int(rng.integers(len(_SCALES)))]
        chords = _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))]
        busy, is_plucked = float(rng.uniform(0.35, 0.8)), bool(rng.random() < 0.5)
        notes: list[list[_Note]] = [[] for _ in range(_EIGHTHS * _N_BARS)]
        degree = 7
        for bar in range(_N_BARS):
            chord, first = chords[bar % len(chords)], bar * _EIGHTHS
            for third in (0, 2, 4):
                notes[first].append(_Note(_pitch(root, scale, chord + third), _EIGHTHS, 0.35))
            for eighth in (0, 4) if is_plucked else (0, 3, 6):
                notes[first + eighth].append(_Note(_pitch(root - 12, scale, chord), 3, 0.6))
            starts = [0] + [eighth for eighth in range(1, _EIGHTHS) if rng.random() < busy]
            for start, stop in zip(starts, [*starts[1:], _EIGHTHS], strict=True):
                degree = int(np.clip(degree + rng.integers(-3, 4), 4, 14))
                if start == 0:
                    degree = chord % 7 + 7
                tone = _Note(_pitch(root, scale, degree), stop - start, 1.0)
                notes[first + start].append(tone)
        harmonics = float(rng.uniform(0.3, 0.8)) ** np.arange(6) * rng.uniform(0.2, 1, 6)
        return _Tune(
            beats_a_minute=float(rng.uniform(76, 148)),
            wave=_wave(np.concatenate([[0], harmonics]), rng.uniform(0, 2 * np.pi, 7)),
            attack_s=0.005 if is_plucked else float(rng.uniform(0.03, 0.08)),
            decay_s=float(rng.uniform(0.15, 0.4)) if is_plucked else float(rng.uniform(0.6, 2)),
            notes=tuple(map(tuple, notes)),
            beat=_beat(rng, rate),
        )


def _beat(rng: np.random.Generator, rate: int) -> tuple[tuple[Samples, ...], ...]:
    """Draw a bar of drum and cymbal, by eighth; some tunes have none."""
    if rng.random() < 0.25:
        return ((),) * _EIGHTHS
    drum, cymbal = 0.9 * _thump(rng, rate), 0.35 * _hiss(rng, rate // 16)
    drums, cymbals = rng.random(_EIGHTHS) < 0.3, rng.random(_EIGHTHS) < 0.6
    drums[0] = True
    return tuple(
        (drum,) * int(low) + (cymbal,) * int(high) for low, high in zip(drums, cymbals, strict=True)
    )


def _pitch(root: int, scale: tuple[int, ...], degree: int) -> float:
    """Return the frequency in Hz of a degree of a scale, counted on over octaves; A4 is 440 Hz."""
    octave, step = divmod(degree, len(scale))
    return float(440 * 2 ** ((root + 12 * octave + scale[step] - 69) / 12))


def _tone(tune: _Tune, note: _Note, n_samples: int, rate: int) -> Samples:
    time = np.arange(n_samples, dtype=np.float32) / rate
    envelope = np.minimum(time / tune.attack_s, 1) * np.exp(-time / tune.decay_s)
    envelope *= np.minimum((n_samples - np.arange(n_samples)) / (0.01 * rate), 1)
    sound = _played(tune.wave, np.full(n_samples, note.hz / rate))
    return np.asarray(sound * envelope, np.float32)


def _syllable(
    rng: np.random.Generator, pitch: float, size: float, n_samples: int, rate: int
) -> Samples:
    """Return a vowel whose pitch bends; a mouth of another size has its formants elsewhere."""
    formants = np.array(_VOWELS[int(rng.integers(len(_VOWELS)))]) * size
    hz = pitch * np.arange(int(_HIGHEST_OF_VOICE / pitch) + 1)
    distance = (hz[:, None] - formants) / np.array(_BANDWIDTHS)
    strength = (np.array([1.0, 0.6, 0.3]) / (1 + distance**2)).sum(axis=1)
    strength[0] = 0
    wave = _wave(strength, rng.uniform(0, 2 * np.pi, len(hz)))
    bend = float(rng.uniform(0.88, 1.12))
    sound = _played(wave, np.linspace(pitch, pitch * bend, n_samples) / rate)
    envelope = float(rng.uniform(0.5, 1)) * np.sin(np.linspace(0, np.pi, n_samples)) ** 0.5
    return np.asarray(sound * envelope, np.float32)


def _hiss(rng: np.random.Generator, n_samples: int) -> Samples:
    """Return high noise that dies away."""
    noise = np.diff(rng.uniform(-0.2, 0.2, n_samples + 1))
    return (noise * np.linspace(1, 0, n_samples) ** 2).astype(np.float32)


def _thump(rng: np.random.Generator, rate: int) -> Samples:
    """Return a dull blow, a fifth of a second long."""
    time = np.arange(rate // 5) / rate
    periods = float(rng.uniform(45, 90)) * time + 2 * (1 - np.exp(-time * 30))
    return np.asarray(np.sin(2 * np.pi * periods) * np.exp(-time * 18), np.float32)


def _wave(strength: NDArray[np.float64], phase: NDArray[np.float64]) -> Samples:
    """Return one period of the sum of harmonics 0, 1, …, at most 1."""
    wave = np.fft.irfft(strength * np.exp(1j * phase), _TABLE)
    return np.asarray(wave / np.abs(wave).max(), np.float32)


def _played(wave: Samples, periods: NDArray[np.float64]) -> Samples:
    """Return a wave over time; `periods` (n,) pass from one sample to the next."""
    place = np.cumsum(periods) * _TABLE
    return np.asarray(wave[place.astype(np.int64) % _TABLE], np.float32)


def _add(out: Samples, at: int, sound: Samples) -> None:
    """Add a sound from sample `at` on; what sticks out is cut."""
    cut = out[at : at + len(sound)]
    cut += sound[: len(cut)]

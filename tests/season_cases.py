"""A studio without video files: parts of pictures and sound, joined to episodes and to seasons.

A part is made of a seed: the same seed is the same scene or theme, at any place of any episode.

    opening = theme(7, 12.3)
    first = episode(scene(1, 20), opening, scene(2, 50.6), seed=1)
    made = season(3, openings_at=(10.2, None, 25, 0))  # made.episodes, made.openings
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skipintro.detectors.augmentation import AugmentationSettings
from skipintro.detectors.candidates import Candidates, CandidateSettings
from skipintro.detectors.fit_library import LearningSettings
from skipintro.detectors.fitting import (
    FittedOpenings,
    LabelledSeason,
    OpeningFitSettings,
    TreeSettings,
    fit_openings,
    fitted_detector,
)
from skipintro.detectors.openings import (
    OpeningConfig,
    OpeningDetector,
    SeasonSettings,
    save_openings,
    season_candidates,
)
from skipintro.evidence.chroma import POINT_S, ChromaListener
from skipintro.evidence.pictures import THUMBNAIL, PictureSettings, Thumbnails, picture_track
from skipintro.evidence.settings import FingerprintSettings
from skipintro.evidence.sound import SAMPLE_RATE, SoundSettings, band_energies, sound_track
from skipintro.evidence.track import Evidence, Track
from skipintro.matching.pairs import MatchingSettings
from skipintro.matching.siblings import SiblingSettings

RATE = 4  # moments a second, of pictures, of sound and of the grid
PICTURES = PictureSettings(rate=RATE, coefficients=8, emphasis=0.5, flat=2.5, border=2)
SOUND = SoundSettings(
    rate=RATE,
    bands=40,
    lowest_hz=120,
    highest_hz=5000,
    mean_s=6,
    patch_s=2,
    coefficients_time=4,
    coefficients_bands=16,
    quiet=0.02,
    steady=7,
)
FINGERPRINT = FingerprintSettings(pictures=PICTURES, sound=SOUND)
PAL = 25 / 23.976
MATCHING = MatchingSettings(
    rate=RATE,
    alike={"pictures": 0.8, "sound": 0.5},
    gap_s=3,
    min_length_s=1.5,
    min_share=0.3,
    common_share=0.06,
    common_s=10,
    speeds=(1.0, PAL, 1 / PAL),
    speed_gain=1.4,
    n_runs=150,
    max_comparisons=32_000_000,
)
SIBLINGS = SiblingSettings(copy_share=0.7, copy_share_heard=0.3, min_said_s=10, n_siblings=8)
CANDIDATES = CandidateSettings(
    min_length_s=1.5,
    max_length_s=125,
    max_share=0.4,
    same_group=0.6,
    n_groups=40,
    snap_s=0.75,
    blank_s=3,
    still_s=(1.5, 10),
    snap_cost=0.08,
)
KINDS = ("pictures", "sound")

Times = NDArray[np.float64]
Wave = NDArray[np.float32]
Shown = NDArray[np.float32]  # (n, 36, 64), grey, 0 to 255
Interval = tuple[float, float]

_N_WAVES = 24  # that make a picture
_HARMONICS = 5
_FORMANTS_HZ = ((250, 900), (900, 2400), (2200, 3600))


@dataclass(frozen=True, eq=False)
class Part:
    """A stretch of an episode. pictures: of times in seconds from its own start."""

    length_s: float
    pictures: Callable[[Times], Shown]
    wave: Wave  # at SAMPLE_RATE, as long as the part


# --- what parts are made of ---


def shot(seed: Sequence[int]) -> Callable[[Times], Shown]:
    """Draw one picture of smooth waves, each of which moves at its own pace."""
    rng = np.random.default_rng(seed)
    down, across = rng.uniform(-2, 2, _N_WAVES), rng.uniform(-3, 3, _N_WAVES)
    size = rng.uniform(0.5, 1, _N_WAVES) * np.exp(2j * np.pi * rng.uniform(size=_N_WAVES))
    pace = rng.uniform(0.2, 1.5, _N_WAVES) * rng.choice([-1, 1], _N_WAVES)
    rows = np.exp(2j * np.pi * np.linspace(0, 1, THUMBNAIL[0])[:, None] * down)
    columns = np.exp(2j * np.pi * across[:, None] * np.linspace(0, 1, THUMBNAIL[1]))
    grey = rng.uniform(100, 150)

    def drawn(at: Times) -> Shown:
        moved = size * np.exp(1j * at[:, None] * pace)  # (n, waves)
        picture = ((rows * moved[:, None, :]) @ columns).real * (110 / _N_WAVES**0.5)
        return np.asarray(np.clip(grey + picture, 4, 251), np.float32)

    return drawn


def shots(seed: int, length_s: float) -> Callable[[Times], Shown]:
    """Cut from shot to shot, every 1.5 to 4.5 s."""
    rng = np.random.default_rng([seed, 1])
    cuts = np.append(0, np.cumsum(rng.uniform(1.5, 4.5, int(length_s / 1.5) + 1)))
    drawn = [shot([seed, 2, index]) for index in range(len(cuts))]
    return lambda at: _in_turn(at, cuts, drawn)


def music(seed: int, length_s: float) -> Wave:
    """Play a bass, a chord and a melody of random notes, with overtones."""
    rng = np.random.default_rng([seed, 3])
    wave = np.zeros(round(length_s * SAMPLE_RATE) + SAMPLE_RATE, np.float32)
    beat = int(rng.choice([5000, 6500]))  # samples
    scale, timbres = rng.choice(12, 7, replace=False), rng.integers(0, 3, 3)
    for at in range(0, round(length_s * SAMPLE_RATE), beat):
        for voice, timbre in enumerate(timbres.tolist()):
            length = beat // 2 if voice == 2 and rng.random() < 0.5 else beat
            tone = 12 * (voice + int(rng.integers(0, 2))) + int(rng.choice(scale))
            note = _note(tone, length, timbre)
            piece = wave[at : at + len(note)]
            piece += note[: len(piece)]
    return wave[: round(length_s * SAMPLE_RATE)]


@lru_cache(maxsize=512)
def _note(tone: int, length: int, timbre: int) -> Wave:
    """Play one note, so many half tones above 110 Hz."""
    fall = np.random.default_rng([timbre, 9]).uniform(0.5, 1.5, _HARMONICS)
    at = np.arange(2 * length)
    step = 2 * np.pi * 110 * 2 ** (tone / 12) / SAMPLE_RATE
    orders = np.arange(1.0, _HARMONICS + 1)
    phases = (step * orders[:, None] * at).astype(np.float32)  # whose sine is the faster one
    wave = (orders**-fall).astype(np.float32) @ np.sin(phases)
    return np.asarray(0.06 * wave * np.exp(-at / length), np.float32)


def speech(seed: int, length_s: float) -> Wave:
    """Say random syllables of one language, and pauses."""
    rng = np.random.default_rng([seed, 4])
    wave = np.zeros(round(length_s * SAMPLE_RATE), np.float32)
    at = 0
    while at < len(wave):
        syllable = _syllables()[rng.integers(len(_syllables()))]
        piece = wave[at : at + len(syllable)]
        piece += np.float32(rng.uniform(0.05, 0.12)) * syllable[: len(piece)]
        pause_s = rng.choice([0.02, 0.05, 0.5], p=[0.5, 0.35, 0.15])
        at += len(syllable) + round(float(pause_s) * SAMPLE_RATE)
    return wave


@lru_cache(maxsize=1)
def _syllables() -> list[Wave]:
    """Make bursts of noise of 0.1 to 0.35 s, each with formants of its own."""
    rng = np.random.default_rng(4)
    made = []
    for _ in range(300):
        n = 512 * int(rng.integers(3, 12))
        hz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE)
        shape = np.zeros(len(hz))
        for low, high in _FORMANTS_HZ:
            middle = rng.uniform(low, high)
            shape += rng.uniform(0.2, 1) * np.exp(-(((hz - middle) / (0.12 * middle)) ** 2))
        burst = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * shape, n) * np.hanning(n)
        made.append((burst / burst.std()).astype(np.float32))
    return made


# --- parts ---


@lru_cache(maxsize=16)
def scene(seed: int, length_s: float) -> Part:
    """Return moving pictures with speech."""
    return Part(length_s, shots(seed, length_s), speech(seed, length_s))


@lru_cache(maxsize=16)
def theme(seed: int, length_s: float) -> Part:
    """Return moving pictures with music, as openings have."""
    return Part(length_s, shots(seed, length_s), music(seed, length_s))


def still(seed: int, length_s: float) -> Part:
    """Return one picture that does not move, with speech."""
    drawn = shot([seed, 2])
    return Part(length_s, lambda at: drawn(np.zeros(len(at))), speech(seed, length_s))


def black(length_s: float) -> Part:
    """Return a black and silent part."""
    return Part(
        length_s,
        lambda at: np.full((len(at), *THUMBNAIL), 4, np.float32),
        np.zeros(round(length_s * SAMPLE_RATE), np.float32),
    )


def heard_as(part: Part, wave: Wave) -> Part:
    """Return the part with other sound, which is as long at least."""
    return replace(part, wave=wave[: len(part.wave)])


def dubbed(part: Part, seed: int) -> Part:
    """Return the part with other speech in place of all its sound."""
    return heard_as(part, speech(seed, part.length_s + 1))


def spoken_over(part: Part, seed: int, size: float = 0.5) -> Part:
    """Return the part with speech over its sound."""
    return replace(part, wave=part.wave + size * speech(seed, part.length_s + 1)[: len(part.wave)])


def shown_as(part: Part, other: Part) -> Part:
    """Return the part with the pictures of another one."""
    return replace(part, pictures=other.pictures)


def looks(part: Part, effect: Callable[[Shown], Shown]) -> Part:
    """Return the part with something done to its pictures."""
    return replace(part, pictures=lambda at: effect(part.pictures(at)))


def cut(part: Part, start_s: float, stop_s: float) -> Part:
    """Return `[start_s, stop_s)` of the part."""
    begin, end = round(start_s * SAMPLE_RATE), round(stop_s * SAMPLE_RATE)
    return Part(stop_s - start_s, lambda at: part.pictures(at + start_s), part.wave[begin:end])


def at_speed(part: Part, speed: float) -> Part:
    """Return the part as it runs at another speed; its pitch changes as with PAL."""
    length_s = part.length_s / speed
    at = np.arange(round(length_s * SAMPLE_RATE)) * speed
    wave = np.interp(at, np.arange(len(part.wave)), part.wave).astype(np.float32)
    return Part(length_s, lambda times: part.pictures(times * speed), wave)


def joined(*parts: Part) -> Part:
    """Return the parts one after the other."""
    ends = np.cumsum([part.length_s for part in parts])
    starts = np.append(0, ends[:-1]) if parts else np.zeros(0)
    length_s = float(ends[-1]) if parts else 0.0
    wave = np.zeros(round(length_s * SAMPLE_RATE), np.float32)
    for part, start in zip(parts, starts.tolist(), strict=True):
        place = wave[round(start * SAMPLE_RATE) :][: len(part.wave)]
        place += part.wave[: len(place)]
    return Part(length_s, lambda at: _in_turn(at, starts, [p.pictures for p in parts]), wave)


def _in_turn(at: Times, starts: Times, drawn: Sequence[Callable[[Times], Shown]]) -> Shown:
    """Ask for each time whichever has begun last, by the time since it began."""
    shown = np.zeros((len(at), *THUMBNAIL), np.float32)
    # Ends are sums of lengths: 1e-9 s keeps a moment from falling to the part before.
    owner = np.searchsorted(starts, at + 1e-9, side="right") - 1
    for place in np.unique(owner).tolist():
        its_own = owner == place
        shown[its_own] = drawn[place](np.maximum(at[its_own] - starts[place], 0))
    return shown


# --- episodes ---


def thumbnails_of(part: Part, *, seed: int = 0, grain: float = 1.0) -> Thumbnails:
    """Sample the pictures at t = k / RATE s, with grain of its own."""
    at = np.arange(int(np.ceil(part.length_s * RATE - 1e-6))) / RATE
    grains = _grains()[np.random.default_rng([seed, 5]).integers(0, len(_grains()), len(at))]
    return np.clip(part.pictures(at) + grain * grains + 0.5, 0, 255).astype(np.uint8)


def samples_of(part: Part, *, seed: int = 0, hiss: float = 1e-4) -> Wave:
    """Return the sound, with a hiss of its own that is too low to say something."""
    begin = int(np.random.default_rng([seed, 6]).integers(_grains().size))
    noise = np.resize(np.roll(_grains(), begin), len(part.wave))
    return np.asarray(part.wave + np.float32(hiss) * noise, np.float32)


@lru_cache(maxsize=1)
def _grains() -> Shown:
    """Draw noise, of which grain and hiss are taken."""
    return np.random.default_rng(5).standard_normal((64, *THUMBNAIL), np.float32)


def chroma_of(wave: Wave) -> Track:
    """Return the Chromaprint points of sound at SAMPLE_RATE."""
    listener = ChromaListener()
    for _ in listener.overhearing([wave]):
        pass
    return listener.track(int(len(wave) / SAMPLE_RATE / POINT_S))


def episode(*parts: Part, seed: int = 0, kinds: Sequence[str] = KINDS) -> Evidence:
    """Join parts and give their evidence; `seed` is of the grain and the hiss alone."""
    whole = joined(*parts)
    thumbnails = thumbnails_of(whole, seed=seed)
    tracks: dict[str, Track] = {}
    if "pictures" in kinds:
        tracks["pictures"] = picture_track(thumbnails, PICTURES)
    if "sound" in kinds:
        energies = band_energies([samples_of(whole, seed=seed)], SOUND)
        tracks["sound"] = sound_track(energies, len(thumbnails), SOUND)
    if "chroma" in kinds:
        tracks["chroma"] = chroma_of(samples_of(whole, seed=seed))
    return Evidence(tracks, len(thumbnails) / RATE)


@dataclass(frozen=True, eq=False)
class MadeSeason:
    """The episodes of a season, and where the opening of each one lies."""

    episodes: tuple[Evidence, ...]
    openings: tuple[Interval | None, ...]


def season(
    seed: int,
    *,
    openings_at: Sequence[float | None],
    opening: Part | None = None,
    opening_s: float = 12.3,
    credits_s: float = 0.0,
    length_s: float = 70.0,
    kinds: Sequence[str] = KINDS,
) -> MadeSeason:
    """Return a season whose episodes have an opening at these times; None has no opening.

    All else is each episode's own, but for end credits of `credits_s`, which all of them share.
    """
    opening = opening or theme(1000 * seed + 1, opening_s)
    closing = [theme(1000 * seed + 2, credits_s)] if credits_s else []
    seeds = count(1000 * seed + 3)
    episodes, openings = [], []
    for index, at in enumerate(openings_at):
        shared_s = credits_s + (0.0 if at is None else opening.length_s)
        rest_s = length_s - shared_s - (at or 0.0)
        before = [scene(next(seeds), at), opening] if at else [opening] if at == 0 else []
        parts = [*before, scene(next(seeds), rest_s), *closing]
        episodes.append(episode(*parts, seed=1000 * seed + index, kinds=kinds))
        openings.append(None if at is None else (at, at + opening.length_s))
    return MadeSeason(tuple(episodes), tuple(openings))


# --- a detector that has learned from small seasons ---

FITTING = OpeningFitSettings(
    seed=0,
    folds=3,
    graded_errors_s=(0, 0.5, 1, 2),
    grades=(1, 0.8, 0.3, 0),
    max_wrong=60,
    augmentation=AugmentationSettings(stretch=0, delayed_share=0, delayed_to=(0.3, 0.8)),
    right_within_s=0.75,
    trees=TreeSettings(
        max_iter=30,
        learning_rate=0.15,
        max_leaf_nodes=6,
        min_samples_leaf=4,
        l2_regularization=0.1,
        max_features=0.5,
    ),
)
CONFIG = OpeningConfig(
    fingerprint=FINGERPRINT,
    matching=MATCHING,
    siblings=SIBLINGS,
    candidates=CANDIDATES,
    min_confidence=0.5,
    calibration_scores=(0, 1),
    calibration_shares=(0, 1),
    features=(),
    learned_from="a dozen small seasons",
    weights_sha256="",
)

# From the labels of two series and more, without any start.
LEARNING = LearningSettings(
    season=SeasonSettings(matching=MATCHING, siblings=SIBLINGS, candidates=CANDIDATES),
    fit=FITTING.model_copy(update={"folds": 2}),
    start_from=None,
    further_trees=(),
    chance_episodes=0,
    min_confidence=0.5,
)


def candidates_of(episodes: Sequence[Evidence]) -> tuple[Candidates, ...]:
    """Return the candidates of each episode of a season."""
    return season_candidates(episodes, CONFIG)


def labelled(made: MadeSeason, show: str) -> LabelledSeason:
    """Return a season as the detector learns from it."""
    openings = tuple((opening,) if opening else () for opening in made.openings)
    return LabelledSeason(show, candidates_of(made.episodes), openings)


@lru_cache(maxsize=1)
def small_seasons() -> tuple[LabelledSeason, ...]:
    """Make a dozen seasons of three episodes.

    Half of them have credits in common, too; in a quarter one episode lacks the opening, and in
    another quarter all do.
    """
    rng = np.random.default_rng(12)
    seasons = []
    for show in range(12):
        opening_s = round(float(rng.uniform(7, 13)), 2)
        first, second, third = np.round(rng.uniform(0, 18, 3), 2).tolist()
        places = (
            (0.0, second, third),
            (first, None, third),
            (first, second, third),
            (None, None, None),
        )
        made = season(
            500 + show,
            openings_at=places[show % 4],
            opening_s=opening_s,
            credits_s=5.0 if show % 8 > 3 else 0.0,
            length_s=36.0,
        )
        seasons.append(labelled(made, f"show{show:02}"))
    return tuple(seasons)


@lru_cache(maxsize=1)
def small_fit() -> FittedOpenings:
    """Fit few small trees on the dozen seasons."""
    return fit_openings(small_seasons(), FITTING, RATE)


def small_detector(folder: Path) -> OpeningDetector:
    """Write the detector that was fitted, and give it as it is read."""
    return save_openings(folder, fitted_detector(small_fit(), CONFIG))

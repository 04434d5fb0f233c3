"""A toy library of generated vectors: series whose openings and closing rolls come back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skipintro.detection.candidates import CandidateConfig
from skipintro.detection.episode import Episode, LabelledEpisode
from skipintro.detection.fitting import FitSettings

Vectors = NDArray[np.float32]

DIMENSION = 64  # so that the cosine of two random vectors is 0 within about 0.13
LETTERING = 0.7  # length of what all lettering has in common; two seconds' cosine is about 0.3
NOISE = 0.3  # length of what is added to a second that comes back; its cosine is then about 0.92
CANDIDATES = CandidateConfig(
    similarity=0.6,
    min_length_s=3,
    max_length_s=30,
    reach_s=4,
    lone_penalty=0.2,
    n_runs=10,
    n_candidates=8,
    n_siblings=6,
)
SETTINGS = FitSettings(
    folds=4,
    similarities=(0.6,),
    regularisations=(0.01,),
    frame_regularisation=10.0,
    right_within_s=1.0,
    near_within_s=2.0,
    wrong_cost=1.0,
    chance_episodes=0.0,
    references_per_series=2,
)
TRAIN_SERIES = ("alpha", "beta", "gamma", "delta")
N_EPISODES = 4  # of each toy series


def film(rng: np.random.Generator, n_seconds: int) -> Vectors:
    """Give random rows of length 1: seconds that are like no others."""
    rows = rng.normal(size=(n_seconds, DIMENSION))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def noisy(rng: np.random.Generator, vectors: Vectors, level: float = NOISE) -> Vectors:
    """Give the vectors with noise of about the length `level` added to each."""
    noise = rng.normal(size=vectors.shape) * level / np.sqrt(DIMENSION)
    return np.asarray(vectors + noise, np.float32)


def lettering(rng: np.random.Generator, n_seconds: int) -> Vectors:
    """Give seconds that share a part with all other lettering, of any series."""
    rows = film(rng, n_seconds)
    rows[:, 0] += LETTERING
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def laid(*parts: Vectors) -> Vectors:
    """Give the parts one after the other."""
    return np.concatenate(parts)


def toy_series(name: str, seed: int) -> list[LabelledEpisode]:
    """Give one series of N_EPISODES; every one ends with the same closing roll.

    The opening lies at another place in each. The third episode shows it without its last two
    seconds, the last one shows none.
    """
    rng = np.random.default_rng(seed)
    opening, closing = lettering(rng, int(rng.integers(8, 13))), lettering(rng, 6)
    episodes = []
    for number in range(N_EPISODES):
        vectors = film(rng, int(rng.integers(40, 51)))
        start = int(rng.integers(0, 13))
        shown = {2: opening[:-2], N_EPISODES - 1: opening[:0]}.get(number, opening)
        stop = start + len(shown)
        vectors[start:stop] = noisy(rng, shown)
        vectors[-len(closing) :] = noisy(rng, closing)
        truth = (float(start), float(stop)) if len(shown) else None
        episodes.append(LabelledEpisode(Episode(f"{name}-{number}", name, vectors), truth))
    return episodes


def toy_library(names: Sequence[str] = TRAIN_SERIES, seed: int = 0) -> list[LabelledEpisode]:
    """Give the episodes of several toy series, each drawn by its own seed."""
    return [
        labelled
        for number, name in enumerate(names)
        for labelled in toy_series(name, 100 * seed + number)
    ]


def episodes_of(labelled: Sequence[LabelledEpisode]) -> list[Episode]:
    """Give the episodes without their labels."""
    return [each.episode for each in labelled]

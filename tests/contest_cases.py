"""Series of drawn vectors, each with an opening that comes back, and settings that suffice."""

import numpy as np

from skipintro.detection.candidates import CandidateConfig
from skipintro.detection.episode import Episode, LabelledEpisode
from skipintro.detection.fitting import FitSettings
from skipintro.evaluation.baselines import BaselineSettings

DIMENSION = 32  # few pairs of random directions have a cosine above 0.65
LENGTH_S, OPENING_S = 30, 6
CANDIDATES = CandidateConfig(
    similarity=0.65,
    min_length_s=2,
    max_length_s=60,
    reach_s=3,
    lone_penalty=0.15,
    n_runs=50,
    n_candidates=20,
    n_siblings=4,
)
SETTINGS = FitSettings(
    folds=2,
    similarities=(0.65,),
    regularisations=(1.0,),
    frame_regularisation=100.0,
    right_within_s=1.0,
    near_within_s=3.0,
    wrong_cost=1.0,
    chance_episodes=0.0,
    references_per_series=2,
)
BASELINES = BaselineSettings(
    seed=0,
    folds=2,
    max_film_frames=50,
    probability_thresholds=(0.5,),
    similarity_thresholds=(0.75,),
    early_shares=(0.5,),
    copy_similarity=0.98,
    min_length_s=2,
)


def drawn_series(name: str, n_episodes: int, *, seed: int, first: int = 1) -> list[LabelledEpisode]:
    """Give episodes `<name>-e<number>` from number `first` on, the opening at a second of its own.

    One seed gives one opening, so that later episodes of a series can be drawn as well.
    """
    opening = np.random.default_rng(seed).normal(size=(OPENING_S, DIMENSION))
    episodes = []
    for number in range(first, first + n_episodes):
        rng = np.random.default_rng((seed, number))
        vectors = rng.normal(size=(LENGTH_S, DIMENSION))
        start = int(rng.integers(0, LENGTH_S - OPENING_S))
        vectors[start : start + OPENING_S] = opening
        episode = Episode(f"{name}-e{number}", name, vectors.astype(np.float32))
        episodes.append(LabelledEpisode(episode, (float(start), float(start + OPENING_S))))
    return episodes

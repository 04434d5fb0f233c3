"""Series with an opening that comes back, in drawn vectors and in drawn pictures and sound."""

from collections.abc import Sequence

import numpy as np

from season_cases import KINDS, episode, scene, theme
from skipintro.detection.episode import Episode, LabelledEpisode
from skipintro.evaluation.audio_rules import AudioRules, SilenceRule
from skipintro.evaluation.baselines import BaselineSettings

DIMENSION = 32  # few pairs of random directions have a cosine above 0.65
LENGTH_S, OPENING_S = 40, 9
AUDIO_RULES = AudioRules(
    shift=2,
    max_bits=6,
    gap_s=3.5,
    min_length_s=15,
    short_min_length_s=3,
    max_length_s=120,
    share=0.25,
    limit_s=600,
    silence=SilenceRule(below_db=-50, min_length_s=0.33, within_s=5),
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
    audio_rules=AUDIO_RULES,
)


def drawn_series(
    name: str, n_episodes: int, *, seed: int, first: int = 1, kinds: Sequence[str] = KINDS
) -> list[LabelledEpisode]:
    """Return episodes `<name>-e<number>` from `first` on, the opening at a second of its own.

    One seed gives one opening, so that later episodes of a series can be drawn as well.
    """
    opening = np.random.default_rng(seed).normal(size=(OPENING_S, DIMENSION))
    shown = theme(10_000 + seed, OPENING_S)
    episodes = []
    for number in range(first, first + n_episodes):
        rng = np.random.default_rng((seed, number))
        vectors = rng.normal(size=(LENGTH_S, DIMENSION))
        start = int(rng.integers(1, LENGTH_S - OPENING_S))
        vectors[start : start + OPENING_S] = opening
        rest_s = LENGTH_S - OPENING_S - start
        around = 20_000 + 100 * seed + 2 * number
        fingerprints = episode(
            scene(around, start),
            shown,
            scene(around + 1, rest_s),
            seed=around,
            kinds=kinds,
        )
        one = Episode(f"{name}-e{number}", name, vectors.astype(np.float32), fingerprints)
        episodes.append(LabelledEpisode(one, (float(start), float(start + OPENING_S))))
    return episodes

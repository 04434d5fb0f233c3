"""Pairs of episodes that are remembered: the same results, and nothing matched twice."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from season_cases import CONFIG, season
from skipintro.detectors.openings import matched
from skipintro.evidence.track import Evidence
from skipintro.library.cache import Cache
from skipintro.library.pairs import PairCache
from skipintro.matching import siblings
from skipintro.matching.siblings import Season


class Remembering:
    """Matches episodes by a memory, and counts the pairs that it matches."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._memory = Cache(folder)
        self._n_matched = 0
        for name in ("match", "match_itself"):
            patch.setattr(siblings, name, self._counted(name))

    def _counted(self, name: str) -> object:
        original = getattr(siblings, name)

        def counted(*args: object) -> object:
            self._n_matched += 1
            return original(*args)

        return counted

    def __call__(
        self, episodes: Sequence[Evidence], contents: str, config: object = CONFIG
    ) -> tuple[Season, int]:
        self._n_matched = 0
        recall = PairCache(self._memory, config).of_season(contents)  # type: ignore[arg-type]
        return matched(episodes, CONFIG, recall), self._n_matched


def is_same(one: Season, other: Season) -> bool:
    """Tell whether two seasons are the same to the byte."""
    return (
        one.siblings == other.siblings
        and one.matches.keys() == other.matches.keys()
        and all(one.matches[at].speed == other.matches[at].speed for at in one.matches)
        and all(
            a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
            for a, b in (
                *((one.matches[at].runs, other.matches[at].runs) for at in one.matches),
                *zip(one.repeats, other.repeats, strict=True),
            )
        )
    )


def test_an_episode_more_is_matched_with_the_others_and_these_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes = season(3, openings_at=(5.0, 20.25, 9.0, 14.5)).episodes
    remembering = Remembering(tmp_path, monkeypatch)
    a, b, c, d = episodes
    for given, names, n_matched in (
        ([a, b, d], "abd", 3 + 3),  # pairs, and each one with itself
        ([a, b, c, d], "abcd", 3 + 1),
        ([a, b, c, d], "abcd", 0),
        ([a, c, d], "acd", 0),
        ([b, a, c, d], "bacd", 1),  # the other way round, another content is the first one
        ([a, a, c], "aac", 1),  # a copy, which is not the same as an episode and itself
    ):
        found, n = remembering(given, names)
        assert n == n_matched, names
        assert is_same(found, matched(given, CONFIG)), names
    assert remembering([a, a, c], "aac")[0].siblings == ((2,), (2,), (1,))


def test_other_settings_match_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    episodes = season(3, openings_at=(5.0, 20.25)).episodes
    remembering = Remembering(tmp_path, monkeypatch)
    remembering(episodes, "ab")
    other = CONFIG.matching.model_copy(update={"gap_s": CONFIG.matching.gap_s + 1})
    assert remembering(episodes, "ab", CONFIG.model_copy(update={"matching": other}))[1] == 3

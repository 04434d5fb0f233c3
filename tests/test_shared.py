"""What the siblings of an episode share with it, by kind of evidence."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from season_cases import (
    CONFIG,
    MATCHING,
    RATE,
    SIBLINGS,
    episode,
    heard_as,
    music,
    scene,
    season,
    small_detector,
    theme,
)
from skipintro.evaluation.plots import finding
from skipintro.matching.pairs import moments_of
from skipintro.matching.shared import SharedEvidence, shared_by_kind
from skipintro.matching.siblings import season_of

OPENING_S = 10.0


def test_the_opening_is_shared_by_all_and_the_story_by_none(tmp_path: Path) -> None:
    made = season(61, openings_at=(8.0, 20.0, 14.0), opening_s=OPENING_S, length_s=50)
    for shared, opening in zip(
        small_detector(tmp_path).shared(made.episodes), made.openings, strict=True
    ):
        assert opening is not None
        assert set(shared.kinds) == {"pictures", "sound"}
        start, stop = (round(end * RATE) for end in opening)
        for kind, curve in shared.kinds.items():
            assert np.nanmean(curve[start + 4 : stop - 4]) > 0.9, kind
            assert np.nanmean(np.delete(curve, np.arange(start - 8, stop + 8))) < 0.1, kind


def test_a_kind_that_says_nothing_is_no_number_and_one_that_differs_is_not_shared() -> None:
    opening = theme(9001, OPENING_S)
    episodes = [
        moments_of(
            episode(
                scene(9100 + number, 12), heard_as(opening, wave), scene(9200 + number, 25), seed=1
            ),
            MATCHING,
        )
        for number, wave in enumerate(
            (music(1, OPENING_S), music(2, OPENING_S), np.zeros_like(music(1, OPENING_S)))
        )
    ]
    found = season_of(episodes, MATCHING, SIBLINGS)
    inside = slice(14 * RATE, 20 * RATE)
    for position in range(3):
        shared = shared_by_kind(found, position, MATCHING)
        assert shared["pictures"][inside].mean() > 0.9
    assert np.nanmax(shared_by_kind(found, 0, MATCHING)["sound"][inside]) < 0.2
    assert np.isnan(shared_by_kind(found, 2, MATCHING)["sound"][inside]).all()


def test_without_siblings_nothing_is_shared() -> None:
    alone = season_of(
        [moments_of(episode(scene(1, 20)), MATCHING)], CONFIG.matching, CONFIG.siblings
    )
    for curve in shared_by_kind(alone, 0, MATCHING).values():
        assert np.nanmax(curve) == 0


def test_seconds_are_means_of_their_moments_and_silence_counts_as_nothing() -> None:
    shared = SharedEvidence(2, {"sound": np.array([1, 0, np.nan, 1, 1], np.float32)})
    assert shared.by_second()["sound"].tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("kinds", [0, 1, 2])
def test_each_kind_has_a_panel_of_its_own(tmp_path: Path, kinds: int) -> None:
    curve = np.array([0, 1, np.nan, 1], np.float32)
    shared = SharedEvidence(2, dict.fromkeys(("pictures", "sound")[:kinds], curve))
    heights = []
    for given in (None, shared):
        path = tmp_path / "found.png"
        finding(path, "a", [[(0.0, None)]], [0.1, 0.9], intervals=[(0.5, 1.5)], shared=given)
        heights.append(imread(path).shape[0])
    assert heights[1] - heights[0] == pytest.approx(99 * kinds, abs=2)  # 0.9 inches at 110 dpi

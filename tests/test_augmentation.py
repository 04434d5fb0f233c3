"""Seasons with their times changed: what the rankers learn of them, and what they do not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from season_cases import FITTING, RATE
from skipintro.detection.episode import Interval
from skipintro.detectors.augmentation import (
    AugmentationSettings,
    Variation,
    stretched,
    vary,
    with_story,
)
from skipintro.detectors.candidates import FEATURES, Candidates, Floats
from skipintro.detectors.fitting import LabelledSeason, OpeningFitSettings, learned_rows
from skipintro.detectors.trees import fit_trees

LENGTH_S = 100
AS_IT_IS = AugmentationSettings(stretch=0, delayed_share=0, delayed_to=(0.3, 0.8))
DELAYED = AS_IT_IS.model_copy(update={"delayed_share": 1.0, "delayed_to": (0.5, 0.5)})


def shown(
    *spans_s: Interval, length_s: float = LENGTH_S, strengths: Sequence[float] = ()
) -> Candidates:
    """Return candidates with the features that tell times, at the same place in every sibling."""
    start, stop = np.array(spans_s, np.float64).T
    rest = length_s - stop
    general = {
        "length": stop - start,
        "log_length": np.log(stop - start),
        "start": np.log1p(start),
        "sibling_start": np.log1p(start),
        "rest": np.log1p(rest),
        "sibling_rest": np.log1p(rest),
        "place": start / length_s,
        "sibling_place": start / length_s,
        "rest_place": rest / length_s,
        "cover": (stop - start) / length_s,
        "log_episode": np.full(len(start), np.log(length_s)),
        "share": np.array(strengths or [0.0] * len(start)),
        "any_alike": np.ones(len(start)),
    }
    columns = [general.get(name, np.zeros(len(start))) for name in FEATURES]
    return Candidates(
        n=round(length_s * RATE),
        spans=np.round(np.stack([start, stop], axis=1) * RATE).astype(np.int64),
        features=np.stack(columns, axis=1),
        group=np.arange(len(start)),
        links=tuple({} for _ in start),
    )


def table_around(features: Floats) -> Floats:
    """Return a table as a ranker has it: features of kinds before these, of siblings after."""
    rows = len(features)
    return np.hstack([np.ones((rows, 3)), features, np.full((rows, 4), 7.0)])


def test_stretched_features_are_those_of_candidates_that_last_longer() -> None:
    found = shown((10, 18), (10, 22)).features
    expected = shown((12.5, 22.5), (12.5, 27.5), length_s=125).features
    assert stretched(found, 1.25, found.shape[1]) == pytest.approx(expected)
    also = stretched(table_around(found), 1.25, 3 + found.shape[1])
    assert also == pytest.approx(table_around(expected))


def test_features_with_story_are_those_of_the_same_candidates_in_a_longer_episode() -> None:
    found = shown((0, 4), (10, 22)).features
    expected = shown((0, 4), (60, 72), length_s=150).features
    assert with_story(found, np.array([0.0, 50.0]), 50, found.shape[1]) == pytest.approx(expected)
    also = with_story(table_around(found), np.array([0.0, 50.0]), 50, 3 + found.shape[1])
    assert also == pytest.approx(table_around(expected))


def varied(
    found: Candidates, openings: Sequence[Interval], settings: AugmentationSettings
) -> Variation:
    return vary([found] * 2, [openings] * 2, settings, np.random.default_rng(0), RATE)


def test_an_opening_that_is_delayed_begins_at_the_chosen_share_of_the_episode() -> None:
    """What stands before it stays; what it would be cut in two by is no candidate any more."""
    found = shown((0, 4), (10, 22), (8, 22), (5, 22), (30, 34))
    variation = varied(found, [(10, 22)], DELAYED)
    assert variation.story_s == pytest.approx(80)
    assert variation.possible(0, found, RATE).tolist() == [True, True, True, False, True]
    moved = variation.features(0, found, found.features, RATE)
    places = moved[:, FEATURES.index("place")]
    assert places[[0, 1, 2, 4]] == pytest.approx([0, 90 / 180, 88 / 180, 110 / 180])


def test_what_is_stretched_as_well_is_delayed_in_its_longer_episode() -> None:
    found = shown((0, 4), (10, 22))
    variation = varied(found, [(10, 22)], DELAYED.model_copy(update={"stretch": 0.3}))
    assert variation.factor != 1
    moved = variation.features(0, found, found.features, RATE)
    assert moved[1, FEATURES.index("place")] == pytest.approx(0.5)
    assert moved[1, FEATURES.index("length")] == pytest.approx(12 * variation.factor)


@pytest.mark.parametrize(
    "openings", [[(60, 72)], [(10, 22), (60, 72)]], ids=["late", "with an ident that adjoins it"]
)
def test_an_opening_that_is_late_or_adjoined_stays(openings: list[Interval]) -> None:
    found = shown((4, 9), *openings, strengths=[1.0] * (1 + len(openings)))
    variation = varied(found, openings, DELAYED)
    assert variation.story_s == 0
    assert variation.possible(0, found, RATE).all()
    assert (variation.features(0, found, found.features, RATE) == found.features).all()


def test_an_episode_without_an_opening_gets_story_where_nothing_strong_is() -> None:
    assert varied(shown((90, 95)), [], DELAYED).story_s > 0
    assert varied(shown((0.5, 95), strengths=[1.0]), [], DELAYED).story_s == 0


def fitting(settings: AugmentationSettings) -> OpeningFitSettings:
    return FITTING.model_copy(update={"augmentation": settings})


def scores_after_learning(
    found: Candidates, opening: Interval, settings: OpeningFitSettings, asked: Candidates
) -> Floats:
    seasons = [LabelledSeason(f"show{show}", (found,) * 4, ((opening,),) * 4) for show in range(12)]
    rows, grades, weights = learned_rows(
        seasons, [[found.features] * 4 for _ in seasons], settings, RATE
    )
    trees = fit_trees(rows, grades, settings.trees.model_dump(), seed=0, weights=weights)
    return trees.predict(asked.features)


@pytest.mark.parametrize(("stretch", "is_learned"), [(0.0, True), (0.3, False)])
def test_a_length_that_all_labels_have_is_learned_unless_seasons_are_stretched(
    stretch: float, is_learned: bool
) -> None:
    """Every opening lasts 12 s, and other candidates a second more or less."""
    found = shown(*((10, 10 + length_s) for length_s in range(8, 17)))
    for share in ("cover", "rest_place"):  # of the episode, which is stretched with them
        found.features[:, FEATURES.index(share)] = 0
    settings = fitting(AS_IT_IS.model_copy(update={"stretch": stretch}))
    scores = scores_after_learning(found, (10, 22), settings, found)
    assert (scores[4] > 2 * np.delete(scores, 4).max()) == is_learned


@pytest.mark.parametrize(("share", "is_learned"), [(0.0, True), (0.7, False)])
def test_a_place_that_all_labels_have_is_learned_unless_openings_are_delayed(
    share: float, is_learned: bool
) -> None:
    """Every opening begins at 10 s; what comes later is shorter, and none."""
    found = shown((10, 22), *((start, start + 3) for start in range(30, 90, 10)))
    asked = shown((10, 22), (60, 72))
    settings = fitting(
        AS_IT_IS.model_copy(update={"delayed_share": share, "delayed_to": (0.3, 0.8)})
    )
    early, late = scores_after_learning(found, (10, 22), settings, asked)
    assert early > 0.8
    assert (late < 0.2) == is_learned


def test_only_candidates_that_are_whole_are_learned_from() -> None:
    found = replace(shown((0, 4), (10, 22), (5, 30)), links=({}, {}, {}))
    season = LabelledSeason("show", (found,), (((10, 22),),))
    rows, grades, _ = learned_rows([season], [[found.features]], fitting(DELAYED), RATE)
    assert sorted(grades.tolist()) == [0, 1]
    assert sorted(rows[:, FEATURES.index("length")].tolist()) == [4, 12]

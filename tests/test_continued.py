"""Going on with a fit on the labelled seasons of one library."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from season_cases import CONFIG, FITTING, RATE, labelled, season, small_fit, small_seasons
from skipintro.detectors.continued import continue_fit
from skipintro.detectors.fitting import LabelledSeason, errors_of, fitted_detector, folds_of
from skipintro.detectors.openings import OpeningDetector
from skipintro.detectors.trees import Trees

SETTINGS = FITTING.model_copy(
    update={"trees": FITTING.trees.model_copy(update={"min_samples_leaf": 10})}
)


def start() -> OpeningDetector:
    return fitted_detector(small_fit(), CONFIG)


@lru_cache(maxsize=1)
def logos() -> tuple[LabelledSeason, ...]:
    """Make six seasons whose labelled opening is what the start takes for end credits."""
    seasons = []
    for show in range(6):
        made = season(
            3000 + show,
            openings_at=(2.0 + show, 9.0, 15.5),
            opening_s=7.0,
            credits_s=6.0,
            length_s=40.0,
        )
        last = tuple((40.0 - 6.0, 40.0) for _ in made.episodes)
        seasons.append(labelled(replace(made, openings=last), f"logo{show}"))
    return tuple(seasons)


def right(detector: OpeningDetector, seasons: tuple[LabelledSeason, ...]) -> int:
    found = 0
    for one in seasons:
        scores = detector.scores(one.candidates)
        for candidates, openings, values in zip(one.candidates, one.openings, scores, strict=True):
            found += bool(errors_of(candidates, openings, RATE)[values.argmax()] <= 1)
    return found


def test_where_the_start_is_right_it_stays_as_it_is() -> None:
    seasons = small_seasons()[:6]
    continued = continue_fit(start(), seasons, SETTINGS, (0, 20), chance_episodes=2)
    assert continued.chosen.further_trees == 0
    assert [trial.further_trees for trial in continued.trials] == [0, 20]
    assert len(continued.detector.agreed.roots) == len(start().agreed.roots)
    for one, scores in zip(seasons, continued.held_out, strict=True):
        expected = start().scores(one.candidates)
        assert [each.tolist() for each in scores] == [each.tolist() for each in expected]


def test_a_library_of_other_openings_is_learned_and_the_gain_is_of_series_held_out() -> None:
    seasons = logos()
    before, n_episodes = right(start(), seasons), 18
    continued = continue_fit(start(), seasons, SETTINGS, (0, 40), chance_episodes=2)
    first, second = continued.trials
    assert continued.chosen == second
    assert second.right - second.wrong >= first.right - first.wrong + 2
    assert before < 3
    assert right(continued.detector, seasons) > n_episodes - 3
    assert continued.detector.alone is not None
    assert len(continued.detector.agreed.roots) == len(start().agreed.roots) + 40


def test_what_is_held_out_was_not_learned_from() -> None:
    """The labels of one series change nothing in what is said of it when it is held out."""
    seasons = logos()
    nothing = replace(seasons[0], openings=((), (), ()))
    one, other = (
        continue_fit(start(), (first, *seasons[1:]), SETTINGS, (40,), chance_episodes=0)
        for first in (seasons[0], nothing)
    )
    assert one.chosen.further_trees == other.chosen.further_trees == 40
    for mine, theirs in zip(one.held_out[0], other.held_out[0], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    fold = folds_of(seasons, SETTINGS)
    elsewhere = next(place for place in range(1, 6) if fold[place] != fold[0])
    assert any(
        not np.array_equal(mine, theirs)
        for mine, theirs in zip(one.held_out[elsewhere], other.held_out[elsewhere], strict=True)
    )


def test_a_gain_that_may_be_chance_is_not_taken() -> None:
    continued = continue_fit(start(), logos(), SETTINGS, (0, 40), chance_episodes=1000)
    assert continued.chosen.further_trees == 0


def test_one_series_leaves_nothing_to_hold_out() -> None:
    continued = continue_fit(start(), logos()[:1], SETTINGS, (0, 40), chance_episodes=0)
    assert [trial.further_trees for trial in continued.trials] == [0]


def test_a_series_in_which_nothing_comes_back_teaches_nothing() -> None:
    made = season(4000, openings_at=(3.0,), length_s=20)  # one episode
    alone = [labelled(made, name) for name in ("a", "b")]
    continued = continue_fit(start(), alone, SETTINGS, (0, 5), chance_episodes=0)
    assert continued.chosen.further_trees == 0
    assert (continued.chosen.right, continued.chosen.wrong) == (0, 0)


def test_the_same_seasons_give_the_same_trees() -> None:
    one, other = (
        continue_fit(start(), logos(), SETTINGS, (40,), chance_episodes=0).detector.agreed
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.value, other.value)
    np.testing.assert_array_equal(one.threshold, other.threshold)


def test_trees_that_follow_others_add_their_predictions(tmp_path: Path) -> None:
    first, second = small_fit().alone, small_fit().alone
    rows = np.random.default_rng(0).normal(size=(50, int(first.feature.max()) + 1))
    both = first.followed_by(second).predict(rows)
    assert both == pytest.approx(first.predict(rows) + second.predict(rows))
    assert Trees.none().predict(rows).tolist() == [0.0] * 50
    assert first.followed_by(Trees.none()).predict(rows).tolist() == first.predict(rows).tolist()

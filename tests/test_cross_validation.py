"""Series-disjoint cross-validation on drawn vectors."""

import pytest

from contest_cases import BASELINES, drawn_series
from season_cases import FINGERPRINT, LEARNING
from skipintro.detection.episode import LabelledEpisode
from skipintro.detectors.fit_library import learn
from skipintro.evaluation.cross_validation import CrossValidation, cross_validate, markdown

EPISODES = [
    labelled
    for seed, name in enumerate(("one", "two", "three", "four"), 1)
    for labelled in drawn_series(name, 3, seed=seed)
]


def validated(episodes: list[LabelledEpisode], folds: int, seeds: int) -> CrossValidation:
    return cross_validate(
        episodes,
        fit=lambda rest: learn(rest, FINGERPRINT, LEARNING).detector,
        baseline_settings=BASELINES,
        folds=folds,
        seeds=seeds,
    )


@pytest.fixture(scope="module")
def found() -> CrossValidation:
    return validated(EPISODES, folds=2, seeds=2)


def test_every_episode_is_predicted_once_a_seed(found: CrossValidation) -> None:
    assert (found.episodes, found.series) == (12, 4)
    assert all(len(its_own) == 2 for its_own in found.by_seed.values())
    assert all(f.episodes == 12 for its_own in found.by_seed.values() for f in its_own)


def test_a_position_that_is_known_of_the_series_helps_nobody_in_another_one(
    found: CrossValidation,
) -> None:
    """Where the series were not kept apart, the median of the series would differ from train's."""
    assert found.detectors["position_of_series"] == found.detectors["position_of_train"]


def test_mean_and_deviation_are_those_of_the_seeds(found: CrossValidation) -> None:
    one, two = (f.within_3s.f1 for f in found.by_seed["openings"])
    assert one is not None
    assert two is not None
    spread = found.detectors["openings"]["within_3s/f1"]
    assert spread.mean == pytest.approx((one + two) / 2)
    assert spread.deviation == pytest.approx(abs(one - two) / 2**0.5)


def test_one_seed_has_no_deviation_and_what_is_undefined_is_a_dash() -> None:
    found = validated(EPISODES, folds=2, seeds=1)
    assert found.detectors["openings"]["within_3s/f1"].deviation is None
    row = next(line for line in markdown(found).splitlines() if line.startswith("| openings |"))
    assert row.endswith("| - |")  # no episode is without an intro
    assert "±" not in row


def test_fewer_series_than_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="got 4 series"):
        validated(EPISODES, folds=5, seeds=1)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from skipintro.detection.ranker import (
    Choice,
    Prior,
    Ranker,
    at_home,
    fit_ranker,
    standardised,
    standards,
)

N_FEATURES = 3
PRIOR = Prior(np.array([1.0, -2.0, 0.5]), 0.7)


def random_choices(seed: int, n: int = 8) -> list[Choice]:
    """Give choices among 0 to 4 candidates; one feature never varies, targets may be shared."""
    rng = np.random.default_rng(seed)
    choices = []
    for number in range(n):
        n_candidates = number % 5
        features = rng.normal([5.0, 0.0, 2.0], [2.0, 0.1, 0.0], (n_candidates, N_FEATURES))
        target = rng.integers(0, 3, n_candidates + 1) + 0.0
        target[-1] += not target.any()
        choices.append(Choice(features, target / target.sum()))
    return choices


def slow_loss(
    weights: NDArray[np.float64],
    choices: list[Choice],
    regularisation: float,
    prior: Prior | None,
) -> float:
    """Give what is minimised, by a loop over episodes and candidates."""
    mean, scale = standards(choices)
    total = 0.0
    for choice in choices:
        scores = [
            sum(w * (x - m) / s for w, x, m, s in zip(weights, row, mean, scale, strict=False))
            for row in choice.features
        ]
        odds = np.exp([*scores, weights[-1]])
        total -= sum(
            share * np.log(odd / odds.sum()) for share, odd in zip(choice.target, odds, strict=True)
        )
    away = weights[:-1] if prior is None else weights - np.append(prior.weights, prior.none)
    return float(total / len(choices) + regularisation * sum(away**2))


@pytest.mark.parametrize("prior", [None, PRIOR])
@pytest.mark.parametrize("regularisation", [0.003, 0.1, 3.0])
def test_the_fit_is_where_a_slow_optimiser_ends(regularisation: float, prior: Prior | None) -> None:
    choices = random_choices(1)
    expected = minimize(
        slow_loss,
        np.zeros(N_FEATURES + 1),
        args=(choices, regularisation, prior),
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-12, "maxiter": 5000, "maxfev": 5000},
    )
    ranker = fit_ranker(choices, regularisation, prior)
    found = np.append(ranker.weights, ranker.none)
    assert found == pytest.approx(expected.x, abs=2e-3)
    assert slow_loss(found, choices, regularisation, prior) <= expected.fun + 1e-8


def test_no_step_from_the_fit_makes_the_loss_smaller() -> None:
    choices = random_choices(2)
    ranker = fit_ranker(choices, 0.05, PRIOR)
    found = np.append(ranker.weights, ranker.none)
    least = slow_loss(found, choices, 0.05, PRIOR)
    for step in (*(np.eye(N_FEATURES + 1) * 1e-3), *(np.eye(N_FEATURES + 1) * -1e-3)):
        assert slow_loss(found + step, choices, 0.05, PRIOR) > least


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.floats(0.1, 1000))
def test_the_probabilities_of_all_candidates_and_of_none_add_up_to_one(
    seed: int, n_candidates: int, size: float
) -> None:
    rng = np.random.default_rng(seed)
    ranker = Ranker(
        rng.normal(size=N_FEATURES),
        rng.uniform(0.1, 2, N_FEATURES),
        rng.normal(size=N_FEATURES) * size,
        float(rng.normal()) * size,
    )
    probabilities = ranker.probabilities(rng.normal(size=(n_candidates, N_FEATURES)))
    assert probabilities.shape == (n_candidates + 1,)
    assert probabilities.min() >= 0
    assert probabilities.sum() == pytest.approx(1)


def test_a_score_worked_out_by_hand() -> None:
    ranker = Ranker(np.array([1.0]), np.array([2.0]), np.array([3.0]), 0.5)
    odds = np.exp([3.0, -1.5, 0.5])  # features 3 and 0, and none
    expected = (odds / odds.sum()).tolist()
    assert ranker.probabilities(np.array([[3.0], [0.0]])).tolist() == pytest.approx(expected)


def test_without_candidates_none_is_certain() -> None:
    ranker = fit_ranker(random_choices(3), 0.1)
    assert ranker.probabilities(np.zeros((0, N_FEATURES))).tolist() == [1]


def test_episodes_without_candidates_teach_nothing_but_are_no_fault() -> None:
    empty = Choice(np.zeros((0, N_FEATURES)), np.ones(1))
    alone = fit_ranker([empty], 0.1)
    assert alone.weights.tolist() == [0] * N_FEATURES
    assert alone.probabilities(np.zeros((0, N_FEATURES))).tolist() == [1]
    held = fit_ranker([empty], 0.1, PRIOR)
    assert held.weights == pytest.approx(PRIOR.weights)
    assert held.none == pytest.approx(PRIOR.none)


def test_a_ranker_of_no_episodes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one episode"):
        fit_ranker([], 0.1)


def test_more_regularisation_pulls_to_the_prior() -> None:
    choices = random_choices(4)
    away = []
    for regularisation in (0.001, 0.01, 0.1, 1, 1e5):
        ranker = fit_ranker(choices, regularisation, PRIOR)
        found = np.append(ranker.weights, ranker.none)
        away.append(float(np.linalg.norm(found - np.append(PRIOR.weights, PRIOR.none))))
    assert away == sorted(away, reverse=True)
    assert away[-1] == pytest.approx(0, abs=1e-4)


def test_without_a_prior_more_regularisation_leaves_the_share_of_none() -> None:
    candidates = np.array([[0.0], [1.0]])
    intro, none = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    choices = [Choice(candidates, target) for target in (intro, intro, intro, none)]
    ranker = fit_ranker(choices, 1e6)
    assert ranker.weights == pytest.approx([0], abs=1e-4)
    assert ranker.probabilities(candidates) == pytest.approx([0.375, 0.375, 0.25], abs=1e-4)


def test_the_unit_of_a_feature_does_not_matter() -> None:
    choices = random_choices(5)
    unit, shift = np.array([1000.0, 0.01, 1.0]), np.array([5.0, -3.0, 0.0])
    other = [Choice(choice.features * unit + shift, choice.target) for choice in choices]
    ranker, of_other = fit_ranker(choices, 0.1), fit_ranker(other, 0.1)
    for one, two in zip(choices, other, strict=True):
        expected = ranker.probabilities(one.features)
        assert of_other.probabilities(two.features) == pytest.approx(expected, abs=1e-5)


def test_standardised_features_have_mean_zero_and_spread_one_where_they_vary() -> None:
    choices = random_choices(6)
    made = standardised(choices)
    stacked = np.concatenate([choice.features for choice in made])
    assert stacked.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-9)
    assert stacked.std(axis=0) == pytest.approx([1, 1, 0], abs=1e-9)
    for before, after in zip(choices, made, strict=True):
        assert after.target.tolist() == before.target.tolist()


def test_a_prior_at_home_scores_a_library_by_its_own_standards() -> None:
    choices = random_choices(7)
    ranker = at_home(PRIOR, choices)
    for before, after in zip(choices, standardised(choices), strict=True):
        scores = np.append(after.features @ PRIOR.weights, PRIOR.none)
        expected = np.exp(scores) / np.exp(scores).sum()
        assert ranker.probabilities(before.features) == pytest.approx(expected)


def test_a_fit_held_to_its_prior_is_the_prior_at_home() -> None:
    choices = random_choices(8)
    held, home = fit_ranker(choices, 1e7, PRIOR), at_home(PRIOR, choices)
    for choice in choices:
        expected = home.probabilities(choice.features)
        assert held.probabilities(choice.features) == pytest.approx(expected, abs=1e-5)

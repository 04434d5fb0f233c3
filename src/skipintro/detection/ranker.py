"""Decides among the candidates of an episode: at most one is the intro, or none is.

A conditional logit model (McFadden, "Conditional logit analysis of qualitative choice behavior",
1973): the probability of a candidate is the softmax of a linear score of its features, over all
candidates of the episode and the choice of none, which has a score of its own. So probabilities
add up to one an episode, and abstaining is one of the choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax


@dataclass(frozen=True, eq=False)
class Choice:
    """One episode to learn from.

    features: float64 (C, F); target: float64 (C + 1,), the share of each candidate in being the
    intro, the last one for none; adds up to 1.
    """

    features: NDArray[np.float64]
    target: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranker:
    """mean, scale and weights: float64 (F,), of the features; none: the score of no intro."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    none: float

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give float64 (C + 1,) for the candidates' features (C, F); the last one is for none."""
        scores = ((features - self.mean) / self.scale) @ self.weights
        return np.asarray(softmax(np.append(scores, self.none)))


@dataclass(frozen=True, eq=False)
class Prior:
    """Where a fit starts from and is held to: weights (F,) of standardised features, and none."""

    weights: NDArray[np.float64]
    none: float


def fit_ranker(
    choices: Sequence[Choice], regularisation: float, prior: Prior | None = None
) -> Ranker:
    """Fit by maximum likelihood, the features standardised over all candidates.

    `regularisation` weighs the squared distance of the weights from the prior's (or from 0, the
    score of none then free) against the mean log-likelihood an episode.
    Raises ValueError where there is no choice to learn from.
    """
    if not choices:
        raise ValueError("a ranker needs at least one episode")
    from scipy.optimize import minimize  # noqa: PLC0415  detecting does without

    mean, scale = standards(choices)
    n_features = len(mean)
    start, held = np.zeros(n_features + 1), np.append(np.ones(n_features), 0.0)
    if prior is not None:
        start, held = np.append(prior.weights, prior.none), np.ones(n_features + 1)
    most = max(len(choice.features) for choice in choices)
    features = np.zeros((len(choices), most + 1, n_features + 1))
    target = np.zeros((len(choices), most + 1))
    missing = np.full((len(choices), most + 1), -np.inf)
    for row, choice in enumerate(choices):
        n = len(choice.features)
        features[row, :n, :-1] = (choice.features - mean) / scale
        target[row, :n], target[row, -1] = choice.target[:-1], choice.target[-1]
        missing[row, :n] = missing[row, -1] = 0.0
    features[:, -1, -1] = 1.0  # the last weight is the score of none

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = features @ weights + missing
        logs = np.where(np.isfinite(missing), log_softmax(scores, axis=1), 0.0)
        error = softmax(scores, axis=1) - target
        away = (weights - start) * held
        penalty = regularisation * away
        value = -(target * logs).sum() / len(choices) + penalty @ away
        gradient = np.einsum("ec,ecf->f", error, features) / len(choices) + 2 * penalty
        return float(value), gradient

    weights = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return Ranker(mean, scale, weights[:-1], float(weights[-1]))


def standards(choices: Sequence[Choice]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give mean and scale (F,) of the features over all candidates; 1 where one never varies."""
    stacked = np.concatenate([choice.features for choice in choices])
    if not len(stacked):
        return np.zeros(stacked.shape[1]), np.ones(stacked.shape[1])
    spread = stacked.std(axis=0)
    return stacked.mean(axis=0), np.where(spread > 1e-9, spread, 1.0)


def standardised(choices: Sequence[Choice]) -> list[Choice]:
    """Give the choices with standardised features, so that several libraries can be pooled."""
    mean, scale = standards(choices)
    return [Choice((choice.features - mean) / scale, choice.target) for choice in choices]


def at_home(prior: Prior, choices: Sequence[Choice]) -> Ranker:
    """Give the prior as it stands, for the features of one library."""
    mean, scale = standards(choices)
    return Ranker(mean, scale, prior.weights, prior.none)

"""The ends of an opening, of candidates that are nearly as good."""

import numpy as np
import pytest

from skipintro.detectors.ends import EndsSettings, mean_ends

SETTINGS = EndsSettings(within_s=3, score_range=0.1)


def ends(spans: list[tuple[float, float]], scores: list[float], best: int = 0) -> list[float]:
    return list(mean_ends(np.array(spans), np.array(scores), best, SETTINGS))


def test_one_candidate_keeps_its_ends() -> None:
    assert ends([(10.25, 40.5)], [0.9]) == [10.25, 40.5]


def test_a_candidate_as_good_counts_as_much() -> None:
    assert ends([(10, 40), (12, 41)], [0.9, 0.9]) == [11, 40.5]


def test_a_weight_falls_with_the_score_to_none() -> None:
    half = ends([(10, 40), (13, 40)], [0.9, 0.85])
    assert half == pytest.approx([11, 40])
    assert ends([(10, 40), (13, 40)], [0.9, 0.8]) == pytest.approx([10, 40])
    assert ends([(10, 40), (13, 40)], [0.9, -np.inf]) == [10, 40]  # not allowed


def test_candidates_elsewhere_do_not_count() -> None:
    assert ends([(10, 40), (13.25, 40), (10, 43.25), (60, 90)], [0.9] * 4) == [10, 40]


def test_another_candidate_than_the_best_has_ends_of_its_own() -> None:
    """A further opening has a lower score; what is better near it counts as it does itself."""
    assert ends([(10, 40), (60, 90), (62, 90)], [0.9, 0.5, 0.7], best=1) == [61, 90]


@pytest.mark.parametrize("small", [1e-4, 1e-6])
def test_a_small_change_of_scores_changes_ends_a_little(small: float) -> None:
    spans = [(10.0, 40.0), (11.0, 42.0)]
    one, other = ends(spans, [0.9, 0.9 - small]), ends(spans, [0.9, 0.9 + small], best=1)
    np.testing.assert_allclose(one, other, atol=30 * small)

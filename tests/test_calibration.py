import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from outcome_cases import Case, cases, outcome
from skipintro.evaluation.calibration import (
    RiskCoveragePoint,
    probability_figures,
    reliability,
    risk_coverage,
)
from skipintro.evaluation.results import Outcome

CASES = st.lists(cases(), max_size=6)


def seconds_of(drawn: list[Case]) -> list[tuple[bool, float]]:
    """Return (intro, probability) of each second of the episodes that have probabilities."""
    return [
        (10 * second in case.intro, float(probability))
        for case in drawn
        for second, probability in enumerate(case.outcome.probabilities)
    ]


def test_the_probabilities_of_four_seconds_worked_out_by_hand() -> None:
    found = probability_figures(
        [
            outcome((0, 1), n_seconds=2, probabilities=(0.75, 0.25)),
            outcome((1, 2), n_seconds=2, probabilities=(0.5, 0.125)),
            outcome((0, 9), n_seconds=9),  # has none and counts nowhere
        ]
    )
    assert found.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 4)
    assert found.brier_score == pytest.approx((0.25**2 + 0.25**2 + 0.5**2 + 0.875**2) / 4)
    assert found.expected_calibration_error == pytest.approx((0.25 + 0.25 + 0.5 + 0.875) / 4)


def test_without_probabilities_nothing_is_said_of_them() -> None:
    for rows in ([], [outcome((0, 5), (0, 5))]):
        assert set(probability_figures(rows).model_dump().values()) == {None}
        assert {one.n_seconds for one in reliability(rows)} == {0}


def test_without_a_second_of_intro_they_rank_nothing_but_are_calibrated_or_not() -> None:
    found = probability_figures([outcome(n_seconds=2, probabilities=(0.0, 0.5))])
    assert found.average_precision is None
    assert found.brier_score == 0.125
    assert found.expected_calibration_error == 0.25


def test_equal_probabilities_rank_as_the_share_of_intro_whatever_their_order() -> None:
    for truth in ((0, 1), (3, 4)):
        rows = [outcome(truth, n_seconds=4, probabilities=(0.5,) * 4)]
        assert probability_figures(rows).average_precision == 0.25


def test_a_reliability_bin_holds_its_lower_bound_and_the_last_one_holds_1_too() -> None:
    bins = reliability([outcome((2, 4), n_seconds=4, probabilities=(0.0, 0.5, 0.5625, 1.0))])
    assert [one.n_seconds for one in bins] == [1, 0, 0, 0, 0, 2, 0, 0, 0, 1]
    assert (bins[5].lower, bins[5].upper) == (0.5, 0.6)
    assert (bins[5].mean_probability, bins[5].observed_share) == (0.53125, 0.5)
    assert (bins[1].mean_probability, bins[1].observed_share) == (None, None)
    assert (bins[9].mean_probability, bins[9].observed_share) == (1.0, 1.0)


@given(CASES)
def test_the_brier_score_agrees_with_scikit_learn_and_the_bins_with_a_histogram(
    drawn: list[Case],
) -> None:
    seconds = seconds_of(drawn)
    if not seconds:
        return
    intro, probabilities = (np.array(column, float) for column in zip(*seconds, strict=True))
    rows = [case.outcome for case in drawn]
    brier = brier_score_loss(intro, probabilities, labels=[0, 1])
    assert probability_figures(rows).brier_score == pytest.approx(brier)
    for weights, totals in (
        (np.ones_like(intro), [one.n_seconds for one in reliability(rows)]),
        (intro, [one.n_seconds * (one.observed_share or 0) for one in reliability(rows)]),
        (
            probabilities,
            [one.n_seconds * (one.mean_probability or 0) for one in reliability(rows)],
        ),
    ):
        expected, _ = np.histogram(probabilities, bins=10, range=(0, 1), weights=weights)
        assert totals == pytest.approx(expected)


@given(CASES)
def test_the_calibration_error_agrees_with_a_loop_over_bins(drawn: list[Case]) -> None:
    seconds = seconds_of(drawn)
    expected = 0.0
    for tenth in range(10):
        inside = [
            (intro, probability)
            for intro, probability in seconds
            if tenth <= 10 * probability < tenth + 1 or (tenth == 9 and probability == 1)
        ]
        gap = sum(probability for _, probability in inside) - sum(intro for intro, _ in inside)
        expected += abs(gap) / len(seconds) if seconds else 0
    found = probability_figures([case.outcome for case in drawn]).expected_calibration_error
    assert found == (pytest.approx(expected) if seconds else None)


@given(CASES)
def test_the_average_precision_agrees_with_a_loop_over_thresholds(drawn: list[Case]) -> None:
    seconds = seconds_of(drawn)
    n_intro = sum(intro for intro, _ in seconds)
    expected = reached = 0.0
    for threshold in sorted({probability for _, probability in seconds}, reverse=True):
        kept = [intro for intro, probability in seconds if probability >= threshold]
        if n_intro:
            expected += (sum(kept) / n_intro - reached) * sum(kept) / len(kept)
            reached = sum(kept) / n_intro
    found = probability_figures([case.outcome for case in drawn]).average_precision
    assert found == (pytest.approx(expected) if n_intro else None)


def graded(*, right: bool, confidence: float | None) -> Outcome:
    return outcome((10, 20), (10, 20) if right else (30, 40), confidence=confidence)


def test_risk_and_coverage_of_four_predictions_worked_out_by_hand() -> None:
    found = risk_coverage(
        [
            graded(right=False, confidence=0.5),
            graded(right=True, confidence=0.9),
            outcome(None, (10, 20), confidence=0.6),  # wrong: there is no intro
            graded(right=True, confidence=0.8),
            outcome((10, 20)),  # missed: it has no prediction to keep
        ]
    )
    assert found.points == (
        RiskCoveragePoint(threshold=0.9, coverage=0.25, risk=0.0),
        RiskCoveragePoint(threshold=0.8, coverage=0.5, risk=0.0),
        RiskCoveragePoint(threshold=0.6, coverage=0.75, risk=1 / 3),
        RiskCoveragePoint(threshold=0.5, coverage=1.0, risk=0.5),
    )
    assert found.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


def test_predictions_of_one_confidence_are_kept_or_dropped_together() -> None:
    rows = [graded(right=right, confidence=0.7) for right in (True, False, False, False)]
    found = risk_coverage(rows)
    assert found.points == (RiskCoveragePoint(threshold=0.7, coverage=1.0, risk=0.75),)
    assert found.area == 0.75
    assert risk_coverage(rows[::-1]) == found


def test_without_a_confident_prediction_there_is_no_risk_to_tell() -> None:
    for rows in ([], [outcome((0, 5))], [graded(right=True, confidence=None)]):
        assert risk_coverage(rows).points == ()
        assert risk_coverage(rows).area is None


def test_a_second_prediction_makes_an_episode_wrong() -> None:
    found = risk_coverage([outcome((10, 20), (10, 20), (40, 50), confidence=0.5)])
    assert found.area == 1


def test_a_prediction_is_right_within_the_tolerance_that_is_asked() -> None:
    rows = [outcome((10, 20), (12, 20), confidence=0.5)]
    assert risk_coverage(rows).area == 0
    assert risk_coverage(rows, tolerance_s=1.0).area == 1


@given(CASES)
def test_risk_and_coverage_agree_with_keeping_one_more_group_at_a_time(drawn: list[Case]) -> None:
    wrong_by_confidence: dict[float, list[bool]] = {}
    for case in drawn:
        if case.predicted:
            wrong = True
            if case.truth is not None and len(case.predicted) == 1:
                ends = zip(case.predicted[0], case.truth, strict=True)
                wrong = max(abs(said - true) for said, true in ends) > 30
            assert case.outcome.confidence is not None
            wrong_by_confidence.setdefault(case.outcome.confidence, []).append(wrong)
    n_all = sum(len(group) for group in wrong_by_confidence.values())
    kept: list[bool] = []
    expected, area = [], 0.0
    for confidence in sorted(wrong_by_confidence, reverse=True):
        kept += wrong_by_confidence[confidence]
        area += sum(kept) / len(kept) * len(wrong_by_confidence[confidence]) / n_all
        expected.append((confidence, len(kept) / n_all, sum(kept) / len(kept)))
    found = risk_coverage([case.outcome for case in drawn])
    assert [(one.threshold, one.coverage, one.risk) for one in found.points] == expected
    assert found.area == (pytest.approx(area) if expected else None)

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from outcome_cases import Case, cases, outcome
from skipintro.detection.episode import Interval
from skipintro.evaluation.intervals import (
    HEADLINES,
    BoundaryErrors,
    PrecisionRecall,
    found_within,
    interval_figures,
    ratio,
)
from skipintro.evaluation.results import boundary_errors, n_found, skipped_story_s, temporal_iou

CASES = st.lists(cases(), max_size=5)
NOTHING = PrecisionRecall(precision=None, recall=None, f1=None)
ZERO = PrecisionRecall(precision=0.0, recall=0.0, f1=0.0)
ONE = PrecisionRecall(precision=1.0, recall=1.0, f1=1.0)


def harmonic(precision: float, recall: float) -> float:
    return 2 / (1 / precision + 1 / recall) if precision and recall else 0.0


def test_a_prediction_is_useful_from_15_s_off_the_start_to_5_s_off_the_end() -> None:
    figures = interval_figures(
        [
            outcome((20, 30), (5, 35), n_seconds=60),  # both ends as far off as may be
            outcome((20, 30), (4.9, 30), n_seconds=60),
            outcome((20, 30), (20, 35.1), n_seconds=60),
            outcome((20, 30), (20, 24.9), n_seconds=60),
            outcome((20, 30), n_seconds=60),
            outcome(None, (20, 30), n_seconds=60),
        ]
    )
    assert figures.useful == PrecisionRecall(precision=1 / 5, recall=1 / 5, f1=1 / 5)
    assert figures.within_5s == ZERO


def test_a_prediction_over_more_than_half_of_an_episode_is_counted_once() -> None:
    figures = interval_figures(
        [
            outcome((0, 10), (0, 30), n_seconds=60),
            outcome((0, 10), (0, 30.1), n_seconds=60),
            outcome(None, (1, 60), n_seconds=60),
            outcome(None, n_seconds=60),
        ]
    )
    assert figures.whole_episode_detections == 2


def test_six_episodes_worked_out_by_hand() -> None:
    figures = interval_figures(
        [
            outcome((10, 20), (10, 20), n_seconds=600),  # right
            outcome((10, 20), (12, 24), n_seconds=600),  # 2 s and 4 s late, IoU 8/14
            outcome((0, 30), (1, 28.5), n_seconds=600),  # 1 s late, 1.5 s early, IoU 27.5/30
            outcome((0, 30), n_seconds=600),  # missed
            outcome(None, (100, 110), n_seconds=600),  # a false alarm
            outcome(None, n_seconds=600),
        ]
    )
    assert (figures.episodes, figures.with_intro, figures.without_intro) == (6, 4, 2)
    assert (figures.predicted, figures.hours) == (4, 1.0)
    assert figures.within_1s == PrecisionRecall(precision=1 / 4, recall=1 / 4, f1=1 / 4)
    assert figures.within_2s == PrecisionRecall(precision=2 / 4, recall=2 / 4, f1=2 / 4)
    assert figures.within_3s == figures.within_2s
    assert figures.within_5s == PrecisionRecall(precision=3 / 4, recall=3 / 4, f1=3 / 4)
    assert figures.mean_iou == pytest.approx((1 + 8 / 14 + 27.5 / 30 + 0) / 4)
    assert (figures.recall_at_iou_30, figures.recall_at_iou_50) == (3 / 4, 3 / 4)
    assert figures.recall_at_iou_70 == 2 / 4
    assert figures.start_error_s == BoundaryErrors(mean=1.0, median=1.0, p90=1.8, worst=2.0)
    assert figures.end_error_s is not None
    assert figures.end_error_s.model_dump() == pytest.approx(
        {"mean": 5.5 / 3, "median": 1.5, "p90": 1.5 + 0.8 * 2.5, "worst": 4}
    )
    assert figures.end_bias_s == pytest.approx((0 + 4 - 1.5) / 3)
    assert figures.story_s_per_hour == 4 + 10
    assert (figures.false_alarms, figures.false_alarm_rate) == (1, 1 / 2)
    # seconds: 10 + 8 + 28 of 80 are right; 10 + 12 + 28 + 10 are predicted
    assert figures.per_second.model_dump() == pytest.approx(
        {"precision": 46 / 60, "recall": 46 / 80, "f1": 92 / 140}
    )


def test_of_no_episode_at_all_nothing_is_said() -> None:
    figures = interval_figures([])
    assert (figures.episodes, figures.predicted, figures.hours, figures.false_alarms) == (0,) * 4
    assert figures.within_3s == figures.per_second == NOTHING
    assert figures.mean_iou is None
    assert figures.recall_at_iou_50 is None
    assert figures.start_error_s is None
    assert figures.end_bias_s is None
    assert figures.story_s_per_hour is None
    assert figures.false_alarm_rate is None


def test_rightly_nothing_to_find_is_no_figure_but_no_false_alarm_and_no_story_lost() -> None:
    figures = interval_figures([outcome(), outcome()])
    assert figures.within_1s == figures.per_second == NOTHING
    assert figures.mean_iou is None
    assert (figures.false_alarms, figures.false_alarm_rate) == (0, 0.0)
    assert figures.story_s_per_hour == 0


def test_a_prediction_where_there_is_no_intro_is_zero() -> None:
    figures = interval_figures([outcome(None, (0, 6), (10, 12), n_seconds=60)])
    assert figures.within_5s == figures.per_second == ZERO
    assert figures.end_error_s is None
    assert (figures.false_alarms, figures.false_alarm_rate) == (1, 1.0)  # an episode, not two
    assert figures.story_s_per_hour == 8 * 60


def test_an_intro_that_is_missed_is_zero() -> None:
    figures = interval_figures([outcome((0, 6))])
    assert figures.within_5s == figures.per_second == ZERO
    assert (figures.mean_iou, figures.recall_at_iou_30) == (0, 0)
    assert figures.start_error_s is None
    assert figures.false_alarm_rate is None


def test_one_episode_with_an_intro_to_the_last_second_can_be_right() -> None:
    figures = interval_figures([outcome((50, 60), (50, 60))])
    assert figures.within_1s == figures.per_second == ONE
    assert (figures.mean_iou, figures.recall_at_iou_70, figures.story_s_per_hour) == (1, 1, 0)
    assert figures.end_error_s == BoundaryErrors(mean=0, median=0, p90=0, worst=0)


def test_the_other_predictions_of_an_episode_are_false() -> None:
    two = found_within([outcome((10, 20), (10, 20), (40, 50))], 1.0)
    assert two == PrecisionRecall(precision=1 / 2, recall=1.0, f1=2 / 3)
    both_near = found_within([outcome((10, 12), (9, 11), (11, 13))], 1.0)
    assert both_near == PrecisionRecall(precision=1 / 2, recall=1.0, f1=2 / 3)


def test_a_prediction_beside_the_intro_counts_in_its_errors_but_finds_nothing() -> None:
    figures = interval_figures([outcome((0, 4), (4, 8))])
    assert (figures.mean_iou, figures.recall_at_iou_30) == (0, 0)
    assert figures.end_bias_s == 4
    assert figures.within_3s == figures.per_second == ZERO
    assert figures.within_5s == ONE


def test_an_overlap_of_exactly_the_bound_is_enough() -> None:
    for truth, predicted, name in (
        ((0, 10), (0, 3), "recall_at_iou_30"),
        ((0.1, 0.7), (0.1, 0.4), "recall_at_iou_50"),
        ((0.2, 1.2), (0.2, 0.9), "recall_at_iou_70"),
    ):
        assert interval_figures([outcome(truth, predicted)]).model_dump()[name] == 1
    assert interval_figures([outcome((0, 10), (0, 4.9))]).recall_at_iou_50 == 0


@given(CASES)
def test_found_intervals_agree_with_going_through_them(drawn: list[Case]) -> None:
    figures = interval_figures([case.outcome for case in drawn]).model_dump()
    for tolerance_s in (1, 2, 3, 5):
        right = wrong = missed = 0
        for case in drawn:
            matched = False
            for _ in case.predicted:
                if n_found(case.outcome, tolerance_s) and not matched:
                    right, matched = right + 1, True
                else:
                    wrong += 1
            missed += case.truth is not None and not matched
        found = figures[f"within_{tolerance_s}s"]
        if not right + wrong + missed:
            assert found == NOTHING.model_dump()
            continue
        precision = right / (right + wrong) if right + wrong else 0
        recall = right / (right + missed) if right + missed else 0
        expected = {"precision": precision, "recall": recall, "f1": harmonic(precision, recall)}
        assert found == pytest.approx(expected)


@given(CASES)
def test_overlaps_story_and_alarms_agree_with_one_loop(drawn: list[Case]) -> None:
    overlaps, story_s, seconds, alarms, quiet, predicted = [], 0.0, 0, 0, 0, 0
    for case in drawn:
        seconds += case.outcome.n_seconds
        story_s += skipped_story_s(case.outcome)
        predicted += len(case.predicted) > 0
        if case.truth is not None:
            overlaps.append(temporal_iou(case.outcome))
        elif case.predicted:
            alarms += 1
        else:
            quiet += 1
    figures = interval_figures([case.outcome for case in drawn])
    assert figures.episodes == len(drawn)
    assert figures.with_intro == len(overlaps)
    assert figures.without_intro == alarms + quiet
    assert figures.predicted == predicted
    assert figures.hours == pytest.approx(seconds / 3600)
    assert figures.false_alarms == alarms
    if alarms + quiet:
        assert figures.false_alarm_rate == pytest.approx(alarms / (alarms + quiet))
    if drawn:
        assert figures.story_s_per_hour == pytest.approx(story_s / (seconds / 3600))
    if overlaps:
        assert figures.mean_iou == pytest.approx(np.mean(overlaps))
        for least in (0.3, 0.5, 0.7):
            reached = np.mean([round(overlap, 9) >= least for overlap in overlaps])
            name = f"recall_at_iou_{least * 100:.0f}"
            assert figures.model_dump()[name] == pytest.approx(reached)


@given(CASES)
def test_boundary_figures_agree_with_sorting(drawn: list[Case]) -> None:
    def expected(errors: list[float]) -> dict[str, float]:
        sizes = sorted(abs(error) for error in errors)
        half, rank = len(sizes) // 2, 0.9 * (len(sizes) - 1)
        below, above = sizes[int(rank)], sizes[min(int(rank) + 1, len(sizes) - 1)]
        return {
            "mean": sum(sizes) / len(sizes),
            "median": (sizes[half] + sizes[-half - 1]) / 2,
            "p90": below + (rank - int(rank)) * (above - below),
            "worst": sizes[-1],
        }

    errors = [error for case in drawn if (error := boundary_errors(case.outcome)) is not None]
    figures = interval_figures([case.outcome for case in drawn])
    if not errors:
        assert (figures.start_error_s, figures.end_error_s, figures.end_bias_s) == (None,) * 3
        return
    starts, ends = ([error[end] for error in errors] for end in (0, 1))
    assert figures.start_error_s is not None
    assert figures.start_error_s.model_dump() == pytest.approx(expected(starts))
    assert figures.end_error_s is not None
    assert figures.end_error_s.model_dump() == pytest.approx(expected(ends))
    assert figures.end_bias_s == pytest.approx(sum(ends) / len(ends))


@given(CASES)
def test_seconds_agree_with_a_loop_over_them_and_scikit_learn(drawn: list[Case]) -> None:
    truth, predicted = [], []
    for case in drawn:
        for second in range(case.outcome.n_seconds):
            truth.append(10 * second in case.intro)
            predicted.append(10 * second in case.said)
    found = interval_figures([case.outcome for case in drawn]).per_second
    if not any(truth) and not any(predicted):
        assert found == NOTHING
        return
    expected = precision_recall_fscore_support(
        truth, predicted, average="binary", zero_division=0.0
    )
    assert (found.precision, found.recall, found.f1) == pytest.approx(expected[:3])


def leaves(prefix: str, figures: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in figures.items():
        flat |= (
            leaves(f"{prefix}{name}/", value) if isinstance(value, dict) else {prefix + name: value}
        )
    return flat


def test_every_figure_is_a_number_under_a_name_that_a_tracker_takes() -> None:
    probabilities = (0.5,) * 60
    rows = [
        outcome((0, 6), (0, 6), confidence=0.9, probabilities=probabilities),
        outcome(None, (0, 6), confidence=0.9, probabilities=probabilities),
    ]
    flat = leaves("", interval_figures(rows).model_dump())
    assert "within_3s/f1" in flat
    assert "start_error_s/p90" in flat
    for name, value in flat.items():
        assert isinstance(value, (int, float)), name
        assert name.replace("/", "").replace("_", "").isalnum(), name


def test_the_headlines_are_the_figures_of_their_names() -> None:
    rows = [outcome((10, 20), (12, 23)), outcome((0, 5), (0, 5.5)), outcome(None, (1, 9))]
    flat = leaves("", interval_figures(rows).model_dump())
    for name, terms in HEADLINES.items():
        assert ratio(terms, rows) == flat[name]


@pytest.mark.parametrize(
    ("predicted", "right", "iou", "story_s"),
    [
        ([(10, 20), (40, 50)], 2, 1, 0),
        ([(10, 20)], 1, 0.5, 0),
        ([(40, 50)], 1, 0.5, 0),
        ([(10.5, 20), (40, 44)], 1, (0.95 + 0.4) / 2, 0),
        ([(10, 50)], 0, 0.125, 20),  # one over both covers the story between
        ([(10, 20), (25, 30), (40, 50)], 2, 0.75, 5),  # (25, 30) stands nearest to the first
        ([], 0, 0, 0),
    ],
)
def test_two_labelled_intervals_of_a_file_count_as_two_labels(
    predicted: list[Interval], right: int, iou: float, story_s: float
) -> None:
    double = outcome((10, 20), *predicted, further=((40, 50),))
    figures = interval_figures([double])
    precision = right / len(predicted) if predicted else 0
    assert (figures.within_1s.precision, figures.within_1s.recall) == (precision, right / 2)
    assert skipped_story_s(double) == story_s
    assert figures.mean_iou == pytest.approx(iou)
    assert (figures.episodes, figures.with_intro, figures.false_alarms) == (1, 1, 0)


def test_a_prediction_meets_one_of_two_labels() -> None:
    double = outcome((10, 12), (10.5, 13), further=((13, 15),))
    assert found_within([double], 3.0).f1 == pytest.approx(2 / 3)

import numpy as np
import pytest
from hypothesis import given

from outcome_cases import Case, Cells, cases, outcome
from skipintro.detection.episode import (
    Episode,
    Interval,
    LabelledEpisode,
    Prediction,
    interval_seconds,
)
from skipintro.evaluation.results import (
    boundary_errors,
    n_found,
    outcome_of,
    skipped_story_s,
    temporal_iou,
)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        ((10, 20), [(10, 20)], 1),
        ((10, 20), [(15, 25)], 5 / 15),
        ((10, 20), [(12, 18)], 6 / 10),
        ((10, 20), [(20, 30)], 0),  # they touch
        ((10, 20), [(40, 50)], 0),
        ((0.5, 1.5), [(1.0, 2.0)], 0.5 / 1.5),
        ((10, 20), [(10, 13), (15, 20)], 8 / 10),
        ((10, 20), [(10, 15), (15, 20)], 1),  # two that touch are as good as one
        ((10, 20), [(10, 20), (40, 50)], 10 / 40),  # the hull holds the second, and the gap
        ((50, 60), [(50, 90)], 10 / 40),  # an end after the episode's is no better
        ((10, 20), [], 0),
        (None, [(10, 20)], 0),
        (None, [], 0),
    ],
)
def test_temporal_iou_worked_out_by_hand(
    truth: Interval | None, predicted: list[Interval], expected: float
) -> None:
    assert temporal_iou(outcome(truth, *predicted)) == pytest.approx(expected)


@given(cases())
def test_temporal_iou_agrees_with_sets_of_tenths_of_a_second(case: Case) -> None:
    hull = sorted(case.intro | case.said)
    expected = len(case.intro & case.said) / (hull[-1] + 1 - hull[0]) if hull else 0
    assert temporal_iou(case.outcome) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("intervals", "seconds"),
    [
        ([(1, 3)], [0, 1, 1, 0, 0]),
        ([(0, 5)], [1, 1, 1, 1, 1]),
        ([(0.5, 3.0)], [0, 1, 1, 0, 0]),
        ([(1.0, 3.5)], [0, 1, 1, 1, 0]),
        ([(1.2, 1.8)], [0, 0, 0, 0, 0]),
        ([(3, 9)], [0, 0, 0, 1, 1]),
        ([(-2, 1)], [1, 0, 0, 0, 0]),
        ([(9, 12)], [0, 0, 0, 0, 0]),
        ([(0, 1), (3, 4)], [1, 0, 0, 1, 0]),
        ([], [0, 0, 0, 0, 0]),
    ],
)
def test_the_seconds_of_intervals_are_those_from_start_on_and_before_end(
    intervals: list[Interval], seconds: list[int]
) -> None:
    assert interval_seconds(tuple(intervals), 5).tolist() == [bool(second) for second in seconds]


@pytest.mark.parametrize(
    ("predicted", "found"),
    [
        ([(10, 20)], True),
        ([(7, 23)], True),  # at the tolerance itself
        ([(13, 17)], True),
        ([(6.9, 20)], False),
        ([(10, 23.1)], False),
        ([(10, 16.9)], False),
        ([(40, 50), (11, 21)], True),
        ([(10, 15), (15, 20)], False),  # two halves are not one whole
        ([], False),
    ],
)
def test_an_intro_is_found_with_both_ends_within_the_tolerance(
    predicted: list[Interval], found: bool
) -> None:
    assert n_found(outcome((10, 20), *predicted), 3.0) == found


def test_three_seconds_off_in_decimals_are_three_seconds_off() -> None:
    assert 64.4 - 61.4 > 3  # in binary
    assert n_found(outcome((61.4, 80.0), (64.4, 80.0)), 3.0)


def test_where_there_is_no_intro_none_is_found() -> None:
    assert not n_found(outcome(None, (0, 10)), 1000.0)


@given(cases())
def test_found_agrees_with_integer_arithmetic(case: Case) -> None:
    for tolerance_s in (1, 2, 3, 5):
        expected = False
        for start, end in case.predicted:
            if case.truth is not None:
                off = max(abs(start - case.truth[0]), abs(end - case.truth[1]))
                expected = expected or off <= 10 * tolerance_s
        assert n_found(case.outcome, float(tolerance_s)) == expected


@pytest.mark.parametrize(
    ("predicted", "errors"),
    [
        ([(8, 23)], (-2, 3)),
        ([(20, 30)], (10, 10)),  # touches and overlaps by nothing
        ([(10, 12), (14, 21)], (4, 1)),  # the greater overlap
        ([(8, 12), (13, 15)], (3, -5)),  # the same overlap, and 8 s off rather than 10
        ([(30, 40), (50, 60)], (20, 20)),  # no overlap at all
        ([(15, 20), (10, 15)], (0, -5)),  # alike in both: the earlier
        ([(50, 90)], (40, 70)),
    ],
)
def test_boundary_errors_are_those_of_the_best_prediction(
    predicted: list[Interval], errors: tuple[float, float]
) -> None:
    assert boundary_errors(outcome((10, 20), *predicted)) == errors


def test_without_truth_or_prediction_there_is_no_boundary_error() -> None:
    assert boundary_errors(outcome(None, (10, 20))) is None
    assert boundary_errors(outcome((10, 20))) is None
    assert boundary_errors(outcome()) is None


@given(cases())
def test_boundary_errors_agree_with_a_search_in_integers(case: Case) -> None:
    best: tuple[int, int, Cells] | None = None
    for predicted in sorted(case.predicted):
        if case.truth is not None:
            overlap = len(case.intro & set(range(*predicted)))
            off = abs(predicted[0] - case.truth[0]) + abs(predicted[1] - case.truth[1])
            if best is None or overlap > best[0] or (overlap == best[0] and off < best[1]):
                best = (overlap, off, predicted)
    found = boundary_errors(case.outcome)
    if best is None or case.truth is None:
        assert found is None
    else:
        expected = [(best[2][end] - case.truth[end]) / 10 for end in (0, 1)]
        assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        ((10, 20), [(10, 20)], 0),
        ((10, 20), [(12, 18)], 0),
        ((10, 20), [(8, 23.5)], 5.5),
        ((10, 20), [(20, 30)], 10),
        ((10, 20), [(5, 12), (18, 21)], 6),
        ((50, 60), [(50, 90)], 0),  # after the episode's end there is no story
        ((40, 50), [(40, 90)], 10),
        ((10, 20), [(70, 90)], 0),
        ((0, 20), [(-5, 20)], 0),
        (None, [(10, 20)], 10),
        ((10, 20), [], 0),
    ],
)
def test_skipped_story_of_an_episode_of_a_minute_worked_out_by_hand(
    truth: Interval | None, predicted: list[Interval], expected: float
) -> None:
    assert skipped_story_s(outcome(truth, *predicted)) == pytest.approx(expected)


@given(cases())
def test_skipped_story_agrees_with_counting_tenths_of_a_second(case: Case) -> None:
    story = 0
    for cell in range(10 * case.outcome.n_seconds):
        story += cell in case.said and cell not in case.intro
    assert skipped_story_s(case.outcome) == pytest.approx(story / 10)


@pytest.mark.parametrize("empty", [(10.0, 10.0), (10.0, 9.0), (float("nan"), 10.0)])
def test_an_interval_that_holds_nothing_is_refused(empty: Interval) -> None:
    with pytest.raises(ValueError, match="expected start < end"):
        outcome(empty)
    with pytest.raises(ValueError, match="expected start < end"):
        outcome(None, empty)


def test_predictions_that_overlap_are_refused_in_any_order() -> None:
    with pytest.raises(ValueError, match="overlap; merge them"):
        outcome(None, (30, 40), (10, 20), (19, 25))


@pytest.mark.parametrize("probabilities", [(0.5,), (0.5, 0.5, 0.5)])
def test_probabilities_are_one_a_second(probabilities: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(2,\), one a second, or \(0,\)"):
        outcome(n_seconds=2, probabilities=probabilities)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_a_probability_outside_0_to_1_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        outcome(n_seconds=2, probabilities=(0.5, wrong))


def test_an_outcome_is_made_of_a_label_and_a_prediction() -> None:
    vectors = np.zeros((3, 2), np.float32)
    labelled = LabelledEpisode(Episode(id="e", series="s", vectors=vectors), truth=(0, 2))
    probabilities = np.array([0.5, 1, 0], np.float32)
    told = Prediction(interval=(0, 1), confidence=0.5, probabilities=probabilities)
    found = outcome_of(labelled, told, seen=True, leaked=False, corrected=True)
    assert (found.id, found.series, found.n_seconds) == ("e", "s", 3)
    assert (found.truth, found.predicted, found.confidence) == ((0, 2), ((0, 1),), 0.5)
    assert (found.seen, found.leaked, found.corrected) == (True, False, True)
    np.testing.assert_array_equal(found.probabilities, probabilities)
    silent = Prediction(interval=None, confidence=None, probabilities=np.zeros(0, np.float32))
    assert outcome_of(labelled, silent, seen=True, leaked=True, corrected=True).predicted == ()


def test_what_was_not_searched_is_no_intro_and_counts_to_the_length() -> None:
    vectors = np.zeros((3, 2), np.float32)
    labelled = LabelledEpisode(Episode(id="e", series="s", vectors=vectors), (2, 6), 5)
    told = Prediction((2, 3), 0.5, np.array([0, 0.5, 1], np.float32))
    found = outcome_of(labelled, told, seen=True, leaked=False, corrected=False)
    assert (found.n_seconds, found.truth) == (8, (2, 6))
    np.testing.assert_array_equal(found.probabilities, np.array([0, 0.5, 1, 0, 0, 0, 0, 0]))
    silent = Prediction(None, None, np.zeros(0, np.float32))
    assert not outcome_of(
        labelled, silent, seen=True, leaked=False, corrected=False
    ).probabilities.size

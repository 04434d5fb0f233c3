from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from skipintro.model.metrics import (
    BinaryMetrics,
    Interval,
    binary_metrics,
    episode_metrics,
    interval_frames,
    iou,
)

NOTHING = BinaryMetrics(accuracy=0.0, precision=0.0, recall=0.0, f1=0.0)
PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)
INTERVALS = st.none() | st.tuples(st.integers(0, 20), st.integers(1, 20)).map(
    lambda pair: (float(pair[0]), float(pair[0] + pair[1]))
)


def test_binary_metrics_of_a_case_worked_out_by_hand() -> None:
    truth = [1, 1, 1, 0, 0, 0, 0, 0]
    predicted = [1, 1, 0, 1, 1, 0, 0, 0]  # 2 hits, 1 miss, 2 false, 3 rightly left
    assert binary_metrics(truth, predicted).model_dump() == pytest.approx(
        {"accuracy": 5 / 8, "precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7}
    )


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_binary_metrics_agree_with_counting(pairs: list[tuple[bool, bool]]) -> None:
    truth, predicted = zip(*pairs, strict=True)
    hits = sum(t and p for t, p in pairs)
    said, true = sum(predicted), sum(truth)
    found = binary_metrics(truth, predicted)
    assert found.accuracy == pytest.approx(sum(t == p for t, p in pairs) / len(pairs))
    assert found.precision == pytest.approx(hits / said if said else 0)
    assert found.recall == pytest.approx(hits / true if true else 0)
    assert found.f1 == pytest.approx(2 * hits / (said + true) if said + true else 0)


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_binary_metrics_agree_with_sklearn_s_single_functions(
    pairs: list[tuple[bool, bool]],
) -> None:
    truth, predicted = (np.array(column, int) for column in zip(*pairs, strict=True))
    found = binary_metrics(truth, predicted)
    assert found.accuracy == sklearn_metrics.accuracy_score(truth, predicted)
    assert found.f1 == sklearn_metrics.f1_score(truth, predicted, zero_division=0)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        ([1, 1], [1, 1], BinaryMetrics(accuracy=1, precision=1, recall=1, f1=1)),
        ([0, 0], [0, 0], BinaryMetrics(accuracy=1, precision=0, recall=0, f1=0)),
        ([0, 0], [1, 1], NOTHING),
        ([1, 1], [0, 0], NOTHING),
        ([], [], NOTHING),
    ],
)
def test_an_undefined_ratio_is_zero(
    truth: list[int], predicted: list[int], expected: BinaryMetrics
) -> None:
    assert binary_metrics(truth, predicted) == expected


def test_windows_that_overlap_count_each_frame_as_often_as_it_stands_there() -> None:
    truth = np.array([[1, 0, 0], [0, 0, 1]])
    predicted = np.array([[1, 1, 0], [1, 0, 1]])
    assert binary_metrics(truth, predicted).model_dump() == pytest.approx(
        {"accuracy": 4 / 6, "precision": 2 / 4, "recall": 1, "f1": 2 / 3}
    )


def test_two_lengths_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="inconsistent"):
        binary_metrics([1, 0], [1, 0, 0])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((10, 20), (10, 20), 1),
        ((10, 20), (15, 25), 5 / 15),
        ((10, 20), (12, 18), 6 / 10),
        ((10, 20), (20, 30), 0),  # they touch
        ((10, 20), (40, 50), 0),
        ((0.5, 1.5), (1.0, 2.0), 0.5 / 1.5),
        ((5, 5), (5, 5), 0),
        (None, (10, 20), 0),
        ((10, 20), None, 0),
        (None, None, 0),
    ],
)
def test_intersection_over_union_worked_out_by_hand(
    first: Interval | None, second: Interval | None, expected: float
) -> None:
    assert iou(first, second) == pytest.approx(expected)
    assert iou(second, first) == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(INTERVALS, INTERVALS)
def test_intersection_over_union_agrees_with_sets_of_seconds(
    first: Interval | None, second: Interval | None
) -> None:
    one, other = (set(range(int(i[0]), int(i[1]))) if i else set() for i in (first, second))
    expected = len(one & other) / len(one | other) if one and other else 0
    assert iou(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("interval", "frames"),
    [
        ((1, 3), [0, 1, 1, 0, 0]),
        ((0, 5), [1, 1, 1, 1, 1]),
        ((0.5, 3.0), [0, 1, 1, 0, 0]),
        ((1.0, 3.5), [0, 1, 1, 1, 0]),
        ((3, 9), [0, 0, 0, 1, 1]),
        ((9, 12), [0, 0, 0, 0, 0]),
        (None, [0, 0, 0, 0, 0]),
    ],
)
def test_the_frames_of_an_interval_are_those_from_start_on_and_before_end(
    interval: Interval | None, frames: list[int]
) -> None:
    assert interval_frames(interval, 5).tolist() == [bool(frame) for frame in frames]


def test_episode_metrics_of_five_episodes_worked_out_by_hand() -> None:
    found = episode_metrics(
        truths=[(0, 4), (2, 6), None, None, (0, 2)],
        predictions=[(0, 4), (4, 8), (0, 1), None, None],
        n_seconds=[10, 10, 10, 10, 10],
    )
    assert found.episodes == 5
    assert found.with_intro == 3
    assert found.found == 2
    assert found.false_alarms == 1
    assert found.mean_iou == pytest.approx((1 + 2 / 6 + 0) / 3)
    assert found.recall_at_iou_50 == pytest.approx(1 / 3)
    # seconds: 4 + 2 hits; 2 + 2 missed; 2 + 1 false; 50 in all
    assert found.per_second.accuracy == pytest.approx(43 / 50)
    assert found.per_second.precision == pytest.approx(6 / 9)
    assert found.per_second.recall == pytest.approx(6 / 10)


def test_an_overlap_of_one_half_is_enough_for_recall() -> None:
    found = episode_metrics([(0, 4), (0, 4)], [(0, 2), (0, 1.9)], [9, 9])
    assert found.recall_at_iou_50 == 0.5


def test_an_interval_beside_the_intro_finds_nothing() -> None:
    found = episode_metrics([(0, 4)], [(4, 8)], [9])
    assert (found.found, found.mean_iou, found.false_alarms) == (0, 0, 0)


def test_without_any_intro_nothing_is_said_of_overlaps() -> None:
    found = episode_metrics([None, None], [None, (1, 3)], [9, 9])
    assert (found.with_intro, found.found, found.false_alarms) == (0, 0, 1)
    assert found.mean_iou is None
    assert found.recall_at_iou_50 is None


def test_no_episode_at_all_gives_zeros_and_nothing() -> None:
    found = episode_metrics([], [], [])
    assert (found.episodes, found.with_intro, found.found, found.false_alarms) == (0, 0, 0, 0)
    assert found.mean_iou is None
    assert found.per_second == NOTHING


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(INTERVALS, INTERVALS, st.integers(1, 45)), min_size=1, max_size=5))
def test_seconds_are_counted_over_all_episodes_together(
    rows: Sequence[tuple[Interval | None, Interval | None, int]],
) -> None:
    seconds = [
        tuple(i is not None and i[0] <= k < i[1] for i in (truth, predicted))
        for truth, predicted, n in rows
        for k in range(n)
    ]
    truths, predictions, lengths = zip(*rows, strict=True)
    found = episode_metrics(truths, predictions, lengths).per_second
    assert found == binary_metrics(*(list(column) for column in zip(*seconds, strict=True)))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from skipintro.model.metrics import BinaryMetrics, binary_metrics

NOTHING = BinaryMetrics(accuracy=0.0, precision=0.0, recall=0.0, f1=0.0)
PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


def test_binary_metrics_of_a_case_worked_out_by_hand() -> None:
    truth = [1, 1, 1, 0, 0, 0, 0, 0]
    predicted = [1, 1, 0, 1, 1, 0, 0, 0]  # 2 hits, 1 miss, 2 false, 3 rightly left
    assert binary_metrics(truth, predicted).model_dump() == pytest.approx(
        {"accuracy": 5 / 8, "precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7}
    )


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

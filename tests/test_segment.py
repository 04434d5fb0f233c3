import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipintro.detection.segment import maximum_sum_segment


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((), None),
        ((0,), None),
        ((-1, -2), None),
        ((3,), (0, 1)),
        ((-1, 2, 2, -1), (1, 3)),
        ((2, -1, 2), (0, 3)),  # a short dip does not split it
        ((2, -3, 4), (2, 3)),  # a deep one does
        ((1, -2, 1), (0, 1)),  # of equal sums the earliest
        ((0, 1, 0), (1, 2)),  # and the shortest
        ((1, -1, 1), (0, 1)),
    ],
)
def test_the_segment_is_the_stretch_with_the_largest_sum(
    scores: tuple[float, ...], expected: tuple[int, int] | None
) -> None:
    assert maximum_sum_segment(np.array(scores, np.float64)) == expected


@given(st.lists(st.integers(-3, 3), max_size=12))
def test_the_segment_agrees_with_trying_every_stretch(scores: list[int]) -> None:
    stretches = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores) + 1)]
    best = max((sum(scores[i:j]) for i, j in stretches), default=0)
    found = maximum_sum_segment(np.array(scores, np.float64))
    if best <= 0:
        assert found is None
    else:
        assert found is not None
        assert sum(scores[slice(*found)]) == best

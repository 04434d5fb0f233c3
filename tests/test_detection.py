import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from conftest import TellingHead, tiny_config
from skipintro.core.errors import InputError
from skipintro.detection.episode import Episode, Prediction
from skipintro.detection.folder import DetectionConfig
from skipintro.detection.head_postprocess import (
    Detection,
    detect_by_head,
    find_interval,
    second_probabilities,
    window_probabilities,
)
from skipintro.model.head import IntroHead

LENGTH, DIMENSION = 8, 4


def config(**changes: float) -> DetectionConfig:
    return DetectionConfig.model_validate(
        {"stride": 3, "threshold": 0.5, "min_length_s": 1, "batch_size": 2, **changes}
    )


def find(*probabilities: float, **changes: float) -> tuple[float, float] | None:
    made = config(**changes)
    found = find_interval(np.array(probabilities, np.float32), made.threshold, made.min_length_s)
    return None if found is None else (found.start_s, found.end_s)


@pytest.mark.parametrize(
    ("probabilities", "interval"),
    [
        ((0, 0, 1, 1, 1, 0, 0), (2, 5)),
        ((1, 1, 0, 0), (0, 2)),
        ((0, 0, 1, 1), (2, 4)),
        ((1, 1, 1), (0, 3)),
        ((0.75,), (0, 1)),
        ((0, 1, 1, 0.25, 1, 1, 0), (1, 6)),  # a short dip does not split it
        ((1, 1, 0, 0, 0, 0, 1, 1, 1), (6, 9)),  # a long one does
        ((0, 0, 0), None),
        ((0.5, 0.5), None),  # at the threshold speaks for neither
        ((), None),
    ],
)
def test_the_interval_is_the_stretch_that_speaks_most_for_intro(
    probabilities: tuple[float, ...], interval: tuple[float, float] | None
) -> None:
    assert find(*probabilities) == interval


@pytest.mark.parametrize(
    ("probabilities", "interval"),
    [
        ((1, 0, 1), (0, 1)),
        ((1, 1, 0, 0, 1, 1), (0, 2)),
        ((0.5, 1, 0.5), (1, 2)),  # what adds nothing is left out
        ((0.75, 0.25, 1), (2, 3)),
    ],
)
def test_of_equal_stretches_the_earliest_and_shortest_wins(
    probabilities: tuple[float, ...], interval: tuple[float, float]
) -> None:
    assert find(*probabilities) == interval


def slow_interval(probabilities: list[float], threshold: float) -> tuple[int, int] | None:
    """Try every stretch; of equal sums take the one that ends first, and of those the shortest."""
    stretches = [
        (sum(p - threshold for p in probabilities[start:end]), -end, start)
        for start in range(len(probabilities))
        for end in range(start + 1, len(probabilities) + 1)
    ]
    total, end, start = max(stretches)
    return (start, -end) if total > 0 else None


# Quarters are exact in binary, so that equal sums are equal.
@given(st.lists(st.integers(0, 4).map(lambda n: n / 4), min_size=1, max_size=25))
def test_the_interval_agrees_with_trying_every_stretch(probabilities: list[float]) -> None:
    assert find(*probabilities) == slow_interval(probabilities, 0.5)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20), st.floats(0.05, 0.95))
def test_no_stretch_speaks_more_for_intro_than_the_one_found(
    probabilities: list[float], threshold: float
) -> None:
    found = find(*probabilities, threshold=threshold)
    best = slow_interval(probabilities, threshold)
    if best is None:
        return
    gain = sum(p - threshold for p in probabilities[slice(*best)])
    assert found is not None or gain < 1e-9
    if found is not None:
        start, end = (int(bound) for bound in found)
        assert sum(p - threshold for p in probabilities[start:end]) == pytest.approx(gain)


def test_a_higher_threshold_wants_more_of_each_second() -> None:
    probabilities = (0.25, 0.75, 0.875, 0.75, 0.25)
    assert find(*probabilities, threshold=0.5) == (1, 4)
    assert find(*probabilities, threshold=0.8) == (2, 3)
    assert find(*probabilities, threshold=0.9) is None


def test_an_interval_shorter_than_the_least_length_is_dropped() -> None:
    assert find(0, 1, 1, 0, min_length_s=2) == (1, 3)
    assert find(0, 1, 1, 0, min_length_s=2.5) is None
    assert find(0, 1, 1, 0, min_length_s=3) is None


def test_confidence_is_the_mean_probability_within() -> None:
    probabilities = np.array([0, 1, 0.25, 1, 0], np.float32)
    assert find_interval(probabilities, 0.5, 1) == Detection(1.0, 4.0, 0.75)


@pytest.mark.parametrize(
    "changes",
    [
        {"stride": 0},
        {"threshold": 0},
        {"threshold": 1},
        {"min_length_s": 0.5},
        {"batch_size": 0},
        {"threshold": float("nan")},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        config(**changes)


@pytest.fixture(scope="module")
def head() -> IntroHead:
    torch.manual_seed(3)
    return IntroHead(
        tiny_config(length=LENGTH, dimension=DIMENSION, dropout=0.5, position_std=1.0)
    ).eval()


def embeddings(n_seconds: int) -> NDArray[np.float32]:
    return np.random.default_rng(n_seconds).normal(size=(n_seconds, DIMENSION)).astype(np.float32)


def slow_seconds(head: IntroHead, vectors: NDArray[np.float32], stride: int) -> list[float]:
    """Run the head on one window at a time, and average for each second in a list."""
    n = len(vectors)
    length = min(LENGTH, n)
    starts = [s for s in range(0, n, stride) if s + length <= n]
    if starts[-1] + length < n:
        starts.append(n - length)
    said: list[list[float]] = [[] for _ in range(n)]
    for start in starts:
        with torch.inference_mode():
            logits = head(torch.from_numpy(vectors[None, start : start + length]))[0]
        for offset, logit in enumerate(logits.tolist()):
            said[start + offset].append(1 / (1 + np.exp(-logit)))
    return [sum(values) / len(values) for values in said]


@pytest.mark.parametrize("stride", [1, 3, LENGTH])
@pytest.mark.parametrize("n_seconds", [1, LENGTH - 1, LENGTH, LENGTH + 1, 2 * LENGTH, 21])
def test_a_second_s_probability_is_the_mean_over_the_windows_that_hold_it(
    head: IntroHead, n_seconds: int, stride: int
) -> None:
    vectors = embeddings(n_seconds)
    found = second_probabilities(head, vectors, config(stride=stride))
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(slow_seconds(head, vectors, stride), abs=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_the_batch_size_changes_nothing(head: IntroHead, batch_size: int) -> None:
    vectors, starts = embeddings(20), [0, 5, 12]
    found = window_probabilities(head, vectors, starts, batch_size)
    assert found.shape == (3, LENGTH)
    one_by_one = [window_probabilities(head, vectors, [start], 1)[0] for start in starts]
    np.testing.assert_allclose(found, one_by_one, atol=1e-6)


def test_no_windows_give_an_empty_array_of_their_length(head: IntroHead) -> None:
    assert window_probabilities(head, embeddings(20), [], 4).shape == (0, LENGTH)


def test_a_stride_longer_than_the_window_is_refused(head: IntroHead) -> None:
    with pytest.raises(InputError, match=r"evaluate\.stride: 9 .* choose 8 or less"):
        second_probabilities(head, embeddings(30), config(stride=LENGTH + 1))


def by_head(*episodes: tuple[float, ...], **changes: float) -> list[Prediction]:
    """Detect with a head of four seconds that says of each second the given probability."""
    vectors = [np.array(each, np.float32)[:, None] for each in episodes]
    given = [Episode(str(n), f"series {n % 2}", rows) for n, rows in enumerate(vectors)]
    return detect_by_head(TellingHead(4), given, config(**changes))


def test_the_head_s_prediction_tells_interval_confidence_and_every_second() -> None:
    [found] = by_head((0.1, 0.2, 0.9, 0.8, 0.9, 0.2, 0.1))
    assert found.interval == (2.0, 5.0)
    assert found.confidence == pytest.approx(2.6 / 3, abs=1e-6)
    assert found.probabilities.tolist() == pytest.approx([0.1, 0.2, 0.9, 0.8, 0.9, 0.2, 0.1])


def test_an_episode_shorter_than_a_window_is_looked_at_too() -> None:
    [found] = by_head((0.9, 0.9, 0.1))
    assert found.interval == (0, 2)


def test_where_nothing_is_found_the_seconds_are_still_told() -> None:
    quiet, short = by_head((0.1, 0.1, 0.1), (0.1, 0.9, 0.1, 0.1), min_length_s=2)
    assert (quiet.interval, quiet.confidence) == (None, None)
    assert (short.interval, short.confidence) == (None, None)
    assert short.probabilities.tolist() == pytest.approx([0.1, 0.9, 0.1, 0.1])


def test_the_head_takes_each_episode_by_itself_and_keeps_their_order() -> None:
    one, other = (0.1, 0.9, 0.9, 0.1), (0.1, 0.1, 0.1, 0.9, 0.9)
    together = by_head(one, other, one)
    assert [found.interval for found in together] == [(1, 3), (3, 5), (1, 3)]
    assert [by_head(each)[0].interval for each in (one, other, one)] == [(1, 3), (3, 5), (1, 3)]
    assert by_head() == []

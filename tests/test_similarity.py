import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skipintro.detection.similarity import Matrix, mean_along, overlap, runs, unit_rows

THRESHOLD = 0.5
Run = tuple[int, int, int, float]  # start, stop, offset, score

# Quarters are exact in binary, so that equal sums are equal.
quarters = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.int8, shape, elements=st.integers(-1, 4)).map(
        lambda matrix: (matrix / 4).astype(np.float32)
    )
)


def found_runs(similarity: Matrix, *, min_length: int = 1, n_most: int = 1000) -> list[Run]:
    found = runs(similarity, THRESHOLD, min_length, n_most)
    columns = (found.start, found.stop, found.offset, found.score)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def slow_runs(similarity: Matrix, min_length: int) -> list[Run]:
    """Walk along every diagonal, second by second."""
    n, m = similarity.shape
    found = []
    for offset in range(-n + 1, m):
        level = {k: float(similarity[k, k + offset]) for k in range(n) if 0 <= k + offset < m}
        alike = {k for k, value in level.items() if value > THRESHOLD}
        bridged = {k for k in level if k - 1 in alike and k + 1 in alike}
        held = sorted(alike | bridged)
        for start in held:
            if start - 1 in held:
                continue
            stop = start
            while stop in held:
                stop += 1
            if stop - start >= min_length:
                score = sum(level[k] - THRESHOLD for k in range(start, stop))
                found.append((start, stop, offset, score))
    return found


@given(quarters, st.integers(1, 4))
def test_the_runs_agree_with_walking_along_every_diagonal(
    similarity: Matrix, min_length: int
) -> None:
    found = found_runs(similarity, min_length=min_length)
    assert sorted(found) == sorted(slow_runs(similarity, min_length))


@given(quarters, st.integers(1, 6), st.integers(1, 40))
def test_the_runs_are_the_same_however_many_offsets_are_looked_at_together(
    similarity: Matrix, n_most: int, n_cells: int
) -> None:
    together = found_runs(similarity, n_most=n_most)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skipintro.detection.similarity._MOST_CELLS", n_cells)
        assert found_runs(similarity, n_most=n_most) == together


def test_long_episodes_take_little_memory_beside_the_similarity() -> None:
    similarity = np.random.default_rng(0).random((3000, 3000), np.float32)
    tracemalloc.start()
    try:
        runs(similarity, 0.99, 5, 50)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * similarity.nbytes


@given(quarters, st.integers(1, 6))
def test_the_strongest_runs_are_given_strongest_first(similarity: Matrix, n_most: int) -> None:
    scores = sorted((score for *_, score in slow_runs(similarity, 1)), reverse=True)
    found = found_runs(similarity, n_most=n_most)
    assert [score for *_, score in found] == scores[:n_most]
    assert set(found) <= set(slow_runs(similarity, 1))


def diagonal(*levels: float, offset: int = 0) -> Matrix:
    n = len(levels)
    similarity = np.zeros((n, n + offset), np.float32)
    similarity[np.arange(n), np.arange(n) + offset] = levels
    return similarity


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((0, 1, 1, 0), [(1, 3, 0, 1.0)]),
        ((1, 1, 1), [(0, 3, 0, 1.5)]),
        ((1, 0.25, 1), [(0, 3, 0, 0.75)]),  # a gap of one second is bridged, and counts
        ((1, 0, 1, 0, 1), [(0, 5, 0, 0.5)]),
        ((1, 0, 0, 1), [(0, 1, 0, 0.5), (3, 4, 0, 0.5)]),  # one of two is not
        ((0, 1, 0), [(1, 2, 0, 0.5)]),
        ((0.5, 0.5), []),  # at the threshold is not above it
        ((0, 0), []),
    ],
)
def test_a_run_ends_where_the_seconds_are_no_longer_alike(
    levels: tuple[float, ...], expected: list[Run]
) -> None:
    assert sorted(found_runs(diagonal(*levels))) == expected


def test_an_offset_tells_which_second_of_the_other_episode_it_is() -> None:
    assert found_runs(diagonal(0, 1, 1, offset=4)) == [(1, 3, 4, 1.0)]
    assert found_runs(diagonal(0, 1, 1, offset=4).T) == [(5, 7, -4, 1.0)]


def test_a_gap_is_not_bridged_beyond_the_other_episode() -> None:
    similarity = np.ones((3, 1), np.float32)
    assert sorted(found_runs(similarity)) == [(k, k + 1, -k, 0.5) for k in range(3)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 1), (1, 0), (0, 5), (5, 0)])
def test_nothing_runs_alike_in_an_empty_episode(shape: tuple[int, int]) -> None:
    assert found_runs(np.zeros(shape, np.float32)) == []


@given(quarters, st.data())
def test_the_mean_along_every_place_agrees_with_a_loop(
    similarity: Matrix, data: st.DataObject
) -> None:
    n, m = similarity.shape
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    length = stop - start
    expected = [
        sum(float(similarity[start + step, place + step]) for step in range(length)) / length
        for place in range(m - length + 1)
    ]
    assert mean_along(similarity, start, stop).tolist() == pytest.approx(expected)


spans = st.tuples(st.integers(0, 12), st.integers(1, 12)).map(lambda s: (s[0], s[0] + s[1]))


@given(spans, st.lists(spans, max_size=5))
def test_the_overlap_agrees_with_counting_seconds(
    one: tuple[int, int], many: list[tuple[int, int]]
) -> None:
    bounds = np.array(many, np.int64).reshape(-1, 2)
    expected = []
    for start, stop in many:
        shared = set(range(*one)) & set(range(start, stop))
        expected.append(len(shared) / (max(one[1], stop) - min(one[0], start)))
    assert overlap(one, bounds[:, 0], bounds[:, 1]).tolist() == pytest.approx(expected)


def test_unit_rows_have_length_one_around_the_centre() -> None:
    vectors = np.array([[4, 5], [1, 1], [1, -2]], np.float32)
    rows = unit_rows(vectors, np.array([1, 1], np.float32))
    assert rows.dtype == np.float32
    assert rows.tolist()[0] == pytest.approx([0.6, 0.8])
    assert rows.tolist()[2] == [0, -1]


def test_a_vector_at_the_centre_is_like_nothing_and_divides_by_nothing() -> None:
    constant = np.full((3, 2), 7, np.float32)
    with np.errstate(all="raise"):
        rows = unit_rows(constant, constant[0])
    assert rows.tolist() == [[0, 0]] * 3


def test_an_empty_episode_has_no_unit_rows() -> None:
    assert unit_rows(np.zeros((0, 2), np.float32), np.zeros(2, np.float32)).shape == (0, 2)

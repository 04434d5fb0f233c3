import re
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipintro.core.errors import InputError
from skipintro.model.windows import (
    FrameSequence,
    balanced_frames,
    balanced_sequence,
    covering_starts,
    read_sequence,
    whole_sequence,
    window_starts,
    write_sequence,
)

LENGTH, STRIDE = 60, 5  # of the method


def vectors(n_seconds: int, episode: int = 0) -> np.ndarray:
    """Return (n_seconds, 2) that tell which episode and which second they are."""
    return np.stack(
        [np.full(n_seconds, episode, np.float32), np.arange(n_seconds, dtype=np.float32)], axis=1
    )


@pytest.mark.parametrize(
    ("intro", "n_seconds", "frames"),
    [
        (range(3, 7), 100, range(3, 11)),
        (range(4), 100, range(8)),
        (range(3, 7), 11, range(3, 11)),
        (range(3, 7), 10, range(3, 10)),  # the episode ends one film frame early
        (range(3, 7), 7, range(3, 7)),  # it ends with the intro
        (range(0), 100, range(0)),
    ],
)
def test_as_many_film_frames_follow_the_intro_as_it_has_fewer_where_the_episode_ends(
    intro: range, n_seconds: int, frames: range
) -> None:
    assert balanced_frames(intro, n_seconds) == frames


def test_a_balanced_sequence_worked_out_by_hand() -> None:
    sequence = balanced_sequence(
        [
            ("second", range(1, 3), vectors(9, 0)),
            ("without", range(0), vectors(9, 1)),
            ("first", range(2, 5), vectors(6, 2)),
        ],
        dimension=2,
    )
    assert sequence.ids == ("second", "first")
    assert sequence.labels.tolist() == [1, 1, 0, 0, 1, 1, 1, 0]
    assert sequence.seconds.tolist() == [1, 2, 3, 4, 2, 3, 4, 5]
    assert sequence.episodes.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert sequence.embeddings.tolist() == [
        *([0, 1], [0, 2], [0, 3], [0, 4]),
        *([2, 2], [2, 3], [2, 4], [2, 5]),
    ]
    assert len(sequence) == 8


def test_a_whole_sequence_has_every_frame_of_every_episode() -> None:
    sequence = whole_sequence(
        [("without", range(0), vectors(2, 0)), ("with", range(1, 3), vectors(4, 1))], dimension=2
    )
    assert sequence.ids == ("without", "with")
    assert sequence.labels.tolist() == [0, 0, 0, 1, 1, 0]
    assert sequence.episodes.tolist() == [0, 0, 1, 1, 1, 1]
    assert sequence.seconds.tolist() == [0, 1, 0, 1, 2, 3]
    assert sequence.embeddings.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [1, 3]]


def test_of_episodes_that_were_read_no_more_stays_in_memory_than_is_chosen() -> None:
    one = 40_000 * 8  # bytes of an episode
    tracemalloc.start()
    try:
        episodes = (("any", range(3, 5), vectors(40_000, n)) for n in range(30))
        assert len(balanced_sequence(episodes, dimension=2)) == 30 * 4
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 6 * one


@pytest.mark.parametrize("episodes", [[], [("a", range(0), vectors(9))]])
def test_no_intro_at_all_gives_an_empty_sequence_of_the_right_shape(
    episodes: list[tuple[str, range, np.ndarray]],
) -> None:
    sequence = balanced_sequence(episodes, dimension=2)
    assert len(sequence) == 0
    assert sequence.embeddings.shape == (0, 2)
    assert sequence.ids == ()


EPISODES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 30)), max_size=6
).map(lambda rows: [(start, start + length, start + length + rest) for start, length, rest in rows])


@given(EPISODES)
def test_a_balanced_sequence_agrees_with_a_loop_over_all_seconds(
    episodes: list[tuple[int, int, int]],
) -> None:
    sequence = balanced_sequence(
        [(f"e{i}", range(start, end), vectors(n, i)) for i, (start, end, n) in enumerate(episodes)],
        dimension=2,
    )
    expected = [
        (f"e{i}", k, k < end)
        for i, (start, end, n) in enumerate(episodes)
        for k in range(n)
        if start <= k < end + (end - start)
    ]
    found = [
        (sequence.ids[episode], second, label == 1)
        for episode, second, label in zip(
            sequence.episodes.tolist(), sequence.seconds.tolist(), sequence.labels, strict=True
        )
    ]
    assert found == expected
    assert sequence.embeddings.tolist() == [[int(id_[1:]), k] for id_, k, _ in expected]
    assert sequence.embeddings.dtype == np.float32


@pytest.mark.parametrize(
    ("n_frames", "n_windows"), [(2068, 402), (992, 187), (0, 0), (59, 0), (60, 1), (64, 1), (65, 2)]
)
def test_whole_windows_start_every_stride_as_long_as_they_fit(
    n_frames: int, n_windows: int
) -> None:
    starts = window_starts(n_frames, LENGTH, STRIDE)
    assert starts == range(0, n_frames - 59, 5)
    assert len(starts) == n_windows


@given(st.integers(0, 300), st.integers(1, 80), st.integers(1, 80))
def test_window_starts_are_all_multiples_of_the_stride_whose_window_fits(
    n_frames: int, length: int, stride: int
) -> None:
    expected = [s for s in range(n_frames) if s % stride == 0 and s + length <= n_frames]
    assert list(window_starts(n_frames, length, stride)) == expected


@pytest.mark.parametrize(
    ("n_frames", "starts"),
    [
        (1, [0]),
        (59, [0]),
        (60, [0]),
        (61, [0, 1]),
        (65, [0, 5]),
        (67, [0, 5, 7]),
        (70, [0, 5, 10]),
    ],
)
def test_covering_windows_end_with_the_last_frame(n_frames: int, starts: list[int]) -> None:
    assert covering_starts(n_frames, LENGTH, STRIDE) == starts


@given(st.integers(1, 400), st.integers(1, 70), st.integers(1, 70))
def test_covering_windows_hold_every_frame_and_no_other(
    n_frames: int, length: int, stride: int
) -> None:
    stride = min(stride, length)
    starts = covering_starts(n_frames, length, stride)
    held = [k for s in starts for k in range(s, s + min(length, n_frames))]
    assert set(held) == set(range(n_frames))
    assert starts == sorted(set(starts)), "no window is counted twice"
    assert starts[: len(window_starts(n_frames, length, stride))] == list(
        window_starts(n_frames, length, stride)
    )


def test_a_stride_that_would_skip_frames_is_refused_by_the_name_of_its_param() -> None:
    with pytest.raises(InputError, match=r"evaluate\.stride: 61 is longer .* choose 60 or less"):
        covering_starts(500, 60, 61)
    assert covering_starts(130, 60, 60) == [0, 60, 70]


@pytest.fixture
def sequence() -> FrameSequence:
    return balanced_sequence(
        [
            ("plain", range(1, 3), vectors(9, 0)),
            ("другой «сериал» 🎬 s01e01", range(2), vectors(3, 1)),
            ('it\'s "quoted"', range(4, 5), vectors(9, 2)),
        ],
        dimension=2,
    )


def test_a_sequence_reads_back_as_it_was_written(sequence: FrameSequence, tmp_path: Path) -> None:
    write_sequence(tmp_path / "train.npz", sequence)
    found = read_sequence(tmp_path / "train.npz")
    assert found.ids == sequence.ids
    for name in ("embeddings", "labels", "episodes", "seconds"):
        written, read = getattr(sequence, name), getattr(found, name)
        assert read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)


def test_an_empty_sequence_reads_back_empty(tmp_path: Path) -> None:
    write_sequence(tmp_path / "test.npz", balanced_sequence([], dimension=3))
    found = read_sequence(tmp_path / "test.npz")
    assert (len(found), found.ids, found.embeddings.shape) == (0, (), (0, 3))


def test_the_same_sequence_gives_the_same_bytes_at_any_time(
    sequence: FrameSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sequence(tmp_path / "a.npz", sequence)
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    write_sequence(tmp_path / "b.npz", sequence)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 200, -1])
def test_a_broken_sequence_file_is_refused_by_name(
    sequence: FrameSequence, tmp_path: Path, kept: int
) -> None:
    file = tmp_path / "train.npz"
    write_sequence(file, sequence)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(InputError, match=re.escape(f"{file}: cannot be read")):
        read_sequence(file)


def test_a_sequence_with_a_flipped_bit_is_refused(sequence: FrameSequence, tmp_path: Path) -> None:
    file = tmp_path / "train.npz"
    write_sequence(file, sequence)
    content = bytearray(file.read_bytes())
    content[content.index(sequence.embeddings.tobytes()) + 5] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        read_sequence(file)


def test_a_missing_sequence_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.npz: cannot be read .* run `dvc repro`"):
        read_sequence(tmp_path / "train.npz")


def test_without_drops_the_frames_of_the_named_episodes_alone(sequence: FrameSequence) -> None:
    rest = sequence.without(["plain", "stranger"])
    assert rest.ids == sequence.ids
    assert rest.episodes.tolist() == [1, 1, 1, 2, 2]
    assert rest.labels.tolist() == [1, 1, 0, 1, 0]
    assert rest.seconds.tolist() == [0, 1, 2, 4, 5]
    assert rest.embeddings.tolist() == [[1, 0], [1, 1], [1, 2], [2, 4], [2, 5]]
    assert len(sequence) == 9, "the whole sequence is left as it was"


def test_without_nobody_is_the_whole_and_without_all_is_empty(sequence: FrameSequence) -> None:
    assert sequence.without([]).seconds.tolist() == sequence.seconds.tolist()
    assert len(sequence.without(sequence.ids)) == 0
    assert sequence.without(sequence.ids).embeddings.shape == (0, 2)

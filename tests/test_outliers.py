import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipintro.episodes.annotations import Annotation, Status
from skipintro.review.outliers import SuspicionRule, Suspicious, suspicious

RULE = SuspicionRule(deviations=3, length_off_s=5, start_off_s=120, shifted_length_off_s=2)


def label(
    id_: str,
    start_s: float | None,
    end_s: float | None,
    *,
    series: str = "show03",
    split: str = "train",
    status: Status = Status.AS_LABELLED,
) -> Annotation:
    return Annotation(
        split=split,
        id=id_,
        series=series,
        raw_start_s=start_s,
        raw_end_s=end_s,
        start_s=start_s,
        end_s=end_s,
        status=status,
        reason="",
    )


def of_lengths(*lengths_s: float, series: str = "show03") -> list[Annotation]:
    """Return a series whose intros start at 0:00."""
    return [
        label(f"{series}_e{n:02d}", 0, length_s, series=series)
        for n, length_s in enumerate(lengths_s, 1)
    ]


def ids(found: list[Suspicious]) -> list[str]:
    return [one.id for one in found]


def test_a_length_unlike_those_of_its_series_is_told_in_words() -> None:
    labels = of_lengths(8, 10, 9)
    [found] = suspicious([*labels, label("show03_e04", 41, 80)], RULE)
    assert (found.id, found.split, found.series) == ("show03_e04", "train", "show03")
    assert found.reason == (
        "0:00:41 to 0:01:20 is 39 s long; the 3 others of its series are 8 to 10 s"
    )
    # The median is 9.5 s, the MAD 1 s: 5 s are allowed, which is more than 3 x 1.4826.
    assert found.score == pytest.approx(29.5 / 5)


def test_a_start_unlike_those_of_its_series_is_told_in_words() -> None:
    labels = [label("e1", 0, 10), label("e2", 40.5, 50.5), label("e3", 90, 100)]
    [found] = suspicious([*labels, label("e4", 1200, 1210)], RULE)
    assert found.reason == (
        "0:20:00 to 0:20:10 starts at 0:20:00; "
        "the 3 others of its series start at 0:00:00 to 0:01:30"
    )
    # The median of the starts is 65.25 s, the MAD of 65.25, 24.75, 24.75 and 1134.75 is 45 s.
    assert found.score == pytest.approx(1134.75 / (3 * 1.4826 * 45), abs=1e-3)


def test_both_are_told_of_one_label_and_the_worse_counts() -> None:
    labels = [*of_lengths(10, 10, 10), label("odd", 1800, 1820)]
    [found] = suspicious(labels, RULE)
    assert found.reason == (
        "0:30:00 to 0:30:20 is 20 s long; the 3 others of its series are 10 s; "
        "it also starts at 0:30:00; the 3 others of its series start at 0:00:00"
    )
    assert found.score == 15  # 1800 / 120 is more than 10 / 5


def test_a_shifted_label_must_have_the_length_of_some_other() -> None:
    """12.5 s lies near enough to the median for a label that stands as it was written."""
    for status, expected in ((Status.AS_LABELLED, []), (Status.SHIFTED, ["odd"])):
        labels = [*of_lengths(10, 10, 9), label("odd", 5, 17.5, status=status)]
        found = suspicious(labels, RULE)
        assert ids(found) == expected
    assert found[0].reason == (
        "0:00:05 to 0:00:17.5 (start shifted) is 12.5 s long; "
        "the nearest in length of the 3 others of its series is 10 s"
    )
    assert found[0].score == 1.25
    assert not suspicious(
        [*of_lengths(10, 10, 9), label("fits", 5, 17, status=Status.SHIFTED)], RULE
    )


def test_a_shifted_label_far_from_all_others_is_told_once() -> None:
    labels = [*of_lengths(8, 10, 9), label("odd", 41, 80, status=Status.SHIFTED)]
    [found] = suspicious(labels, RULE)
    assert found.reason == (
        "0:00:41 to 0:01:20 (start shifted) is 39 s long; the 3 others of its series are 8 to 10 s"
    )
    assert found.score == 14.5  # 29 s from the nearest length, of which 2 are allowed


def test_ordinary_cold_opens_and_lengths_are_not_suspicious() -> None:
    labels = [label(f"e{n}", start, start + 30) for n, start in enumerate((0, 0, 0, 0, 95, 120))]
    assert suspicious(labels, RULE) == []
    assert suspicious(of_lengths(10, 10, 10, 15), RULE) == []
    assert ids(suspicious(of_lengths(10, 10, 10, 15.1), RULE)) == ["show03_e04"]


def test_a_series_that_varies_more_is_allowed_more() -> None:
    """Of 20, 40, 60, 80 and 100 the MAD is 20, so that 89 s are allowed."""
    assert suspicious(of_lengths(20, 40, 60, 80, 100), RULE) == []
    narrow = RULE.model_copy(update={"deviations": 1})  # 29.7 s
    assert ids(suspicious(of_lengths(20, 40, 60, 80, 100), narrow)) == ["show03_e01", "show03_e05"]


def test_where_another_is_as_odd_the_median_is_told() -> None:
    found = suspicious(of_lengths(10, 10, 39, 39, 39), RULE)
    assert [one.reason for one in found] == [
        "0:00:00 to 0:00:10 is 10 s long; the 4 others of its series are 10 to 39, median 39 s"
    ] * 2


@pytest.mark.parametrize(
    "third",
    [
        label("e3", None, None, status=Status.NO_INTRO),
        label("e3", None, None, status=Status.UNUSABLE),
        label("e3", 0, 90, series="another"),
        label("e2", 0, 90, split="test"),
    ],
)
def test_two_labelled_episodes_say_nothing(third: Annotation) -> None:
    labels = [label("e1", 0, 10), label("e2", 0, 90, status=Status.SHIFTED), third]
    assert suspicious(labels, RULE) == []


def test_three_labelled_episodes_of_both_splits_do() -> None:
    labels = [label("e1", 0, 10), label("e2", 0, 11), label("e3", 0, 90, split="test")]
    [found] = suspicious(labels, RULE)
    assert (found.id, found.split) == ("e3", "test")
    assert "the 2 others of its series are 10 to 11 s" in found.reason


def test_an_episode_of_both_splits_counts_once_and_is_told_for_each() -> None:
    """Counted twice, the median of lengths would be 39 s."""
    odd = [label("odd", 0, 39, split=split) for split in ("train", "test")]
    found = suspicious([odd[0], label("e1", 0, 10), label("e2", 0, 10), odd[1]], RULE)
    assert [(one.id, one.split) for one in found] == [("odd", "train"), ("odd", "test")]
    assert "the 2 others" in found[0].reason


def test_the_most_suspicious_stands_first_and_ties_keep_their_order() -> None:
    labels = [
        *of_lengths(10, 10, 10, 17, series="little"),
        *of_lengths(10, 10, 10, 90, series="much"),
        *of_lengths(10, 10, 10, 17, series="as little"),
    ]
    assert ids(suspicious(labels, RULE)) == ["much_e04", "little_e04", "as little_e04"]


@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 60)), max_size=7),
    st.sampled_from([0.0, 1.0, 3.0]),
    st.sampled_from([1.0, 5.0, 120.0]),
)
def test_who_is_named_agrees_with_numpy(
    intervals: list[tuple[int, int]], deviations: float, off_s: float
) -> None:
    rule = SuspicionRule(
        deviations=deviations, length_off_s=off_s, start_off_s=off_s, shifted_length_off_s=1
    )
    labels = [label(f"e{n}", start, start + length) for n, (start, length) in enumerate(intervals)]
    expected = set()
    for values in zip(*intervals, strict=True) if len(intervals) >= 3 else ():
        distances = np.abs(np.array(values) - np.median(values))
        far = distances > max(off_s, deviations * 1.4826 * float(np.median(distances)))
        expected |= {f"e{n}" for n in np.flatnonzero(far)}
    found = suspicious(labels, rule)
    assert set(ids(found)) == expected
    assert all(one.score >= 1 for one in found)

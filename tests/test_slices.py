import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcome_cases import Case, cases, outcome
from skipintro.detection.episode import Interval
from skipintro.evaluation.slices import slices

NAMES = [
    "intro_under_5s",
    "intro_5_to_15s",
    "intro_over_15s",
    "cold_open",
    "no_cold_open",
    "series_seen",
    "series_unseen",
    "leaked",
    "not_leaked",
    "label_as_given",
    "label_corrected",
]


def test_every_part_is_named_even_where_it_is_empty() -> None:
    assert slices([]) == {name: [] for name in NAMES}
    assert list(slices([outcome((0, 5))])) == NAMES


def test_each_tag_of_the_labels_makes_a_part() -> None:
    rows = [outcome((0, 5), tags=("pal", "dub")), outcome(None, tags=("dub",)), outcome((0, 5))]
    found = slices(rows)
    assert list(found) == [*NAMES, "tag_dub", "tag_pal"]
    assert (found["tag_dub"], found["tag_pal"]) == (rows[:2], rows[:1])


@pytest.mark.parametrize(
    ("truth", "part"),
    [
        ((0, 4.9), "intro_under_5s"),
        ((0, 5), "intro_5_to_15s"),
        ((0, 15), "intro_5_to_15s"),
        ((0, 15.1), "intro_over_15s"),
        ((3.2, 8.2), "intro_5_to_15s"),  # in binary, less than 5
        ((1.4, 16.4), "intro_5_to_15s"),
    ],
)
def test_an_intro_of_5_or_15_seconds_is_of_the_middle_part(truth: Interval, part: str) -> None:
    row = outcome(truth)
    found = slices([row])
    assert [name for name in NAMES[:3] if found[name]] == [part]


def test_a_cold_open_is_anything_before_the_intro() -> None:
    late, first = outcome((0.1, 9)), outcome((0, 9))
    assert slices([late, first])["cold_open"] == [late]
    assert slices([late, first])["no_cold_open"] == [first]


def test_an_episode_without_an_intro_is_in_no_part_by_intro() -> None:
    row = outcome(None, (0, 9), seen=True, leaked=True, corrected=True)
    found = slices([row])
    assert [name for name in NAMES if found[name]] == ["series_seen", "leaked", "label_corrected"]


@given(st.lists(cases(), max_size=5))
def test_parts_agree_with_asking_each_episode_in_integers(drawn: list[Case]) -> None:
    expected = {name: [case.outcome for case in drawn if name in parts(case)] for name in NAMES}
    assert slices([case.outcome for case in drawn]) == expected


def parts(case: Case) -> set[str]:
    row, found = case.outcome, set()
    if case.truth is not None:
        length = case.truth[1] - case.truth[0]
        if length < 50:
            found.add("intro_under_5s")
        elif length > 150:
            found.add("intro_over_15s")
        else:
            found.add("intro_5_to_15s")
        found.add("no_cold_open" if case.truth[0] == 0 else "cold_open")
    found.add("series_seen" if row.seen else "series_unseen")
    found.add("leaked" if row.leaked else "not_leaked")
    found.add("label_corrected" if row.corrected else "label_as_given")
    return found

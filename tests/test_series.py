from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcome_cases import Case, cases, outcome
from skipintro.evaluation.intervals import (
    HEADLINES,
    f1_within,
    interval_figures,
    mean_iou,
    story_s_per_hour,
)
from skipintro.evaluation.results import Outcome
from skipintro.evaluation.series import bootstrap, by_series, macro_average

CASES = st.lists(cases(), max_size=8)
IOU = {"mean_iou": HEADLINES["mean_iou"]}


def headlines(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Return the headlines out of all the figures."""
    figures = interval_figures(outcomes)
    return {
        "within_1s/f1": figures.within_1s.f1,
        "within_3s/f1": figures.within_3s.f1,
        "mean_iou": figures.mean_iou,
        "story_s_per_hour": figures.story_s_per_hour,
    }


def test_a_long_series_weighs_no_more_than_a_short_one() -> None:
    found = macro_average(
        [
            *[outcome((10, 20), (10, 20), series="long", n_seconds=60) for _ in range(9)],
            outcome((10, 20), (15, 20), series="short", n_seconds=60),
            outcome(None, (0, 1), series="no intro", n_seconds=60),
        ]
    )
    assert found.series == 3
    assert found.f1_within_3s == pytest.approx((1 + 0 + 0) / 3)
    assert found.mean_iou == pytest.approx((1 + 0.5) / 2)  # nothing is told of the third
    assert found.story_s_per_hour == pytest.approx((0 + 0 + 60) / 3)


def test_the_mean_over_no_series_is_none() -> None:
    found = macro_average([])
    assert found.model_dump() == {
        "series": 0,
        "f1_within_3s": None,
        "mean_iou": None,
        "story_s_per_hour": None,
    }
    assert macro_average([outcome()]).f1_within_3s is None


@given(CASES)
def test_means_over_series_agree_with_a_loop(drawn: list[Case]) -> None:
    groups: dict[str, list[Outcome]] = {}
    for case in drawn:
        groups.setdefault(case.outcome.series, []).append(case.outcome)
    found = macro_average([case.outcome for case in drawn])
    assert found.series == len(groups)
    for value, figures in (
        (found.f1_within_3s, [f1_within(rows, 3.0) for rows in groups.values()]),
        (found.mean_iou, [mean_iou(rows) for rows in groups.values()]),
        (found.story_s_per_hour, [story_s_per_hour(rows) for rows in groups.values()]),
    ):
        told = [figure for figure in figures if figure is not None]
        assert value == (pytest.approx(np.mean(told)) if told else None)


def test_a_series_is_drawn_whole_or_not_at_all() -> None:
    rows = [outcome(series=name) for name in ("two", "two", "five", "five", "five", "five", "five")]

    def share_of_five(row: Outcome) -> tuple[float, int]:
        return float(row.series == "five"), 1

    seen = set()
    for seed in range(20):
        found = bootstrap(rows, {"five": share_of_five}, 1, np.random.default_rng(seed))["five"]
        assert found is not None
        assert found[0] == found[1]  # one resample
        seen.add(found[0])
    assert seen == {0.0, 5 / 7, 1.0}


def test_an_interval_is_the_middle_of_what_the_draws_give() -> None:
    rows = [
        outcome((10, 20), (10, 10 + length), series=f"series {length}") for length in range(1, 11)
    ]
    ious = np.arange(1, 11) / 10
    low, high = np.quantile(
        np.random.default_rng(7).choice(ious, size=(20000, 10)).mean(axis=1), [0.1, 0.9]
    )
    found = bootstrap(rows, IOU, 4000, np.random.default_rng(0), level=0.8)
    assert found["mean_iou"] == pytest.approx((low, high), abs=0.01)


@given(CASES, st.integers(0, 99))
def test_intervals_agree_with_drawing_names_one_by_one(drawn: list[Case], seed: int) -> None:
    rows = [case.outcome for case in drawn]
    names = sorted({row.series for row in rows})
    found = bootstrap(rows, HEADLINES, 20, np.random.default_rng(seed))
    if len(names) < 2:
        assert found == dict.fromkeys(HEADLINES)
        return
    rng = np.random.default_rng(seed)
    draws = [[names[rng.integers(len(names))] for _ in names] for _ in range(20)]
    figures = [
        headlines([row for one in draw for row in rows if row.series == one]) for draw in draws
    ]
    for name in HEADLINES:
        values = [value for told in figures if (value := told[name]) is not None]
        expected = pytest.approx(np.percentile(values, [2.5, 97.5])) if values else None
        assert found[name] == expected


def test_the_order_of_the_episodes_changes_no_interval() -> None:
    """Not by one bit; sums of IoUs of a third, a seventh and an eleventh differ by order."""
    rows = [
        outcome((0, length), (0, 1), series=name)
        for name in ("b", "a", "c")
        for length in (3, 7, 11, 13, 17)
    ]
    bounds = [
        bootstrap(order, HEADLINES, 50, np.random.default_rng(3))
        for order in (rows, rows[::-1], rows[::2] + rows[1::2])
    ]
    assert bounds[0] == bounds[1] == bounds[2]


def test_no_figure_s_interval_depends_on_what_else_is_asked() -> None:
    rows = [outcome((0, 9), (0, length), series=f"series {length}") for length in (3, 5, 7)]
    both = bootstrap(rows, HEADLINES, 50, np.random.default_rng(3))
    assert bootstrap(rows, IOU, 50, np.random.default_rng(3))["mean_iou"] == both["mean_iou"]


def test_what_cannot_be_told_of_any_draw_has_no_interval() -> None:
    rows = [outcome(series="one"), outcome(series="two")]
    found = bootstrap(rows, HEADLINES, 20, np.random.default_rng(0))
    assert found["mean_iou"] is None
    assert found["story_s_per_hour"] == (0, 0)


def test_one_series_alone_says_nothing_of_how_series_differ() -> None:
    rows = [outcome((10, 20), (10, 20)), outcome((10, 20), (30, 40))]
    assert bootstrap(rows, IOU, 20, np.random.default_rng(0)) == {"mean_iou": None}


@pytest.mark.parametrize(("n_resamples", "level"), [(0, 0.95), (10, 0.0), (10, 1.0)])
def test_a_bootstrap_needs_a_draw_and_a_level(n_resamples: int, level: float) -> None:
    with pytest.raises(ValueError, match="expected one resample or more"):
        bootstrap([], HEADLINES, n_resamples, np.random.default_rng(0), level)


def test_series_come_by_name_and_their_episodes_in_order() -> None:
    rows = [outcome(series=name) for name in ("b", "a", "b")]
    assert by_series(rows) == [[rows[1]], [rows[0], rows[2]]]

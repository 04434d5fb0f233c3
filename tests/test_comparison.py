from dataclasses import replace
from pathlib import Path

import pytest

from outcome_cases import outcome
from skipintro.core.files import read_model, write_json
from skipintro.evaluation.comparison import Comparison, ComparisonRow, compare, markdown
from skipintro.evaluation.intervals import HEADLINES, interval_figures
from skipintro.evaluation.results import Outcome
from skipintro.evaluation.series import macro_average
from skipintro.evaluation.slices import slices

GOOD = [
    outcome((10, 20), (10, 20), series="a", seen=True, n_seconds=600),
    outcome((0, 30), (0, 28), series="b", n_seconds=600),
    outcome((0, 30), (0, 28), series="a", seen=True, leaked=True, n_seconds=600),
    outcome(None, (50, 55), series="b", n_seconds=600),
    outcome(None, series="c", n_seconds=600),
]
SILENT = [replace(row, predicted=()) for row in GOOD]


def compared(**detectors: list[Outcome]) -> Comparison:
    return compare(detectors, n_resamples=50, seed=3, level=0.9)


def row(comparison: Comparison, detector: str, slice_name: str) -> ComparisonRow:
    found = [
        row for row in comparison.rows if (row.detector, row.slice_name) == (detector, slice_name)
    ]
    assert len(found) == 1
    return found[0]


def test_each_detector_is_measured_on_each_part() -> None:
    found = compared(good=GOOD, silent=SILENT)
    parts = {
        "all": [0, 1, 2, 3, 4],
        "all_without_leaked": [0, 1, 3, 4],
        "seen": [0],
        "unseen": [1, 3, 4],
    }
    names = [*parts, *slices([])]
    assert [(one.detector, one.slice_name) for one in found.rows] == [
        (detector, name) for detector in ("good", "silent") for name in names
    ]
    for name, indices in parts.items():
        for detector, outcomes in (("good", GOOD), ("silent", SILENT)):
            part = [outcomes[index] for index in indices]
            assert row(found, detector, name).figures == interval_figures(part)
            assert row(found, detector, name).macro == macro_average(part)
    for name, part in slices(GOOD).items():
        assert row(found, "good", name).figures == interval_figures(part)


def test_headlines_have_bounds_where_series_differ_and_none_where_there_is_one() -> None:
    found = compared(good=GOOD)
    bounds = row(found, "good", "all").bounds
    assert list(bounds) == list(HEADLINES)
    figures = row(found, "good", "all").figures
    assert bounds["mean_iou"] is not None
    assert figures.mean_iou is not None
    assert bounds["mean_iou"][0] <= figures.mean_iou <= bounds["mean_iou"][1]
    assert bounds["mean_iou"][0] < bounds["mean_iou"][1]
    assert row(found, "good", "seen").bounds == dict.fromkeys(HEADLINES)


def test_the_same_series_are_drawn_for_every_detector_and_every_run() -> None:
    """Of six series with one IoU each, a draw tells by its mean which ones it holds."""
    rows = [outcome((0, 32), (0, 2**k), series=f"series {k}") for k in range(6)]

    def bounds(detector: str, seed: int) -> object:
        detectors = {"good": rows, "another": list(rows)}
        return row(compare(detectors, n_resamples=2, seed=seed, level=0.9), detector, "all").bounds

    assert bounds("good", 3) == bounds("another", 3) == bounds("good", 3)
    assert len({str(bounds("good", seed)) for seed in range(10)}) > 5


def test_a_comparison_is_written_and_read_back(tmp_path: Path) -> None:
    found = compared(good=GOOD, silent=SILENT)
    write_json(tmp_path / "comparison.json", found)
    assert read_model(Comparison, tmp_path / "comparison.json") == found


@pytest.mark.parametrize(
    "other",
    [
        GOOD[:-1],
        GOOD[::-1],
        [replace(GOOD[0], id="another"), *GOOD[1:]],
        [replace(GOOD[0], truth=(10, 21)), *GOOD[1:]],
        [replace(GOOD[0], leaked=True), *GOOD[1:]],
    ],
)
def test_detectors_are_compared_on_the_same_episodes_alone(other: list[Outcome]) -> None:
    with pytest.raises(ValueError, match="other and good were not tried on the same episodes"):
        compared(good=GOOD, other=other)


def test_a_table_has_a_row_a_detector() -> None:
    one_series = [
        outcome((10, 20), (10, 20), n_seconds=600),
        outcome((10, 20), (12, 20), n_seconds=600),
        outcome(None, (50, 55), n_seconds=600),
        outcome(None, n_seconds=600),
    ]
    rows = [*one_series, *(replace(one, series="two") for one in one_series)]
    silent = [replace(one, predicted=()) for one in rows]
    found = compare({"good|bad": rows, "silent": silent}, n_resamples=20, seed=0, level=0.95)
    assert markdown(found, "all") == (
        "| detector | F1 within 1 s | F1 within 3 s [95%] | mean IoU [95%] "
        "| useful | story skipped, s an hour [95%] | over half | false alarms | found |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| good\\|bad | 0.400 | 0.800 [0.800, 0.800] | 0.900 [0.900, 0.900] "
        "| 0.800 | 7.5 [7.5, 7.5] | 0 | 2 of 4 | 4 of 4 |\n"
        "| silent | 0.000 | 0.000 [0.000, 0.000] | 0.000 [0.000, 0.000] "
        "| 0.000 | 0.0 [0.0, 0.0] | 0 | 0 of 4 | 0 of 4 |\n"
    )


def test_what_cannot_be_told_is_a_dash() -> None:
    found = compare({"silent": [SILENT[4]]}, n_resamples=5, seed=0, level=0.95)
    assert markdown(found, "all").splitlines()[-1] == (
        "| silent | - | - | - | - | 0.0 [-] | 0 | 0 of 1 | - |"
    )
    assert markdown(found, "seen").splitlines()[-1] == "| silent | - | - | - | - | - | 0 | - | - |"


def test_a_table_tells_its_level() -> None:
    found = compare({"silent": SILENT}, n_resamples=5, seed=0, level=0.8)
    assert "mean IoU [80%]" in markdown(found, "all")


def test_an_unknown_part_is_told_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"got the part 'some'.*all, all_without_leaked, seen"):
        markdown(compared(good=GOOD), "some")
    with pytest.raises(ValueError, match="none at all"):
        markdown(compared(), "all")

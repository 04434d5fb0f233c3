"""Labels that a fit on other series contradicts."""

from pathlib import Path

import pytest

from skipintro.core.errors import InputError
from skipintro.core.files import write_json
from skipintro.detection.label_disagreements import (
    OutOfFoldPrediction,
    contradicted,
    read_out_of_fold,
)


def told(
    id_: str,
    label: tuple[float, float] | None,
    interval: tuple[float, float] | None,
    confidence: float | None = 0.9,
) -> OutOfFoldPrediction:
    return OutOfFoldPrediction(
        id=id_, series="show", label=label, interval=interval, confidence=confidence
    )


def test_the_surest_contradiction_comes_first_and_equal_ones_by_their_names() -> None:
    rows = [
        told("b", (0, 10), (20, 30), 0.6),
        told("c", (0, 10), (20, 30), 0.9),
        told("a", (0, 10), (20, 30), 0.6),
    ]
    assert [each.id for each in contradicted(rows, 3)] == ["c", "a", "b"]


def test_one_end_off_by_more_than_the_tolerance_is_enough() -> None:
    rows = [told("near", (10, 20), (13, 17)), told("far", (10, 20), (10, 23.5))]
    assert [each.id for each in contradicted(rows, 3)] == ["far"]


def test_an_interval_where_the_label_says_no_intro_contradicts_it() -> None:
    assert contradicted([told("a", None, (5, 15))], 3)


def test_silence_contradicts_nothing() -> None:
    assert contradicted([told("a", (5, 15), None, None), told("b", None, None, None)], 3) == []


def test_each_interval_of_a_file_is_held_against_the_label_nearest_to_it() -> None:
    further_label = {"further_label": ((70.0, 80.0),)}
    both = told("a", (10, 20), (10, 20)).model_copy(
        update={**further_label, "further": ((71.0, 80.0),)}
    )
    assert both.error_s() == 1
    assert told("a", (10, 20), (71, 80)).model_copy(update=further_label).error_s() == 1
    assert both.model_copy(update={"further_label": ()}).error_s() == 61
    assert "further" not in told("a", (10, 20), (10, 20)).model_dump()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [told("другой 🎬", (1, 4), (1.5, 4)), told("b", None, None, None)]
    write_json(tmp_path / "held_out.json", [each.model_dump(mode="json") for each in rows])
    assert read_out_of_fold(tmp_path / "held_out.json") == rows


def test_another_file_is_refused_by_its_name(tmp_path: Path) -> None:
    write_json(tmp_path / "held_out.json", [{"id": "a"}])
    with pytest.raises(InputError, match=r"held_out\.json.*dvc repro fit"):
        read_out_of_fold(tmp_path / "held_out.json")

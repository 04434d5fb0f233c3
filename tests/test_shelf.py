"""`skipintro.toml`: which file counts, how faults are told, and what `detect` makes of it."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from conftest import run_command
from library_cases import INTERVALS, Place, shared_place, whole_evidence
from skipintro.core.errors import InputError
from skipintro.detection.limits import Limits
from skipintro.library.shelf import Chosen, Shelf


def settings(folder: Path, *lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "skipintro.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_of_each_key_the_nearest_file_counts_and_a_command_before_all(tmp_path: Path) -> None:
    settings(tmp_path, "min_confidence = 0.4", "max_length = 90", 'search = "first-quarter"')
    settings(tmp_path / "Show", "min_confidence = 0.8", "search = 600")
    settings(tmp_path / "Show/Season 2", "skip = true", "min_length = 5")
    shelf = Shelf()
    root, show = shelf.of(tmp_path / "x.mkv"), shelf.of(tmp_path / "Show/Season 1/x.mkv")
    assert (root.skip, root.search, root.limits) == (False, "first-quarter", Limits(0.4, 0, 90))
    assert (show.skip, show.search, show.limits) == (False, 600, Limits(0.8, 0, 90))
    second = shelf.of(tmp_path / "Show/Season 2/x.mkv")
    assert (second.skip, second.limits) == (True, Limits(0.8, 5, 90))
    given = Shelf(Chosen(min_confidence=0, max_length=60))
    assert given.of(tmp_path / "Show/x.mkv").limits == Limits(0, 0, 60)
    settings(tmp_path / "Show/Season 2/again", "skip = false")
    assert not Shelf().of(tmp_path / "Show/Season 2/again/x.mkv").skip


def test_an_interval_by_hand_is_of_a_file_by_name_or_by_path(tmp_path: Path) -> None:
    path = settings(
        tmp_path,
        "[intervals]",
        '"S01E01.mkv" = ["0:01:10", 85.5]',
        '"One/S01E02.mkv" = [[00:00:05, "20"], ["5:00", 315]]',
        "'S01E03.mkv' = []",
    )
    settings(tmp_path / "Two", "[intervals]", '"S01E01.mkv" = [1, 2]')
    shelf = Shelf()

    def told(name: str) -> object:
        found = shelf.of(tmp_path / name).by_hand
        return None if found is None else (found.intervals, found.place)

    assert told("One/S01E01.mkv") == (((70, 85.5),), f"{path}:2: intervals: S01E01.mkv")
    assert told("One/S01E02.mkv") == (((5, 20), (300, 315)), f"{path}:3: intervals: One/S01E02.mkv")
    assert told("Two/S01E02.mkv") is None
    assert told("Two/S01E03.mkv") == ((), f"{path}:4: intervals: S01E03.mkv")
    assert told("Two/S01E01.mkv") == (
        ((1, 2),),
        f"{tmp_path}/Two/skipintro.toml:2: intervals: S01E01.mkv",
    )


def test_a_name_that_no_file_has_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = settings(
        tmp_path, "[intervals]", '"a.mkv" = []', '"gone.mkv" = []', '"in/b.mkv" = []', '"c.mkv"=[]'
    )
    (tmp_path / "in").mkdir()
    for name in ("in/a.mkv", "in/b.mkv", "in/c.mkv"):
        (tmp_path / name).touch()
    shelf = Shelf()
    shelf.of(tmp_path / "in/c.mkv")
    with caplog.at_level(logging.WARNING):
        shelf.warn_of_unknown()
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}:3: no file gone.mkv below; correct its name"
    ]


KNOWN = "(known: skip, min_confidence, min_length, max_length, search, intervals)"


@pytest.mark.parametrize(
    ("lines", "line", "fault"),
    [
        (
            ("# min_len = 3", "", "min_len = 3"),
            3,
            f"unknown key 'min_len'; correct or {{}} {KNOWN}",
        ),
        (("skip = true", "[interval]", '"x" = []'), 2, "unknown key 'interval'"),
        (("skip = 1",), 1, "skip: Input should be a valid boolean, got 1"),
        (("skip = true", "min_confidence = 2"), 2, "min_confidence: Input should be less than"),
        (("max_length = nan",), 1, "max_length: Input should be a finite number"),
        (("min_length = '5'",), 1, "min_length: Input should be a valid number, got '5'"),
        (("min_length = 9", "max_length = 8"), 1, "min_length is more than max_length"),
        (("", "search = 'half'"), 2, 'search: expected "whole", "first-quarter" or a whole'),
        (("search = 0",), 1, "search: expected"),
        (("[intervals]", "'a.mkv' = []", "'b.mkv' = [9, 8]"), 3, "start 0:00:09 does not lie"),
        (("intervals = { 'b.mkv' = 5 }",), 1, 'intervals.b.mkv: expected ["0:01:10", "0:01:25"]'),
        (("[intervals]", "b = [[1, 2], 3]"), 2, 'expected ["0:01:10", "0:01:25"], a list of'),
        (("[intervals]", "b = [[5, 6], [1, 2]]"), 2, "0:00:01 to 0:00:02 begins before 0:00:05 to"),
        (("[intervals]", "b = [1, 'x']"), 2, "'x' is no time; write H:MM:SS"),
        (("[intervals]", "b = [-1, 2]"), 2, "negative"),
        (("skip = true", "skip = yes"), 2, "no valid TOML: Invalid value"),
        (("skip = true", "skip = true"), 2, "no valid TOML: Cannot overwrite a value"),
        (("[intervals",), 1, "no valid TOML"),
    ],
)
def test_a_fault_is_told_with_file_line_and_remedy(
    tmp_path: Path, lines: tuple[str, ...], line: int, fault: str
) -> None:
    path = settings(tmp_path, *lines)
    with pytest.raises(InputError) as told:
        Shelf().of(tmp_path / "x.mkv")
    assert str(told.value).startswith(f"{path}:{line}: ")
    assert fault.format("remove it") in str(told.value)
    assert "correct" in str(told.value)


def test_what_is_no_text_and_what_is_no_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "skipintro.toml"
    path.write_bytes(b"skip = \xff")
    with pytest.raises(InputError, match="not UTF-8"):
        Shelf().of(tmp_path / "x.mkv")
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"skipintro\.toml: Is a directory"):
        Shelf().of(tmp_path / "x.mkv")


# In `detect`


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return shared_place(tmp_path_factory).copy(tmp_path_factory.mktemp("shelf"))


class Detect:
    """Runs the command on a library, and gives its rows by name."""

    def __init__(
        self, place: Place, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.place, self._patch, self._capsys = place, patch, capsys
        self.errors = ""

    def __call__(self, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
        words = (str(self.place.library), *words)
        ended, out, self.errors = run_command(self.place.words(*words), self._patch, self._capsys)
        assert ended == code, self.errors
        return {Path(row["video"]).stem: row for row in json.loads(out or "[]")}


@pytest.fixture
def detect(
    made: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Detect:
    return Detect(made.copy(tmp_path), monkeypatch, capsys)


def told(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["start_s"], row["end_s"], row["source"]


def test_settings_of_a_show_hold_for_it_alone_and_change_what_is_remembered(
    detect: Detect,
) -> None:
    plain = detect("--write", "edl")
    assert {name: told(row) for name, row in plain.items()} == {
        name: (*interval, "detector") for name, interval in INTERVALS.items()
    }
    toy = settings(detect.place.library / "Toy", "max_length = 4")
    found = detect("--write", "edl")
    assert "3 detected now" in detect.errors
    assert {name: row for name, row in found.items() if "Other" in name} == {
        name: row for name, row in plain.items() if "Other" in name
    }
    assert all(
        (row["end_s"] or 0) - (row["start_s"] or 0) <= 4
        for name, row in found.items()
        if "Toy" in name
    )
    assert told(detect("--max-length", "30")["Toy S01E02"]) == told(plain["Toy S01E02"])
    toy.unlink()
    assert detect("--write", "edl") == plain
    assert "detected now" not in detect.errors


def test_of_a_show_that_is_left_out_our_own_sidecars_go(detect: Detect) -> None:
    kinds = ("--write", "edl", "--write", "json", "--mux")
    plain = detect(*kinds)
    changed = detect.place.library / "Toy/Toy S01E01.edl"
    changed.write_text("1\t2\t3\n")
    toy = settings(detect.place.library / "Toy", "skip = true")
    assert set(detect()) == {name for name in INTERVALS if "Other" in name}
    assert "3 left out by their settings" in detect.errors
    assert len(list(toy.parent.glob("*.chapters.mp4"))) == 3  # no kind was named
    assert set(detect(*kinds)) == {name for name in INTERVALS if "Other" in name}
    assert f"kept: {changed}" in detect.errors
    left = {path.name for path in toy.parent.iterdir()}
    videos = {f"{name}.mp4" for name in INTERVALS if "Toy" in name}
    assert left == {*videos, changed.name, toy.name}
    toy.unlink()
    changed.unlink()
    assert detect(*kinds) == plain
    assert len(list(toy.parent.glob("*.edl"))) == 3


def test_an_interval_by_hand_goes_before_the_detector_s_and_is_neither_moved_nor_padded(
    detect: Detect,
) -> None:
    settings(
        detect.place.library,
        "[intervals]",
        '"Toy S01E02.mp4" = ["0:00:07.125", 20]',
        '"Toy S01E03.mp4" = []',
    )
    found = detect("--pad-end", "1", "--snap", "--write", "edl")
    assert told(found["Toy S01E02"]) == (7.125, 20.0, "settings")
    assert found["Toy S01E02"]["confidence"] == 1.0
    assert told(found["Toy S01E03"]) == (None, None, "settings")
    assert found["Toy S01E01"]["source"] == "detector"
    edl = detect.place.library / "Toy/Toy S01E02.edl"
    assert edl.read_text() == "7.125\t20.000\t3\n"
    assert not edl.with_name("Toy S01E03.edl").exists()


def test_two_intervals_of_a_file_reach_rows_and_players(detect: Detect) -> None:
    settings(detect.place.library, "[intervals]", '"Toy S01E02.mp4" = [[2, 7.5], ["0:00:12", 20]]')
    found = detect("--write", "edl")
    assert told(found["Toy S01E02"]) == (2.0, 7.5, "settings")
    assert found["Toy S01E02"]["further"] == [[12.0, 20.0]]
    assert "further" not in found["Toy S01E01"]
    edl = detect.place.library / "Toy/Toy S01E02.edl"
    assert edl.read_text() == "2.000\t7.500\t3\n12.000\t20.000\t3\n"


def test_an_interval_by_hand_beyond_the_end_is_a_fault_of_its_line(detect: Detect) -> None:
    path = settings(detect.place.library, "[intervals]", '"Toy S01E02.mp4" = [7, "0:40:00"]')
    found = detect(code=1)
    assert found["Toy S01E02"]["fault"] == (
        f"{path}:2: intervals: Toy S01E02.mp4: end 0:40:00 lies after the episode's end (0:00:26); "
        "correct it"
    )
    assert found["Toy S01E02"]["source"] is None
    assert found["Toy S01E01"]["start_s"] == 3


def test_wrong_settings_are_told_before_anything_is_done(detect: Detect) -> None:
    path = settings(detect.place.library / "Toy", "min_lenght = 3")
    assert detect("--write", "edl", code=1) == {}
    assert f"error: {path}:1: unknown key 'min_lenght'" in detect.errors
    assert not list(detect.place.library.rglob("*.edl"))


def test_how_much_is_looked_at_is_of_each_show(detect: Detect) -> None:
    settings(detect.place.library / "Toy", "search = 9")
    detect()
    assert "5 detected now" in detect.errors
    files = whole_evidence(detect.place.cache, "fingerprints")
    assert sorted(path.stem.partition("-")[2] for path in files) == ["", "", *["first-9"] * 3]


def test_the_lines_that_explain_go_by_the_settings(detect: Detect) -> None:
    settings(
        detect.place.library / "Toy", "max_length = 1", "[intervals]", '"Toy S01E02.mp4" = [7, 20]'
    )
    found = detect("--explain")
    assert "too short or too long for what is set" in found["Toy S01E01"]["why"]
    assert found["Toy S01E02"]["why"] == "set by hand in skipintro.toml"
    assert "what is set" not in found["Other Show S01E01"]["why"]


def test_a_show_that_is_left_out_is_not_drawn(
    detect: Detect, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(detect.place.library / "Toy", "skip = true")
    [_, _, *fixed] = detect.place.words()
    video = str(detect.place.library / "Toy/Toy S01E02.mp4")
    code, _, errors = run_command(["show", video, *fixed], monkeypatch, capsys)
    assert (code, "left out by `skip = true`" in errors) == (1, True)


def test_options_that_exclude_each_other_are_a_fault_of_usage(detect: Detect) -> None:
    detect("--min-length", "9", "--max-length", "8", code=2)
    assert "min_length is more than max_length" in detect.errors

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import run_command
from skipintro.core.errors import InputError
from skipintro.episodes.annotations import CorrectionRule
from skipintro.review.label_report import SplitReport, report
from skipintro.review.outliers import SuspicionRule

ROOT = Path(__file__).resolve().parents[1]
Check = Callable[..., tuple[int, str, str]]
RULE = CorrectionRule(inversion_shift_s=60, min_length_s=1, max_length_s=120)
SUSPICION = SuspicionRule(deviations=3, length_off_s=5, start_off_s=120, shifted_length_off_s=2)

TRAIN = {
    "a": ("0:00:05", "0:00:25"),  # 20 s: 40 frames
    "b": ("0:01:10", "0:00:30"),  # inverted; 10 to 30: 40 frames
    "c": ("0:07:40", "0:00:11"),  # inverted, beyond repair
    "d": (None, None),  # no intro: no frames
    "e": ("0:00:07", "0:00:07"),  # unusable, and not inverted
}
TEST = {
    "b": (10, 30),  # stands in train, with another label: 40 frames
    "f": (0.5, 12.5),  # frames 1 to 12: 24 frames
    "g": (0, 121),  # too long
}
# Train: 80 frames, windows from 0, 5, … 20. Test: 64 frames, one window.
EXPECTED = {
    "splits": {
        "train": {
            "episodes": 5,
            "inverted": 2,
            "corrected": 1,
            "unusable": 2,
            "sequence_frames": 80,
            "windows": 5,
        },
        "test": {
            "episodes": 3,
            "inverted": 0,
            "corrected": 0,
            "unusable": 1,
            "sequence_frames": 64,
            "windows": 1,
        },
    },
    "leaked": 1,
    "without_siblings": ["a", "b", "c", "d", "e", "f", "g"],
    "suspicious": [],  # each is a series of its own
}

ODD: dict[str, dict[str, Any]] = {
    "train": {
        "Show. Episode 1": (0, 9),
        "Show. Episode 2": ("1:41", "1:20"),  # shifted: 41 to 80 s
        "Show. Episode 3": (12, 20),
        "Show. Episode 4": (None, None),
    },
    "test": {"Show. Episode 5": (700.5, 710.5), "Show. Episode 6": (7, 2)},  # the last: unusable
}


def write(path: Path, rows: dict[str, Any]) -> Path:
    labels = {id_: {"name": id_, "start": start, "end": end} for id_, (start, end) in rows.items()}
    path.write_text(json.dumps(labels), encoding="utf-8")
    return path


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Return what runs the command in the checkout and returns its exit code, output and errors."""
    monkeypatch.chdir(ROOT)
    return lambda *words: run_command(["labels", "check", *words], monkeypatch, capsys)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {
        "train": write(tmp_path / "train.json", TRAIN),
        "test": write(tmp_path / "test.json", TEST),
    }


def test_a_pair_of_label_files_counted_by_hand(files: dict[str, Path]) -> None:
    found = report(files, RULE, SUSPICION, length=60, stride=5)
    assert found.model_dump(exclude={"unusable", "leaked_ids"}) == EXPECTED
    assert found.leaked_ids == ["b"]
    assert set(found.unusable) == {"train/c", "train/e", "test/g"}


def test_the_length_and_stride_of_windows_count(files: dict[str, Path]) -> None:
    splits = report(files, RULE, SUSPICION, length=64, stride=1).splits
    assert [split.windows for split in splits.values()] == [17, 1]


def test_too_few_frames_for_one_window_are_told(files: dict[str, Path]) -> None:
    for length, short in ((64, []), (65, ["test"]), (81, ["train", "test"])):
        text = report(files, RULE, SUSPICION, length=length, stride=5).as_text()
        told = [line for line in text.splitlines() if "too few seconds of intro" in line]
        assert [line.partition(":")[0] for line in told] == short


def test_empty_label_files_give_zeros(tmp_path: Path) -> None:
    empty = {split: write(tmp_path / f"{split}.json", {}) for split in ("train", "test")}
    found = report(empty, RULE, SUSPICION, length=60, stride=5)
    zeros = dict.fromkeys(SplitReport.model_fields, 0)
    assert [split.model_dump() for split in found.splits.values()] == [zeros, zeros]
    assert found.leaked == 0


def test_the_text_names_what_to_look_at(files: dict[str, Path]) -> None:
    text = report(files, RULE, SUSPICION, length=60, stride=5).as_text()
    assert "unusable: train/c: start 460 s lies after end 11 s" in text
    assert "1 episodes stand in both: b" in text
    assert "7 episodes have no sibling, by which the series detector goes: a, b, c, …; " in text
    assert text.endswith("neither overrides nor videos are looked at.")
    train = next(line for line in text.splitlines() if line.startswith("train"))
    assert train.split() == ["train", "5", "2", "1", "2", "80", "5"]


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Path]:
    return {split: write(tmp_path / f"{split}.json", rows) for split, rows in ODD.items()}


def test_the_text_ranks_odd_labels_and_shows_how_to_look_at_the_first(
    odd: dict[str, Path],
) -> None:
    text = report(odd, RULE, SUSPICION, length=60, stride=5).as_text()
    assert [line for line in text.splitlines() if "suspicious" in line] == [
        "suspicious: train/Show. Episode 2: 0:00:41 to 0:01:20 (start shifted) is 39 s long; "
        "the 3 others of its series are 8 to 10 s",
        "suspicious: test/Show. Episode 5: 0:11:40.5 to 0:11:50.5 starts at 0:11:40.5; "
        "the 3 others of its series start at 0:00:00 to 0:00:41",
    ]
    assert "sibling" not in text
    assert [line for line in text.splitlines() if "skipintro frames" in line] == [
        "Look at the first: skipintro frames '<video of Show. Episode 2>' "
        "--at 41 --at 80 --out frames.png"
    ]


def test_where_nothing_is_odd_no_pictures_are_proposed(files: dict[str, Path]) -> None:
    text = report(files, RULE, SUSPICION, length=60, stride=5).as_text()
    assert "suspicious" not in text
    assert "frames.png" not in text


def test_the_command_gives_odd_labels_as_json(odd: dict[str, Path], check: Check) -> None:
    """The median start is 26.5 s, its MAD 20.5 s, so that 120 s are allowed: 674 / 120."""
    _, out, _ = check("--train", str(odd["train"]), "--test", str(odd["test"]), "--json")
    first, second = json.loads(out)["suspicious"]
    assert list(first) == ["id", "split", "series", "reason", "score"]
    assert (first["id"], first["score"]) == ("Show. Episode 2", 14.5)
    assert (second["split"], second["series"]) == ("test", "Show")
    assert second["score"] == pytest.approx(674 / 120, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["2", "5"]),
        (["--start-off-s", "700"], ["2"]),
        (["--length-off-s", "30"], ["2", "5"]),  # shifted, and of no other's length
        (["--length-off-s", "30", "--shifted-length-off-s", "30"], ["5"]),
        (["--deviations", "40"], ["2"]),  # shifted, again
    ],
)
def test_the_options_say_how_far_a_label_may_lie(
    odd: dict[str, Path], check: Check, options: list[str], expected: list[str]
) -> None:
    _, out, _ = check("--train", str(odd["train"]), "--test", str(odd["test"]), "--json", *options)
    found = json.loads(out)["suspicious"]
    assert [label["id"].removeprefix("Show. Episode ") for label in found] == expected


def test_a_faulty_file_is_refused(files: dict[str, Path]) -> None:
    files["test"].write_text("[]")
    with pytest.raises(InputError, match=r"test\.json: expected an object"):
        report(files, RULE, SUSPICION, length=60, stride=5)


def test_the_command_prints_the_counts_as_json_and_nothing_else(
    files: dict[str, Path], check: Check
) -> None:
    code, out, err = check("--train", str(files["train"]), "--test", str(files["test"]), "--json")
    assert code == 0
    assert json.loads(out) == {**EXPECTED, "contradicted": []}
    assert list(json.loads(out)["splits"]) == ["train", "test"]
    assert err == ""


def test_the_command_prints_a_table_for_a_person(files: dict[str, Path], check: Check) -> None:
    code, out, _ = check("--train", str(files["train"]), "--test", str(files["test"]))
    assert code == 0
    assert "sequence frames" in out
    assert "unusable: test/g" in out


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "missing; correct the path"),
        ("{", "not valid JSON"),
        ('{"a": {"start": "soon", "end": 1}}', "a: start: 'soon' is no time"),
    ],
)
def test_the_command_ends_with_one_error_for_a_faulty_file(
    files: dict[str, Path], check: Check, content: str | None, fault: str
) -> None:
    files["test"].unlink()
    if content is not None:
        files["test"].write_text(content)
    code, out, err = check("--train", str(files["train"]), "--test", str(files["test"]), "--json")
    assert code == 1
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith(f"error: {files['test']}: {fault}")


def test_the_command_asks_for_both_files(files: dict[str, Path], check: Check) -> None:
    code, _, err = check("--train", str(files["train"]))
    assert code == 2
    assert "--test" in err
    assert "Traceback" not in err

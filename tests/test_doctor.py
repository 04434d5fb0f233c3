"""`skipintro doctor`, in this process, which is held to portable arithmetic."""

import json
from pathlib import Path

import pytest

from conftest import run_command
from skipintro.doctor import pieces

# In place of the pieces, which take seconds; test_golden.py looks at them.
FOUND = {"one": "1111", "another": "2222"}


@pytest.fixture(autouse=True)
def quick_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have two pieces, and a file of what is known of them."""
    known = tmp_path / "known.json"
    known.write_text(json.dumps(FOUND), encoding="utf-8")
    monkeypatch.setattr(pieces, "KNOWN", known)
    monkeypatch.setattr(pieces, "hashes", lambda: FOUND)
    return known


def test_it_tells_processor_versions_arithmetic_and_that_all_is_as_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, _ = run_command(["doctor"], monkeypatch, capsys)
    rows = dict(line.split("  ", 1) for line in told.splitlines()[:-1])
    assert code == 0
    assert {"processor", "features", "cores", "python", "torch", "numpy"} <= {*rows}
    assert rows["arithmetic"].strip() == "portable"
    assert rows["another"].strip() == "2222"
    assert told.splitlines()[-1] == "all 2 pieces are those of other machines"


def test_it_names_what_differs_and_ends_with_1(
    quick_pieces: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick_pieces.write_text(json.dumps(FOUND | {"one": "0000"}), encoding="utf-8")
    code, told, _ = run_command(["doctor"], monkeypatch, capsys)
    assert code == 1
    assert "1111  differs" in told
    assert "1 of 2 pieces differ" in told
    code, told, _ = run_command(["doctor", "--json"], monkeypatch, capsys)
    assert code == 1
    assert json.loads(told)["differing"] == ["one"]


def test_fast_arithmetic_promises_nothing(
    quick_pieces: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick_pieces.write_text("{}", encoding="utf-8")
    monkeypatch.setenv("SKIPINTRO_ARITHMETIC", "fast")
    code, told, _ = run_command(["doctor"], monkeypatch, capsys)
    assert code == 0
    assert told.splitlines()[-1] == "fast arithmetic: other machines may make other bytes"

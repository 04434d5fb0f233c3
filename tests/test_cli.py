"""The command line: quick, self-explaining, and faults in one line."""

import gc
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from conftest import ROOT
from skipintro import cli
from skipintro.cli import checkout as cli_checkout
from skipintro.cli.imports import quick_imports


def commands(group: Any, name: str = "skipintro") -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name; groups are walked through."""
    inner = getattr(group, "commands", None)
    if inner is None:
        yield name, group
        return
    for word, command in inner.items():
        yield from commands(command, f"{name} {word}")


ALL = dict(commands(typer.main.get_command(cli.app)))


def main(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command line in this process and give its exit code."""
    monkeypatch.setattr(sys, "argv", ["skipintro", *words])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def labels(folder: Path, split: str, **rows: tuple[str | None, str | None]) -> Path:
    path = folder / f"{split}.json"
    found = {
        id_: {"name": f"Show. Season 1, episode {id_}", "start": start, "end": end}
        for id_, (start, end) in rows.items()
    }
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def test_garbage_is_looked_for_after_quick_imports_but_not_among_what_they_made() -> None:
    def broken_import() -> None:
        with quick_imports():
            assert not gc.isenabled()
            raise ImportError

    gc.unfreeze()
    with pytest.raises(ImportError):
        broken_import()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_s_help_has_an_example_of_itself(name: str) -> None:
    assert f"Example: {name}" in " ".join((ALL[name].help or "").split())


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_option_is_explained(name: str) -> None:
    for option in ALL[name].params:
        assert getattr(option, "help", None), option.name


@pytest.mark.parametrize("words", [["--help"], *([*name.split()[1:], "--help"] for name in ALL)])
def test_help_ends_with_0(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(*words, monkeypatch=monkeypatch) == 0


def test_a_missing_label_file_is_one_line_and_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, there = tmp_path / "gone.json", labels(tmp_path, "test", e1=("0:01", "0:05"))
    words = ("labels", "check", "--train", str(gone), "--test", str(there))
    assert main(*words, monkeypatch=monkeypatch) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert "gone.json" in errors
    assert errors.count("\n") == 1


def test_a_folder_in_a_file_s_place_is_one_line_and_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("labels", "check", "--train", str(tmp_path), "--test", str(tmp_path))
    assert main(*words, monkeypatch=monkeypatch) == 1
    errors = capsys.readouterr().err
    assert str(tmp_path) in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("words", [["nonsense"], ["labels", "check", "--nonsense"]])
def test_a_misspelt_command_or_option_is_told_with_2(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*words, monkeypatch=monkeypatch) == 2
    assert "nonsense" in capsys.readouterr().err


def test_a_label_report_is_text_for_people_and_json_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = labels(tmp_path, "train", e1=("0:01", "0:40"), e2=("1:10", "0:20"))
    test = labels(tmp_path, "test", e1=("0:01", "0:40"))
    words = ("labels", "check", "--train", str(train), "--test", str(test))
    assert main(*words, monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.strip()
    assert main(*words, "--json", monkeypatch=monkeypatch) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def checkout(folder: Path) -> Path:
    folder.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_the_checkout_around_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkout(tmp_path / "checkout")
    inner = folder / "data" / "train"
    inner.mkdir(parents=True)
    for place in (folder, inner):
        monkeypatch.chdir(place)
        assert cli_checkout.find_checkout() == folder


def test_outside_of_any_checkout_the_package_s_own_is_used_or_the_fault_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_checkout.find_checkout() == ROOT
    elsewhere = tmp_path / "site-packages/skipintro/cli/checkout.py"
    monkeypatch.setattr(cli_checkout, "__file__", str(elsewhere))
    assert main("promote", monkeypatch=monkeypatch) == 1
    assert "no checkout with dvc.yaml and params.yaml" in capsys.readouterr().err

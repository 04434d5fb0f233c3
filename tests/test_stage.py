"""How a stage ends, what it says then, and where its resumable work lies."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skipintro.core.cache_dir import cache_dir, code_hash
from skipintro.core.files import atomic_write, output_folder
from skipintro.core.versions import versions

# A stage with one param; BODY is what its main does.
STAGE = """
import errno, logging, os, pathlib, time
from skipintro.core.errors import InputError
from skipintro.core.files import output_folder
from skipintro.core.params import StageParams
from skipintro.core.stage import run_stage, stage_output

log = logging.getLogger(__name__)

class Params(StageParams):
    length: int
    stride: int

def main(params):
    BODY

run_stage("window", Params, main)
"""


def start(folder: Path, body: str, params: str = "{length: 60, stride: 5}") -> Any:
    (folder / "params.yaml").write_text(
        f"arithmetic: portable\nwindow: {params}\n", encoding="utf-8"
    )
    return subprocess.Popen(
        [sys.executable, "-c", STAGE.replace("BODY", body)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, body: str, params: str = "{length: 60, stride: 5}") -> tuple[int, str]:
    """Return exit code and standard error."""
    process = start(folder, body, params)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_a_stage_gets_its_params_and_ends_with_0(tmp_path: Path) -> None:
    told = "log.info('length %d', params.length); logging.getLogger('other').info('noise')"
    assert run(tmp_path, told) == (0, "window: length 60\n")


def test_a_fault_of_the_input_is_one_line_and_1(tmp_path: Path) -> None:
    assert run(tmp_path, "raise InputError('labels.json: wrong; correct it')") == (
        1,
        "window: error: labels.json: wrong; correct it\n",
    )


def test_a_name_with_ends_of_lines_and_signs_for_the_terminal_is_told_in_one_line(
    tmp_path: Path,
) -> None:
    name = "a\\n\\tb \\u2028 \\x1b[2J \\u202e \\udcff"
    assert run(tmp_path, f"raise InputError('{name}: wrong')") == (
        1,
        "window: error: a b \\x1b[2J \\u202e \\udcff: wrong\n",
    )


def test_a_wrong_param_is_one_line_and_1(tmp_path: Path) -> None:
    code, errors = run(tmp_path, "pass", "{length: sixty, stride: 5}")
    assert code == 1
    assert errors.startswith("window: error: params.yaml: window.length: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("open('gone.json')", "gone.json: No such file or directory"),
        ("raise OSError(errno.ENOSPC, 'x', 'data/embed')", "data/embed: no space left"),
        ("raise PermissionError(errno.EACCES, 'x', 'models')", "models: Permission denied"),
    ],
)
def test_a_fault_of_the_file_system_is_one_line_with_the_file_and_1(
    tmp_path: Path, body: str, told: str
) -> None:
    code, errors = run(tmp_path, body)
    assert code == 1
    assert errors.startswith(f"window: error: {told}")
    assert errors.count("\n") == 1


def test_an_interrupt_is_one_line_and_130(tmp_path: Path) -> None:
    code, errors = run(tmp_path, "raise KeyboardInterrupt")
    assert code == 130
    assert errors == "window: error: interrupted; run `dvc repro` to go on\n"


def test_a_mistake_in_the_code_shows_where(tmp_path: Path) -> None:
    code, errors = run(tmp_path, "params.nothing")
    assert code == 1
    assert "Traceback" in errors
    assert "AttributeError" in errors


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_stage_that_is_told_to_end_takes_its_half_written_output_along(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    body = (
        "with output_folder(pathlib.Path('out')) as folder:\n"
        "        (folder / 'half').touch(); pathlib.Path('begun').touch(); time.sleep(60)"
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "before").touch()
    process = start(tmp_path, body)
    wait_for(tmp_path / "begun")
    assert len(list(tmp_path.glob(".draft.*"))) == 1
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == [".skipintro", "begun", "out", "params.yaml"]
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["before"]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} has not come within a minute"
        time.sleep(0.02)


def start_beside_dvc(folder: Path, body: str, dvc: "subprocess.Popen[bytes]") -> Any:
    """Start a stage as that of a process that stands in for DVC, and is not its parent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_STAGE", "window")
        patch.setenv("DVC_PID", str(dvc.pid))
        return start(folder, body)


@pytest.fixture
def dvc() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("is_reaped", [True, False])
def test_a_stage_ends_with_the_dvc_that_is_named_to_it(
    tmp_path: Path, dvc: "subprocess.Popen[bytes]", is_reaped: bool
) -> None:
    body = "pathlib.Path('begun').touch(); time.sleep(300)"
    process = start_beside_dvc(tmp_path, body, dvc)
    wait_for(tmp_path / "begun")
    dvc.kill()
    if is_reaped:
        dvc.wait()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert errors == "window: error: DVC is gone; ending, run `dvc repro` to go on\n"


def test_a_stage_whose_dvc_is_gone_before_it_begins_ends_too(
    tmp_path: Path, dvc: "subprocess.Popen[bytes]"
) -> None:
    dvc.kill()
    dvc.wait()
    process = start_beside_dvc(tmp_path, "time.sleep(300)", dvc)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_a_stage_that_hears_of_nothing_writes_no_output_when_dvc_is_gone(
    tmp_path: Path, dvc: "subprocess.Popen[bytes]"
) -> None:
    body = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    with stage_output(pathlib.Path('out')) as folder:\n"
        "        pathlib.Path('begun').touch()\n"
        "        while not pathlib.Path('go on').exists(): time.sleep(0.01)"
    )
    process = start_beside_dvc(tmp_path, body, dvc)
    wait_for(tmp_path / "begun")
    dvc.kill()
    dvc.wait()
    (tmp_path / "go on").touch()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "out: DVC is gone, it is not written; run `dvc repro` to go on\n" in errors
    assert not (tmp_path / "out").exists()


def test_a_stage_waits_for_one_that_was_left_behind_even_if_that_is_stopped(
    tmp_path: Path,
) -> None:
    first = start(tmp_path, "pathlib.Path('begun').touch(); time.sleep(300)")
    wait_for(tmp_path / "begun")
    first.send_signal(signal.SIGSTOP)
    second = start(tmp_path, "pathlib.Path('second').touch()")
    try:
        told = second.stderr.readline()
        waiting = "another stage is at work in this workspace; waiting for its end"
        assert told == f"window: warning: {waiting}\n"
        assert not (tmp_path / "second").exists()
    finally:
        first.kill()
        first.communicate()
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert (tmp_path / "second").exists()


def test_versions_are_those_that_are_installed() -> None:
    import numpy as np  # noqa: PLC0415  only here

    assert versions("numpy") == {"numpy": np.__version__}


def test_resumable_work_lies_in_the_main_workspace_even_from_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, temporary = tmp_path / "main", tmp_path / "temporary"
    main.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(temporary)
    monkeypatch.setenv("DVC_ROOT", str(main))
    folder = cache_dir("checkpoints")
    assert folder == main / ".skipintro/checkpoints"
    assert folder.is_dir()
    assert cache_dir("checkpoints") == folder  # once more does no harm
    assert list(temporary.iterdir()) == []
    monkeypatch.delenv("DVC_ROOT")
    assert cache_dir("locks").resolve() == temporary / ".skipintro/locks"


def test_a_key_changes_with_the_settings_but_not_with_their_order() -> None:
    files, params = "skipintro.core.files", "skipintro.core.params"
    key = code_hash(files, length=60, data={"train": "a", "test": "b"})
    assert len(key) == 64
    assert key == code_hash(files, data={"test": "b", "train": "a"}, length=60)
    others = [
        code_hash(files, length=61, data={"train": "a", "test": "b"}),
        code_hash(files, length=60, data={"train": "a", "test": "c"}),
        code_hash(files, size=60, data={"train": "a", "test": "b"}),
        code_hash(params, length=60, data={"train": "a", "test": "b"}),
    ]
    assert len({key, *others}) == 1 + len(others)


def test_what_a_killed_process_left_behind_is_removed_and_a_live_ones_draft_stays(
    tmp_path: Path,
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with atomic_write(tmp_path / "file") as draft:
        own = draft.parent.name
        draft.touch()
    host = own.split(".")[2].partition("-")[0]
    stale = tmp_path / own.replace(str(os.getpid()), str(dead.pid))
    kept = [
        own.replace(str(os.getpid()), str(os.getppid())),
        own.replace(host, "0" * 8).replace(str(os.getpid()), str(dead.pid)),  # another machine's
        f".embed.{dead.pid}.x1_y2z3w.partial",  # somebody's
    ]
    for name in (stale.name, *kept):
        (tmp_path / name / "embed").mkdir(parents=True)
    with output_folder(tmp_path / "embed"):
        pass
    names = [path.name for path in tmp_path.iterdir()]
    assert sorted(names) == sorted([*kept, "embed", "file"])


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 251 + ".edl")
    with atomic_write(place) as draft:
        draft.write_bytes(b"1")
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_an_output_takes_the_place_of_a_link_and_leaves_alone_where_it_leads(
    tmp_path: Path,
) -> None:
    theirs, place = tmp_path / "theirs", tmp_path / "out"
    theirs.mkdir()
    (theirs / "x").touch()
    for leads_to in (theirs, tmp_path / "gone", place):
        place.symlink_to(leads_to)
        with output_folder(place) as folder:
            (folder / "ours").touch()
        assert [path.name for path in place.iterdir()] == ["ours"]
        assert [path.name for path in theirs.iterdir()] == ["x"]
        shutil.rmtree(place)
        assert {path.name for path in tmp_path.iterdir()} == {"theirs"}

"""Files that can tell whether they are as they were written."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from damage_cases import flip_bit
from skipintro.core.errors import InputError
from skipintro.core.files import (
    SUMS_FILE,
    append_sum,
    atomic_write,
    check_sums,
    is_intact,
    read_checked,
    remove_stale,
    temp_dir,
    write_checked,
    write_sums,
)


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 8000], ids=len)
def test_what_is_remembered_comes_back_as_it_was(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert read_checked(path) is None
    write_checked(path, content)
    assert read_checked(path) == content
    assert is_intact(path)


def test_what_is_damaged_is_not_remembered_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file"
    for seed in range(50):
        write_checked(path, b"some content")
        flip_bit(path, seed)
        caplog.clear()
        assert read_checked(path) is None
        assert f"{path}: damaged" in caplog.text


@pytest.mark.parametrize("content", [b"", b"cut", b"not written by `write_checked` at all" * 2])
def test_other_content_is_none_that_was_remembered(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert not is_intact(tmp_path / "file")


def test_what_cannot_be_read_is_not_remembered_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read_checked(tmp_path) is None
    assert f"{tmp_path}: Is a directory" in caplog.text


def test_the_sum_is_put_behind_the_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    append_sum(path)
    assert path.read_bytes().hex().startswith("616263" + "ba7816bf8f01cfea")  # of FIPS 180-2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an output folder with its sums."""
    (tmp_path / "train").mkdir()
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "train" / "«серия» 01.npy").write_bytes(b"abc")
    write_sums(tmp_path)
    return tmp_path


def test_a_folder_as_its_stage_wrote_it_passes_also_with_the_usual_tool(folder: Path) -> None:
    check_sums(folder)
    subprocess.run(["sha256sum", "--strict", "-c", SUMS_FILE], cwd=folder, check=True)


def test_of_a_folder_without_sums_nothing_is_asked(folder: Path) -> None:
    (folder / "manifest.json").write_text("by hand")
    with pytest.raises(InputError, match=r"manifest\.json: not as its stage wrote it"):
        check_sums(folder)
    (folder / SUMS_FILE).unlink()
    check_sums(folder)
    assert not (folder / SUMS_FILE).exists()


def test_any_bit_that_flips_in_a_folder_is_noticed_and_the_remedy_told(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for seed, path in enumerate(files * 20):
        before = path.read_bytes()
        flip_bit(path, seed)
        with pytest.raises(InputError, match=r"not as its stage wrote it .* delete .*dvc/cache"):
            check_sums(folder)
        path.write_bytes(before)
    check_sums(folder)


def test_damaged_sums_are_named(folder: Path) -> None:
    sums = folder / SUMS_FILE
    sums.write_bytes(sums.read_bytes().replace(b"  ", b" !", 1))
    with pytest.raises(InputError, match=rf"{SUMS_FILE}: not as its stage wrote it"):
        check_sums(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"manifest\.json: .*no file"):
        check_sums(folder)


def write_half(path: Path) -> None:
    with atomic_write(path) as draft:
        draft.write_text("half of what", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "before"
        raise KeyError


def test_what_is_written_shows_when_it_is_whole_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(KeyError):
        write_half(path)
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_write(path) as draft:
        draft.write_text("all", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "all"
    assert list(tmp_path.iterdir()) == [path]


def test_a_workshop_is_gone_after_its_block_and_swept_after_a_killed_process(
    tmp_path: Path,
) -> None:
    with temp_dir(tmp_path) as folder:
        (folder / "weights").write_text("some")
    assert list(tmp_path.iterdir()) == []
    program = (
        "import os, sys; from pathlib import Path; from skipintro.core.files import temp_dir\n"
        "with temp_dir(Path(sys.argv[1])) as folder: os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    remove_stale(tmp_path)
    assert list(tmp_path.iterdir()) == []

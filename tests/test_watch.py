"""`skipintro watch`: when a file counts as whole, and a process of its own on real files."""

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import forked
from conftest import run_command, write_toy_video
from library_cases import INTERVALS, Place, read_edl, shared_place, whole_evidence
from skipintro.core.errors import InputError
from skipintro.library.alone import alone
from skipintro.library.discovery import Series
from skipintro.library.settling import Settling
from skipintro.library.watching import Turn

SETTLE_S = 1.5
LONGEST_S = 90.0  # for anything to happen, on a loaded machine


def test_a_file_has_settled_when_size_and_time_are_the_same_for_so_long(tmp_path: Path) -> None:
    one, other = tmp_path / "one.mkv", tmp_path / "other.mkv"
    one.write_bytes(b"1")
    other.write_bytes(b"1")
    settling = Settling(10)
    settling.note([one], 0)
    settling.note([other], 4)
    assert settling.settled(9) == frozenset()
    assert settling.growing == {one, other}
    one.write_bytes(b"12")
    assert settling.settled(11) == frozenset()  # one has grown, and begins anew
    assert settling.settled(14) == {other}
    assert settling.growing == {one}
    os.utime(one, ns=(0, 0))
    assert settling.settled(21) == frozenset()
    assert settling.settled(30.9) == frozenset()
    assert settling.settled(31) == {one}
    assert settling.settled(99) == frozenset()  # once


def test_a_change_that_is_told_begins_anew_and_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    one = tmp_path / "one.mkv"
    one.touch()
    settling = Settling(10)
    settling.note([one], 0)
    settling.note([one], 9)
    assert settling.settled(18) == frozenset()
    one.unlink()
    assert settling.settled(19) == frozenset()
    assert settling.growing == frozenset()
    one.touch()
    settling.note([one, tmp_path / "never.mkv"], 20)
    assert settling.settled(30) == {one}


def test_a_turn_is_of_the_series_that_have_changed_without_what_grows(tmp_path: Path) -> None:
    a, b, c, d = (tmp_path / f"{name}.mkv" for name in "abcd")
    link = tmp_path / "link.mkv"
    link.symlink_to(d)
    first = Series("first", (a, b), frozenset({a, b}))
    second = Series("second", (c, link), frozenset({c, link}))
    assert Turn(frozenset({a}), frozenset({b})).affected([first, second]) == [
        Series("first", (a,), frozenset({a}))
    ]
    assert Turn(frozenset({d}), frozenset()).affected([first, second]) == [second]
    assert Turn(frozenset({a}), frozenset({a, b})).affected([first]) == []
    everything = Turn(frozenset(), frozenset({c}), is_everything=True)
    assert everything.affected([first, second]) == [
        first,
        Series("second", (link,), frozenset({link})),
    ]
    assert Turn(frozenset({a}), frozenset({c})).after(Turn(frozenset({b}), frozenset({d}))) == Turn(
        frozenset({a, b}), frozenset({c})
    )


def test_who_comes_second_is_told_who_is_there(tmp_path: Path) -> None:
    with (
        alone(tmp_path, "watch"),
        pytest.raises(InputError, match=rf"`skipintro watch` .* process {os.getpid()};"),
        alone(tmp_path, "watch"),
    ):
        pass
    (tmp_path / "watch.pid").write_text("1")  # of one that was killed
    with alone(tmp_path, "watch"):
        assert (tmp_path / "watch.pid").read_text() == f"{os.getpid()}\n"


def test_a_place_that_is_no_folder_is_a_fault_of_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["watch", str(tmp_path / "gone"), "--cache", str(tmp_path / "cache")]
    code, _, errors = run_command(words, monkeypatch, capsys)
    assert (code, "gone: no such folder" in errors) == (2, True)
    assert not (tmp_path / "cache").exists()


# In a process of its own: signals and what the system tells are the question. The time in which
# files settle makes most of what these tests take.

SLOWLY = """
import time
from skipintro.library import fingerprinting
real = fingerprinting.record_checked
def slow(video, *words):
    time.sleep({delays_s}.get(video.parent.name, 0))
    return real(video, *words)
fingerprinting.record_checked = slow
"""


class Watching:
    """A process that watches a library, and what it has said."""

    def __init__(self, process: forked.Started) -> None:
        self.process = process

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the last row of each video; a line is read when it is whole."""
        said = self.process.printed().splitlines(keepends=True)
        lines = [line for line in said if line[-1] == "\n"]
        return {Path(row["video"]).stem: row for row in map(json.loads, lines)}

    def starts(self) -> dict[str, float | None]:
        return {name: row["start_s"] for name, row in self.rows().items()}

    def errors(self) -> str:
        return self.process.complained()

    def n_decoded(self) -> int:
        return sum(map(int, re.findall(r"\((\d+) decoded\)", self.errors())))

    def until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONGEST_S
        while not is_so():
            assert not self.process.has_ended(), self.errors()
            assert time.monotonic() < deadline, (self.errors(), self.rows())
            time.sleep(0.02)

    def end(self, number: signal.Signals) -> int:
        self.process.send(number)
        return self.process.wait().code


@contextmanager
def watching(place: Place, **delays_s: float) -> Iterator[Watching]:
    """Run `skipintro watch`; the files of a series in `delays_s` are read with a delay."""
    _, library, *fixed = place.words()
    words = ["skipintro", "watch", library, *fixed, "--settle", str(SETTLE_S), "--write", "edl"]
    prelude = SLOWLY.format(delays_s=delays_s)
    job = forked.Job(words, library, prelude=prelude, streams="apart")
    with forked.forks().started(job) as process:
        yield Watching(process)


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Place:
    """Return a library whose files are an hour old, and an empty cache."""
    place = shared_place(tmp_path_factory).copy(tmp_path)
    shutil.rmtree(place.cache, ignore_errors=True)
    for video in place.videos():
        os.utime(video, (time.time() - 3600,) * 2)
    return place


def drafts(place: Place) -> list[Path]:
    return list(place.library.rglob(".draft*"))


def intervals(place: Place) -> dict[str, tuple[float, float]]:
    return {path.stem: read_edl(path)[0][:2] for path in place.library.rglob("*.edl")}


def test_what_comes_is_detected_once_when_it_is_whole(place: Place, tmp_path: Path) -> None:
    """A file copied slowly, a folder moved in, a file replaced, files deleted, all to one."""
    toys = (place.library / "Toy").rename(tmp_path / "Toy")
    slow = place.library / "Other Show/Other Show S01E03.mp4"
    write_toy_video(tmp_path / slow.name, 7, seconds=26, seed=9)
    with watching(place) as watch:
        watch.until(lambda: "watching " in watch.errors())
        assert watch.starts() == {"Other Show S01E01": 5, "Other Show S01E02": 2}

        content = (tmp_path / slow.name).read_bytes()
        step = len(content) // 10 + 1
        with slow.open("wb") as file:
            for first in range(0, len(content), step):
                file.write(content[first : first + step])
                file.flush()
                assert slow.stem not in watch.rows()
                time.sleep(0.2)
        watch.until(lambda: slow.stem in watch.rows())
        assert watch.starts()[slow.stem] == 7

        toys.rename(place.library / "Toy")
        (place.library / "Toy/gone at once.mp4").write_bytes(b"x")
        (place.library / "Toy/gone at once.mp4").unlink()
        watch.until(lambda: {"Toy S01E01", "Toy S01E02", "Toy S01E03"} <= watch.rows().keys())
        assert watch.n_decoded() == 6

        new = tmp_path / "Toy S01E02.mp4"
        write_toy_video(new, 2, seconds=26, seed=2)
        new.replace(place.library / "Toy/Toy S01E02.mp4")
        slow.unlink()
        watch.until(lambda: watch.starts()["Toy S01E02"] == 2)
        assert watch.end(signal.SIGTERM) == 0
        assert watch.n_decoded() == 7
        assert "failed: " not in watch.errors()
        assert watch.errors().endswith("ended; the same command goes on from here\n")
    expected = {name: times for name, times in INTERVALS.items() if name != "Toy S01E02"}
    found = intervals(place)
    assert {name: found[name] for name in expected} == expected
    assert found["Toy S01E02"][0] == 2
    assert drafts(place) == []


def test_a_file_that_is_deleted_while_it_is_read_is_forgotten(place: Place) -> None:
    """Files are read with a delay: time enough to delete one."""
    gone = place.library / "Toy/Toy S01E03.mp4"
    with watching(place, Toy=1) as watch:
        watch.until(lambda: bool(list(place.cache.glob("fingerprints/*/*.npz"))))
        gone.unlink()
        watch.until(lambda: "watching " in watch.errors())
        assert "failed: " not in watch.errors()
        assert watch.rows().keys() == INTERVALS.keys() - {gone.stem}
        assert watch.end(signal.SIGINT) == 0


def test_one_that_is_killed_lets_the_next_go_on_and_two_do_not_work_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one series no file is read before the kill, so that there is something left to do."""
    with watching(place, Toy=100) as watch:
        watch.until(lambda: bool(list(place.library.rglob("*.edl"))))
        _, library, *fixed = place.words()
        code, _, errors = run_command(["watch", library, *fixed], monkeypatch, capsys)
        assert code == 1
        assert f"in process {watch.process.pid}; end that one" in errors
        assert watch.end(signal.SIGKILL) == -signal.SIGKILL
    before = intervals(place)
    assert 0 < len(before) < len(INTERVALS)
    assert before.items() <= INTERVALS.items()
    kept = len(whole_evidence(place.cache, "fingerprints"))
    with watching(place) as watch:
        watch.until(lambda: "watching " in watch.errors())
        assert watch.n_decoded() == len(INTERVALS) - kept
        assert watch.rows().keys() == INTERVALS.keys()
        assert watch.end(signal.SIGTERM) == 0
    assert intervals(place) == INTERVALS
    assert drafts(place) == []


def test_settings_that_change_are_obeyed_and_faults_in_them_are_told_and_mended(
    place: Place,
) -> None:
    settings = place.library / "Toy/skipintro.toml"
    settings.write_text("max_lenght = 4\n")
    with watching(place) as watch:
        watch.until(lambda: "unknown key 'max_lenght'" in watch.errors())
        settings.write_text('[intervals]\n"Toy S01E01.mp4" = [1, 2]\n')
        watch.until(lambda: watch.rows().keys() == INTERVALS.keys())
        assert watch.starts() == {name: times[0] for name, times in INTERVALS.items()} | {
            "Toy S01E01": 1
        }
        settings.unlink()
        watch.until(lambda: watch.starts()["Toy S01E01"] == INTERVALS["Toy S01E01"][0])
        assert watch.n_decoded() == len(INTERVALS)
    assert intervals(place) == INTERVALS

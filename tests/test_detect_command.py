"""`skipintro detect` on real small files: what it says, writes, remembers and leaves alone."""

import csv
import errno
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow.pyfunc.model import PythonModelContext

import forked
from conftest import write_toy_video
from damage_cases import flip_bit, without_length
from library_cases import (
    INTERVALS,
    TOYS,
    Place,
    read_chapters,
    read_edl,
    shared_place,
    use_cheap_encoder,
    whole_evidence,
    write_head_detector,
)
from server_cases import wait_until
from skipintro import cli
from skipintro.core.cache_dir import code_hash
from skipintro.core.files import read_checked, read_model, sha256_of_file, write_json
from skipintro.detection.folder import HeadDetectorConfig
from skipintro.detection.head_detector import HeadOnVideos
from skipintro.detection.kinds import DETECTION_FILE
from skipintro.detectors.openings import load_openings, save_openings
from skipintro.detectors.pyfunc_model import IntroDetector
from skipintro.episodes.labels import read_labels
from skipintro.evidence.recording import of_bytes, record_checked
from skipintro.library.cache import Cache, content_of
from skipintro.matching import siblings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return the library with a detector that was fitted to it; all is detected once."""
    place = shared_place(tmp_path_factory).copy(tmp_path_factory.mktemp("detect"))
    with pytest.MonkeyPatch.context() as patch:
        assert main(place.words(), patch) == 0
    return place


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    """Return a copy of all to change; what was recorded is remembered by content."""
    return made.copy(tmp_path)


@pytest.fixture
def head_place(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a copy with a head in the place of the detector; nothing is embedded yet."""
    use_cheap_encoder(monkeypatch)
    copy = made.copy(tmp_path / "of head")
    return replace(copy, detector=write_head_detector(tmp_path / "head"))


def main(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["skipintro", *words])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return 0


def run(place: Place, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what a run over the library says that goes well."""
    assert main(place.words(), patch) == 0
    return capsys.readouterr()


def rows(text: str) -> dict[str, dict[str, Any]]:
    return {Path(row["video"]).stem: row for row in json.loads(text)}


def test_the_intervals_are_those_of_the_registered_model_s_predict_for_the_same_videos(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(place.words(), monkeypatch) == 0
    told = capsys.readouterr()
    found = rows(told.out)
    assert {name: (row["start_s"], row["end_s"]) for name, row in found.items()} == INTERVALS
    assert "nothing to do" in told.err
    registered = IntroDetector()
    artifacts = {"detector": str(place.detector)}
    context = PythonModelContext(artifacts, {"device": "cpu"})  # type: ignore[no-untyped-call]
    registered.load_context(context)
    for predicted in registered.predict([str(v) for v in place.videos()]).to_dict("records"):
        row = found[Path(predicted["video"]).stem]
        assert (row["start_s"], row["end_s"]) == (predicted["start_s"], predicted["end_s"])
        assert row["confidence"] == pytest.approx(predicted["confidence"], abs=1e-4)


def test_every_sidecar_agrees_with_the_json_and_a_second_run_leaves_them_untouched(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [word for kind in ("edl", "chapters", "segments", "json") for word in ("--write", kind)]
    words = place.words(str(place.library), *kinds, "--mux", "--pad-end", "0.5")
    hashes = {video: sha256_of_file(video) for video in place.videos()}
    assert main(words, monkeypatch) == 0
    found = rows(capsys.readouterr().out)
    for video in hashes:
        row = found[video.stem]
        interval = (row["start_s"], row["end_s"])
        assert interval == (INTERVALS[video.stem][0], INTERVALS[video.stem][1] + 0.5)
        assert read_edl(video.with_suffix(".edl")) == [(*interval, 3)]
        for path in (video.with_suffix(".ffmetadata"), video.with_suffix(".chapters.mp4")):
            [intro] = [chapter for chapter in read_chapters(path) if chapter[2] == "Intro"]
            assert intro[:2] == interval
        segments = json.loads(video.with_suffix(".segments.json").read_text("utf-8"))
        ticks = segments["Items"][0]
        assert (ticks["StartTicks"] / 1e7, ticks["EndTicks"] / 1e7) == interval
        [label] = read_labels(video.with_suffix(".intro.json")).values()
        assert (label.start_s, label.end_s) == interval
    before = {p: p.stat().st_mtime_ns for p in place.library.rglob("*")}
    assert main(words, monkeypatch) == 0
    told = capsys.readouterr()
    assert rows(told.out) == found
    assert "nothing to do, all is known and in place" in told.err
    assert {p: p.stat().st_mtime_ns for p in place.library.rglob("*")} == before
    assert {video: sha256_of_file(video) for video in hashes} == hashes


def test_a_replaced_file_is_noticed_and_alone_is_decoded(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = place.words(str(place.library), "--write", "edl")
    assert main(words, monkeypatch) == 0
    capsys.readouterr()
    [replaced] = [video for video in place.videos() if video.stem == "Toy S01E02"]
    write_toy_video(replaced, 2, seconds=26, seed=2)
    assert main(words, monkeypatch) == 0
    told = capsys.readouterr()
    row = rows(told.out)["Toy S01E02"]
    assert row["start_s"] == 2
    assert "3 detected now (1 decoded)" in told.err  # its siblings, too, but not the other series
    assert read_edl(replaced.with_suffix(".edl")) == [(2.0, row["end_s"], 3)]


def test_a_renamed_a_moved_and_a_removed_episode_decode_and_match_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(run(place, monkeypatch, capsys).out)
    for name in ("match", "match_itself"):
        monkeypatch.setattr(siblings, name, None)
    first, second, third = (place.library / f"Toy/Toy S01E0{n}.mp4" for n in (1, 2, 3))
    renamed = third.rename(third.with_name("Toy S01E04.mp4"))
    told = run(place, monkeypatch, capsys)
    assert "nothing to do" in told.err
    assert rows(told.out)[renamed.stem] == {
        **before[third.stem],
        "video": str(renamed),
    }
    second.unlink()
    told = run(place, monkeypatch, capsys)
    assert "2 detected now (0 decoded)" in told.err
    assert rows(told.out).keys() >= {first.stem, renamed.stem}


def test_a_new_model_is_noticed_and_decodes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = load_openings(place.detector)
    certain = detector.config.model_copy(update={"min_confidence": 1.0})
    save_openings(place.detector, replace(detector, config=certain))
    monkeypatch.setattr("skipintro.library.fingerprinting.record_checked", None)  # not to be called
    assert main(place.words(), monkeypatch) == 0
    told = capsys.readouterr()
    assert "5 detected now (0 decoded)" in told.err
    assert {row["start_s"] for row in rows(told.out).values()} == {None}


def test_a_head_tells_what_it_does_without_any_cache(
    head_place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(head_place.words(), monkeypatch) == 0
    told = capsys.readouterr()
    assert "5 detected now (5 decoded)" in told.err
    expected = HeadOnVideos(head_place.detector, torch.device("cpu")).detect(head_place.videos())
    found = [(row["start_s"], row["end_s"]) for row in rows(told.out).values()]
    assert found == [one.interval or (None, None) for one in expected]
    assert found != list(INTERVALS.values())


def test_a_bad_file_is_named_with_its_fault_and_the_others_go_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = place.videos()[0]
    bad = good.with_name("Other Show S01E03.mp4")
    bad.write_bytes(good.read_bytes()[:3000])
    empty = good.with_name("Third Show S01E01.mkv")
    empty.touch()
    for _ in range(2):  # the fault is remembered, too
        assert main(place.words(str(place.library), "--write", "edl"), monkeypatch) == 1
        told = capsys.readouterr()
        found = rows(told.out)
        assert "cannot be opened as video" in found[bad.stem]["fault"]
        assert "0 bytes" in found[empty.stem]["fault"]
        assert f"failed: {bad}" in told.err
        assert f"failed: {empty}" in told.err
        assert {name for name, row in found.items() if row["end_s"]} == set(TOYS)
        assert {path.stem for path in place.library.rglob("*.edl")} == set(TOYS)
    assert "detected now" not in told.err


def test_a_fault_that_passes_is_not_remembered(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(place.cache)
    real = record_checked

    def away(path: Path, *words: Any, **more: Any) -> Any:
        path.rename(path.with_suffix(".away"))  # the share is gone, just after it was hashed
        try:
            return real(path, *words, **more)
        finally:
            path.with_suffix(".away").rename(path)

    video = place.videos()[0]
    monkeypatch.setattr("skipintro.library.fingerprinting.record_checked", away)
    assert main(place.words(str(video), "--beside", "0"), monkeypatch) == 1
    assert "no such file" in capsys.readouterr().err
    monkeypatch.setattr("skipintro.library.fingerprinting.record_checked", real)
    assert main(place.words(str(video), "--beside", "0"), monkeypatch) == 0


def test_a_folder_that_is_spelt_like_an_address_is_a_folder(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(place.cache)
    folder = place.library / "CSI: Miami"
    folder.mkdir()
    copy = folder / "CSI S01E01.mp4"
    shutil.copy(place.videos()[0], copy)
    monkeypatch.chdir(place.library)
    words = place.words(str(copy.relative_to(place.library)), "--beside", "0", "--mux")
    assert main(words, monkeypatch) == 0
    assert "1 decoded" in capsys.readouterr().err


def test_a_name_that_would_command_the_terminal_is_shown_and_not_obeyed(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = place.videos()[0].rename(place.library / "Show S01E01\x1b]0;title\x07.mp4")
    words = place.words(str(hostile), "--beside", "0", "--format", "table", "--write", "edl")
    hostile.with_suffix(".edl").write_text("of someone else")
    assert main(words, monkeypatch) == 0
    told = capsys.readouterr()
    assert "kept: " in told.err
    assert "\x1b]0" not in told.out + told.err
    assert "\\x1b]0" in told.out


def test_a_row_says_when_an_episode_has_no_sibling_and_why(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = place.videos()[0]
    alone = place.library / "Film" / "Film (2001).mp4"
    alone.parent.mkdir()
    odd = first.with_name("Another Name S01E01.mp4")
    unread = place.library / "Third" / "Third S01E01.mp4"
    unread.parent.mkdir()
    for target in (alone, odd, unread):
        shutil.copy(first, target)
    unread.with_name("Third S01E02.mp4").touch()
    assert main(place.words(), monkeypatch) == 1
    told = capsys.readouterr()
    notes = {name: row["note"] for name, row in rows(told.out).items()}
    assert notes == {
        **dict.fromkeys(TOYS),
        "Film (2001)": "no sibling: alone in its folder",
        "Another Name S01E01": "no sibling: alone of its name",
        "Third S01E01": "no sibling: the others cannot be read",
        "Third S01E02": None,  # it failed
    }
    assert "9 videos: 5 with an intro, 3 without (3 without siblings), 1 failed; " in told.err
    assert main(place.words(str(first), "--beside", "0"), monkeypatch) == 0
    assert rows(capsys.readouterr().out)[first.stem]["note"] == "no sibling: given alone"


def test_explain_says_why_an_episode_has_this_interval_or_none(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def why(*words: str) -> dict[str, str]:
        assert main(place.words(str(place.library), "--explain", *words), monkeypatch) == 0
        return {name: row["why"] for name, row in rows(capsys.readouterr().out).items()}

    found = why()
    assert found["Toy S01E02"].startswith("0:00:08 to 0:00:24, confidence ")
    assert "; pictures in 2 of 2 siblings" in found["Toy S01E02"]
    short = why("--min-length", "17")["Toy S01E02"]
    assert short.startswith("none: 0:00:08 to 0:00:24, confidence ")
    assert "too short or too long for what is set; pictures in 2" in short
    padded = why("--pad-end", "-30")["Toy S01E02"]
    assert padded.endswith("left out as this run's options ask")
    alone = place.library / "Film" / "Film.mp4"
    alone.parent.mkdir()
    shutil.copy(place.videos()[0], alone)
    assert why()["Film"] == "none: no sibling"
    detector = load_openings(place.detector)
    strict = detector.config.model_copy(update={"min_confidence": 1.0})
    save_openings(place.detector, replace(detector, config=strict))
    found = why()
    assert found["Toy S01E02"].startswith("none: 0:00:08 to 0:00:24, confidence ")
    assert ", below the least confidence 1.00; " in found["Toy S01E02"]


def test_the_table_groups_by_series_and_fits_80_columns(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = place.videos()[-1].with_name(f"Toy S01E04 - {'A Long Title ' * 9}.mp4")
    shutil.copy(place.videos()[-1], long)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(place.words(str(place.library), "--format", "table"), monkeypatch) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line for line in lines[1:] if not line.startswith(" ")] == ["other show", "toy"]
    row = next(line for line in lines if "Toy S01E02" in line)
    assert row.split()[2:4] == ["0:00:08", "0:00:24"]
    assert next(line for line in lines if "S01E04" in line).partition("…")[2]


def test_a_library_that_cannot_be_written_is_told_with_the_system_s_word_and_not_as_done(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(suffix: str, prefix: str, dir: Path) -> str:  # noqa: A002  as tempfile has it
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), f"{dir}/{prefix}x{suffix}")

    monkeypatch.setattr("skipintro.core.files.tempfile.mkdtemp", refuse)
    video = place.videos()[0]
    assert main(place.words(str(place.library), "--write", "edl"), monkeypatch) == 1
    told = capsys.readouterr()
    assert f"failed: {video.with_suffix('.edl')}: Read-only file system" in told.err
    assert told.err.endswith("0 failed; 5 files could not be written\n")


def test_a_broken_link_and_an_unreadable_folder_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (place.library / "Show S01E01.mkv").symlink_to(place.library / "gone.mkv")
    (place.library / "locked").mkdir()
    real = os.scandir

    def scandir(folder: Any) -> Any:
        if Path(folder).name == "locked":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return real(folder)

    monkeypatch.setattr("os.scandir", scandir)
    main(place.words(), monkeypatch)
    assert f"passed over: {place.library / 'locked'}: Permission denied" in caplog.text
    link = place.library / "Show S01E01.mkv"
    assert f"passed over: {link}: No such file or directory (a broken link)" in caplog.text


def test_without_search_as_much_is_looked_at_as_the_model_was_trained_on(
    head_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = head_place
    config = read_model(HeadDetectorConfig, place.detector / DETECTION_FILE)
    embedding = config.embedding.model_copy(update={"search": 9})
    changed = config.model_copy(update={"embedding": embedding})
    write_json(place.detector / DETECTION_FILE, changed)
    video = str(place.videos()[0])
    assert main(place.words(video, "--beside", "0"), monkeypatch) == 0
    assert list(place.cache.glob("vectors/*/*-first-9.npy"))
    assert main(place.words(video, "--beside", "0", "--search", "whole"), monkeypatch) == 0
    assert len(list(place.cache.glob("vectors/*/*.npy"))) == 2


def test_a_video_that_ends_too_early_is_a_fault(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = place.library / "Cut Show S01E01.mkv"
    write_toy_video(cut, 3, seconds=26)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    for _ in range(2):
        assert main(place.words(str(cut)), monkeypatch) == 1
        assert "truncated: " in capsys.readouterr().err
    # What lies before is whole: a fault holds for as much as was looked at.
    assert main(place.words(str(cut), "--search", "5"), monkeypatch) == 0


@pytest.mark.parametrize("search", ["whole", "20", "first-quarter"])
def test_a_video_whose_container_states_no_length_has_the_same_interval(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    search: str,
) -> None:
    video = place.videos()[1]
    words = place.words(str(video), "--search", search)
    assert main(words, monkeypatch) == 0
    [found] = json.loads(capsys.readouterr().out)
    without_length(video)
    assert main(words, monkeypatch) == 0
    [again] = json.loads(capsys.readouterr().out)
    times = ("start_s", "end_s", "confidence")
    assert [again[time] for time in times] == [found[time] for time in times]


def test_the_formats_hold_the_same_and_single_files_bring_their_siblings(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = str(next(video for video in place.videos() if video.stem == "Toy S01E02"))
    told = {}
    for form in ("json", "jsonl", "csv", "table"):
        assert main(place.words(one, "--format", form), monkeypatch) == 0
        told[form] = capsys.readouterr().out
    [row] = json.loads(told["json"])
    assert (row["start_s"], row["end_s"]) == INTERVALS["Toy S01E02"]
    assert [json.loads(line) for line in told["jsonl"].splitlines()] == [row]
    [line] = csv.DictReader(told["csv"].splitlines())
    assert line == {key: "" if value is None else str(value) for key, value in row.items()}
    assert "0:00:08" in told["table"]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["nowhere"], "nowhere"),
        ([""], "no video in"),
        (["", "--search", "half"], "--search half"),
        (["", "--search", "0"], "--search 0"),
        (["", "--edl-action", "4"], "--edl-action"),
        (["", "--write", "srt"], "--write"),
    ],
)
def test_a_fault_of_usage_is_2_before_anything_is_done(
    words: list[str],
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cache = tmp_path / "cache"
    path, *options = words
    words = ["detect", str(tmp_path / path), *options, "--cache", str(cache)]
    assert main(words, monkeypatch) == 2
    assert fault in capsys.readouterr().err
    assert not cache.exists()


def test_only_the_first_part_is_decoded_where_that_is_asked_for(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(place.cache)
    video = str(next(video for video in place.videos() if video.stem == "Other Show S01E01"))
    for search, n_seconds in (("first-quarter", 7), ("9", 9)):
        assert main(place.words(video, "--search", search, "--beside", "0"), monkeypatch) == 0
        [file] = place.cache.glob(f"fingerprints/*/*-first-{n_seconds}.npz")
        evidence = of_bytes(read_checked(file) or b"", file)
        assert len(evidence.tracks["pictures"]) == n_seconds * 4
    assert "1 decoded" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["fingerprints", "vectors"])
def test_what_is_damaged_in_the_cache_is_made_anew(
    place: Place,
    head_place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    place = place if kind == "fingerprints" else head_place
    video = str(next(video for video in place.videos() if video.stem == "Other Show S01E01"))
    shutil.rmtree(place.cache)
    assert main(place.words(video, "--beside", "0"), monkeypatch) == 0
    told = capsys.readouterr().out
    [vectors] = whole_evidence(place.cache, kind)
    before = vectors.read_bytes()
    flip_bit(vectors, seed=1)
    (place.cache / "results.sqlite").unlink()
    # The whole is asked for, then a part, for which the damaged whole would have served.
    for words in ((), ("--search", "9")):
        assert main(place.words(video, *words, "--beside", "0"), monkeypatch) == 0
        found = capsys.readouterr()
        assert "1 decoded" in found.err
        if not words:
            assert found.out == told
            assert vectors.read_bytes() == before
            flip_bit(vectors, seed=2)


def test_a_memory_that_breaks_in_the_middle_is_told_once_and_is_no_fault_of_a_video(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    memory, video = Cache(place.cache), place.videos()[0]
    for number in range(200):  # so that the page with the video's key holds nothing else
        memory.put("file", f"{video.parent}/{number:03}", [number])
        memory.put("file", f"{video.parent}/~{number:03}", [number])
    content_of(video, memory)
    memory.close()
    answers = place.cache / "results.sqlite"
    with closing(sqlite3.connect(answers)) as database:
        [size] = database.execute("PRAGMA page_size").fetchone()
    content = bytearray(answers.read_bytes())
    page = content.index(str(video).encode()) // size * size
    content[page : page + size] = bytes(size)
    answers.write_bytes(content)
    assert main(place.words(str(place.library)), monkeypatch) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("results.sqlite: cannot be used (") == 1
    assert "delete it, or choose another --cache" in told.err


# The second series is not recorded before an interrupt comes, so that it comes in the midst.
INTERRUPTED = """
import signal, time
from skipintro.library import fingerprinting
from skipintro.video.container import VideoError
real = fingerprinting.record_checked
def recorded(video, *words):
    if video.parent.name == "Toy":
        {when_it_comes}
    return real(video, *words)
fingerprinting.record_checked = recorded
"""
FROM_OUTSIDE = "time.sleep(60)"
TAKEN_FOR_A_FAULT = """
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise VideoError(video, "an effect of the interrupt")
"""


@pytest.mark.parametrize(
    ("jobs", "number", "when_it_comes"),
    [
        ("1", signal.SIGINT, FROM_OUTSIDE),
        ("2", signal.SIGTERM, FROM_OUTSIDE),
        ("1", signal.SIGKILL, FROM_OUTSIDE),
        ("1", None, TAKEN_FOR_A_FAULT),
    ],
    ids=["SIGINT", "SIGTERM", "SIGKILL", "taken for a fault"],
)
def test_an_interruption_leaves_whole_files_and_the_next_run_goes_on(
    *,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    jobs: str,
    number: signal.Signals | None,
    when_it_comes: str,
) -> None:
    shutil.rmtree(place.cache)
    sidecars = ("--write", "edl", "--write", "json")
    words = place.words(str(place.library), *sidecars, "--thorough", "--jobs", jobs)
    prelude = INTERRUPTED.format(when_it_comes=when_it_comes)
    job = forked.Job(["skipintro", *words], str(place.library), prelude=prelude, streams="apart")
    with forked.forks().started(job) as process:
        if number is not None:
            wait_until(lambda: bool(list(place.library.glob("*/*.edl"))), 120, "no sidecar")
            process.send(number)
        done = process.wait()
    if number is signal.SIGKILL:
        assert (done.code, done.said) == (-number, ""), done
    else:
        told = "interrupted; the same command goes on from here\n"
        assert (done.code, done.said, done.errors.endswith(told)) == (130, "", True), done
    assert "Traceback" not in done.errors
    left = place.files()
    assert 0 < len(left) < 2 * len(TOYS)
    assert main(words, monkeypatch) == 0
    assert "(3 decoded)" in capsys.readouterr().err  # no fault is remembered
    now = place.files()
    whole = {name: sha256 for name, sha256 in left.items() if ".draft." not in name}
    assert whole.items() <= now.items()
    assert len(now) == 2 * len(TOYS)  # and no draft
    assert {p.stem: read_edl(p)[0][:2] for p in place.library.rglob("*.edl")} == INTERVALS


def test_the_code_that_finds_cuts_is_hashed_once_a_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []

    def counted(*modules: str) -> str:
        hashed.append(modules)
        return code_hash(*modules)

    monkeypatch.setattr("skipintro.core.cache_dir.code_hash", counted)
    assert main(place.words(str(place.library), "--snap"), monkeypatch) == 0
    assert len(hashed) == 1


def test_names_of_all_kinds_and_links_work(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place.library / 'Мой «сериал» 🎬 it\'s "best" (2020) [x]'
    folder.mkdir()
    for video in place.videos():
        name = video.name.replace("Toy", "Сериал 🎬 it's")
        (folder / name).symlink_to(video)
    words = place.words(str(folder), "--write", "edl", "--snap")
    assert main(words, monkeypatch) == 0
    found = rows(capsys.readouterr().out)
    assert {(row["start_s"], row["end_s"]) for row in found.values()} == set(INTERVALS.values())
    assert len(list(folder.glob("*.edl"))) == len(TOYS)
    assert len(list(place.library.rglob("*.edl"))) == len(TOYS)  # beside the links alone


def test_a_file_whose_name_is_no_text_is_a_fault_and_the_others_go_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = os.fsdecode(bytes(place.library / "Other Show") + b"/Other Show S01E03 \xff.mp4")
    shutil.copy(place.videos()[0], odd)
    for form in ("json", "csv", "table"):
        assert main(place.words(str(place.library), "--format", form), monkeypatch) == 1
        told = capfd.readouterr()
        assert "its name, or a folder's, is not UTF-8; rename it" in told.err
        assert told.out.count("S01") >= 1 + len(TOYS)


def test_show_draws_what_was_found(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.cache)
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    video = str(next(video for video in place.videos() if video.stem == "Toy S01E02"))
    _, _, *fixed = place.words(video)
    assert main(["show", video, *fixed, "--open"], monkeypatch) == 0
    assert "0:00:08 to 0:00:24" in capsys.readouterr().out
    picture = place.cache / "Toy S01E02.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert opened == [picture.name]
    assert main(["show", str(place.library / "gone.mp4"), *fixed], monkeypatch) == 1

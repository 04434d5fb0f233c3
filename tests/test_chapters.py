"""Chapters in videos that say where the opening is: read, weighed, and never replaced."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import run_command, write_toy_video
from library_cases import (
    INTERVALS,
    TOY_S,
    Place,
    read_chapters,
    read_edl,
    shared_place,
    write_chapters,
)
from skipintro.detection.limits import Limits
from skipintro.detectors.openings import load_openings, save_openings
from skipintro.library.combining import CONFIRMED, UNCONFIRMED, by_chapter
from skipintro.library.enums import Source
from skipintro.library.results import Interval, Result
from skipintro.library.shelf import Local
from skipintro.video import chapters as reading
from skipintro.video.container import VideoError
from skipintro.video.titles import Chapter


def result(*chapters: Chapter, interval: Interval | None = (20, 30), **limits: float) -> Result:
    local = Local(limits=Limits(**limits))
    known = None if interval is None else 0.8
    video = Path("x.mkv")
    intervals = () if interval is None else (interval,)
    return Result(video, "x", "ab", 100.0, intervals, known, chapters=tuple(chapters), local=local)


def shared_in(start_s: float, end_s: float) -> Callable[[Interval], float]:
    def share(interval: Interval) -> float:
        overlap = min(end_s, interval[1]) - max(start_s, interval[0])
        return max(0.0, overlap) / (interval[1] - interval[0])

    return share


NOWHERE = shared_in(0, 0)


def not_asked(_: Interval) -> float:
    raise AssertionError


INTRO, PART = Chapter(19, 31, "Intro"), Chapter(31, 90, "Part A")


def told(found: Result) -> tuple[Interval | None, float | None, Source]:
    return next(iter(found.intervals), None), found.confidence, found.source


def test_a_chapter_that_the_detector_confirms_takes_its_place_and_asks_no_sibling() -> None:
    found = by_chapter(result(PART, INTRO), not_asked)
    assert told(found) == ((19, 31), CONFIRMED, Source.CHAPTER)


def test_a_chapter_that_siblings_share_is_confirmed_whatever_the_detector_says() -> None:
    for interval in (None, (60.0, 80.0)):
        found = by_chapter(result(INTRO, interval=interval), shared_in(18, 25.5))
        assert told(found) == ((19, 31), CONFIRMED, Source.CHAPTER)


def test_a_chapter_that_nothing_confirms_is_told_with_less_confidence() -> None:
    for interval in (None, (60.0, 80.0), (29.0, 40.0)):
        found = by_chapter(result(INTRO, interval=interval), shared_in(18, 24))
        assert told(found) == ((19, 31), UNCONFIRMED, Source.CHAPTER)
    assert UNCONFIRMED < CONFIRMED


def test_other_chapters_change_nothing() -> None:
    whole, mark, beyond = Chapter(0, 100, "Intro"), Chapter(5, 5.5, "OP"), Chapter(99.5, 200, "OP")
    for chapters in ((), (PART,), (whole,), (mark,), (beyond,)):
        plain = result(*chapters)
        assert by_chapter(plain, not_asked) == plain


def test_of_several_the_confirmed_one_counts_else_the_first() -> None:
    ident = Chapter(0, 5, "Opening")
    assert told(by_chapter(result(INTRO, ident), not_asked))[0] == (19, 31)
    lone = result(INTRO, ident, interval=None)
    assert told(by_chapter(lone, shared_in(19, 31)))[0] == (19, 31)
    assert told(by_chapter(lone, NOWHERE))[:2] == ((0, 5), UNCONFIRMED)


def test_of_two_intervals_each_gives_way_to_the_chapter_that_it_confirms() -> None:
    both = replace(result(PART, INTRO), intervals=((20, 30), (70, 80)))
    assert by_chapter(both, not_asked).intervals == ((19, 31), (70, 80))
    second = replace(both, chapters=(*both.chapters, Chapter(69, 80, "Opening")))
    assert by_chapter(second, not_asked).intervals == ((19, 31), (69, 80))


@pytest.mark.parametrize(
    ("limits", "share", "source"),
    [
        ({"max_length_s": 12}, NOWHERE, Source.CHAPTER),
        ({"max_length_s": 11}, NOWHERE, Source.DETECTOR),
        ({"min_length_s": 13}, NOWHERE, Source.DETECTOR),
        ({"min_confidence": 0.6}, NOWHERE, Source.DETECTOR),
        ({"min_confidence": 0.6}, shared_in(0, 100), Source.CHAPTER),
    ],
)
def test_limits_hold_for_chapters_and_the_detector_s_stays_then(
    limits: dict[str, float], share: Callable[[Interval], float], source: Source
) -> None:
    found = by_chapter(result(INTRO, interval=(60.0, 70.0), **limits), share)
    assert found.source is source
    assert found.intervals == (((19, 31) if source is Source.CHAPTER else (60, 70)),)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_chapters_are_read_with_their_titles_in_any_script(tmp_path: Path, suffix: str) -> None:
    video = tmp_path / f"x{suffix}"
    write_toy_video(video, 2, seconds=6)
    assert reading.read_chapters(video) == []
    write_chapters(video, (0, 1.5, "Recap"), (1.5, 4.25, "Заставка"), (4.25, 6, ""))
    found = [(one.start_s, one.end_s, one.title) for one in reading.read_chapters(video)]
    assert found == [(0, 1.5, "Recap"), (1.5, 4.25, "Заставка"), (4.25, 6, "")]
    video.write_bytes(b"no video")
    with pytest.raises(VideoError):
        reading.read_chapters(video)


# In `detect`


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Place:
    """Return a library in which one episode has a chapter that is right, and one that is wrong."""
    place = shared_place(tmp_path_factory).copy(tmp_path)
    right, wrong = (place.library / f"Toy/Toy S01E0{n}.mp4" for n in (1, 2))
    write_chapters(right, (0, 2.5, "Recap"), (2.5, 18.5, "Opening Credits"), (18.5, TOY_S, "A"))
    write_chapters(wrong, (0, 7, "Intro"), (7, TOY_S, "Part"))
    return place


def test_detect_tells_chapters_as_such_and_writes_over_none(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The opening of the second lies at 8 to 24 s: its first 7 s are in no sibling."""

    def detect(*words: str) -> dict[str, dict[str, Any]]:
        all_words = place.words(str(place.library), *words)
        code, out, errors = run_command(all_words, monkeypatch, capsys)
        assert code == 0, errors
        return {Path(row["video"]).stem: row for row in json.loads(out)}

    def intervals(found: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
        return {
            name: (row["start_s"], row["end_s"], row["confidence"], row["source"])
            for name, row in found.items()
            if row["source"] != "detector"
        }

    kinds = ("--write", "edl", "--write", "chapters", "--mux")
    found = detect(*kinds, "--snap", "--pad-end", "1")
    assert intervals(found) == {
        "Toy S01E01": (2.5, 18.5, CONFIRMED, "chapter"),
        "Toy S01E02": (0.0, 7.0, UNCONFIRMED, "chapter"),
    }
    video = place.library / "Toy/Toy S01E01.mp4"
    own = [(0, 2.5, "Recap"), (2.5, 18.5, "Opening Credits"), (18.5, TOY_S, "A")]
    assert read_edl(video.with_suffix(".edl")) == [(2.5, 18.5, 3)]
    for written in (video, video.with_suffix(".ffmetadata"), video.with_suffix(".chapters.mp4")):
        assert read_chapters(written) == own

    monkeypatch.setattr(reading, "read_chapters", None)  # not to be called
    sure = detect("--min-confidence", "0.6")
    assert intervals(sure).keys() == {"Toy S01E01"}
    assert sure["Toy S01E02"]["start_s"] == INTERVALS["Toy S01E02"][0]
    settings = place.library / "skipintro.toml"
    settings.write_text('[intervals]\n"Toy S01E01.mp4" = [3, 19]\n')
    assert intervals(detect())["Toy S01E01"] == (3.0, 19.0, 1.0, "settings")


def test_a_chapter_that_siblings_alone_confirm_is_as_sure(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = load_openings(place.detector)
    silent = detector.config.model_copy(update={"min_confidence": 1.0})
    save_openings(place.detector, replace(detector, config=silent))
    code, out, errors = run_command(place.words(str(place.library / "Toy")), monkeypatch, capsys)
    assert code == 0, errors
    rows = {Path(row["video"]).stem: (row["start_s"], row["confidence"]) for row in json.loads(out)}
    assert rows == {
        "Toy S01E01": (2.5, CONFIRMED),
        "Toy S01E02": (0.0, UNCONFIRMED),
        "Toy S01E03": (None, None),
    }

"""`skipintro labels import`: each source, what two of them say, and bad files of each kind."""

import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from conftest import run_command, write_toy_video
from library_cases import INTERVALS, write_library
from skipintro.core.errors import InputError
from skipintro.episodes.labels import read_labels
from skipintro.labelling import edl, segments, table
from skipintro.labelling.ids import id_of
from skipintro.sidecars import chapters as chapter_sidecar
from skipintro.sidecars import edl as edl_sidecar
from skipintro.sidecars import segments as segment_sidecar
from skipintro.sidecars.result import Finding
from skipintro.video.titles import names_opening

Ran = tuple[int, str, str]
Import = Callable[..., Ran]
TICK = 10_000_000  # a second

META = ";FFMETADATA1\n"


def chapter(start: object, end: object, title: str, unit: str = "1/1000") -> str:
    return f"[CHAPTER]\nTIMEBASE={unit}\nSTART={start}\nEND={end}\ntitle={title}\n"


def segment(kind: object, start: object, end: object) -> dict[str, object]:
    return {"Type": kind, "StartTicks": start, "EndTicks": end}


@pytest.fixture
def shows(tmp_path: Path) -> Path:
    """Return a folder with names of videos, which nobody opens."""
    folder = tmp_path / "shows"
    for name in ("Show/Show S01E01.mkv", "Show/Show S01E02.mkv", "Other/S01E01.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no video")
    return folder


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Import:
    out = str(tmp_path / "labels.json")
    return lambda *words: run_command(
        ["labels", "import", *map(str, words), "--out", out], monkeypatch, capsys
    )


NO_CHAPTERS = ("--from", "csv", "--from", "edl", "--from", "segments")


def test_each_kind_of_source_is_read_and_the_label_reader_takes_the_result(
    tmp_path: Path, run: Import
) -> None:
    """Five real videos, one label of each kind; written by those who write for players."""
    library = tmp_path / "library"
    videos = {video.stem: video for video in write_library(library)}

    def finding(name: str) -> Finding:
        return Finding(videos[name], "x", 26.0, INTERVALS[name], 0.9)

    for name, sidecar in (
        ("Toy S01E01", edl_sidecar),
        ("Toy S01E02", segment_sidecar),
        ("Other Show S01E01", chapter_sidecar),
    ):
        text = sidecar.text(finding(name))
        assert text is not None
        sidecar.path_for(videos[name]).write_text(text)
    (library / "labels.csv").write_text("video,start,end\nToy/Toy S01E03.mp4,0:00,16\n")
    code, out, err = run(library)
    assert (code, err) == (0, "")
    assert "4 of 5 videos labelled, of 2 series: 1 from csv, 1 from edl, 1 from segments, 1" in out
    assert "1 left out, nothing tells of them: Other Show S01E02.mp4" in out
    found = read_labels(tmp_path / "labels.json")
    assert {name: (label.start_s, label.end_s) for name, label in found.items()} == {
        name: INTERVALS[name] for name in INTERVALS if name != "Other Show S01E02"
    }
    assert {label.series for label in found.values()} == {"toy", "other show"}


@pytest.mark.parametrize(("suffix", "begins_s"), [(".mkv", 0), (".mp4", 0), (".mkv", 5)])
def test_chapters_in_a_video_are_read_and_all_others_are_passed_over(
    tmp_path: Path, run: Import, suffix: str, begins_s: int
) -> None:
    """A container may begin at another time stamp than 0; players count from where it begins."""
    plain, video = tmp_path / "plain.mp4", tmp_path / f"shows/Show S01E01{suffix}"
    video.parent.mkdir()
    write_toy_video(plain, 2, seconds=6)
    titles = {"Recap": (0, 1.5), "Заставка": (1.5, 4.25), "Opening Scene": (4.25, 6)}
    with av.open(str(plain)) as source, av.open(str(video), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.set_chapters(
            [
                {
                    "id": number,
                    "start": round((begins_s + start) * 1000),
                    "end": round((begins_s + end) * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, (title, (start, end)) in enumerate(titles.items(), 1)
            ]
        )
        for packet in source.demux(video=0):
            if packet.size:
                ticks = round(begins_s / packet.time_base)
                packet.pts, packet.dts = (packet.pts or 0) + ticks, (packet.dts or 0) + ticks
                packet.stream = stream
                target.mux(packet)
    assert run(video.parent)[0] == 0
    [label] = read_labels(tmp_path / "labels.json").values()
    assert (label.start_s, label.end_s) == (1.5, 4.25)


@pytest.mark.parametrize(
    "title",
    [
        *("Intro", "OPENING", "op", "OP1", "Opening 02", "Title Sequence", "Main titles"),
        *("вступление", "Заставка", "Vorspann", "Générique", "generique", "Generic"),
        *("Опенинг", "Opening Theme", "02. OP2: Title", "Intro_OP"),
        *("Chapter 2: Intro", "intro_1", "OP - Guren no Yumiya", "オープニング", "Opening credits"),
    ],
)
def test_a_title_names_an_opening_by_whole_words_in_any_case_and_language(title: str) -> None:
    assert names_opening(title)


@pytest.mark.parametrize(
    "title",
    [
        *("", "Introduction", "Operation", "Stop", "Chapter 1", "Episode", "Generics", "Part 3"),
        *("Op de vlucht", "Co-op", "Stop op tijd"),
        *("Opening Scene", "Intro End", "After the intro", "Générique de fin", "Pre-Opening"),
        *("Avant le générique", "После заставки", "Сцена до вступление", "Vorspann Ende"),
    ],
)
def test_other_titles_name_none_and_no_end_of_one(title: str) -> None:
    assert not names_opening(title)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 12.5 3\n", (5, 12.5)),
        ("5.000\t12.500\t0", (5, 12.5)),
        ("0:00:05.5 0:01:02 3\r\n\r\n", (5.5, 62)),
        ("1 2 1\n5 12 3\n15 15 2\n", (5, 12)),  # a mute and a scene marker beside it
        ("1 2 1\n", None),
        ("\ufeff5 12 3\n", (5, 12)),
    ],
)
def test_an_edl_tells_the_interval_that_players_skip(
    tmp_path: Path, text: str, expected: tuple[float, float] | None
) -> None:
    path = tmp_path / "x.edl"
    path.write_text(text, encoding="utf-8", newline="")
    assert edl.read(path) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "x.edl: empty; write the intro into it or delete it"),
        ("\n \n", "x.edl: empty"),
        ("12 5 3\n", "line 1: start 0:00:12 does not lie before end 0:00:05; correct it"),
        ("5 5 3\n", "line 1: start 0:00:05 does not lie before end"),
        ("5 12 3\n10 20 1\n", "0:00:05 to 0:00:12 and 0:00:10 to 0:00:20 overlap; correct it"),
        ("5 12 3\n30 40 0\n", "2 intervals may be the intro (0:00:05 to 0:00:12, 0:00:30 to"),
        ("5 12\n", "line 1: '5 12' is no entry; expected `start end action`"),
        ("5 12 4\n", "line 1: '5 12 4' is no entry"),
        ("\n5 12 3 x\n", "line 2: '5 12 3 x' is no entry"),
        ("FILE PROCESSING COMPLETE 3000 FRAMES AT 2500\n", "delete what is no EDL of Kodi"),
        ("#125 #300 3\n", "'#125' counts frames; write seconds or H:MM:SS.sss"),
        ("5,5 12 3\n", "'5,5' is no time; write seconds"),
        ("-5 12 3\n", "'-5' is no time"),
        ("1e2 200 3\n", "'1e2' is no time"),
        ("0:61:00 2:00:00 3\n", "'0:61:00' is no time"),
    ],
)
def test_a_faulty_edl_is_refused_by_its_name_its_fault_and_a_remedy(
    tmp_path: Path, text: str, fault: str
) -> None:
    path = tmp_path / "x.edl"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(InputError) as refusal:
        edl.read(path)
    assert fault in str(refusal.value)
    assert str(refusal.value).startswith(str(path))


def test_segments_of_other_types_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.segments.json"
    outro, intro = segment("Outro", 50 * TICK, 60 * TICK), segment("Intro", 0, 12_345_678)
    for items, expected in (([], None), ([outro], None), ([outro, intro], (0, 1.235))):
        path.write_text(json.dumps({"Items": items, "TotalRecordCount": len(items)}))
        assert segments.read(path) == expected


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "empty; write the intro"),
        ("{", "not valid JSON"),
        ([], "expected an object"),
        ({"a": 1}, "expected `Items`, a list of segments"),
        ({"Items": {}}, "expected `Items`"),
        ({"Items": [1]}, "segment 1: expected an object, got int"),
        ({"Items": [segment("intro", 0, 1)]}, "segment 1: Type 'intro' is none of Jellyfin's"),
        ({"Items": [segment("Intro", 0, 1.5)]}, "EndTicks 1.5 is no number of ticks of 100 ns"),
        ({"Items": [segment("Outro", -1, 5)]}, "StartTicks -1 is no number of ticks"),
        ({"Items": [segment("Intro", True, 5)]}, "StartTicks True is no number of ticks"),
        ({"Items": [{"Type": "Intro", "StartTicks": 1}]}, "EndTicks None is no number"),
        ({"Items": [segment("Intro", 9 * TICK, 2 * TICK)]}, "start 0:00:09 does not lie before"),
        (
            {"Items": [segment("Intro", 0, 9 * TICK), segment("Intro", TICK, 5 * TICK)]},
            "2 intervals may be the intro (0:00:00 to 0:00:09, 0:00:01 to 0:00:05)",
        ),
    ],
)
def test_faulty_segments_are_refused_by_name_fault_and_remedy(
    tmp_path: Path, content: Any, fault: str
) -> None:
    path = tmp_path / "x.segments.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError) as refusal:
        segments.read(path)
    assert fault in str(refusal.value)
    assert str(refusal.value).startswith(str(path))


HEADER = "video,start,end\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("a.mkv,1,2\n", "its header is 'a.mkv,1,2'; expected"),
        ("video;start;end\na.mkv;1;2\n", "expected `video,start,end` or `video,start,end,series`"),
        ("video,start,end,notes\n", "its header is 'video,start,end,notes'"),
        (HEADER, "holds a header alone"),
        (HEADER + "a.mkv,1\n", "line 2: 2 cells, expected 3"),
        (HEADER + "a.mkv,1,2,3\n", "line 2: 4 cells, expected 3"),
        (HEADER + ",1,2\n", "line 2: names no video"),
        (HEADER + "a.mkv,soon,2\n", "line 2: 'soon' is no time; write H:MM:SS"),
        (HEADER + "a.mkv,-1,2\n", "line 2: the time '-1' is negative"),
        (HEADER + "a.mkv,,2\n", "line 2: one of start and end is empty"),
        (HEADER + "a.mkv,9,2\n", "line 2: start 0:00:09 does not lie before end 0:00:02"),
        (HEADER + "\na.mkv,1,2\n./a.mkv,1,2\n", "line 4: a.mkv stands in"),
        (HEADER + '"a.mkv,1,2\n', "no CSV"),
        (HEADER + '"a".mkv,1,2\n', "no CSV"),
    ],
)
def test_a_faulty_table_is_refused_by_name_line_and_remedy(
    tmp_path: Path, text: str, fault: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        table.read(path)
    assert fault in str(refusal.value)
    assert str(refusal.value).startswith(str(path))


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.edl"
    path.write_bytes("5 12 3 Заставка".encode("cp1251"))
    with pytest.raises(InputError, match=r"x\.edl: not UTF-8 text .*; save it as UTF-8"):
        edl.read(path)
    with path.open("wb") as file:
        file.truncate(100 << 20)  # takes no room on the disk
    with pytest.raises(InputError, match=r"x\.edl: larger than 4 MB; put the right file there"):
        edl.read(path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "the file is empty (0 bytes)"),
        ("hello\n", "no FFMETADATA, or with chapters that end before they start"),
        (META + chapter(9000, 2000, "Intro"), "with chapters that end before they start"),
        (META + chapter("x", "y", "Intro"), "start 0:00:00 does not lie before end 0:00:00"),
        (META + chapter(-5, 9, "Intro"), "-0.005 to 0.009 s is no part of a video"),
        (META + chapter(1, 9, "Intro", "1/0"), "holds a chapter without a unit of time"),
        (
            META + chapter(0, 5000, "Recap") + chapter(4000, 9000, "Intro"),
            "chapters 0:00:00 to 0:00:05 and 0:00:04 to 0:00:09 overlap; correct it",
        ),
        (
            META + chapter(0, 5000, "Intro") + chapter(5000, 9000, "Opening"),
            "2 intervals may be the intro (0:00:00 to 0:00:05, 0:00:05 to 0:00:09); leave one",
        ),
    ],
)
def test_faulty_chapters_beside_a_video_are_refused_by_name_fault_and_remedy(
    shows: Path, run: Import, content: str, fault: str
) -> None:
    path = shows / "Show/Show S01E01.ffmetadata"
    path.write_text(content)
    code, out, err = run(shows, "--from", "chapters")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {path}")
    assert fault in err
    assert len(err.splitlines()) == 1


def test_a_video_called_like_chapters_is_none_of_them(shows: Path, run: Import) -> None:
    path = shows / "Show/Show S01E01.ffmetadata"
    write_toy_video(shows / "toy.mp4", None, seconds=2)
    (shows / "toy.mp4").rename(path)
    code, _, err = run(shows, "--from", "chapters")
    assert code == 1
    assert "holds mov,mp4" in err


def test_a_video_that_cannot_be_read_is_named_and_labelled_by_what_lies_beside_it(
    shows: Path, tmp_path: Path, run: Import
) -> None:
    (shows / "Show/Show S01E01.edl").write_text("5 12 3\n")
    code, out, err = run(shows)
    assert code == 0
    assert len(err.splitlines()) == 3
    assert "warning: its chapters are not read: " in err
    assert "1 of 3 videos labelled" in out
    assert list(read_labels(tmp_path / "labels.json")) == ["Show S01E01"]


def test_sources_that_agree_within_a_second_give_the_times_of_the_first_kind(
    shows: Path, tmp_path: Path, run: Import
) -> None:
    (shows / "Show/Show S01E01.edl").write_text("5 12 3\n")
    path = shows / "Show/Show S01E01.segments.json"
    path.write_text(json.dumps({"Items": [segment("Intro", 6 * TICK, 13 * TICK)]}))
    assert run(shows, *NO_CHAPTERS)[0] == 0
    assert read_labels(tmp_path / "labels.json")["Show S01E01"].start_s == 5
    assert run(shows, "--from", "segments", "--force")[0] == 0
    assert read_labels(tmp_path / "labels.json")["Show S01E01"].start_s == 6


def test_sources_that_disagree_are_both_named_and_nothing_is_written(
    shows: Path, tmp_path: Path, run: Import
) -> None:
    first, second = shows / "Show/Show S01E01.edl", shows / "Show/labels.csv"
    first.write_text("5 12 3\n")
    for row, told in (("5,13.001", "0:00:05 to 0:00:13.001"), (",", "no intro")):
        second.write_text(f"video,start,end\nShow S01E01.mkv,{row}\n")
        code, out, err = run(shows, *NO_CHAPTERS)
        assert (code, out) == (1, "")
        assert f"{second}: line 2 tells {told}" in err
        assert f"{first} tells 0:00:05 to 0:00:12; correct or remove one, or name" in err
        assert not (tmp_path / "labels.json").exists()
    assert run(shows, "--from", "edl")[0] == 0


def test_all_faults_are_told_at_once_one_line_each(shows: Path, run: Import) -> None:
    (shows / "Show/Show S01E01.edl").write_text("12 5 3\n")
    (shows / "Show/Show S01E02.edl").write_text("")
    (shows / "labels.csv").write_text("video,start,end\nShow/gone.mkv,1,5\n")
    code, _, err = run(shows, *NO_CHAPTERS)
    assert code == 1
    assert [line.partition(": ")[0] for line in err.splitlines()] == ["error"] * 3
    assert "labels.csv: line 2: " in err
    assert "gone.mkv: no such video in the given folders; correct the row" in err


def test_a_table_may_name_a_series_and_say_that_there_is_no_intro(
    shows: Path, tmp_path: Path, run: Import
) -> None:
    (tmp_path / "labels.csv").write_text("of another folder")
    (shows / "labels.csv").write_text(
        "video,start,end,series\r\n"
        '"Show/Show S01E01.mkv",,,\r\n'
        "Show/Show S01E02.mkv,0:01:05.5,80,Other Name\r\n",
        newline="",
    )
    assert run(shows, "--from", "csv")[0] == 0
    found = json.loads((tmp_path / "labels.json").read_text())
    assert found == {
        "Show S01E01": {"name": "Show S01E01", "start": None, "end": None, "series": "show"},
        "Show S01E02": {
            "name": "Show S01E02",
            "start": "0:01:05.5",
            "end": "0:01:20",
            "series": "Other Name",
        },
    }


def test_an_existing_label_file_is_replaced_with_force_alone(
    shows: Path, tmp_path: Path, run: Import
) -> None:
    (shows / "Show/Show S01E01.edl").write_text("5 12 3\n")
    out = tmp_path / "labels.json"
    out.write_text("mine")
    code, _, err = run(shows, "--from", "edl")
    assert code == 1
    assert err == f"error: {out}: exists; name another file, or replace it with --force\n"
    assert out.read_text() == "mine"
    (shows / "Show/Show S01E02.edl").write_text("oops")
    assert run(shows, "--from", "edl", "--force")[0] == 1
    assert out.read_text() == "mine"
    (shows / "Show/Show S01E02.edl").unlink()
    assert run(shows, "--from", "edl", "--force")[0] == 0
    assert list(read_labels(out)) == ["Show S01E01"]


def test_where_nothing_is_told_or_there_is_no_video_the_remedy_is_named(
    shows: Path, tmp_path: Path, run: Import
) -> None:
    code, _, err = run(shows, "--from", "edl")
    assert code == 1
    assert "nothing tells an intro of its 3 videos (looked for: edl); write a labels.csv" in err
    (tmp_path / "empty").mkdir()
    for place, fault in (("empty", "no video in it; correct"), ("gone", "no such file or folder")):
        code, _, err = run(tmp_path / place)
        assert code == 1
        assert fault in err
    assert not (tmp_path / "labels.json").exists()


def test_what_is_no_file_is_never_taken_for_a_source(shows: Path, run: Import) -> None:
    path = shows / "Show/Show S01E01.edl"
    puts: tuple[Callable[[], object], ...] = (
        path.mkdir,
        lambda: path.symlink_to("gone"),
        lambda: os.mkfifo(path),  # which would never end
    )
    for put in puts:
        put()
        code, _, err = run(shows, "--from", "edl")
        assert code == 1
        assert err == f"error: {path}: no file; remove or rename it\n"
        path.rmdir() if path.is_dir() else path.unlink()


def test_an_id_is_the_file_s_name_after_its_series_where_folders_alone_tell_it() -> None:
    ids = {
        "/media/Show/Show.S01E02.1080p.mkv": "Show.S01E02.1080p",
        "/media/Show/Season 1/S01E02.mkv": "show S01E02",
        "/media/Кино/03.mp4": "кино 03",
        "/media/cafe\u0301 s01e01.mkv": "caf\u00e9 s01e01",
    }
    assert {name: id_of(Path(name)) for name in ids} == ids


def test_two_videos_of_one_id_are_both_named(shows: Path, run: Import) -> None:
    (shows / "Show/Show S01E01.edl").write_text("5 12 3\n")
    (shows / "Show/Show S01E01.mp4").write_bytes(b"other")
    code, _, err = run(shows, "--from", "edl")
    assert code == 1
    assert "has the id 'Show S01E01', which " in err
    assert "rename one of the two" in err


def test_a_name_that_can_be_no_id_is_refused_with_its_video(shows: Path, run: Import) -> None:
    (shows / "Show/Show.. S01E03.mkv").write_bytes(b"x")
    (shows / "Show/Show.. S01E03.edl").write_text("5 12 3\n")
    code, _, err = run(shows, "--from", "edl")
    assert code == 1
    assert "Show.. S01E03.mkv: the id 'Show.. S01E03' holds '..'" in err

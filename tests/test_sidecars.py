"""Sidecars, read by those who will read them: Kodi's rules, FFmpeg, the label reader."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from conftest import write_toy_video
from library_cases import packets, read_chapters, read_edl
from skipintro.core.errors import InputError
from skipintro.core.files import atomic_write, sha256_of_file
from skipintro.episodes.labels import read_labels
from skipintro.library.cache import Cache, CacheUnusableError
from skipintro.library.enums import Kind
from skipintro.library.sidecar_writer import Writer
from skipintro.sidecars import chapters, edl, labels, segments
from skipintro.sidecars.chapters import with_intros
from skipintro.sidecars.mux import write_copy
from skipintro.sidecars.result import Finding, Interval, is_muxed, muxed_place
from skipintro.video.titles import Chapter

NAME = "Мой «сериал» 🎬 it's #1; a=b S01E01.mkv"


def finding(video: Path, interval: Interval | None = (12.345, 24.0)) -> Finding:
    return Finding(video, "my show", 60.0, interval, None if interval is None else 0.9)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return tmp_path / NAME


def written(path: Path, text: str | None) -> Path:
    assert text is not None
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_an_edl_follows_kodi_s_rules_and_lies_where_kodi_looks(video: Path) -> None:
    path = written(edl.path_for(video), edl.text(finding(video)))
    assert path.name == NAME.removesuffix(".mkv") + ".edl"
    assert read_edl(path) == [(12.345, 24.0, 3)]
    assert read_edl(written(path, edl.text(finding(video), action=0))) == [(12.345, 24.0, 0)]


def test_the_strict_reader_of_edl_refuses_what_kodi_does(tmp_path: Path) -> None:
    for text in ("5 3 3\n", "1,5 2 3\n", "1 2 4\n", "1 2\n", "1 2 3"):
        with pytest.raises(AssertionError):
            read_edl(written(tmp_path / "x.edl", text))


def test_ffmpeg_reads_the_chapters_with_one_after_the_intro_to_jump_to(video: Path) -> None:
    path = written(chapters.path_for(video), chapters.text(finding(video)))
    assert read_chapters(path) == [
        (0.0, 12.345, "Episode"),
        (12.345, 24.0, "Intro"),
        (24.0, 60.0, "Episode"),
    ]


def test_titles_with_ffmpeg_s_special_letters_come_back_as_they_were(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "a=b; c # d \\ e\nf"
    monkeypatch.setattr(chapters, "INTRO", title)
    path = written(chapters.path_for(video), chapters.text(finding(video)))
    assert title in [name for _, _, name in read_chapters(path)]


def test_segments_are_jellyfin_s_fields_in_ticks_of_100_ns(video: Path) -> None:
    text = segments.text(finding(video))
    assert text is not None
    assert json.loads(text) == {
        "Items": [{"Type": "Intro", "StartTicks": 123_450_000, "EndTicks": 240_000_000}],
        "TotalRecordCount": 1,
        "StartIndex": 0,
    }


@pytest.mark.parametrize("interval", [(12.345, 24.0), None])
def test_a_label_sidecar_is_read_as_a_label_file(video: Path, interval: Interval | None) -> None:
    path = written(labels.path_for(video), labels.text(finding(video, interval)))
    [(episode, label)] = read_labels(path).items()
    assert episode == video.stem
    assert label.series == "my show"
    assert (label.start_s, label.end_s) == (interval or (None, None))


def test_a_file_of_two_openings_has_both_in_every_sidecar(video: Path) -> None:
    told = replace(finding(video, (2.5, 10.0)), further=((30.0, 37.5),))
    assert read_edl(written(edl.path_for(video), edl.text(told))) == [(2.5, 10, 3), (30, 37.5, 3)]
    assert read_chapters(written(chapters.path_for(video), chapters.text(told))) == [
        (0, 2.5, "Episode"),
        (2.5, 10, "Intro"),
        (10, 30, "Episode"),
        (30, 37.5, "Intro"),
        (37.5, 60, "Episode"),
    ]
    server = json.loads(segments.text(told) or "")
    assert [(one["Type"], one["StartTicks"], one["EndTicks"]) for one in server["Items"]] == [
        ("Intro", 25_000_000, 100_000_000),
        ("Intro", 300_000_000, 375_000_000),
    ]
    assert server["TotalRecordCount"] == 2
    [label] = read_labels(written(labels.path_for(video), labels.text(told))).values()
    assert (label.start_s, label.end_s, label.further) == (2.5, 10, ((30, 37.5),))


def test_without_an_intro_players_get_nothing(video: Path) -> None:
    told = finding(video, None)
    assert (edl.text(told), chapters.text(told), segments.text(told)) == (None, None, None)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.0, 10.0), [(0, 10, "Intro"), (10, 60, "Episode")]),
        ((50.0, 60.0), [(0, 50, "Episode"), (50, 60, "Intro")]),
    ],
)
def test_an_intro_at_an_end_of_the_video_has_one_neighbour(
    interval: Interval, expected: list[tuple[float, float, str]]
) -> None:
    found = [(one.start_s, one.end_s, one.title) for one in with_intros((), [interval], 60.0)]
    assert found == expected


def test_known_chapters_keep_what_the_intro_leaves_of_them() -> None:
    known = [Chapter(0, 20, "One"), Chapter(20, 22, "Two"), Chapter(22, 60, "Three")]
    found = with_intros(known, [(15.0, 30.0)], 60.0)
    assert [(one.start_s, one.end_s, one.title) for one in found] == [
        (0, 15, "One"),
        (15, 30, "Intro"),
        (30, 60, "Three"),
    ]


def test_chapters_of_a_video_that_has_an_opening_of_its_own_stay_as_they_are(video: Path) -> None:
    known = (Chapter(0, 20, "One"), Chapter(20, 50, "Vorspann"), Chapter(50, 60, "Three"))
    assert with_intros(known, [(15.0, 30.0)], 60.0) == [*known]
    told = replace(finding(video), chapters=known)
    assert read_chapters(written(chapters.path_for(video), chapters.text(told))) == [
        (0, 20, "One"),
        (20, 50, "Vorspann"),
        (50, 60, "Three"),
    ]


def with_sound(silent: Path, path: Path) -> Path:
    """Return the video a track of noise and two chapters, without encoding its pictures anew."""
    noise = np.random.default_rng(0).normal(0, 3000, (1, 48000 * 26)).astype(np.int16)
    with av.open(str(silent)) as source, av.open(str(path), "w") as target:
        pictures = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("aac", rate=48000)
        sound.disposition = av.stream.Disposition.forced
        target.metadata["title"] = "Ünïcode"
        target.set_chapters(
            [
                {"id": i, "start": a, "end": b, "time_base": Fraction(1), "metadata": {"title": t}}
                for i, (a, b, t) in enumerate([(0, 10, "One"), (10, 26, "Two")])
            ]
        )
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = pictures
                target.mux(packet)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        frame.sample_rate = 48000
        for packet in [*sound.encode(frame), *sound.encode()]:
            target.mux(packet)
    return path


def dispositions(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [int(stream.disposition) for stream in container.streams]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_copy_has_the_intro_as_a_chapter_and_the_very_packets_of_its_original(
    tmp_path: Path, suffix: str
) -> None:
    write_toy_video(tmp_path / "silent.mp4", 5, seconds=26)
    video = with_sound(tmp_path / "silent.mp4", (tmp_path / NAME).with_suffix(suffix))
    before = sha256_of_file(video)
    copy = muxed_place(video)
    write_copy(Finding(video, "x", 26.0, (5.0, 21.0), 0.9), copy)
    two = tmp_path / f"two{suffix}"
    write_copy(Finding(video, "x", 26.0, (1.0, 4.0), 0.9, further=((12.0, 15.0),)), two)
    assert [one for one in read_chapters(two) if one[2] == "Intro"] == [
        (1, 4, "Intro"),
        (12, 15, "Intro"),
    ]
    assert packets(two) == packets(video)
    assert is_muxed(copy)
    assert not is_muxed(video)
    assert read_chapters(copy) == [(0, 5, "One"), (5, 21, "Intro"), (21, 26, "Two")]
    assert packets(copy) == packets(video)
    assert {kind for kind, _ in packets(copy)} == {"video", "audio"}
    assert dispositions(copy) == dispositions(video)
    with av.open(str(copy)) as container:
        assert container.metadata["title"] == "Ünïcode"
    assert sha256_of_file(video) == before


def test_a_copy_that_fails_leaves_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"no video")
    for video, reason in ((broken, "cannot be copied"), (tmp_path / "old.avi", "--write")):
        copy = muxed_place(video)
        with pytest.raises(InputError, match=reason), atomic_write(copy) as draft:
            write_copy(finding(video), draft)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mkv"]


def test_what_is_no_file_is_never_taken_for_nothing_nor_replaced(
    tmp_path: Path, video: Path
) -> None:
    place = edl.path_for(video)
    memory = Cache(tmp_path / "cache")
    puts: tuple[Callable[[], None], ...] = (
        lambda: place.symlink_to(tmp_path / "gone"),
        lambda: place.symlink_to(place),
        lambda: os.mkfifo(place),  # which would never end
    )
    for put in puts:
        put()
        before = place.lstat()
        writer = Writer(memory, overwrite=True, edl_action=3)
        writer.write(finding(video), [Kind.EDL], mux=False)
        assert [fault.startswith(f"{place}: no file") for fault in writer.written.faults] == [True]
        assert place.lstat() == before
        place.unlink()
    memory.close()


def test_a_memory_that_cannot_be_used_is_no_fault_of_one_sidecar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Cache(tmp_path / "cache")

    def fail(*_: object) -> None:
        raise CacheUnusableError("no room")

    monkeypatch.setattr(memory, "put", fail)
    writer = Writer(memory, overwrite=False, edl_action=3)
    with pytest.raises(CacheUnusableError):
        writer.write(finding(tmp_path / "video.mp4"), [Kind.EDL], mux=False)
    assert writer.written.faults == []
    memory.close()

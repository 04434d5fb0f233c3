"""Walking a library, remembering, refining, snapping, and which model is meant."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from conftest import EMBEDDING, ENCODER
from damage_cases import flip_bit
from experiment_cases import copy_empty_store
from library_cases import HEAD, names
from skipintro.core.errors import InputError
from skipintro.core.files import atomic_write, sha256_of_file, sha256_of_json, write_json
from skipintro.detection.folder import HeadDetectorConfig
from skipintro.detection.kinds import DETECTION_FILE
from skipintro.episodes.embeddings import EmbedManifest
from skipintro.episodes.naming import series_of_files
from skipintro.library.cache import Cache, content_of
from skipintro.library.discovery import find_series
from skipintro.library.enums import Form, Kind, Source
from skipintro.library.models import USUAL_NAME, find_model
from skipintro.library.output import Row, print_rows
from skipintro.library.postprocess import Rule, refine
from skipintro.library.results import Result
from skipintro.library.shot_boundaries import snapped
from skipintro.library.sidecar_writer import Writer
from skipintro.sidecars.result import Finding
from skipintro.video.decoding import grey_thumbnails
from skipintro.video.encoding import encode_h264
from video_cases import SOUND_HZ, write_silence

# Walking


CHAMPION = f"models:/{USUAL_NAME}@champion"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_seasons_are_walked_and_series_are_told_by_folder_and_name(tmp_path: Path) -> None:
    touch(
        tmp_path / "Мой сериал 🎬" / "Season 1" / "S1E2.mkv",
        tmp_path / "Мой сериал 🎬" / "Season 1" / "S1E10.mkv",
        tmp_path / "Мой сериал 🎬" / "Season 2" / "S2E1.MKV",
        tmp_path / 'It\'s "this" Show S01E01.mp4',
        tmp_path / "notes.txt",
        tmp_path / ".hidden" / "S01E01.mkv",
        tmp_path / "._S01E01.mkv",
    )
    one, other = find_series([tmp_path], 0)
    assert one.name == 'it\'s "this" show'
    assert names(other.videos) == ["S1E2.mkv", "S1E10.mkv", "S2E1.MKV"]
    assert other.asked == frozenset(other.videos)


def test_a_file_under_two_names_counts_once_and_links_in_a_ring_end(tmp_path: Path) -> None:
    touch(tmp_path / "far" / "Show S01E01.mkv")
    library = tmp_path / "library"
    library.mkdir()
    (library / "Show S01E01.mkv").symlink_to(tmp_path / "far" / "Show S01E01.mkv")
    (library / "again.mkv").symlink_to(library / "Show S01E01.mkv")
    (library / "ring").symlink_to(library)
    (library / "other ring").symlink_to(library)  # two rings: 2^40 ways, if none is remembered
    (library / "gone.mkv").symlink_to(tmp_path / "nowhere.mkv")
    [series] = find_series([library, library / "Show S01E01.mkv"], 4)
    assert series.videos == (library / "Show S01E01.mkv",)


def test_a_single_file_brings_its_nearest_siblings_along_but_does_not_ask_for_them(
    tmp_path: Path,
) -> None:
    episodes = [tmp_path / f"Show S01E{number:02}.mkv" for number in range(1, 10)]
    touch(*episodes, tmp_path / "Other S01E05.mkv")
    [series] = find_series([episodes[4]], 2)
    assert series.videos == tuple(episodes[3:6])
    assert series.asked == {episodes[4]}
    [series] = find_series([episodes[0]], 0)
    assert series.videos == (episodes[0],)


def test_a_folder_is_read_once_however_many_of_its_files_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes = [tmp_path / f"Show S01E{number:02}.mkv" for number in range(1, 41)]
    touch(*episodes)
    told: list[Path] = []

    def counted(paths: Sequence[Path]) -> list[str]:
        told.extend(paths)
        return series_of_files(paths)

    monkeypatch.setattr("skipintro.library.discovery.series_of_files", counted)
    [series] = find_series(episodes[::2], 1)
    assert series.videos == tuple(episodes[:-1])  # each brings the one before it along, or after
    assert series.asked == frozenset(episodes[::2])
    assert len(told) <= 3 * len(episodes)


def test_patterns_that_no_shell_has_read_are_read_and_a_name_that_looks_like_one_is_a_name(
    tmp_path: Path,
) -> None:
    touch(tmp_path / "a" / "Show S01E01.mkv", tmp_path / "Other [x] S01E02.mkv")
    assert len(find_series([tmp_path / "**" / "*.mkv"], 0)) == 2
    [series] = find_series([tmp_path / "Other [x] S01E02.mkv"], 0)
    assert names(series.videos) == ["Other [x] S01E02.mkv"]
    with pytest.raises(InputError, match="nowhere"):
        find_series([tmp_path / "nowhere"], 0)


@pytest.mark.parametrize(
    "name",
    [
        *("Show S01E01-trailer.mkv", "Show.S01E01.sample.mkv", "sample.mkv", "Show-featurette.mkv"),
        *("Show S01E01-behindthescenes.mkv", "Behind the Scenes of Show.mkv", "Show - NCOP1.mkv"),
        *("Extras/Making of.mkv", "featurettes/01.mkv", "Season 1/Sample/abc.mkv", "VIDEO_TS.vob"),
        "Disc 1/VIDEO_TS/VTS_01_0.VOB",
    ],
)
def test_trailers_samples_and_such_are_no_episodes_unless_given_by_themselves(
    tmp_path: Path, name: str
) -> None:
    episode, extra = tmp_path / "Show/Show S01E02.mkv", tmp_path / "Show" / name
    touch(episode, extra)
    [series] = find_series([tmp_path], 0)
    assert series.videos == (episode,)
    assert extra in {video for series in find_series([extra], 0) for video in series.asked}


@pytest.mark.parametrize(
    "name",
    [
        *("Extras/Season 1/Extras S01E01.mkv", "Extras/Extras - 1x02.mkv"),
        *("Show/Show S01E03 - The Sample.mkv", "Show/Show S01E04 Behind the Scenes.mkv"),
        *("Show/Trailer Park S01E01.mkv", "Show/Disc 1/VIDEO_TS/VTS_01_1.VOB"),
    ],
)
def test_an_episode_that_is_called_like_an_extra_is_one(tmp_path: Path, name: str) -> None:
    touch(tmp_path / name)
    [series] = find_series([tmp_path], 0)
    assert series.videos == (tmp_path / name,)


def test_what_leads_to_a_video_elsewhere_and_what_tells_of_one_are_passed_over(
    tmp_path: Path,
) -> None:
    touch(*(tmp_path / f"Show S01E01.{suffix}" for suffix in ("mkv", "strm", "nfo", "url", "srt")))
    [series] = find_series([tmp_path], 0)
    assert names(series.videos) == ["Show S01E01.mkv"]


@pytest.mark.parametrize(
    ("suffix", "form", "codec"),
    [
        *((".vob", "vob", "mpeg2video"), (".m2v", "mpeg2video", "mpeg2video")),
        *((".ogg", "ogg", "vp8"), (".ogm", "ogg", "vp8"), (".3gp", "3gp", "mpeg4")),
        *((".divx", "avi", "mpeg4"), (".rm", "rm", "rv10"), (".m2ts", "mpegts", "libx264")),
    ],
)
def test_containers_of_many_kinds_are_looked_at_in_folders_and_decoded(
    tmp_path: Path, suffix: str, form: str, codec: str
) -> None:
    path = tmp_path / f"Show S01E01{suffix}"
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuv420p"
        picture = np.full((144, 176, 3), 128, np.uint8)
        for _ in range(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    [series] = find_series([tmp_path], 0)
    assert series.videos == (path,)
    assert len(list(grey_thumbnails(path, rate=4))) in {8, 9}


def test_music_in_ogg_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "Show theme.ogg"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=SOUND_HZ)
        write_silence(container, stream, 1.0)
    assert find_series([tmp_path], 0) == []


def test_copies_with_chapters_are_no_episodes_but_a_lone_file_of_such_a_name_is(
    tmp_path: Path,
) -> None:
    touch(*(tmp_path / f"Show S01E0{n}.mkv" for n in ("1", "1.chapters", "2.chapters")))
    [series] = find_series([tmp_path], 0)
    assert names(series.videos) == ["Show S01E01.mkv", "Show S01E02.chapters.mkv"]


# Remembering


def test_a_file_is_read_again_only_when_its_size_or_time_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, path, read = Cache(tmp_path / "cache"), tmp_path / "x.mkv", []

    def counted(file: Path) -> str:
        read.append(file)
        return sha256_of_file(file)

    monkeypatch.setattr("skipintro.library.cache.sha256_of_file", counted)
    path.write_bytes(b"one")
    first = content_of(path, memory)
    assert content_of(path, Cache(tmp_path / "cache")) == first
    assert len(read) == 1
    path.write_bytes(b"two")  # of the same size
    os.utime(path, ns=(0, 1))
    assert content_of(path, memory) != first
    assert len(read) == 2


def test_a_broken_memory_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "results.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match=r"results\.sqlite: cannot be used .* delete it"):
        Cache(tmp_path)


def test_an_answer_that_is_damaged_or_another_s_is_forgotten(tmp_path: Path) -> None:
    memory = Cache(tmp_path)
    memory.put("series", "a", [[36.0, [4.0, 20.0], 0.9]])
    memory.put("series", "b", [[36.0, None, None]])
    change = "UPDATE results SET value = {} WHERE key = 'a'"
    for value in (
        "replace(value, '20.0', '28.0')",
        "(SELECT value FROM results WHERE key = 'b')",
        "'[[36.0, [4.0, 28.0], 0.9]]'",  # of an earlier version
        "x'00ff'",
        "NULL",
    ):
        memory.put("series", "a", [[36.0, [4.0, 20.0], 0.9]])
        with closing(sqlite3.connect(tmp_path / "results.sqlite")) as other, other:
            assert other.execute(change.format(value)).rowcount == 1
        assert memory.get("series", "a") is None
        assert memory.get("series", "b") == [[36.0, None, None]]


def test_a_full_disk_under_the_memory_is_told_with_its_own_remedy(tmp_path: Path) -> None:
    memory = Cache(tmp_path)
    memory._values.execute("PRAGMA max_page_count = 2")
    with pytest.raises(InputError, match=r"results\.sqlite: .*full\); free some space"):
        memory.put("x", "y", "long" * 10_000)


def test_two_runs_may_share_a_memory(tmp_path: Path) -> None:
    one, other = Cache(tmp_path), Cache(tmp_path)
    for number in range(20):
        one.put("x", str(number), [number])
        other.put("y", str(number), {"ключ": None})
    assert other.get("x", "19") == [19]
    assert one.get("y", "0") == {"ключ": None}
    assert one.get("x", "20") is None
    other.close()
    with pytest.raises(InputError):
        other.get("x", "19")
    assert isinstance(sqlite3.sqlite_version, str)


# Refining


def result(**changes: Any) -> Result:
    fields = {"length_s": 100.0, "intervals": ((20.0, 30.0),), "confidence": 0.8, **changes}
    return Result(Path("x.mkv"), "x", "ab", **fields)


def nowhere(_: Result, second: float) -> float:
    raise AssertionError(f"{second} s is not to be snapped")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(), (20, 30)),
        (Rule(pad_start_s=1.5, pad_end_s=0.25), (18.5, 30.25)),
        (Rule(pad_start_s=-1.5, pad_end_s=-0.25), (21.5, 29.75)),
        (Rule(pad_start_s=50, pad_end_s=500), (0, 100)),
        (Rule(pad_start_s=-6, pad_end_s=-6), None),
    ],
)
def test_an_interval_is_refined_as_the_rule_says(rule: Rule, expected: Any) -> None:
    found = refine(result(), rule, nowhere)
    assert found.interval == expected
    assert found.confidence == (None if expected is None else 0.8)


def test_what_a_person_or_the_file_itself_says_is_taken_as_it_is() -> None:
    for source in (Source.SETTINGS, Source.CHAPTER):
        told = result(source=source, confidence=0.5)
        found = refine(told, Rule(snap=True, pad_start_s=1, pad_end_s=1), nowhere)
        assert (found.interval, found.confidence, found.source) == ((20, 30), 0.5, source)


def test_snapped_ends_are_rounded_to_milliseconds_before_anything_else_sees_them() -> None:
    found = refine(result(), Rule(snap=True, pad_end_s=1), lambda _, second: second + 1 / 3)
    assert found.interval == (20.333, 31.333)


def test_each_of_two_intervals_is_refined_and_those_that_meet_are_one() -> None:
    double = result(intervals=((20.0, 30.0), (60.0, 70.0)))
    found = refine(double, Rule(pad_start_s=2), nowhere)
    assert [*found.intervals] == [(18, 30), (58, 70)]
    assert refine(double, Rule(pad_end_s=31), nowhere).intervals == ((20, 100),)
    assert refine(double, Rule(pad_start_s=-6, pad_end_s=-6), nowhere).intervals == ()


def test_csv_and_table_have_a_line_for_each_interval(capsys: pytest.CaptureFixture[str]) -> None:
    found = Finding(
        Path("Show S01E01-E02.mkv"), "show", 90, (1.0, 2.5), 0.9, further=((60.0, 61.5),)
    )
    print_rows(
        [Row(found), Row(Finding(Path("Show S01E03.mkv"), "show", 90, (3.0, 4.5), 0.8))], Form.CSV
    )
    assert [line.split(",")[2:5] for line in capsys.readouterr().out.splitlines()] == [
        ["start_s", "end_s", "confidence"],
        ["1.0", "2.5", "0.9"],
        ["60.0", "61.5", "0.9"],
        ["3.0", "4.5", "0.8"],
    ]
    print_rows([Row(found)], Form.TABLE)
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[-4:] == ["0:00:01", "0:00:02.5", "0.90", "detector"]
    assert second.split() == ["0:01:00", "0:01:01.5"]


def test_nothing_found_stays_nothing() -> None:
    assert refine(result(intervals=(), confidence=None), Rule(snap=True), nowhere).interval is None


# Snapping


def shots(path: Path, rate: Fraction, *levels: tuple[int, int]) -> Path:
    """Write shots of `(frames, brightness)`, with noise that is no cut."""
    rng = np.random.default_rng(0)

    def frames() -> Any:
        for n_frames, level in levels:
            for _ in range(n_frames):
                noise = rng.integers(0, 8, (36, 64, 3))
                yield np.clip(level + noise, 0, 255).astype(np.uint8)

    encode_h264(path, frames(), rate, crf=23, keyframe_interval=48)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(("second", "expected"), [(5.0, 5.48), (6.0, 5.48), (9.0, 9.0)])
def test_an_end_goes_to_the_very_frame_of_a_hard_cut_within_a_second(
    tmp_path: Path, suffix: str, second: float, expected: float
) -> None:
    path = shots(tmp_path / f"x{suffix}", Fraction(25), (137, 60), (163, 180))
    assert snapped(path, second) == pytest.approx(expected, abs=1e-9)


def test_at_an_odd_rate_the_cut_is_exact_to_the_frame(tmp_path: Path) -> None:
    rate = Fraction(24000, 1001)
    path = shots(tmp_path / "x.mp4", rate, (100, 60), (100, 180))
    assert snapped(path, 4.0) == pytest.approx(float(100 / rate), abs=1e-9)


def test_the_nearer_of_two_cuts_counts_and_the_beginning_is_one(tmp_path: Path) -> None:
    path = shots(tmp_path / "x.mp4", Fraction(10), (34, 60), (12, 180), (30, 60))
    assert snapped(path, 4.0) == pytest.approx(3.4)  # both as near: the earlier one
    assert snapped(path, 4.1) == pytest.approx(4.6)
    assert snapped(path, 1.0) == 0.0
    assert snapped(path, 2.0) == 2.0


def test_black_frames_draw_an_end_to_them_through_a_fade(tmp_path: Path) -> None:
    down = [(1, level) for level in range(100, 0, -10)]
    path = shots(tmp_path / "x.mp4", Fraction(10), (20, 100), *down, (3, 0), *down[::-1], (20, 100))
    assert snapped(path, 2.6) == pytest.approx(3.0)
    assert snapped(path, 4.0) == pytest.approx(3.2)


# Writing


def write(
    place: Path, interval: tuple[float, float] | None, *, overwrite: bool = False
) -> tuple[Writer, Path]:
    video = place / "Show S01E01.mkv"
    writer = Writer(Cache(place / "cache"), overwrite=overwrite, edl_action=3)
    writer.write(Finding(video, "show", 60.0, interval, 0.9), [Kind.EDL], mux=False)
    return writer, video.with_suffix(".edl")


def test_our_own_sidecar_follows_the_results_and_goes_with_the_intro(tmp_path: Path) -> None:
    writer, path = write(tmp_path, (1, 2))
    assert (writer.written.made, path.read_text()) == (1, "1.000\t2.000\t3\n")
    assert write(tmp_path, (1, 2))[0].written.in_place == 1
    write(tmp_path, (1, 3))
    assert path.read_text() == "1.000\t3.000\t3\n"
    assert write(tmp_path, None)[0].written.removed == 1
    assert not path.exists()


def test_a_sidecar_of_someone_else_or_changed_by_hand_is_kept_unless_told(tmp_path: Path) -> None:
    _, path = write(tmp_path, (1, 2))
    path.write_text("7.0 8.0 0\n")
    for interval in ((1.0, 3.0), None):
        writer, _ = write(tmp_path, interval)
        assert writer.written.kept == [path]
        assert path.read_text() == "7.0 8.0 0\n"
    write(tmp_path, (1, 3), overwrite=True)
    assert path.read_text() == "1.000\t3.000\t3\n"


def test_of_two_videos_that_share_a_sidecar_s_name_the_first_one_s_stays(tmp_path: Path) -> None:
    for _ in range(2):
        writer = Writer(Cache(tmp_path / "cache"), overwrite=False, edl_action=3)
        for suffix, interval in ((".mkv", (1.0, 2.0)), (".mp4", (5.0, 6.0))):
            told = Finding(tmp_path / f"Show S01E01{suffix}", "show", 60.0, interval, 0.9)
            writer.write(told, [Kind.EDL], mux=False)
        assert (writer.written.kept, len(writer.written.shared)) == ([], 1)
        assert (tmp_path / "Show S01E01.edl").read_text().startswith("1.000")


def test_a_library_that_cannot_be_written_is_a_fault_by_name_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "Show S01E01.edl").mkdir()
    writer, _ = write(tmp_path, (1, 2))
    [fault] = writer.written.faults
    assert "Show S01E01.edl" in fault


# Which model


def detector(folder: Path, word: str = "x") -> Path:
    folder.mkdir(parents=True)
    for name in ("detection.json", "config.json", "model.safetensors"):
        (folder / name).write_text(word)
    return folder


def test_a_folder_is_known_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    memory = Cache(tmp_path / "cache")
    one, warning = find_model(str(detector(tmp_path / "one")), None, memory)
    same, _ = find_model(str(detector(tmp_path / "two")), None, memory)
    other, _ = find_model(str(detector(tmp_path / "three", "y")), None, memory)
    assert warning == ""
    assert one.identity == same.identity != other.identity


def test_a_config_that_was_damaged_is_another_model_whatever_its_time_says(tmp_path: Path) -> None:
    memory = Cache(tmp_path / "cache")
    folder = detector(tmp_path / "model", "word")
    first, _ = find_model(str(folder), None, memory)
    flip_bit(folder / "detection.json", seed=1)
    assert find_model(str(folder), None, memory)[0].identity != first.identity


def test_a_folder_that_is_no_detector_and_a_name_that_is_nothing_are_told(tmp_path: Path) -> None:
    memory = Cache(tmp_path / "cache")
    with pytest.raises(InputError, match=r"detection\.json is missing"):
        find_model(str(tmp_path), None, memory)
    with pytest.raises(InputError, match="no such folder; give"):
        find_model("champion", None, memory)


def described(folder: Path, **changes: Any) -> Path:
    """Return a detector's folder whose files have their hashes in detection.json."""
    hashes = {name: sha256_of_file(folder / name) for name in ("config.json", "model.safetensors")}
    head = HEAD.model_copy(update=changes)
    config = HeadDetectorConfig(head=head, embedding=EMBEDDING, sha256=hashes)
    write_json(folder / DETECTION_FILE, config)
    return folder


def test_a_folder_that_was_replaced_meanwhile_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    one = described(detector(tmp_path / "one"))
    model, _ = find_model(str(one), None, Cache(tmp_path / "cache"))
    with model.opened() as folder:
        assert folder == one
    described(one, threshold=0.6)
    with pytest.raises(InputError, match="replaced meanwhile; start again"), model.opened():
        pass


def test_a_flipped_bit_that_size_and_time_do_not_tell_is_named(tmp_path: Path) -> None:
    memory = Cache(tmp_path / "cache")
    folder = described(detector(tmp_path / "one"))
    find_model(str(folder), None, memory)
    flip_bit(folder / "model.safetensors", 3)
    for _ in range(2):
        model, _ = find_model(str(folder), None, memory)
        with pytest.raises(InputError, match=r"model\.safetensors: its .*; restore it"):
            model.opened().__enter__()


def trained(folder: Path, detector: str = "openings") -> Path:
    """Return a checkout whose train and fit stages have run."""
    for name in ("train/config.json", "train/model.safetensors"):
        touch(folder / "models" / name)
    for name in ("fit/openings.json", "fit/openings.safetensors"):
        touch(folder / "models" / name)
    (folder / "params.yaml").write_text(f"evaluate: {{detector: {detector}}}\n")
    embedded_with(folder)
    return folder


def embedded_with(folder: Path, **changes: Any) -> None:
    """Write what the embed stage of a checkout tells."""
    manifest = EmbedManifest(
        encoder=ENCODER,
        embedding=EMBEDDING.model_copy(update=changes),
        precision="fp32",
        episodes=[],
        left_out={},
        arithmetic="portable",
        versions={},
    )
    write_json(folder / "data" / "embed" / "manifest.json", manifest)


def test_without_a_champion_the_detector_of_the_package_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    memory, checkout = Cache(tmp_path / "cache"), trained(tmp_path / "checkout")
    for place in (checkout, None):
        model, warning = find_model(None, place, memory)
        assert (model.title, warning) == ("the detector that comes with skipintro", "")
        with model.opened() as folder:
            assert {path.name for path in folder.iterdir()} > {"openings.json", "README.md"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/gone.db")
    with pytest.raises(InputError, match=r"no store at .*gone.db; set MLFLOW_TRACKING_URI to"):
        find_model(None, checkout, memory)


@pytest.mark.parametrize(("detector", "folder"), [("openings", "fit"), ("head", "train")])
def test_the_last_trained_model_serves_where_it_is_asked_for_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detector: str, folder: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    memory, checkout = Cache(tmp_path / "cache"), trained(tmp_path / "checkout", detector)
    model, warning = find_model("last-trained", checkout, memory)
    assert "which no gate has judged" in warning
    [weights] = (checkout / "models" / folder).glob("*.safetensors")
    weights.write_bytes(b"other")
    trained_anew, _ = find_model("last-trained", checkout, memory)
    assert trained_anew.identity != model.identity
    embedded_with(checkout, search=600)
    same = find_model("last-trained", checkout, memory)[0].identity == trained_anew.identity
    assert same == (detector == "openings")  # which goes by no embedding
    with pytest.raises(InputError, match="no store at"):
        find_model(CHAMPION, checkout, memory)
    weights.unlink()
    for place in (checkout, None):
        with pytest.raises(InputError, match="last-trained: no trained one here"):
            find_model("last-trained", place, memory)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MLflow's own queries
def test_the_champion_is_asked_for_once_and_a_new_one_is_noticed(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient  # noqa: PLC0415  takes seconds

    from skipintro.tracking import registry  # noqa: PLC0415
    from skipintro.tracking.publish import MODEL_TAG  # noqa: PLC0415

    def of(model: Path) -> str:
        folder = model / "artifacts" / "detector"
        return sha256_of_json({path.name: sha256_of_file(path) for path in folder.iterdir()})

    copy_empty_store(empty_store, tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = MlflowClient(uri)
    client.create_registered_model("intro-detector")
    for word in ("one", "two"):
        model = tmp_path / word
        detector(model / "artifacts" / "detector", word)
        (model / "MLmodel").write_text(
            "flavors: {python_function: {artifacts: {detector: {path: artifacts/detector}}}}"
        )
        client.create_model_version("intro-detector", model.as_uri(), tags={MODEL_TAG: of(model)})
    memory = Cache(tmp_path / "cache")
    checkout = trained(tmp_path / "checkout")
    for place in (None, checkout, checkout):
        found, warning = find_model(None, place, memory)
        assert (found.title, warning) == ("the detector that comes with skipintro", "")
    asked = []

    def counted(*words: Any) -> Any:
        asked.append(words)
        return registry_fetch(*words)

    registry_fetch = registry.fetch
    monkeypatch.setattr(registry, "fetch", counted)
    client.set_registered_model_alias("intro-detector", "champion", "1")
    first, warning = find_model(None, checkout, memory)
    again, _ = find_model(None, checkout, memory)
    assert warning == ""
    assert first.identity == again.identity
    assert len(asked) == 1
    with first.opened() as folder:
        assert (folder / "config.json").read_text() == "one"
    client.set_registered_model_alias("intro-detector", "champion", "2")
    second, _ = find_model(None, checkout, memory)
    assert second.identity != first.identity
    assert find_model("models:/intro-detector/1", None, memory)[0].identity == first.identity
    with pytest.raises(InputError, match="models:/intro-detector/3: not found"):
        find_model("models:/intro-detector/3", None, memory)
    (tmp_path / "two" / "artifacts" / "detector" / "config.json").write_text("changed")
    for wanted in (None, CHAMPION, "models:/intro-detector/2"):  # not replaced by the last trained
        with pytest.raises(InputError, match="its files are not those that were registered as"):
            find_model(wanted, checkout, memory)


@pytest.mark.parametrize("wanted", [None, CHAMPION])
def test_an_address_is_told_without_its_secrets(
    wanted: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Cache(tmp_path / "cache")
    for uri in (
        "http://user:hunter2@127.0.0.1:9",
        "postgresql://user:hunter2@127.0.0.1:9/db",  # with a driver and without
        f"sqlite:///{tmp_path}/gone.db?key=hunter2",
    ):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(InputError) as caught:
            find_model(wanted, None, memory)
        assert "hunter2" not in str(caught.value)


def test_a_name_that_is_no_text_is_told_and_remembered_nowhere(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"Show S01E01 \xff.mkv")
    touch(path)
    with pytest.raises(InputError, match=r"S01E01 \\udcff\.mkv: its name, or a folder's, is not"):
        content_of(path, Cache(tmp_path / "cache"))


@pytest.mark.parametrize("moment", ["before the file", "after the file"])
def test_a_sidecar_of_a_run_that_was_killed_is_ours_and_its_draft_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    library, memory = tmp_path / "library", Cache(tmp_path / "cache")
    touch(video := library / "a.mp4")

    def write(end_s: float) -> Writer:
        writer = Writer(memory, overwrite=False, edl_action=3)
        finding = Finding(video, "x", 30.0, (5.0, end_s), 0.9)
        writer.write(finding, [Kind.EDL], mux=False)
        return writer

    write(20)
    put = Cache.put

    def killed(self: Cache, kind: str, key: str, value: Any) -> None:
        if kind == "written" and moment == "after the file":
            raise KeyboardInterrupt
        put(self, kind, key, value)
        if kind == "writing" and moment == "before the file":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Cache, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            write(21)
    end = {"before the file": "20", "after the file": "21"}[moment]
    assert video.with_suffix(".edl").read_text("utf-8").split()[1].startswith(end)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with atomic_write(library / "any") as draft:
        name = draft.parent.name.replace(f"-{os.getpid()}.", f"-{gone.pid}.")
        draft.touch()
    touch(library / name / "a.edl")

    written = write(22).written
    assert (written.made, written.kept, written.faults) == (1, [], [])
    assert sorted(path.name for path in library.iterdir()) == ["a.edl", "a.mp4", "any"]
    video.with_suffix(".edl").write_text("by hand", "utf-8")
    assert write(23).written.kept == [video.with_suffix(".edl")]

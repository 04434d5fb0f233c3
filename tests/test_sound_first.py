"""Sound first: what is decoded, what is not, and when all is looked at after all."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import make_once
from skipintro.detectors import SHIPPED
from skipintro.detectors.openings import load_openings
from skipintro.evidence.pictures import picture_track, scattered_track
from skipintro.evidence.recording import record, record_around, record_sound, to_bytes
from skipintro.library import sound_first
from skipintro.library.cache import Cache
from skipintro.library.discovery import find_series
from skipintro.library.models import find_model
from skipintro.library.proposals import Policy
from skipintro.library.results import Result, Settings
from skipintro.library.runner import Detection
from skipintro.video.decoding import grey_thumbnails, some_grey_thumbnails
from skipintro.video.encoding import Soundtrack, encode_h264

SETTINGS = load_openings(SHIPPED).config.fingerprint
RATE, HEARD, LENGTH_S, OPENING_S = 4, 16_000, 150, 30
STARTS = (20, 45, 70)
# For episodes that are short.
POLICY = Policy(n_proposals=1, around_s=14, inside_s=3, min_heard=0.5, min_seen=0.5)
SHAPE = (36, 64)


def pictures(seed: int, n_seconds: int) -> NDArray[np.uint8]:
    """Return shots of 3 s that drift, RATE pictures a second."""
    rng = np.random.default_rng([1, seed])
    y, x = np.mgrid[:36, :64]
    shown = []
    for second in range(n_seconds):
        if second % 3 == 0:
            along, colour = rng.uniform(-0.2, 0.2, (3, 2)), rng.integers(40, 200, 3)
        for step in range(RATE):
            phase = (second % 3 + step / RATE) / 3
            waves = sum(np.sin(a * x + b * y + phase) for a, b in along)
            shown.append(np.clip(colour + 25 * np.asarray(waves)[..., None], 0, 255))
    return np.array(shown, np.uint8)


def tune(seed: int, n_seconds: int) -> NDArray[np.float32]:
    """Return notes, four a second."""
    rng, time_s = np.random.default_rng([2, seed]), np.arange(HEARD // 4) / HEARD
    notes = 110 * 2 ** (rng.integers(0, 48, (4 * n_seconds, 3)) / 12)
    tones = np.sin(2 * np.pi * notes[:, :, None] * time_s).sum(axis=1) * np.exp(-4 * time_s)
    return np.asarray(tones.ravel() / 4, np.float32)


def write_episode(path: Path, seed: int, start_s: int, *, is_silent: bool = False) -> None:
    """Write an episode of its own but for the opening."""
    shown, heard = pictures(seed, LENGTH_S), tune(seed, LENGTH_S)
    stop_s = start_s + OPENING_S
    shown[start_s * RATE : stop_s * RATE] = pictures(0, OPENING_S)
    heard[start_s * HEARD : stop_s * HEARD] = tune(0, OPENING_S)
    sound = Soundtrack(heard, HEARD, 64_000)
    path.parent.mkdir(parents=True, exist_ok=True)
    encode_h264(
        path,
        shown,
        Fraction(RATE),
        crf=28,
        keyframe_interval=20,
        sound=None if is_silent else sound,
    )


def write_season(folder: Path) -> None:
    for number, start_s in enumerate(STARTS, 1):
        write_episode(folder / f"Toy S01E0{number}.mkv", number, start_s)
    write_episode(folder / "silent" / "Toy S01E04.mkv", 4, 33, is_silent=True)


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three episodes, and one that is silent in a folder below."""
    return make_once("sounding", tmp_path_factory, write_season)


@pytest.fixture(autouse=True)
def policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_first, "POLICY", POLICY)


def detected(
    paths: list[Path], cache: Path, *, is_sound_first: bool
) -> tuple[Detection, list[Result]]:
    memory = Cache(cache)
    model, _ = find_model(str(SHIPPED), None, memory)
    detection = Detection(model, memory, Settings(sound_first=is_sound_first))
    [results] = detection.results(find_series(paths, 0))
    return detection, results


def kept(cache: Path) -> list[str]:
    """Return of what lies in the cache how much of a video it holds, in order."""
    return sorted("".join(p.suffixes[:-1]) or "whole" for p in cache.rglob("*.npz"))


def test_sound_tells_where_to_look_and_the_intervals_are_those_of_all_pictures(
    season: Path, tmp_path: Path
) -> None:
    """Takes some seconds, of decoding minutes of pictures and sound."""
    videos = sorted(season.glob("*.mkv"))
    _, expected = detected(videos, tmp_path / "thorough", is_sound_first=False)
    detection, results = detected(videos, tmp_path / "sound", is_sound_first=True)
    assert kept(tmp_path / "sound") == [".part"] * 3 + [".sound"] * 3
    assert detection.n_decoded == 3
    for found, start_s in zip(results, STARTS, strict=True):
        assert np.allclose(found.intervals, [(start_s, start_s + OPENING_S)], atol=1)
    all_seen = [result.intervals for result in expected]
    np.testing.assert_allclose([result.intervals for result in results], all_seen, atol=0.25)
    assert set(detection.explained(results)) == set(videos)
    # One more, which is silent, is looked at whole; what was seen of the others is enough.
    before = {part: part.stat().st_mtime_ns for part in (tmp_path / "sound").rglob("*.part.npz")}
    more = sorted(season.rglob("*.mkv"))
    _, results = detected(more, tmp_path / "sound", is_sound_first=True)
    assert kept(tmp_path / "sound") == [".part"] * 3 + [".sound"] * 4 + ["whole"]
    assert {part: part.stat().st_mtime_ns for part in before} == before
    assert all(result.intervals for result in results)


def test_where_few_episodes_are_sure_by_sound_all_are_looked_at(
    season: Path, tmp_path: Path
) -> None:
    """Takes some seconds, of decoding minutes of pictures and sound."""
    videos = sorted(season.rglob("*.mkv"))[::3]
    assert len(videos) == 2
    _, results = detected(videos, tmp_path / "few", is_sound_first=True)
    assert kept(tmp_path / "few") == [".sound"] * 2 + ["whole"] * 2
    _, expected = detected(videos, tmp_path / "thorough", is_sound_first=False)
    assert [a.intervals for a in results] == [a.intervals for a in expected]


def test_groups_that_nobody_wants_are_not_decoded_and_the_others_are_the_same(
    season: Path,
) -> None:
    video = next(season.glob("*.mkv"))
    every = list(grey_thumbnails(video, SHAPE, RATE))
    some = list(
        some_grey_thumbnails(video, SHAPE, RATE, lambda first, stop: first < 50 and stop > 30)
    )
    there = [k for k, picture in enumerate(some) if picture is not None]
    assert set(range(30, 50)) <= set(there)
    assert len(there) < 80  # groups have 20 pictures at most, and the last is decoded anyway
    assert len(some) == len(every)
    for moment in there:
        np.testing.assert_array_equal(some[moment], every[moment])


def test_what_is_seen_around_all_of_a_video_is_what_is_recorded_of_it(season: Path) -> None:
    video = next(season.glob("*.mkv"))
    heard = record_sound(video, SETTINGS, LENGTH_S)
    assert set(heard.tracks) == {"sound"}
    made, seen = record_around(video, SETTINGS, [(0, 10_000)], heard)
    assert seen == [(0, LENGTH_S * RATE)]
    assert to_bytes(made) == to_bytes(record(video, SETTINGS))


def test_moments_that_were_not_seen_say_nothing_and_are_as_usual_as_those_that_were() -> None:
    rng = np.random.default_rng(1)
    shown = rng.integers(0, 256, (40, *SHAPE), np.uint8)
    at = np.r_[4:12, 30:36]
    track = scattered_track(shown[at], at, 40, SETTINGS.pictures)
    assert track.says.nonzero()[0].tolist() == at.tolist()
    seen = picture_track(shown[at], SETTINGS.pictures)
    np.testing.assert_array_equal(track.rows[at], seen.rows)
    within = [k for j, k in pairwise(at) if k == j + 1]  # the picture before is known, too
    np.testing.assert_array_equal(track.change[within], seen.change[np.searchsorted(at, within)])
    assert set(track.level) <= set(seen.level)
    assert set(track.change) <= set(track.change[within])

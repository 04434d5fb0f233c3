"""Fingerprints of pictures and of sound: what they know again, and what they say nothing of."""

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

import test_sound
from season_cases import (
    FINGERPRINT,
    PICTURES,
    RATE,
    SOUND,
    black,
    chroma_of,
    episode,
    joined,
    music,
    samples_of,
    scene,
    speech,
    still,
    theme,
    thumbnails_of,
)
from skipintro.core.errors import InputError
from skipintro.evidence.chroma import POINT_S, ChromaSettings, points_of_track
from skipintro.evidence.pictures import THUMBNAIL, Thumbnails, picture_track
from skipintro.evidence.recording import of_bytes, record, record_checked, to_bytes
from skipintro.evidence.sound import (
    SAMPLE_RATE,
    SILENT_DB,
    band_energies,
    sound_track,
)
from skipintro.evidence.track import Evidence, Track, on_grid, silent_track, unit_rows
from skipintro.video.container import VideoError
from skipintro.video.sound import samples
from video_cases import write

Wave = NDArray[np.float32]
Cosines = NDArray[np.float32]


def cosines(first: Track, second: Track) -> Cosines:
    """Return the cosine of each pair of rows of the same time."""
    assert len(first) == len(second)
    return np.asarray(np.einsum("nd,nd->n", first.rows, second.rows), np.float32)


@pytest.fixture(scope="module")
def pictures() -> Thumbnails:
    return thumbnails_of(scene(1, 40.0), grain=0)


def shrunk(shown: Thumbnails, rows: int, columns: int, ground: int = 0) -> Thumbnails:
    """Scale pictures down to so many rows and columns, on a ground of one grey."""
    at = (np.arange(rows) * THUMBNAIL[0] // rows), (np.arange(columns) * THUMBNAIL[1] // columns)
    small = shown[:, at[0]][:, :, at[1]]
    framed = np.full_like(shown, ground)
    top, left = (THUMBNAIL[0] - rows) // 2, (THUMBNAIL[1] - columns) // 2
    framed[:, top : top + rows, left : left + columns] = small
    return framed


def graded(shown: Thumbnails, contrast: float, brightness: float) -> Thumbnails:
    return np.clip(shown * np.float64(contrast) + brightness, 0, 255).astype(np.uint8)


def lettered(shown: Thumbnails) -> Thumbnails:
    """Burn white letters into two lines at the bottom, others each second."""
    written = shown.copy()
    for second in range(0, len(shown), RATE):
        letters = np.random.default_rng(second).random((2, 28)) < 0.5
        for line, row in enumerate(letters):
            part = written[second : second + RATE, 29 + 3 * line, 18:46]
            part[:, row] = 250
    return written


def with_logo(shown: Thumbnails) -> Thumbnails:
    marked = shown.copy()
    marked[:, 2:5, 55:61] = 235
    return marked


def grainy(shown: Thumbnails) -> Thumbnails:
    noise = np.random.default_rng(4).normal(0, 12, shown.shape)
    return np.clip(shown + noise, 0, 255).astype(np.uint8)


# --- pictures ---


@pytest.mark.parametrize(
    "effect",
    [
        pytest.param(lambda shown: shrunk(shown, 27, 64), id="letterbox"),
        pytest.param(lambda shown: shrunk(shown, 36, 48), id="pillarbox"),
        pytest.param(lambda shown: shrunk(shown, 26, 46), id="windowbox"),
        pytest.param(lambda shown: shrunk(shown, 27, 64, 16), id="grey letterbox"),
        pytest.param(lambda shown: graded(shown, 1, -40), id="darker"),
        pytest.param(lambda shown: graded(shown, 0.9, 40), id="brighter"),
        pytest.param(lambda shown: graded(shown, 0.4, 80), id="flatter"),
        pytest.param(lettered, id="lettering"),
        pytest.param(with_logo, id="logo"),
        pytest.param(grainy, id="grain"),
    ],
)
def test_a_picture_is_known_again(
    pictures: Thumbnails, effect: Callable[[Thumbnails], Thumbnails]
) -> None:
    """Not by its neighbours: the row of the next shot is unlike it."""
    original, changed = picture_track(pictures, PICTURES), picture_track(effect(pictures), PICTURES)
    assert np.median(cosines(original, changed)) > 0.95
    assert np.quantile(cosines(original, changed), 0.05) > 0.9


def test_other_pictures_are_unlike() -> None:
    first, second = (
        picture_track(thumbnails_of(scene(seed, 40.0)), PICTURES).rows for seed in (1, 2)
    )
    assert np.quantile(first @ second.T, 0.999) < 0.8
    assert abs(np.mean(first @ second.T)) < 0.1


def test_rows_are_of_length_one(pictures: Thumbnails) -> None:
    track = picture_track(pictures, PICTURES)
    assert (track.rate, track.rows.shape) == (4, (160, 64))
    assert track.rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(track.rows, axis=1), 1, atol=1e-5)


def test_black_pictures_say_nothing() -> None:
    track = picture_track(np.full((8, *THUMBNAIL), 16, np.uint8), PICTURES)
    assert not track.says.any()
    np.testing.assert_array_equal(track.rows, 0)
    np.testing.assert_allclose(track.level, 16, atol=1e-3)
    np.testing.assert_array_equal(track.change, 0)


def test_a_flat_colour_among_pictures_says_nothing_whatever_its_brightness() -> None:
    shown = thumbnails_of(scene(1, 10.0))
    shown[8:12], shown[20:24] = 0, 210
    says = picture_track(shown, PICTURES).says
    assert np.flatnonzero(~says).tolist() == [8, 9, 10, 11, 20, 21, 22, 23]


def test_a_faint_picture_speaks_from_the_limit_on() -> None:
    """A board of two greys: its standard deviation is half of their difference."""
    board = np.where(np.arange(64) < 32, 0, 1)[None, None, :] * np.ones((1, 36, 1))
    faint, plain = ((100 + step * board).astype(np.uint8) for step in (4, 6))
    assert picture_track(faint, PICTURES).says.tolist() == [False]  # 2 of 2.5
    assert picture_track(plain, PICTURES).says.tolist() == [True]  # 3


def test_a_still_video_says_the_same_all_the_time() -> None:
    track = picture_track(thumbnails_of(still(3, 6.0), grain=0), PICTURES)
    assert track.says.all()
    np.testing.assert_allclose(track.rows @ track.rows.T, 1.0, rtol=1e-5)
    np.testing.assert_array_equal(track.change, 0)


def test_with_more_emphasis_fine_detail_counts_more(pictures: Thumbnails) -> None:
    stripes = np.where(np.arange(64) // 10 % 2, 25, -25)
    striped = np.clip(pictures + stripes, 0, 255).astype(np.uint8)

    def likeness(emphasis: float) -> float:
        settings = PICTURES.model_copy(update={"emphasis": emphasis})
        pair = picture_track(pictures, settings), picture_track(striped, settings)
        return float(np.median(cosines(*pair)))

    assert 1 > likeness(0) > likeness(0.5) > likeness(1) > 0


def test_level_is_the_mean_grey_and_change_the_step_from_the_picture_before() -> None:
    greys = [10, 10, 40, 40, 30]
    shown = np.repeat(np.array(greys, np.uint8), 36 * 64).reshape(5, 36, 64)
    track = picture_track(shown, PICTURES)
    np.testing.assert_allclose(track.level, greys, atol=1e-3)
    assert track.change.tolist() == [0, 0, 30, 0, 10]


def test_a_cut_stands_out_in_change() -> None:
    whole = joined(scene(1, 5.0), scene(2, 5.0))
    change = picture_track(thumbnails_of(whole), PICTURES).change
    assert change[20] > 3 * np.median(change)


def test_no_picture_gives_an_empty_track() -> None:
    track = picture_track(np.zeros((0, *THUMBNAIL), np.uint8), PICTURES)
    assert (len(track), track.rows.shape) == (0, (0, 64))
    assert (len(track.level), len(track.change), len(track.says)) == (0, 0, 0)


def test_one_picture_is_compared_whole(pictures: Thumbnails) -> None:
    track = picture_track(pictures[:1], PICTURES)
    assert track.says.tolist() == [True]
    assert track.change.tolist() == [0]


# --- sound ---

_LENGTH_S = 30.0


@pytest.fixture(scope="module")
def tune() -> Wave:
    return samples_of(theme(5, _LENGTH_S))


def heard(wave: Wave) -> Track:
    n_rows = round(len(wave) / SAMPLE_RATE * RATE)
    return sound_track(band_energies([wave], SOUND), n_rows, SOUND)


def through_8_khz(wave: Wave) -> Wave:
    return np.asarray(resample_poly(resample_poly(wave, 1, 2), 2, 1), np.float32)[: len(wave)]


def test_another_loudness_is_the_same_sound(tune: Wave) -> None:
    original = heard(tune)
    for size in (0.3, 4.0):
        other = heard(size * tune)
        assert np.quantile(cosines(original, other), 0.05) > 0.9
        step = other.level - original.level
        np.testing.assert_allclose(np.median(step), 20 * np.log10(size), atol=0.1)


def test_speech_over_music_leaves_most_of_it_alike(tune: Wave) -> None:
    spoken = tune + 0.3 * speech(8, _LENGTH_S)
    assert np.mean(cosines(heard(tune), heard(spoken)) > 0.5) > 0.8


def test_a_narrow_band_leaves_sound_alike(tune: Wave) -> None:
    """At 8 kHz nothing is left above 4 kHz: less than half an octave of what is compared."""
    found = cosines(heard(tune), heard(through_8_khz(tune)))
    assert np.quantile(found, 0.05) > 0.8


def test_an_equaliser_leaves_sound_alike(tune: Wave) -> None:
    spectrum = np.fft.rfft(tune)
    tilted = np.fft.irfft(spectrum * np.linspace(0.3, 3, len(spectrum)), len(tune))
    found = cosines(heard(tune), heard(tilted.astype(np.float32)))
    assert np.quantile(found, 0.05) > 0.9


@pytest.mark.parametrize("make", [music, speech])
def test_other_sound_is_unlike(tune: Wave, make: Callable[[int, float], Wave]) -> None:
    other = heard(make(77, _LENGTH_S))
    assert np.mean(heard(tune).rows @ other.rows.T > 0.5) < 0.02


@pytest.mark.parametrize("sizes", [[1], [4000], [4096], [160_000], [1, 5000, 0, 159, 70_001]])
def test_however_sound_comes_in_blocks_its_energies_are_the_same(sizes: Sequence[int]) -> None:
    wave = samples_of(theme(5, _LENGTH_S))[: SAMPLE_RATE if sizes == [1] else 260_123]
    edges, at = [0], 0
    while edges[-1] < len(wave):
        edges.append(edges[-1] + sizes[at % len(sizes)])
        at += 1
    blocks = [wave[a:b] for a, b in pairwise(edges)]
    np.testing.assert_array_equal(band_energies(blocks, SOUND), band_energies([wave], SOUND))


@pytest.mark.parametrize(
    ("n_samples", "n_rows"), [(0, 0), (1, 1), (4000, 1), (4001, 2), (16_000, 4), (16_001, 5)]
)
def test_there_is_a_row_for_each_quarter_of_a_second_that_is_begun(
    n_samples: int, n_rows: int
) -> None:
    blocks = [np.zeros(n_samples, np.float32)] if n_samples else []
    assert band_energies(blocks, SOUND).shape == (n_rows, SOUND.bands)


def test_a_row_is_of_the_sound_around_its_time() -> None:
    wave = np.zeros(4 * SAMPLE_RATE, np.float32)
    wave[32_000 - 200 : 32_000 + 200] = 0.5 * np.sin(np.arange(400))  # around 2 s
    energies = band_energies([wave], SOUND).sum(axis=1)
    assert int(energies.argmax()) == 8
    assert np.flatnonzero(energies > 0.01 * energies.max()).tolist() == [8]


def test_a_fingerprint_is_of_the_sound_around_its_time(tune: Wave) -> None:
    """Two sounds are the same from 10 s to 20 s, and so are their fingerprints."""
    pair = []
    for seed in (81, 82):
        wave = music(seed, _LENGTH_S).copy()
        wave[10 * SAMPLE_RATE : 20 * SAMPLE_RATE] = tune[10 * SAMPLE_RATE : 20 * SAMPLE_RATE]
        pair.append(heard(wave))
    alike = np.flatnonzero(cosines(*pair) > 0.6) / RATE
    assert (alike.min(), alike.max()) == pytest.approx((10, 20), abs=0.75)


def test_silence_says_nothing() -> None:
    track = heard(np.zeros(10 * SAMPLE_RATE, np.float32))
    assert not track.says.any()
    np.testing.assert_allclose(track.level, SILENT_DB, atol=0.01)
    np.testing.assert_array_equal(track.change, 0)


def test_a_pause_says_nothing_and_what_is_around_it_does() -> None:
    track = heard(np.concatenate([music(5, 5.0), np.zeros(5 * SAMPLE_RATE), music(6, 5.0)]))
    assert not track.says[21:39].any()
    assert track.says[:20].mean() > 0.9
    assert track.says[41:].mean() > 0.9


def test_minutes_of_one_tone_give_finite_rows_and_no_change() -> None:
    at = np.arange(180 * SAMPLE_RATE) / SAMPLE_RATE
    track = heard((0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32))
    assert len(track) == 720
    for values in (track.rows, track.level, track.change):
        assert np.isfinite(values).all()
    assert np.abs(track.rows).max() <= 1 + 1e-5
    assert np.ptp(track.level[2:-2]) < 0.5
    assert np.median(track.change) < 0.05


def test_sound_that_ends_early_says_nothing_from_there_on(tune: Wave) -> None:
    energies = band_energies([tune[: 5 * SAMPLE_RATE]], SOUND)
    track = sound_track(energies, 40, SOUND)
    assert len(track) == 40
    assert not track.says[20:].any()
    np.testing.assert_array_equal(track.level[20:], np.float32(SILENT_DB))
    np.testing.assert_array_equal(track.change[20:], 0)


def test_sound_that_is_longer_than_the_pictures_is_cut(tune: Wave) -> None:
    energies = band_energies([tune], SOUND)
    np.testing.assert_array_equal(
        sound_track(energies, 30, SOUND).rows, sound_track(energies[:30], 30, SOUND).rows
    )
    assert len(sound_track(energies, 0, SOUND)) == 0


def test_no_sound_is_a_silent_track_of_the_length_that_is_asked_for() -> None:
    track = sound_track(band_energies([], SOUND), 12, SOUND)
    assert (len(track), track.rows.shape[1]) == (12, SOUND.dimension)
    assert not track.says.any()


# --- tracks ---


def small_track(n: int, rate: float = 4) -> Track:
    rows = np.eye(n, max(n, 1), dtype=np.float32)
    count = np.arange(n, dtype=np.float32)
    return Track(rate, rows, 100 + count, 1 + count)


def test_rows_become_of_length_one_or_zero() -> None:
    values = np.array([[3, 4], [0, 0], [5, 0], [1e-9, 0]])
    found = unit_rows(values, np.array([True, True, False, True]))
    assert np.allclose(found, np.array([[0.6, 0.8], [0, 0], [0, 0], [0, 0]]), atol=1e-6)
    assert found.dtype == np.float32


def test_a_track_on_its_own_grid_stays_as_it_is() -> None:
    track = small_track(6)
    assert on_grid(track, 4, 6) is track


def test_a_slow_track_stays_for_the_moments_that_it_is_shown_and_changes_once() -> None:
    found = on_grid(small_track(3, rate=2), 4, 6)
    assert found.rate == 4
    assert found.level.tolist() == [100, 100, 101, 101, 102, 102]
    assert found.change.tolist() == [1, 0, 2, 0, 3, 0]
    assert found.rows.argmax(axis=1).tolist() == [0, 0, 1, 1, 2, 2]


def test_of_a_fast_track_the_row_at_each_moment_is_taken() -> None:
    found = on_grid(small_track(6, rate=8), 4, 3)
    assert found.level.tolist() == [100, 102, 104]


def test_rates_that_do_not_divide_take_the_last_row_that_has_begun() -> None:
    assert on_grid(small_track(6, rate=3), 4, 8).level.tolist() == [
        *(100, 100, 101, 102),
        *(103, 103, 104, 105),
    ]


def test_beyond_its_end_a_track_says_nothing_and_does_not_change() -> None:
    found = on_grid(small_track(2), 4, 5)
    assert found.says.tolist() == [True, True, False, False, False]
    assert found.change.tolist() == [1, 2, 0, 0, 0]


def test_an_empty_track_on_a_grid_says_nothing() -> None:
    found = on_grid(small_track(0), 4, 3)
    assert len(found) == 3
    assert not found.says.any()
    assert len(on_grid(small_track(4), 4, 0)) == 0


# --- from a file and back ---


def coloured(n: int, seed: int) -> list[NDArray[np.uint8]]:
    """Draw pictures for a video: coarse blocks of grey, others every 10."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(20, 236, (n // 10 + 1, 4, 4), np.uint8)
    return [
        np.repeat(np.kron(blocks[k // 10], np.ones((16, 16), np.uint8))[:, :, None], 3, axis=2)
        for k in range(n)
    ]


@pytest.fixture(scope="module")
def sounding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 12 s: a tone from 1 s to 4 s, then silence, then a tone from 8 s on."""
    sound = test_sound
    wave = np.concatenate(
        [sound.silence(1), sound.tone(3), sound.silence(4), sound.tone(4, hz=1200)]
    )
    path = tmp_path_factory.mktemp("sounding") / "sounding.mkv"
    return sound.write_sound(path, sound.Track([(0, wave)]), pictures=(0, 12))


@pytest.fixture(scope="module")
def recorded(sounding: Path) -> Evidence:
    return record(sounding, FINGERPRINT)


def test_a_video_is_recorded_by_its_pictures_and_its_sound(recorded: Evidence) -> None:
    assert set(recorded.tracks) == {"pictures", "sound"}
    assert recorded.length_s == pytest.approx(12, abs=0.25)
    assert len(recorded.tracks["sound"]) == len(recorded.tracks["pictures"])
    assert recorded.tracks["pictures"].says.mean() > 0.9
    says = recorded.tracks["sound"].says
    assert says[5:16].all()
    assert not says[18:31].any()
    assert says[33:45].all()  # and then it is steady


def test_of_a_video_without_sound_there_are_pictures_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "mute.mkv", range(50), 50, Fraction(1, 25))
    evidence = record(path, FINGERPRINT)
    assert list(evidence.tracks) == ["pictures"]
    assert (len(evidence.tracks["pictures"]), evidence.length_s) == (8, 2)


def test_a_video_of_one_second_is_recorded(tmp_path: Path) -> None:
    track = test_sound.Track([(0, test_sound.tone(1))])
    path = test_sound.write_sound(tmp_path / "short.mkv", track, pictures=(0, 1))
    evidence = record(path, FINGERPRINT)
    assert evidence.length_s == 1
    assert {name: len(track) for name, track in evidence.tracks.items()} == {
        "pictures": 4,
        "sound": 4,
    }


def test_a_black_and_silent_video_says_nothing(tmp_path: Path) -> None:
    path = write(
        tmp_path / "black.mkv",
        range(50),
        50,
        Fraction(1, 25),
        frames=[np.zeros((64, 64, 3), np.uint8)] * 50,
        sound=("aac", 2),
    )
    evidence = record(path, FINGERPRINT)
    assert set(evidence.tracks) == {"pictures", "sound"}
    assert not any(track.says.any() for track in evidence.tracks.values())


def test_the_first_seconds_sound_like_those_of_the_whole(
    sounding: Path, recorded: Evidence
) -> None:
    first = record(sounding, FINGERPRINT, n_seconds=3)
    assert first.length_s == 3
    assert {len(track) for track in first.tracks.values()} == {12}
    here, whole = first.tracks["sound"], recorded.tracks["sound"]
    np.testing.assert_array_equal(here.level, whole.level[:12])


def test_the_first_seconds_look_like_those_of_the_whole(tmp_path: Path) -> None:
    frames = coloured(100, 1)
    path = write(tmp_path / "blocks.mkv", range(100), 100, Fraction(1, 25), frames=frames)
    whole = record(path, FINGERPRINT).tracks["pictures"]
    first = record(path, FINGERPRINT, n_seconds=2).tracks["pictures"]
    assert (len(whole), len(first)) == (16, 8)
    assert first.says.all()
    np.testing.assert_allclose(first.rows, whole.rows[:8], atol=1e-3)


def test_more_seconds_than_there_are_give_all(sounding: Path, recorded: Evidence) -> None:
    assert to_bytes(record(sounding, FINGERPRINT, n_seconds=99)) == to_bytes(recorded)


HEARD = FINGERPRINT.model_copy(update={"chroma": ChromaSettings(algorithm="chromaprint-test2")})


def test_with_chromaprint_points_the_other_kinds_stay_as_they_are(
    sounding: Path, recorded: Evidence
) -> None:
    heard = record(sounding, HEARD)
    assert list(heard.tracks) == ["pictures", "sound", "chroma"]
    kept = {kind: track for kind, track in heard.tracks.items() if kind != "chroma"}
    assert to_bytes(Evidence(kept, heard.length_s)) == to_bytes(recorded)


def test_points_are_of_the_whole_video_and_come_back_from_its_bytes(sounding: Path) -> None:
    """The tones from 1 s to 4 s and from 8 s on are loud, and what is silent has points too."""
    heard = record(sounding, HEARD)
    track = of_bytes(to_bytes(heard), Path("heard.npz")).tracks["chroma"]
    assert track.rate == 1 / POINT_S
    assert len(track) == int(heard.length_s / POINT_S)
    assert np.flatnonzero(~track.says).min() == pytest.approx((12 - 2.6) / POINT_S, abs=3)
    loud = np.flatnonzero(track.level > -50) * POINT_S
    assert (loud.min(), loud.max()) == pytest.approx((1, 12), abs=2 * POINT_S)
    assert not ((loud > 4 + POINT_S) & (loud < 8 - POINT_S)).any()
    first, second = track.rows[int(1.2 / POINT_S)], track.rows[int(8.2 / POINT_S)]
    assert first @ second < 0.8  # 440 Hz and 1,200 Hz are two notes
    expected = chroma_of(np.concatenate(list(samples(sounding))))
    np.testing.assert_array_equal(points_of_track(track), points_of_track(expected))


def test_points_of_the_first_seconds_are_those_of_the_whole(sounding: Path) -> None:
    """Nearly to their end: as sound does, they look 10 s ahead at most."""
    first, whole = (record(sounding, HEARD, n_seconds=n).tracks["chroma"] for n in (3, None))
    assert len(first) == int(3 / POINT_S)
    np.testing.assert_array_equal(first.rows, whole.rows[: len(first)])
    np.testing.assert_array_equal(first.level, whole.level[: len(first)])


def test_of_a_video_without_sound_there_are_no_points(tmp_path: Path) -> None:
    path = write(tmp_path / "mute.mkv", range(50), 50, Fraction(1, 25))
    assert list(record(path, HEARD).tracks) == ["pictures"]


def test_settings_without_points_are_written_as_if_there_were_none() -> None:
    """So that what was hashed, and remembered, stays known."""
    assert set(FINGERPRINT.model_dump()) == {"pictures", "sound"}
    assert set(HEARD.model_dump()) == {"pictures", "sound", "chroma"}
    for settings in (FINGERPRINT, HEARD):
        assert type(settings).model_validate(settings.model_dump(mode="json")) == settings


def test_points_are_dropped_from_settings_where_nobody_needs_them() -> None:
    assert HEARD.needed_by(["pictures", "sound"]) == FINGERPRINT
    assert HEARD.needed_by(["pictures", "chroma"]) == HEARD
    assert FINGERPRINT.needed_by(["chroma"]) == FINGERPRINT


# --- sound that nothing decodes ---


@pytest.fixture(scope="module")
def undecodable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video whose sound is of a codec that nobody knows."""
    track = test_sound.Track([(0, test_sound.tone(2))], "flac")
    path = tmp_path_factory.mktemp("undecodable") / "unknown.mkv"
    test_sound.write_sound(path, track, pictures=(0, 2))
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_XLAC"))
    return path


def test_sound_that_nothing_decodes_is_told_once_with_the_name_of_the_file(
    undecodable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evidence = record_checked(undecodable, FINGERPRINT, None, 2.0)
    assert list(evidence.tracks) == ["pictures"]
    told = "no decoder for the codec of its sound; it goes by pictures alone"
    assert caplog.messages == [f"{undecodable}: there is {told}"]


def test_that_sound_cannot_be_decoded_comes_back_from_bytes(undecodable: Path) -> None:
    evidence = record(undecodable, HEARD)
    assert evidence.is_sound_undecodable
    back = of_bytes(to_bytes(evidence), Path("known.npz"))
    assert back.is_sound_undecodable
    assert list(back.tracks) == ["pictures"]


def test_a_video_with_sound_or_without_tells_nothing(
    sounding: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mute = write(tmp_path / "mute.mkv", range(50), 50, Fraction(1, 25))
    for path in (sounding, mute):
        evidence = record_checked(path, FINGERPRINT, None, None)
        assert not of_bytes(to_bytes(evidence), Path("known.npz")).is_sound_undecodable
    assert caplog.messages == []


def test_what_is_no_video_is_told_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "words.mkv"
    path.write_text("no video")
    with pytest.raises(VideoError, match=r"words\.mkv"):
        record(path, FINGERPRINT)


def test_evidence_comes_back_from_its_bytes(recorded: Evidence) -> None:
    """Rows that were recorded are of half precision already, so that nothing is lost."""
    back = of_bytes(to_bytes(recorded), Path("known.npz"))
    assert back.length_s == recorded.length_s
    assert list(back.tracks) == list(recorded.tracks)
    for name, track in recorded.tracks.items():
        found = back.tracks[name]
        assert found.rate == track.rate
        for field in ("rows", "level", "change"):
            np.testing.assert_array_equal(getattr(found, field), getattr(track, field))
            assert getattr(found, field).dtype == np.float32
    assert to_bytes(back) == to_bytes(recorded)


def test_evidence_of_studio_parts_comes_back_nearly_as_it_was() -> None:
    made = episode(scene(1, 4.0), black(2.0))
    back = of_bytes(to_bytes(made), Path("made.npz"))
    for name, track in made.tracks.items():
        np.testing.assert_allclose(back.tracks[name].rows, track.rows, atol=1e-3)
        np.testing.assert_array_equal(back.tracks[name].says, track.says)


def test_the_same_evidence_has_the_same_bytes() -> None:
    first, second = (to_bytes(episode(scene(1, 3.0), seed=4)) for _ in range(2))
    assert first == second
    assert first != to_bytes(episode(scene(1, 3.0), seed=5))


def test_evidence_of_nothing_has_bytes_too() -> None:
    none = of_bytes(to_bytes(Evidence({}, 0.0)), Path("none.npz"))
    assert (none.tracks, none.length_s) == ({}, 0.0)
    silent = Evidence({"sound": silent_track(4, 0, 64, SILENT_DB)}, 0.0)
    assert of_bytes(to_bytes(silent), Path("none.npz")).tracks["sound"].rows.shape == (0, 64)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"PK\x03\x04", id="begun"),
        pytest.param(lambda content: content[: len(content) // 2], id="half"),
        pytest.param(lambda content: content[:-1], id="one byte short"),
        pytest.param(lambda content: b"x" + content[1:], id="no archive"),
        pytest.param(lambda content: content[:500] + b"!!!!" + content[504:], id="flipped"),
        pytest.param(lambda content: bytes(len(content)), id="zeros"),
    ],
)
def test_damaged_bytes_are_told_with_the_name_of_the_file(
    damage: Callable[[bytes], bytes],
) -> None:
    content = to_bytes(episode(scene(1, 3.0)))
    with pytest.raises(InputError, match=r"evidence/known\.npz.*delete it"):
        of_bytes(damage(content), Path("evidence/known.npz"))


def test_each_byte_that_is_changed_is_told_or_harmless() -> None:
    content = to_bytes(episode(scene(1, 1.0)))
    n_told = 0
    for place in np.random.default_rng(2).choice(len(content), 250, replace=False).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            of_bytes(bytes(damaged), Path("known.npz"))
        except InputError:
            n_told += 1
    assert n_told > 150


def altered(content: bytes, **changed: NDArray[np.generic] | None) -> bytes:
    """Leave arrays out of a file, or put others in their place."""
    with np.load(io.BytesIO(content)) as file:
        kept = {key: file[key] for key in file.files} | changed
    arrays: dict[str, Any] = {key: array for key, array in kept.items() if array is not None}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize("key", ["length_s", "sound.rate", "pictures.level", "sound.change"])
def test_a_file_that_lacks_an_array_is_told(key: str) -> None:
    content = to_bytes(episode(scene(1, 1.0)))
    with pytest.raises(InputError, match=r"known\.npz"):
        of_bytes(altered(content, **{key: None}), Path("known.npz"))


@pytest.mark.parametrize(
    ("key", "array"),
    [
        ("length_s", np.zeros(0)),
        ("sound.rate", np.zeros(0)),
        ("sound.level", np.zeros(3, np.float32)),
        ("pictures.change", np.zeros(5, np.float32)),
        ("pictures.rows", np.zeros(4, np.float16)),
        ("pictures.rows", np.zeros((3, 64), np.float16)),
        ("pictures.rate", np.array(["fast"])),
    ],
)
def test_a_file_whose_arrays_are_something_else_is_told(
    key: str, array: NDArray[np.generic]
) -> None:
    content = to_bytes(episode(scene(1, 1.0)))
    with pytest.raises(InputError, match=r"known\.npz"):
        of_bytes(altered(content, **{key: array}), Path("known.npz"))

"""Chromaprint points, held against libchromaprint where it is installed, and against loops."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.signal import resample_poly

from chromaprint_cases import library, library_points
from season_cases import chroma_of, joined, music, samples_of, scene, speech, theme
from skipintro.evidence import chroma
from skipintro.evidence.chroma import (
    N_BITS,
    POINT_S,
    ChromaListener,
    ChromaSettings,
    Points,
    notes_of,
    points_of_notes,
    points_of_track,
    track_of,
)
from skipintro.evidence.sound import SAMPLE_RATE, SILENT_DB

Wave = NDArray[np.float32]

SILENT_POINT = 627964279  # what Chromaprint says of silence
RATE, FRAME, HOP = 11_025, 4096, 1365
# What libchromaprint 1.5.1 says of `chords()`: points 0, 10, 20, …
KNOWN = (
    *(1353861202, 3265845952, 3524931618, 1076406801, 3555259040, 294738432, 1119722112),
    *(1378496562, 1075096354, 3497587616, 3262129154, 3228076720, 1386881074, 1080006658),
    *(3492340352, 3256885266, 3493378804, 1385836979, 1118476290, 1343810624, 1091711266),
    *(3241721573, 1085018832, 1119781058, 1342634368, 3266187810, 3493500130, 1088995856),
    *(1391083682, 1353865587, 3265988112),
)


def chords(length_s: float = 40.0) -> Wave:
    """Return three notes at a time, by arithmetic that is the same everywhere."""
    at = np.arange(round(length_s * SAMPLE_RATE))
    turn = at * 2 // SAMPLE_RATE  # of half a second
    steps = [(turn * (7 + voice) + voice * voice) % 36 for voice in range(3)]
    pitches = [220 * 2 ** (step / 12) for step in steps]
    turns = [np.cumsum(pitch / SAMPLE_RATE) for pitch in pitches]
    return np.asarray(np.mean([np.sin(2 * np.pi * each) for each in turns], axis=0), np.float32)


def points(wave: Wave) -> Points:
    return points_of_track(chroma_of(wave))


def points_at_own_rate(wave: Wave) -> Points:
    """Return the points of sound that needs no resampling."""
    whole = np.rint(wave * np.float32(32767)) / np.float32(32767)
    frames = np.lib.stride_tricks.sliding_window_view(whole, FRAME)[::HOP]
    return points_of_notes(notes_of(frames))


def share_of_equal_bits(first: Points, second: Points) -> float:
    n = min(len(first), len(second))
    assert n >= max(len(first), len(second)) - 1 > 0
    return 1 - float(np.bitwise_count(first[:n] ^ second[:n]).mean()) / N_BITS


# --- libchromaprint ---

needs_library = pytest.mark.skipif(library() is None, reason="libchromaprint is not installed")


@needs_library
@pytest.mark.parametrize(
    ("wave", "least"),
    [
        pytest.param(samples_of(joined(theme(5, 30.0), scene(3, 30.0))), 0.995, id="episode"),
        pytest.param(music(3, 60.0), 0.995, id="music"),
        pytest.param(speech(3, 60.0), 0.995, id="speech"),
        pytest.param(
            np.random.default_rng(1).normal(0, 0.1, 60 * SAMPLE_RATE).astype(np.float32),
            0.995,
            id="noise",
        ),
        pytest.param(
            samples_of(joined(theme(5, 30.0), scene(3, 30.0))) * np.float32(0.001),
            0.98,
            id="whole numbers of a few",
        ),
    ],
)
def test_points_are_the_library_s_but_for_what_resampling_leaves(wave: Wave, least: float) -> None:
    """The library resamples with 16 taps in whole numbers; 0.991 to 1.000 of the bits are equal."""
    assert share_of_equal_bits(points(wave), library_points(wave, SAMPLE_RATE)) > least


@needs_library
def test_points_of_sound_at_chromaprint_s_own_rate_are_the_library_s_to_the_bit() -> None:
    wave = np.asarray(resample_poly(samples_of(theme(5, 60.0)), 441, 640), np.float32)
    np.testing.assert_array_equal(points_at_own_rate(wave), library_points(wave, RATE))


def test_points_are_those_that_the_library_gave_once() -> None:
    assert share_of_equal_bits(points(chords())[::10], np.array(KNOWN, np.uint32)) > 0.995


# --- points ---


def by_loops(wave: Wave) -> Points:
    """Return the points of sound of 11,025 Hz as Chromaprint describes them, area by area."""
    whole = np.rint(wave * 32767) / 32767
    starts = range(0, len(whole) - FRAME + 1, HOP)
    notes = np.zeros((len(starts), 12))
    for row, start in enumerate(starts):
        spectrum = np.abs(np.fft.rfft(whole[start : start + FRAME] * np.hamming(FRAME))) ** 2
        for index in range(round(28 * FRAME / RATE), round(3520 * FRAME / RATE)):
            octave = np.log2(index * RATE / FRAME / 27.5)
            notes[row, int(12 * (octave - np.floor(octave)))] += spectrum[index]
    image = []
    for row in range(len(notes) - 4):
        smooth = np.array([0.25, 0.75, 1, 0.75, 0.25]) @ notes[row : row + 5]
        length = np.sqrt((smooth**2).sum())
        image.append(smooth / length if length >= 0.01 else np.zeros(12))
    return np.array(
        [_point(np.array(image[row : row + 16])) for row in range(len(image) - 15)], np.uint32
    )


def _point(image: NDArray[np.float64]) -> int:
    """Return one point of 16 rows of notes; `image[time, note]`."""
    point = 0
    for shape, note, n_notes, width, limits in chroma._FILTERS:
        area = image[:width, note : note + n_notes]
        half, third = n_notes // 2, n_notes // 3
        early, part = width // 2, width // 3
        marked = np.zeros(area.shape, bool)
        if shape == 0:
            marked[:] = True
        elif shape == 1:
            marked[:, half:] = True
        elif shape == 2:
            marked[early:] = True
        elif shape == 3:
            marked[:early, half:] = marked[early:, :half] = True
        elif shape == 4:
            marked[:, third : 2 * third] = True
        else:
            marked[part : 2 * part] = True
        value = np.log(1 + area[marked].sum()) - np.log(1 + area[~marked].sum())
        answer = sum(value >= limit for limit in limits)
        point = point << 2 | (0, 1, 3, 2)[answer]
    return point


def test_points_are_those_of_a_slow_reference() -> None:
    wave = samples_of(joined(theme(5, 6.0), scene(3, 6.0)))
    at_rate = np.asarray(resample_poly(wave, 441, 640), np.float32)
    np.testing.assert_array_equal(points_at_own_rate(at_rate), by_loops(at_rate))


def test_points_are_one_for_each_eighth_of_a_second() -> None:
    found = points(music(1, 30.0))
    assert found.dtype == np.uint32
    assert len(found) == (30 * RATE - FRAME) // HOP + 1 - 19


@pytest.mark.parametrize(("n_frames", "n_points"), [(0, 0), (19, 0), (20, 1), (21, 2)])
def test_sound_that_is_too_short_has_no_points(n_frames: int, n_points: int) -> None:
    assert len(points_of_notes(np.ones((n_frames, 12), np.float32))) == n_points


@pytest.mark.parametrize("size", [0.0, 1e-5])
def test_silence_has_equal_points(size: float) -> None:
    """What is a last bit of 16 is silence as well."""
    hiss = np.random.default_rng(1).uniform(-size, size, 10 * SAMPLE_RATE)
    assert set(points(hiss.astype(np.float32)).tolist()) == {SILENT_POINT}


def test_a_tone_is_of_its_note_in_every_octave() -> None:
    at = np.arange(FRAME) / RATE
    for octave in range(2, 7):
        for note in range(12):
            hz = 27.5 * 2 ** (octave + (note + 0.5) / 12)
            tone = np.sin(2 * np.pi * hz * at)[None].astype(np.float32)
            assert notes_of(tone)[0].argmax() == note, hz


def test_tones_beyond_the_notes_are_not_heard() -> None:
    at = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
    for hz in (10, 3600, 5400, 7600, 7900):
        tone = 0.5 * np.sin(2 * np.pi * hz * at).astype(np.float32)
        listener = ChromaListener()
        list(listener.overhearing([tone]))
        inner = np.concatenate(listener._notes)[2:-2]  # its beginning clicks
        plain = np.sin(2 * np.pi * 440 * np.arange(FRAME) / RATE)[None].astype(np.float32)
        assert inner.max() < 0.01 * notes_of(plain).max(), hz


def test_loudness_and_a_narrow_band_change_few_bits() -> None:
    wave = music(1, 30.0)
    telephone = np.asarray(resample_poly(resample_poly(wave, 1, 2), 2, 1), np.float32)
    assert share_of_equal_bits(points(wave), points(wave * np.float32(0.25))) > 0.99
    assert share_of_equal_bits(points(wave), points(telephone[: len(wave)])) > 0.98


def test_other_music_shares_half_of_the_bits() -> None:
    assert 0.35 < share_of_equal_bits(points(music(1, 30.0)), points(music(2, 30.0))) < 0.65


@pytest.mark.parametrize("sizes", [[37], [640], [160_000], [1, 5000, 0, 159, 70_001]])
def test_however_sound_comes_in_blocks_its_track_is_the_same(sizes: Sequence[int]) -> None:
    wave = samples_of(theme(5, 30.0))[: 4 * SAMPLE_RATE if sizes == [37] else 260_123]
    edges, at = [0], 0
    while edges[-1] < len(wave):
        edges.append(edges[-1] + sizes[at % len(sizes)])
        at += 1
    listener = ChromaListener()
    blocks = [wave[a:b] for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(list(listener.overhearing(blocks))), wave)
    whole = chroma_of(wave)
    track = listener.track(len(whole))
    np.testing.assert_array_equal(track.rows, whole.rows)
    np.testing.assert_allclose(track.level, whole.level, atol=1e-4)


# --- tracks ---


def test_a_row_is_the_bits_of_its_point_and_the_cosine_tells_how_many_differ() -> None:
    drawn = np.random.default_rng(1).integers(0, 1 << 32, 50, dtype=np.uint32)
    track = track_of(drawn, np.zeros(60, np.float32))
    assert (track.rate, track.rows.shape) == (RATE / HOP, (60, 32))
    assert track.rows.dtype == np.float32
    differ = np.bitwise_count(drawn[:, None] ^ drawn)
    np.testing.assert_allclose(track.rows[:50] @ track.rows[:50].T, 1 - differ / 16, atol=1e-5)
    np.testing.assert_array_equal(points_of_track(track), drawn)
    assert track.says.tolist() == [True] * 50 + [False] * 10
    assert (track.rows[0] > 0).tolist() == [bool(drawn[0] >> 31 - bit & 1) for bit in range(32)]


@pytest.mark.parametrize("point", [0, 0xFFFFFFFF, SILENT_POINT])
def test_every_point_says_something(point: int) -> None:
    one = np.array([point], np.uint32)
    assert points_of_track(track_of(one, np.zeros(1, np.float32))).tolist() == [point]


def test_nothing_gives_an_empty_track() -> None:
    for n_rows in (0, 5):
        listener = ChromaListener()
        assert list(listener.overhearing([])) == []
        track = listener.track(n_rows)
        assert (len(track), track.rows.shape) == (n_rows, (n_rows, 32))
        assert points_of_track(track).tolist() == []
        assert track.level.tolist() == [SILENT_DB] * n_rows


def test_level_is_the_loudest_sample_until_the_next_point_and_change_its_step() -> None:
    wave = np.zeros(4 * SAMPLE_RATE, np.float32)
    at = np.arange(round(1.0 * SAMPLE_RATE), round(2.0 * SAMPLE_RATE))
    wave[at] = 0.1 * np.sin(2 * np.pi * 440 * at / SAMPLE_RATE)
    track = chroma_of(wave)
    inner = slice(int(1.1 / POINT_S), int(1.9 / POINT_S))
    np.testing.assert_allclose(track.level[inner], -20, atol=0.2)
    assert set(track.level[: int(0.9 / POINT_S)]) == {np.float32(SILENT_DB)}
    assert set(track.level[int(2.2 / POINT_S) :]) == {np.float32(SILENT_DB)}
    assert track.change[0] == 0
    np.testing.assert_allclose(track.change[1:], np.abs(np.diff(track.level)), atol=1e-4)


def test_the_end_of_the_sound_has_its_level_though_no_points() -> None:
    track = chroma_of(music(1, 10.0) + np.float32(0.2))
    assert len(track) == int(10 / POINT_S)
    assert (track.level > -20).all()
    assert not track.says[-18:].any()
    assert track.says[:-22].all()


def test_there_is_one_algorithm_and_its_name_is_to_be_given() -> None:
    assert ChromaSettings(algorithm="chromaprint-test2").algorithm == "chromaprint-test2"
    for given in (
        {},
        {"algorithm": "chromaprint-test1"},
        {"algorithm": "chromaprint-test2", "x": 1},
    ):
        with pytest.raises(ValidationError):
            ChromaSettings.model_validate(given)

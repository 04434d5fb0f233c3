"""The sound of every kind of file: tones are looked for where a player would play them."""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from skipintro.core import isolation
from skipintro.video import isolated_decode, sound
from skipintro.video.container import PassingVideoError, VideoError
from skipintro.video.info import USUAL_LIMITS
from skipintro.video.sound import has_sound, is_undecodable, samples
from video_cases import numbered, write

RATE = 16_000
HZ = 440
STEP = 1024  # samples in a frame, where the codec does not want another number

Wave = NDArray[np.float32]


@dataclass
class Track:
    """A sound stream that is to be written: pieces of sound, in samples from time stamp 0 on."""

    pieces: Sequence[tuple[int, Wave]]
    codec: str = "pcm_s16le"
    rate: int = 48_000
    layout: str = "mono"
    disposition: Disposition = field(default_factory=lambda: Disposition(0))
    title: str = ""


def tone(length_s: float, *, hz: float = HZ, rate: int = 48_000, size: float = 0.5) -> Wave:
    """Return a sine."""
    time = np.arange(round(length_s * rate)) / rate
    return (size * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def silence(length_s: float, rate: int = 48_000) -> Wave:
    return np.zeros(round(length_s * rate), np.float32)


def late_tone(rate: int = 48_000) -> Wave:
    """Return 3 s, of which the tone is on from 1.25 s to 1.75 s."""
    return np.concatenate([silence(1.25, rate), tone(0.5, rate=rate), silence(1.25, rate)])


def write_sound(path: Path, *tracks: Track, pictures: tuple[float, float] = (0, 0)) -> Path:
    """Write tracks, and 25 pictures a second between two times in seconds."""
    pictures_at = np.arange(*pictures, 0.04).tolist()
    with av.open(str(path), "w") as container:
        shown: Any = container.add_stream("libx264", rate=25) if pictures_at else None
        if shown:
            shown.width = shown.height = 64
            shown.pix_fmt, shown.options = "yuv420p", {"preset": "superfast", "bf": "0"}
            shown.codec_context.time_base = Fraction(1, 1000)
        streams: list[Any] = []
        for track in tracks:
            if track.codec not in av.codecs_available:
                pytest.skip(f"this PyAV build has no encoder {track.codec}")
            stream: Any = container.add_stream(track.codec, rate=track.rate, layout=track.layout)
            stream.disposition = track.disposition
            stream.metadata["title"] = track.title
            streams.append(stream)
        packets: list[Any] = []
        for index, at in enumerate(pictures_at):
            picture = av.VideoFrame.from_ndarray(numbered(index), format="rgb24")
            picture.pts, picture.time_base = round(at * 1000), Fraction(1, 1000)
            packets += shown.encode(picture)
        packets += shown.encode() if shown else []
        for track, stream in zip(tracks, streams, strict=True):
            packets += encoded(track, stream)
        container.mux(packets)
    return path


def encoded(track: Track, stream: Any) -> list[Any]:
    kind = stream.codec_context.format
    packets: list[Any] = []
    n_channels = len(av.AudioLayout(track.layout).channels)
    stream.codec_context.open()
    step = stream.codec_context.frame_size or STEP
    for start, wave in track.pieces:
        whole = np.tile(wave, (n_channels, 1))
        if kind.name.startswith("s16"):
            whole = (whole * 32_767).astype(np.int16)
        for begin in range(0, whole.shape[1], step):
            part = whole[:, begin : begin + step]
            part = part if kind.is_planar else part.T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(part), format=kind.name, layout=track.layout
            )
            frame.sample_rate, frame.time_base = track.rate, Fraction(1, track.rate)
            frame.pts = start + begin
            packets += stream.encode(frame)
    return [*packets, *stream.encode()]


def heard(path: Path, **how: Any) -> Wave:
    """Return all the sound of a file."""
    blocks = list(samples(path, **how))
    assert all(block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    assert has_sound(path) == bool(blocks)
    return np.concatenate([np.zeros(0, np.float32), *blocks])


def tones(wave: Wave, rate: int = RATE) -> list[tuple[float, float]]:
    """Return the times, in seconds, between which something is to be heard, by hundredths."""
    step = rate // 100
    padded = np.pad(wave, (0, -wave.size % step)).reshape(-1, step)
    loud = np.pad(np.sqrt(np.mean(padded**2, axis=1)) > 0.05, 1)
    edges = np.flatnonzero(loud[1:] != loud[:-1]) / 100
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def pitch(wave: Wave, rate: int = RATE) -> float:
    """Return the strongest frequency."""
    power = np.abs(np.fft.rfft(wave * np.hanning(wave.size)))
    return float(np.argmax(power)) * rate / wave.size


def near(*times: tuple[float, float]) -> Any:
    return [pytest.approx(pair, abs=0.031) for pair in times]


# --- codecs, rates, channels ---


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("aac.mp4", "aac", 48_000, "stereo"),
        ("aac.ts", "aac", 48_000, "stereo"),
        ("opus.mkv", "libopus", 48_000, "stereo"),
        ("flac.mkv", "flac", 44_100, "stereo"),
        ("ac3.mkv", "ac3", 48_000, "5.1(side)"),
        ("pcm.mkv", "pcm_s16le", 8_000, "mono"),
        ("pcm.mkv", "pcm_s16le", 96_000, "7.1"),
        ("pcm.avi", "pcm_s16le", 22_050, "mono"),
        ("three.wav", "pcm_s16le", 48_000, "3 channels"),
    ],
)
def test_a_tone_is_where_a_player_plays_it(
    tmp_path: Path, name: str, codec: str, rate: int, layout: str
) -> None:
    track = Track([(0, late_tone(rate))], codec, rate, layout)
    pictures = (0, 0) if name.endswith(".wav") else (0, 3)
    wave = heard(write_sound(tmp_path / name, track, pictures=pictures))
    assert tones(wave) == near((1.25, 1.75))
    assert wave.size / RATE == pytest.approx(3, abs=0.05)
    middle = wave[round(1.3 * RATE) : round(1.7 * RATE)]
    assert pitch(middle) == pytest.approx(HZ, abs=3)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.08)


def test_every_sample_is_in_its_place(tmp_path: Path) -> None:
    track = Track([(0, tone(2.5, rate=48_000))])
    wave = heard(write_sound(tmp_path / "sine.mkv", track))
    inner = slice(100, -100)  # the resampler knows nothing beyond the ends
    assert wave.size == 2.5 * RATE
    np.testing.assert_allclose(wave[inner], tone(2.5, rate=RATE)[inner], atol=2e-3)


def test_the_rate_may_be_another(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "sine.mkv", Track([(0, late_tone())]))
    wave = heard(path, rate=11_025)
    assert wave.size == pytest.approx(3 * 11_025, abs=2)
    assert pitch(wave, 11_025) == pytest.approx(HZ, abs=3)


@pytest.mark.parametrize("layout", ["stereo", "5.1", "7.1"])
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
def test_many_channels_at_their_loudest_are_mixed_without_distortion(
    tmp_path: Path, layout: str, codec: str
) -> None:
    track = Track([(0, tone(1, size=1))], codec, layout=layout)
    wave = heard(write_sound(tmp_path / "loud.mkv", track))
    inner = wave[200:-200]
    expected = tone(1, rate=RATE)[200:-200] * 2
    np.testing.assert_allclose(inner, expected, atol=0.01)


def test_sound_that_is_no_number_or_too_loud_is_within_its_bounds(tmp_path: Path) -> None:
    loud = tone(1, size=7)
    loud[20_000] = np.nan
    loud[30_000] = np.inf
    wave = heard(write_sound(tmp_path / "loud.mkv", Track([(0, loud)], "pcm_f32le")))
    assert wave.size == RATE
    assert (wave.min(), wave.max()) == (-1, 1)


def test_digital_silence_is_zero(tmp_path: Path) -> None:
    wave = heard(write_sound(tmp_path / "still.mkv", Track([(0, silence(2))], "flac")))
    assert wave.size == 2 * RATE
    assert not wave.any()


# --- which stream ---


def test_where_there_is_no_sound_nothing_is_given(tmp_path: Path) -> None:
    path = write(tmp_path / "silent.mkv", [0, 40], 80, Fraction(1, 1000))
    assert not has_sound(path)
    assert not is_undecodable(path)
    assert list(samples(path)) == []


def test_sound_that_nothing_decodes_counts_as_none(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "unknown.mkv", Track([(0, tone(1))], "flac"), pictures=(0, 1))
    assert has_sound(path)
    assert not is_undecodable(path)
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_XLAC"))
    assert not has_sound(path)
    assert is_undecodable(path)
    assert list(samples(path)) == []


def test_of_two_streams_the_one_that_can_be_decoded_is_heard(tmp_path: Path) -> None:
    tracks = Track([(0, tone(1))], "flac"), Track([(0, tone(1))], "pcm_s16le")
    path = write_sound(tmp_path / "unknown.mkv", *tracks)
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_XLAC"))
    assert not is_undecodable(path)
    assert tones(heard(path)) == near((0, 1))


@pytest.mark.parametrize(
    ("dispositions", "chosen"),
    [
        ({6: Disposition.default}, 6),
        ({3: Disposition.default, 6: Disposition.default}, 3),
        ({}, 0),
        ({0: Disposition.comment}, 1),
        ({0: Disposition.visual_impaired, 1: Disposition.comment}, 2),
        ({0: Disposition.comment | Disposition.default}, 1),
        ({0: Disposition.comment, 4: Disposition.default}, 4),
        ({0: Disposition.hearing_impaired, 1: Disposition.comment}, 2),
        ({3: Disposition.default, 6: Disposition.forced}, 6),
    ],
)
def test_of_ten_streams_a_player_plays_one(
    tmp_path: Path, dispositions: dict[int, Disposition], chosen: int
) -> None:
    tracks = [
        Track([(0, tone(0.5, hz=500 + 100 * index))], disposition=dispositions.get(index, flag))
        for index, flag in enumerate([Disposition(0)] * 10)
    ]
    path = write_sound(tmp_path / "ten.mkv", *tracks, pictures=(0, 1))
    with av.open(str(path)) as container:
        for index, stream in enumerate(container.streams.audio):
            assert stream.disposition == dispositions.get(index, Disposition(0))
    assert pitch(heard(path)) == pytest.approx(500 + 100 * chosen, abs=3)


@pytest.mark.parametrize("title", ["Director's Commentary", "Audio Description", "Комментарии"])
def test_a_title_may_tell_that_a_stream_is_for_some_alone(tmp_path: Path, title: str) -> None:
    tracks = [
        Track([(0, tone(0.5, hz=700))], disposition=Disposition.default, title=title),
        Track([(0, tone(0.5, hz=900))], title="English"),
    ]
    path = write_sound(tmp_path / "two.mkv", *tracks, pictures=(0, 1))
    assert pitch(heard(path)) == pytest.approx(900, abs=3)


def test_a_default_stream_that_nothing_decodes_is_passed_over(tmp_path: Path) -> None:
    tracks = [
        Track([(0, tone(0.5, hz=700))], "flac", disposition=Disposition.default),
        Track([(0, tone(0.5, hz=900))]),
    ]
    path = write_sound(tmp_path / "two.mkv", *tracks, pictures=(0, 1))
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_XLAC"))
    assert pitch(heard(path)) == pytest.approx(900, abs=3)


# --- time ---


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_stream_that_starts_late_is_preceded_by_silence(tmp_path: Path, suffix: str) -> None:
    track = Track([(96_000, tone(1))], "aac")
    path = write_sound(tmp_path / f"late{suffix}", track, pictures=(0, 4))
    wave = heard(path)
    assert tones(wave) == near((2, 3))
    assert wave.size / RATE == pytest.approx(3, abs=0.05)
    assert not wave[: round(1.9 * RATE)].any()


def test_time_runs_from_the_sound_where_it_starts_before_the_pictures(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "early.mkv", Track([(0, late_tone())]), pictures=(2, 3))
    assert tones(heard(path)) == near((1.25, 1.75))


def test_time_runs_from_the_start_of_a_container_that_starts_late(tmp_path: Path) -> None:
    track = Track([(7 * 48_000, late_tone())])
    path = write_sound(tmp_path / "late.mkv", track, pictures=(7, 8))
    assert tones(heard(path)) == near((1.25, 1.75))


def test_sound_before_the_start_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "early.mkv", Track([(0, late_tone())]))
    monkeypatch.setattr(sound, "origin_of", lambda _: Fraction(1, 2))
    wave = heard(path)
    assert tones(wave) == near((0.75, 1.25))
    assert wave.size == 2.5 * RATE


@pytest.mark.parametrize("gap_s", [0.15, 1, 23])
def test_a_gap_is_silent(tmp_path: Path, gap_s: float) -> None:
    second = round((1 + gap_s) * 48_000)
    track = Track([(0, tone(1)), (second, tone(1))])
    wave = heard(write_sound(tmp_path / "gap.mkv", track))
    assert tones(wave) == near((0, 1), (1 + gap_s, 2 + gap_s))
    assert wave.size == pytest.approx((2 + gap_s) * RATE, abs=20)


Stamp = Callable[[int, float], float | None]


def restamped(path: Path, monkeypatch: pytest.MonkeyPatch, stamp: Stamp) -> Wave:
    """Return the sound of a file whose frame i, at a time in seconds, is told another one."""
    timed = sound._timed

    def otherwise(*source: Any) -> Iterator[tuple[Any, float | None]]:
        for index, (frame, time) in enumerate(timed(*source)):
            yield frame, stamp(index, time or 0.0)

    with monkeypatch.context() as patch:
        patch.setattr(sound, "_timed", otherwise)
        return heard(path)


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param(lambda i, at: at + (-1) ** i * 0.04 if i else at, id="rounded"),
        pytest.param(lambda i, at: at + (5 if i == 40 else 0), id="one far ahead"),
        pytest.param(lambda i, at: at + (1e9 if i == 40 else 0), id="one years ahead"),
        pytest.param(lambda i, at: at + (1e9 if i == 0 else 0), id="the first years ahead"),
        pytest.param(lambda i, at: at - (5 if i == 40 else 0), id="one far behind"),
        pytest.param(lambda i, at: at - (3600 if i > 40 else 0), id="a clock that begins anew"),
        pytest.param(lambda i, at: None if i else at, id="none told"),
    ],
)
def test_wrong_time_stamps_move_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamp: Stamp
) -> None:
    path = write_sound(tmp_path / "steady.mkv", Track([(0, late_tone())]))
    np.testing.assert_allclose(restamped(path, monkeypatch, stamp), heard(path), atol=1e-6)


def test_a_wrong_time_stamp_a_little_behind_costs_one_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "steady.mkv", Track([(0, late_tone())]))
    wave = restamped(path, monkeypatch, lambda i, at: at - (0.5 if i == 70 else 0))
    assert tones(wave)[0][0] == pytest.approx(1.25, abs=0.031)
    assert tones(wave)[-1][1] == pytest.approx(1.75, abs=0.031)
    assert wave.size == pytest.approx(3 * RATE, abs=20)


def test_what_comes_twice_is_heard_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 1 s on, frames are half a second nearer than they are long together."""
    path = write_sound(tmp_path / "steady.mkv", Track([(0, late_tone())]))
    wave = restamped(path, monkeypatch, lambda _, at: at - 0.5 if at >= 1 else at)
    assert tones(wave) == near((0.98, 1.25))  # 1.48 s is cut to 1 s, as the clock has it
    assert wave.size == pytest.approx(2.5 * RATE, abs=20)


def test_a_clock_that_is_slower_than_the_sound_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "drift.mkv", Track([(0, np.concatenate([silence(20), tone(1)]))]))
    for pace in (0.96, 1.04):
        wave = restamped(path, monkeypatch, lambda _, at, pace=pace: at * pace)  # type: ignore[misc]
        assert tones(wave)[0][0] == pytest.approx(20 * pace, abs=0.12)


def test_a_recording_whose_clock_begins_anew_goes_on(tmp_path: Path) -> None:
    whole = tmp_path / "joined.ts"
    parts = [
        write_sound(tmp_path / f"{hz}.ts", Track([(0, tone(4, hz=hz))], "aac"), pictures=(0, 4))
        for hz in (500, 900)
    ]
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    wave = heard(whole)
    assert wave.size / RATE == pytest.approx(8, abs=0.2)
    assert pitch(wave[: 3 * RATE]) == pytest.approx(500, abs=3)
    assert pitch(wave[-3 * RATE :]) == pytest.approx(900, abs=3)


# --- blocks ---


def test_blocks_are_of_ten_seconds_and_the_last_of_what_is_left(tmp_path: Path) -> None:
    track = Track([(24_000, np.concatenate([tone(12), silence(2), tone(8)]))])
    path = write_sound(tmp_path / "long.mkv", track, pictures=(0, 1))
    blocks = list(samples(path))
    assert [block.size for block in blocks] == [160_000, 160_000, 40_000]
    assert tones(np.concatenate(blocks)) == near((0.5, 12.5), (14.5, 22.5))


@pytest.mark.parametrize(
    ("max_length_s", "sizes"),
    [(9.99, [159_840]), (10, [160_000]), (10.5, [160_000, 8_000]), (99, [160_000, 64_000])],
)
def test_more_than_the_longest_length_is_not_given(
    tmp_path: Path, max_length_s: float, sizes: list[int]
) -> None:
    path = write_sound(tmp_path / "long.mkv", Track([(0, tone(14))]))
    assert [block.size for block in samples(path, max_length_s=max_length_s)] == sizes


def test_a_gap_of_years_ends_at_the_longest_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "steady.mkv", Track([(0, tone(2))]))
    timed = sound._timed
    monkeypatch.setattr(
        sound, "_timed", lambda *of: ((f, (t or 0) + (1e8 if t else 0)) for f, t in timed(*of))
    )
    blocks = list(samples(path, max_length_s=60))
    assert [block.size for block in blocks] == [160_000] * 6
    assert tones(np.concatenate(blocks)) == near((0, 0.02))


# --- damage ---


def test_what_is_damaged_is_silent_and_the_rest_is_in_its_place(tmp_path: Path) -> None:
    wave = np.concatenate([tone(1.5), silence(1), tone(1.5)])
    rng = np.random.default_rng(5)
    path = write_sound(
        tmp_path / "damaged.mkv",
        Track([(0, wave + rng.normal(0, 0.001, wave.size).astype(np.float32))], "flac"),
    )
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(audio=0) if packet.size and packet.pos]
    for begin, end in pairwise(places[3:8]):
        content[begin + 30 : end - 30] = bytes(end - begin - 60)
    path.write_bytes(content)
    found = heard(path)
    assert found.size == pytest.approx(4 * RATE, abs=20)
    assert tones(found)[0][0] == 0
    assert tones(found)[-1] == near((2.5, 4))[0]
    assert len(tones(found)) == 3


def test_a_form_that_changes_midway_breaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = [(48_000, "stereo", 500), (24_000, "mono", 700), (44_100, "5.1", 900)]
    path = tmp_path / "joined.aac"
    for rate, layout, hz in forms:
        track = Track([(0, tone(2, hz=hz, rate=rate))], "aac", rate, layout)
        with path.open("ab") as file:
            file.write(write_sound(tmp_path / "part.aac", track).read_bytes())
    # Of such a file the time stamps are guessed, by the first rate.
    wave = restamped(path, monkeypatch, lambda _, at: None)
    assert wave.size / RATE == pytest.approx(6, abs=0.3)
    for index, (_, _, hz) in enumerate(forms):
        middle = wave[round((2 * index + 0.6) * RATE) : round((2 * index + 1.6) * RATE)]
        assert pitch(middle) == pytest.approx(hz, abs=3)
        assert np.abs(middle).max() == pytest.approx(0.5, abs=0.08)


def test_a_form_that_cannot_be_mixed_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "tone.mkv", Track([(0, tone(2))]))
    mixer, n_made = sound._Mixer, count()

    def made(*form: Any) -> Any:
        if next(n_made) < 40:
            raise av.error.InvalidDataError(1, "a form")
        return mixer(*form)

    monkeypatch.setattr(sound, "_Mixer", made)
    assert tones(heard(path)) == near((40 * STEP / 48_000, 2))


def test_after_a_fault_in_mixing_the_rest_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "tone.mkv", Track([(0, late_tone())]))
    mixed, n_calls = sound._Mixer.mixed, count()

    def now_and_then(mixer: Any, frame: Any) -> Iterator[Any]:
        if next(n_calls) == 20:
            raise av.error.InvalidDataError(1, "a frame")
        yield from mixed(mixer, frame)

    monkeypatch.setattr(sound._Mixer, "mixed", now_and_then)
    wave = heard(path)
    assert tones(wave) == near((1.25, 1.75))
    assert wave.size == pytest.approx(3 * RATE, abs=20)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_of_a_truncated_file_what_there_is_is_heard(tmp_path: Path, share: float) -> None:
    path = write_sound(tmp_path / "cut.mkv", Track([(0, tone(4))], "flac"), pictures=(0, 4))
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    assert heard(path).size / RATE == pytest.approx(4 * share, abs=0.6)


class Streams(list[Any]):
    """The streams of a container that is not there."""

    audio = (
        SimpleNamespace(
            index=0, disposition=Disposition(0), codec_context=SimpleNamespace(), metadata={}
        ),
    )


@pytest.mark.parametrize(
    ("error", "is_readable", "told"),
    [
        (av.error.OSError(errno.EIO, "gone"), False, PassingVideoError),
        (av.error.OSError(errno.EIO, "gone"), True, None),
        (av.error.InvalidDataError(1, "damaged"), True, None),
        (av.error.MemoryError(errno.ENOMEM, "a damaged size"), True, None),
    ],
)
def test_a_disk_that_fails_midway_is_told_and_damage_is_not(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    is_readable: bool,
    told: type[Exception] | None,
) -> None:
    path = tmp_path / "tone.mkv"
    if is_readable:
        path.touch()

    packets = MagicMock()
    packets.__iter__.side_effect = error
    container = SimpleNamespace(streams=Streams(), start_time=0, demux=lambda _: packets)
    monkeypatch.setattr(sound, "opened_container", lambda _: nullcontext(container))
    with nullcontext() if told is None else pytest.raises(told):
        assert list(samples(path)) == []


@pytest.mark.parametrize("ask", [has_sound, lambda path: list(samples(path))])
def test_a_missing_file_is_told(tmp_path: Path, ask: Callable[[Path], object]) -> None:
    with pytest.raises(VideoError, match="no such file"):
        ask(tmp_path / "gone.mkv")


def test_a_child_gives_the_same(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "tone.mkv", Track([(0, tone(11))]))
    ours = list(isolated_decode.decoded(samples, path, USUAL_LIMITS, max_length_s=10.5))
    isolation.end_idle()
    assert [block.size for block in ours] == [160_000, 8_000]
    np.testing.assert_array_equal(np.concatenate(ours), heard(path, max_length_s=10.5))

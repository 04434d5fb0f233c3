"""Videos as they come, among ordinary episodes: the right opening or none, never a traceback.

Three episodes stay as they are; a fourth is written in each odd way.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from season_cases import (
    FINGERPRINT,
    Part,
    Wave,
    black,
    episode,
    joined,
    scene,
    speech,
    still,
    theme,
)
from skipintro.detectors import SHIPPED
from skipintro.detectors.openings import load_openings
from skipintro.evidence.recording import record
from skipintro.evidence.sound import SAMPLE_RATE
from skipintro.evidence.track import Evidence

FPS = 12
OPENING_S, LENGTH_S, AT_S = 12.0, 62.0, 7.3
OPENING = theme(9001, OPENING_S)


@lru_cache(maxsize=1)
def third() -> Part:
    return joined(scene(9010, AT_S), OPENING, scene(9011, LENGTH_S - AT_S - OPENING_S))


@lru_cache(maxsize=1)
def others() -> tuple[Evidence, ...]:
    return (
        episode(scene(9020, 3.0), OPENING, scene(9021, 60.0), seed=1),
        episode(scene(9022, 11.2), OPENING, scene(9023, 55.0), seed=2),
        episode(scene(9024, 5.6), OPENING, scene(9025, 50.0), seed=3),
    )


def write_video(
    path: Path,
    part: Part,
    *waves: tuple[Wave, int, str, Disposition],
    sound_at_s: float = 0.0,
    sizes: tuple[tuple[int, int], ...] = ((128, 72),),
) -> Path:
    """Write a part's pictures, with streams of sound: samples, rate, layout, disposition."""
    with av.open(str(path), "w") as container:
        shown: Any = container.add_stream("mpeg4", rate=FPS)
        shown.width, shown.height, shown.pix_fmt = *sizes[0], "yuv420p"
        streams = []
        for _, rate, layout, disposition in waves:
            heard: Any = container.add_stream("pcm_s16le", rate=rate, layout=layout)
            heard.disposition = disposition
            streams.append(heard)
        at = np.arange(round(part.length_s * FPS)) / FPS
        pictures = part.pictures(at).clip(0, 255).astype(np.uint8)
        for grey in pictures:
            frame = av.VideoFrame.from_ndarray(grey, format="gray")
            frame = frame.reformat(*sizes[0], format="yuv420p")
            container.mux(shown.encode(frame))
        container.mux(shown.encode())
        for stream, (wave, rate, layout, _) in zip(streams, waves, strict=True):
            container.mux(_encoded(stream, wave, rate, layout, sound_at_s))
    return path


def _encoded(stream: Any, wave: Wave, rate: int, layout: str, at_s: float) -> list[Any]:
    n_channels = len(av.AudioLayout(layout).channels)
    packets: list[Any] = []
    whole = (np.clip(wave, -1, 1) * 32_767).astype(np.int16)
    for begin in range(0, len(whole), 4096):
        part = np.repeat(whole[begin : begin + 4096], n_channels)[None]
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = begin + round(at_s * rate)
        packets += stream.encode(frame)
    return [*packets, *stream.encode()]


def resampled(wave: Wave, rate: int) -> Wave:
    at = np.arange(int(len(wave) * rate / SAMPLE_RATE)) * (SAMPLE_RATE / rate)
    return np.asarray(np.interp(at, np.arange(len(wave)), wave), np.float32)


def one(wave: Wave, rate: int = SAMPLE_RATE, layout: str = "mono") -> tuple[Any, ...]:
    return (wave, rate, layout, Disposition(0))


def no_stream(path: Path) -> Path:
    return write_video(path, third())


def ten_streams(path: Path) -> Path:
    languages = [one(speech(9100 + k, LENGTH_S)) for k in range(9)]
    return write_video(
        path, third(), *languages, (third().wave, SAMPLE_RATE, "mono", Disposition.default)
    )


def two_seconds_late(path: Path) -> Path:
    return write_video(path, third(), one(third().wave[2 * SAMPLE_RATE :]), sound_at_s=2.0)


def with_a_gap(path: Path) -> Path:
    wave = third().wave.copy()
    wave[30 * SAMPLE_RATE : 40 * SAMPLE_RATE] = 0
    return write_video(path, third(), one(wave))


def eight_khz(path: Path) -> Path:
    return write_video(path, third(), one(resampled(third().wave, 8000), 8000))


def seven_one(path: Path) -> Path:
    return write_video(path, third(), one(resampled(third().wave, 48_000), 48_000, "7.1"))


def digital_silence(path: Path) -> Path:
    return write_video(path, third(), one(np.zeros_like(third().wave)))


def clipped_noise(path: Path) -> Path:
    noise = np.sign(np.random.default_rng(1).standard_normal(len(third().wave)))
    return write_video(path, third(), one(noise.astype(np.float32)))


def one_tone(path: Path) -> Path:
    at = np.arange(len(third().wave)) / SAMPLE_RATE
    return write_video(path, third(), one(np.sin(2 * np.pi * 440 * at).astype(np.float32) * 0.3))


def ordinary(path: Path) -> Path:
    return write_video(path, third(), one(third().wave))


@pytest.mark.parametrize(
    "make",
    [
        ordinary,
        no_stream,
        ten_streams,
        two_seconds_late,
        with_a_gap,
        eight_khz,
        seven_one,
        digital_silence,
        clipped_noise,
        one_tone,
    ],
)
def test_an_opening_is_found_whatever_the_sound(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    odd = record(make(tmp_path / "odd.mkv"), FINGERPRINT)
    *found, told = load_openings(SHIPPED).detect([*others(), odd])
    assert told.interval == pytest.approx((AT_S, AT_S + OPENING_S), abs=1)
    assert [one.interval is not None for one in found] == [True] * len(found)


def joined_files(path: Path, *parts: Path) -> Path:
    """Write the bytes of MPEG-TS files one after the other, as recorders do."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def test_a_video_that_changes_its_size_midway_is_recorded_whole(tmp_path: Path) -> None:
    first, second = scene(9200, 20.0), joined(scene(9201, 5.0), OPENING, scene(9202, 20.0))
    parts = [
        write_ts(tmp_path / "a.ts", first, (128, 72), 0.0),
        write_ts(tmp_path / "b.ts", second, (160, 90), 20.0),
    ]
    odd = record(joined_files(tmp_path / "odd.ts", *parts), FINGERPRINT)
    assert odd.length_s == pytest.approx(57, abs=0.5)
    *_, told = load_openings(SHIPPED).detect([*others(), odd])
    assert told.interval == pytest.approx((25, 37), abs=1)


def write_ts(path: Path, part: Part, size: tuple[int, int], at_s: float) -> Path:
    with av.open(str(path), "w", format="mpegts") as container:
        shown: Any = container.add_stream("mpeg2video", rate=25)
        shown.width, shown.height, shown.pix_fmt = *size, "yuv420p"
        for index, grey in enumerate(
            part.pictures(np.arange(round(part.length_s * 25)) / 25).clip(0, 255).astype(np.uint8)
        ):
            frame = av.VideoFrame.from_ndarray(grey, format="gray")
            frame = frame.reformat(*size, format="yuv420p")
            frame.pts = index + round(at_s * 25)
            frame.time_base = Fraction(1, 25)
            container.mux(shown.encode(frame))
        container.mux(shown.encode())
    return path


@pytest.mark.parametrize(
    "part", [still(9300, 30.0), black(30.0), scene(9301, 1.0)], ids=["still", "black", "short"]
)
def test_a_video_that_says_little_gets_none_and_harms_no_other(part: Part, tmp_path: Path) -> None:
    odd = record(write_video(tmp_path / "odd.mkv", part, one(part.wave)), FINGERPRINT)
    *found, told = load_openings(SHIPPED).detect([*others(), odd])
    assert told.interval is None
    assert [one.interval is not None for one in found] == [True] * len(found)

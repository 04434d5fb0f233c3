"""Hostile videos: damaged in every way, made to cost time and memory, or to end the decoder.

`pytest tests/torture/test_videos.py --torture=full --footage FOLDER` damages clips of one's
own as well.
"""

import random
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from isolation_cases import ACCIDENTS, MEMORY_MB
from skipintro.core import isolation
from skipintro.core.isolation import LostError, run_in_subprocess
from skipintro.video import decoding, isolated_decode
from skipintro.video.container import VideoError
from skipintro.video.info import DecodingLimits
from skipintro.video.isolated_decode import DecoderLostError
from skipintro.video.scaling import square
from torture.conftest import Attack
from torture.mutation import read_or_refused
from video_cases import noise, numbered, write

LIMITS = DecodingLimits(stall_s=20, memory_mb=600, max_length_h=0.1)
MOST_S = 3 * LIMITS.stall_s  # of one reading
TEN_YEARS_S = 10 * 365 * 24 * 3600
SIZE = 32
SQUARE = partial(square, size=SIZE)
QUICK = {"deadline": "realtime", "cpu-used": "8"}
BIT_EXACT = {"fflags": "+bitexact"}  # no random marks: a failure comes back
CLIPS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"bf": "2"},
    "h264.mkv": {"bf": "2"},
    "vp9.mkv": {"codec": "libvpx-vp9", **QUICK},
    "vp8.webm": {"codec": "libvpx", **QUICK},
    "mpeg4.avi": {"codec": "mpeg4"},
    "h264.ts": {"bf": "2"},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "mjpeg.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "hevc.mkv": {"codec": "libx265", "x265-params": "log-level=none:bframes=2"},
    "sound.mp4": {"bf": "2", "sound": ("aac", 4.0)},
}


@pytest.fixture(scope="module")
def clips(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> dict[str, bytes]:
    """Return short videos by name: half numbered, half noise, so that pictures are hit as well."""
    folder = tmp_path_factory.mktemp("clips")
    frames = [numbered(index) for index in range(12)] + noise(13)
    for name, options in CLIPS.items():
        if options.get("codec", "libx264") in av.codecs_available:
            rate = Fraction(5) if options.get("codec") != "mpeg2video" else Fraction(25)
            many = frames if rate == 5 else frames * 2
            write_clip(folder / name, many, rate, options)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    if own := pytestconfig.getoption("footage"):
        found |= {path.name: path.read_bytes() for path in Path(own).iterdir() if path.is_file()}
    return found


def write_clip(path: Path, frames: list[Any], rate: Fraction, options: dict[str, Any]) -> Path:
    n = len(frames)
    return write(
        path, range(n), n, 1 / rate, **{"frames": frames, "g": "10", "muxing": BIT_EXACT, **options}
    )


def damaged(rng: random.Random, clips: dict[str, bytes], content: bytes) -> bytes:
    """Damage a clip in one to three ways, often near its beginning or end."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        n = len(content)
        if n < 16:
            break
        at = rng.choice((rng.randrange(n), rng.randrange(min(n, 1000)), n - 1 - rng.randrange(n)))
        length = min(n - at, rng.choice((1, 4, 16, 200, n // 8)))
        kind = rng.randrange(8)
        head, part, tail = content[:at], content[at : at + length], content[at + length :]
        if kind == 0:
            bits = bytearray(content)
            for _ in range(rng.choice((1, 3, 40))):
                place = rng.choice((rng.randrange(n), rng.randrange(min(n, 1000))))
                bits[place] ^= 1 << rng.randrange(8)
            content = bytes(bits)
        elif kind == 1:
            content = content[: max(16, at)]
        elif kind == 2:
            content = head + bytes(len(part)) + tail
        elif kind == 3:
            content = head + rng.randbytes(len(part)) + tail
        elif kind == 4:
            other = rng.randrange(len(tail) + 1)
            content = head + tail[:other] + part + tail[other:]
        elif kind == 5:
            donor = clips[rng.choice(sorted(clips))]
            cut = rng.choice((48, 200, 1000, len(donor) // 2))
            content = donor[:cut] + content[rng.choice((0, min(cut, n))) :]
        elif kind == 6:
            content = head + part * 2 + tail
        else:
            extreme = rng.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"\x80\0\0\0"))
            content = head + extreme + content[at + 4 :]
    return content


@dataclass
class Verdict:
    """What came of reading a video in all ways."""

    n_seconds: int | None  # None: it is set aside
    is_alike: bool  # decoding what is needed, or all, gives the same pictures


def judged(path: Path) -> Verdict:
    """Read a video in all ways; what `ingest` takes, `embed` has as many pictures of, each time."""
    lost: list[str] = []

    def read(function: Callable[[], Any]) -> Any:
        def noting() -> Any:
            try:
                return function()
            except DecoderLostError as error:
                lost.append(error.fault)
                raise

        began = time.monotonic()
        found = read_or_refused(path, noting)
        assert time.monotonic() - began < MOST_S
        return found

    info = read(lambda: isolated_decode.inspect(path, LIMITS, truncation_tolerance_s=2.0))
    n_seconds = None if info is None else info.n_seconds
    fast, again = (
        read(lambda: list(isolated_decode.pictures(path, SIZE, n_seconds, LIMITS)))
        for _ in range(2)
    )
    slow = read(
        lambda: list(
            isolated_decode.decoded(
                decoding._pictures_of_all, path, LIMITS, SQUARE, 1, LIMITS.max_length_s
            )
        )
    )
    read(lambda: isolated_decode.thumbnails(path, [0, 2.5], LIMITS))
    read(lambda: list(isolated_decode.frames_between(path, 1, 2, height=SIZE, limits=LIMITS)))
    if not lost:
        assert (fast is None) == (again is None)
        np.testing.assert_array_equal(fast or [], again or [])
    if info is not None and not lost:
        assert fast is not None, "inspected, but no pictures"
        assert len(fast) == n_seconds
    is_alike = fast is None or slow is None or np.array_equal(fast, slow)
    return Verdict(n_seconds, is_alike)


@pytest.mark.promise(
    "A damaged video is decoded, by `ingest` and `detect` alike, or set aside by name in one line."
)
def test_damaged_videos(attack: Attack, clips: dict[str, bytes], tmp_path: Path) -> None:
    names = sorted(clips)
    n_sound = n_unlike = 0
    for number in attack.cases(quick=10, wide=60, full=1000):
        name = names[number % len(names)]
        seed = attack.rng.randrange(2**32)
        path = tmp_path / name
        path.write_bytes(damaged(random.Random(seed), clips, clips[name]))  # noqa: S311
        with attack.case((name, seed)):
            verdict = judged(path)
            n_sound += verdict.n_seconds is not None
            n_unlike += not verdict.is_alike
    size = attack.size(quick=10, wide=60, full=1000)
    with attack.case("some are decoded, some are not"):
        assert 0 < n_sound < size
    with attack.case("damage in what need not be decoded is rare"):
        assert n_unlike <= max(1, size // 100)


# What no accident would make: by name, how it is made of a folder and the clips, and what is said
# of it; None: it may be decoded.


def remuxed(
    folder: Path, clips: dict[str, bytes], *, name: str, source: str = "mpeg4.avi"
) -> Callable[..., Path]:
    """Return what copies the packets of a clip without reordered frames, with other time stamps."""

    def copy(stamp_of: Callable[[int], int | None], length: int = 1, n: int | None = None) -> Path:
        origin, path = folder / f"source-{source}", folder / name
        origin.write_bytes(clips[source])
        with av.open(str(origin)) as read, av.open(str(path), "w") as written:
            stream: Any = written.add_stream_from_template(read.streams.video[0])
            stream.time_base = Fraction(1, 1000)
            packets = [packet for packet in read.demux(video=0) if packet.size]
            for index in range(n or len(packets)):
                stamp = stamp_of(index)
                if stamp is not None:
                    packet = av.Packet(bytes(packets[index % len(packets)]))
                    packet.stream, packet.time_base = stream, Fraction(1, 1000)
                    packet.pts = packet.dts = stamp
                    packet.duration = length
                    packet.is_keyframe = packets[index % len(packets)].is_keyframe
                    written.mux(packet)
        return path

    return copy


Make = Callable[[Path, dict[str, bytes]], Path]


def wrote(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def huge_jpeg(folder: Path, clips: dict[str, bytes]) -> Path:
    small, huge = struct.pack(">BHH", 8, 64, 64), struct.pack(">BHH", 8, 16_000, 16_000)
    assert small in clips["mjpeg.mov"]
    return wrote(folder, "huge.mov", clips["mjpeg.mov"].replace(small, huge))


def huge_vp8(folder: Path, clips: dict[str, bytes]) -> Path:
    start, sides = b"\x9d\x01\x2a", struct.pack("<HH", 64, 64)
    assert start + sides in clips["vp8.webm"]
    huge = struct.pack("<HH", 16_000, 16_000)
    return wrote(folder, "huge.webm", clips["vp8.webm"].replace(start + sides, start + huge))


def year_in_avi(folder: Path, clips: dict[str, bytes]) -> Path:
    content = bytearray(clips["mpeg4.avi"])
    place = content.index(b"strh") + 8 + 32  # dwLength
    content[place : place + 4] = struct.pack("<I", 365 * 24 * 3600 * 5)
    return wrote(folder, "year.avi", bytes(content))


def year_in_matroska(folder: Path, clips: dict[str, bytes]) -> Path:
    content = bytearray(clips["vp8.webm"])
    place = content.index(b"\x44\x89\x88") + 3
    content[place : place + 8] = struct.pack(">d", 365 * 24 * 3600 * 1000.0)
    return wrote(folder, "year.webm", bytes(content))


def many_frames(n: int) -> Make:
    def make(folder: Path, clips: dict[str, bytes]) -> Path:
        small = [np.zeros((16, 16, 3), np.uint8)] * 25
        tiny = write_clip(folder / "tiny.avi", small, Fraction(25), {"codec": "mpeg4"})
        copy = remuxed(folder, {"tiny.avi": tiny.read_bytes()}, name="many.mkv", source="tiny.avi")
        return copy(lambda index: index // 5, 1, n)

    return make


def endless_attachment(folder: Path, clips: dict[str, bytes]) -> Path:
    content = clips["h264.mkv"]
    place = content.index(b"\x1f\x43\xb6\x75")  # before the first cluster
    name, data = b"\x46\x6e\x81a", b"\x46\x5c" + b"\x01\x00\x10" + bytes(5)  # FileData of 16 TB
    file = b"\x61\xa7" + b"\x01" + b"\xff" * 7 + name + data
    attachments = b"\x19\x41\xa4\x69" + b"\x01" + b"\xff" * 7 + file
    return wrote(folder, "attached.mkv", content[:place] + attachments + content[place:])


def sound_alone(folder: Path, clips: dict[str, bytes]) -> Path:
    origin, path = wrote(folder, "origin.mp4", clips["sound.mp4"]), folder / "sound.mp4"
    with av.open(str(origin)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.audio[0])
        for packet in read.demux(audio=0):
            if packet.size:
                packet.stream = stream
                written.mux(packet)
    return path


def other_size(folder: Path, clips: dict[str, bytes]) -> Path:
    frames = [np.full((96, 128, 3), 10 * i, np.uint8) for i in range(25)]
    larger = write_clip(folder / "larger.ts", frames, Fraction(5), {})
    return wrote(folder, "sizes.ts", clips["h264.ts"] + larger.read_bytes())


def other_rate(folder: Path, clips: dict[str, bytes]) -> Path:
    faster = write_clip(folder / "faster.ts", noise(25), Fraction(25), {})
    return wrote(folder, "rates.ts", clips["h264.ts"] + faster.read_bytes())


def swapped(ending: str) -> Make:
    """Return what takes pictures for sound, and sound for pictures."""

    def make(folder: Path, clips: dict[str, bytes]) -> Path:
        origin, path = wrote(folder, "origin.mp4", clips["sound.mp4"]), folder / f"swapped.{ending}"
        with av.open(str(origin)) as read, av.open(str(path), "w") as written:
            pictures, sound = (
                written.add_stream_from_template(stream)
                for stream in (read.streams.video[0], read.streams.audio[0])
            )
            for packet in read.demux():
                if packet.size:
                    packet.stream = sound if packet.stream.type == "video" else pictures
                    written.mux(packet)
        return path

    return make


def two_videos(folder: Path, clips: dict[str, bytes]) -> Path:
    path = folder / "two.mkv"
    with av.open(str(path), "w") as written:
        streams = [written.add_stream(codec, rate=5) for codec in ("mpeg4", "mjpeg")]
        for stream, format_, side in zip(streams, ("yuv420p", "yuvj420p"), (64, 32), strict=True):
            stream.pix_fmt, stream.width, stream.height = format_, side, side
        for index in range(25):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(numbered(index), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 5)
                written.mux(stream.encode(frame))
        for stream in streams:
            written.mux(stream.encode(None))
    return path


SWAPPED = ("mp4", "mkv")
LONGER = "longer than 0.1 h, by its time stamps"
SPECIAL: dict[str, tuple[Make, str | None]] = {
    "a picture of 16,000 x 16,000, JPEG": (huge_jpeg, None),
    "a picture of 16,000 x 16,000, VP8": (huge_vp8, None),
    "an AVI that promises a year": (year_in_avi, "truncated: 5.0 s can be decoded of 31536000.0 s"),
    "a WebM that promises a year": (year_in_matroska, None),  # its track says the truth
    "pictures of another size in the middle": (other_size, None),
    "another codec in the middle": (
        lambda f, c: wrote(f, "codecs.ts", c["h264.ts"] + c["mpeg2.ts"]),
        None,
    ),
    "another rate in the middle": (other_rate, None),
    "another rate in the middle, Matroska": (
        lambda f, c: remuxed(f, c, name="rates.mkv")(
            lambda i: 200 * i if i < 12 else 2400 + 40 * (i - 12)
        ),
        None,
    ),
    **{f"streams that are swapped, {ending}": (swapped(ending), None) for ending in SWAPPED},
    "a clock that begins anew": (lambda f, c: wrote(f, "anew.ts", c["mpeg2.ts"] * 3), None),
    "a frame after ten years, Matroska": (
        lambda f, c: remuxed(f, c, name="gap.mkv")(
            lambda i: 200 * i if i < 20 else TEN_YEARS_S * 1000 + 200 * i
        ),
        LONGER,
    ),
    "a frame after a day, MP4": (
        lambda f, c: remuxed(f, c, name="gap.mp4")(
            lambda i: 200 * i if i < 20 else 86_400_000 + 200 * i
        ),
        LONGER,
    ),
    "a last frame that stays for ten years": (
        lambda f, c: remuxed(f, c, name="last.mkv")(
            lambda i: 200 * i,
            TEN_YEARS_S * 1000,
        ),
        None,
    ),
    "frames without a length": (
        lambda f, c: remuxed(f, c, name="zero.mkv")(lambda i: 200 * i, 0),
        None,
    ),
    "all frames at one time": (lambda f, c: remuxed(f, c, name="one.mkv")(lambda _: 7), None),
    "a clock that goes backward": (
        lambda f, c: wrote(
            f,
            "back.ts",
            b"".join(
                remuxed(f, c, name="part.ts", source="mpeg2.ts")(
                    lambda i, since=since: since + 40 * i
                ).read_bytes()
                for since in (20_000, 10_000, 0)
            ),
        ),
        None,
    ),
    "no key frame": (
        lambda f, c: remuxed(f, c, name="keyless.mkv")(lambda i: 200 * i if i % 10 else None),
        None,
    ),
    "sound alone": (sound_alone, "holds no video stream"),
    "two videos": (two_videos, None),
    "an attachment without an end": (endless_attachment, None),
    "a list that names itself": (
        lambda f, _: wrote(f, "list.mp4", b"ffconcat version 1.0\nfile 'list.mp4'\n" * 2),
        "cannot be opened as video",
    ),
}


@pytest.mark.promise(
    "A video that is made to cost time or memory, or whose clock is absurd, is decoded or set "
    "aside by name, within 20 s without progress and 600 MB."
)
def test_videos_made_to_cost(attack: Attack, clips: dict[str, bytes], tmp_path: Path) -> None:
    size = attack.size(quick=1_000, wide=10_000, full=1_000_000)
    cases = {f"{size:,} frames": (many_frames(size), None), **SPECIAL}
    names = list(cases)[:: attack.size(quick=4, wide=1, full=1)]
    for number, told in enumerate(names):
        make, fault = cases[told]
        folder = tmp_path / str(number)
        folder.mkdir()
        with attack.case(told):
            path = make(folder, clips)
            verdict = judged(path)
            assert verdict.is_alike
            if fault is not None:
                assert verdict.n_seconds is None
                with pytest.raises(VideoError) as caught:
                    isolated_decode.inspect(path, LIMITS, truncation_tolerance_s=2.0)
                assert caught.value.fault.startswith(fault)


@pytest.mark.promise(
    "A decoder that crashes, is killed, loops for ever or tries to use all memory, in any of "
    "several threads, costs its own video alone: every other one is decoded."
)
def test_decoders_that_are_lost(attack: Attack, clips: dict[str, bytes], tmp_path: Path) -> None:
    path = wrote(tmp_path, "sound.mp4", clips["sound.mp4"])
    expected = list(decoding.pictures(path, SIZE))
    accidents = sorted(ACCIDENTS)
    numbers = attack.cases(quick=6, wide=24, full=200)
    draws = [attack.rng.choice([*accidents, "", "", "left", ""]) for _ in numbers]

    def work(drawn: str) -> Exception | None:
        try:
            if drawn in ACCIDENTS:
                function, args, told = ACCIDENTS[drawn]
                stall_s = 0.5 if "loop" in drawn else LIMITS.stall_s
                with pytest.raises(LostError) as caught:
                    list(run_in_subprocess(function, *args, stall_s=stall_s, memory_mb=MEMORY_MB))
                assert str(caught.value) == told
            found = isolated_decode.pictures(path, SIZE, limits=LIMITS)
            if drawn == "left":
                np.testing.assert_array_equal(next(found), expected[0])
            else:
                np.testing.assert_array_equal(list(found), expected)
        except Exception as error:
            return error
        return None

    with ThreadPoolExecutor(3) as threads:
        for drawn, error in zip(draws, threads.map(work, draws), strict=True):
            with attack.case(drawn or "sound"):
                if error is not None:
                    raise error
    isolation.end_idle()

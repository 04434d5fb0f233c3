"""Every picture is checked against a slow reference; each frame shows its own number in blocks."""

import io
import math
import random
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cache, partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import av
import av.stream
import numpy as np
import psutil
import pytest
from av.video.frame import PictureType
from PIL import Image

from damage_cases import without_length
from skipintro.video import container as containers
from skipintro.video import decoding, scaling, sparse_decode
from skipintro.video.container import VideoError
from skipintro.video.decoding import grey_thumbnails, inspect, pictures, thumbnails
from skipintro.video.encoding import encode_h264
from skipintro.video.scaling import View
from skipintro.video.sparse_decode import pictures_of_needed
from skipintro.video.streams import shown_stream
from video_cases import SIDE, SOUND_HZ, Pixels, noise, number_in, numbered, write, write_silence

TOLERANCE_S = 0.5
SQUARE = partial(scaling.square, size=SIDE)
GREY = partial(scaling.grey, shape=(SIDE, SIDE))
CLOCKS = {".mkv": Fraction(1, 1000), ".webm": Fraction(1, 1000), ".ts": Fraction(1, 90_000)}
REMEDY = "replace the file or drop the episode"

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def write_constant(path: Path, rate: Fraction, n_frames: int, **how: Any) -> list[int]:
    """Write numbered frames at a constant rate, and give the numbers that are on screen."""
    clock = CLOCKS.get(path.suffix, 1 / Fraction(rate.numerator))
    stamps = [round(index / rate / clock) for index in range(n_frames + 1)]
    write(path, stamps[:-1], stamps[-1], clock, **how)
    return on_screen(stamps[:-1], stamps[-1], clock)


def on_screen(
    stamps: Sequence[int],
    end: int,
    clock: Fraction,
    *,
    start_s: Fraction | None = None,
    rate: int = 1,
) -> list[int]:
    """Give, the slow way, the frame that is on screen at each moment after the start."""
    start = stamps[0] * clock if start_s is None else start_s
    shown: list[int] = []
    while (moment := start + Fraction(len(shown), rate)) < end * clock:
        begun = [i for i, stamp in enumerate(stamps) if stamp * clock <= moment]
        shown.append(max(begun, default=0))
    return shown


def numbers_of(path: Path) -> list[int]:
    """Read the numbers of a file's pictures; `inspect` must count as many."""
    numbers = [number_in(picture) for picture in pictures(path, SIDE)]
    assert inspect(path, truncation_tolerance_s=TOLERANCE_S).n_seconds == len(numbers)
    return numbers


def pictures_of_all(path: Path, rate: int = 1, view: View = SQUARE) -> Iterator[Pixels]:
    """Decode every frame."""
    return decoding._pictures_of_all(path, view, rate, math.inf)


def patched(path: Path, after: bytes, offset: int, new: bytes) -> Path:
    """Overwrite bytes at `offset` from the end of the only place where `after` stands."""
    content = bytearray(path.read_bytes())
    assert content.count(after) == 1
    place = content.index(after) + len(after) + offset
    content[place : place + len(new)] = new
    path.write_bytes(content)
    return path


def flat(colours: Iterable[tuple[int, int, int]], height: int, width: int) -> Pixels:
    """Draw four quadrants: top left, top right, bottom left, bottom right."""
    quadrants = np.array(list(colours), np.uint8).reshape(2, 2, 3)
    return quadrants.repeat(height // 2, axis=0).repeat(width // 2, axis=1)


# --- which frame is on screen ---


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(
    ("rate", "n_frames", "numbers"),
    [
        ("25", 50, [0, 25]),
        ("25", 51, [0, 25, 50]),
        ("25", 1, [0]),
        ("24000/1001", 71, [0, 23, 47]),  # frame 24 appears at 1.001 s
        ("24000/1001", 73, [0, 23, 47, 71]),  # frame 72 appears at 3.003 s
        ("30000/1001", 100, [0, 29, 59, 89]),
        ("12", 30, [0, 12, 24]),
        ("1", 5, [0, 1, 2, 3, 4]),
        ("1/2", 4, [0, 0, 1, 1, 2, 2, 3, 3]),
        ("60", 121, [0, 60, 120]),
    ],
)
def test_each_second_shows_the_frame_on_screen_at_any_constant_rate(
    tmp_path: Path, rate: str, n_frames: int, numbers: list[int], suffix: str
) -> None:
    path = tmp_path / f"constant{suffix}"
    assert write_constant(path, Fraction(rate), n_frames) == numbers
    if suffix == ".ts" and rate == "1/2":
        numbers = numbers[:-1]  # MPEG-TS tells no frame's length, and half a frame a second no rate
    assert numbers_of(path) == numbers


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".avi", "mpeg4", {}),
        (".mp4", "mpeg4", {"bf": "2"}),
        (".webm", "libvpx", {"deadline": "realtime", "cpu-used": "8"}),
        (".webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
        (".mkv", "libx265", {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"}),
        (".mpg", "mpeg2video", {"bf": "2"}),
        (".flv", "libx264", {}),
    ],
)
def test_each_second_shows_the_frame_on_screen_in_other_codecs_and_containers(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str]
) -> None:
    path = tmp_path / f"codec{suffix}"
    assert write_constant(path, Fraction(25), 70, codec=codec, **options) == [0, 25, 50]
    assert numbers_of(path) == [0, 25, 50]


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_an_avi_with_reordered_frames_is_at_most_the_reordering_late(
    tmp_path: Path, codec: str
) -> None:
    path = tmp_path / "reordered.avi"  # a container that knows no presentation times
    write_constant(path, Fraction(25), 70, codec=codec, bf="2")
    numbers = numbers_of(path)
    assert np.abs(np.subtract(numbers, [0, 25, 50])).max() <= 3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("rate", ["25", "12", "24000/1001"])
def test_reordered_frames_are_shown_by_presentation_time(
    tmp_path: Path, rate: str, suffix: str
) -> None:
    path = tmp_path / f"reordered{suffix}"
    expected = write_constant(path, Fraction(rate), 61, bf="3", **{"b-adapt": "0"})
    with av.open(str(path)) as container:
        assert "B" in {PictureType(frame.pict_type).name for frame in container.decode(video=0)}
    assert numbers_of(path) == expected


@pytest.mark.parametrize("first", range(90_000, 90_009))  # every rest: 9 ticks are 100 µs
def test_a_start_between_two_microseconds_delays_no_frame(tmp_path: Path, first: int) -> None:
    stamps = [first + 7500 * index for index in range(30)]
    path = write(tmp_path / "start.ts", stamps, first + 7500 * 30, CLOCKS[".ts"])
    assert numbers_of(path) == [0, 12, 24]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("bf", ["0", "3"])
def test_irregular_frames_are_shown_by_presentation_time(
    tmp_path: Path, suffix: str, bf: str
) -> None:
    clock = Fraction(1, 1000)
    gaps = np.random.default_rng(3).choice([1, 2, 17, 40, 41, 333, 999, 1700], 60)
    # Constant at the end, where MP4 takes the last frame's length from the order of decoding.
    *stamps, end = np.cumsum([0, *gaps, *[40] * 6]).tolist()
    path = write(tmp_path / f"irregular{suffix}", stamps, end, clock, bf=bf)
    assert numbers_of(path) == on_screen(stamps, end, clock)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_frame_that_stays_for_long_is_repeated_every_second(tmp_path: Path, suffix: str) -> None:
    clock = Fraction(1, 1000)
    path = write(tmp_path / f"gap{suffix}", [0, 40, 80, 5000, 5040], 8300, clock)
    assert numbers_of(path) == [0, 2, 2, 2, 2, 3, 4, 4, 4]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("stamps", "end", "numbers"),
    [
        ([0, 999], 2000, [0, 1]),
        ([0, 1000], 2000, [0, 1]),
        ([0, 1001], 2000, [0, 0]),
        ([0, 1000], 2002, [0, 1]),  # a rest of two milliseconds is the clock's rounding
        ([0, 1000], 2003, [0, 1, 1]),
        ([0, 2001], 2002, [0, 0, 0]),  # whoever shows frame 1 has been past t = 2 s
        ([0], 1, [0]),
    ],
)
def test_a_frame_is_on_screen_from_its_time_until_the_next(
    tmp_path: Path, stamps: list[int], end: int, numbers: list[int], suffix: str
) -> None:
    path = write(tmp_path / f"edge{suffix}", stamps, end, Fraction(1, 1000))
    assert numbers_of(path) == numbers


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".flv"])
def test_time_runs_from_the_first_frame_of_a_container_that_starts_late(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"late{suffix}"
    clock = Fraction(1, 1000)
    write(path, range(7300, 10_100, 40), 10_100, clock)
    assert numbers_of(path) == [0, 25, 50]
    assert inspect(path, truncation_tolerance_s=0.1).duration_s == 2.8


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_time_runs_from_the_sound_where_the_video_starts_after_it(
    tmp_path: Path, suffix: str
) -> None:
    clock = Fraction(1, 1000)
    stamps = range(530, 3050, 40)
    path = write(tmp_path / f"sound{suffix}", stamps, 3050, clock, sound=("aac", 3.2))
    assert on_screen(stamps, 3050, clock, start_s=Fraction(0)) == [0, 11, 36, 61]
    assert numbers_of(path) == [0, 11, 36, 61]


def test_sound_before_the_start_is_not_heard_and_delays_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "run-up.mkv"
    clock = Fraction(1, 1000)
    write(path, range(0, 2400, 40), 2400, clock, sound=("libopus", 2.4))
    patched(path, b"\x56\xaa\x83", 0, (0x7A1200).to_bytes(3))  # CodecDelay: 8 ms
    with av.open(str(path)) as container:
        first = next(container.demux(audio=0))
        assert first.pts is not None
        assert first.pts < 0
    assert numbers_of(path) == [0, 25, 50]


def test_an_edit_list_decides_what_is_on_screen(tmp_path: Path) -> None:
    path = tmp_path / "trimmed.mp4"
    assert write_constant(path, Fraction(25), 100, g="10") == [0, 25, 50, 75]
    with av.open(str(path)) as container:
        ticks = round(Fraction(33, 25) / (container.streams.video[0].time_base or 1))
    patched(path, b"elst", 8, struct.pack(">II", 1800, ticks))  # 1.8 s from frame 33 on
    assert numbers_of(path) == [33, 58]


def test_packets_after_the_end_of_an_edit_list_make_it_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "trimmed.mp4"
    write_constant(path, Fraction(25), 250, frames=noise(250), g="10", bf="2")
    patched(path, b"elst", 8, struct.pack(">II", 2678, 0))  # the last group goes on after it
    expected = list(pictures_of_all(path))
    assert len(expected) == 3
    np.testing.assert_array_equal(list(pictures(path, SIDE)), expected)


# --- the shape of a picture ---


@pytest.mark.parametrize(
    ("matrix", "shape", "shown"),
    [
        ((1, 0, 0, 1), (96, 64), (RED, GREEN, BLUE, WHITE)),
        ((0, 1, -1, 0), (64, 96), (BLUE, RED, WHITE, GREEN)),  # rotate=90, clockwise
        ((-1, 0, 0, -1), (96, 64), (WHITE, BLUE, GREEN, RED)),
        ((0, -1, 1, 0), (64, 96), (GREEN, WHITE, RED, BLUE)),  # rotate=270
    ],
)
def test_a_rotation_flag_turns_the_picture_upright(
    tmp_path: Path,
    matrix: tuple[int, int, int, int],
    shape: tuple[int, int],
    shown: tuple[tuple[int, int, int], ...],
) -> None:
    path = tmp_path / "phone.mp4"
    frame = flat((RED, GREEN, BLUE, WHITE), 64, 96)
    write(path, [0], 1, Fraction(1), frames=[frame])
    a, b, c, d = (value << 16 for value in matrix)
    # ISO/IEC 14496-12, 8.3.2: the matrix stands 40 bytes after the name of the box.
    patched(path, b"tkhd", 40, struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))
    info = inspect(path, truncation_tolerance_s=TOLERANCE_S)
    assert (info.width, info.height) == shape
    (picture,) = pictures(path, SIDE)
    corners = picture[4::23, 4::23].astype(int)
    assert np.abs(corners - flat(shown, 2, 2)).max() < 60


@pytest.mark.parametrize(
    ("shape", "aspect", "shown_width"),
    [
        ((176, 144), "16/11", 256),  # PAL, 16:9
        ((176, 144), "12/11", 192),  # PAL, 4:3
        ((180, 120), "8/9", 160),  # NTSC, 4:3
        ((108, 192), "1", 108),  # portrait
        ((80, 192), "4/3", 107),  # portrait, 106.67 pixels wide
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_circle_comes_out_round_whatever_the_shape_of_the_pixels(
    tmp_path: Path, shape: tuple[int, int], aspect: str, shown_width: int, suffix: str
) -> None:
    path = tmp_path / f"circle{suffix}"
    width, height = shape
    ratio = Fraction(aspect)
    x = (np.arange(width) - (width - 1) / 2) * float(ratio)
    y = (np.arange(height) - (height - 1) / 2)[:, None]
    inside = x**2 + y**2 < 40**2
    frame = np.repeat(inside[:, :, None] * np.uint8(255), 3, axis=2)
    write(path, [0], 1, Fraction(1), frames=[frame], aspect=ratio)

    info = inspect(path, truncation_tolerance_s=TOLERANCE_S)
    assert (info.width, info.height) == (shown_width, height)
    (picture,) = pictures(path, 96)
    white = picture[:, :, 0] > 127
    diameter = 80 * 96 / min(shown_width, height)
    for axis in (0, 1):
        extent = np.flatnonzero(white.any(axis=axis))
        assert len(extent) == pytest.approx(diameter, abs=1.5)
        assert extent.mean() == pytest.approx(47.5, abs=1)


@pytest.mark.parametrize(
    ("width", "height", "codec", "pix_fmt"),
    [
        (321, 181, "libx264", "yuv444p"),
        (181, 321, "libx264", "yuv444p"),
        (321, 181, "mpeg4", "yuv420p"),
        (160, 120, "libx264", "yuv420p"),
        (64, 64, "libx264", "yuv420p"),
        (40, 20, "libx264", "yuv420p"),  # smaller than the picture
    ],
)
def test_pictures_are_scaled_and_cut_as_clip_does(
    tmp_path: Path, width: int, height: int, codec: str, pix_fmt: str
) -> None:
    path = tmp_path / "shape.mp4"
    x, y = np.arange(width) / width, np.arange(height)[:, None] / height
    grey = 127 + 100 * np.sin(9 * x + 5 * y) * np.sin(3 * x - 12 * y)
    frame = np.repeat(grey[:, :, None].astype(np.uint8), 3, axis=2)
    write(path, [0], 1, Fraction(1), frames=[frame], codec=codec, pix_fmt=pix_fmt)
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert decoded.shape == (height, width, 3)
    # https://github.com/openai/CLIP, `_transform`, with torchvision's rounding.
    side = 48
    shorter = min(width, height)
    scaled = (side * width // shorter, side * height // shorter)
    resized = np.asarray(Image.fromarray(decoded).resize(scaled, Image.Resampling.BICUBIC))
    left, top = (round((length - side) / 2) for length in scaled)
    expected = resized[top : top + side, left : left + side]

    (picture,) = pictures(path, side)
    assert picture.dtype == np.uint8
    assert picture.shape == (side, side, 3)
    assert picture.flags.c_contiguous
    assert np.abs(picture.astype(int) - expected).mean() < 2
    info = inspect(path, truncation_tolerance_s=TOLERANCE_S)
    assert (info.width, info.height) == (width, height)


# --- what inspect tells ---


def test_inspect_describes_a_video(tmp_path: Path) -> None:
    path = tmp_path / "described.mp4"
    write_constant(path, Fraction(24_000, 1001), 72)
    assert inspect(path, truncation_tolerance_s=TOLERANCE_S).model_dump() == {
        "duration_s": 3.003,
        "n_seconds": 4,
        "n_frames": 72,
        "fps": 23.976,
        "width": 64,
        "height": 64,
        "codec": "h264",
    }


@pytest.mark.parametrize(("suffix", "sound"), [(".mp4", "aac"), (".mkv", "libopus")])
def test_sound_that_outlasts_the_video_is_no_truncation(
    tmp_path: Path, suffix: str, sound: str
) -> None:
    path = tmp_path / f"outlasted{suffix}"
    clock = Fraction(1, 1000)
    write(path, range(0, 2000, 40), 2000, clock, sound=(sound, 5.0))
    assert numbers_of(path) == [0, 25]


def cut(content: bytes) -> bytes:
    return content[: len(content) * 6 // 10]


def zeroed(content: bytes) -> bytes:
    tenth = len(content) // 10
    return content[: 5 * tenth] + bytes(tenth) + content[6 * tenth :]


def headless(content: bytes) -> bytes:
    return content[len(content) // 3 :]


def without_pictures(content: bytes) -> bytes:
    return content[: content.index(b"\x1f\x43\xb6\x75") + 60]  # within Matroska's first picture


def with_unknown_codec(content: bytes) -> bytes:
    return content.replace(b"avc1", b"xxxx")


N_NOISE = 100  # frames, 4 s


def write_noise(path: Path) -> None:
    path.write_bytes(noise_file(path.suffix, is_faststart=path.stem == "faststart"))


@cache
def noise_file(suffix: str, *, is_faststart: bool) -> bytes:
    """Return N_NOISE frames of noise, encoded once for each kind of file."""
    codec = {".webm": "libvpx", ".avi": "mpeg4"}.get(suffix, "libx264")
    quick: dict[str, Any] = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
    with TemporaryDirectory() as folder:
        path = write(
            Path(folder) / f"noise{suffix}",
            range(N_NOISE),
            N_NOISE,
            Fraction(1, 25),
            frames=noise(N_NOISE),
            codec=codec,
            muxing={"movflags": "faststart"} if is_faststart else None,
            g="25",
            **quick,
        )
        return path.read_bytes()


def assert_refused(path: Path, fault: str, read: Callable[[Path], object]) -> None:
    with pytest.raises(VideoError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(REMEDY)
    assert fault in message
    assert "Errno" not in message
    assert "\n" not in message


def read_info(path: Path) -> object:
    return inspect(path, truncation_tolerance_s=TOLERANCE_S)


def read_pictures(path: Path) -> object:
    return list(pictures(path, SIDE))


@pytest.mark.parametrize("read", [read_info, read_pictures])
@pytest.mark.parametrize("name", ["gone.mp4", "no_folder/gone.mp4", "a_file/gone.mp4"])
def test_a_missing_video_is_told_by_its_path_and_the_remedy(
    tmp_path: Path, name: str, read: Callable[[Path], object]
) -> None:
    (tmp_path / "a_file").touch()
    with pytest.raises(VideoError) as caught:
        read(tmp_path / name)
    remedy = "correct the path or bring the file back"
    assert str(caught.value) == f"{tmp_path / name}: no such file; {remedy}"


@pytest.mark.parametrize("read", [read_info, read_pictures])
@pytest.mark.parametrize(
    ("name", "damage", "fault"),
    [
        ("cut.mp4", cut, "cannot be opened as video"),
        ("headless.mp4", headless, "cannot be opened as video"),
        ("headless.mkv", headless, "cannot be opened as video"),
        ("zeroed.mp4", zeroed, "decoding fails after"),
        ("empty.mkv", without_pictures, "no picture in it can be decoded"),
        ("unknown.mp4", with_unknown_codec, "Decoder not found"),
    ],
)
def test_a_video_that_cannot_be_decoded_is_refused_by_name_fault_and_remedy(
    tmp_path: Path,
    name: str,
    damage: Callable[[bytes], bytes],
    fault: str,
    read: Callable[[Path], object],
) -> None:
    path = tmp_path / name
    write_noise(path)
    path.write_bytes(damage(path.read_bytes()))
    assert_refused(path, fault, read)


REORDERED = {"bf": "3", "preset": "medium", "threads": "1"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("closed.mp4", {**REORDERED, "g": "20"}),
        ("open.mp4", {**REORDERED, "g": "20", "x264-params": "open-gop=1:b-adapt=0"}),
        ("two_key_frames.mkv", {**REORDERED, "g": "150"}),
        ("pyramid.mkv", {**REORDERED, "g": "33", "x264-params": "b-pyramid=normal:b-adapt=0"}),
        ("key_frames_alone.mp4", {"g": "1"}),
        ("other_codec.mp4", {"codec": "mpeg4", "g": "12", "bf": "2"}),
        ("vp8.webm", {"codec": "libvpx", "deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_decoding_only_what_is_needed_changes_no_picture(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    """Noise: a frame decoded without one that it refers to would show it at once."""
    n, path = 2 * N_NOISE, tmp_path / name
    write_constant(path, Fraction(25), n, frames=noise(n), **options)
    for view, rate in ((SQUARE, 1), (GREY, 4)):
        needed_alone = list(pictures_of_needed(path, view, rate, math.inf))
        np.testing.assert_array_equal(needed_alone, list(pictures_of_all(path, rate, view)))
        assert len(needed_alone) == 8 * rate


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Pixels]]:
    """Return a video of ten groups of reordered frames, and its pictures."""
    path = tmp_path_factory.mktemp("groups") / "groups.mp4"
    write_constant(path, Fraction(5), 200, frames=noise(200), **REORDERED, g="20")
    return path, list(pictures_of_all(path))


@pytest.mark.parametrize(
    ("largest", "longest"), [(0, 60), (100_000, 60), (1 << 30, 0), (1 << 30, 3), (1 << 30, 60)]
)
def test_groups_that_are_decoded_side_by_side_or_not_give_the_same_pictures(
    groups: tuple[Path, list[Pixels]],
    largest: int,
    longest: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, expected = groups
    monkeypatch.setattr(sparse_decode, "_LARGEST_GROUP", largest)
    monkeypatch.setattr(sparse_decode, "_LONGEST_GROUP_S", longest)
    np.testing.assert_array_equal(list(pictures_of_needed(path, SQUARE, 1, math.inf)), expected)
    fast = list(pictures_of_needed(path, GREY, 4, math.inf))
    np.testing.assert_array_equal(fast, list(pictures_of_all(path, 4, GREY)))


def test_of_the_beginning_few_groups_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "groups.mp4"
    write_constant(path, Fraction(5), 200, frames=noise(200), g="10")
    scaled = []
    square = scaling.square

    def counted(*words: Any, **how: Any) -> Pixels:
        scaled.append(words)
        return square(*words, **how)

    monkeypatch.setattr(decoding, "square", counted)
    assert len(list(pictures(path, SIDE, 5))) == 5
    assert len(scaled) == 5  # of 40


def test_an_old_encoder_is_known_to_every_decoder_of_a_video(tmp_path: Path) -> None:
    """It is told in the first packet alone, and libav decodes what it wrote in another way."""
    path = tmp_path / "old.mp4"
    options = "qp=0:8x8dct=1:cabac=0:partitions=i8x8:keyint=10:min-keyint=10"
    y, x, colour = np.mgrid[:64, :64, :3]
    down, across = y / (4 + colour), x / (5 - colour)
    waves = [127 + 100 * np.sin(down + i / 3) * np.cos(across - i / 4) for i in range(120)]
    frames = [wave.astype(np.uint8) for wave in waves]
    how: dict[str, Any] = {"preset": "medium", "pix_fmt": "yuv444p", "x264-params": options}
    write_constant(path, Fraction(5), 120, frames=frames, g="10", **how)
    patched(path, b"x264 - core ", 0, b"148")
    expected = list(pictures_of_all(path))
    np.testing.assert_array_equal(list(pictures_of_needed(path, SQUARE, 1, math.inf)), expected)


def test_a_group_that_reaches_into_the_one_before_is_seen(tmp_path: Path) -> None:
    steady, path = tmp_path / "steady.mp4", tmp_path / "jumping.mp4"
    write_constant(steady, Fraction(1), 60, frames=noise(60), g="1")
    with av.open(str(steady)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.size]
        ticks = [packet.pts or 0 for packet in packets]
        ticks[19], ticks[21] = ticks[21], ticks[19]
        for packet, tick in zip(packets, ticks, strict=True):
            packet.dts = (packet.dts or 0) - 3 * (ticks[1] - ticks[0])
            packet.pts, packet.stream = tick, stream
            written.mux(packet)
    expected = list(pictures_of_all(path))
    np.testing.assert_array_equal(list(pictures(path, SIDE)), expected)


def test_parameters_of_the_codec_that_change_midway_hold_from_there_on(tmp_path: Path) -> None:
    """A decoder that has not seen them would show other pictures, and no fault."""
    first, second, path = (tmp_path / f"{name}.mp4" for name in ("first", "second", "joined"))
    for part, qp in ((first, 10), (second, 40)):
        write_constant(
            part, Fraction(5), 100, frames=noise(100), g="10", **{"x264-params": f"qp={qp}:cabac=0"}
        )
    with (
        av.open(str(first)) as one,
        av.open(str(second)) as other,
        av.open(str(path), "w") as written,
    ):
        stream = written.add_stream_from_template(one.streams.video[0])
        tick = Fraction(one.streams.video[0].time_base or 0)
        for packet in one.demux(video=0):
            if packet.size:
                packet.stream = stream
                written.mux(packet)
        units = parameters_of(other.streams.video[0].codec_context.extradata or b"")
        for packet in other.demux(video=0):
            if packet.size and packet.pts is not None and packet.dts is not None:
                told = av.Packet(units + bytes(packet))
                units = b""  # once
                told.pts, told.dts = packet.pts + int(20 / tick), packet.dts + int(20 / tick)
                told.duration, told.time_base = packet.duration, packet.time_base
                told.is_keyframe, told.stream = packet.is_keyframe, stream
                written.mux(told)
    expected = list(pictures_of_all(path))
    assert len(expected) == 40
    np.testing.assert_array_equal(list(pictures(path, SIDE)), expected)


def parameters_of(header: bytes) -> bytes:
    """Return the parameter sets of an `avcC` box with lengths of 4 bytes before them."""
    found, place = b"", 5
    for bits in (31, 255):  # of the sequence, of the picture
        number, place = header[place] & bits, place + 1
        for _ in range(number):
            length = int.from_bytes(header[place : place + 2], "big")
            found += length.to_bytes(4, "big") + header[place + 2 : place + 2 + length]
            place += 2 + length
    return found


@pytest.mark.parametrize("name", ["faststart.mp4", "cut.mkv", "cut.webm", "cut.avi"])
def test_a_truncated_video_is_refused_however_its_container_ends(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_noise(path)
    assert inspect(path, truncation_tolerance_s=0.1).n_frames == N_NOISE
    path.write_bytes(cut(path.read_bytes()))
    assert_refused(path, " 2.", read_info)  # seconds of 4


@pytest.mark.parametrize("name", ["unstated.mp4", "unstated.avi"])
def test_a_length_of_nothing_is_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_noise(path)
    assert decoding.length_s(path) == pytest.approx(4)
    without_length(path)
    assert decoding.length_s(path) is None
    assert inspect(path, truncation_tolerance_s=0.1).n_seconds == 4


def test_a_truncation_within_the_tolerance_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "cut.mkv"
    write_noise(path)
    path.write_bytes(cut(path.read_bytes()))
    info = inspect(path, truncation_tolerance_s=2.0)
    assert info.duration_s == pytest.approx(2.4, abs=0.2)
    assert info.n_seconds == len(list(pictures(path, SIDE))) == 3


@pytest.mark.parametrize("name", ["zeroed.mkv", "zeroed.webm", "zeroed.ts", "zeroed.avi", "cut.ts"])
def test_a_damaged_video_is_counted_in_seconds_as_it_is_decoded(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_noise(path)
    damage = cut if name.startswith("cut") else zeroed
    path.write_bytes(damage(path.read_bytes()))
    info = inspect(path, truncation_tolerance_s=TOLERANCE_S)
    assert info.n_frames < N_NOISE
    assert info.n_seconds == len(list(pictures(path, SIDE))) == (3 if damage is cut else 4)


@pytest.mark.parametrize("seed", [9, 20, 29])
def test_a_damaged_video_looks_the_same_each_time(tmp_path: Path, seed: int) -> None:
    """Several threads of libav would now and then lose the mark of a damaged frame."""
    path = tmp_path / "damaged.mp4"
    write(path, range(25), 25, Fraction(1, 5), frames=noise(25), g="10", bf="2")
    rng, content = random.Random(seed), bytearray(path.read_bytes())  # noqa: S311  no secret
    for _ in range(3):
        content[rng.randrange(200, len(content) - 2000)] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    for way in (partial(pictures, size=SIDE), pictures_of_all):
        looks = {np.stack(list(way(path))).tobytes() for _ in range(40)}
        assert len(looks) == 1


def test_there_are_as_many_pictures_as_were_counted_where_a_clock_jumps(tmp_path: Path) -> None:
    """Whoever decodes every frame meets a time stamp that is not needed for any picture."""
    path, jumping = tmp_path / "steady.mp4", tmp_path / "jumping.mp4"
    always = "b-pyramid=none:b-adapt=0:scenecut=0"
    options: dict[str, Any] = {**REORDERED, "g": "100", "x264-params": always}
    write(path, range(25), 25, Fraction(1, 5), frames=noise(25), **options)
    with av.open(str(path)) as read, av.open(str(jumping), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.size]
        reordered = packets[2]
        assert reordered.pts is not None
        assert packets[1].pts is not None
        assert reordered.pts < packets[1].pts
        reordered.pts += round(2.1 / reordered.time_base)
        for packet in packets:
            packet.stream = stream
            written.mux(packet)
    n_seconds = inspect(jumping, truncation_tolerance_s=TOLERANCE_S).n_seconds
    assert n_seconds > len(list(pictures(jumping, SIDE))) == 5
    assert len(list(pictures(jumping, SIDE, n_seconds))) == n_seconds
    assert len(list(pictures(jumping, SIDE, 3))) == 3


@pytest.mark.parametrize("read", [read_info, read_pictures])
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty (0 bytes)"),
        (b"This is no video.\n" * 200, "cannot be opened as video"),
        (bytes(10_000), "cannot be opened as video"),
    ],
)
def test_a_file_that_is_no_video_is_refused(
    tmp_path: Path, content: bytes, fault: str, read: Callable[[Path], object]
) -> None:
    path = tmp_path / "серия 1.mp4"
    path.write_bytes(content)
    assert_refused(path, fault, read)


def test_while_frames_are_damaged_the_last_sound_one_stays(tmp_path: Path) -> None:
    """What libav puts in the gaps is not the same with another number of threads."""
    path = tmp_path / "damaged.ts"
    write_constant(path, Fraction(25), 150, frames=noise(150), g="40")
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 4, len(content) // 2, 40_000):
        content[place : place + 90] = bytes(90)
    path.write_bytes(content)
    sound: list[Pixels] = []
    n_corrupt, is_damaged = 0, False
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            n_corrupt += frame.is_corrupt
            is_damaged = frame.is_corrupt or (is_damaged and not frame.key_frame)
            if not is_damaged:
                sound.append(scaling.scaled(frame, 64, 64))
    shown = [picture for _, picture in decoding.frames_between(path, 0, 6, height=64)]
    assert 0 < n_corrupt < 100
    assert len(shown) == 150
    assert all(any(np.array_equal(one, known) for known in sound) for one in shown)


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile 'secret.mp4'\n", "#EXTM3U\nsecret.ts\n"]
)
def test_a_list_of_other_files_is_no_video(tmp_path: Path, text: str) -> None:
    for name in ("secret.mp4", "secret.ts"):
        write_constant(tmp_path / name, Fraction(25), 50)
    path = tmp_path / "list.mp4"
    path.write_text(text)
    for read in (read_info, read_pictures):
        assert_refused(path, "cannot be opened as video", read)


@pytest.mark.parametrize("with_cover", [False, True])
@pytest.mark.parametrize("read", [read_info, read_pictures])
def test_sound_alone_is_refused_even_with_a_cover_picture(
    tmp_path: Path, read: Callable[[Path], object], with_cover: bool
) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=SOUND_HZ)
        if with_cover:
            cover: Any = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(numbered(3), format="rgb24")
            container.mux([*cover.encode(frame), *cover.encode()])
        write_silence(container, sound, 1.0)
    assert_refused(path, "holds no video stream", read)


NO_MARK = av.stream.Disposition(0)
DEFAULT, FORCED = av.stream.Disposition.default, av.stream.Disposition.forced


def write_two_streams(path: Path, *marks: av.stream.Disposition) -> None:
    """Write one that shows a 3, and one that shows a 5, with these marks."""
    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        for mark in marks:
            stream: Any = container.add_stream("libx264", rate=1)
            stream.width = stream.height = 64
            stream.pix_fmt, stream.disposition = "yuv420p", mark
            streams.append(stream)
        for stream, number in zip(streams, (3, 5), strict=True):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            container.mux([*stream.encode(frame), *stream.encode()])
    with av.open(str(path)) as container:
        assert [stream.disposition for stream in container.streams.video] == list(marks)


@pytest.mark.parametrize(
    ("marks", "number"),
    [
        ((NO_MARK, NO_MARK), 3),
        ((DEFAULT, NO_MARK), 3),
        ((NO_MARK, DEFAULT), 5),
        ((DEFAULT, DEFAULT), 3),
        ((NO_MARK, FORCED), 5),
        ((DEFAULT, FORCED), 5),
    ],
)
def test_of_several_video_streams_the_one_is_shown_that_a_player_shows(
    tmp_path: Path, marks: tuple[av.stream.Disposition, ...], number: int
) -> None:
    path = tmp_path / "two.mkv"
    write_two_streams(path, *marks)
    assert numbers_of(path) == [number]


@pytest.mark.parametrize("mark", ["attached_pic", "timed_thumbnails", "still_image"])
def test_a_cover_or_a_preview_is_not_shown_though_it_comes_first_as_the_default(mark: str) -> None:
    """PyAV's writers put covers last, so these are no files."""
    cover = SimpleNamespace(
        disposition=DEFAULT | av.stream.Disposition[mark], codec_context=object()
    )
    film = SimpleNamespace(disposition=NO_MARK, codec_context=object())
    streams: list[Any] = [cover, film]
    assert shown_stream(streams) == film
    assert shown_stream(streams[:1]) is None


def test_a_default_video_stream_that_nothing_decodes_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams: list[Any] = [container.add_stream(codec, rate=1) for codec in ("vp8", "libx264")]
        for stream, mark in zip(streams, (DEFAULT, NO_MARK), strict=True):
            stream.width = stream.height = 64
            stream.pix_fmt, stream.disposition = "yuv420p", mark
        for stream, number in zip(streams, (3, 5), strict=True):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            container.mux([*stream.encode(frame), *stream.encode()])
    path.write_bytes(path.read_bytes().replace(b"V_VP8", b"V_XP8"))
    assert numbers_of(path) == [5]


@pytest.mark.parametrize("read", [read_info, read_pictures])
def test_a_stream_that_appears_midway_takes_no_picture_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], Any]
) -> None:
    """Depending on what lies in memory, PyAV stumbles over it after the last packet."""
    path = tmp_path / "recording.ts"
    write_constant(path, Fraction(25), 70, bf="3")
    expected = read(path)
    whole = containers.opened_container

    @contextmanager
    def stumbling(path: Path) -> Iterator[Any]:
        with whole(path) as container:

            def demux(stream: Any) -> Iterator[Any]:
                yield from container.demux(stream)
                raise IndexError

            yield SimpleNamespace(
                **{name: getattr(container, name) for name in ("streams", "format", "start_time")},
                duration=container.duration,
                demux=demux,
            )

    monkeypatch.setattr(containers, "opened_container", stumbling)
    np.testing.assert_equal(read(path), expected)


# --- grey thumbnails ---


def grey_numbers(path: Path, rate: int = 4) -> list[int]:
    """Read the numbers of a file's grey thumbnails."""
    found = list(grey_thumbnails(path, (SIDE, SIDE), rate))
    assert {(one.shape, one.dtype.name, one.flags.c_contiguous) for one in found} == {
        ((SIDE, SIDE), "uint8", True)
    }
    return [number_in(one[:, :, None]) for one in found]


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "options"),
    [
        (".mp4", "libx264", "24000/1001", {"bf": "3", "b-adapt": "0"}),
        (".mkv", "libx264", "24000/1001", {"bf": "3", "g": "20"}),
        (".mkv", "libx264", "25", {"bf": "3", "g": "20"}),
        (".ts", "libx264", "24000/1001", {"bf": "2"}),
        (".avi", "mpeg4", "25", {}),
        (".webm", "libvpx-vp9", "24000/1001", {"deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_each_quarter_of_a_second_shows_the_frame_on_screen(
    tmp_path: Path, suffix: str, codec: str, rate: str, options: dict[str, str]
) -> None:
    path = tmp_path / f"constant{suffix}"
    clock = CLOCKS.get(suffix, Fraction(1, Fraction(rate).numerator))
    stamps = [round(index / Fraction(rate) / clock) for index in range(71)]
    write_constant(path, Fraction(rate), 70, codec=codec, **options)
    expected = on_screen(stamps[:-1], stamps[-1], clock, rate=4)
    assert len(expected) == 12
    assert grey_numbers(path) == expected


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("bf", ["0", "3"])
def test_each_quarter_of_a_second_shows_the_frame_on_screen_of_irregular_ones(
    tmp_path: Path, suffix: str, bf: str
) -> None:
    clock = Fraction(1, 1000)
    gaps = np.random.default_rng(4).choice([1, 2, 17, 40, 41, 250, 333, 999, 1700], 60)
    *stamps, end = np.cumsum([0, *gaps, *[40] * 6]).tolist()
    path = write(tmp_path / f"irregular{suffix}", stamps, end, clock, bf=bf)
    expected = on_screen(stamps, end, clock, rate=4)
    assert grey_numbers(path) == expected
    assert grey_numbers(path, 1) == numbers_of(path)
    assert [number_in(one) for one in pictures_of_all(path, 4)] == expected


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), (0, 80, 160, 255)),
        ((0, 1, -1, 0), (160, 0, 255, 80)),  # rotate=90, clockwise
        ((-1, 0, 0, -1), (255, 160, 80, 0)),
        ((0, -1, 1, 0), (80, 255, 0, 160)),  # rotate=270
    ],
)
def test_a_grey_thumbnail_holds_the_whole_picture_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], shown: tuple[int, ...]
) -> None:
    path = tmp_path / "phone.mp4"
    frame = flat(((grey,) * 3 for grey in (0, 80, 160, 255)), 64, 96)
    write(path, [0], 1, Fraction(1), frames=[frame], aspect=Fraction(4, 3))
    a, b, c, d = (value << 16 for value in matrix)
    patched(path, b"tkhd", 40, struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))
    found = list(grey_thumbnails(path))
    assert len(found) == 4
    assert found[0].shape == (36, 64)
    assert np.abs(found[0][9::18, 16::32].ravel().astype(int) - shown).max() < 8


def test_grey_thumbnails_of_a_video_that_is_too_long_or_missing_are_told(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    write_constant(path, Fraction(25), 70)
    assert len(list(grey_thumbnails(path, max_length_s=3))) == 12
    with pytest.raises(VideoError, match="longer than"):
        list(grey_thumbnails(path, max_length_s=2.5))
    with pytest.raises(VideoError, match="no such file"):
        list(grey_thumbnails(tmp_path / "gone.mp4"))


# --- thumbnails ---


def thumbnail_numbers(path: Path, seconds: Sequence[float]) -> list[int | None]:
    """Read the numbers of thumbnails; None where there is none."""
    numbers: list[int | None] = []
    for jpeg in thumbnails(path, seconds):
        if jpeg is None:
            numbers.append(None)
        else:
            image = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
            assert image.size == (160, 160)
            small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
            numbers.append(number_in(np.asarray(small)))
    return numbers


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
@pytest.mark.parametrize(
    ("rate", "bf"), [("25", "0"), ("25", "3"), ("24000/1001", "3"), ("1/2", "0"), ("1/2", "3")]
)
def test_a_thumbnail_shows_what_the_picture_of_its_second_shows(
    tmp_path: Path, rate: str, suffix: str, bf: str
) -> None:
    path = tmp_path / f"constant{suffix}"
    write_constant(path, Fraction(rate), 12 if rate == "1/2" else 180, bf=bf, g="20")
    numbers = numbers_of(path)
    assert len(numbers) > 7
    beyond = [len(numbers), len(numbers) + 1, 10_000]
    found = thumbnail_numbers(path, [*range(len(numbers)), *beyond])
    assert found == [*numbers, None, None, None]


@pytest.mark.parametrize(
    ("codec", "suffix", "options"),
    [
        ("mpeg4", ".avi", {"g": "12"}),
        ("mpeg4", ".mp4", {"g": "12", "bf": "2"}),
        ("libvpx-vp9", ".webm", {"g": "20", "deadline": "realtime", "cpu-used": "8"}),
        ("libx265", ".mkv", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=30"}),
        ("mpeg2video", ".mpg", {"g": "12", "bf": "2"}),
        ("libx264", ".mkv", {"g": "20", "bf": "3", "x264-params": "open-gop=1"}),
        ("libx264", ".mp4", {"g": "20", "x264-params": "intra-refresh=1"}),
    ],
)
def test_a_thumbnail_shows_the_right_picture_in_other_codecs(
    tmp_path: Path, codec: str, suffix: str, options: dict[str, str]
) -> None:
    path = tmp_path / f"codec{suffix}"
    write_constant(path, Fraction(25), 120, codec=codec, **options)
    assert thumbnail_numbers(path, range(5)) == numbers_of(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_thumbnail_between_two_seconds_shows_the_frame_on_screen(
    tmp_path: Path, suffix: str
) -> None:
    clock = Fraction(1, 1000)
    path = write(tmp_path / f"irregular{suffix}", [0, 100, 2500, 2600, 4000], 4400, clock, g="2")
    seconds = [2.5, 0.05, 0.1, 2.4, 2.599, 2.5, 4.3, 4.5]
    assert thumbnail_numbers(path, seconds) == [2, 0, 1, 1, 2, 2, 4, None]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_thumbnails_are_counted_from_the_sound_where_the_video_starts_after_it(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"sound{suffix}"
    clock = Fraction(1, 1000)
    write(path, range(530, 3050, 40), 3050, clock, sound=("aac", 3.2), g="10")
    assert thumbnail_numbers(path, range(4)) == numbers_of(path) == [0, 11, 36, 61]


def test_an_edit_list_decides_what_a_thumbnail_shows(tmp_path: Path) -> None:
    path = tmp_path / "trimmed.mp4"
    write_constant(path, Fraction(25), 100, g="10")
    with av.open(str(path)) as container:
        ticks = round(Fraction(33, 25) / (container.streams.video[0].time_base or 1))
    patched(path, b"elst", 8, struct.pack(">II", 1800, ticks))  # 1.8 s from frame 33 on
    assert thumbnail_numbers(path, [0, 0.4, 1, 2]) == [33, 43, 58, None]


def test_a_thumbnail_has_the_shape_of_the_display(tmp_path: Path) -> None:
    frame = np.zeros((144, 176, 3), np.uint8)
    path = write(
        tmp_path / "wide.mkv", [0], 1, Fraction(1), frames=[frame], aspect=Fraction(16, 11)
    )
    (jpeg,) = thumbnails(path, [0])
    assert jpeg is not None
    assert Image.open(io.BytesIO(jpeg)).size == (160, 90)


def test_a_thumbnail_after_a_damaged_key_frame_is_none_and_those_before_are_there(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "cut.mkv", range(20), 20, Fraction(1), frames=noise(20), g="5")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = thumbnails(path, [0, 3, 19])
    assert [jpeg is None for jpeg in found] == [False, False, True]


def test_a_damaged_key_frame_is_not_shown_but_what_is_read_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "video.mp4"
    write_constant(path, Fraction(25), 100, frames=noise(100), g="40")
    expected = thumbnails(path, [2.5])
    whole, n_calls = decoding._shown, count()
    damaged = SimpleNamespace(pts=0, key_frame=True, is_corrupt=True)

    def shown(*source: Any) -> Iterator[Any]:
        if next(n_calls) == 0:  # from the key frame on
            yield SimpleNamespace(frame=damaged, since=0.0)
        else:
            yield from whole(*source)

    monkeypatch.setattr(decoding, "_shown", shown)
    assert thumbnails(path, [2.5]) == expected
    assert next(n_calls) == 2


def test_where_seeking_fails_thumbnails_are_read_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "video.mp4"
    write_constant(path, Fraction(25), 100, frames=noise(100), g="40")
    expected = thumbnails(path, [0, 2.5])

    def fail(*_: object) -> None:
        raise av.error.InvalidDataError(1, "no index", str(path))

    monkeypatch.setattr(decoding, "_shown_from_key_frame", fail)
    assert thumbnails(path, [0, 2.5]) == expected


def test_a_missing_file_has_no_thumbnails(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        thumbnails(tmp_path / "missing.mp4", [0])


def test_no_seconds_have_no_thumbnails(tmp_path: Path) -> None:
    assert thumbnails(write(tmp_path / "one.mp4", [0], 1, Fraction(1)), []) == []


# --- memory and encoding ---


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    process = psutil.Process()

    def growth(seconds: int) -> int:
        frames = [np.full((180, 320, 3), 9 + index % 200, np.uint8) for index in range(seconds)]
        path = write(
            tmp_path / f"{seconds}.mp4", range(seconds), seconds, Fraction(1), frames=frames
        )
        del frames
        before = process.memory_info().rss
        used = [process.memory_info().rss - before for _ in pictures(path, 448)]
        assert len(used) == inspect(path, truncation_tolerance_s=TOLERANCE_S).n_seconds == seconds
        return max(used)

    growth(20)  # buffers and threads of the decoder
    n_bytes_of_all = 200 * 448 * 448 * 3
    assert growth(200) < n_bytes_of_all / 4


def test_the_same_pictures_are_encoded_to_the_same_bytes(tmp_path: Path) -> None:
    frames = noise(30)
    paths = [tmp_path / name for name in ("one.mp4", "two.mp4")]
    for path in paths:
        encode_h264(path, iter(frames), Fraction(10), crf=28, keyframe_interval=20)
    one, two = (path.read_bytes() for path in paths)
    assert one == two
    assert b"Lavf" not in one


def test_encoded_pictures_are_those_that_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "encoded.mp4"
    frames = (numbered(index) for index in range(100))
    encode_h264(path, frames, Fraction(24_000, 1001), crf=28, keyframe_interval=48)
    assert numbers_of(path) == [0, 23, 47, 71, 95]
    assert inspect(path, truncation_tolerance_s=0).codec == "h264"

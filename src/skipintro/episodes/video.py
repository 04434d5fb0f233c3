"""Decodes videos to pictures at given times, and encodes the demo's.

Nothing but this and `sidecars/mux.py` imports PyAV.

The picture of second k is what a player shows at t = k s, by presentation time, so variable
and odd frame rates are sampled rightly. Pictures are upright (rotation flags applied) and have
square pixels (anamorphic video is stretched to its display shape).

What libav does over a hostile file may end the process: `skipintro.episodes.decoder` calls what
decodes in one of its own.
"""

import bisect
import errno
import io
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import chain, islice, pairwise, repeat
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

import av
import av.error
import av.stream
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file
from skipintro.episodes.catalog import VideoInfo
from skipintro.episodes.isolation import tell_progress
from skipintro.episodes.sampling import IrregularStreamError, Sample, needed

Picture = NDArray[np.uint8]  # (height, width, 3), RGB
_PacketSample: TypeAlias = Sample["av.Packet[av.VideoStream]"]

# A last frame that is on screen for less than this counts as rounding of the container's clock.
_CLOCK_ROUNDING_S = Fraction(2, 1000)

# Containers whose index tells exactly which key frame lies before a time; the clock of others may
# jump back, so that a time stamp alone does not tell when a frame is on screen.
_SEEKABLE = {"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"}

# Codecs whose decoder can tell from a packet alone that no other frame refers to it. HEVC is not
# one: what its sub-layer non-reference pictures hold, a higher layer may refer to.
_TELLS_REFERENCES = {"h264"}

# Types of H.264's NAL units: ITU-T H.264, table 7-1.
_SLICES = range(1, 6)
_IDR_SLICE = 5
_PARAMETERS = {7, 8}  # of a sequence, of a picture: what the decoder goes by from there on

# What x264 says of itself, in the first packet alone: libav decodes by it what old builds wrote.
_ENCODER_TOLD = 6  # a NAL unit's type: supplemental enhancement information
_X264_BUILD = re.compile(rb"x264 - core (\d+)")

# Decoders of one video that are at work side by side, each on a group of pictures of its own, and
# the bytes of packets, and pictures, up to which a group waits for its end to become known.
_N_DECODERS = 2
_LARGEST_GROUP = 64 << 20
_LONGEST_GROUP = 60

# Formats whose files name other files, or addresses, to be read in their place.
_NAMES_OTHER_FILES = {"concat", "dash", "hls", "imf", "rtsp", "sap", "sdp"}

# What the system says of a file that it cannot give just now.
_SYSTEM_REFUSES = {
    errno.EACCES,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENODEV,
    errno.ENOENT,
    errno.ENOTCONN,
    errno.ENOTDIR,
    errno.ENXIO,
    errno.EPERM,
    errno.ESTALE,
    errno.ETIMEDOUT,
}

_SEE_TO_IT = "see to its disk and your right to read it, then run again"

_THUMBNAIL_WIDTH = 160  # pixels
_JPEG_QUALITY = 75  # of 95: Pillow's default

# How Matroska's tags give the length of one track: 00:41:02.500000000.
_TRACK_LENGTH = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


class VideoError(InputError):
    """A file that cannot be decoded as video from its beginning to its end, or is not there."""

    def __init__(
        self, path: Path, fault: str, remedy: str = "replace the file or drop the episode"
    ) -> None:
        super().__init__(f"{path}: {fault}; {remedy}")
        self.fault = fault
        self._made_of = (path, fault, remedy)

    def __reduce__(self) -> tuple[type["VideoError"], tuple[Path, str, str]]:
        """Lets it pass from one process to another."""
        return type(self), self._made_of


class PassingVideoError(VideoError):
    """A fault of the moment rather than of the content: the next time all may go well."""


def inspect(
    path: Path, *, truncation_tolerance_s: float, max_length_s: float = math.inf
) -> VideoInfo:
    """Decode every frame of a video and describe it; width and height are as displayed.

    Raises VideoError where the file is missing, empty, no video, damaged, longer than
    `max_length_s`, or ends more than `truncation_tolerance_s` before the length that its container
    promises.
    """
    with _opened(path) as (container, stream):
        n_frames, n_seconds, end, shape = 0, 0, Fraction(0), (0, 0)
        for shown in _shown(path, container, stream):
            _check_length(path, shown.n_seconds, max_length_s)
            if not n_frames:
                shape = _display_shape(shown.frame, stream)
            n_frames, n_seconds, end = n_frames + 1, shown.n_seconds, shown.until
        if not n_frames:
            raise VideoError(path, "no picture in it can be decoded")
        promised = _promised_length(container, stream)
        if promised is not None and float(end) < promised - truncation_tolerance_s:
            raise VideoError(
                path, f"truncated: {float(end):.1f} s can be decoded of {promised:.1f} s"
            )
        return VideoInfo(
            duration_s=round(float(end), 3),
            n_seconds=n_seconds,
            n_frames=n_frames,
            fps=round(float(n_frames / end), 3),
            width=shape[0],
            height=shape[1],
            codec=stream.codec_context.name,
        )


def pictures(
    path: Path, size: int, n_seconds: int | None = None, *, max_length_s: float = math.inf
) -> Iterator[Picture]:
    """Yield the picture of the first `n_seconds`, or of all, as uint8 (size, size, 3), RGB.

    The shorter side is brought to `size` with a bicubic filter and the middle is cut out, as in
    CLIP's own preprocessing (https://github.com/openai/CLIP, `_transform`). Memory does not
    grow with the length of the video. Every frame is decoded where less does not bring as many
    pictures, so that there are as many as `inspect` counts; damage that lies in what need not be
    decoded shows in none.

    Raises VideoError where the file is missing, longer than `max_length_s` or decoding fails.
    """
    n_given = 0
    with suppress(IrregularStreamError, av.error.FFmpegError, ValueError):
        needed_alone = _pictures_of_needed(path, size, max_length_s, n_seconds)
        for picture in islice(needed_alone, n_seconds):
            yield picture
            n_given += 1
        if n_seconds in {None, n_given}:
            return
    yield from islice(_pictures_of_all(path, size, max_length_s), n_given, n_seconds)


def _pictures_of_needed(
    path: Path, size: int, max_length_s: float, n_seconds: int | None = None
) -> Iterator[Picture]:
    """Yield the picture of every second, or of the first ones at least, decoding what it takes.

    Raises IrregularStreamError where the file does not tell in advance what that is, or does not
    keep its word, and libav's errors; what was yielded before stands.
    """
    with _opened(path) as (container, stream):
        if container.format.name not in _SEEKABLE or stream.codec_context is None:
            raise IrregularStreamError
        samples = _needed_samples(container, stream, max_length_s)
        if stream.codec_context.name != "h264":  # its key frames may count on frames before them
            yield from _decoded(samples, stream, size)
            return
        with ExitStack() as stack:
            others = [stack.enter_context(_opened(path))[1] for _ in range(_N_DECODERS - 1)]
            yield from _decoded_in_groups(samples, [stream, *others], size, n_seconds)


def _needed_samples(
    container: "av.container.InputContainer", stream: "av.VideoStream", max_length_s: float
) -> "Iterator[_PacketSample]":
    """Yield the packets that must be decoded, with the seconds that show their frames."""
    tick, origin = stream.time_base or Fraction(1, av.time_base), _origin(container)
    nominal = 1 / Fraction(stream.average_rate or stream.guessed_rate or 25)

    def tick_of(second: int) -> int:
        return math.floor((second + origin) / tick)

    def seconds_of_last(last: _PacketSample) -> int:
        time = last.pts * tick - origin
        until = time + ((last.packet.duration or 0) * tick or nominal)
        if until > max_length_s:
            raise IrregularStreamError
        return _n_seconds_of_last(time, until)

    samples = _samples(container, stream, (max_length_s + origin) / tick)
    return needed(samples, tick_of, seconds_of_last)


def _decoded_in_groups(
    samples: "Iterator[_PacketSample]",
    streams: "Sequence[av.VideoStream]",
    size: int,
    n_seconds: int | None,
) -> Iterator[Picture]:
    """Yield the pictures of what is needed, of which each stream decodes a group at a time.

    A group begins with a key frame, and no frame of it refers to another group. From one on that
    is too large to wait for its end, or the last that is wanted, one stream decodes all.
    Raises IrregularStreamError where a group's time stamps reach into the one before.
    """
    first = next(samples)
    for stream in streams[1:]:  # what the first packet tells of the encoder holds for all
        list(_frames([first], stream.codec_context, deque()))
        stream.codec_context.flush_buffers()
    free: SimpleQueue[av.VideoStream] = SimpleQueue()
    for stream in streams:
        free.put(stream)

    def pictures_of(group: "Iterable[_PacketSample]") -> list[Picture]:
        stream = free.get()
        try:
            return list(_decoded(group, stream, size))
        finally:
            stream.codec_context.flush_buffers()  # the next group begins anew
            free.put(stream)

    running: deque[Future[list[Picture]]] = deque()
    group: list[_PacketSample] = []
    n_before = n_pictures = n_bytes = 0  # pictures of the groups before; of this one
    latest: float = -math.inf  # time stamp in the groups before
    with ThreadPoolExecutor(len(streams)) as pool:
        for sample in chain([first], samples):
            if sample.is_key and group:
                running.append(pool.submit(pictures_of, group))
                latest = max(latest, *(each.pts for each in group))
                n_before += n_pictures
                group, n_pictures, n_bytes = [], 0, 0
                if len(running) > len(streams):
                    yield from running.popleft().result()
            if sample.pts <= latest:
                raise IrregularStreamError
            group.append(sample)
            n_pictures += sample.n_seconds
            n_bytes += sample.packet.size
            is_last = n_seconds is not None and n_before + n_pictures >= n_seconds
            if is_last or n_bytes > _LARGEST_GROUP or n_pictures > _LONGEST_GROUP:
                break
        while running:
            yield from running.popleft().result()
    if group:
        yield from _decoded(chain(group, samples), free.get(), size)


def _decoded(
    samples: "Iterable[_PacketSample]", stream: "av.VideoStream", size: int
) -> Iterator[Picture]:
    """Decode packets, and yield the pictures that they are asked for.

    Raises IrregularStreamError where one does not come as it was told.
    """
    asked: deque[tuple[int, int]] = deque()  # time stamp, seconds that show the frame
    for frame in _frames(samples, stream.codec_context, asked):
        tell_progress()
        is_late = frame.pts is None or (asked and frame.pts > asked[0][0])
        if is_late or frame.is_corrupt:
            raise IrregularStreamError
        if asked and frame.pts == asked[0][0]:
            picture = _square(frame, stream, size)
            yield from repeat(picture, asked.popleft()[1])
    if asked:
        raise IrregularStreamError


def _frames(
    samples: "Iterable[_PacketSample]",
    decoder: "av.VideoCodecContext",
    asked: deque[tuple[int, int]],
) -> Iterator["av.VideoFrame"]:
    """Decode packets, and put down before which of their frames are asked for."""
    if not decoder.is_open:
        decoder.options = {
            "err_detect": "explode"
        }  # a concealed error is not for this way to judge
    skips = decoder.name in _TELLS_REFERENCES
    for sample in samples:
        if sample.is_asked:
            bisect.insort(asked, (sample.pts, sample.n_seconds))
        if skips:
            decoder.skip_frame = "DEFAULT" if sample.is_asked else "NONREF"
        yield from decoder.decode(sample.packet)
    yield from decoder.decode(None)


def _samples(
    container: "av.container.InputContainer", stream: "av.VideoStream", last_tick: float
) -> "Iterator[_PacketSample]":
    is_h264, header = stream.codec_context.name == "h264", stream.codec_context.extradata or b""
    length_bytes = (header[4] & 3) + 1 if len(header) > 4 else 4
    is_described = header[:1] == b"\x01"  # else its units have no lengths before them
    builds: set[bytes] | None = None  # of the encoder, as the first packet tells
    for packet in container.demux(stream):
        if not packet.size:
            continue  # asks the decoder for what it still holds
        tell_progress()
        if packet.pts is None or packet.pts > last_tick or packet.is_corrupt:
            raise IrregularStreamError
        is_key = packet.is_keyframe
        if is_h264:
            units = list(_units(packet, length_bytes))
            is_key = is_key and is_described and bool(units) and units[-1][0] == _IDR_SLICE
            if any(kind in _PARAMETERS and content not in header for kind, content in units):
                raise IrregularStreamError  # the decoder must know, and the packet may be left out
            told = {
                build
                for kind, content in units
                if kind == _ENCODER_TOLD
                for build in _X264_BUILD.findall(content)
            }
            builds = told if builds is None else builds
            if not told <= builds:
                raise IrregularStreamError
        if packet.has_sidedata("new_extradata"):
            raise IrregularStreamError
        yield Sample(packet, packet.pts, packet.dts, is_key, not packet.is_discard)


def _units(packet: "av.Packet[av.VideoStream]", length_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of a packet's NAL units of H.264, up to its first slice.

    With an IDR slice decoding can go on after a gap; other key frames, of an open group of
    pictures, count on frames before them being decoded. Units with their lengths, as MP4 and
    Matroska hold them: ISO/IEC 14496-15, 5.3.2. Of a slice the content is left out.
    """
    content, place = memoryview(packet), 0
    while place + length_bytes < len(content):
        begin = place + length_bytes
        kind = content[begin] & 31
        if kind in _SLICES:
            yield kind, b""
            return
        place = begin + int.from_bytes(content[place:begin], "big")
        yield kind, bytes(content[begin:place])


def _pictures_of_all(path: Path, size: int, max_length_s: float) -> Iterator[Picture]:
    """Yield the picture of every second, decoding every frame."""
    with _opened(path) as (container, stream):
        second = 0
        for shown in _shown(path, container, stream):
            _check_length(path, shown.n_seconds, max_length_s)
            if second < shown.n_seconds:
                picture = _square(shown.frame, stream, size)
            while second < shown.n_seconds:
                yield picture
                second += 1
        if not second:
            raise VideoError(path, "no picture in it can be decoded")


def thumbnails(path: Path, seconds: Sequence[float]) -> list[bytes | None]:
    """Give the picture on screen at each time, 0 s or later, as JPEG of 160 pixels' width.

    None from the end of the video on, and where decoding fails. A whole second has the picture
    that `pictures` gives it. Raises VideoError where the file is missing or is no video.
    """
    found: dict[float, bytes | None] = {}
    unread = sorted(set(seconds))
    with _opened(path) as (container, stream):
        if container.format.name in _SEEKABLE:
            for second in unread:
                try:
                    shown = _shown_from_key_frame(path, container, stream, second)
                    if shown is not None:
                        found[second] = _thumbnail_at(second, shown, stream)
                except (av.error.FFmpegError, VideoError):
                    continue  # read from the beginning below, as if there were no index
    unread = [second for second in unread if second not in found]
    if unread:
        with _opened(path) as (container, stream):
            found |= _thumbnails_from_beginning(path, container, stream, unread)
    return [found[second] for second in seconds]


def length_s(path: Path) -> float | None:
    """Give the length that the container promises, without decoding; None where it does not tell.

    Raises VideoError where the file is missing or is no video.
    """
    with _opened(path) as (container, stream):
        return _promised_length(container, stream)


def frames_between(
    path: Path, since_s: float, until_s: float, *, height: int
) -> Iterator[tuple[Fraction, Picture]]:
    """Yield every frame on screen within `[since_s, until_s)`, with the time at which it appears.

    The time is exact, in seconds from the start of playing; pictures are upright RGB of the given
    height. Raises VideoError as `pictures` does.
    """
    since_s = max(0.0, since_s)
    with _opened(path) as (container, stream):
        frames = None
        if container.format.name in _SEEKABLE:
            with suppress(av.error.FFmpegError):
                frames = _shown_from_key_frame(path, container, stream, since_s)
        if frames is not None:
            yield from _scaled_between(frames, stream, since_s, until_s, height)
            return
    with _opened(path) as (container, stream):
        frames = _shown(path, container, stream)
        yield from _scaled_between(frames, stream, since_s, until_s, height)


def encode_h264(
    path: Path, frames: Iterable[Picture], rate: Fraction, *, crf: int, keyframe_interval: int
) -> None:
    """Write uint8 RGB pictures of one even size as H.264; the same bytes for the same input.

    One thread and no encoder tags, since both would otherwise depend on the machine.
    """
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.options = {
            "preset": "superfast",
            "crf": str(crf),
            "g": str(keyframe_interval),
            "threads": "1",
        }
        for index, pixels in enumerate(frames):
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@contextmanager
def _opened(path: Path) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream"]]:
    """Give the container and its first video stream that is no cover picture.

    One thread decodes what is opened: where several share a frame, a damaged one may come unmarked,
    and looks otherwise each time.
    """
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        remedy = "correct the path or bring the file back"
        raise PassingVideoError(path, "no such file", remedy) from error
    except OSError as error:
        fault = f"cannot be read ({_reason(error)})"
        raise PassingVideoError(path, fault, _SEE_TO_IT) from error
    if size == 0:
        raise VideoError(path, "the file is empty (0 bytes)")
    name = str(path.absolute())  # libav would take the folder `CSI: Miami` for a protocol
    try:
        container = av.open(name, options=_sources(), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise _fault_of(path, "cannot be opened as video", error) from error
    with container:
        cover = av.stream.Disposition.attached_pic
        moving = [stream for stream in container.streams.video if not stream.disposition & cover]
        if not moving:
            raise VideoError(path, "holds no video stream")
        if (context := moving[0].codec_context) is not None:  # None: libav has no decoder
            context.thread_count = 1
        yield container, moving[0]


@cache
def _sources() -> dict[str, str]:
    """Give libav's options by which it reads the file that it is given, and no other."""
    formats = sorted(av.formats_available - _NAMES_OTHER_FILES)
    return {"format_whitelist": ",".join(formats), "protocol_whitelist": "file"}


@dataclass(frozen=True)
class _Shown:
    """A frame, the times between which it is on screen, and how many t = 0, 1 … s lie before."""

    frame: "av.VideoFrame"
    since: Fraction  # s, from the start of playing
    until: Fraction
    n_seconds: int

    def is_over(self, second: float) -> bool:
        """Whether another picture, or none, is on screen at a time that is not before `since`."""
        return second >= self.until or second >= self.n_seconds


def _shown(
    path: Path, container: "av.container.InputContainer", stream: "av.VideoStream"
) -> Iterator[_Shown]:
    """Yield the frames in the order of presentation, without gaps, from 0 s on."""
    for (frame, time), (following, until) in pairwise(_timed(path, container, stream)):
        n_seconds = math.ceil(until)
        if following is None:
            n_seconds = _n_seconds_of_last(time, until)
        if frame is not None:
            yield _Shown(frame, time, until, n_seconds)


def _check_length(path: Path, n_seconds: int, max_length_s: float) -> None:
    if n_seconds > max_length_s:
        raise VideoError(path, f"longer than {max_length_s / 3600:g} h, by its time stamps")


def _n_seconds_of_last(time: Fraction, until: Fraction) -> int:
    """Give the whole seconds of a video whose last frame is on screen between these times."""
    return max(1, math.ceil(time), math.ceil(until - _CLOCK_ROUNDING_S))


def _shown_from_key_frame(
    path: Path, container: "av.container.InputContainer", stream: "av.VideoStream", second: float
) -> Iterator[_Shown] | None:
    """Give the frames from the last key frame before a time on, None where it cannot be found."""
    tick = stream.time_base or Fraction(1, av.time_base)
    container.seek(math.floor((Fraction(second) + _origin(container)) / tick), stream=stream)
    shown = _shown(path, container, stream)
    first = next(shown, None)
    if first is None or first.frame.pts is None or not first.frame.key_frame:
        return None
    if first.frame.is_corrupt:
        return None  # what was on screen before stays
    return chain([first], shown) if first.since <= second else None


def _scaled_between(
    frames: Iterable[_Shown], stream: "av.VideoStream", since_s: float, until_s: float, height: int
) -> Iterator[tuple[Fraction, Picture]]:
    for shown in frames:
        if shown.since >= until_s:
            return
        if shown.until > since_s:
            width, tall = _display_shape(shown.frame, stream)
            yield shown.since, _scaled(shown.frame, max(1, round(width * height / tall)), height)


def _thumbnails_from_beginning(
    path: Path,
    container: "av.container.InputContainer",
    stream: "av.VideoStream",
    seconds: Sequence[float],
) -> dict[float, bytes | None]:
    """Give the thumbnails at rising times; None from where decoding fails on."""
    found: dict[float, bytes | None] = dict.fromkeys(seconds)
    waiting = iter(seconds)
    second = next(waiting, None)
    with suppress(VideoError):
        for shown in _shown(path, container, stream):
            while second is not None and not shown.is_over(second):
                found[second] = _thumbnail(shown.frame, stream)
                second = next(waiting, None)
            if second is None:
                break
    return found


def _thumbnail_at(
    second: float, frames: Iterable[_Shown], stream: "av.VideoStream"
) -> bytes | None:
    """Give the thumbnail at a time, of frames that begin before it; None from the end on."""
    for shown in frames:
        if not shown.is_over(second):
            return _thumbnail(shown.frame, stream)
    return None


def _timed(
    path: Path, container: "av.container.InputContainer", stream: "av.VideoStream"
) -> Iterator[tuple["av.VideoFrame | None", Fraction]]:
    """Yield every frame with the time at which it appears, then (None, the end of the last one).

    While frames are damaged, and until a key frame ends what refers to them, the last sound one
    stays: how libav fills the gaps depends on what lay in memory.
    """
    nominal = 1 / Fraction(stream.average_rate or stream.guessed_rate or 25)
    origin = _origin(container)
    last: Fraction | None = None
    end = Fraction(0)
    sound: av.VideoFrame | None = None
    is_damaged = False
    try:
        for frame in container.decode(stream):
            tell_progress()
            if frame.pts is not None:
                time = frame.pts * (frame.time_base or Fraction(1)) - origin
            else:
                time = Fraction(0) if last is None else last + nominal
            if last is not None and time <= last:  # a clock that stands still or jumps back
                time = last + nominal
            last = time
            duration = (frame.duration or 0) * (frame.time_base or Fraction(0))
            end = time + (duration or nominal)
            is_damaged = frame.is_corrupt or (is_damaged and not frame.key_frame)
            if not is_damaged:
                sound = frame
            yield sound or frame, time
    except (av.error.FFmpegError, ValueError) as error:
        seconds = 0.0 if last is None else float(last)
        raise _fault_of(path, f"decoding fails after {seconds:.1f} s", error) from error
    if last is not None:
        yield None, end


def _origin(container: "av.container.InputContainer") -> Fraction:
    """Give the time stamp, in seconds, at which a player begins."""
    rounded = Fraction(container.start_time or 0, av.time_base)
    # The container's start is rounded to microseconds, its streams' starts are exact.
    starts = [
        track.start_time * track.time_base
        for track in container.streams
        if track.start_time is not None and track.time_base
    ]
    return min(starts, key=lambda start: abs(start - rounded), default=rounded)


def _promised_length(
    container: "av.container.InputContainer", stream: "av.VideoStream"
) -> float | None:
    """Give the seconds that the container promises of this stream, None where it does not tell.

    What was written to a pipe, and broken off, has a length of 0.
    """
    length = _stated_length(container, stream)
    return length if length is not None and length > 0 else None


def _stated_length(
    container: "av.container.InputContainer", stream: "av.VideoStream"
) -> float | None:
    if container.format.name == "avi" and stream.average_rate:
        return float(stream.frames / stream.average_rate)  # `duration` shrinks with a cut file
    if stream.duration is not None:
        return float(stream.duration * (stream.time_base or Fraction(0)))
    if container.duration is None:
        return None
    # Matroska gives the length of its longest track, and a track's own in a tag, both from time
    # stamp 0 on. https://www.matroska.org/technical/tagging.html
    length = container.duration / av.time_base
    if tag := _TRACK_LENGTH.match(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, tag.groups())
        length = min(length, 3600 * hours + 60 * minutes + seconds)
    return length - max(0, container.start_time or 0) / av.time_base


def _display_shape(frame: "av.VideoFrame", stream: "av.VideoStream") -> tuple[int, int]:
    """(width, height) in square pixels, upright."""
    aspect = stream.sample_aspect_ratio
    width = frame.width if not aspect else max(1, round(frame.width * aspect))
    return (frame.height, width) if frame.rotation % 180 else (width, frame.height)


def _square(frame: "av.VideoFrame", stream: "av.VideoStream", size: int) -> Picture:
    width, height = _display_shape(frame, stream)
    shorter = min(width, height)
    # Down, not to the nearest: torchvision's Resize cuts the longer side's fraction off.
    width, height = width * size // shorter, height * size // shorter
    pixels = _scaled(frame, width, height)
    top, left = round((height - size) / 2), round((width - size) / 2)
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])


def _scaled(frame: "av.VideoFrame", width: int, height: int) -> Picture:
    """Give the upright picture, which may be a view with strides of its own."""
    turned = frame.rotation % 180
    small = frame.reformat(
        width=height if turned else width,
        height=width if turned else height,
        format="rgb24",
        interpolation="BICUBIC",
    )
    return np.rot90(small.to_ndarray(), k=frame.rotation // 90)


def _thumbnail(frame: "av.VideoFrame", stream: "av.VideoStream") -> bytes:
    width, height = _display_shape(frame, stream)
    pixels = _scaled(frame, _THUMBNAIL_WIDTH, max(1, round(height * _THUMBNAIL_WIDTH / width)))
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def _fault_of(path: Path, fault: str, error: Exception) -> VideoError:
    """Give the error for what libav has said, which passes on what the system has.

    Of some damage it says that the system failed: whether that is so, reading the file tells.
    """
    told = f"{fault} ({_reason(error)})"
    if getattr(error, "errno", None) in _SYSTEM_REFUSES and not _is_readable(path):
        return PassingVideoError(path, told, _SEE_TO_IT)
    return VideoError(path, told)


def _is_readable(path: Path) -> bool:
    try:
        sha256_of_file(path)
    except OSError:
        return False
    return True


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)

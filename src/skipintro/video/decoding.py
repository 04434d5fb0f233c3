"""Decodes videos to pictures at given times.

At a rate of so many pictures a second, picture k is what a player shows at t = k / rate s, by
presentation time, so variable and odd frame rates are sampled rightly. Pictures are upright
(rotation flags applied) and, but for grey thumbnails, have square pixels (anamorphic video is
stretched to its display shape).

What libav does over a hostile file may end the process: `skipintro.video.isolated_decode` calls
what decodes in one of its own.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path

import av
import av.error

from skipintro.core.isolation import heartbeat
from skipintro.video.container import (
    SEEKABLE,
    VideoError,
    check_not_truncated,
    declared_duration,
    fault_of,
    opened,
    origin_of,
    packets_of,
)
from skipintro.video.info import VideoInfo
from skipintro.video.sampling import IrregularStreamError, n_moments_of_last
from skipintro.video.scaling import Picture, View, display_shape, grey, scaled, square, thumbnail
from skipintro.video.sparse_decode import Wanted, pictures_of_needed


def inspect(
    path: Path, *, truncation_tolerance_s: float, max_length_s: float = math.inf
) -> VideoInfo:
    """Decode every frame of a video and describe it; width and height are as displayed.

    Raises VideoError where the file is missing, empty, no video, damaged, longer than
    `max_length_s`, or ends more than `truncation_tolerance_s` before the length that its container
    promises.
    """
    with opened(path) as (container, stream):
        n_frames, n_seconds, end, shape = 0, 0, Fraction(0), (0, 0)
        for shown in _shown(path, container, stream):
            _check_length(path, shown.n_moments, max_length_s)
            if not n_frames:
                shape = display_shape(shown.frame, stream)
            n_frames, n_seconds, end = n_frames + 1, shown.n_moments, shown.until
        if not n_frames:
            raise VideoError(path, "no picture in it can be decoded")
        promised = declared_duration(container, stream)
        check_not_truncated(path, float(end), promised, truncation_tolerance_s)
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
    pictures, so that there are as many as `inspect` counts; damage in what need not be
    decoded shows in none.

    Raises VideoError where the file is missing, longer than `max_length_s` or decoding fails.
    """
    return _sampled(path, partial(square, size=size), 1, max_length_s, n_seconds)


def grey_thumbnails(
    path: Path, shape: tuple[int, int] = (36, 64), rate: int = 4, *, max_length_s: float = math.inf
) -> Iterator[Picture]:
    """Yield small grey pictures, `rate` a second, as uint8 (height, width), to the end.

    They hold the whole picture, upright, stretched to that shape. Memory, damage and faults are as
    with `pictures`.
    """
    return _sampled(path, partial(grey, shape=shape), rate, max_length_s)


def some_grey_thumbnails(
    path: Path, shape: tuple[int, int], rate: int, wanted: Wanted, *, max_length_s: float = math.inf
) -> Iterator[Picture | None]:
    """Yield the same, to the end, but None for moments that `wanted` spares the decoder.

    `wanted` is asked of moments `[first, stop)`; all are decoded where the file allows no less.
    """
    view = partial(grey, shape=shape)
    return _sampled_in_part(path, view, rate, max_length_s, wanted=wanted)


def _sampled(
    path: Path, view: View, rate: int, max_length_s: float, n_moments: int | None = None
) -> Iterator[Picture]:
    """Yield the view of the first moments, or of all; every frame is decoded where it must be."""
    for picture in _sampled_in_part(path, view, rate, max_length_s, n_moments):
        if picture is not None:
            yield picture


def _sampled_in_part(
    path: Path,
    view: View,
    rate: int,
    max_length_s: float,
    n_moments: int | None = None,
    *,
    wanted: Wanted | None = None,
) -> Iterator[Picture | None]:
    n_given = 0
    with suppress(IrregularStreamError, av.error.FFmpegError, ValueError):
        needed_alone = pictures_of_needed(path, view, rate, max_length_s, n_moments, wanted=wanted)
        for picture in islice(needed_alone, n_moments):
            yield picture
            n_given += 1
        if n_moments in {None, n_given}:
            return
    yield from islice(_pictures_of_all(path, view, rate, max_length_s), n_given, n_moments)


def _pictures_of_all(path: Path, view: View, rate: int, max_length_s: float) -> Iterator[Picture]:
    """Yield the view of every moment, decoding every frame."""
    with opened(path) as (container, stream):
        moment = 0
        for shown in _shown(path, container, stream, rate):
            _check_length(path, shown.n_moments / rate, max_length_s)
            if moment < shown.n_moments:
                picture = view(shown.frame, stream)
            while moment < shown.n_moments:
                yield picture
                moment += 1
        if not moment:
            raise VideoError(path, "no picture in it can be decoded")


def thumbnails(path: Path, seconds: Sequence[float]) -> list[bytes | None]:
    """Return the picture on screen at each time, 0 s or later, as JPEG of 160 pixels' width.

    None from the end of the video on, and where decoding fails. A whole second has the picture
    that `pictures` yields for it. Raises VideoError where the file is missing or is no video.
    """
    found: dict[float, bytes | None] = {}
    unread = sorted(set(seconds))
    with opened(path) as (container, stream):
        if container.format.name in SEEKABLE:
            for second in unread:
                try:
                    shown = _shown_from_key_frame(path, container, stream, second)
                    if shown is not None:
                        found[second] = _thumbnail_at(second, shown, stream)
                except (av.error.FFmpegError, VideoError):
                    continue  # read from the beginning below, as if there were no index
    unread = [second for second in unread if second not in found]
    if unread:
        with opened(path) as (container, stream):
            found |= _thumbnails_from_beginning(path, container, stream, unread)
    return [found[second] for second in seconds]


def length_s(path: Path) -> float | None:
    """Return the length that the container promises, without decoding; None where it has none.

    Raises VideoError where the file is missing or is no video.
    """
    with opened(path) as (container, stream):
        return declared_duration(container, stream)


def frames_between(
    path: Path, since_s: float, until_s: float, *, height: int
) -> Iterator[tuple[Fraction, Picture]]:
    """Yield every frame on screen within `[since_s, until_s)`, with the time at which it appears.

    The time is exact, in seconds from the start of playing; pictures are upright RGB of the given
    height. Raises VideoError as `pictures` does.
    """
    since_s = max(0.0, since_s)
    with opened(path) as (container, stream):
        frames = None
        if container.format.name in SEEKABLE:
            with suppress(av.error.FFmpegError):
                frames = _shown_from_key_frame(path, container, stream, since_s)
        if frames is not None:
            yield from _scaled_between(frames, stream, since_s, until_s, height)
            return
    with opened(path) as (container, stream):
        frames = _shown(path, container, stream)
        yield from _scaled_between(frames, stream, since_s, until_s, height)


@dataclass(frozen=True)
class _Shown:
    """A frame, the times between which it is on screen, and how many moments are before its end."""

    frame: "av.VideoFrame"
    since: Fraction  # s, from the start of playing
    until: Fraction
    n_moments: int

    def is_over(self, second: float) -> bool:
        """Whether another picture, or none, is on screen at a time that is not before `since`.

        Of frames that are counted at one moment a second.
        """
        return second >= self.until or second >= self.n_moments


def _shown(
    path: Path, container: "av.container.InputContainer", stream: "av.VideoStream", rate: int = 1
) -> Iterator[_Shown]:
    """Yield the frames in the order of presentation, without gaps, from 0 s on."""
    for (frame, time), (following, until) in pairwise(_timed(path, container, stream)):
        n_moments = math.ceil(until * rate)
        if following is None:
            n_moments = n_moments_of_last(time, until, rate)
        if frame is not None:
            yield _Shown(frame, time, until, n_moments)


def _check_length(path: Path, n_seconds: float, max_length_s: float) -> None:
    if n_seconds > max_length_s:
        raise VideoError(path, f"longer than {max_length_s / 3600:g} h, by its time stamps")


def _shown_from_key_frame(
    path: Path, container: "av.container.InputContainer", stream: "av.VideoStream", second: float
) -> Iterator[_Shown] | None:
    """Return the frames from the last key frame before a time on, None where it cannot be found."""
    tick = stream.time_base or Fraction(1, av.time_base)
    container.seek(math.floor((Fraction(second) + origin_of(container)) / tick), stream=stream)
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
            width, tall = display_shape(shown.frame, stream)
            yield shown.since, scaled(shown.frame, max(1, round(width * height / tall)), height)


def _thumbnails_from_beginning(
    path: Path,
    container: "av.container.InputContainer",
    stream: "av.VideoStream",
    seconds: Sequence[float],
) -> dict[float, bytes | None]:
    """Return the thumbnails at rising times; None from where decoding fails on."""
    found: dict[float, bytes | None] = dict.fromkeys(seconds)
    waiting = iter(seconds)
    second = next(waiting, None)
    with suppress(VideoError):
        for shown in _shown(path, container, stream):
            while second is not None and not shown.is_over(second):
                found[second] = thumbnail(shown.frame, stream)
                second = next(waiting, None)
            if second is None:
                break
    return found


def _thumbnail_at(
    second: float, frames: Iterable[_Shown], stream: "av.VideoStream"
) -> bytes | None:
    """Return the thumbnail at a time, of frames that begin before it; None from the end on."""
    for shown in frames:
        if not shown.is_over(second):
            return thumbnail(shown.frame, stream)
    return None


def _timed(
    path: Path, container: "av.container.InputContainer", stream: "av.VideoStream"
) -> Iterator[tuple["av.VideoFrame | None", Fraction]]:
    """Yield every frame with the time at which it appears, then (None, the end of the last one).

    While frames are damaged, and until a key frame ends what refers to them, the last sound one
    stays: how libav fills the gaps depends on what lay in memory.
    """
    nominal = 1 / Fraction(stream.average_rate or stream.guessed_rate or 25)
    origin = origin_of(container)
    last: Fraction | None = None
    end = Fraction(0)
    sound: av.VideoFrame | None = None
    is_damaged = False
    try:
        packets = packets_of(container, stream)
        for frame in chain.from_iterable(packet.decode() for packet in packets):
            heartbeat(frame.time)
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
        raise fault_of(path, f"decoding fails after {seconds:.1f} s", error) from error
    if last is not None:
        yield None, end

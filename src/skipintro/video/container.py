"""Opens videos and reads their containers. A video that cannot be read is a VideoError.

Of the project's modules this package, and `sidecars/mux.py`, alone import PyAV.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import av.error

from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file
from skipintro.video.streams import shown_stream

# Containers whose index shows exactly which key frame is before a time; the clock of others may
# jump back, so that a time stamp alone does not show when a frame is on screen.
SEEKABLE = {"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"}

# Formats whose files name other files, or addresses, to be read in their place.
_NAMES_OTHER_FILES = {"concat", "dash", "hls", "imf", "rtsp", "sap", "sdp"}

# What the system says of a file that it cannot read just now.
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

# How Matroska's tags hold the length of one track: 00:41:02.500000000.
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


@contextmanager
def opened(path: Path) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream"]]:
    """Yield the container and the video stream that a player shows, which is no cover picture.

    One thread decodes what is opened: where several share a frame, a damaged one may come unmarked,
    and looks otherwise each time.
    """
    with opened_container(path) as container:
        shown = shown_stream(container.streams.video)
        if shown is None:
            raise VideoError(path, "holds no video stream")
        if (context := shown.codec_context) is not None:  # None: libav has no decoder
            context.thread_count = 1
        yield container, shown


@contextmanager
def opened_container(path: Path) -> Iterator["av.container.InputContainer"]:
    """Yield the container, whatever streams it has."""
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
        raise fault_of(path, "cannot be opened as video", error) from error
    with container:
        yield container


@cache
def _sources() -> dict[str, str]:
    """Return libav's options by which it reads the file that it is given, and no other."""
    formats = sorted(av.formats_available - _NAMES_OTHER_FILES)
    return {"format_whitelist": ",".join(formats), "protocol_whitelist": "file"}


def origin_of(container: "av.container.InputContainer") -> Fraction:
    """Return the time stamp, in seconds, at which a player begins."""
    rounded = Fraction(container.start_time or 0, av.time_base)
    # The container's start is rounded to microseconds, its streams' starts are exact.
    starts = [
        track.start_time * track.time_base
        for track in container.streams
        if track.start_time is not None and track.time_base
    ]
    return min(starts, key=lambda start: abs(start - rounded), default=rounded)


def packets_of(
    container: "av.container.InputContainer", stream: "av.VideoStream | av.AudioStream"
) -> "Iterator[av.Packet[Any]]":
    """Yield the packets of a stream, and one that drains the decoder."""
    # Where another stream appeared midway, PyAV may stumble over it after the last packet.
    with suppress(IndexError):
        yield from container.demux(stream)


def declared_duration(
    container: "av.container.InputContainer", stream: "av.VideoStream"
) -> float | None:
    """Return the seconds that the container promises of this stream, None where it has none.

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
    # Matroska stores the length of its longest track, and a track's own in a tag, both from time
    # stamp 0 on. https://www.matroska.org/technical/tagging.html
    length = container.duration / av.time_base
    if tag := _TRACK_LENGTH.match(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, tag.groups())
        length = min(length, 3600 * hours + 60 * minutes + seconds)
    return length - max(0, container.start_time or 0) / av.time_base


def check_not_truncated(
    path: Path,
    found_s: float,
    promised_s: float | None,
    tolerance_s: float,
    requested_s: float | None = None,
) -> None:
    """Raise VideoError where less was decoded than the container promises.

    `requested_s` is the length of the beginning to decode; None: all.
    """
    if promised_s is None:
        return
    least_s = promised_s if requested_s is None else min(promised_s, requested_s)
    if found_s < least_s - tolerance_s:
        raise VideoError(path, f"truncated: {found_s:.1f} s can be decoded of {promised_s:.1f} s")


def fault_of(path: Path, fault: str, error: Exception) -> VideoError:
    """Return the error for what libav has said, which passes on what the system has.

    For some damage it reports a failure of the system: reading the file shows whether that is so.
    """
    message = f"{fault} ({_reason(error)})"
    if getattr(error, "errno", None) in _SYSTEM_REFUSES and not _is_readable(path):
        return PassingVideoError(path, message, _SEE_TO_IT)
    return VideoError(path, message)


def _is_readable(path: Path) -> bool:
    try:
        sha256_of_file(path)
    except OSError:
        return False
    return True


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)

"""Decodes videos of users: the functions of `decoding`, at work in a child process.

Whatever a file does to libav, this process lives: the fault becomes a VideoError.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from skipintro.core.isolation import LostError, run_in_subprocess
from skipintro.core.progress import progress_within
from skipintro.video import decoding
from skipintro.video.container import PassingVideoError
from skipintro.video.info import USUAL_LIMITS, DecodingLimits, VideoInfo
from skipintro.video.scaling import Picture


class DecoderLostError(PassingVideoError):
    """A file over which the decoder crashed, made no progress or needed too much.

    On another machine, or another day, it may not.
    """


def inspect(path: Path, limits: DecodingLimits, *, truncation_tolerance_s: float) -> VideoInfo:
    """Describe a video as `decoding.inspect` does."""
    [info] = decoded(
        decoding.inspect,
        path,
        limits,
        truncation_tolerance_s=truncation_tolerance_s,
        max_length_s=limits.max_length_s,
    )
    return info  # type: ignore[no-any-return]  # what its function returns


def pictures(
    path: Path, size: int, n_seconds: int | None = None, limits: DecodingLimits = USUAL_LIMITS
) -> Iterator[Picture]:
    """Yield the pictures of `decoding.pictures`; a child is ahead."""
    return decoded(
        decoding.pictures, path, limits, size, n_seconds, max_length_s=limits.max_length_s
    )


def thumbnails(
    path: Path, seconds: Sequence[float], limits: DecodingLimits = USUAL_LIMITS
) -> list[bytes | None]:
    """Return the thumbnails of `decoding.thumbnails`."""
    [found] = decoded(decoding.thumbnails, path, limits, seconds)
    return found  # type: ignore[no-any-return]  # what its function returns


def length_s(path: Path, limits: DecodingLimits = USUAL_LIMITS) -> float | None:
    """Return the length of `decoding.length_s`."""
    [length] = decoded(decoding.length_s, path, limits)
    return length  # type: ignore[no-any-return]  # what its function returns


def frames_between(
    path: Path,
    since_s: float,
    until_s: float,
    *,
    height: int,
    limits: DecodingLimits = USUAL_LIMITS,
) -> Iterator[tuple[Fraction, Picture]]:
    """Yield the frames of `decoding.frames_between`."""
    return decoded(decoding.frames_between, path, limits, since_s, until_s, height=height)


def decoded(
    function: Callable[..., Any], path: Path, limits: DecodingLimits, *args: Any, **kwargs: Any
) -> Iterator[Any]:
    """Yield what a function returns for a file. Raises its VideoErrors, and DecoderLostError."""
    try:
        with progress_within(path.name) as reached:
            yield from run_in_subprocess(
                function,
                path,
                *args,
                stall_s=limits.stall_s,
                memory_mb=limits.memory_mb,
                reached=reached,
                **kwargs,
            )
    except LostError as error:
        raise DecoderLostError(path, f"the decoder {error}") from error

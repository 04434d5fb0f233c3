"""Decodes the sound of videos to samples at given times.

Sample i is what a player plays at t = i / rate s, counted as pictures are: from the start of
playing. What is damaged is silent, and no fault of the sound makes a video unusable.

What libav does over a hostile file may end the process: as with `decoding`, what calls this runs
in one of its own.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import av.error
import av.filter
import av.stream
import numpy as np
from numpy.typing import NDArray

from skipintro.core.isolation import heartbeat
from skipintro.video.container import (
    PassingVideoError,
    fault_of,
    opened_container,
    origin_of,
    packets_of,
)
from skipintro.video.streams import heard_stream

Samples: TypeAlias = NDArray[np.float32]  # one channel, in [-1, 1]

_Timed: TypeAlias = tuple["av.AudioFrame", float | None]

_BLOCK_S = 10
_TAKEN_EVERY_S = 1  # from the resampler: one call costs more than a frame does

# By what time stamps may be off before they are believed: containers round, and encoders drop. An
# overlap up to the second is cut out; beyond it the clock has restarted, and shows nothing.
_SLACK_S = 0.1
_LONGEST_OVERLAP_S = 1

# libav's lack of memory is one of them: most often, of a size that is damaged.
_FAULTS = (av.error.FFmpegError, ValueError)


def has_sound(path: Path) -> bool:
    """Return whether there is a sound stream that can be decoded.

    Raises VideoError where the file is missing or cannot be opened.
    """
    with opened_container(path) as container:
        return heard_stream(container.streams.audio) is not None


def is_undecodable(path: Path) -> bool:
    """Return whether there is sound, and a decoder for none of it.

    libav may know the codec's name; PyAV says nothing of a stream without a decoder.
    """
    with opened_container(path) as container:
        return bool(container.streams.audio) and heard_stream(container.streams.audio) is None


def samples(path: Path, rate: int = 16_000, *, max_length_s: float = math.inf) -> Iterator[Samples]:
    """Yield the sound, mixed to one channel, in blocks of 10 s and a last one that may be shorter.

    Nothing is yielded where no sound can be decoded. It ends with its stream, which may be before
    the pictures do or after, or at `max_length_s`. Memory does not grow with the length.

    Raises VideoError where the file is missing or cannot be opened.
    """
    with opened_container(path) as container:
        stream = heard_stream(container.streams.audio)
        if stream is not None:
            pieces = _laid(_pieces(_timed(path, container, stream), rate), _BLOCK_S * rate)
            yield from _in_blocks(pieces, _BLOCK_S * rate, max_length_s * rate)


def _timed(
    path: Path, container: "av.container.InputContainer", stream: "av.AudioStream"
) -> "Iterator[_Timed]":
    """Yield what can be decoded, with its time in seconds, None where it is unknown.

    Raises PassingVideoError where the file cannot be read any more.
    """
    origin = float(origin_of(container))
    stream.codec_context.thread_count = 1
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    packets = packets_of(container, stream)
    while True:
        try:
            packet = next(packets, None)
        except _FAULTS as error:
            fault = fault_of(path, "its sound cannot be read", error)
            if isinstance(fault, PassingVideoError):
                raise fault from error
            return
        if packet is None:
            return
        heartbeat()
        try:
            frames: list[Any] = packet.decode()
        except _FAULTS:
            continue
        for frame in frames:
            heartbeat(frame.time)
            if frame.samples and frame.sample_rate:
                yield frame, None if frame.time is None else frame.time - origin


def _pieces(timed: "Iterable[_Timed]", rate: int) -> Iterator[int | Samples]:
    """Yield pieces of sound that follow on each other, and where they do not, the next one's place.

    A jump ahead is believed where the next time stamp is not before it.
    """
    mixer: _Mixer | None = None
    is_placed = False  # what comes next follows on what was given
    until = 0.0  # s: where the next frame is expected
    for frame, time, following in _with_following(timed):
        late = 0.0 if time is None else time - until
        is_ahead_alone = late > _SLACK_S and not _confirms(following, time)
        if is_ahead_alone or (late < -_LONGEST_OVERLAP_S and until > 0):
            late = 0.0
        is_apart = abs(late) > _SLACK_S or not is_placed
        try:
            if mixer is not None and (is_apart or not mixer.takes(frame)):
                yield from mixer.rest()
                mixer = None
            if mixer is None:
                mixer = _Mixer(frame, rate)
            if is_apart:
                is_placed, until = True, until + late
                yield round(until * rate)
            yield from mixer.mixed(frame)
        except _FAULTS:
            mixer, is_placed = None, False
        until += frame.samples / frame.sample_rate
    if mixer is not None:
        with suppress(*_FAULTS):
            yield from mixer.rest()


def _with_following(
    timed: "Iterable[_Timed]",
) -> Iterator[tuple["av.AudioFrame", float | None, float | None]]:
    """Yield every frame with its time, and the next one's."""
    last: _Timed | None = None
    for frame, time in timed:
        if last is not None:
            yield *last, time
        last = frame, time
    if last is not None:
        yield *last, None


def _confirms(following: float | None, time: float | None) -> bool:
    return following is not None and time is not None and following >= time


class _Mixer:
    """Brings frames of one form to one channel and one rate: a graph of filters, quick in bulk."""

    def __init__(self, frame: "av.AudioFrame", rate: int) -> None:
        self._form = _form_of(frame)
        self._n_untaken, self._n_taken_at = 0, _TAKEN_EVERY_S * frame.sample_rate
        self._graph = graph = av.filter.Graph()
        graph.threads = 1
        graph.link_nodes(
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format.name,
                layout=frame.layout.name,
                time_base=Fraction(1, frame.sample_rate),
            ),
            # Many channels are mixed to no more than one holds.
            graph.add("aresample", f"{rate}:rematrix_maxval=1"),
            graph.add("aformat", f"sample_fmts=flt:channel_layouts=mono:sample_rates={rate}"),
            graph.add("asetnsamples", f"n={_TAKEN_EVERY_S * rate}:p=0"),
            graph.add("abuffersink"),
        )
        graph.configure()

    def takes(self, frame: "av.AudioFrame") -> bool:
        """Return whether a frame is of the form of the first one."""
        return _form_of(frame) == self._form

    def mixed(self, frame: "av.AudioFrame") -> Iterator[Samples]:
        """Yield what there is after a frame: mostly nothing, and much at a time."""
        frame.pts = None  # placed already
        self._graph.push(frame)
        self._n_untaken += frame.samples
        if self._n_untaken >= self._n_taken_at:
            self._n_untaken = 0
            yield from self._taken()

    def rest(self) -> Iterator[Samples]:
        """Yield what is left after the last frame."""
        self._graph.push(None)
        yield from self._taken()

    def _taken(self) -> Iterator[Samples]:
        with suppress(av.error.BlockingIOError, av.error.EOFError):  # needs more; has no more
            while True:
                yield np.nan_to_num(self._graph.pull().to_ndarray()[0]).clip(-1, 1)


def _form_of(frame: "av.AudioFrame") -> tuple[int, str, str]:
    return frame.sample_rate, frame.format.name, frame.layout.name


def _laid(pieces: Iterable[int | Samples], size: int) -> Iterator[Samples]:
    """Lay pieces at their places: silence before those after a gap, without what comes twice.

    Silence comes in pieces of up to `size`.
    """
    n_given = n_cut = 0
    for piece in pieces:
        if isinstance(piece, int):
            n_cut = max(0, n_given - piece)
            while n_given < piece:
                n_silent = min(piece - n_given, size)
                n_given += n_silent
                yield np.zeros(n_silent, np.float32)
        else:
            sound = piece[n_cut:]
            n_cut -= piece.size - sound.size
            n_given += sound.size
            yield sound


def _in_blocks(pieces: Iterable[Samples], size: int, most: float) -> Iterator[Samples]:
    """Yield blocks of a size, and a last one, of no more than `most` samples together."""
    block, n_filled = np.empty(size, np.float32), 0
    for piece in pieces:
        is_last = piece.size >= most
        left = piece[: int(most)] if is_last else piece
        most -= piece.size
        while left.size:
            part = left[: size - n_filled]
            block[n_filled : n_filled + part.size] = part
            n_filled += part.size
            left = left[part.size :]
            if n_filled == size:
                heartbeat()
                yield block
                block, n_filled = np.empty(size, np.float32), 0
        if is_last:
            break
    if n_filled:
        yield block[:n_filled]

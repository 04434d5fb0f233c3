"""Decodes what the picture of every moment takes, and no more, where a file shows what that is."""

import bisect
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from fractions import Fraction
from itertools import chain, repeat
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

import av

from skipintro.core.isolation import heartbeat
from skipintro.video.container import SEEKABLE, opened, origin_of
from skipintro.video.h264 import Packets
from skipintro.video.sampling import (
    IrregularStreamError,
    Sample,
    n_moments_of_last,
    required_packets,
)
from skipintro.video.scaling import Picture, View

_PacketSample: TypeAlias = Sample["av.Packet[av.VideoStream]"]
Wanted: TypeAlias = Callable[[int, int], bool]  # whether any of the moments [first, stop) is asked

# Codecs whose decoder can detect from a packet alone that no other frame refers to it. HEVC is not
# one: what its sub-layer non-reference pictures hold, a higher layer may refer to.
_MARKS_REFERENCES = {"h264"}

# Decoders of one video that are at work side by side, each on a group of pictures of its own, and
# the bytes of packets, and seconds, up to which a group waits for its end to become known.
_N_DECODERS = 2
_LARGEST_GROUP = 64 << 20
_LONGEST_GROUP_S = 60


def pictures_of_needed(
    path: Path,
    view: View,
    rate: int,
    max_length_s: float,
    n_moments: int | None = None,
    *,
    wanted: Wanted | None = None,
) -> Iterator[Picture | None]:
    """Yield the view of every moment, or of the first ones at least, decoding what it takes.

    There are `rate` moments a second: `skipintro.video.sampling`. With `wanted`, groups of pictures
    none of whose moments are wanted are left out where the codec allows it: None for each moment.

    Raises IrregularStreamError where the file does not show in advance what that is, or is
    inconsistent, and libav's errors; what was yielded before stands.
    """
    with opened(path) as (container, stream):
        if container.format.name not in SEEKABLE or stream.codec_context is None:
            raise IrregularStreamError
        samples = _needed_samples(container, stream, rate, max_length_s)
        if stream.codec_context.name != "h264":  # its key frames may count on frames before them
            yield from _decoded(samples, stream, view)
            return
        with ExitStack() as stack:
            others = [stack.enter_context(opened(path))[1] for _ in range(_N_DECODERS - 1)]
            longest = _LONGEST_GROUP_S * rate
            streams = [stream, *others]
            yield from _decoded_in_groups(
                samples, streams, view, longest, n_moments=n_moments, wanted=wanted
            )


def _needed_samples(
    container: "av.container.InputContainer",
    stream: "av.VideoStream",
    rate: int,
    max_length_s: float,
) -> "Iterator[_PacketSample]":
    """Yield the packets that must be decoded, with the moments that show their frames."""
    tick, origin = stream.time_base or Fraction(1, av.time_base), origin_of(container)
    nominal = 1 / Fraction(stream.average_rate or stream.guessed_rate or 25)

    def tick_of(moment: int) -> int:
        return math.floor((Fraction(moment, rate) + origin) / tick)

    def moments_of_last(last: _PacketSample) -> int:
        time = last.pts * tick - origin
        until = time + ((last.packet.duration or 0) * tick or nominal)
        if until > max_length_s:
            raise IrregularStreamError
        return n_moments_of_last(time, until, rate)

    samples = _samples(container, stream, (max_length_s + origin) / tick)
    return required_packets(samples, tick_of, moments_of_last)


def _decoded_in_groups(
    samples: "Iterator[_PacketSample]",
    streams: "Sequence[av.VideoStream]",
    view: View,
    longest: int,
    *,
    n_moments: int | None,
    wanted: Wanted | None,
) -> Iterator[Picture | None]:
    """Yield the pictures of what is needed, of which each stream decodes a group at a time.

    A group begins with a key frame, and no frame of it refers to another group. From one on that
    is too large to wait for its end, or has more than `longest` pictures, or is the last that
    is required, one stream decodes all.
    Raises IrregularStreamError where a group's time stamps reach into the one before.
    """
    first = next(samples)
    for stream in streams[1:]:  # what the first packet says of the encoder holds for all
        list(_frames([first], stream.codec_context, deque()))
        stream.codec_context.flush_buffers()
    free: SimpleQueue[av.VideoStream] = SimpleQueue()
    for stream in streams:
        free.put(stream)

    def pictures_of(group: "Iterable[_PacketSample]") -> list[Picture | None]:
        stream = free.get()
        try:
            return list(_decoded(group, stream, view))
        finally:
            stream.codec_context.flush_buffers()  # the next group starts fresh
            free.put(stream)

    def submit(group: "list[_PacketSample]", n_before: int, n_pictures: int) -> None:
        if wanted is None or wanted(n_before, n_before + n_pictures):
            running.append(pool.submit(pictures_of, group))
        else:
            left_out: Future[list[Picture | None]] = Future()
            left_out.set_result([None] * n_pictures)
            running.append(left_out)

    running: deque[Future[list[Picture | None]]] = deque()
    group: list[_PacketSample] = []
    n_before = n_pictures = n_bytes = 0  # pictures of the groups before; of this one
    latest: float = -math.inf  # time stamp in the groups before
    with ThreadPoolExecutor(len(streams)) as pool:
        for sample in chain([first], samples):
            if sample.is_key and group:
                submit(group, n_before, n_pictures)
                latest = max(latest, *(each.pts for each in group))
                n_before += n_pictures
                group, n_pictures, n_bytes = [], 0, 0
                if len(running) > len(streams):
                    yield from running.popleft().result()
            if sample.pts <= latest:
                raise IrregularStreamError
            group.append(sample)
            n_pictures += sample.n_moments
            n_bytes += sample.packet.size
            is_last = n_moments is not None and n_before + n_pictures >= n_moments
            if is_last or n_bytes > _LARGEST_GROUP or n_pictures > longest:
                break
        while running:
            yield from running.popleft().result()
    if group:
        yield from _decoded(chain(group, samples), free.get(), view)


def _decoded(
    samples: "Iterable[_PacketSample]", stream: "av.VideoStream", view: View
) -> Iterator[Picture]:
    """Decode packets, and yield the requested pictures.

    Raises IrregularStreamError where one does not come as announced.
    """
    requested: deque[tuple[int, int]] = deque()  # time stamp, moments that show the frame
    for frame in _frames(samples, stream.codec_context, requested):
        heartbeat(frame.time)
        is_late = frame.pts is None or (requested and frame.pts > requested[0][0])
        if is_late or frame.is_corrupt:
            raise IrregularStreamError
        if requested and frame.pts == requested[0][0]:
            picture = view(frame, stream)
            yield from repeat(picture, requested.popleft()[1])
    if requested:
        raise IrregularStreamError


def _frames(
    samples: "Iterable[_PacketSample]",
    decoder: "av.VideoCodecContext",
    requested: deque[tuple[int, int]],
) -> Iterator["av.VideoFrame"]:
    """Decode packets, and note beforehand which frames are requested."""
    if not decoder.is_open:
        # A concealed error is not for this way to judge.
        decoder.options = {"err_detect": "explode"}
    skips = decoder.name in _MARKS_REFERENCES
    for sample in samples:
        if sample.is_requested:
            bisect.insort(requested, (sample.pts, sample.n_moments))
        if skips:
            decoder.skip_frame = "DEFAULT" if sample.is_requested else "NONREF"
        yield from decoder.decode(sample.packet)
    yield from decoder.decode(None)


def _samples(
    container: "av.container.InputContainer", stream: "av.VideoStream", last_tick: float
) -> "Iterator[_PacketSample]":
    context = stream.codec_context
    h264 = Packets(context.extradata or b"") if context.name == "h264" else None
    for packet in container.demux(stream):
        if not packet.size:
            continue  # drains the decoder
        heartbeat()
        if packet.pts is None or packet.pts > last_tick or packet.is_corrupt:
            raise IrregularStreamError
        begins_group = h264.begins_group(memoryview(packet)) if h264 else True
        if packet.has_sidedata("new_extradata"):
            raise IrregularStreamError
        is_key = packet.is_keyframe and begins_group
        yield Sample(packet, packet.pts, packet.dts, is_key, not packet.is_discard)

"""Writes the demo's videos."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from skipintro.video.scaling import Picture

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

_AAC_SAMPLES = 1024  # in a frame


@dataclass(frozen=True, eq=False)
class Soundtrack:
    """What is heard along the pictures, from 0 on: float32 (n,) in [-1, 1], of one channel."""

    samples: NDArray[np.float32]
    rate: int  # samples a second
    bit_rate: int  # bits a second, as AAC


def encode_h264(
    path: Path,
    frames: Iterable[Picture],
    rate: Fraction,
    *,
    crf: int,
    keyframe_interval: int,
    sound: Soundtrack | None = None,
) -> None:
    """Write uint8 RGB pictures of one even size as H.264; the same bytes for the same input.

    One thread, functions of x264 that are the same on every processor, and no encoder tags, since
    all three would otherwise depend on the machine.
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
            "x264-params": "cpu-independent=1",
        }
        heard = _Sounding(container, sound) if sound is not None else None
        for index, pixels in enumerate(frames):
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
            if heard is not None:
                for packet in heard.until((index + 1) / rate):
                    container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if heard is not None:
            for packet in heard.rest():
                container.mux(packet)


class _Sounding:
    """Encodes sound piece by piece beside the pictures, so that the file has them interleaved."""

    def __init__(self, container: "av.container.OutputContainer", sound: Soundtrack) -> None:
        self._sound, self._n_taken = sound, 0
        self._stream: AudioStream = container.add_stream("aac", rate=sound.rate, layout="mono")
        self._stream.bit_rate = sound.bit_rate
        self._stream.codec_context.thread_count = 1
        self._stream.options = {"aac_coder": "fast"}
        self._stream.codec_context.flags |= av.codec.context.Flags.bitexact

    def until(self, time_s: Fraction) -> "Iterator[Packet[AudioStream]]":
        """Yield what there is of the frames that begin before a time."""
        n_required = min(int(time_s * self._sound.rate), len(self._sound.samples))
        while self._n_taken < n_required:
            first = self._n_taken
            piece = self._sound.samples[first : first + _AAC_SAMPLES]
            frame = av.AudioFrame.from_ndarray(piece[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = self._sound.rate, first
            frame.time_base = Fraction(1, self._sound.rate)
            self._n_taken += len(piece)
            yield from self._stream.encode(frame)

    def rest(self) -> "Iterator[Packet[AudioStream]]":
        """Yield all that is left."""
        yield from self.until(Fraction(len(self._sound.samples), self._sound.rate))
        yield from self._stream.encode(None)

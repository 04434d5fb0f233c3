"""Writes the demo's videos."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av

from skipintro.video.scaling import Picture


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

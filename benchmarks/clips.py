"""1080p H.264 for benchmarks: B-frames and a key frame every 10 s, of any length."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av

DEMO = Path(__file__).resolve().parents[1] / "data/demo/test"
LENGTH_S, RATE = 300, 25


def compose(path: Path, sources: Sequence[Path], length_s: int = LENGTH_S) -> None:
    """Write so many seconds of 1080p: the sources, over and over."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "21", "g": str(10 * RATE), "bf": "3"}
        shown = islice(_frames(sources), length_s * RATE)
        for number, frame in enumerate(shown):
            large = frame.reformat(1920, 1080, "yuv420p", interpolation="BICUBIC")
            large.pts, large.time_base, large.pict_type = number, Fraction(1, RATE), 0
            container.mux(stream.encode(large))
        container.mux(stream.encode())


def _frames(sources: Sequence[Path]) -> Iterator[av.VideoFrame]:
    for source in cycle(sources):
        with av.open(str(source)) as given:
            yield from given.decode(video=0)


def repeat(path: Path, clip: Path, length_s: int) -> None:
    """Write a clip over and over, without encoding it again, until `length_s` is reached."""
    with av.open(str(path), "w") as container:
        copy, played_s = None, Fraction(0)
        while played_s < length_s:
            with av.open(str(clip)) as given:
                source = given.streams.video[0]
                copy = copy or container.add_stream_from_template(source)
                tick = source.time_base or Fraction(1, av.time_base)
                shift = int(played_s / tick)
                for packet in given.demux(source):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = (
                        packet.pts + shift,
                        packet.dts + shift,
                        copy,
                    )
                    container.mux(packet)
                played_s += (source.duration or 0) * tick

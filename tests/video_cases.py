"""Small videos of every kind; each frame shows its own number in blocks, or is noise."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

SIDE = 32  # pixels of a picture that is read back
SOUND_HZ = 48_000

Pixels = NDArray[np.uint8]


def numbered(index: int) -> Pixels:
    """Draw a number as 16 bits: white or black blocks in a 4 x 4 grid of 64 x 64 pixels."""
    bits = np.array([index >> bit & 1 for bit in range(16)], np.uint8).reshape(4, 4)
    return np.kron(bits[:, :, None] * np.ones(3, np.uint8), np.full((16, 16, 1), 255, np.uint8))


def number_in(picture: Pixels) -> int:
    """Read what `numbered` drew from a picture of SIDE x SIDE."""
    blocks = picture[4::8, 4::8].mean(axis=2).ravel() > 127
    return sum(1 << bit for bit, white in enumerate(blocks) if white)


def noise(n_frames: int) -> list[Pixels]:
    """Draw pictures that do not compress, so that the middle of a file holds pictures."""
    return list(np.random.default_rng(7).integers(0, 256, (n_frames, 64, 64, 3), np.uint8))


def write(
    path: Path,
    stamps: Sequence[int],
    end: int,
    clock: Fraction,
    *,
    frames: Sequence[Pixels] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    aspect: Fraction | None = None,
    sound: tuple[str, float] | None = None,
    muxing: dict[str, str] | None = None,
    **options: Any,
) -> Path:
    """Write frames that appear at `stamps`, in units of `clock`; the last one stays until `end`.

    `frames` are numbered pictures unless given; `sound` is a codec and a length in seconds.
    """
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV build has no encoder {codec}")
    if frames is None:
        frames = [numbered(index) for index in range(len(stamps))]
    options = {"threads": "1", **options}  # those of libvpx wait for each other by spinning
    if codec == "libx264":
        options = {"preset": "superfast", "bf": "0", **options}
    stays = dict(zip(stamps, np.diff([*stamps, end]).tolist(), strict=True))
    rate = Fraction(len(stamps), end - stamps[0]) / clock
    with av.open(str(path), "w", options=muxing or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate.limit_denominator(1001))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = pix_fmt, options
        stream.codec_context.time_base = clock
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        listen = container.add_stream(sound[0], rate=SOUND_HZ) if sound else None
        shown: list[Any] = []
        for stamp, pixels in zip(stamps, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = stamp, clock
            shown.append(frame)
        for frame in [*shown, None]:
            for packet in stream.encode(frame):
                packet.duration = stays[packet.pts]
                container.mux(packet)
        if listen and sound:
            write_silence(container, listen, sound[1])
    return path


def write_silence(container: Any, stream: Any, length_s: float) -> None:
    step = stream.codec_context.frame_size or 1024  # AAC's, until the encoder is open
    planar = stream.codec_context.format.is_planar
    silence = np.zeros((2, step) if planar else (1, 2 * step), np.float32)
    for start in range(0, round(length_s * SOUND_HZ), step):
        frame = av.AudioFrame.from_ndarray(
            silence, format="fltp" if planar else "flt", layout="stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = SOUND_HZ, start, Fraction(1, SOUND_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())

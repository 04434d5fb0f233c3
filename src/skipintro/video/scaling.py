"""Brings frames upright, to square pixels, and to a size."""

import io
from collections.abc import Callable
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture: TypeAlias = NDArray[np.uint8]  # (height, width, 3), RGB; or (height, width), grey

# What is made of a frame; may be called in several threads.
View: TypeAlias = Callable[["av.VideoFrame", "av.VideoStream"], Picture]

_THUMBNAIL_WIDTH = 160  # pixels
_JPEG_QUALITY = 75  # of 95: Pillow's default


def display_shape(frame: "av.VideoFrame", stream: "av.VideoStream") -> tuple[int, int]:
    """(width, height) in square pixels, upright."""
    aspect = stream.sample_aspect_ratio
    width = frame.width if not aspect else max(1, round(frame.width * aspect))
    return (frame.height, width) if frame.rotation % 180 else (width, frame.height)


def square(frame: "av.VideoFrame", stream: "av.VideoStream", size: int) -> Picture:
    """Return the middle of a frame whose shorter side is brought to `size`, as uint8 (S, S, 3)."""
    width, height = display_shape(frame, stream)
    shorter = min(width, height)
    # Down, not to the nearest: torchvision's Resize cuts the longer side's fraction off.
    width, height = width * size // shorter, height * size // shorter
    pixels = scaled(frame, width, height)
    top, left = round((height - size) / 2), round((width - size) / 2)
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])


def scaled(frame: "av.VideoFrame", width: int, height: int) -> Picture:
    """Return the upright picture, which may be a view with strides of its own."""
    turned = frame.rotation % 180
    small = frame.reformat(
        width=height if turned else width,
        height=width if turned else height,
        format="rgb24",
        interpolation="BICUBIC",
    )
    return np.rot90(small.to_ndarray(), k=frame.rotation // 90)


def grey(frame: "av.VideoFrame", _: "av.VideoStream", shape: tuple[int, int]) -> Picture:
    """Return the upright picture, stretched to (height, width), as uint8 of that shape."""
    turned = frame.rotation % 180
    small = frame.reformat(
        width=shape[0] if turned else shape[1],
        height=shape[1] if turned else shape[0],
        format="gray",
        interpolation="AREA",
        threads=1,  # more are started again for every frame
    )
    return np.ascontiguousarray(np.rot90(small.to_ndarray(), k=frame.rotation // 90))


def thumbnail(frame: "av.VideoFrame", stream: "av.VideoStream") -> bytes:
    """Return a frame as JPEG, 160 pixels wide."""
    width, height = display_shape(frame, stream)
    pixels = scaled(frame, _THUMBNAIL_WIDTH, max(1, round(height * _THUMBNAIL_WIDTH / width)))
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()

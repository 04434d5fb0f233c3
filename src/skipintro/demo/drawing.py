"""Draws in units of the picture's height, so that one scene looks the same at every size.

The origin is the middle of the picture, x grows to the right and y downwards; y runs from -0.5
to 0.5, x to ±0.67 (4:3) or ±0.89 (16:9). Nothing here reads or writes files.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (height, width, 3), RGB
Mask = NDArray[np.uint8]  # (height, width), 0 clear to 255 opaque
Field = NDArray[np.float32]  # (height, width)
Points = NDArray[np.float64]  # (n, 2), x and y in picture heights
Colour = tuple[int, int, int]  # RGB, 0 to 255
Scene = Callable[[float], Picture]  # seconds since the scene's beginning -> its picture

_SHIFT = 4  # OpenCV's fixed point: 4 fractional bits, so that slow motion does not jerk
_MASTER_SCALE = 2.0  # letters are drawn large and brought down, which smooths their edges
_OCTAVES = ((3, 4, 0.5), (6, 9, 0.25), (13, 18, 0.15), (30, 42, 0.1))  # rows, columns, weight


@dataclass(frozen=True)
class Canvas:
    """The size of a picture in pixels."""

    width: int
    height: int

    def blank(self, colour: Colour) -> Picture:
        """Return a picture of one colour."""
        return np.full((self.height, self.width, 3), colour, np.uint8)

    @property
    def right(self) -> float:
        """The x of the right edge, in picture heights."""
        return self.width / self.height / 2

    def pixels(self, length: float) -> int:
        """Return a length as whole pixels, at least 1."""
        return max(1, round(length * self.height))


def polygon(picture: Picture, positions: Points, colour: Colour) -> None:
    """Fill a polygon with the corners `positions` (n, 2)."""
    cv2.fillPoly(picture, [_fixed(picture, positions)], colour, cv2.LINE_AA, _SHIFT)


def box(
    picture: Picture, corner: tuple[float, float], size: tuple[float, float], colour: Colour
) -> None:
    """Fill an upright rectangle, given its upper left corner and its width and height."""
    (left, top), (width, height) = corner, size
    right, bottom = left + width, top + height
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    polygon(picture, corners, colour)


def path(picture: Picture, positions: Points, colour: Colour, thickness: float) -> None:
    """Draw an open line through `positions` (n, 2), `thickness` picture heights wide."""
    lines, width = [_fixed(picture, positions)], max(1, round(thickness * len(picture)))
    cv2.polylines(picture, lines, False, colour, width, cv2.LINE_AA, _SHIFT)


def disc(picture: Picture, centre: tuple[float, float], radius: float, colour: Colour) -> None:
    """Fill a circle."""
    x, y = (int(value) for value in _fixed(picture, np.array([centre]))[0])
    cv2.circle(picture, (x, y), _fixed_length(picture, radius), colour, -1, cv2.LINE_AA, _SHIFT)


def ring(
    picture: Picture,
    centre: tuple[float, float],
    radius: float,
    *,
    colour: Colour,
    thickness: float,
) -> None:
    """Draw a circle's outline, `thickness` picture heights wide."""
    x, y = (int(value) for value in _fixed(picture, np.array([centre]))[0])
    size, width = _fixed_length(picture, radius), max(1, round(thickness * len(picture)))
    cv2.circle(picture, (x, y), size, colour, width, cv2.LINE_AA, _SHIFT)


def regular(n_sides: int, radius: float, angle: float) -> Points:
    """Return the corners of a regular polygon about the middle; `angle` in radians."""
    angles = angle + np.arange(n_sides) * 2 * math.pi / n_sides
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour `share` (0 to 1) of the way from `first` to `second`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def gradient(canvas: Canvas, top: Colour, bottom: Colour) -> Picture:
    """Return a picture that passes from one colour to another, downwards."""
    ramp = np.linspace(0, 1, canvas.height)[:, None, None]
    rows = np.asarray(top) * (1 - ramp) + np.asarray(bottom) * ramp
    return np.ascontiguousarray(np.broadcast_to(rows, (canvas.height, canvas.width, 3)), np.uint8)


def clouds(canvas: Canvas, rng: np.random.Generator) -> Field:
    """Return smooth noise of several scales, about 0 to 1; its shape is the same at every size."""
    total = np.zeros((canvas.height, canvas.width), np.float32)
    for rows, columns, weight in _OCTAVES:
        coarse = rng.random((rows, columns), dtype=np.float32)
        size = (canvas.width, canvas.height)
        total += weight * cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return total


def shade(picture: Picture, field: Field) -> Picture:
    """Multiply a picture by a field (height, width)."""
    shaded: Picture = np.clip(picture * field[:, :, None], 0, 255).astype(np.uint8)
    return shaded


def lettering(canvas: Canvas, text: str, height: float, font: int) -> Mask:
    """Return a text's mask, cut to its ink; its capital letters are `height` picture heights high.

    `font` is one of OpenCV's FONT_HERSHEY_* numbers; only Latin letters are drawn the same
    by all its versions.
    """
    (width, rise), base = cv2.getTextSize(f"H{text}", font, _MASTER_SCALE, 3)
    shape, origin = (rise + base + 60, width + 60), (30, rise + 25)
    capital, large = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for drawing, letters in ((capital, "H"), (large, text)):
        cv2.putText(drawing, letters, origin, font, _MASTER_SCALE, (255,), 3, cv2.LINE_AA)
    rows = np.flatnonzero(capital.any(1))
    scale = canvas.pixels(height) / len(rows)
    rows, columns = np.flatnonzero((capital | large).any(1)), np.flatnonzero(large.any(0))
    if not len(columns):
        return np.zeros((1, 1), np.uint8)
    ink = large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    return np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.uint8)


def stamp(
    picture: Picture,
    mask: Mask,
    centre: tuple[float, float],
    colour: Colour,
    *,
    opacity: float = 1.0,
) -> None:
    """Lay a mask in one colour over a picture, its middle at `centre`; what sticks out is cut."""
    (height, width), (tall, wide) = picture.shape[:2], mask.shape
    left = round(width / 2 + centre[0] * height - wide / 2)
    top = round(height / 2 + centre[1] * height - tall / 2)
    rows = slice(max(top, 0), min(top + tall, height))
    columns = slice(max(left, 0), min(left + wide, width))
    if rows.start >= rows.stop or columns.start >= columns.stop or opacity <= 0:
        return
    cut = mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    share = cut[:, :, None].astype(np.float32) * (min(opacity, 1.0) / 255)
    region = picture[rows, columns]
    region[:] = region + (np.asarray(colour, np.float32) - region) * share


def ease(value: float) -> float:
    """Bring a progress to 0 … 1, slow at both ends (Perlin's smoothstep, 3x² - 2x³)."""
    clipped = min(max(value, 0.0), 1.0)
    return clipped * clipped * (3 - 2 * clipped)


def _fixed(picture: Picture, positions: Points) -> NDArray[np.int32]:
    """Return positions (n, 2) as OpenCV's fixed-point pixels, int32 (n, 2)."""
    height, width = picture.shape[:2]
    pixels = positions * height + np.array([width / 2, height / 2])
    fixed: NDArray[np.int32] = np.rint(pixels * (1 << _SHIFT)).astype(np.int32)
    return fixed


def _fixed_length(picture: Picture, length: float) -> int:
    return max(1, round(length * len(picture) * (1 << _SHIFT)))

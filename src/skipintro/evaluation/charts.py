"""Line charts as SVG geometry, for the report's page: where lines, points and ticks are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Range = tuple[float, float]

WIDTH, HEIGHT = 360, 240  # units of the SVG's viewBox
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 38  # margins, in the same units
N_TICKS = 5  # about as many an axis


@dataclass(frozen=True)
class Line:
    """One line of a chart in the units of its axes; points that are not finite are left out."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Dot:
    """One point of a chart in the units of its axes, with its text on hover."""

    x: float
    y: float
    radius: float
    title: str


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in units of the viewBox, and the number that belongs there."""

    place: float
    text: str


@dataclass(frozen=True)
class DrawnLine:
    """A line's path in units of the viewBox."""

    name: str
    path: str


@dataclass(frozen=True)
class Chart:
    """A chart that is ready to be drawn; all places are in units of the viewBox."""

    title: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[DrawnLine, ...]
    dots: tuple[Dot, ...]
    diagonal: bool  # from the lower left to the upper right
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def chart(
    title: str,
    x_label: str,
    y_label: str,
    *,
    lines: Sequence[Line],
    dots: Sequence[Dot] = (),
    x_range: Range | None = None,
    y_range: Range | None = None,
    diagonal: bool = False,
) -> Chart:
    """Lay out a chart; a range that is not given is that of the lines, 0 to 1 where there is none.

    The upright axis then begins at 0, or below where a line does.
    """
    finite = [
        Line(line.name, [point for point in line.points if all(map(math.isfinite, point))])
        for line in lines
    ]
    points = [point for line in finite for point in line.points]
    x_low, x_high = x_range or _range_of([x for x, _ in points])
    y_low, y_high = y_range or _range_of([0.0, *(y for _, y in points)])

    def place(point: Point) -> Point:
        across = (point[0] - x_low) / (x_high - x_low)
        up = (point[1] - y_low) / (y_high - y_low)
        return (
            round(LEFT + across * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1),
        )

    return Chart(
        title=title,
        x_label=x_label,
        y_label=y_label,
        x_ticks=tuple(Tick(place((x, y_low))[0], text) for x, text in ticks(x_low, x_high)),
        y_ticks=tuple(Tick(place((x_low, y))[1], text) for y, text in ticks(y_low, y_high)),
        lines=tuple(DrawnLine(line.name, _path(list(map(place, line.points)))) for line in finite),
        dots=tuple(Dot(*place((dot.x, dot.y)), dot.radius, dot.title) for dot in dots),
        diagonal=diagonal,
    )


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return about five round numbers in [low, high], 1, 2 or 5 of a power of ten apart."""
    rough = (high - low) / N_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(k * step, f"{k * step:.{digits}f}") for k in range(first, last + 1)]


def _range_of(values: Sequence[float]) -> Range:
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    return (low, high) if low < high else (low, low + 1)


def _path(points: Sequence[Point]) -> str:
    return "".join(f"{'L' if index else 'M'}{x:g},{y:g}" for index, (x, y) in enumerate(points))

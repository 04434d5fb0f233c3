"""Draws the title sequences of invented series: moving graphics, lettering and credits.

Each motif is a function from (canvas, palette, generator) to a painter, which covers a whole
picture for a time in seconds. Nothing here reads or writes files.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from skipintro.demo.drawing import (
    Canvas,
    Colour,
    Mask,
    Picture,
    Scene,
    box,
    disc,
    ease,
    lettering,
    mix,
    path,
    polygon,
    regular,
    ring,
    stamp,
)


@dataclass(frozen=True)
class Palette:
    """The colours of a title sequence."""

    ground: Colour
    main: Colour
    second: Colour
    accent: Colour
    ink: Colour

    def turned(self) -> "Palette":
        """Return the same colours in other roles, for a sequence's second half."""
        return Palette(self.second, self.accent, self.ground, self.main, self.ink)


Painter = Callable[[Picture, float], None]  # covers the picture; seconds since the beginning
Motif = Callable[[Canvas, Palette, np.random.Generator], Painter]
# Letter's place at rest, progress 0 to 1, its index -> its place now.
Entrance = Callable[[tuple[float, float], float, int], tuple[float, float]]

PALETTES = (
    Palette((16, 20, 38), (205, 60, 64), (38, 62, 98), (242, 178, 72), (250, 244, 230)),
    Palette((236, 226, 204), (30, 92, 96), (214, 112, 62), (120, 38, 44), (24, 28, 34)),
    Palette((8, 10, 12), (40, 200, 190), (22, 44, 60), (250, 80, 150), (240, 250, 250)),
    Palette((44, 16, 52), (232, 92, 120), (92, 40, 104), (250, 200, 110), (255, 240, 236)),
    Palette((14, 44, 40), (226, 196, 96), (26, 84, 74), (238, 120, 80), (248, 246, 226)),
    Palette((28, 28, 30), (210, 210, 204), (70, 70, 74), (224, 40, 36), (255, 255, 255)),
    Palette((12, 36, 84), (120, 190, 240), (30, 74, 150), (255, 210, 60), (244, 250, 255)),
    Palette((70, 20, 16), (240, 150, 60), (128, 44, 26), (90, 190, 180), (255, 242, 214)),
    Palette((206, 218, 224), (60, 84, 120), (150, 176, 190), (226, 96, 84), (22, 30, 46)),
    Palette((6, 6, 10), (150, 96, 220), (40, 22, 70), (120, 240, 160), (238, 234, 255)),
)
FONTS = (
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
    cv2.FONT_HERSHEY_SIMPLEX,
)
_ROLES = ("STARRING", "WITH", "WRITTEN BY", "CREATED BY", "DIRECTED BY", "MUSIC BY", "PRODUCED BY")
_TITLE_FROM, _TURN_AT, _TURN_S = 0.42, 0.55, 0.5  # shares of the length; seconds of the wipe
_CREDITS = ((0.06, 0.4), (0.5, 0.97))  # when each of the two credits is on screen, as shares
_TITLE_WIDTH = 1.15  # picture heights: fits 4:3


def nested_polygons(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Polygons one in another, turning against each other and breathing."""
    n_sides, speed = int(rng.integers(3, 8)), float(rng.uniform(0.4, 1.1))
    colours = (palette.main, palette.ground, palette.second, palette.ground, palette.accent)

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.second
        for layer in range(9):
            radius = 1.15 - 0.125 * layer + 0.05 * math.sin(2 * t + layer)
            turn = t * speed * (1 if layer % 2 else -1) + layer * 0.3
            polygon(picture, regular(n_sides, radius, turn), colours[layer % 5])

    return paint


def sweeping_bars(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Slanted bars that cross the picture at their own speeds."""
    n_bars, slant = 11, float(rng.uniform(-0.6, 0.6))
    places, widths = rng.uniform(0, 3, n_bars), rng.uniform(0.04, 0.3, n_bars)
    speeds = rng.uniform(0.3, 1.2, n_bars) * rng.choice([-1, 1], n_bars)
    colours = [(palette.main, palette.second, palette.accent)[i % 3] for i in range(n_bars)]

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.ground
        for place, width, speed, colour in zip(places, widths, speeds, colours, strict=True):
            x = (place + speed * t) % 3 - 1.5
            corners = [[x + slant, -0.5], [x + slant + width, -0.5], [x + width, 0.5], [x, 0.5]]
            polygon(picture, np.array(corners), colour)

    return paint


def star_field(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Discs that fly out of the middle towards the viewer."""
    n_stars, speed = 80, float(rng.uniform(0.3, 0.6))
    places, depths = rng.uniform(-1.2, 1.2, (n_stars, 2)), rng.uniform(0, 1, n_stars)
    colours = [(palette.main, palette.accent, palette.ink)[i % 3] for i in range(n_stars)]

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.ground
        disc(picture, (0, 0), 0.32 + 0.04 * math.sin(2 * t), palette.second)
        for (x, y), depth, colour in zip(places, depths, colours, strict=True):
            near = 1.05 - (depth + speed * t) % 1
            disc(picture, (x * 0.5 / near, y * 0.5 / near), 0.008 / near, colour)

    return paint


def orbits(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Discs with tails on circles about the middle."""
    n_discs = 6
    radii, sizes = np.linspace(0.16, 0.8, n_discs), rng.uniform(0.025, 0.075, n_discs)
    speeds = rng.uniform(0.6, 1.9, n_discs) * rng.choice([-1, 1], n_discs)
    starts = rng.uniform(0, 2 * math.pi, n_discs)
    colours = [(palette.main, palette.accent)[i % 2] for i in range(n_discs)]

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.ground
        disc(picture, (0, 0), 0.1 + 0.02 * math.sin(3 * t), palette.accent)
        for i, radius in enumerate(radii):
            ring(picture, (0, 0), radius, colour=palette.second, thickness=0.012)
            for back in range(4, -1, -1):
                angle = starts[i] + speeds[i] * (t - 0.09 * back)
                place = (radius * math.cos(angle), radius * math.sin(angle))
                tint = mix(colours[i], palette.ground, back / 5)
                disc(picture, place, sizes[i] * (1 - back / 7), tint)

    return paint


def grid_tunnel(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Square frames that come towards the viewer along lines from the middle."""
    spin, speed = float(rng.uniform(-0.5, 0.5)), float(rng.uniform(0.5, 1.0))
    n_sides = int(rng.choice([4, 6]))

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.ground
        for spoke in regular(n_sides * 2, 1.4, spin * t):
            path(picture, np.array([spoke * 0.04, spoke]), palette.second, 0.012)
        for step in range(9):
            depth = (step + speed * t * 2) % 9
            corners = regular(n_sides, 0.03 * 1.6**depth, spin * t)
            colour = palette.accent if step % 3 == 0 else palette.main
            closed = np.concatenate([corners, corners[:1]])
            path(picture, closed, colour, 0.004 + 0.004 * depth)

    return paint


def ribbons(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Wide waves, one in front of the other."""
    n_ribbons, x = 6, np.linspace(-canvas.right, canvas.right, 40)
    waves, starts = rng.uniform(2, 6, n_ribbons), rng.uniform(0, 6, n_ribbons)
    speeds = rng.uniform(0.8, 2.2, n_ribbons) * rng.choice([-1, 1], n_ribbons)
    colours = [mix(palette.accent, palette.main, i / 3) for i in range(3)]
    colours += [mix(palette.main, palette.second, i / 3) for i in range(1, 4)]

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.ground
        for i in range(n_ribbons):
            y = -0.3 + 0.14 * i + 0.08 * np.sin(waves[i] * x + starts[i] + speeds[i] * t)
            edge = np.stack([x, y], axis=1)
            foot = np.array([[canvas.right, 0.55], [-canvas.right, 0.55]])
            polygon(picture, np.concatenate([edge, foot]), colours[i])

    return paint


def mosaic(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Tiles that change colour as waves run over them."""
    side = 1 / 7
    colours = np.array([palette.ground, palette.second, palette.main, palette.accent], np.uint8)
    pull, speed = rng.uniform(-0.9, 0.9, 2), float(rng.uniform(1.2, 2.2))
    jitter = rng.uniform(0, 1.2, (9, 15))
    # Pixel -> tile, counted from the middle so that every width shows the same tiles.
    rows = np.floor((np.arange(canvas.height) / canvas.height - 0.5) / side + 0.5).astype(int) + 4
    places = (np.arange(canvas.width) - canvas.width / 2) / canvas.height
    columns = np.floor(places / side + 0.5).astype(int) + 7
    down, across = np.mgrid[0:9, 0:15]

    def paint(picture: Picture, t: float) -> None:
        phase = np.sin(pull[0] * across + pull[1] * down + speed * t + jitter)
        tiles = colours[np.clip(np.floor((phase + 1) * 2), 0, 3).astype(int)]
        picture[:] = np.take(np.take(tiles, rows, axis=0), columns, axis=1)

    return paint


def sunburst(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Rays that turn about a disc."""
    n_rays, speed = int(rng.integers(8, 15)), float(rng.uniform(0.25, 0.7))
    height = float(rng.uniform(-0.1, 0.35))
    half = math.pi / n_rays / 2

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.ground
        middle = np.array([0.0, height])
        for index in range(n_rays):
            angle = speed * t + index * 2 * math.pi / n_rays
            arms = [[math.cos(angle + side), math.sin(angle + side)] for side in (-half, half)]
            corners = np.concatenate([[[0.0, 0.0]], 2 * np.array(arms)]) + middle
            polygon(picture, corners, palette.main if index % 2 else palette.second)
        disc(picture, (0, height), 0.25 + 0.02 * math.sin(3 * t), palette.accent)
        disc(picture, (0, height), 0.18, palette.ground)

    return paint


def ripples(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Rings that grow out of two points."""
    speed, gap = float(rng.uniform(0.12, 0.25)), float(rng.uniform(0.14, 0.2))
    points = [(float(rng.uniform(-0.5, -0.1)), -0.1), (float(rng.uniform(0.1, 0.5)), 0.15)]

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.ground
        for index in range(8, -1, -1):
            for place, colour in zip(points, (palette.main, palette.accent), strict=True):
                radius = gap * index + speed * t % gap
                width = 0.045 * (1 - index / 11)
                ring(picture, place, radius, colour=colour, thickness=width)
        for place in points:
            disc(picture, place, 0.04, palette.ink)

    return paint


def flying_letters(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> Painter:
    """Huge letters that drift past over two blocks of colour."""
    letters = [chr(code) for code in rng.integers(ord("A"), ord("Z") + 1, 7)]
    masks = [lettering(canvas, letter, 0.5, cv2.FONT_HERSHEY_TRIPLEX) for letter in letters]
    places, heights = rng.uniform(0, 2.6, 7), rng.uniform(-0.4, 0.4, 7)
    speeds = rng.uniform(0.2, 0.7, 7) * rng.choice([-1, 1], 7)
    colours = [(palette.main, palette.accent, palette.second)[i % 3] for i in range(7)]

    def paint(picture: Picture, t: float) -> None:
        picture[:] = palette.ground
        edge = 0.3 * math.sin(0.9 * t)
        corners = [[edge + 0.2, -0.5], [1, -0.5], [1, 0.5], [edge - 0.2, 0.5]]
        polygon(picture, np.array(corners), palette.second)
        for i, mask in enumerate(masks):
            x = (places[i] + speeds[i] * t) % 2.6 - 1.3
            stamp(picture, mask, (x, heights[i]), colours[i])

    return paint


MOTIFS: tuple[Motif, ...] = (
    nested_polygons,
    sweeping_bars,
    star_field,
    orbits,
    grid_tunnel,
    ribbons,
    mosaic,
    sunburst,
    ripples,
    flying_letters,
)


def rise(place: tuple[float, float], progress: float, index: int) -> tuple[float, float]:
    """Letters come up from below, one after the other."""
    return place[0], place[1] + 0.6 * (1 - ease(progress * 2.2 - index * 0.08))


def spread(place: tuple[float, float], progress: float, _index: int) -> tuple[float, float]:
    """Letters move apart from the middle."""
    return place[0] * (0.35 + 0.65 * ease(progress * 1.5)), place[1]


def slide(place: tuple[float, float], progress: float, index: int) -> tuple[float, float]:
    """Letters come in from both sides by turns."""
    side = 1 if index % 2 else -1
    return place[0] + side * 1.6 * (1 - ease(progress * 1.8)), place[1]


ENTRANCES: tuple[Entrance, ...] = (rise, spread, slide)


@dataclass(frozen=True)
class Design:
    """What all openings of one series share. `entropy` seeds the motif's own numbers."""

    title: str
    motif: int
    palette: int
    font: int
    entrance: int
    title_y: float
    credits_x: float
    roles: tuple[str, str]
    entropy: tuple[int, ...]


def design(title: str, motif: int, palette: int, entropy: tuple[int, ...]) -> Design:
    """Return a series' design; `title` in Latin letters."""
    rng = np.random.default_rng(entropy)
    first, second = rng.choice(len(_ROLES), 2, replace=False)
    return Design(
        title=title.upper(),
        motif=motif,
        palette=palette,
        font=int(rng.integers(len(FONTS))),
        entrance=int(rng.integers(len(ENTRANCES))),
        title_y=float(rng.uniform(-0.15, 0.1)),
        credits_x=float(rng.choice([-0.3, 0.3])),
        roles=(_ROLES[first], _ROLES[second]),
        entropy=(*entropy, 1),
    )


def opening(canvas: Canvas, style: Design, names: tuple[str, str], length_s: float) -> Scene:
    """Return a title sequence: a motif, its turned second half, the title, two credits over it."""
    palette = PALETTES[style.palette]
    rng = np.random.default_rng(style.entropy)
    halves = [MOTIFS[style.motif](canvas, colours, rng) for colours in (palette, palette.turned())]
    title = _title(canvas, style, palette)
    cards = [
        _credit(canvas, style, palette, role, name)
        for role, name in zip(style.roles, names, strict=True)
    ]

    def scene(t: float) -> Picture:
        picture = canvas.blank(palette.ground)
        edge = round(canvas.width * ease((t - _TURN_AT * length_s) / _TURN_S))
        if edge < canvas.width:
            halves[0](picture, t)
        if edge > 0:
            turned = canvas.blank(palette.ground)
            halves[1](turned, t)
            picture[:, :edge] = turned[:, :edge]
        share = t / length_s
        for paint, (begin, end) in zip(cards, _CREDITS, strict=True):
            if begin <= share < end:
                paint(picture, min(share - begin, end - share) * length_s)
        if share >= _TITLE_FROM:
            title(picture, t - _TITLE_FROM * length_s)
        return picture

    return scene


def _title(canvas: Canvas, style: Design, palette: Palette) -> Painter:
    """Return the painter of the title, letter by letter on a plate; seconds since it enters."""
    font, move = FONTS[style.font], ENTRANCES[style.entrance]
    letters, width = _set_letters(canvas, style.title, font)

    def paint(picture: Picture, t: float) -> None:
        grown = ease(t / 0.6)
        corner = (-(width / 2 + 0.06) * grown, style.title_y - 0.1)
        box(picture, corner, (-2 * corner[0], 0.2), palette.ground)
        corner = (corner[0], style.title_y + 0.085)
        box(picture, corner, (-2 * corner[0], 0.015), palette.accent)
        for index, (mask, x) in enumerate(letters):
            place = move((x, style.title_y), t / 1.2, index)
            stamp(picture, mask, place, palette.ink, opacity=t / 0.4)

    return paint


def _set_letters(canvas: Canvas, text: str, font: int) -> tuple[list[tuple[Mask, float]], float]:
    """Return each letter's mask and the x of its middle, and the whole width, in picture heights.

    Letters are apart like on a title card and are brought down until they fit the width.
    """
    size = 0.12
    while True:
        masks = [lettering(canvas, letter, size, font) for letter in text]
        gap = size * 0.22
        widths = [
            (0.5 * size if letter == " " else mask.shape[1] / canvas.height) + gap
            for letter, mask in zip(text, masks, strict=True)
        ]
        total = sum(widths)
        if total <= _TITLE_WIDTH or size < 0.03:
            break
        size *= 0.97 * _TITLE_WIDTH / total
    lefts = np.cumsum([0.0, *widths[:-1]]) - total / 2
    return [
        (mask, float(left + width / 2))
        for mask, left, width in zip(masks, lefts, widths, strict=True)
    ], total


def _credit(canvas: Canvas, style: Design, palette: Palette, role: str, name: str) -> Painter:
    """Return the painter of one credit; its time is that since it came or until it goes."""
    small = lettering(canvas, role, 0.032, FONTS[style.font])
    large = lettering(canvas, name, 0.058, FONTS[style.font])
    wide = max(small.shape[1], large.shape[1]) / canvas.height + 0.06

    def paint(picture: Picture, t: float) -> None:
        shown = ease(t / 0.4)
        place = (style.credits_x - wide / 2, 0.28)
        box(picture, place, (wide * shown, 0.15), palette.ground)
        stamp(picture, small, (style.credits_x, 0.315), palette.ink, opacity=shown)
        stamp(picture, large, (style.credits_x, 0.38), palette.ink, opacity=shown)

    return paint

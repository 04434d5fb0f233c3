"""Draws the film of invented series: settings, figures, captions, recaps and closing rolls.

A setting paints a backdrop larger than the picture, over which a camera moves; figures move in
front of it. Nothing here reads or writes files.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from skipintro.demo.drawing import (
    Canvas,
    Colour,
    Field,
    Mask,
    Picture,
    Points,
    Scene,
    box,
    clouds,
    disc,
    gradient,
    lettering,
    mix,
    path,
    polygon,
    shade,
    stamp,
)


@dataclass(frozen=True)
class Mood:
    """The light of a scene: its sky, its far and near things, and its lamps."""

    sky: Colour
    horizon: Colour
    far: Colour
    near: Colour
    light: Colour


Setting = Callable[[Canvas, Mood, np.random.Generator], Picture]
Figure = Callable[[Picture, float], None]  # draws on the picture; seconds since the beginning
Figures = Callable[[Canvas, Mood, np.random.Generator], Figure]

MOODS = (
    Mood((96, 152, 214), (214, 226, 232), (126, 150, 160), (52, 78, 44), (255, 246, 214)),  # day
    Mood((70, 60, 110), (238, 150, 92), (120, 84, 96), (40, 30, 36), (255, 214, 150)),  # dusk
    Mood((8, 12, 28), (24, 34, 62), (22, 28, 44), (8, 10, 14), (250, 222, 140)),  # night
    Mood((168, 176, 180), (198, 202, 202), (160, 166, 168), (92, 98, 98), (240, 240, 232)),  # fog
    Mood((84, 56, 34), (150, 104, 62), (112, 76, 46), (48, 30, 20), (255, 206, 130)),  # lamplight
    Mood((176, 196, 216), (232, 238, 244), (168, 182, 196), (214, 222, 230), (255, 252, 240)),
    Mood((30, 60, 48), (92, 128, 84), (54, 88, 58), (22, 40, 26), (232, 238, 180)),  # wood
    Mood((16, 20, 38), (205, 60, 64), (38, 62, 98), (18, 18, 26), (242, 178, 72)),  # neon
    Mood((14, 44, 40), (226, 196, 96), (26, 84, 74), (18, 30, 26), (238, 120, 80)),  # stage light
)
_MARGIN = 1.3  # a backdrop's size over the picture's: room for the camera
_GRAIN_FIELDS, _GRAIN_RATE = 4, 8.0  # different fields of grain; changes a second
_LINES = (
    "You should not have come back.",
    "It was here yesterday.",
    "Tell me what you heard.",
    "We leave at first light.",
    "She never wrote that letter.",
    "Who else has a key?",
    "I counted them twice.",
    "That is not my brother.",
)
_SIGNS = ("BAKERY", "HOTEL", "PLATFORM 4", "NO ENTRY", "CAFE", "OFFICE", "EXIT", "PHARMACY")
_PLACES = ("HARBOUR, 5:40 AM", "THREE DAYS EARLIER", "NORTH STATION", "THE FARM", "MARCH 1987")
_JOBS = (
    "Director",
    "Camera",
    "Editor",
    "Sound",
    "Costumes",
    "Colour",
    "Script",
    "Stunts",
    "Lights",
    "Catering",
    "Driver",
    "Music",
)


def hills(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Picture:
    """Paint a sky with a sun or a moon over four ridges."""
    picture = shade(gradient(canvas, mood.sky, mood.horizon), 0.8 + 0.4 * clouds(canvas, rng))
    disc(picture, (float(rng.uniform(-0.5, 0.5)), -0.28), 0.05, mood.light)
    x = np.linspace(-canvas.right, canvas.right, 60)
    for layer in range(4):
        waves, starts = rng.uniform(1, 5, 3) * (1, 2.3, 6), rng.uniform(0, 6, 3)
        heights = np.array([0.06, 0.03, 0.012])[:, None]
        y = -0.1 + 0.14 * layer + (heights * np.sin(waves[:, None] * x + starts[:, None])).sum(0)
        _skyline(picture, canvas, np.stack([x, y], axis=1), mix(mood.far, mood.near, layer / 3))
    return shade(picture, 0.75 + 0.5 * clouds(canvas, rng))


def street(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Picture:
    """Paint a row of houses with windows over a road."""
    picture = gradient(canvas, mood.sky, mood.horizon)
    left = -canvas.right
    while left < canvas.right:
        width, top = float(rng.uniform(0.14, 0.34)), float(rng.uniform(-0.42, 0.0))
        wall = mix(mood.far, mood.near, float(rng.uniform(0, 0.9)))
        box(picture, (left, top), (width - 0.01, 0.8), wall)
        for y in np.arange(top + 0.04, 0.2, 0.09):
            for x in np.arange(left + 0.03, left + width - 0.05, 0.07):
                lit = mood.light if rng.random() < 0.4 else mix(wall, (0, 0, 0), 0.4)
                box(picture, (float(x), float(y)), (0.035, 0.05), lit)
        left += width
    box(picture, (-canvas.right, 0.25), (2 * canvas.right, 0.3), mix(mood.near, (70, 70, 74), 0.5))
    return shade(picture, 0.7 + 0.6 * clouds(canvas, rng))


def room(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Picture:
    """Paint a papered wall with a window, a picture, a table and a lamp."""
    wall = mix(mood.far, mood.light, float(rng.uniform(0, 0.35)))
    picture = gradient(canvas, wall, mix(wall, mood.near, 0.5))
    for x in np.arange(-canvas.right, canvas.right, float(rng.uniform(0.05, 0.12))):
        box(picture, (float(x), -0.5), (0.02, 0.75), mix(wall, mood.near, 0.2))
    box(picture, (-canvas.right, 0.22), (2 * canvas.right, 0.3), mood.near)
    x = float(rng.uniform(-0.55, 0.1))
    box(picture, (x, -0.38), (0.4, 0.42), mix(mood.near, (230, 230, 220), 0.5))
    for column in range(2):
        box(picture, (x + 0.02 + 0.19 * column, -0.36), (0.17, 0.38), mood.sky)
    lamp = (float(rng.uniform(0.25, 0.6)), float(rng.uniform(-0.15, 0.05)))
    path(picture, np.array([[lamp[0], lamp[1]], [lamp[0], 0.3]]), mood.near, 0.015)
    shape = [[-0.05, -0.05], [0.05, -0.05], [0.09, 0.05], [-0.09, 0.05]]
    polygon(picture, np.array(shape) + lamp, mood.light)
    box(picture, (float(rng.uniform(-0.7, -0.2)), 0.18), (0.6, 0.05), mix(mood.near, wall, 0.3))
    across, down = _grid(canvas)
    glow = 0.6 + 0.7 * np.exp(-((across - lamp[0]) ** 2 + (down - lamp[1]) ** 2) * 4)
    return shade(shade(picture, glow.astype(np.float32)), 0.8 + 0.4 * clouds(canvas, rng))


def forest(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Picture:
    """Paint trunks in three depths under leaves."""
    picture = gradient(canvas, mood.horizon, mood.near)
    for layer in range(3):
        colour = mix(mood.far, mood.near, layer / 2)
        for _ in range(9):
            x, width = float(rng.uniform(-canvas.right, canvas.right)), 0.02 + 0.03 * layer
            lean = float(rng.uniform(-0.08, 0.08))
            feet = [[x, 0.5], [x + width, 0.5], [x + width + lean, -0.5], [x + lean, -0.5]]
            polygon(picture, np.array(feet), colour)
        for _ in range(14):
            place = (
                float(rng.uniform(-canvas.right, canvas.right)),
                float(rng.uniform(-0.5, -0.3)),
            )
            disc(picture, place, float(rng.uniform(0.03, 0.1)), mix(colour, mood.far, 0.3))
    return shade(picture, 0.4 + 1.2 * clouds(canvas, rng))


def shore(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Picture:
    """Paint water with streaks of light under a cloudy sky."""
    picture = shade(gradient(canvas, mood.sky, mood.horizon), 0.5 + clouds(canvas, rng))
    box(picture, (-canvas.right, 0.02), (2 * canvas.right, 0.5), mix(mood.sky, mood.near, 0.4))
    for y in np.sort(rng.uniform(0.03, 0.5, 70)):
        x, length = float(rng.uniform(-canvas.right, canvas.right)), 0.05 + 0.5 * float(y)
        colour = mix(mood.horizon, mood.far, float(rng.random()))
        path(picture, np.array([[x, y], [x + length, y]]), colour, 0.004 + 0.015 * float(y))
    return shade(picture, 0.75 + 0.5 * clouds(canvas, rng))


def desk(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Picture:
    """Paint a table seen from above, with written papers and a cup."""
    wood = mix(mood.near, (140, 96, 60), 0.5)
    picture = canvas.blank(wood)
    for y in np.arange(-0.5, 0.5, 0.03):
        shift = y + rng.uniform(-0.01, 0.01, 12)
        line = np.stack([np.linspace(-canvas.right, canvas.right, 12), shift], axis=1)
        path(picture, line, mix(wood, (0, 0, 0), float(rng.uniform(0.05, 0.3))), 0.006)
    for _ in range(int(rng.integers(1, 4))):
        middle, angle = rng.uniform(-0.4, 0.4, 2), float(rng.uniform(-0.5, 0.5))
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        sheet = np.array([[-0.18, -0.25], [0.18, -0.25], [0.18, 0.25], [-0.18, 0.25]])
        polygon(picture, sheet @ turn + middle, mix((244, 240, 226), mood.horizon, 0.15))
        for y in np.arange(-0.2, 0.2, 0.035):
            ink = np.array([[-0.14, y], [float(rng.uniform(0, 0.14)), y]]) @ turn + middle
            path(picture, ink, (60, 60, 80), 0.006)
    cup = (float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.3, 0.3)))
    disc(picture, cup, 0.1, (220, 214, 204))
    disc(picture, cup, 0.08, (62, 40, 28))
    return shade(picture, 0.55 + 0.8 * clouds(canvas, rng))


def corridor(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Picture:
    """Paint a corridor towards a far door, with doors on both sides."""
    picture = canvas.blank(mood.far)
    far = np.array([float(rng.uniform(-0.15, 0.15)), -0.03])
    edges = np.array([[-1.0, -0.6], [1.0, -0.6], [1.0, 0.6], [-1.0, 0.6]])
    inner = far + edges * 0.12
    tints = (0.1, 0.7, 0.9, 0.5)  # ceiling, right wall, floor, left wall
    for side, tint in enumerate(tints):
        following = (side + 1) % 4
        face = np.array([edges[side], edges[following], inner[following], inner[side]])
        polygon(picture, face, mix(mood.horizon, mood.near, tint))
    polygon(picture, inner, mood.light)
    for depth in (0.2, 0.36, 0.62):
        for side in (-1, 1):
            near, back = depth, depth * 0.78
            ground, top = np.array([side, 0.6]), np.array([side, -0.2])
            door = [far + ground * near, far + ground * back, far + top * back, far + top * near]
            polygon(picture, np.array(door), mix(mood.near, mood.far, 0.4))
    return shade(picture, 0.6 + 0.8 * clouds(canvas, rng))


def mist(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Picture:
    """Paint hardly more than a soft pattern of light, out of focus."""
    picture = shade(gradient(canvas, mood.sky, mood.far), 0.5 + clouds(canvas, rng))
    for _ in range(12):
        place = (float(rng.uniform(-canvas.right, canvas.right)), float(rng.uniform(-0.4, 0.4)))
        tint = mix(mood.far, mood.light, float(rng.uniform(0.1, 0.6)))
        disc(picture, place, float(rng.uniform(0.02, 0.08)), tint)
    sigma = canvas.height * 0.02
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def walkers(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Figure:
    """Return up to three people who walk through the picture."""
    number = int(rng.integers(1, 4))
    starts, speeds = rng.uniform(-0.6, 0.6, number), rng.uniform(0.05, 0.2, number)
    speeds *= rng.choice([-1, 1], number)
    sizes = rng.uniform(0.3, 0.75, number)
    coats = [mix(mood.near, (200, 80, 60), float(share)) for share in rng.uniform(0, 0.6, number)]
    skin = mix(mood.light, (190, 140, 110), 0.6)

    def draw(picture: Picture, t: float) -> None:
        for start, speed, size, coat in zip(starts, speeds, sizes, coats, strict=True):
            foot = np.array([start + speed * t, 0.42])
            swing = 0.13 * math.sin(7 * t + start * 9)
            for side in (-1, 1):
                leg = np.array([[0, -0.45], [side * swing, -0.2], [side * swing * 1.3, 0]])
                path(picture, foot + leg * size, mix(coat, (0, 0, 0), 0.4), 0.06 * size)
            body = np.array([[-0.11, -0.85], [0.11, -0.85], [0.13, -0.4], [-0.13, -0.4]])
            polygon(picture, foot + body * size, coat)
            disc(picture, (float(foot[0]), float(foot[1] - 0.93 * size)), 0.075 * size, skin)

    return draw


def talker(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Figure:
    """Return a head and shoulders close to the camera, talking."""
    x, size = float(rng.uniform(-0.3, 0.3)), float(rng.uniform(0.8, 1.2))
    tone = [(236, 196, 170), (190, 140, 104), (120, 82, 60)][int(rng.integers(3))]
    skin, coat = mix(tone, mood.far, 0.25), mix(mood.near, mood.sky, float(rng.uniform(0, 0.6)))
    hair = mix((40, 26, 18), (150, 110, 60), float(rng.random()))

    def draw(picture: Picture, t: float) -> None:
        middle = np.array([x + 0.02 * math.sin(1.3 * t), 0.01 * math.sin(2.1 * t)])
        shoulders = [
            [-0.34, 0.6],
            [-0.28, 0.3],
            [-0.08, 0.2],
            [0.08, 0.2],
            [0.28, 0.3],
            [0.34, 0.6],
        ]
        polygon(picture, np.array(shoulders) * size + middle, coat)
        place = (float(middle[0]), float(middle[1]))
        disc(picture, (place[0], place[1] - 0.05 * size), 0.175 * size, hair)
        disc(picture, place, 0.15 * size, skin)
        for side in (-1, 1):
            eye = (place[0] + side * 0.055 * size, place[1] - 0.03 * size)
            disc(picture, eye, 0.016 * size, (30, 24, 22))
        mouth = np.array([[-0.05, 0.07], [0, 0.075], [0.05, 0.07]]) * size + middle
        path(picture, mouth, (120, 50, 48), 0.012 + 0.02 * size * abs(math.sin(9 * t)))

    return draw


def car(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Figure:
    """Return a car that drives by with its lights on."""
    start, speed = float(rng.uniform(-1.2, -0.2)), float(rng.uniform(0.15, 0.5))
    paint = mix(mood.near, (180, 40, 40), float(rng.uniform(0.2, 0.8)))
    size = float(rng.uniform(0.8, 1.5))
    shape = [[-0.22, 0], [-0.2, -0.07], [-0.12, -0.08], [-0.07, -0.15], [0.07, -0.15]]
    body = np.array([*shape, [0.13, -0.08], [0.22, -0.06], [0.23, 0]])

    def draw(picture: Picture, t: float) -> None:
        place = np.array([start + speed * t, 0.36])
        polygon(picture, place + body * size, paint)
        for side in (-0.13, 0.13):
            disc(picture, (float(place[0] + side * size), 0.36), 0.045 * size, (20, 20, 22))
        disc(picture, (float(place[0] + 0.22 * size), 0.36 - 0.04 * size), 0.02, mood.light)

    return draw


def birds(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Figure:
    """Return a flock that crosses the upper half."""
    places = rng.uniform((-0.9, -0.45), (0.2, -0.05), (9, 2))
    speed = float(rng.uniform(0.05, 0.15))

    def draw(picture: Picture, t: float) -> None:
        for index, place in enumerate(places):
            lift = 0.015 * math.sin(8 * t + index)
            wings = np.array([[-0.025, -lift], [0, 0], [0.025, -lift]])
            path(picture, place + wings + (speed * t, 0), mood.near, 0.008)

    return draw


def rain(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Figure:
    """Return rain, or snow where it falls slowly."""
    places, speed = rng.uniform(0, 1, (45, 2)), float(rng.choice([0.15, 1.6]))
    length = 0.01 if speed < 1 else 0.05
    colour = mix(mood.horizon, (255, 255, 255), 0.5)

    def draw(picture: Picture, t: float) -> None:
        y = (places[:, 1] + speed * t) % 1 - 0.5
        x = (places[:, 0] * 2 - 1) * canvas.right
        for left, top in zip(x, y, strict=True):
            path(picture, np.array([[left, top], [left - 0.005, top + length]]), colour, 0.005)

    return draw


def nobody(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Figure:
    """Return no figure: the camera alone moves."""

    def draw(picture: Picture, t: float) -> None:
        return None

    return draw


# What may be seen before which backdrop.
SETTINGS: tuple[tuple[Setting, tuple[Figures, ...]], ...] = (
    (hills, (walkers, talker, car, birds, rain, nobody)),
    (street, (walkers, talker, car, rain, nobody)),
    (room, (walkers, talker, talker, nobody)),
    (forest, (walkers, talker, birds, rain, nobody)),
    (shore, (talker, birds, rain, nobody)),
    (desk, (nobody,)),
    (corridor, (walkers, talker, nobody)),
    (mist, (talker, walkers, birds, rain)),
)


def film(
    canvas: Canvas, moods: tuple[int, ...], entropy: tuple[int, ...], lettering_share: float
) -> Scene:
    """Return a film scene in one of `moods`, which are places in MOODS.

    In `lettering_share` of the scenes some text shows: a sign, a caption or subtitles.
    """
    rng = np.random.default_rng(entropy)
    light = MOODS[moods[int(rng.integers(len(moods)))]]
    stage = Canvas(round(canvas.width * _MARGIN), round(canvas.height * _MARGIN))
    setting, figures = SETTINGS[int(rng.integers(len(SETTINGS)))]
    backdrop = setting(stage, light, rng)
    camera = _camera(canvas, stage, rng)
    figure = figures[int(rng.integers(len(figures)))](canvas, light, rng)
    text: Figure | None = None
    if rng.random() < lettering_share:
        text = (_subtitles, _caption, _sign)[int(rng.integers(3))](canvas, light, rng)
    strength = int(rng.integers(1, 5))
    shape = (_GRAIN_FIELDS, canvas.height, canvas.width, 3)
    grain = rng.integers(0, 2 * strength + 1, shape, dtype=np.uint8)
    level = np.full_like(grain[0], strength)

    def scene(t: float) -> Picture:
        picture = _seen(canvas, backdrop, camera, t)
        figure(picture, t)
        if text is not None:
            text(picture, t)
        field = grain[int(t * _GRAIN_RATE) % _GRAIN_FIELDS]
        return np.asarray(cv2.subtract(cv2.add(picture, field), level), np.uint8)

    return scene


def recap(canvas: Canvas, shown: Scene, series: str) -> Scene:
    """Return a scene of the episode before, paler and with a note over it."""
    note = lettering(canvas, f"PREVIOUSLY ON {series.upper()}", 0.04, cv2.FONT_HERSHEY_SIMPLEX)

    def scene(t: float) -> Picture:
        picture = shown(t)
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        picture = np.asarray(cv2.addWeighted(picture, 0.5, grey, 0.5, 0), np.uint8)
        stamp(picture, note, (0, -0.42), (255, 255, 255), opacity=0.9)
        return picture

    return scene


def closing_roll(
    canvas: Canvas, names: tuple[str, ...], entropy: tuple[int, ...], length_s: float
) -> Scene:
    """Return credits that scroll up over a dark ground, all of them within `length_s`."""
    rng = np.random.default_rng(entropy)
    ground = mix((0, 0, 0), MOODS[int(rng.integers(len(MOODS)))].sky, float(rng.uniform(0, 0.25)))
    ink = mix((255, 255, 255), (240, 214, 150), float(rng.random()))
    jobs = [_JOBS[index] for index in rng.permutation(len(_JOBS))[: len(names)]]
    font = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)[int(rng.integers(2))]
    rows: list[tuple[Mask, Mask]] = [
        (lettering(canvas, job, 0.035, font), lettering(canvas, name, 0.04, font))
        for job, name in zip(jobs, names, strict=True)
    ]
    speed = (0.9 + 0.11 * len(rows)) / length_s

    def scene(t: float) -> Picture:
        picture = canvas.blank(ground)
        for index, (job, name) in enumerate(rows):
            y = 0.45 + 0.11 * index - speed * t
            half = (job.shape[1] / canvas.height / 2, name.shape[1] / canvas.height / 2)
            stamp(picture, job, (-0.04 - half[0], y), ink, opacity=0.7)
            stamp(picture, name, (0.04 + half[1], y), ink)
        return picture

    return scene


@dataclass(frozen=True)
class _Camera:
    """Where the camera stands at first, in pixels of the backdrop, and how it moves a second."""

    left: float
    top: float
    right_a_s: float
    down_a_s: float
    zoom_a_s: float


def _camera(canvas: Canvas, stage: Canvas, rng: np.random.Generator) -> _Camera:
    room_x, room_y = stage.width - canvas.width, stage.height - canvas.height
    moves = rng.uniform(-0.05, 0.05, 2) * rng.choice([0, 1], 2)
    zoom = float(rng.choice([0, 0, 0.02, -0.015]))
    return _Camera(room_x / 2, room_y / 2, moves[0] * room_x, moves[1] * room_y, zoom)


def _seen(canvas: Canvas, backdrop: Picture, camera: _Camera, t: float) -> Picture:
    zoom = 1 + camera.zoom_a_s * t
    left = camera.left + camera.right_a_s * t + canvas.width / 2 * (1 - 1 / zoom)
    top = camera.top + camera.down_a_s * t + canvas.height / 2 * (1 - 1 / zoom)
    matrix = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]])
    size = (canvas.width, canvas.height)
    seen = cv2.warpAffine(backdrop, matrix, size, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen, np.uint8)


def _skyline(picture: Picture, canvas: Canvas, edge: Points, colour: Colour) -> None:
    foot = np.array([[canvas.right, 0.55], [-canvas.right, 0.55]])
    polygon(picture, np.concatenate([edge, foot]), colour)


def _grid(canvas: Canvas) -> tuple[Field, Field]:
    """Return every pixel's x (1, width) and y (height, 1) in picture heights, float32."""
    x = (np.arange(canvas.width, dtype=np.float32) - canvas.width / 2) / canvas.height
    y = (np.arange(canvas.height, dtype=np.float32) - canvas.height / 2) / canvas.height
    return np.asarray(x[None, :], np.float32), np.asarray(y[:, None], np.float32)


def _subtitles(canvas: Canvas, _mood: Mood, rng: np.random.Generator) -> Figure:
    picked = rng.permutation(len(_LINES))[:4]
    masks = [lettering(canvas, _LINES[i], 0.045, cv2.FONT_HERSHEY_SIMPLEX) for i in picked]

    def draw(picture: Picture, t: float) -> None:
        mask = masks[int(t / 2) % len(masks)]
        stamp(picture, mask, (0.006, 0.406), (0, 0, 0))
        stamp(picture, mask, (0, 0.4), (255, 255, 255))

    return draw


def _caption(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Figure:
    text = _PLACES[int(rng.integers(len(_PLACES)))]
    font = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)[int(rng.integers(2))]
    mask = lettering(canvas, text, float(rng.uniform(0.05, 0.09)), font)
    place = (float(rng.uniform(-0.1, 0.1)), float(rng.choice([-0.3, 0.0, 0.3])))

    def draw(picture: Picture, t: float) -> None:
        stamp(picture, mask, place, mood.light, opacity=(t - 0.5) / 0.5)

    return draw


def _sign(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> Figure:
    mask = lettering(canvas, _SIGNS[int(rng.integers(len(_SIGNS)))], 0.08, cv2.FONT_HERSHEY_TRIPLEX)
    x, y = float(rng.uniform(-0.4, 0.4)), float(rng.uniform(-0.35, 0))
    wide = mask.shape[1] / canvas.height + 0.06
    board = mix(mood.near, mood.sky, 0.3)

    def draw(picture: Picture, t: float) -> None:
        box(picture, (x - wide / 2, y - 0.08), (wide, 0.16), board)
        stamp(picture, mask, (x, y), mood.light)

    return draw

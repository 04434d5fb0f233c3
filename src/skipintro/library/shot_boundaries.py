"""Moves an end of an interval to the frame at which the picture really changes."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from skipintro.video.isolated_decode import frames_between
from skipintro.video.scaling import Picture

WITHIN_S = 1.0  # labels and detections are whole seconds, so the true end is within one
# Mean absolute difference of two pictures' values (0 to 255) that marks a cut, and mean value
# below which a picture is black: PySceneDetect's defaults for its content and threshold detectors,
# https://www.scenedetect.com/docs/latest/api/detectors.html.
_CUT, _BLACK = 27.0, 12.0
_HEIGHT = 36  # px


def snapped(path: Path, second: float) -> float:
    """Return the time of the nearest cut or black frame within a second, else the time as it is.

    Exact to the frame; the beginning of the video counts as a cut. Raises VideoError.
    """
    frames = list(frames_between(path, second - WITHIN_S, second + WITHIN_S, height=_HEIGHT))
    target = Fraction(second)
    near = [time for time in changes(frames) if abs(time - target) <= WITHIN_S]
    return float(min(near, key=lambda time: (abs(time - target), time), default=target))


def changes(frames: Sequence[tuple[Fraction, Picture]]) -> list[Fraction]:
    """Return the times of the pictures that follow a cut or are black, and of that at 0 s."""
    found = {time for time, picture in frames if picture.mean() < _BLACK or time == 0}
    for (_, before), (time, after) in pairwise(frames):
        if np.abs(after.astype(np.int16) - before).mean() > _CUT:
            found.add(time)
    return sorted(found)

"""Small pictures of a video, for the strips around both ends."""

import io
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from skipintro.video.container import VideoError
from skipintro.video.isolated_decode import frames_between
from skipintro.video.scaling import Picture

_HEIGHT = 90  # px
_GAP_S = 5.0  # between two times that are still read in one go


def small_pictures(path: Path, seconds: Sequence[float], n_seconds: int) -> list[bytes | None]:
    """Return the picture on screen at each time as JPEG; None from `n_seconds` on.

    Neighbours are read in one go: to seek for each would decode the frames from the key frame
    before them again and again. None also where decoding fails. Raises VideoError where there is
    no picture at all.
    """
    found: dict[float, bytes] = {}
    fault: VideoError | None = None
    for run in _runs(sorted({second for second in seconds if second < n_seconds})):
        try:
            found.update((second, _jpeg(picture)) for second, picture in _shown_at(path, run))
        except VideoError as error:
            fault = error
    if fault is not None and not found:
        raise fault
    return [found.get(second) for second in seconds]


def _runs(seconds: Sequence[float]) -> list[list[float]]:
    """Cut rising times where the gap is wide."""
    runs: list[list[float]] = []
    for second in seconds:
        if runs and second - runs[-1][-1] <= _GAP_S:
            runs[-1].append(second)
        else:
            runs.append([second])
    return runs


def _shown_at(path: Path, run: Sequence[float]) -> Iterator[tuple[float, Picture]]:
    """Yield rising times with their pictures; the last one stays on screen."""
    waiting, shown = deque(run), None
    for since, picture in frames_between(path, run[0], run[-1] + 0.001, height=_HEIGHT):
        while shown is not None and waiting and waiting[0] < since:
            yield waiting.popleft(), shown
        shown = picture
    if shown is not None:
        yield from ((second, shown) for second in waiting)


def _jpeg(picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG")
    return file.getvalue()

"""Finds the videos of the user's paths, and the series they make."""

import bisect
import errno
import glob
import logging
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from skipintro.core.errors import InputError, one_line
from skipintro.core.files import describe_os_error
from skipintro.episodes.naming import series_of_files
from skipintro.library.extras import is_extra
from skipintro.sidecars.result import is_muxed

SUFFIXES = {
    ".3g2",
    ".3gp",
    ".asf",
    ".avi",
    ".divx",
    ".dv",
    ".f4v",
    ".flv",
    ".m1v",
    ".m2t",
    ".m2ts",
    ".m2v",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpe",
    ".mpeg",
    ".mpg",
    ".mts",
    ".mxf",
    ".nut",
    ".ogg",
    ".ogm",
    ".ogv",
    ".rm",
    ".rmvb",
    ".ts",
    ".vob",
    ".webm",
    ".wmv",
    ".wtv",
}
# How the first page of an Ogg stream of pictures begins: Theora, Dirac, VP8, and what OGM holds.
# https://wiki.xiph.org/MIMETypesCodecs
_OGG_PICTURES = (b"\x80theora", b"BBCD\0", b"OVP80", b"\x01video")
_OGG_PAGES = 4096  # bytes, in which the first pages of all streams stand
_NUMBER = re.compile(r"(\d+)")

_NOWHERE = os.strerror(errno.ENOENT)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Series:
    """The videos of one series in the order of their names, and which of them were requested."""

    name: str
    videos: tuple[Path, ...]
    asked: frozenset[Path]


def _any(_path: Path) -> None:
    """Let every path pass."""


def find_series(
    places: Sequence[Path], n_beside: int, check: Callable[[Path], None] = _any
) -> list[Series]:
    """Return the series of the videos meant by files, folders and patterns.

    A folder is walked, links included; what is hidden, and trailers, samples and such, are passed
    over. A file that is given by itself, whatever it is called, brings up to `n_beside` episodes of
    its series along nearest to it in its folder: they are looked at, since they help, but
    not requested. One file under two names counts once. `check` may raise at any folder before it
    is walked, and at any video. Raises InputError where a place does not exist.
    """
    requested: dict[str, Path] = {}
    single = []
    for place in places:
        for path in _matches(place):
            if path.is_dir():
                found = list(_walk(path, check))
            else:
                found = [path]
                single.append(path)
            for video in found:
                requested.setdefault(os.path.realpath(video), video)
    nearby = {os.path.realpath(video): video for video in _beside(single, n_beside)}
    groups = defaultdict(list)
    videos = list((nearby | requested).values())
    for video in videos:
        check(video)
    for name, video in zip(series_of_files(videos), videos, strict=True):
        groups[name].append(video)
    chosen = frozenset(requested.values())
    return [
        Series(name, tuple(sorted(videos, key=_natural)), chosen & frozenset(videos))
        for name, videos in sorted(groups.items())
    ]


def series_in(folder: Path, given: Collection[Path]) -> dict[Path, str]:
    """Return the videos of a folder with their series, in order; the `given` ones always.

    Raises OSError where the folder cannot be read.
    """
    there = (path for path in folder.iterdir() if _is_video(path) and not is_extra(path, folder))
    videos = sorted({*there, *given}, key=_natural)
    return dict(zip(videos, series_of_files(videos), strict=True))


def _matches(place: Path) -> list[Path]:
    if place.exists():
        return [place]
    found: list[str] = []
    if glob.has_magic(str(place)):  # a shell that leaves patterns alone
        found = glob.glob(str(place), recursive=True)  # noqa: PTH207  of any place, absolute too
    if not found:
        raise InputError(f"{place}: no such file or folder, and no pattern that fits any")
    paths = [Path(name) for name in sorted(found)]
    return [path for path in paths if path.is_dir() or _is_video(path)]


def _walk(folder: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    seen = set()
    for place, folders, files in os.walk(folder, onerror=_tell, followlinks=True):
        check(Path(place))
        if (real := os.path.realpath(place)) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(place, name) for name in sorted(files)):
            if _is_video(path) and not is_extra(path, folder):
                yield path
            elif path.suffix.lower() in SUFFIXES and path.is_symlink() and not path.exists():
                log.warning("passed over: %s: %s (a broken link)", one_line(str(path)), _NOWHERE)


def _tell(error: OSError) -> None:
    log.warning("passed over: %s", one_line(describe_os_error(error)))


def _beside(videos: Sequence[Path], n_most: int) -> Iterator[Path]:
    """Yield the episodes of the same series in each file's folder nearest to it.

    A folder is read once, however many of its files are given.
    """
    by_folder = defaultdict(list)
    for video in videos:
        by_folder[video.parent].append(video)
    for folder, given in by_folder.items():
        names = series_in(folder, given)
        series = defaultdict(list)
        for path, name in names.items():
            series[name].append(path)
        for video in given:
            yield from _nearest(video, series[names[video]], n_most)


def _nearest(video: Path, ordered: Sequence[Path], n_most: int) -> list[Path]:
    """Return those of the ordered paths nearest to a video, itself left out."""
    own = bisect.bisect_left(ordered, _natural(video), key=_natural)
    before = ordered[max(0, own - n_most) : own]
    after = [path for path in ordered[own : own + n_most + 1] if path != video]
    near = [*enumerate(reversed(before)), *enumerate(after)]
    return [path for _, path in sorted(near, key=lambda each: each[0])][:n_most]


def _is_video(path: Path) -> bool:
    suffix = path.suffix.lower()
    if path.name.startswith(".") or suffix not in SUFFIXES or not path.is_file():
        return False
    return not is_muxed(path) and (suffix != ".ogg" or _shows_pictures(path))


def _shows_pictures(path: Path) -> bool:
    """Return whether an Ogg file is a video: most of those that are called `.ogg` are music."""
    try:
        with path.open("rb") as file:
            pages = file.read(_OGG_PAGES)
    except OSError:
        return True  # its row will name the fault
    return any(begin in pages for begin in _OGG_PICTURES)


def _natural(path: Path) -> list[str | int]:
    """Order E2 before E10; text and numbers stand by turns."""
    parts = _NUMBER.split(str(path).casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]

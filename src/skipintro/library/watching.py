"""Tells which videos of a library are new or changed, once they have stopped growing."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from watchfiles import Change, watch
from watchfiles.main import FileChange

from skipintro.core.errors import InputError
from skipintro.library.discovery import SUFFIXES, Series
from skipintro.library.settling import Settling
from skipintro.library.shelf import NAME

_TICK_MS = 250  # between two looks at files that grow
_POLL_MS = 5000


@dataclass(frozen=True)
class Turn:
    """What is to be looked at now. Files stand with all links resolved."""

    changed: frozenset[Path]
    growing: frozenset[Path]  # not to be looked at yet
    is_everything: bool = False

    def after(self, failed: "Turn | None") -> "Turn":
        """Return the turn with what an earlier one that came to nothing was of."""
        if failed is None:
            return self
        everything = self.is_everything or failed.is_everything
        return Turn(self.changed | failed.changed, self.growing, everything)

    def affected(self, groups: Iterable[Series]) -> list[Series]:
        """Return the series in which something has changed, without the videos that still grow."""
        found = []
        for group in groups:
            real = {video: Path(os.path.realpath(video)) for video in group.videos}
            whole = tuple(video for video in group.videos if real[video] not in self.growing)
            videos = group.asked.intersection(whole)
            if videos and (self.is_everything or self.changed & {real[each] for each in videos}):
                found.append(replace(group, videos=whole, asked=videos))
        return found


def turns(places: Sequence[Path], *, settle_s: float, poll: bool) -> Iterator[Turn]:
    """Yield a turn for everything, and then one for each time that videos have settled.

    What happens while a turn is worked on is in the next one. `poll` looks through the folders
    now and then, instead of events of the system. Raises InputError where they cannot be
    watched.
    """
    settling, is_first = Settling(settle_s), True
    events = watch(
        *places,
        watch_filter=None,
        debounce=4 * _TICK_MS,
        rust_timeout=_TICK_MS,
        yield_on_timeout=True,
        force_polling=poll or None,
        poll_delay_ms=_POLL_MS,
        ignore_permission_denied=True,
    )
    for changes in _reported(events, places):
        now = time.monotonic()
        settling.note(_videos(places, changes), now)
        if is_first:
            settling.note(_recent(places, settle_s), now)
        settled = settling.settled(now)
        if is_first or settled:
            yield Turn(settled, settling.growing, is_everything=is_first)
        is_first = False


def _reported(
    events: Iterator[set[FileChange]], places: Sequence[Path]
) -> Iterator[set[FileChange]]:
    """Yield the events; where there can be none is a fault of the input."""
    try:
        yield from events
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{', '.join(map(str, places))}: cannot be watched ({error}); look whether they are "
            "there, raise fs.inotify.max_user_watches, or give --poll"
        ) from error


def _videos(places: Sequence[Path], changes: Iterable[FileChange]) -> Iterator[Path]:
    """Yield what may be a video among changed files, in new folders and below settings."""
    for change, name in changes:
        path = Path(name)
        if _is_hidden(path, places):
            continue
        if path.name == NAME:
            yield from _below(path.parent)
        elif path.is_dir():  # what was in a new one before it was watched is reported by nobody
            yield from _below(path) if change is Change.added else ()
        elif path.suffix.lower() in SUFFIXES:
            yield Path(os.path.realpath(path))


def _is_hidden(path: Path, places: Sequence[Path]) -> bool:
    """Return whether a file is in a hidden folder below a place, as drafts do."""
    below = next((path.relative_to(each) for each in places if path.is_relative_to(each)), path)
    return any(part.startswith(".") for part in below.parts)


def _below(folder: Path) -> Iterator[Path]:
    """Yield what may be a video in a folder; the series of a turn say which of them are."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(place, name) for name in files):
            if path.suffix.lower() in SUFFIXES:
                yield Path(os.path.realpath(path))


def _recent(places: Sequence[Path], settle_s: float) -> Iterator[Path]:
    """Yield the videos that may be growing right now."""
    for place in places:
        for video in _below(place):
            try:
                age_s = time.time() - video.stat().st_mtime
            except OSError:
                continue
            if age_s < settle_s:
                yield video

"""Puts sidecars beside videos: whole or not at all, and never over what someone else wrote."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from skipintro.core.errors import InputError
from skipintro.core.files import atomic_write, describe_os_error, remove_stale, sha256_of_file
from skipintro.library.cache import Cache, CacheUnusableError, stamp_of
from skipintro.library.enums import Kind
from skipintro.sidecars import chapters, edl, labels, segments
from skipintro.sidecars.result import Finding
from skipintro.sidecars.result import muxed_place as mux_place

_PLACES: dict[Kind, Callable[[Path], Path]] = {
    Kind.EDL: edl.path_for,
    Kind.CHAPTERS: chapters.path_for,
    Kind.SEGMENTS: segments.path_for,
    Kind.JSON: labels.path_for,
}


@dataclass
class Written:
    """What became of the sidecars of a run."""

    made: int = 0
    removed: int = 0  # of ours, where there is no intro any more
    in_place: int = 0
    kept: list[Path] = field(default_factory=list)  # of someone else
    shared: list[Path] = field(default_factory=list)  # of a video of the same name
    faults: list[str] = field(default_factory=list)


class Writer:
    """Writes sidecars. A file that is there stays, unless it is as an earlier run wrote it."""

    def __init__(self, cache: Cache, *, overwrite: bool, edl_action: int) -> None:
        self._cache, self._overwrite, self._edl_action = cache, overwrite, edl_action
        self._claimed: set[Path] = set()
        self._swept: set[Path] = set()
        self._lock = FileLock(cache.folder / "sidecars.lock")  # two runs over one library
        self.written = Written()

    def write(self, finding: Finding, kinds: list[Kind], *, mux: bool) -> None:
        """Write the requested files of one video; a fault is collected and the others go on."""
        for kind in kinds:
            self._guarded(partial(self._sidecar, finding, kind), _PLACES[kind](finding.video))
        if mux:
            self._guarded(partial(self._copy, finding), mux_place(finding.video))

    def withdraw(self, video: Path, kinds: list[Kind], *, mux: bool) -> None:
        """Remove what earlier runs have written beside a video, if it is as they left it."""
        for place in [
            *(_PLACES[kind](video) for kind in kinds),
            *([mux_place(video)] if mux else []),
        ]:
            self._guarded(partial(self._remove, place), place)

    def _remove(self, place: Path) -> None:
        if not place.exists():
            return
        stamps = [known[0] for known in self._ours(place) if isinstance(known, list)]
        if _stamp(place) in stamps or sha256_of_file(place) in self._ours(place):
            place.unlink()
            self.written.removed += 1
        else:
            self.written.kept.append(place)

    def _guarded(self, write: Callable[[], None], place: Path) -> None:
        if place in self._claimed:  # two videos of one name, .mkv and .mp4: the first one's stays
            self.written.shared.append(place)
            return
        self._claimed.add(place)
        if place.parent not in self._swept:
            remove_stale(place.parent)
            self._swept.add(place.parent)
        try:
            with self._lock:
                _check_place(place)
                write()
        except CacheUnusableError:
            raise
        except InputError as error:
            self.written.faults.append(str(error))
        except OSError as error:
            self.written.faults.append(describe_os_error(error))

    def _sidecar(self, finding: Finding, kind: Kind) -> None:
        place = _PLACES[kind](finding.video)
        content = self._text(finding, kind)
        before = place.read_bytes() if place.exists() else None
        now = None if before is None else hashlib.sha256(before).hexdigest()
        if before == content:
            self.written.in_place += before is not None
        elif not self._may_change(now, self._ours(place)):
            self.written.kept.append(place)
        elif content is None:
            place.unlink()
            self.written.removed += 1
        else:
            digest = hashlib.sha256(content).hexdigest()
            with self._replacing(place, lambda _: digest) as draft:
                draft.write_bytes(content)
            self.written.made += 1

    def _text(self, finding: Finding, kind: Kind) -> bytes | None:
        if kind is Kind.EDL:
            text = edl.text(finding, self._edl_action)
        elif kind is Kind.CHAPTERS:
            text = chapters.text(finding)
        elif kind is Kind.SEGMENTS:
            text = segments.text(finding)
        else:
            text = labels.text(finding)
        return None if text is None else text.encode()

    def _copy(self, finding: Finding) -> None:
        place = mux_place(finding.video)
        first, further = finding.interval, map(list, finding.further)
        recipe = [*stamp_of(finding.video), first and [*first], *further]
        stamp = _stamp(place)
        known = self._ours(place)
        if [stamp, recipe] in known:
            self.written.in_place += 1
        elif stamp is None and finding.interval is None:
            return
        elif not self._may_change(stamp, [copy[0] for copy in known]):
            self.written.kept.append(place)
        elif finding.interval is None:
            place.unlink()
            self.written.removed += 1
        else:
            from skipintro.sidecars.mux import write_copy  # noqa: PLC0415  loads FFmpeg

            with self._replacing(place, lambda draft: [stamp_of(draft), recipe]) as draft:
                write_copy(finding, draft)
            self.written.made += 1

    def _may_change(self, now: Any, ours: list[Any]) -> bool:
        """Return whether a file is not there, is ours and unchanged, or may be overwritten."""
        return now is None or self._overwrite or now in ours

    def _ours(self, place: Path) -> list[Any]:
        """Return what the last runs have written there, or were to write when they were killed."""
        known = (self._cache.get(kind, str(place.absolute())) for kind in ("written", "writing"))
        return [one for one in known if one is not None]

    @contextmanager
    def _replacing(self, place: Path, known_by: Callable[[Path], Any]) -> Iterator[Path]:
        """Yield a draft that becomes `place`, recorded as ours at every moment."""
        with atomic_write(place) as draft:
            yield draft
            ours = known_by(draft)
            self._cache.put("writing", str(place.absolute()), ours)
        self._cache.put("written", str(place.absolute()), ours)


def _check_place(place: Path) -> None:
    """Raise InputError where something else than a file stands, which is nobody's to replace."""
    if os.path.lexists(place) and not place.is_file():
        raise InputError(
            f"{place}: no file but a folder, a pipe or a link that leads nowhere; move it away"
        )


def _stamp(path: Path) -> list[int] | None:
    return stamp_of(path) if path.exists() else None

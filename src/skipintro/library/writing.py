"""Puts sidecars beside videos: whole or not at all, and never over what someone else wrote."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error, replacing
from skipintro.library.choices import Kind
from skipintro.library.memory import Memory, stamp_of
from skipintro.sidecars import chapters, edl, labels, segments
from skipintro.sidecars.finding import Finding
from skipintro.sidecars.finding import muxed_place as mux_place

_PLACES: dict[Kind, Callable[[Path], Path]] = {
    Kind.EDL: edl.place,
    Kind.CHAPTERS: chapters.place,
    Kind.SEGMENTS: segments.place,
    Kind.JSON: labels.place,
}


@dataclass
class Written:
    """What became of the sidecars of a run."""

    made: int = 0
    removed: int = 0  # of ours, where there is no intro any more
    in_place: int = 0
    kept: list[Path] = field(default_factory=list)  # of someone else
    faults: list[str] = field(default_factory=list)


class Writer:
    """Writes sidecars. A file that is there stays, unless it is as an earlier run wrote it."""

    def __init__(self, memory: Memory, *, overwrite: bool, edl_action: int) -> None:
        self._memory, self._overwrite, self._edl_action = memory, overwrite, edl_action
        self._claimed: set[Path] = set()
        self.written = Written()

    def write(self, finding: Finding, kinds: list[Kind], *, mux: bool) -> None:
        """Write what is asked for of one video; a fault is kept and the others go on."""
        for kind in kinds:
            self._guarded(partial(self._sidecar, finding, kind), _PLACES[kind](finding.video))
        if mux:
            self._guarded(partial(self._copy, finding), mux_place(finding.video))

    def _guarded(self, write: Callable[[], None], place: Path) -> None:
        if place in self._claimed:  # two videos of one name, .mkv and .mp4: the first one's stays
            self.written.kept.append(place)
            return
        self._claimed.add(place)
        try:
            _check_place(place)
            write()
        except InputError as error:
            self.written.faults.append(str(error))
        except OSError as error:
            self.written.faults.append(describe_os_error(error))

    def _sidecar(self, finding: Finding, kind: Kind) -> None:
        place = _PLACES[kind](finding.video)
        wanted = self._text(finding, kind)
        before = place.read_bytes() if place.exists() else None
        if before == wanted:
            self.written.in_place += before is not None
        elif not self._may_change(place, before and hashlib.sha256(before).hexdigest()):
            self.written.kept.append(place)
        elif wanted is None:
            place.unlink()
            self.written.removed += 1
        else:
            with replacing(place) as draft:
                draft.write_bytes(wanted)
            self.written.made += 1
            self._remember(place, hashlib.sha256(wanted).hexdigest())

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
        recipe = [*stamp_of(finding.video), finding.interval and [*finding.interval]]
        stamp = _stamp(place)
        known = self._memory.get("written", str(place.absolute()))
        if stamp is not None and known == [stamp, recipe]:
            self.written.in_place += 1
        elif stamp is None and finding.interval is None:
            return
        elif not self._may_change(place, stamp, known and known[0]):
            self.written.kept.append(place)
        elif finding.interval is None:
            place.unlink()
            self.written.removed += 1
        else:
            from skipintro.sidecars.mux import write_copy  # noqa: PLC0415  loads FFmpeg

            write_copy(finding, finding.interval)
            self.written.made += 1
            self._remember(place, [_stamp(place), recipe])

    def _may_change(self, place: Path, now: Any, known: Any = None) -> bool:
        """Tell whether a file is not there, is ours and unchanged, or may be overwritten."""
        if now is None or self._overwrite:
            return True
        if known is None:
            known = self._memory.get("written", str(place.absolute()))
        return bool(known == now)

    def _remember(self, place: Path, value: Any) -> None:
        self._memory.put("written", str(place.absolute()), value)


def _check_place(place: Path) -> None:
    """Raise InputError where something else than a file stands, which is nobody's to replace."""
    if os.path.lexists(place) and not place.is_file():
        raise InputError(
            f"{place}: no file but a folder, a pipe or a link that leads nowhere; move it away"
        )


def _stamp(path: Path) -> list[int] | None:
    return stamp_of(path) if path.exists() else None

"""Which doubts are still open, and in which order they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from skipintro.episodes.annotations import CorrectionRule, Override
from skipintro.review.decisions import Decision, entry_of
from skipintro.review.label_issues import Doubt
from skipintro.review.overrides import Entry, OverridesFile
from skipintro.service.http_errors import RefusalError


@dataclass(frozen=True)
class _Made:
    """A decision made here, and the entry of the file before it."""

    id: str
    before: Entry | None
    override: Override | None


class Queue:
    """The doubts of one session. Decisions are in the file alone, so that none is lost."""

    def __init__(self, doubts: Sequence[Doubt], file: OverridesFile, rule: CorrectionRule) -> None:
        self.file, self._rule = file, rule
        self._doubts = {doubt.id: doubt for doubt in doubts}
        self._order = list(self._doubts)
        self._at_first = file.read()
        self._done: set[str] = set()
        self._skipped: set[str] = set()
        self._made: list[_Made] = []
        self._mutex = Lock()

    @property
    def n_decided(self) -> int:
        """How many episodes were decided here."""
        return len({made.id for made in self._made})

    def doubt(self, id_: str) -> Doubt:
        """Return a doubt. Raises RefusalError (404) where there is none of this id."""
        if id_ not in self._doubts:
            raise RefusalError(404, f"{id_!r:.300}: no label in doubt here; load the page again")
        return self._doubts[id_]

    def decide(self, decision: Decision) -> None:
        """Write what was decided, or take the last decision of an id back. Raises RefusalError."""
        doubt = self.doubt(decision.id)
        with self._mutex:
            if decision.kind == "undo":
                self._undo(decision)
            elif decision.kind == "skip":
                self._skipped.add(doubt.id)
                self._move(doubt.id, len(self._order))
            else:
                entry = entry_of(decision, doubt, self._rule)
                before = self.file.put(doubt.id, entry, decision.seen)
                self._made.append(_Made(doubt.id, before, self.file.read().get(doubt.id)))
                self._done.add(doubt.id)

    def _undo(self, decision: Decision) -> None:
        """Restore the entry before it; of an entry that was not made here, that is nothing.

        What was made here and edited since stays.
        """
        id_ = decision.id
        if decision.seen is None:
            if id_ not in self.file.read():  # removed by hand since: it is open again
                self._made = [made for made in self._made if made.id != id_]
                self._done.discard(id_)
            raise RefusalError(409, f"{id_}: nothing is decided; there is nothing to take back")
        last = next((made for made in reversed(self._made) if made.id == id_), None)
        if last is not None and last.override != decision.seen:
            self._made.remove(last)
            raise RefusalError(409, f"{id_}: was edited since; it stays as it is")
        self.file.put(id_, None if last is None else last.before, decision.seen)
        if last is not None:
            self._made.remove(last)
        self._done.discard(id_)
        self._at_first.pop(id_, None)
        if (now := self.file.read().get(id_)) is not None:
            self._at_first[id_] = now
        self._skipped.discard(id_)
        self._move(id_, 0)

    def _move(self, id_: str, place: int) -> None:
        self._order.remove(id_)
        self._order.insert(place, id_)

    def state(self) -> dict[str, Any]:
        """Return every doubt in order, whether it is open, and what the file says of it now.

        A doubt is closed when it was decided here, or when somebody edited its entry meanwhile.
        """
        with self._mutex:
            overrides = self.file.read()
            doubts = []
            for id_ in self._order:
                override = overrides.get(id_)
                is_open = override is None or (
                    id_ not in self._done and override == self._at_first.get(id_)
                )
                doubts.append(
                    self._doubts[id_].model_dump(mode="json", exclude={"video"})
                    | {
                        "open": is_open,
                        "skipped": is_open and id_ in self._skipped,
                        "decision": None if override is None else override.model_dump(),
                    }
                )
            last = self._made[-1].id if self._made else None
            return {"overrides": str(self.file.path), "last": last, "doubts": doubts}

"""Which files have stopped growing: their size and time have been the same for a while."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from skipintro.library.cache import stamp_of


@dataclass
class Settling:
    """Files that change, and since when each one has not.

    Times are seconds of any clock that never goes back.
    """

    settle_s: float
    _waiting: dict[Path, tuple[list[int] | None, float]] = field(default_factory=dict)

    def note(self, files: Iterable[Path], now: float) -> None:
        """Wait for these from now on, also where they were waited for before."""
        self._waiting |= {file: (_stamp(file), now) for file in files}

    def settled(self, now: float) -> frozenset[Path]:
        """Return the files unchanged for so long, once each; forget those that are gone.

        As long as one still changes, it begins again.
        """
        done = set()
        for file, (before, since) in list(self._waiting.items()):
            stamp = _stamp(file)
            if stamp is None:
                del self._waiting[file]
            elif stamp != before:
                self._waiting[file] = stamp, now
            elif now - since >= self.settle_s:
                del self._waiting[file]
                done.add(file)
        return frozenset(done)

    @property
    def growing(self) -> frozenset[Path]:
        """The files that are waited for."""
        return frozenset(self._waiting)


def _stamp(file: Path) -> list[int] | None:
    try:
        return stamp_of(file)
    except OSError:
        return None

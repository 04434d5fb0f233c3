"""The overrides file, written entry by entry; others may edit it meanwhile."""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from skipintro.core.files import atomic_write, remove_stale
from skipintro.episodes.annotations import Override, read_overrides
from skipintro.episodes.labels import read_json_object
from skipintro.service.http_errors import RefusalError

Entry = dict[str, Any]  # start, end and reason, as in the file


class OverridesFile:
    """The file that the annotate stage reads.

    Every method raises InputError where the file is missing or broken, and then leaves it alone.
    A link is replaced by a file, so that DVC's cache stays as it is if it leads there.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        self.path, self._lock = path, lock
        remove_stale(path.parent)

    def read(self) -> dict[str, Override]:
        """Return all entries."""
        return read_overrides(self.path)

    def put(self, id_: str, entry: Entry | None, seen: Override | None) -> Entry | None:
        """Write one entry, or remove it, and return the entry before it.

        All others stay as they are now. Raises RefusalError (409) where the entry is not as it
        was seen.
        """
        with FileLock(self._lock):
            if self.read().get(id_) != seen:
                raise RefusalError(
                    409, f"{self.path}: {id_}: was changed meanwhile; look again, then decide"
                )
            entries = read_json_object(self.path, "bring it back")
            before = entries.get(id_)
            if entry is None:
                entries.pop(id_, None)
            else:
                entries[id_] = entry
            self._write(entries)
            return before

    def _write(self, entries: dict[str, Any]) -> None:
        with atomic_write(self.path) as draft:
            with draft.open("w", encoding="utf-8") as file:
                file.write(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            read_overrides(draft)

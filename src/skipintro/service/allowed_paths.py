"""Which paths a client may name: those really below a root, links followed."""

import os
from collections.abc import Sequence
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.service.http_errors import RefusalError


class Roots:
    """The folders that are served. Raises InputError where one is no folder."""

    def __init__(self, folders: Sequence[Path]) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise InputError(f"--root {folder}: no such folder; correct it")
        self._real = [Path(os.path.realpath(folder)) for folder in folders]

    def admit(self, text: str) -> Path:
        """Return the path of a file or folder below a root.

        Raises RefusalError; outside of the roots, the same whether there is anything or not.
        """
        path = Path(text)
        if "\0" in text or not path.is_absolute() or ".." in path.parts:
            raise RefusalError(
                400, f"{text!r:.300}: expected an absolute path without '..' and NUL"
            )
        try:
            self.check(path)
            there = path.is_dir() or path.is_file()  # a pipe would never end
        except (OSError, ValueError) as error:  # too long, or half a surrogate pair
            raise RefusalError(400, f"{text!r:.300}: no name of a file; correct it") from error
        if not there:
            raise RefusalError(404, f"{text!r:.300}: no such file or folder; correct the path")
        return path

    def check(self, path: Path) -> None:
        """Raise RefusalError unless the path is below a root."""
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(root) for root in self._real):
            raise RefusalError(
                403, f"{str(path)!r:.300}: outside of what is served; name a path below a --root"
            )

"""What earlier runs have found out, in the user's cache folder and never in the library.

Everything carries its hash, so that what a disk has damaged is computed again and never used.

Reads and writes  <folder>/results.sqlite: small values as JSON, by kind and key
                  <folder>/vectors/<encoder>/<sha256 of the video>.npy
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file


def default_folder() -> Path:
    """Return the place in the user's cache folder."""
    return Path(platformdirs.user_cache_dir("skipintro", appauthor=False))


class CacheUnusableError(InputError):
    """The file of the cache is broken, or has no room: no fault of any video."""


class Cache:
    """Values by kind and key. Each is stored at once, so that a run that is cut short loses none.

    Everything raises CacheUnusableError.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._path = folder / "results.sqlite"
        with self._reporting():
            self._values = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            self._values.execute("PRAGMA synchronous = OFF")  # a cache; a rerun finds it all again
            self._values.execute(
                "CREATE TABLE IF NOT EXISTS results "
                "(kind TEXT, key TEXT, value TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )

    def get(self, kind: str, key: str) -> Any:
        """Return the value, None where there is none."""
        with self._reporting():
            row = self._values.execute(
                "SELECT value FROM results WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        sum_, _, text = str(row[0] if row else "").partition(" ")
        return json.loads(text) if row and sum_ == _sum(kind, key, text) else None

    def put(self, kind: str, key: str, value: Any) -> None:
        """Store a value: any JSON value."""
        text = json.dumps(value)
        with self._reporting():
            self._values.execute(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?)",
                (kind, key, f"{_sum(kind, key, text)} {text}"),
            )

    def close(self) -> None:
        """End the use of the file."""
        self._values.close()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            remedy = "free some space" if code == sqlite3.SQLITE_FULL else "delete it"
            raise CacheUnusableError(
                f"{self._path}: cannot be used ({error}); {remedy}, or choose another --cache"
            ) from error


def _sum(kind: str, key: str, text: str) -> str:
    return hashlib.sha256(f"{kind} {key} {text}".encode()).hexdigest()


def content_of(path: Path, cache: Cache) -> str:
    """Return a file's sha256; it is read again only where its size or time has changed.

    Raises OSError where it cannot be read, InputError where it is being written or has a name
    that is no text.
    """
    key = os.path.realpath(path)
    if not _is_text(f"{path.absolute()}{key}"):
        raise InputError(f"{path}: its name, or a folder's, is not UTF-8; rename it")
    before = stamp_of(path)
    known = cache.get("file", key)
    if known is not None and known[:2] == before:
        return str(known[2])
    sha256 = sha256_of_file(path)
    if stamp_of(path) != before:
        raise InputError(f"{path}: changes while it is read; run again when it is whole")
    cache.put("file", key, [*before, sha256])
    return sha256


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def stamp_of(path: Path) -> list[int]:
    """Return size and time, which show a changed file without reading it. Raises OSError."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]

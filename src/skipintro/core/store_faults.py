"""What may be shown of the fault of a tracking store, and what helps against it."""

import sqlite3

_MOVE_AWAY = (
    "put a copy of it back, or move it away and run `dvc repro --force track` for a new one"
)
_REMEDIES = {  # of what SQLite says, by its code
    sqlite3.SQLITE_BUSY: "end what holds it",
    sqlite3.SQLITE_CORRUPT: _MOVE_AWAY,
    sqlite3.SQLITE_ERROR: _MOVE_AWAY,  # tables that are not as they are to be
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_NOTADB: _MOVE_AWAY,
    sqlite3.SQLITE_READONLY: "give yourself the right to write it",
}


def store_fault(error: BaseException, remedy: str) -> tuple[str, str]:
    """Return a store's fault in words that hold no credentials, and its remedy, else the usual one.

    The words are SQLite's own, which hold no address, or the name of the error.
    """
    if isinstance(error, ImportError):
        return f"MLflow lacks a driver for it: {error.name}", "install it"
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error):
        cause = cause.__cause__
    if cause is None:
        return type(error).__name__, remedy
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the rest is a kind of it
    return str(cause), _REMEDIES.get(code, remedy)

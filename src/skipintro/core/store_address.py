"""Where the MLflow store is, found without loading MLflow.

The store is `MLFLOW_TRACKING_URI` where that is set, else `mlflow.db` beside `dvc.yaml` of the
main workspace, also for experiments that DVC runs in a temporary folder.
"""

import os
from pathlib import Path

from skipintro.core.errors import InputError

_SQLITE = "sqlite:///"  # what follows is a path, and options behind a "?"


class NotRegisteredError(InputError):
    """The store responds, and has no such model."""


def workspace() -> Path:
    """Return the root of the main workspace, absolute: DVC's where it runs us, else this folder."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def tracking_uri() -> str:
    """Return the URI of the store; a relative file is one of the main workspace."""
    return named_uri(workspace()) or default_uri(workspace())


def named_uri(folder: Path) -> str | None:
    """Return what `MLFLOW_TRACKING_URI` names, or None; a relative file is in `folder`."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri or (file := file_of(uri)) is None or file.is_absolute() or str(file) == ":memory:":
        return uri or None
    _, mark, options = uri.partition("?")
    return f"{uri_of(folder / file)}{mark}{options}"


def default_uri(checkout: Path) -> str:
    """Return the URI of a checkout's own store."""
    return uri_of(checkout / "mlflow.db")


def uri_of(file: Path) -> str:
    """Return the URI of the store that a file is."""
    return f"{_SQLITE}{file}"


def file_of(uri: str) -> Path | None:
    """Return the file that a store is, None where it is a server."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(uri.removeprefix(_SQLITE).partition("?")[0])


def is_missing(uri: str) -> bool:
    """Return whether a store is a file that was never made."""
    file = file_of(uri)
    return file is not None and not file.exists()


def without_credentials(uri: str) -> str:
    """Return a URI that may be shown: user, password and query are left out.

    Also where the password holds a `/`, which parsers of URIs take for the host's end.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark:
        scheme, rest = "", uri
    if not rest.startswith("/"):  # a file's path has no user, but may hold an @
        user, at, rest = rest.rpartition("@")
        if at and ("?" in user or "#" in user):  # who can say what is a password there
            rest = "…"
    return scheme + mark + rest.partition("?")[0].partition("#")[0]

"""Fetches a detector's folder from the registry; local stores are read in place."""

from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import mlflow
import yaml
from mlflow.tracking import MlflowClient

from skipintro.core.errors import InputError
from skipintro.core.files import atomic_write
from skipintro.core.store_address import NotRegisteredError, without_credentials
from skipintro.tracking.publish import MODEL_TAG
from skipintro.tracking.store import FAULTS, open_client

_UNKNOWN = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}  # MLflow's, of name and alias


class UnusableVersionError(InputError):
    """The store knows the model, but there is no detector where it should lie."""


def fetch(requested: str, uri: str, downloads: Path) -> tuple[Path, str, str]:
    """Return the folder of `models:/name@alias` or `models:/name/1`.

    And its title with the version, and the hash of all its files as it was registered, or an empty
    one. What lies on a server is downloaded once, into `downloads`. Raises InputError where the
    store does not answer or does not know it, UnusableVersionError where its files are gone or are
    no detector's.
    """
    try:
        source, title, sha256 = _source(requested, open_client(uri))
        address = urlparse(source)
        is_local = address.scheme in {"", "file"}
        model = Path(url2pathname(address.path)) if is_local else _downloaded(source, downloads)
    except (*FAULTS, ImportError, ValueError) as error:
        shown, fault = without_credentials(uri), type(error).__name__
        if shown == uri and str(error):  # else the words of MLflow hold what is not to be shown
            fault = str(error).splitlines()[0]
        is_unknown = getattr(error, "error_code", "") in _UNKNOWN
        kind = NotRegisteredError if is_unknown else InputError
        raise kind(f"{requested}: not found in {shown} ({fault})") from error
    try:
        described = yaml.safe_load((model / "MLmodel").read_text(encoding="utf-8"))
        artifact = described["flavors"]["python_function"]["artifacts"]["detector"]["path"]
    except OSError as error:
        raise UnusableVersionError(f"{requested}: {model} is gone or cannot be read") from error
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise UnusableVersionError(f"{requested}: no detector of this project") from error
    return model / artifact, title, sha256


def _source(requested: str, client: MlflowClient) -> tuple[str, str, str]:
    """Return the URI of the model's artifacts, its title, and its hash or an empty text."""
    name, _, number = requested.removeprefix("models:/").partition("/")
    name, at, alias = name.partition("@")
    version = (
        client.get_model_version_by_alias(name, alias)
        if at
        else client.get_model_version(name, number)
    )
    place = client.get_model_version_download_uri(name, version.version)
    if place.startswith("models:/m-"):
        place = client.get_logged_model(place.removeprefix("models:/")).artifact_location
    title = f"{requested} (version {version.version})" if at else requested
    return place, title, version.tags.get(MODEL_TAG, "")


def _downloaded(source: str, downloads: Path) -> Path:
    folder = downloads / urlparse(source).path.strip("/").replace("/", "_")
    if not folder.exists():
        with atomic_write(folder) as draft:
            draft.mkdir()
            mlflow.artifacts.download_artifacts(source, dst_path=str(draft))
    return next(found.parent for found in folder.rglob("MLmodel"))

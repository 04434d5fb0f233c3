"""Finds the model of `--model`, without loading it where possible."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from skipintro.core.errors import InputError
from skipintro.core.files import (
    read_model,
    remove_stale,
    sha256_of_file,
    sha256_of_json,
    temp_dir,
)
from skipintro.core.layout import EMBEDDED, FITTED, TRAINED
from skipintro.core.params import read_params_file
from skipintro.core.store_address import (
    NotRegisteredError,
    default_uri,
    file_of,
    is_missing,
    named_uri,
    without_credentials,
)
from skipintro.detection.kinds import DETECTION_FILE, FILES, identity_of, kind_of
from skipintro.detectors import SHIPPED
from skipintro.library.cache import Cache, content_of, stamp_of

if TYPE_CHECKING:
    from skipintro.episodes.embeddings import EmbeddingConfig

LAST_TRAINED = "last-trained"
USUAL_NAME = "intro-detector"  # in a registry that is used without a checkout
_OR_ELSE = "or leave both out for the detector that comes with skipintro"


@dataclass(frozen=True)
class Model:
    """A detector: what it is called, the hash of all its files, and how to get at its folder."""

    title: str
    identity: str
    opened: Callable[[], AbstractContextManager[Path]]


def find_model(requested: str | None, checkout: Path | None, cache: Cache) -> tuple[Model, str]:
    """Return the model, and a word of warning or an empty one.

    `requested` is a folder, `models:/name@alias`, `models:/name/version`, or `last-trained` for
    what the checkout has trained last. None stands for the champion, or, where there is no
    registry or it knows none, for the detector of the package. A registry that is named and does
    not result is a fault: another model in its place would go unseen.
    """
    if requested == LAST_TRAINED:
        return _last_trained(checkout, cache)
    if requested is not None and Path(requested).is_dir():
        return _in_folder(Path(requested), str(requested), cache), ""
    uri = _store(checkout)
    if requested is not None and not requested.startswith("models:/"):
        raise InputError(
            f"--model {requested}: no such folder; give a model's folder, "
            f"models:/{USUAL_NAME}@champion, models:/{USUAL_NAME}/<version> or {LAST_TRAINED}"
        )
    is_named = named_uri((checkout or Path()).absolute()) is not None
    if requested is None and not is_named and (uri is None or is_missing(uri)):
        return shipped(), ""
    if uri is None:
        raise InputError(f"--model {requested}: no registry here; set MLFLOW_TRACKING_URI")
    name = requested or _champion(checkout)
    if is_missing(uri):
        raise InputError(
            f"--model {name}: no store at {without_credentials(uri)}; set "
            f"MLFLOW_TRACKING_URI to the right one, {_OR_ELSE}"
        )
    try:
        folder, title, registered = _registered(name, uri, cache)
    except NotRegisteredError:
        if requested is not None:
            raise
        return shipped(), ""
    return of_registry(folder, title, registered, cache), ""


def _champion(checkout: Path | None) -> str:
    """Return the champion's address: of the detector that the checkout registers, or the usual.

    Raises InputError where its `params.yaml` cannot be read.
    """
    track = {} if checkout is None else read_params_file(checkout / "params.yaml").get("track")
    name = track.get("detector", USUAL_NAME) if isinstance(track, dict) else USUAL_NAME
    return f"models:/{name}@champion"


def of_registry(folder: Path, title: str, sha256: str, cache: Cache) -> Model:
    """Return what `fetch` has found. Raises InputError where its files are not the registered ones.

    An empty hash is that of a model that was registered without one.
    """
    model = _in_folder(folder, title, cache)
    if sha256 and sha256 != model.identity:
        raise InputError(
            f"{folder}: its files are not those that were registered as {title} (sha256 "
            f"{model.identity[:12]}…, expected {sha256[:12]}…); restore them, or give another "
            "--model"
        )
    return model


def shipped() -> Model:
    """Return the detector that comes with the package."""
    identity = identity_of(SHIPPED)  # small, and its package may be replaced
    title = "the detector that comes with skipintro"
    return Model(title, identity, lambda: _unchanged(SHIPPED, identity))


def _in_folder(folder: Path, title: str, cache: Cache) -> Model:
    def known_hash(path: Path) -> str:  # the weights are held against it when they are loaded
        return sha256_of_file(path) if path.suffix == ".json" else content_of(path, cache)

    identity = identity_of(folder, known_hash)
    return Model(title, identity, lambda: _unchanged(folder, identity))


@contextmanager
def _unchanged(folder: Path, identity: str) -> Iterator[Path]:
    """Yield a folder that is still the one that was found."""
    if identity_of(folder) != identity:
        from skipintro.detection.folder import checked_config  # noqa: PLC0415  pydantic

        if kind_of(folder) == "head":
            checked_config(folder)  # names the file that is damaged, if that is why
        raise InputError(f"{folder}: its model was replaced meanwhile; start again for the new one")
    yield folder


def _store(checkout: Path | None) -> str | None:
    if uri := named_uri((checkout or Path()).absolute()):
        return uri
    return None if checkout is None else default_uri(checkout)


def _registered(requested: str, uri: str, cache: Cache) -> tuple[Path, str, str]:
    """Return folder, title and hash from the registry.

    The response of a store in a file holds while that file is the same.
    """
    stamp = _stamp_of_store(uri)
    known = cache.get("registered", f"{uri} {requested}")
    if stamp and known is not None and known[0] == stamp:
        if known[1] is None:
            raise NotRegisteredError(known[2])
        if _is_detector(Path(known[1])):
            return Path(known[1]), known[2], known[3]
    from skipintro.tracking.registry import fetch  # noqa: PLC0415  mlflow takes seconds

    try:
        folder, title, sha256 = fetch(requested, uri, cache.folder / "models")
    except NotRegisteredError as error:
        if stamp:
            cache.put("registered", f"{uri} {requested}", [stamp, None, str(error), ""])
        raise
    if stamp:  # else the address may hold a password, and nothing would show a change
        cache.put("registered", f"{uri} {requested}", [stamp, str(folder), title, sha256])
    return folder, title, sha256


def _stamp_of_store(uri: str) -> list[list[int]]:
    file = file_of(uri)
    if file is None:
        return []
    return [stamp_of(path) for path in (file, Path(f"{file}-wal")) if path.exists()]


def _last_trained(checkout: Path | None, cache: Cache) -> tuple[Model, str]:
    if checkout is None:
        raise InputError(_none_trained())
    title = f"last trained in {checkout}"
    warning = f"using the model that was trained last in {checkout}, which no gate has judged"
    if read_params_file(checkout / "params.yaml")["evaluate"]["detector"] == "openings":
        if not _is_detector(checkout / FITTED):
            raise InputError(_none_trained())
        return _in_folder(checkout / FITTED, title, cache), warning
    parts = [checkout / TRAINED / name for name in FILES["head"] if name != DETECTION_FILE]
    if not all(part.is_file() for part in parts):
        raise InputError(_none_trained())
    hashes = {part.name: content_of(part, cache) for part in parts}
    identity = _identity_of_trained(checkout, hashes)
    return Model(title, identity, lambda: _assembled(checkout, identity, cache.folder)), warning


def _none_trained() -> str:
    return (
        f"--model {LAST_TRAINED}: no trained one here; run `dvc repro` in a checkout, or leave "
        "it out: a detector comes with skipintro"
    )


def _is_detector(folder: Path) -> bool:
    try:
        kind_of(folder)
    except InputError:
        return False
    return True


def _identity_of_trained(checkout: Path, hashes: Mapping[str, str]) -> str:
    evaluated = read_params_file(checkout / "params.yaml")["evaluate"]
    embedding = _embedding_of(checkout).model_dump()
    return sha256_of_json({"files": hashes, "evaluate": evaluated, "embedding": embedding})


def _embedding_of(checkout: Path) -> "EmbeddingConfig":
    from skipintro.episodes.embeddings import EmbedManifest  # noqa: PLC0415  numpy

    return read_model(EmbedManifest, checkout / EMBEDDED / "manifest.json").embedding


@contextmanager
def _assembled(checkout: Path, identity: str, cache: Path) -> Iterator[Path]:
    """Yield a folder with the head that the checkout has trained last, if it is still that one."""
    from skipintro.core.params import load_params  # noqa: PLC0415
    from skipintro.detection.folder import HeadDetectorConfig, assemble  # noqa: PLC0415  numpy
    from skipintro.evaluation.params import EvaluationParams  # noqa: PLC0415  scikit-learn

    params = load_params(EvaluationParams, "evaluate", checkout / "params.yaml")
    config = HeadDetectorConfig(head=params.head(), embedding=_embedding_of(checkout))
    head, openings = checkout / TRAINED, checkout / FITTED
    remove_stale(cache)
    with temp_dir(cache) as folder:
        assemble(folder, "head", head=head, openings=openings, config=config)
        names = [name for name in FILES["head"] if name != DETECTION_FILE]
        hashes = {name: sha256_of_file(folder / name) for name in names}
        if _identity_of_trained(checkout, hashes) != identity:
            raise InputError(f"{checkout}: was trained again meanwhile; start again")
        yield folder

"""Reading, hashing and writing files so that a half-written one is never taken for whole."""

import errno
import hashlib
import json
import logging
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from skipintro.core.errors import InputError
from skipintro.core.processes import is_alive

M = TypeVar("M", bound=BaseModel)

SUMS_FILE = "SHA256SUMS"  # of a stage's output folder; `sha256sum -c` reads it, too
_SHA256_SIZE = 32  # bytes
_DRAFT = re.compile(r"\.draft\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)\.\w{8}\.partial")
_NO_ROOM = {errno.ENOSPC: "no space left", errno.EDQUOT: "the disk quota is used up"}

log = logging.getLogger(__name__)


def sha256_of_file(path: Path) -> str:
    """Hash of a file's bytes, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """Hash of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary file or folder name beside `path`, moved to `path` when the block succeeds.

    Whatever was at `path` stays until then; after an error nothing new is left.
    """
    try:
        work_dir = _make_work_dir(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    draft, before = work_dir / path.name, work_dir / "before"
    try:
        yield draft
        if draft.is_dir() and (path.is_dir() or path.is_symlink()):
            path.rename(before)  # a link itself; where it leads stays as it is
        draft.replace(path)
    except OSError as error:  # a full disk names no file; users know the final path alone
        error.filename = str(error.filename or draft).replace(str(draft), str(path))
        error.filename2 = str(error.filename2 or "").replace(str(draft), str(path)) or None
        raise
    finally:
        if os.path.lexists(before) and not os.path.lexists(path):
            before.rename(path)
        shutil.rmtree(work_dir, ignore_errors=True)


@contextmanager
def temp_dir(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; `remove_stale` removes those that a killed process left."""
    work_dir = _make_work_dir(folder)
    try:
        yield work_dir
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)


def _make_work_dir(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    prefix = f".draft.{_host()}-{os.getpid()}."
    return Path(tempfile.mkdtemp(prefix=prefix, suffix=".partial", dir=folder))


@contextmanager
def output_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it becomes `path`, whole, when the block succeeds."""
    remove_stale(path.parent)
    with atomic_write(path) as draft:
        draft.mkdir()
        yield draft


def remove_stale(folder: Path) -> None:
    """Remove the drafts that killed processes of this machine have left in a folder."""
    for left_behind in folder.glob(".draft.*"):
        draft = _DRAFT.fullmatch(left_behind.name)
        if draft and draft["host"] == _host() and not is_alive(int(draft["pid"])):
            shutil.rmtree(left_behind, ignore_errors=True)


def _host() -> str:
    """Identify this machine among those that share a folder: it sees its own processes alone."""
    return sha256_of_json(platform.node())[:8]


def append_sum(path: Path) -> None:
    """Put the hash of a file's content at its end, so that `is_intact` can detect damage."""
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        file.write(digest)


def is_intact(path: Path) -> bool:
    """Return whether a file exists and matches the hash at its end.

    Logs a warning for a damaged file: disks err, and the caller writes it again.
    """
    try:
        with path.open("rb") as file:
            left = os.fstat(file.fileno()).st_size - _SHA256_SIZE
            hashed = hashlib.sha256()
            while left > 0 and (block := file.read(min(left, 2**20))):
                hashed.update(block)
                left -= len(block)
            if left == 0 and file.read() == hashed.digest():
                return True
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("%s", describe_os_error(error))
        return False
    log.warning("%s: damaged, not as it was written; made again", path)
    return False


def write_checked(path: Path, content: bytes) -> None:
    """Write a file that `read_checked` reads; it appears whole."""
    with atomic_write(path) as draft:
        draft.write_bytes(content)
        append_sum(draft)


def read_checked(path: Path) -> bytes | None:
    """Return what `write_checked` wrote; None where it is missing or damaged."""
    return path.read_bytes()[:-_SHA256_SIZE] if is_intact(path) else None


def write_sums(folder: Path, pattern: str = "**/*") -> None:
    """Write the hashes of a folder's files into it, for `check_sums`."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    lines = [f"{sha256_of_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS_FILE).write_text("".join(lines), encoding="utf-8")


def check_sums(folder: Path) -> None:
    """Hold a stage's output folder against the hashes that its stage wrote.

    Raises InputError naming the file that is missing or damaged. A folder that has no hashes, put
    together by hand, is taken as it is.
    """
    sums = folder / SUMS_FILE
    if not sums.is_file():
        return
    for line in sums.read_bytes().splitlines():
        expected, _, name = line.decode("utf-8", "replace").partition("  ")
        path = folder / (name or SUMS_FILE)  # a damaged line names no file
        found = sha256_of_file(path) if path.is_file() else "no file"
        if found != expected:
            raise InputError(
                f"{path}: not as its stage wrote it (sha256 {found:.12}, expected {expected:.12}); "
                f"delete {folder}, run `find .dvc/cache -type f -exec chmod u+w {{}} + -exec touch "
                "{} +`, so that DVC looks its cache through, and then `dvc repro`"
            )


def write_json(path: Path, value: Any) -> None:
    """Write JSON that a person can read; models become objects. The file appears whole."""
    with atomic_write(path) as draft:
        draft.write_bytes(as_json(value))


def as_json(value: Any) -> bytes:
    """Return the bytes that `write_json` writes."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def read_small_text(path: Path, most_bytes: int, remedy_if_larger: str) -> str:
    """Return a text in UTF-8, with or without a mark of byte order, of `most_bytes` (of whole MB).

    Raises OSError, and InputError for a larger file and for anything that is not UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise InputError(f"{path}: larger than {most_bytes >> 20} MB; {remedy_if_larger}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from error


def read_model(model: type[M], path: Path) -> M:
    """Read a JSON file that an earlier stage wrote.

    Raises InputError where the file is missing or is not what that stage writes.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run `dvc repro` to make it") from None
    except ValidationError as error:
        raise InputError(
            f"{path}: not what this version writes ({format_error(error)}); run `dvc repro`"
        ) from error


def format_error(error: ValidationError, section: str = "", outside: Collection[str] = ()) -> str:
    """Return the first fault that pydantic found, as `where: what, got …`.

    `where` starts with `section`, but for the fields `outside` of it.
    """
    faults = error.errors()
    # A misspelt key is an unknown and a missing one; the unknown one shows what to correct.
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    steps = [str(step) for step in fault["loc"]]
    if section and (not steps or steps[0] not in outside):
        steps = [section, *steps]
    what = fault["msg"].removeprefix("Value error, ")
    if fault["type"] != "missing" and not isinstance(fault["input"], Mapping):
        what += f", got {fault['input']!r:.80}"
    return f"{'.'.join(steps)}: {what}" if steps else what


def describe_os_error(error: OSError) -> str:
    """One line for an error of the file system, with a remedy."""
    place = error.filename or "a file"
    if error.errno in _NO_ROOM:
        reason = _NO_ROOM[error.errno]
        place = error.filename2 or place  # of a copy, the file that is written
        return f"{place}: {reason}; free some space and run again, nothing is lost"
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{place}: {reason}; check that it exists, may be read and written, and has room"

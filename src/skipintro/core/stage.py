"""Runs a stage: logging, params, and faults reported in one line."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from skipintro.core import arithmetic
from skipintro.core.cache_dir import cache_dir
from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error, output_folder, sha256_of_json
from skipintro.core.params import StageParams, load_arithmetic, load_params
from skipintro.core.processes import is_alive

P = TypeVar("P", bound=StageParams)

_DVC = "DVC_PID"  # set in `dvc.yaml`
_WATCH_EVERY_S, _LAST_S = 0.2, 30.0


def begin_stage() -> None:
    """Settle on the arithmetic of params.yaml; `run_stage` reports a fault in it."""
    try:
        arithmetic.settle(load_arithmetic())
    except InputError:
        arithmetic.settle("portable")


def run_stage(name: str, params: type[P], main: Callable[[P], None]) -> None:
    """Run `main` with its section of `params.yaml`; a fault of the input ends with exit code 1."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format=f"{name}: %(levelname)s%(message)s"
    )
    words = {logging.INFO: "", logging.WARNING: "warning: ", logging.ERROR: "error: "}
    for level, word in words.items():
        logging.addLevelName(level, word)
    for ours in ("skipintro", "__main__"):  # a stage runs as `python -m`
        logging.getLogger(ours).setLevel(logging.INFO)
    for noisy in ("alembic", "mlflow"):  # these set their own levels
        logging.getLogger(noisy).setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _leave)  # temporary folders are removed on the way out
    if "DVC_STAGE" in os.environ:
        if not os.environ.get(_DVC):  # fish knows no $PPID
            os.environ[_DVC] = str(os.getppid())
        threading.Thread(target=_end_with_dvc, daemon=True).start()
    log = logging.getLogger(__name__)
    try:
        with _only_one():
            section = load_params(params, name)
            arithmetic.check(load_arithmetic())
            main(section)
    except InputError as error:
        log.error("%s", error)
        sys.exit(1)
    except OSError as error:
        log.error("%s", describe_os_error(error))
        sys.exit(1)
    except KeyboardInterrupt:
        log.error("interrupted; run `dvc repro` to go on")
        sys.exit(130)


@contextmanager
def stage_output(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it becomes `path`, whole, when the block succeeds.

    Raises InputError where DVC is gone: its successor has plans of its own with `path`.
    """
    with output_folder(path) as folder:
        yield folder
        if _dvc_is_gone():
            raise InputError(f"{path}: DVC is gone, it is not written; run `dvc repro` to go on")


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold this workspace's lock: one stage at a time, also where DVC was killed and one is left.

    The system takes the lock from a process that is killed.
    """
    here = sha256_of_json(str(Path.cwd().resolve()))[:16]
    lock = FileLock(cache_dir("locks") / f"stage-{here}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log = logging.getLogger(__name__)
        log.warning("another stage is at work in this workspace; waiting for its end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _end_with_dvc() -> None:
    """End this process when DVC is gone: a stage left behind would write beside its successor."""
    while not _dvc_is_gone():
        time.sleep(_WATCH_EVERY_S)
    logging.getLogger(__name__).error("DVC is gone; ending, run `dvc repro` to go on")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LAST_S)  # for temporary folders; a long call of a library hears of no signal
    os._exit(128 + signal.SIGTERM)


def _dvc_is_gone() -> bool:
    """Return whether the DVC that runs this stage has ended; False where a person runs it."""
    return "DVC_STAGE" in os.environ and not is_alive(int(os.environ[_DVC]))


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)

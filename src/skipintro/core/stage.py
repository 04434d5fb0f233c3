"""Runs a stage: logging, params, and faults told in one line."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error
from skipintro.core.params import StageParams, load_params

P = TypeVar("P", bound=StageParams)

_WATCH_EVERY_S = 1.0


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
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    log = logging.getLogger(__name__)
    try:
        main(load_params(params, name))
    except InputError as error:
        log.error("%s", error)
        sys.exit(1)
    except OSError as error:
        log.error("%s", describe_os_error(error))
        sys.exit(1)
    except KeyboardInterrupt:
        log.error("interrupted; run `dvc repro` to go on")
        sys.exit(130)


def versions(*packages: str) -> dict[str, str]:
    """Give the installed versions of the packages that shaped an output, for its manifest."""
    return {package: version(package) for package in packages}


def _end_with(parent: int) -> None:
    """End this process when DVC is gone: a stage left behind would write beside its successor."""
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    logging.getLogger(__name__).error("DVC is gone; ending, run `dvc repro` to go on")
    os.kill(os.getpid(), signal.SIGTERM)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)

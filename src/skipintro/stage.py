"""Runs a stage: logging, params, and faults told in one line."""

import logging
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

from skipintro.errors import InputError
from skipintro.files import describe_os_error
from skipintro.params import StageParams, load_params

P = TypeVar("P", bound=StageParams)


def run_stage(name: str, params: type[P], main: Callable[[P], None]) -> None:
    """Run `main` with its section of `params.yaml`; a fault of the input ends with exit code 1."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"{name}: %(levelname)s %(message)s"
    )
    logging.addLevelName(logging.INFO, "")
    logging.getLogger("skipintro").setLevel(logging.INFO)
    for noisy in ("alembic", "mlflow", "timm", "open_clip", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _leave)  # temporary folders are removed on the way out
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


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)

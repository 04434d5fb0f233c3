"""Shows how far long work has come: a bar on a terminal, else a line of the log now and then."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

_TELL_EVERY_S = 30.0

log = logging.getLogger(__name__)


def progress(items: Iterable[T], total: int, unit: str) -> Iterator[T]:
    """Yield the items; an item counts as done when the next one is asked for.

    `unit` is their name in the plural. Without a terminal, work of less than half a minute is
    not spoken of.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, unit, total)
        return
    told = time.monotonic()
    for n_done, item in enumerate(items, 1):
        yield item
        if n_done < total and time.monotonic() - told >= _TELL_EVERY_S:
            log.info("%d of %d %s", n_done, total, unit)
            told = time.monotonic()

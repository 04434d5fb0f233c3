"""Shows how far long work has come: a bar on a terminal, else a line of the log now and then."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeVar

from tqdm import tqdm

from skipintro.core.errors import one_line

T = TypeVar("T")

_LOG_EVERY_S = 30.0
_LONG_S = 3.0  # of work within one file, from which on it is logged
_LONGEST_NAME = 40  # characters

log = logging.getLogger(__name__)


class Unit(StrEnum):
    """What is counted, in the plural."""

    EPISODES = "episodes"
    SERIES = "series"
    VIDEOS = "videos"
    VIDEOS_OF_EQUAL_SIZES = "videos of equal sizes"


def progress(items: Iterable[T], total: int, unit: Unit) -> Iterator[T]:
    """Yield the items; an item counts as done when the next one is requested.

    Without a terminal, work of less than half a minute is not logged.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, unit, total)
        return
    logged_at = time.monotonic()
    for n_done, item in enumerate(items, 1):
        yield item
        if n_done < total and time.monotonic() - logged_at >= _LOG_EVERY_S:
            log.info("%d of %d %s", n_done, total, unit)
            logged_at = time.monotonic()


@contextmanager
def progress_within(name: str) -> Iterator[Callable[[float], None] | None]:
    """Yield what shows, on a terminal, how many seconds of one file are decoded; None on others.

    Files that take less than 3 s are not logged.
    """
    if not sys.stderr.isatty():
        yield None
        return
    began = time.monotonic()
    bar: Any = None  # a tqdm, as soon as there is something to show

    def reached(second: float) -> None:
        nonlocal bar
        if time.monotonic() - began < _LONG_S:
            return
        if bar is None:
            label = one_line(name)[:_LONGEST_NAME]
            bar = tqdm(desc=label, leave=False, bar_format="{desc}: {n:.0f} s decoded, {elapsed}")
        bar.n = second
        bar.refresh()

    try:
        yield reached
    finally:
        if bar is not None:
            bar.close()


def log_epoch(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
    """Log how far a training has come: losses and F1."""
    names = [name for name in figures if name.endswith(("loss", "f1"))]
    figures_text = ", ".join(f"{name} {figures[name]:.4f}" for name in names)
    log.info("epoch %d/%d: %s", epoch, epochs, figures_text)


def epochs_after(n_done: int, n_epochs: int) -> Iterator[int]:
    """Yield the epochs that are left of a training, with a bar on a terminal."""
    if n_done:
        log.info("going on after epoch %d", n_done)
    left = range(n_done + 1, n_epochs + 1)
    yield from tqdm(left, "train", n_epochs, unit="epoch", initial=n_done, disable=None)

"""One thread that detects, and so many requests at most that wait for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import BoundedSemaphore
from typing import Any

from skipintro.library.output import Row
from skipintro.service.http_errors import RefusalError
from skipintro.service.metrics import Measures
from skipintro.service.predictor import Finder, Plan

_RETRY_S = 10

Task = Callable[[Finder], list[Row]]


class Worker:
    """Runs tasks one after the other. Raises InputError where the cache cannot be used."""

    def __init__(
        self, plan: Plan, measures: Measures, *, n_waiting: int, time_limit_s: float
    ) -> None:
        self._thread = ThreadPoolExecutor(1, "detect")
        self._finder = self._thread.submit(Finder, plan).result()
        self._slots = BoundedSemaphore(n_waiting + 1)  # one of them is at work
        self._measures, self._time_limit_s = measures, time_limit_s
        self._ending = asyncio.Event()

    def take_slot(self) -> ExitStack:
        """Take a place in the queue; closing the stack frees it. Raises RefusalError: 429."""
        if not self._slots.acquire(blocking=False):
            raise RefusalError(
                429,
                f"the queue is full; try again in {_RETRY_S} s",
                {"Retry-After": str(_RETRY_S)},
            )
        slot = ExitStack()
        slot.callback(self._slots.release)
        self._measures.queue.inc()
        slot.callback(self._measures.queue.dec)
        return slot

    async def run(self, slot: ExitStack, task: Task) -> list[Row]:
        """Return the task's rows, and close the slot when the task has ended.

        Raises RefusalError: 504 after the time limit, 503 when the service ends. A task that still
        waits is then dropped. One that has begun cannot be stopped: it keeps its slot, and the
        thread, until it really ends; its results are cached for the next request.
        """
        future = self._thread.submit(task, self._finder)
        future.add_done_callback(lambda _: slot.close())
        made = asyncio.wrap_future(future)
        ending = asyncio.ensure_future(self._ending.wait())
        both: set[asyncio.Future[Any]] = {made, ending}
        try:
            await asyncio.wait(
                both, timeout=self._time_limit_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ending.cancel()
        if made.done():
            return made.result()
        made.cancel()
        if self._ending.is_set():
            raise RefusalError(503, "the service ends; try again, decoded videos are cached")
        raise RefusalError(
            504,
            f"not done in {self._time_limit_s:g} s; try again later, it may be cached by then",
        )

    def end(self) -> None:
        """Respond to all that wait; to be called in the event loop."""
        self._ending.set()

    def close(self) -> None:
        """Wait for the task at work, and end the thread."""
        self._thread.submit(self._finder.close)
        self._thread.shutdown()

"""Limits connections: their number, and the time that a client neither sends nor reads.

uvicorn sets no time limit for sending the head of a request, for sending on after a refusal,
and for reading the response.
"""

import asyncio
import math
import resource
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_LAST_WORDS_S = 2  # for responses under way and uploads that come in, when the service ends
_MOST_CONNECTIONS = 1000
_NO_HTTP = b'{"error": "the request is no HTTP/1.1; send it rightly"}'
_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(_NO_HTTP), _NO_HTTP)
)


class Timed(H11Protocol):
    """A connection with a time limit on all that its client does; bodies have their own.

    Where there are too many, the one whose last request is the oldest is closed.
    """

    head_limit_s = 20.0  # until the head of the next request is whole
    unread_limit_s = 60.0  # until a full buffer (64 KiB) is taken

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = self.cycle  # the last request with a response
        self._waits_since = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def _is_waiting(self) -> bool:
        return self.cycle is self._before and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.config.backlog:
            others = [one for one in self.connections if isinstance(one, Timed) and one._is_waiting]
            min(others, key=lambda one: one._waits_since).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        super().connection_lost(exc)
        for timer in self._timers.values():
            timer.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may be there already."""
        self._wait()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Count the time in which nothing is taken."""
        super().pause_writing()
        self._limit("unread", self.unread_limit_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Count no longer."""
        super().resume_writing()
        self._timers["unread"].cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; it is the last word of this connection, also to the app."""
        if self.cycle is not self._before:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:  # else a response is under way
            self.transport.write(_BAD_REQUEST)
        self.transport.close()

    def _wait(self) -> None:
        self._before, self._waits_since = self.cycle, self.loop.time()
        self._limit("head", self.head_limit_s, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is self._before:
            self.transport.close()
            self._limit("unread", self.unread_limit_s, self.transport.abort)

    def _limit(self, name: str, limit_s: float, then: Any) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self.loop.call_later(limit_s, then)


class TimedPage(Timed):
    """As `Timed`, but for a browser, which does not read a video on that is paused."""

    unread_limit_s = math.inf


def configured(app: ASGIApp, protocol: type[Timed]) -> uvicorn.Config:
    """Return what both servers have in common.

    They leave at least half of the files that a process may open to their work.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        backlog=min(_MOST_CONNECTIONS, most // 4),  # so many may wait, and as many be at work
        timeout_graceful_shutdown=_LAST_WORDS_S,
    )

"""What the service counts, for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS_S = (0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0)


class Measures:
    """The counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "skipintro_requests", "Responses.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "skipintro_request_seconds",
            "Time until the response is complete.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.queue = Gauge(
            "skipintro_queue", "Requests at work or waiting.", registry=self.registry
        )
        self.intros = Counter("skipintro_intros_found", "Intros found.", registry=self.registry)


class Measured:
    """An app whose requests are counted by route; what no route knows is `other`."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app, self._measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._measures.requests.labels(route, str(status)).inc()
            self._measures.seconds.labels(route).observe(time.perf_counter() - began)

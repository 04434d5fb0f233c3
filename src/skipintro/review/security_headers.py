"""Keeps an app to its own pages, and its pages to themselves."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skipintro.service.http_errors import RefusalError
from skipintro.service.responses import error_response


class Sealed:
    """An app whose responses no page of another origin gets or shows, under a content policy."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, unless a page of another origin makes it."""

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        app = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            own = f"http://{headers.get('host', '')}"
            if headers.get("origin", own) != own:
                app = error_response(RefusalError(403, f"Origin: expected {own}, got another"))
        await app(scope, receive, sealed)

"""Who may ask: whoever holds the token; without one, this machine's own programs."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from skipintro.service.answers import told
from skipintro.service.refusal import RefusalError

_OPEN = "/health"
_LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = {_LOOPBACK, "localhost"}


class Guard:
    """An app behind a token, if there is one; `/health` is open."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it before its body is read."""
        if scope["type"] == "http" and scope["path"] != _OPEN:
            fault = self._fault(Headers(scope=scope))
            if fault is not None:
                await told(fault)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _fault(self, headers: Headers) -> RefusalError | None:
        if self._token is None:
            # A web page may give its own name to this address and then speak to it: its name tells.
            if headers.get("host", "").partition(":")[0] in _LOCAL_NAMES:
                return None
            return RefusalError(403, f"Host: expected {_LOOPBACK} or localhost, got another")
        given = headers.get("authorization", "").encode("latin-1")
        if hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            return None
        return RefusalError(
            401,
            "Authorization: expected 'Bearer' and the token of --token-file",
            {"WWW-Authenticate": "Bearer"},
        )

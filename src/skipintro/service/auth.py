"""Access: clients that send the token; without one, programs of this machine alone."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from skipintro.service.http_errors import RefusalError
from skipintro.service.responses import error_response

_OPEN = "/health"
_LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = {_LOOPBACK, "localhost"}


class Guard:
    """An app behind a token, if there is one; `/health` is open."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it before its body is read."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            fault = _two_lengths(headers)
            if fault is None and scope["path"] != _OPEN:
                fault = self._fault(headers)
            if fault is not None:
                await error_response(fault)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _fault(self, headers: Headers) -> RefusalError | None:
        if self._token is None:
            # A web page may point its own name at this address: the Host header shows that.
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


def _two_lengths(headers: Headers) -> RefusalError | None:
    """Refuse what a proxy before this server may read to another end (RFC 9112, 6.1)."""
    if "transfer-encoding" not in headers or "content-length" not in headers:
        return None
    return RefusalError(
        400,
        "Content-Length and Transfer-Encoding: expected one of them; leave the other out",
        {"Connection": "close"},
    )

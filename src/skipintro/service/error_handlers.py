"""Makes every fault of an app one line of JSON."""

import logging

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error
from skipintro.service.http_errors import RefusalError
from skipintro.service.responses import error_response

log = logging.getLogger(__name__)


def add_error_handlers(app: FastAPI, hint: str) -> None:
    """Send faults to the client; what is no client's fault is in the log as well.

    `hint` says where the routes are described.
    """

    @app.exception_handler(RefusalError)
    async def refused(_request: Request, error: RefusalError) -> Response:
        return error_response(error)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        fault = f"{request.method} {request.url.path}: {error.detail}; {hint}"
        return error_response(RefusalError(error.status_code, fault, error.headers))

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return error_response(RefusalError(400, "the body broke off; send it again"))

    @app.exception_handler(InputError)
    async def unusable(_request: Request, error: InputError) -> Response:
        log.error("%s", error)
        return error_response(RefusalError(500, str(error)))

    @app.exception_handler(OSError)
    async def failed(_request: Request, error: OSError) -> Response:
        log.error("%s", describe_os_error(error))
        return error_response(RefusalError(500, describe_os_error(error)))

    @app.exception_handler(Exception)
    async def broken(_request: Request, _error: Exception) -> Response:
        return error_response(RefusalError(500, "the service failed; its log says at what"))

"""The routes of the service."""

import logging
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error
from skipintro.library.telling import Row
from skipintro.service.answers import as_json, told
from skipintro.service.bodies import Wanted, check_upload, read_wanted, write_upload
from skipintro.service.finder import Plan
from skipintro.service.guard import Guard
from skipintro.service.measures import Measured, Measures
from skipintro.service.refusal import RefusalError
from skipintro.service.worker import Worker

_ASKED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Wanted.model_json_schema()}},
    }
}
_SENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How much a client may ask for, and the folder where uploads lie until they are answered."""

    time_limit_s: float
    most_bytes: int
    uploads: Path


def make_app(
    plan: Plan, worker: Worker, measures: Measures, limits: Limits, token: str | None
) -> FastAPI:
    """Give the app. Its pages are off, since they load scripts from elsewhere."""
    app = FastAPI(title="skipintro", version=version("skipintro"), docs_url=None, redoc_url=None)
    app.add_middleware(Guard, token=token)
    app.add_middleware(Measured, measures=measures)
    _tell_faults(app)

    @app.post("/detect", summary="Videos and folders of the server's", openapi_extra=_ASKED)
    async def of_library(request: Request) -> Response:
        wanted = await read_wanted(request, limits.time_limit_s)
        paths = [await run_in_threadpool(plan.roots.admit, text) for text in wanted.paths]
        rows = await worker.run(worker.take_slot(), lambda finder: finder.of_library(paths))
        return answered(rows)

    @app.put("/detect/{name}", summary="A video of the client's", openapi_extra=_SENT)
    async def of_upload(name: str, request: Request) -> Response:
        check_upload(name, request, limits.most_bytes)
        slot = worker.take_slot()  # before the body: no more uploads lie here than slots
        try:
            folder = slot.enter_context(tempfile.TemporaryDirectory(dir=limits.uploads))
            path = Path(folder, "upload", name)  # the folder may tell the series
            path.parent.mkdir()
            await write_upload(request, path, limits.most_bytes, limits.time_limit_s)
        except BaseException:
            slot.close()
            raise
        return answered(await worker.run(slot, lambda finder: finder.of_upload(path)))

    def answered(rows: list[Row]) -> Response:
        measures.intros.inc(sum(row.finding.interval is not None for row in rows))
        return as_json([row.fields() for row in rows])

    @app.get("/health", summary="Whether the service is up")
    async def health() -> Response:
        return as_json({"status": "ok"})

    @app.get("/model", summary="Which detector answers")
    async def model() -> Response:
        return as_json({"title": plan.model.title, "identity": plan.model.identity})

    @app.get("/metrics", summary="Counters for Prometheus")
    async def metrics() -> Response:
        return Response(generate_latest(measures.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _tell_faults(app: FastAPI) -> None:
    """Make every fault one line of JSON; what is no client's fault is in the log as well."""

    @app.exception_handler(RefusalError)
    async def refused(_request: Request, error: RefusalError) -> Response:
        return told(error)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        fault = f"{request.method} {request.url.path}: {error.detail}; see /openapi.json"
        return told(RefusalError(error.status_code, fault, error.headers))

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return told(RefusalError(400, "the body broke off; send it again"))

    @app.exception_handler(InputError)
    async def unusable(_request: Request, error: InputError) -> Response:
        log.error("%s", error)
        return told(RefusalError(500, str(error)))

    @app.exception_handler(OSError)
    async def failed(_request: Request, error: OSError) -> Response:
        log.error("%s", describe_os_error(error))
        return told(RefusalError(500, describe_os_error(error)))

    @app.exception_handler(Exception)
    async def broken(_request: Request, _error: Exception) -> Response:
        return told(RefusalError(500, "the service failed; its log says at what"))

"""The routes of the service."""

import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from skipintro.library.output import Row
from skipintro.service.auth import Guard
from skipintro.service.error_handlers import add_error_handlers
from skipintro.service.metrics import Measured, Measures
from skipintro.service.predictor import Plan
from skipintro.service.request_body import PathsRequest, check_upload, read_json, write_upload
from skipintro.service.responses import as_json
from skipintro.service.worker import Worker

_ASKED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PathsRequest.model_json_schema()}},
    }
}
_SENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@dataclass(frozen=True)
class Limits:
    """How much a client may request, and the folder of uploads until their response."""

    time_limit_s: float
    most_bytes: float
    uploads: Path


def make_app(
    plan: Plan, worker: Worker, measures: Measures, limits: Limits, token: str | None
) -> FastAPI:
    """Return the app. Its pages are off, since they load scripts from elsewhere."""
    app = FastAPI(title="skipintro", version=version("skipintro"), docs_url=None, redoc_url=None)
    app.add_middleware(Guard, token=token)
    app.add_middleware(Measured, measures=measures)
    add_error_handlers(app, "see /openapi.json")

    @app.post("/detect", summary="Videos and folders of the server's", openapi_extra=_ASKED)
    async def of_library(request: Request) -> Response:
        body = await read_json(request, PathsRequest, '{"paths": ["/…", …]}', limits.time_limit_s)
        paths = [await run_in_threadpool(plan.roots.admit, text) for text in body.paths]
        rows = await worker.run(worker.take_slot(), lambda finder: finder.of_library(paths))
        return response_of(rows)

    @app.put("/detect/{name}", summary="A video of the client's", openapi_extra=_SENT)
    async def of_upload(name: str, request: Request) -> Response:
        check_upload(name, request, limits.most_bytes)
        slot = worker.take_slot()  # before the body: no more uploads are here than slots
        try:
            folder = slot.enter_context(tempfile.TemporaryDirectory(dir=limits.uploads))
            path = Path(folder, "upload", name)  # the folder may name the series
            path.parent.mkdir()
            await write_upload(request, path, limits.most_bytes, limits.time_limit_s)
        except BaseException:
            slot.close()
            raise
        return response_of(await worker.run(slot, lambda finder: finder.of_upload(path)))

    def response_of(rows: list[Row]) -> Response:
        measures.intros.inc(sum(row.finding.interval is not None for row in rows))
        return as_json([row.fields() for row in rows])

    @app.get("/health", summary="Whether the service is up")
    async def health() -> Response:
        return as_json({"status": "ok"})

    @app.get("/model", summary="Which detector is at work")
    async def model() -> Response:
        return as_json({"title": plan.model.title, "identity": plan.model.identity})

    @app.get("/metrics", summary="Counters for Prometheus")
    async def metrics() -> Response:
        return Response(generate_latest(measures.registry), media_type=CONTENT_TYPE_LATEST)

    return app

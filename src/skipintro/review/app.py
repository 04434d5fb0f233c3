"""The routes of the page. No path comes from a client: videos are found by their episode's id."""

import base64
from mimetypes import guess_type
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from skipintro.review.decisions import EXAMPLE, Decision
from skipintro.review.page import render
from skipintro.review.pictures import small_pictures
from skipintro.review.queue import Queue
from skipintro.review.security_headers import Sealed
from skipintro.service.auth import Guard
from skipintro.service.connections import TimedPage, configured
from skipintro.service.error_handlers import add_error_handlers
from skipintro.service.http_errors import RefusalError
from skipintro.service.request_body import read_json
from skipintro.service.responses import as_json
from skipintro.video.container import VideoError

_TIME_LIMIT_S = 10  # of a body
_MOST_PICTURES = 32  # of one request


def make_server(queue: Queue, checkout: Path) -> uvicorn.Server:
    """Return the server of the page; a signal ends it in order."""
    return uvicorn.Server(configured(make_app(queue, checkout), TimedPage))


def make_app(queue: Queue, checkout: Path) -> FastAPI:
    """Return the app; the paths of videos are relative to the checkout."""
    html, policy = render()
    app = FastAPI(openapi_url=None)
    app.add_middleware(Guard, token=None)
    app.add_middleware(Sealed, policy=policy)
    add_error_handlers(app, "the page is at /")

    @app.get("/")
    async def page() -> Response:
        return HTMLResponse(html)

    @app.get("/doubts")
    async def doubts() -> Response:
        return as_json(await run_in_threadpool(queue.state))

    @app.post("/decisions")
    async def decisions(request: Request) -> Response:
        decision = await read_json(request, Decision, EXAMPLE, _TIME_LIMIT_S)
        await run_in_threadpool(queue.decide, decision)
        return as_json(await run_in_threadpool(queue.state))

    @app.get("/pictures/{id_}")
    async def pictures(id_: str, request: Request) -> Response:
        seconds = _seconds(request.query_params.getlist("at"))
        doubt = queue.doubt(id_)
        path = checkout / doubt.video
        try:
            jpegs = await run_in_threadpool(small_pictures, path, seconds, doubt.n_seconds)
        except VideoError as error:
            raise RefusalError(404, str(error)) from error
        return as_json([None if one is None else base64.b64encode(one).decode() for one in jpegs])

    @app.get("/videos/{id_}")
    async def video(id_: str) -> Response:
        path = checkout / queue.doubt(id_).video
        if not path.is_file():
            raise RefusalError(404, f"{path}: no such file; bring it back, or run `dvc repro`")
        return FileResponse(path, media_type=_media_type(path))

    return app


def _media_type(path: Path) -> str:
    """Return a video's type; where a machine takes its name for something else, the usual one."""
    guessed = guess_type(path.name)[0] or ""
    return guessed if guessed.startswith("video/") else "video/mp4"


def _seconds(texts: list[str]) -> list[float]:
    """Return the requested times. Raises RefusalError (400)."""
    try:
        seconds = [float(text) for text in texts]
    except ValueError:
        seconds = []
    if not 1 <= len(seconds) <= _MOST_PICTURES or not all(0 <= s < 1e7 for s in seconds):
        raise RefusalError(400, f"at: expected 1 to {_MOST_PICTURES} times in seconds; correct it")
    return seconds

"""Bodies of requests, read to a limit of bytes and of time, and never longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from skipintro.core.files import format_error
from skipintro.library.discovery import SUFFIXES
from skipintro.service.http_errors import RefusalError

_MOST_JSON_BYTES = 1 << 20
_MOST_NAME_BYTES = 200  # file systems take 255
# A body may begin when it likes within the leeway, and then comes at least this fast on the whole.
_LEEWAY_S, _FEWEST_BYTES_PER_S = 20, 500
# Lists of other files, which FFmpeg would open; they are no video of the client's.
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"[playlist]")


M = TypeVar("M", bound=BaseModel)


class PathsRequest(BaseModel):
    """The body of `POST /detect`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    paths: list[str] = Field(min_length=1, max_length=1000)


async def read_json(request: Request, model: type[M], example: str, limit_s: float) -> M:
    """Read a body of JSON. Raises RefusalError: 400, 408, 413, 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # which no page of another origin can send unasked
        raise RefusalError(415, f"Content-Type: expected application/json, got {kind or 'none'!r}")
    async with _body(request, _MOST_JSON_BYTES, limit_s) as body:
        parts = [part async for part in body]
    try:
        return model.model_validate_json(b"".join(parts))
    except ValidationError as error:
        raise RefusalError(400, f"body: {format_error(error)}; expected {example}") from error


def check_upload(name: str, request: Request, most_bytes: float) -> None:
    """Raise RefusalError at a name that is no video's, or a promise of too many bytes."""
    n_bytes = len(name.encode("utf-8", "replace"))
    if name.startswith(".") or set(name) & {"/", "\\", "\0"} or n_bytes > _MOST_NAME_BYTES:
        raise RefusalError(400, f"{name!r:.99}: no name for a video; expected Show.S01E01.mkv")
    if Path(name).suffix.lower() not in SUFFIXES:
        raise RefusalError(422, f"{name!r}: no video; expected one of {' '.join(sorted(SUFFIXES))}")
    if int(request.headers.get("content-length", "0")) > most_bytes:
        raise _too_large(most_bytes)


async def write_upload(request: Request, path: Path, most_bytes: float, limit_s: float) -> None:
    """Write the body to a file. Raises RefusalError: 408, 413, 422; what was written stays."""
    with path.open("wb") as file:
        async with _body(request, most_bytes, limit_s) as body:
            async for part in body:
                await run_in_threadpool(file.write, part)
    with path.open("rb") as file:
        if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLISTS):
            raise RefusalError(422, f"{path.name}: a list of files, no video; send the video")


@asynccontextmanager
async def _body(
    request: Request, most_bytes: float, limit_s: float
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield the parts of the body. Raises RefusalError: 408 where it takes too long, 413."""
    began = asyncio.get_running_loop().time()

    def ends(n_bytes: int) -> float:
        return began + min(limit_s, _LEEWAY_S + n_bytes / _FEWEST_BYTES_PER_S)

    async def limited() -> AsyncIterator[bytes]:
        n_bytes = 0
        async for part in request.stream():
            n_bytes += len(part)
            if n_bytes > most_bytes:
                raise _too_large(most_bytes)
            clock.reschedule(ends(n_bytes))
            yield part

    try:
        async with asyncio.timeout_at(ends(0)) as clock:
            yield limited()
    except TimeoutError as error:
        raise RefusalError(
            408,
            f"the body was not whole in {limit_s:g} s, or came by less than "
            f"{_FEWEST_BYTES_PER_S} bytes a second; send it again",
            {"Connection": "close"},
        ) from error


def _too_large(most_bytes: float) -> RefusalError:
    return RefusalError(
        413,
        f"the body is larger than {most_bytes / (1 << 20):g} MB; send less",
        {"Connection": "close"},
    )

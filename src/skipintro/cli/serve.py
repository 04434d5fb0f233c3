"""`skipintro serve`: what `skipintro detect` says, over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from skipintro.cli.detect import begin, model_of, search_of, usage
from skipintro.cli.options import (
    BesideOption,
    CacheOption,
    DeviceOption,
    JobsOption,
    ModelOption,
    SearchOption,
    WeightsOption,
)
from skipintro.core.errors import InputError
from skipintro.core.interruption import ending_with

_LOOPBACK = "127.0.0.1"


def serve(
    *,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder that clients may name videos of; may be repeated. Without one, they can "
            "only upload.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other one needs --token-file.")
    ] = _LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that clients must send.", show_default=False),
    ] = None,
    queue: Annotated[
        int, typer.Option(min=0, help="Requests that may wait; more are refused (429).")
    ] = 8,
    time_limit: Annotated[
        float, typer.Option(min=0.01, help="s that a client waits at most.")
    ] = 3600,
    max_upload_mb: Annotated[float, typer.Option(min=0, help="MB of one upload.")] = 4096,
    max_hours: Annotated[float, typer.Option(min=0, help="h; longer videos are refused.")] = 6,
    model: ModelOption = None,
    search: SearchOption = None,
    beside: BesideOption = 4,
    jobs: JobsOption = 1,
    device: DeviceOption = "auto",
    encoder_weights: WeightsOption = None,
    cache: CacheOption = None,
) -> None:
    """Serve what `skipintro detect` finds over HTTP, until a signal ends it.

    One request is worked on after the other, `--jobs` videos at once, with the model of the start.

    Example: skipintro serve --root /media/shows
    """
    import tempfile

    from skipintro.library.cache import Cache, default_folder
    from skipintro.library.results import Settings
    from skipintro.service.allowed_paths import Roots
    from skipintro.service.predictor import Plan
    from skipintro.service.server import make_server
    from skipintro.service.sockets import listen

    begin()
    looked_at = search_of(search)
    if host != _LOOPBACK and token_file is None:
        raise usage(f"--host {host}: every machine that reaches it has access; add --token-file")
    token = None if token_file is None else _token_of(token_file)
    folder = cache or default_folder()
    kept = Cache(folder)
    plan = Plan(
        model_of(model, kept),
        folder,
        Settings(looked_at, device, encoder_weights, jobs),
        Roots(root or []),
        beside,
        max_hours,
    )
    kept.close()
    with (
        ending_with(0, lambda: "ended"),  # uvicorn passes the signal on when all is closed
        tempfile.TemporaryDirectory(prefix="skipintro-") as uploads,
        listen(host, port) as listening,
    ):
        place, n_port = listening.getsockname()[:2]
        place = f"[{place}]" if ":" in place else place
        typer.echo(f"listening on http://{place}:{n_port}", err=True)
        server = make_server(
            plan,
            Path(uploads),
            n_waiting=queue,
            time_limit_s=time_limit,
            most_bytes=max_upload_mb * (1 << 20),
            token=token,
        )
        server.run([listening])


def _token_of(path: Path) -> str:
    token = path.read_text("ascii", "replace").strip()
    if not token or not token.isascii() or not token.isprintable():
        raise InputError(f"{path}: expected a token, printable ASCII, in one line; write one")
    return token

"""`skipintro review`: a page on this machine on which a person judges labels in doubt."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.cli.detect import begin
from skipintro.cli.outliers import usual_rule
from skipintro.core.errors import InputError
from skipintro.core.interruption import ending_with

if TYPE_CHECKING:
    import socket

_HOST, _PORT = "127.0.0.1", 8001


def review(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help=f"0: any that is free. Else {_PORT}, or any where that is taken.",
            show_default=False,
        ),
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is in the overrides file already.")
    ] = False,
) -> None:
    """Judge labels in doubt on a local page, the most doubtful first, until a signal ends it.

    Each decision is written to the overrides file at once; the next `dvc repro` takes it in.

    Example: skipintro review --all
    """
    import threading
    import webbrowser
    from pathlib import Path

    from skipintro.core.cache_dir import cache_dir
    from skipintro.core.params import load_params
    from skipintro.episodes.corrections import CorrectionParams
    from skipintro.review.app import make_server
    from skipintro.review.label_issues import gather
    from skipintro.review.overrides import OverridesFile
    from skipintro.review.queue import Queue

    begin()
    os.chdir(find_checkout())
    params = load_params(CorrectionParams, "annotate")
    file = OverridesFile(params.overrides, cache_dir("locks") / "overrides.lock")
    doubts, decided = gather(Path(), usual_rule()), file.read()
    doubts = [doubt for doubt in doubts if everything or doubt.id not in decided]
    if not doubts:
        typer.echo(f"no label is in doubt; {len(decided)} are decided in {params.overrides}")
        return
    queue = Queue(doubts, file, params.rule())

    def ended() -> str:
        summary = f"{queue.n_decided} decided, in {params.overrides}; `dvc repro` takes them in"
        return f"ended; {summary}"

    with ending_with(0, ended), _listen(port) as listening:  # uvicorn passes the signal on
        url = f"http://{_HOST}:{listening.getsockname()[1]}"
        typer.echo(f"{len(doubts)} in doubt: {url}", err=True)
        if open_it:  # a browser of the terminal would not return
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        make_server(queue, Path()).run([listening])


def _listen(port: int | None) -> "socket.socket":
    from skipintro.service.sockets import listen

    if port is not None:
        return listen(_HOST, port)
    try:
        return listen(_HOST, _PORT)
    except InputError:
        return listen(_HOST, 0)

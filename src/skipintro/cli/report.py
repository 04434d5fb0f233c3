"""`skipintro report`: the page of the last evaluation, with today's champion beside."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.cli.imports import quick_imports
from skipintro.core.errors import InputError

if TYPE_CHECKING:
    from skipintro.evaluation.gate import Candidate

_PAGE = Path("reports/report.html")


def report(
    *,
    open_it: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Open the page in a browser; else on a terminal only.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the report of the last evaluation to reports/report.html, today's champion beside.

    Example: skipintro report --no-open
    """
    import sys
    import webbrowser

    from rich.console import Console

    os.chdir(find_checkout())
    with Console(stderr=True).status(f"writing {_PAGE}"):  # on a terminal alone
        _write()
    typer.echo(_PAGE.resolve())
    if sys.stdout.isatty() if open_it is None else open_it:
        webbrowser.open_new_tab(_PAGE.resolve().as_uri())


def _write() -> None:
    import tempfile

    with quick_imports():
        from skipintro.core.files import atomic_write, read_model
        from skipintro.core.layout import EVALUATED, FITTED, TRAINED
        from skipintro.detection.folder import assemble
        from skipintro.evaluation.metrics import EvaluateManifest
        from skipintro.evaluation.report import Report, beside, render

    page = read_model(Report, EVALUATED / "report.json")
    champion = _champion()
    if champion is not None:
        evaluated = read_model(EvaluateManifest, EVALUATED / "manifest.json")
        with tempfile.TemporaryDirectory() as temporary:
            model_sha256 = assemble(
                Path(temporary),
                evaluated.detector,
                head=TRAINED,
                openings=FITTED,
                config=evaluated.head_config(),
            )
        page = beside(
            page,
            champion,
            model_sha256=model_sha256,
            test_data_sha256=evaluated.test_data_sha256,
        )
    with atomic_write(_PAGE) as draft:
        draft.write_text(render(page), encoding="utf-8")


def _champion() -> "Candidate | None":
    from skipintro.core.params import load_params
    from skipintro.experiment import TrackParams
    from skipintro.tracking.promotion import find_champion
    from skipintro.tracking.store import existing_store, translate_errors

    tracking = load_params(TrackParams, "track")
    try:
        with translate_errors():
            store = existing_store(tracking.experiment)
            return None if store is None else find_champion(store, tracking.detector)
    except InputError as error:
        typer.echo(f"warning: {error}; the page has no champion beside", err=True)
        return None

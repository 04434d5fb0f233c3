"""`skipintro promote`: the registry of detectors."""

import os
from typing import Annotated

import typer

from skipintro.cli.checkout import find_checkout


def promote(
    version: Annotated[
        str | None, typer.Option(help="Judge this version instead of the best challenger.")
    ] = None,
    every_figure: Annotated[
        bool, typer.Option("--all", help="Print all figures, those that are equal, too.")
    ] = False,
) -> None:
    """Make the best challenger the champion, if it passes the gate in params.yaml.

    Example: skipintro promote --version 2
    """
    from skipintro.core.params import load_params
    from skipintro.tracking.promotion import GateParams
    from skipintro.tracking.promotion import promote as promote_best
    from skipintro.tracking.report import comparison
    from skipintro.tracking.store import StoreParams, connect

    os.chdir(find_checkout())
    tracking, gate = load_params(StoreParams, "track"), load_params(GateParams, "promote")
    verdict = promote_best(connect(tracking.experiment), tracking.model, gate, version)
    comparison(verdict, gate.metric, equal_too=every_figure)
    if verdict.refusals:
        for refusal in verdict.refusals:
            typer.echo(f"not promoted: {refusal}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{tracking.model} version {verdict.challenger.version} is @champion now")

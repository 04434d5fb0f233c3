"""The command line: one module a group of commands.

Commands import what they need when they run, so that `--help` and a second `detect` are fast.
"""

import sys

import typer

from skipintro.cli import (
    detect,
    doctor,
    labels,
    learning,
    pictures,
    registry,
    report,
    review,
    serve,
    watch,
)
from skipintro.core import arithmetic
from skipintro.core.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Find the intro of TV episodes: in a library, its labels, and the registry of detectors.",
)
app.add_typer(labels.app, name="labels")
app.command()(detect.detect)
app.command()(watch.watch)
app.command()(serve.serve)
app.command()(review.review)
app.command()(pictures.show)
app.command()(pictures.frames)
app.command()(registry.models)
app.command()(registry.runs)
app.command()(registry.promote)
app.command()(report.report)
app.command()(doctor.doctor)
app.command("learn")(learning.learn_command)
app.command()(learning.cv)


def main() -> None:
    """Run the command line; a fault of the input is one line and exit code 1."""
    try:
        arithmetic.settle(arithmetic.of_environment())
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        from skipintro.core.files import describe_os_error

        typer.echo(f"error: {describe_os_error(error)}", err=True)
        sys.exit(1)

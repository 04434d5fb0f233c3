"""`skipintro frames`: pictures of a video, for a person who checks."""

from pathlib import Path
from typing import Annotated

import typer

from skipintro.core.errors import InputError


def frames(
    video: Annotated[Path, typer.Argument(help="Video file of an episode.")],
    at: Annotated[list[int], typer.Option(min=0, help="Second to look at; may be repeated.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
) -> None:
    """Draw the pictures on screen from 2 s before to 2 s after each given second, one row each.

    They are cut square, as an encoder sees them. For the ends of a label: the picture at its start
    is the first of the intro, the one at its end the first after it.

    Example: skipintro frames my-series/train/s01e01.mp4 --at 70 --at 85 --out frames.png
    """
    from skipintro.core.files import replacing
    from skipintro.episodes.annotations import clock
    from skipintro.episodes.frames import pictures_around
    from skipintro.evaluation.plots import contact_sheet

    if out.suffix != ".png":
        raise InputError(f"{out}: expected a name that ends in .png; correct --out")
    rows = [
        [None if one is None else (f"{second} s = {clock(second)}", one) for second, one in row]
        for row in pictures_around(video, at)
    ]
    with replacing(out) as draft:
        contact_sheet(draft, rows)
    typer.echo(out)

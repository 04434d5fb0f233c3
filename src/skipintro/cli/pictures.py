"""`skipintro frames` and `skipintro show`: pictures of a video, for a person who checks."""

from pathlib import Path
from typing import Annotated

import typer

from skipintro.cli.detect import begin, model_of, search_of
from skipintro.cli.options import (
    CacheOption,
    DeviceOption,
    ModelOption,
    SearchOption,
    WeightsOption,
)
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
    from skipintro.core.files import atomic_write
    from skipintro.episodes.annotations import format_time
    from skipintro.evaluation.plots import contact_sheet
    from skipintro.review.frames import pictures_around

    if out.suffix != ".png":
        raise InputError(f"{out}: expected a name that ends in .png; correct --out")
    rows = [
        [
            None if one is None else (f"{second} s = {format_time(second)}", one)
            for second, one in row
        ]
        for row in pictures_around(video, at)
    ]
    with atomic_write(out) as draft:
        contact_sheet(draft, rows)
    typer.echo(out)


def show(
    video: Annotated[Path, typer.Argument(help="Video file of an episode.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="PNG file to write; else <video>.png here.", show_default=False),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the picture.")] = False,
    model: ModelOption = None,
    search: SearchOption = None,
    beside: Annotated[
        int, typer.Option(min=0, help="Episodes next to it that are looked at, too.")
    ] = 4,
    device: DeviceOption = "auto",
    encoder_weights: WeightsOption = None,
    cache: CacheOption = None,
) -> None:
    """Draw what a detector predicts for one video, and why.

    The ends that it found, how sure it is by second, and what the other episodes share with this
    one, in pictures and in sound.

    Example: skipintro show Show.S01E01.mkv --open
    """
    from skipintro.core.files import atomic_write
    from skipintro.episodes.annotations import format_interval
    from skipintro.evaluation.plots import finding
    from skipintro.library.cache import Cache, default_folder
    from skipintro.library.discovery import find_series
    from skipintro.library.results import Settings
    from skipintro.library.runner import Detection
    from skipintro.review.frames import strip

    begin()
    looked_at = search_of(search)
    out = out or Path(f"{video.stem}.png")
    if out.suffix != ".png":
        raise InputError(f"{out}: expected a name that ends in .png; correct --out")
    if not video.is_file():
        raise InputError(f"{video}: no such file; correct the path")
    groups = find_series([video], beside)
    kept = Cache(cache or default_folder())
    settings = Settings(looked_at, device, encoder_weights, sound_first=False)
    detection = Detection(model_of(model, kept), kept, settings)
    results = next(detection.results(groups), [])
    result = next((result for result in results if result.video == video), None)
    if result is None:
        raise InputError(f"{video}: left out by `skip = true` in a skipintro.toml above it")
    if result.fault:
        raise InputError(result.fault)
    if not result.intervals:
        title = f"{video.name}: no intro"
        middle = [result.length_s * (place + 0.5) / 10 for place in range(10)]
        strips = [strip(video, middle[:5]), strip(video, middle[5:])]
    else:
        sure = "" if result.confidence is None else f", confidence {result.confidence:.2f}"
        spans = ", ".join(map(format_interval, result.intervals))
        title = f"{video.name}: {spans}{sure} ({result.source})"
        ends = [end for interval in result.intervals for end in interval]
        strips = [strip(video, [end + step for step in range(-2, 3)]) for end in ends]
    with atomic_write(out) as draft:
        finding(
            draft,
            title,
            strips,
            detection.curve(results, result),
            intervals=result.intervals,
            shared=detection.shared(results, result),
        )
    typer.echo(title)
    typer.echo(out)
    if open_it:
        typer.launch(str(out))

"""Options that several commands have, with one word of help for all."""

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    str | None,
    typer.Option(
        help="models:/intro-detector@champion (the default where there is one, else the detector "
        "that comes with skipintro), models:/intro-detector/2, models:/intro-classifier@champion, "
        "runs:/<run id>, last-trained, or a "
        "folder with a detector.",
        show_default=False,
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        envvar="SKIPINTRO_CACHE",
        help="Folder for what is remembered; else the user's cache folder.",
        show_default=False,
    ),
]
SearchOption = Annotated[
    str | None,
    typer.Option(
        help="How much is looked at: whole, first-quarter, or so many seconds; else as the model "
        "was trained.",
        show_default=False,
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(help="Checkpoint file of the encoder, where it was loaded from one."),
]
BesideOption = Annotated[
    int, typer.Option(min=0, help="Episodes next to a single file that are looked at, too.")
]
JobsOption = Annotated[int, typer.Option(min=1, help="Videos that are read at once.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]

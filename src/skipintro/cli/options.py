"""Options that several commands have, with one word of help for all."""

import os
from pathlib import Path
from typing import Annotated

import typer

from skipintro.library.enums import Kind

ModelOption = Annotated[
    str | None,
    typer.Option(
        help="models:/intro-detector@champion (the default where there is one, else the detector "
        "that comes with skipintro), models:/intro-detector/2, models:/intro-classifier@champion, "
        "last-trained, or a folder with a detector.",
        show_default=False,
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        envvar="SKIPINTRO_CACHE",
        help="Folder of the cache; else the user's cache folder.",
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
DEFAULT_JOBS = min(4, os.cpu_count() or 1)  # a decoder alone seldom keeps two cores busy
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]

SoundFirstOption = Annotated[
    bool,
    typer.Option(
        "--sound-first/--thorough",
        help="Look at pictures only around what the sound proposes, where that is sure, which is "
        "several times as fast; or at all of them.",
    ),
]

# Of what is written for players, and of what is taken: `detect` and `watch`.
WriteOption = Annotated[
    list[Kind] | None,
    typer.Option(
        help="Write this beside each video; may be repeated. edl: Kodi (MPlayer with "
        "`--edl-action 0`); chapters: FFmpeg; segments: Jellyfin; json: labels to correct.",
        show_default=False,
    ),
]
MuxOption = Annotated[
    bool, typer.Option("--mux", help="Write a copy with chapters beside each MKV or MP4.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace sidecars that others wrote or changed.")
]
EdlActionOption = Annotated[
    int, typer.Option(min=0, max=3, help="0 cut, 1 mute, 3 commercial break (skipped once).")
]
MinConfidenceOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Below it, rather none than a wrong one; else as the model has it.",
        show_default=False,
    ),
]
MinLengthOption = Annotated[
    float | None, typer.Option(min=0, help="s; shorter intros are left out.", show_default=False)
]
MaxLengthOption = Annotated[
    float | None, typer.Option(min=0, help="s; longer ones too.", show_default=False)
]
SnapOption = Annotated[
    bool, typer.Option("--snap", help="Move ends to a cut or black frame within a second.")
]
PadStartOption = Annotated[
    float, typer.Option(help="s added before; negative: the skip begins later.")
]
PadEndOption = Annotated[
    float, typer.Option(help="s added after; negative: the skip ends earlier.")
]

"""`skipintro detect`: a detector at work on a library of videos."""

import logging
import os
import signal
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.cli.options import (
    BesideOption,
    CacheOption,
    DeviceOption,
    JobsOption,
    ModelOption,
    SearchOption,
    WeightsOption,
)
from skipintro.core.errors import InputError, one_line
from skipintro.library.choices import Form, Kind

if TYPE_CHECKING:
    from skipintro.episodes.search import Search
    from skipintro.library.answers import Answer
    from skipintro.library.detecting import Detection
    from skipintro.library.memory import Memory
    from skipintro.library.models import Model
    from skipintro.library.refining import Rule
    from skipintro.library.telling import Row
    from skipintro.library.walking import Series
    from skipintro.library.writing import Writer

_USAGE, _INTERRUPTED = 2, 130


def detect(
    paths: Annotated[
        list[Path], typer.Argument(help="Videos, folders of them, or patterns.", show_default=False)
    ],
    *,
    write: Annotated[
        list[Kind] | None,
        typer.Option(
            help="Write this beside each video; may be repeated. edl: Kodi (MPlayer with "
            "`--edl-action 0`); chapters: FFmpeg; segments: Jellyfin; json: labels to correct.",
            show_default=False,
        ),
    ] = None,
    mux: Annotated[
        bool, typer.Option("--mux", help="Write a copy with chapters beside each MKV or MP4.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace sidecars that others wrote or changed.")
    ] = False,
    edl_action: Annotated[
        int, typer.Option(min=0, max=3, help="0 cut, 1 mute, 3 commercial break (skipped once).")
    ] = 3,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format", help="table (on a terminal), json (else), csv or jsonl.", show_default=False
        ),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Below it, rather none than a wrong one.")
    ] = 0.0,
    min_length: Annotated[float, typer.Option(min=0, help="s; shorter intros are left out.")] = 0.0,
    max_length: Annotated[
        float, typer.Option(min=0, help="s; longer ones too.", show_default=False)
    ] = float("inf"),
    snap: Annotated[
        bool, typer.Option("--snap", help="Move ends to a cut or black frame within a second.")
    ] = False,
    pad_start: Annotated[
        float, typer.Option(help="s added before; negative: the skip begins later.")
    ] = 0.0,
    pad_end: Annotated[
        float, typer.Option(help="s added after; negative: the skip ends earlier.")
    ] = 0.0,
    model: ModelOption = None,
    search: SearchOption = None,
    beside: BesideOption = 4,
    jobs: JobsOption = 1,
    device: DeviceOption = "auto",
    encoder_weights: WeightsOption = None,
    cache: CacheOption = None,
) -> None:
    """Find the intros of a library, and write files that make players skip them.

    A second run does only what is new. Exit code 1: some videos failed, they are named.

    Example: skipintro detect /media/shows --write edl
    """
    from skipintro.library.answers import Settings
    from skipintro.library.detecting import Detection
    from skipintro.library.memory import Memory, default_folder
    from skipintro.library.refining import Rule
    from skipintro.library.telling import tell
    from skipintro.library.walking import find_series
    from skipintro.library.writing import Writer

    begin()
    looked_at = search_of(search)
    try:
        groups = find_series(paths, beside)
    except InputError as error:
        raise usage(str(error)) from error
    if not groups:
        raise usage(f"no video in {', '.join(map(str, paths))}")
    rule = Rule(
        min_confidence=min_confidence,
        min_length_s=min_length,
        max_length_s=max_length,
        snap=snap,
        pad_start_s=pad_start,
        pad_end_s=pad_end,
    )
    try:
        memory = Memory(cache or default_folder())
        settings = Settings(looked_at, device, encoder_weights, jobs)
        detection = Detection(model_of(model, memory), memory, settings)
        writer = Writer(memory, overwrite=overwrite, edl_action=edl_action)
        job = _Job(detection, memory, rule, writer, write or [], mux=mux)
        rows = job.run(groups)
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from here", err=True)
        sys.stderr.flush()
        os._exit(_INTERRUPTED)  # threads that still decode are not waited for; they write nothing
    tell(rows, form or (Form.TABLE if sys.stdout.isatty() else Form.JSON))
    job.summarise(rows)
    if any(row.fault for row in rows) or writer.written.faults:
        raise typer.Exit(1)


@dataclass
class _Job:
    """One run over a library: each series is refined and written as soon as it is answered."""

    detection: "Detection"
    memory: "Memory"
    rule: "Rule"
    writer: "Writer"
    kinds: list[Kind]
    mux: bool

    def run(self, groups: "list[Series]") -> "list[Row]":
        """Give the videos that were asked for, in the order of their series and names."""
        from skipintro.library.asking import asked_rows

        return asked_rows(self.detection, groups, self._row)

    def _row(self, answer: "Answer") -> "Row":
        from skipintro.library.asking import row_of

        row = row_of(answer, self.rule, self._snapped)
        if not row.fault:
            self.writer.write(row.finding, self.kinds, mux=self.mux)
        return row

    def _snapped(self, answer: "Answer", second: float) -> float:
        """Ask for the nearest cut once for each video and time."""
        key = f"{answer.sha256} {second} {self._cutting}"
        known = self.memory.get("snap", key)
        if known is None:
            from skipintro.library.cuts import snapped

            known = snapped(answer.video, second)
            self.memory.put("snap", key, known)
        return float(known)

    @cached_property
    def _cutting(self) -> str:
        """Give the hash of the code that finds cuts."""
        from skipintro.core.scratch import key_of

        return key_of("skipintro.library.cuts")

    def summarise(self, rows: "list[Row]") -> None:
        """Say on the error stream what was done, and name every fault."""
        written, made = self.writer.written, self.detection
        for fault in [row.fault for row in rows if row.fault] + written.faults:
            typer.echo(f"failed: {fault}", err=True)
        for place in written.kept:
            told = f"kept: {place}: not as written by an earlier run; --overwrite"
            typer.echo(one_line(told), err=True)
        for place in written.shared:
            told = f"kept: {place}: of another video of the same name; rename one of the two"
            typer.echo(one_line(told), err=True)
        n_found = sum(row.finding.interval is not None for row in rows)
        did = [
            f"{made.n_made} detected now ({made.n_decoded} decoded)" if made.n_made else "",
            f"{written.made} files written" if written.made else "",
            f"{written.removed} removed" if written.removed else "",
        ]
        told = ", ".join(filter(None, did)) or "nothing to do, all is known and in place"
        typer.echo(f"{len(rows)} videos, {n_found} with an intro; {told}", err=True)


def begin() -> None:
    """Log to the error stream; end in order when told to."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("skipintro").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def search_of(text: str | None) -> "Search | None":
    """Give what is looked at. Raises a usage error unless it is a word or a number of seconds."""
    if text is None:
        return None
    if text == "whole":
        return "whole"
    if text == "first-quarter":
        return "first-quarter"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise usage(f"--search {text}: expected whole, first-quarter or a number of seconds")


def usage(fault: str) -> typer.Exit:
    """Tell a fault of the command and give the way out, with exit code 2."""
    typer.echo(f"error: {fault}", err=True)
    return typer.Exit(_USAGE)


def model_of(wanted: str | None, memory: "Memory") -> "Model":
    """Give the model; a word of warning where it is not the one that was to be expected."""
    from skipintro.library.models import find_model

    try:
        checkout = find_checkout()
    except InputError:
        checkout = None
    model, warning = find_model(wanted, checkout, memory)
    if warning:
        typer.echo(f"warning: {warning}", err=True)
    return model

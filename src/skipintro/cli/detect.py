"""`skipintro detect`: a detector at work on a library of videos."""

import logging
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.cli.options import (
    DEFAULT_JOBS,
    BesideOption,
    CacheOption,
    DeviceOption,
    EdlActionOption,
    JobsOption,
    MaxLengthOption,
    MinConfidenceOption,
    MinLengthOption,
    ModelOption,
    MuxOption,
    OverwriteOption,
    PadEndOption,
    PadStartOption,
    SearchOption,
    SnapOption,
    SoundFirstOption,
    WeightsOption,
    WriteOption,
)
from skipintro.core.errors import InputError, one_line
from skipintro.core.interruption import check, ending_with, listen
from skipintro.library.enums import Form, Kind

if TYPE_CHECKING:
    from skipintro.episodes.search import Search
    from skipintro.library.cache import Cache
    from skipintro.library.discovery import Series
    from skipintro.library.models import Model
    from skipintro.library.output import Row
    from skipintro.library.postprocess import Rule
    from skipintro.library.results import Result, Settings
    from skipintro.library.runner import Detection
    from skipintro.library.shelf import Chosen
    from skipintro.library.sidecar_writer import Writer

_USAGE, _INTERRUPTED = 2, 130


def detect(
    paths: Annotated[
        list[Path], typer.Argument(help="Videos, folders of them, or patterns.", show_default=False)
    ],
    *,
    write: WriteOption = None,
    mux: MuxOption = False,
    overwrite: OverwriteOption = False,
    edl_action: EdlActionOption = 3,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format", help="table (on a terminal), json (else), csv or jsonl.", show_default=False
        ),
    ] = None,
    min_confidence: MinConfidenceOption = None,
    min_length: MinLengthOption = None,
    max_length: MaxLengthOption = None,
    snap: SnapOption = False,
    pad_start: PadStartOption = 0.0,
    pad_end: PadEndOption = 0.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of each episode why this interval, or none.")
    ] = False,
    model: ModelOption = None,
    search: SearchOption = None,
    sound_first: SoundFirstOption = True,
    beside: BesideOption = 4,
    jobs: JobsOption = DEFAULT_JOBS,
    device: DeviceOption = "auto",
    encoder_weights: WeightsOption = None,
    cache: CacheOption = None,
) -> None:
    """Find the intros of a library, and write files that make players skip them.

    A second run does only what is new. Exit code 1: some videos failed, they are named.

    Example: skipintro detect /media/shows --write edl
    """
    from skipintro.library.cache import Cache, default_folder
    from skipintro.library.discovery import find_series
    from skipintro.library.output import print_rows
    from skipintro.library.postprocess import Rule
    from skipintro.library.results import Settings

    begin()
    looked_at = search_of(search)
    try:
        groups = find_series(paths, beside)
    except InputError as error:
        raise usage(str(error)) from error
    if not groups:
        raise usage(f"no video in {', '.join(map(str, paths))}")
    order = Order(
        model=model,
        settings=Settings(looked_at, device, encoder_weights, jobs, sound_first),
        given=given_of(min_confidence, min_length, max_length),
        rule=Rule(snap=snap, pad_start_s=pad_start, pad_end_s=pad_end),
        kinds=write or [],
        mux=mux,
        overwrite=overwrite,
        edl_action=edl_action,
    )
    with ending_with(_INTERRUPTED, lambda: "interrupted; the same command goes on from here"):
        job = order.job(Cache(cache or default_folder()))
        rows = job.run(groups, explain=explain)
        check()
        print_rows(rows, form or (Form.TABLE if sys.stdout.isatty() else Form.JSON))
        job.summarise(rows)
    if any(row.fault for row in rows) or job.writer.written.faults:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Order:
    """The options of a command on a library."""

    model: str | None
    settings: "Settings"
    given: "Chosen"
    rule: "Rule"
    kinds: list[Kind]
    mux: bool
    overwrite: bool
    edl_action: int

    def job(self, cache: "Cache") -> "Job":
        """Return one run, with the model of this moment."""
        from skipintro.library.runner import Detection
        from skipintro.library.sidecar_writer import Writer

        model = model_of(self.model, cache)
        detection = Detection(model, cache, self.settings, self.given)
        writer = Writer(cache, overwrite=self.overwrite, edl_action=self.edl_action)
        return Job(detection, cache, self.rule, writer, self.kinds, self.mux)


@dataclass
class Job:
    """One run over a library: each series is refined and written as soon as its results exist."""

    detection: "Detection"
    cache: "Cache"
    rule: "Rule"
    writer: "Writer"
    kinds: list[Kind]
    mux: bool

    def run(self, groups: "list[Series]", *, explain: bool = False) -> "list[Row]":
        """Return the requested videos, in the order of their series and names."""
        from skipintro.library.rows import asked_rows

        rows = asked_rows(self.detection, groups, self._row, explain=explain)
        for video in self.detection.skipped:
            self.writer.withdraw(video, self.kinds, mux=self.mux)
        return rows

    def _row(self, result: "Result") -> "Row":
        from skipintro.library.rows import row_of

        row = row_of(result, self.rule, self._snapped)
        if not row.fault:
            self.writer.write(row.finding, self.kinds, mux=self.mux)
        return row

    def _snapped(self, result: "Result", second: float) -> float:
        """Return the nearest cut, computed once for each video and time."""
        key = f"{result.sha256} {second} {self._cutting}"
        known = self.cache.get("snap", key)
        if known is None:
            from skipintro.library.shot_boundaries import snapped

            known = snapped(result.video, second)
            self.cache.put("snap", key, known)
        return float(known)

    @cached_property
    def _cutting(self) -> str:
        """Return the hash of the code that finds cuts."""
        from skipintro.core.cache_dir import code_hash

        return code_hash("skipintro.library.shot_boundaries")

    def summarise(self, rows: "list[Row]") -> None:
        """Say on the error stream what was done, and name every fault."""
        from skipintro.library.output import summary

        written, made = self.writer.written, self.detection
        for fault in [row.fault for row in rows if row.fault] + written.faults:
            typer.echo(f"failed: {fault}", err=True)
        for place in written.kept:
            message = f"kept: {place}: not as written by an earlier run; --overwrite"
            typer.echo(one_line(message), err=True)
        for place in written.shared:
            message = f"kept: {place}: of another video of the same name; rename one of the two"
            typer.echo(one_line(message), err=True)
        did = [
            f"{made.n_made} detected now ({made.n_decoded} decoded)" if made.n_made else "",
            f"{written.made} files written" if written.made else "",
            f"{written.removed} removed" if written.removed else "",
            f"{len(written.faults)} files could not be written" if written.faults else "",
            f"{len(made.skipped)} left out by their settings" if made.skipped else "",
        ]
        message = ", ".join(filter(None, did)) or "nothing to do, all is known and in place"
        typer.echo(f"{summary(rows)}; {message}", err=True)


def begin() -> None:
    """Log to the error stream; end in order on a signal."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("skipintro").setLevel(logging.INFO)
    listen()


def search_of(text: str | None) -> "Search | None":
    """Return what is looked at. Raises a usage error unless it is a word or a number of seconds."""
    if text is None:
        return None
    if text == "whole":
        return "whole"
    if text == "first-quarter":
        return "first-quarter"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise usage(f"--search {text}: expected whole, first-quarter or a number of seconds")


def given_of(
    min_confidence: float | None, min_length: float | None, max_length: float | None
) -> "Chosen":
    """Return what a command sets, before all files. Raises a usage error."""
    from pydantic import ValidationError

    from skipintro.core.files import format_error
    from skipintro.library.shelf import Chosen

    try:
        return Chosen(min_confidence=min_confidence, min_length=min_length, max_length=max_length)
    except ValidationError as error:
        raise usage(f"{format_error(error)}; correct the options") from error


def usage(fault: str) -> typer.Exit:
    """Report a fault of the command and return the exit, with code 2."""
    typer.echo(f"error: {fault}", err=True)
    return typer.Exit(_USAGE)


def model_of(requested: str | None, cache: "Cache") -> "Model":
    """Return the model; a word of warning where it is not the one that was to be expected."""
    from skipintro.library.models import find_model

    try:
        checkout = find_checkout()
    except InputError:
        checkout = None
    model, warning = find_model(requested, checkout, cache)
    if warning:
        typer.echo(f"warning: {warning}", err=True)
    return model

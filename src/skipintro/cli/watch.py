"""`skipintro watch`: detects what is new in a library as it comes, until a signal ends it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skipintro.cli.detect import Order, begin, given_of, search_of, usage
from skipintro.cli.options import (
    DEFAULT_JOBS,
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
    WeightsOption,
    WriteOption,
)
from skipintro.core.errors import InputError
from skipintro.core.interruption import check, ending_with
from skipintro.library.enums import Form

if TYPE_CHECKING:
    from skipintro.library.cache import Cache
    from skipintro.library.output import Row
    from skipintro.library.watching import Turn


def watch(
    folders: Annotated[list[Path], typer.Argument(help="Folders of videos.", show_default=False)],
    *,
    settle: Annotated[
        float, typer.Option(min=0, help="s that a file must not have changed before it is read.")
    ] = 30.0,
    poll: Annotated[
        bool,
        typer.Option(
            "--poll", help="Look through the folders every 5 s: for shares that report no changes."
        ),
    ] = False,
    write: WriteOption = None,
    mux: MuxOption = False,
    overwrite: OverwriteOption = False,
    edl_action: EdlActionOption = 3,
    min_confidence: MinConfidenceOption = None,
    min_length: MinLengthOption = None,
    max_length: MaxLengthOption = None,
    snap: SnapOption = False,
    pad_start: PadStartOption = 0.0,
    pad_end: PadEndOption = 0.0,
    model: ModelOption = None,
    search: SearchOption = None,
    jobs: JobsOption = DEFAULT_JOBS,
    device: DeviceOption = "auto",
    encoder_weights: WeightsOption = None,
    cache: CacheOption = None,
) -> None:
    """Detect all of a library, and then what is new or changed in it, until a signal ends it.

    Prints a row for each video that has a new result: a table on a terminal, else a line of JSON.

    Example: skipintro watch /media/shows --write edl
    """
    from skipintro.library.alone import alone
    from skipintro.library.cache import Cache, default_folder
    from skipintro.library.postprocess import Rule
    from skipintro.library.results import Settings
    from skipintro.library.watching import turns

    begin()
    looked_at = search_of(search)
    if strange := [folder for folder in folders if not folder.is_dir()]:
        raise usage(f"{strange[0]}: no such folder; name folders of videos")
    order = Order(
        model=model,
        settings=Settings(looked_at, device, encoder_weights, jobs),
        given=given_of(min_confidence, min_length, max_length),
        rule=Rule(snap=snap, pad_start_s=pad_start, pad_end_s=pad_end),
        kinds=write or [],
        mux=mux,
        overwrite=overwrite,
        edl_action=edl_action,
    )
    places = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  links stay
    where = cache or default_folder()
    with ending_with(0, lambda: "ended; the same command goes on from here"), alone(where, "watch"):
        watcher = _Watcher(order, places, Cache(where))
        for turn in turns(places, settle_s=settle, poll=poll):
            watcher.take(turn)


class _Watcher:
    """Runs `detect` on what has changed, and prints new results."""

    def __init__(self, order: Order, places: list[Path], cache: "Cache") -> None:
        self._order, self._places, self._cache = order, places, cache
        self._printed: dict[Path, dict[str, Any]] = {}
        self._failed: Turn | None = None  # that came to nothing

    def take(self, turn: "Turn") -> None:
        """Work on one turn; a fault is printed, and the next turn repeats its videos."""
        from skipintro.library.cache import CacheUnusableError
        from skipintro.library.discovery import find_series

        turn, self._failed = turn.after(self._failed), None
        try:
            groups = turn.affected(find_series(self._places, 0))
            job = self._order.job(self._cache)
            # What was deleted meanwhile is no fault.
            rows = [row for row in job.run(groups) if not row.fault or row.finding.video.exists()]
        except CacheUnusableError:
            raise
        except InputError as error:
            check()
            self._failed = turn
            typer.echo(f"error: {error}; tried again at the next change", err=True)
            return
        self._print(rows)
        if rows:
            job.summarise(rows)
        if turn.is_everything:
            typer.echo(f"watching {', '.join(map(str, self._places))}; Ctrl-C ends it", err=True)

    def _print(self, rows: "list[Row]") -> None:
        from skipintro.library.output import print_rows

        self._printed = {video: row for video, row in self._printed.items() if video.exists()}
        new = [row for row in rows if self._printed.get(row.finding.video) != row.fields()]
        self._printed |= {row.finding.video: row.fields() for row in new}
        if new:
            print_rows(new, Form.TABLE if sys.stdout.isatty() else Form.JSONL)
            sys.stdout.flush()

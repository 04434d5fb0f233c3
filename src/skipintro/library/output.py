"""Prints what was found: a table for a person, JSON or CSV for programs."""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from skipintro.core.errors import one_line
from skipintro.episodes.annotations import format_time
from skipintro.library.enums import Form
from skipintro.sidecars.result import Finding

_FIELDS = ("video", "series", "start_s", "end_s", "confidence", "source", "note", "why", "fault")
# Characters: of a table, of its columns beside the names, and of names at least.
_WIDEST, _LEAST = 80, 10
_COLUMNS = {"start": 11, "end": 11, "confidence": 10, "source": 8}


@dataclass(frozen=True)
class Row:
    """One requested video.

    `fault` is empty where it was read; `note` says why it has no sibling, where it has none; `why`
    says why it has this interval, or none, where that was requested.
    """

    finding: Finding
    fault: str = ""
    note: str = ""
    why: str = ""

    def fields(self) -> dict[str, object]:
        """Return the columns; without an intro, the times and the confidence are None.

        A fault has no source. `further` holds the intervals after the first, where there are any.
        """
        found = self.finding
        start_s, end_s = found.interval or (None, None)
        confidence = None if found.confidence is None else round(found.confidence, 4)
        texts = (_shown(str(found.video)), _shown(found.series))
        source = None if self.fault else str(found.source)
        said = (self.note or None, self.why or None, self.fault or None)
        values = (*texts, start_s, end_s, confidence, source, *said)
        row: dict[str, object] = dict(zip(_FIELDS, values, strict=True))
        return row | ({"further": [*map(list, found.further)]} if found.further else {})

    def each_interval(self) -> list[dict[str, object]]:
        """Return the columns once for each interval; once where there is none."""
        row = self.fields()
        row.pop("further", None)
        spans = self.finding.intervals or ((None, None),)
        return [row | {"start_s": start_s, "end_s": end_s} for start_s, end_s in spans]


def print_rows(rows: Sequence[Row], form: Form) -> None:
    """Print all rows."""
    if form is Form.TABLE:
        _table(rows)
    elif form is Form.CSV:
        writer = csv.DictWriter(sys.stdout, _FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(line for row in rows for line in row.each_interval())
    elif form is Form.JSONL:
        for row in rows:
            print(json.dumps(row.fields(), ensure_ascii=False))  # noqa: T201
    else:
        print(json.dumps([row.fields() for row in rows], indent=2, ensure_ascii=False))  # noqa: T201


def _shown(name: str) -> str:
    """Return a file's name as text, also where its bytes are none."""
    return name.encode("utf-8", "backslashreplace").decode()


def summary(rows: Sequence[Row]) -> str:
    """Say in one line what came of all videos."""
    n_found = sum(row.finding.interval is not None for row in rows)
    n_failed = sum(bool(row.fault) for row in rows)
    n_none = len(rows) - n_found - n_failed
    n_alone = sum(bool(row.note) for row in rows if row.finding.interval is None)
    alone = f" ({n_alone} without siblings)" if n_alone else ""
    return (
        f"{len(rows)} videos: {n_found} with an intro, {n_none} without{alone}, {n_failed} failed"
    )


def _table(rows: Sequence[Row]) -> None:
    """Print the videos by series, within 80 columns."""
    from rich.console import Console  # noqa: PLC0415  programs do without it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("series, episode", no_wrap=True, overflow="ellipsis")
    for column, width in _COLUMNS.items():
        table.add_column(column, no_wrap=True, min_width=width)
    series = None
    for row in rows:
        found = row.finding
        if found.series != series:
            series = found.series
            table.add_row(Text(one_line(series or "(no series)"), "bold"))
        name = Text(f"  {one_line(found.video.name)}")
        if row.fault:
            table.add_row(name, Text("failed"), style="red")
        elif found.interval is None:
            table.add_row(name, Text("no intro"), "", "", found.source)
        else:
            start, end = map(format_time, found.interval)
            table.add_row(name, start, end, f"{found.confidence or 0:.2f}", found.source)
        for further in found.further:
            table.add_row("", *map(format_time, further), "", "")
        if row.note:
            table.add_row(Text(f"    {row.note}", "dim"))
    rest = sum(_COLUMNS.values()) + 2 * len(_COLUMNS)  # two blanks stand between columns
    table.columns[0].width = max(_LEAST, min(console.width, _WIDEST) - rest)
    console.print(table)
    for row in rows:
        if row.why:
            console.print(Text(f"{one_line(row.finding.video.name)}: {row.why}"), soft_wrap=True)

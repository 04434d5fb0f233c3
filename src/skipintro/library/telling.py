"""Tells what was found: a table for a person, JSON or CSV for programs."""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from skipintro.core.errors import one_line
from skipintro.episodes.annotations import clock
from skipintro.library.choices import Form
from skipintro.sidecars.finding import Finding

_FIELDS = ("video", "series", "start_s", "end_s", "confidence", "source", "fault")


@dataclass(frozen=True)
class Row:
    """One video that was asked for; `fault` is empty where it was read."""

    finding: Finding
    fault: str = ""

    def fields(self) -> dict[str, object]:
        """Give the columns; without an intro, the times and the confidence are None.

        A fault has no source.
        """
        found = self.finding
        start_s, end_s = found.interval or (None, None)
        confidence = None if found.confidence is None else round(found.confidence, 4)
        texts = (_shown(str(found.video)), _shown(found.series))
        source = None if self.fault else str(found.source)
        values = (*texts, start_s, end_s, confidence, source, self.fault or None)
        return dict(zip(_FIELDS, values, strict=True))


def tell(rows: Sequence[Row], form: Form) -> None:
    """Print all rows."""
    if form is Form.TABLE:
        _table(rows)
    elif form is Form.CSV:
        writer = csv.DictWriter(sys.stdout, _FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.fields() for row in rows)
    elif form is Form.JSONL:
        for row in rows:
            print(json.dumps(row.fields(), ensure_ascii=False))  # noqa: T201
    else:
        print(json.dumps([row.fields() for row in rows], indent=2, ensure_ascii=False))  # noqa: T201


def _shown(name: str) -> str:
    """Give a file's name as text, also where its bytes are none."""
    return name.encode("utf-8", "backslashreplace").decode()


def _table(rows: Sequence[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415  programs do without it
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table("video", "start", "end", "confidence", "source")
    for row in rows:
        found = row.finding
        name = escape(one_line(f"{found.video.parent.name}/{found.video.name}"))
        if row.fault:
            table.add_row(name, "failed", "", "", "", style="red")
        elif found.interval is None:
            table.add_row(name, "no intro", "", "", found.source)
        else:
            start, end = map(clock, found.interval)
            table.add_row(name, start, end, f"{found.confidence or 0:.2f}", found.source)
    Console().print(table)

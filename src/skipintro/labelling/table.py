"""Reads tables of labels, written by hand: `labels.csv` in a folder of videos, or above them.

Its header is `video,start,end` or `video,start,end,series`; a video is a path from the table's
folder, times are as in label files, and both empty say that there is no intro.
"""

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.episodes.labels import parse_time
from skipintro.labelling.source import Interval, interval_of, read_text

NAME = "labels.csv"
_HEADERS = (["video", "start", "end"], ["video", "start", "end", "series"])


@dataclass(frozen=True)
class Row:
    """One row of a table, and its line."""

    place: str
    video: Path
    interval: Interval | None  # None: no intro
    series: str | None


def read(path: Path) -> list[Row]:
    """Return the rows of a table.

    Raises InputError naming the line for another header, a row of another length, a video that
    occurs twice, and times that are not readable, reversed, or given by halves.
    """
    reader = csv.reader(StringIO(read_text(path), newline=""), strict=True)
    rows: list[Row] = []
    try:
        header = [cell.strip() for cell in next(reader)]
        if header not in _HEADERS:
            raise InputError(
                f"{path}: its header is {','.join(header)!r:.80}; expected "
                "`video,start,end` or `video,start,end,series`, with commas"
            )
        for cells in reader:
            if cells:
                place = f"{path}: line {reader.line_num}"
                rows.append(_row(place, path.parent, header, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: no CSV ({error}); correct it") from error
    if not rows:
        raise InputError(f"{path}: holds a header alone; write a row for each video or delete it")
    seen: dict[Path, str] = {}
    for row in rows:
        if row.video in seen:
            raise InputError(
                f"{row.place}: {row.video.name} stands in {seen[row.video]}, too; remove one"
            )
        seen[row.video] = row.place
    return rows


def _row(place: str, folder: Path, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        raise InputError(
            f"{place}: {len(cells)} cells, expected {len(header)}; correct it (a name with a comma "
            "stands in quotes)"
        )
    video, start, end, series = [*cells, ""][:4]
    if not video or "\0" in video:
        raise InputError(f"{place}: names no video; give its path from the table's folder")
    if (start == "") != (end == ""):
        raise InputError(f"{place}: one of start and end is empty; give both, or neither: no intro")
    interval = None
    start_s, end_s = (parse_time(place, text or None) for text in (start, end))
    if start_s is not None and end_s is not None:
        interval = interval_of(place, start_s, end_s)
    return Row(place, folder / video, interval, series or None)

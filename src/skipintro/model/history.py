"""The curves of a training as a file: `history.csv`, one row an epoch."""

import csv
from collections.abc import Sequence
from pathlib import Path

from skipintro.model.training import EpochRow

_FILE = "history.csv"


def write_history(folder: Path, history: Sequence[EpochRow]) -> None:
    """Write the rows."""
    with (folder / _FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["epoch", *history[0].flat()], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"epoch": row.epoch, **row.flat()} for row in history)


def read_history(folder: Path) -> list[tuple[int, dict[str, float]]]:
    """Read the rows as (epoch, figures by name)."""
    with (folder / _FILE).open(encoding="utf-8") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return [(int(row.pop("epoch")), row) for row in rows]

"""Prints the rows of a benchmark and keeps them as JSON; what several benchmarks measure."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "reports/bench"
WRITE_UP_HEAD: Mapping[str, float] = {  # a HeadConfig, less its encoder
    "length": 60,
    "dimension": 512,
    "layers": 16,
    "heads": 16,
    "feedforward": 2048,
    "dropout": 0.1,
    "position_std": 0.02,
}


def print_table(name: str, rows: Sequence[Mapping[str, float | str]]) -> None:
    """Print a table of rows with the same columns, and write `<name>.json`."""
    columns = list(rows[0])
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        words = [line[0].ljust(widths[0])]
        words += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(words), flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"

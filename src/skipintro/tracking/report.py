"""Tables on the terminal."""

from rich.console import Console
from rich.table import Table

from skipintro.tracking.promotion import Verdict


def comparison(verdict: Verdict, deciding: str) -> None:
    """Print the figures of challenger and champion side by side; the deciding one first."""
    champion = verdict.champion
    table = Table(title="challenger against champion")
    table.add_column("metric")
    table.add_column(f"version {verdict.challenger.version}", justify="right")
    table.add_column(
        "no champion yet" if champion is None else f"champion: version {champion.version}",
        justify="right",
    )
    names = [n for n in verdict.challenger.metrics if n.startswith(("episodes/", "windows/"))]
    for name in sorted(names, key=lambda n: (n != deciding, n)):
        theirs = None if champion is None else champion.metrics.get(name)
        table.add_row(
            name,
            f"{verdict.challenger.metrics[name]:.4f}",
            "" if theirs is None else f"{theirs:.4f}",
            style="bold" if name == deciding else None,
        )
    Console().print(table)

"""Tables on the terminal: versions, runs, and a challenger beside the champion."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skipintro.evaluation.gate import Candidate, GateParams, PromoteParams, Verdict

if TYPE_CHECKING:
    from skipintro.tracking.runs import Runs

_WIDTH_OF_FILES = 200  # columns without a terminal


def comparison(verdict: Verdict, gate: GateParams) -> None:
    """Print the figures of challenger and champion side by side; those that decide come first."""
    challenger, champion = verdict.challenger, verdict.champion
    table = Table(
        title="challenger against champion",
        caption=f"chosen on {gate.chooses_on}"
        + (", as in the write-up" if gate.chooses_on == "test" else "; test is a veto"),
    )
    table.add_column("metric", overflow="fold")  # a name is never cut
    table.add_column(f"version {challenger.version}", justify="right", no_wrap=True)
    table.add_column(
        "no champion yet" if champion is None else f"champion: version {champion.version}",
        justify="right",
        no_wrap=True,
    )
    theirs = {} if champion is None else champion.metrics
    deciding = gate.figures()
    others = (challenger.metrics.keys() | theirs.keys()) - set(deciding)
    for name in [*deciding, *sorted(n for n in others if "/" in n)]:  # not those of each epoch
        style = "bold" if name in deciding else None
        table.add_row(name, _figure(challenger.metrics, name), _figure(theirs, name), style=style)
    _print(table)


def versions(
    model: str, standings: Sequence[tuple[Candidate, list[str]]], gate: GateParams
) -> None:
    """Print every version of a model with the figures that decide, and who was champion when.

    They compare where the data, shown by the beginnings of their hashes, are the same.
    """
    table = Table("version", "alias", "run", "train data", "test data", title=model)
    _add_deciding(table, gate.figures())
    for candidate, aliases in standings:
        table.add_row(
            candidate.version,
            " ".join(f"@{alias}" for alias in aliases),
            candidate.run_id[:8],
            *(candidate.data_sha256[split][:8] for split in ("train", "test")),
            *(_figure(candidate.metrics, name) for name in gate.figures()),
        )
    _print(table)
    reigns = sorted((since, one.version, why) for one, _ in standings for since, why in one.reigns)
    for since, version, why in reversed(reigns):
        _print(f"{since[:16]} UTC: version {version} became champion ({escape(why)})")


def runs(found: "Runs", gates: PromoteParams) -> None:
    """Print runs with the figures that decide."""
    names = [*gates.detector.figures(), *gates.classifier.figures()]
    table = Table("run", "id", "started", "state")
    _add_deciding(table, names)
    for run in found:
        is_complete = run.data.tags.get("complete") == "true"
        table.add_row(
            run.info.run_name,
            run.info.run_id,
            f"{datetime.fromtimestamp(run.info.start_time / 1000).astimezone():%Y-%m-%d %H:%M}",
            "complete" if is_complete else run.info.status.lower(),
            *(_figure(run.data.metrics, name) for name in names),
        )
    _print(table)


def _add_deciding(table: Table, names: Iterable[str]) -> None:
    for name in names:
        table.add_column(name.replace("/", "/\n"), justify="right")


def _print(what: Table | str) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_OF_FILES)
    console.print(what)


def _figure(metrics: Mapping[str, float], name: str) -> str:
    """Return a figure as text: counts whole, the rest with four digits, nothing where it misses."""
    if name not in metrics:
        return ""
    return f"{metrics[name]:.0f}" if name.endswith("/false_alarms") else f"{metrics[name]:.4f}"

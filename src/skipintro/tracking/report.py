"""Tables on the terminal."""

from collections.abc import Sequence
from datetime import datetime

from mlflow.entities import Run
from rich.console import Console
from rich.table import Table

from skipintro.evaluation.intervals import IntervalFigures
from skipintro.evaluation.series import MacroFigures
from skipintro.tracking.live import COMPLETE_TAG
from skipintro.tracking.promotion import Candidate, GateParams, Verdict

_COUNTS = {
    name
    for figures in (IntervalFigures, MacroFigures)
    for name, field in figures.model_fields.items()
    if field.annotation is int
}
_WIDTH_OF_FILES = 200  # columns where there is no terminal to ask


def comparison(verdict: Verdict, deciding: str, *, equal_too: bool) -> None:
    """Print the figures of challenger and champion side by side; the deciding one first.

    The others follow where the two differ, or all of them with `equal_too`.
    """
    challenger, champion = verdict.challenger, verdict.champion
    table = Table(title="challenger against champion")
    table.add_column("metric", overflow="fold")  # a name is never cut
    table.add_column(f"version {challenger.version}", justify="right", no_wrap=True)
    table.add_column(
        "no champion yet" if champion is None else f"champion: version {champion.version}",
        justify="right",
        no_wrap=True,
    )
    names = {n for candidate in (challenger, champion) if candidate for n in candidate.metrics}
    others = sorted(n for n in names - {deciding} if n.startswith(("episodes/", "windows/")))
    n_left_out = 0
    for name in [deciding, *others]:
        ours, theirs = _figure(challenger, name), _figure(champion, name)
        differ = champion is not None and ours != theirs
        if name == deciding or differ or equal_too:
            table.add_row(name, ours, theirs, style="bold" if name == deciding else None)
        else:
            n_left_out += 1
    _print(table)
    if n_left_out:
        why = "without a champion's beside them" if champion is None else "equal in both"
        Console().print(f"{n_left_out} more figures, {why}: --all shows them")


def versions(standings: Sequence[tuple[Candidate, list[str]]], gate: GateParams) -> None:
    """Print every version of the model with the figures that decide.

    They compare where the test data, told by the beginning of their hash, are the same.
    """
    table = Table("version", "alias", "run", "test data", caption=_gate(gate))
    _add_deciding(table, gate)
    for candidate, aliases in standings:
        table.add_row(
            candidate.version,
            " ".join(f"@{alias}" for alias in aliases),
            candidate.run_id[:8],
            candidate.test_data_sha256[:8],
            *(_figure(candidate, name) for name in (gate.metric, gate.story_metric)),
        )
    _print(table)


def runs(found: Sequence[Run], gate: GateParams) -> None:
    """Print runs with the figures that decide."""
    table = Table("run", "id", "started", "state", caption=_gate(gate))
    _add_deciding(table, gate)
    for run in found:
        started = datetime.fromtimestamp(run.info.start_time / 1000).astimezone()
        complete = run.data.tags.get(COMPLETE_TAG) == "true"
        figures = (run.data.metrics.get(name) for name in (gate.metric, gate.story_metric))
        table.add_row(
            run.info.run_name,
            run.info.run_id,
            f"{started:%Y-%m-%d %H:%M}",
            "complete" if complete else run.info.status.lower(),
            *("" if figure is None else f"{figure:.4f}" for figure in figures),
        )
    _print(table)


def _gate(gate: GateParams) -> str:
    return f"score: {gate.metric}\nstory: {gate.story_metric}"


def _add_deciding(table: Table, gate: GateParams) -> None:
    table.add_column(f"score, {gate.min_score:g} or more", justify="right")
    table.add_column(f"story, {gate.max_story_s_per_hour:g} or less", justify="right")


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_OF_FILES)
    console.print(table)


def _figure(candidate: Candidate | None, name: str) -> str:
    """Give a figure as text: counts whole, the rest with four digits, nothing where it misses."""
    if candidate is None or name not in candidate.metrics:
        return ""
    value = candidate.metrics[name]
    return f"{value:.0f}" if name.rpartition("/")[2] in _COUNTS else f"{value:.4f}"

"""`skipintro doctor`: what this machine is, and whether it computes what others do."""

from typing import Annotated

import typer


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every hash.")] = False,
) -> None:
    """Print what a report of a fault needs: versions, processor, the arithmetic and its hashes.

    The hashes are of small pieces of the arithmetic that the project does. Portable arithmetic has
    the same ones on every x86-64 processor with AVX2 and FMA; exit code 1 where one differs.

    Example: skipintro doctor
    """
    import json

    from skipintro.core.arithmetic import faults, in_use
    from skipintro.doctor.machine import facts
    from skipintro.doctor.pieces import differing, hashes

    found = hashes()
    known, others = facts(), differing(found)
    if as_json:
        content = {**known, "faults": faults(), "pieces": found, "differing": others}
        typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
    else:
        width = max(map(len, [*known, *found]))
        for name, value in known.items():
            typer.echo(f"{name:{width}}  {value}")
        for name, value in found.items():
            typer.echo(f"{name:{width}}  {value}{'  differs' if name in others else ''}")
        if in_use() == "portable":
            for fault in faults():
                typer.echo(f"not portable: {fault}")
            typer.echo(
                f"{len(others)} of {len(found)} pieces differ from those of other machines"
                if others
                else f"all {len(found)} pieces are those of other machines"
            )
        else:
            typer.echo("fast arithmetic: other machines may make other bytes")
    if in_use() == "portable" and others:
        raise typer.Exit(1)

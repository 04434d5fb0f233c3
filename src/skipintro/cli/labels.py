"""`skipintro labels`: what can be said of label files."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.cli.suspicion import (
    DEVIATIONS,
    LENGTH_OFF_S,
    SHIFTED_LENGTH_OFF_S,
    START_OFF_S,
)

if TYPE_CHECKING:
    from skipintro.detection.contradiction import HeldOut

app = typer.Typer(no_args_is_help=True, help="Look at label files.")


@app.callback()
def _root() -> None:
    """Keep `labels` a group of commands."""


@app.command("check")
def labels_check(
    *,
    train: Annotated[Path, typer.Option(help="Label file of the train split.")],
    test: Annotated[Path, typer.Option(help="Label file of the test split.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    length_off_s: Annotated[
        float, typer.Option(min=0.001, help="s from its series' median that a length may lie.")
    ] = LENGTH_OFF_S,
    start_off_s: Annotated[
        float, typer.Option(min=0.001, help="s from its series' median that a start may lie.")
    ] = START_OFF_S,
    deviations: Annotated[
        float,
        typer.Option(
            min=0,
            help="Standard deviations of its series (told from the median absolute deviation) "
            "that a length or start may lie from the median, where that is more.",
        ),
    ] = DEVIATIONS,
    shifted_length_off_s: Annotated[
        float,
        typer.Option(
            min=0.001,
            help="s from the nearest other length of its series that a shifted label's may lie.",
        ),
    ] = SHIFTED_LENGTH_OFF_S,
) -> None:
    """Report on label files without any video: faults, corrections, windows, leaks, suspicions.

    A label is suspicious where it does not fit the others of its series, 3 episodes or more.

    Example: skipintro labels check --train data/demo/train/labels.json
    --test data/demo/test/labels.json
    """
    from skipintro.core.params import load_params
    from skipintro.episodes.annotations import span
    from skipintro.episodes.labels import read_labels
    from skipintro.review.doubts import contradictions
    from skipintro.review.label_report import report
    from skipintro.review.suspicion import SuspicionRule
    from skipintro.stages import annotate, window

    params = find_checkout() / "params.yaml"
    cut = load_params(window.Params, "window", params)
    found = report(
        {"train": train, "test": test},
        load_params(annotate.Params, "annotate", params).rule(),
        SuspicionRule(
            deviations=deviations,
            length_off_s=length_off_s,
            start_off_s=start_off_s,
            shifted_length_off_s=shifted_length_off_s,
        ),
        length=cut.length,
        stride=cut.stride,
    )
    known = {*read_labels(train), *read_labels(test)}
    doubted = [told for told in contradictions(params.parent) if told.id in known]
    if as_json:
        content = found.model_dump(exclude={"unusable", "leaked_ids"})
        content["contradicted"] = [told.model_dump(mode="json") for told in doubted]
        typer.echo(json.dumps(content, indent=2))
        return
    typer.echo(found.as_text())
    for told in doubted:
        label = "no intro" if told.label is None else span(told.label)
        says = "nothing" if told.interval is None else span(told.interval)
        typer.echo(
            f"contradicted: {told.id}: labelled {label}; a fit on other series says "
            f"{says}, confidence {told.confidence:.2f}"
        )
    if doubted:
        typer.echo(f"Look at the surest: {_frames_command(params.parent, doubted[0])}")


def _frames_command(checkout: Path, told: "HeldOut") -> str:
    from skipintro.core.files import read_model
    from skipintro.episodes.catalog import IngestManifest

    manifest = checkout / "data/ingest/manifest.json"
    ingested = read_model(IngestManifest, manifest).episodes if manifest.exists() else []
    paths = (str(checkout / e.path) for e in ingested if e.id == told.id and e.path)
    path = shlex.quote(next(paths, f"<video of {told.id}>"))
    ends = [int(second) for span in (told.label, told.interval) if span for second in span]
    seconds = " ".join(f"--at {second}" for second in dict.fromkeys(ends))
    return f"skipintro frames {path} {seconds} --out frames.png"

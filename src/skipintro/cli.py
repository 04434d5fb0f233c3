"""The command line: label files, pictures, the registry, cross-validation and the prior."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error
from skipintro.core.params import load_params

if TYPE_CHECKING:
    from skipintro.detection.contradiction import HeldOut

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Find the intro of TV episodes: labels, pictures, and the registry of detectors.",
)
labels_app = typer.Typer(no_args_is_help=True, help="Look at label files.")
app.add_typer(labels_app, name="labels")


@app.callback()
def _root() -> None:
    """Keep `skipintro` a group of commands."""


@labels_app.command("check")
def labels_check(
    *,
    train: Annotated[Path, typer.Option(help="Label file of the train split.")],
    test: Annotated[Path, typer.Option(help="Label file of the test split.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    length_off_s: Annotated[
        float, typer.Option(min=0.001, help="s from its series' median that a length may lie.")
    ] = 5.0,
    start_off_s: Annotated[
        float, typer.Option(min=0.001, help="s from its series' median that a start may lie.")
    ] = 120.0,
    deviations: Annotated[
        float,
        typer.Option(
            min=0,
            help="Standard deviations of its series (told from the median absolute deviation) "
            "that a length or start may lie from the median, where that is more.",
        ),
    ] = 3.0,
    shifted_length_off_s: Annotated[
        float,
        typer.Option(
            min=0.001,
            help="s from the nearest other length of its series that a shifted label's may lie.",
        ),
    ] = 2.0,
) -> None:
    """Report on label files without any video: faults, corrections, windows, leaks, suspicions.

    A label is suspicious where it does not fit the others of its series, 3 episodes or more.

    Example: skipintro labels check --train data/demo/train/labels.json
    --test data/demo/test/labels.json
    """
    from skipintro.episodes.label_report import report
    from skipintro.episodes.labels import read_labels
    from skipintro.episodes.suspicion import SuspicionRule
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
    doubted = [told for told in _contradicted(params.parent) if told.id in known]
    if as_json:
        content = found.model_dump(exclude={"unusable", "leaked_ids"})
        content["contradicted"] = [told.model_dump(mode="json") for told in doubted]
        typer.echo(json.dumps(content, indent=2))
        return
    typer.echo(found.as_text())
    for told in doubted:
        label = "no intro" if told.label is None else _span(told.label)
        typer.echo(
            f"contradicted: {told.id}: labelled {label}; a fit on other series says "
            f"{_span(told.interval)}, confidence {told.confidence:.2f}"
        )
    if doubted:
        typer.echo(f"Look at the surest: {_frames_command(params.parent, doubted[0])}")


def _contradicted(checkout: Path) -> "list[HeldOut]":
    """Give the labels that the last fit of a checkout contradicts; none before there is a fit."""
    from skipintro.detection.contradiction import contradicted, read_held_out
    from skipintro.stages import rank

    path = checkout / rank.OUTPUT / "held_out.json"
    if not path.exists():
        return []
    tolerance_s = load_params(rank.Params, "rank", checkout / "params.yaml").near_within_s
    return contradicted(read_held_out(path), tolerance_s)


def _frames_command(checkout: Path, told: "HeldOut") -> str:
    from skipintro.core.files import read_model
    from skipintro.episodes.catalog import IngestManifest

    manifest = checkout / "data/ingest/manifest.json"
    ingested = read_model(IngestManifest, manifest).episodes if manifest.exists() else []
    path = next((e.path for e in ingested if e.id == told.id and e.path), f"<video of {told.id}>")
    ends = [int(second) for span in (told.label, told.interval) if span for second in span]
    seconds = " ".join(f"--at {second}" for second in dict.fromkeys(ends))
    return f"skipintro frames {path} {seconds} --out frames.png"


def _span(interval: tuple[float, float] | None) -> str:
    from skipintro.episodes.annotations import clock

    return "nothing" if interval is None else f"{clock(interval[0])} to {clock(interval[1])}"


@app.command()
def frames(
    video: Annotated[Path, typer.Argument(help="Video file of an episode.")],
    at: Annotated[list[int], typer.Option(min=0, help="Second to look at; may be repeated.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
) -> None:
    """Draw the pictures on screen from 2 s before to 2 s after each given second, one row each.

    They are cut square, as an encoder sees them. For the ends of a label: the picture at its start
    is the first of the intro, the one at its end the first after it.

    Example: skipintro frames my-series/train/s01e01.mp4 --at 70 --at 85 --out frames.png
    """
    from skipintro.core.files import replacing
    from skipintro.episodes.annotations import clock
    from skipintro.episodes.frames import pictures_around
    from skipintro.evaluation.plots import contact_sheet

    if out.suffix != ".png":
        raise InputError(f"{out}: expected a name that ends in .png; correct --out")
    rows = [
        [None if one is None else (f"{second} s = {clock(second)}", one) for second, one in row]
        for row in pictures_around(video, at)
    ]
    with replacing(out) as draft:
        contact_sheet(draft, rows)
    typer.echo(out)


@app.command()
def promote(
    version: Annotated[
        str | None, typer.Option(help="Judge this version instead of the best challenger.")
    ] = None,
    every_figure: Annotated[
        bool, typer.Option("--all", help="Print all figures, those that are equal, too.")
    ] = False,
) -> None:
    """Make the best challenger the champion, if it passes the gate in params.yaml.

    Example: skipintro promote --version 2
    """
    from skipintro.tracking.promotion import GateParams
    from skipintro.tracking.promotion import promote as promote_best
    from skipintro.tracking.report import comparison
    from skipintro.tracking.store import StoreParams, connect

    os.chdir(find_checkout())
    tracking, gate = load_params(StoreParams, "track"), load_params(GateParams, "promote")
    verdict = promote_best(connect(tracking.experiment), tracking.model, gate, version)
    comparison(verdict, gate.metric, equal_too=every_figure)
    if verdict.refusals:
        for refusal in verdict.refusals:
            typer.echo(f"not promoted: {refusal}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{tracking.model} version {verdict.challenger.version} is @champion now")


@app.command()
def prior(
    checkouts: Annotated[
        list[Path], typer.Argument(help="Checkouts whose data/annotate and data/embed are made.")
    ],
    learned_from: Annotated[str, typer.Option(help="What the libraries are, in words.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("data/prior.json"),
    regularisation: Annotated[float, typer.Option(help="Of the weights, against 0.")] = 0.01,
) -> None:
    """Learn from several labelled libraries what an intro is like, for `rank.prior`.

    All labelled episodes of both splits serve; what is measured on any of them is leaked.

    Example: skipintro prior ../library-a ../library-b --learned-from "our own two libraries"
    """
    from skipintro.core.files import write_json
    from skipintro.detection.learning import learn_prior
    from skipintro.stages.rank import Params

    params = load_params(Params, "rank", find_checkout() / "params.yaml")
    learned = learn_prior(
        checkouts, params.candidates(), params.settings(), regularisation, learned_from
    )
    write_json(out, learned)
    typer.echo(f"{out}: learned from {learned.episodes} episodes of {len(checkouts)} libraries")


@app.command()
def cv(
    folds: Annotated[int, typer.Option(min=2, help="Parts that the series are cut into.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Ways to cut them.")] = 3,
) -> None:
    """Cross-validate over series on all labelled episodes; writes reports/cv.

    The head is left out: a training for each fold and seed takes hours.

    Example: skipintro cv --folds 4 --seeds 3
    """
    from skipintro.core.files import output_folder, read_model, write_json
    from skipintro.detection.labelled import labelled_episodes
    from skipintro.detection.series_files import PriorFile
    from skipintro.episodes.annotations import Annotations
    from skipintro.episodes.embeddings import EmbedManifest
    from skipintro.evaluation.cross_validation import cross_validate, markdown
    from skipintro.stages import evaluate, rank

    os.chdir(find_checkout())
    annotations = read_model(Annotations, rank.ANNOTATIONS)
    embedded = read_model(EmbedManifest, rank.EMBEDDED / "manifest.json")
    episodes = {
        labelled.episode.id: labelled
        for split in ("train", "test")
        for labelled in labelled_episodes(split, annotations, embedded, rank.EMBEDDED)
    }
    params = load_params(rank.Params, "rank")
    try:
        found = cross_validate(
            list(episodes.values()),
            base=params.candidates(),
            settings=params.settings(),
            priors=read_model(PriorFile, params.prior).priors() if params.use_prior else None,
            baseline_settings=load_params(evaluate.Params, "evaluate").baselines,
            folds=folds,
            seeds=seeds,
        )
    except ValueError as error:
        raise InputError(f"{rank.ANNOTATIONS}: {error}; choose fewer folds") from error
    table = markdown(found)
    with output_folder(Path("reports/cv")) as folder:
        write_json(folder / "cv.json", found)
        (folder / "cv.md").write_text(table, encoding="utf-8")
    typer.echo(table, nl=False)


def find_checkout() -> Path:
    """Give the checkout around the current folder, else the one that this package runs from.

    Raises InputError where there is neither.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise InputError(f"{here}: no checkout with dvc.yaml and params.yaml here; change into one")


def main() -> None:
    """Run the command line; a fault of the input is one line and exit code 1."""
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        typer.echo(f"error: {describe_os_error(error)}", err=True)
        sys.exit(1)

"""`skipintro labels`: label files made of what there is, dealt to train and test, looked at."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.cli.detect import begin
from skipintro.cli.outliers import (
    DEVIATIONS,
    LENGTH_OFF_S,
    SHIFTED_LENGTH_OFF_S,
    START_OFF_S,
)
from skipintro.core.errors import InputError, one_line
from skipintro.labelling.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skipintro.detection.label_disagreements import OutOfFoldPrediction
    from skipintro.labelling.collect import Collected
    from skipintro.labelling.deal import Episode

_MOST_NAMED = 3

app = typer.Typer(no_args_is_help=True, help="Make, split and check label files.")


@app.command("import")
def labels_import(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders of videos; single videos, too.", show_default=False),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Label file to write.")],
    kinds: Annotated[
        list[Kind] | None,
        typer.Option(
            "--from",
            help="Look at these sources alone; may be repeated. csv: `labels.csv` in a folder of "
            "videos or above; edl: Kodi's `.edl` beside a video, what it skips (actions 0 and 3); "
            "segments: Jellyfin's `.segments.json`; chapters: titles that name an opening, in the "
            "video or in `.ffmetadata` beside it.",
            show_default="all, in this order",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file at --out.")] = False,
) -> None:
    """Make a label file from files beside videos or from their chapters.

    The first source that has a video sets its times; one that differs by more than a
    second is an error. With any error nothing is written. A video without any source is left
    out.

    Example: skipintro labels import /media/shows --out labels.json
    """
    from skipintro.core.files import write_json
    from skipintro.labelling.collect import collect

    begin()
    if out.exists() and (out.is_dir() or not force):
        remedy = "name a file" if out.is_dir() else "name another file, or replace it with --force"
        raise InputError(f"{out}: exists; {remedy}")
    required = [kind for kind in Kind if not kinds or kind in kinds]
    found = collect(folders, required)
    for fault in found.faults:
        typer.echo(f"error: {one_line(fault)}", err=True)
    if found.faults:
        raise typer.Exit(1)
    for fault in found.unread:
        typer.echo(f"warning: its chapters are not read: {one_line(fault)}", err=True)
    if not found.labels:
        raise InputError(
            f"{', '.join(map(str, folders))}: no source has an intro of its {found.n_videos} "
            f"videos (looked for: {', '.join(required)}); write a labels.csv there, or run "
            "`skipintro detect --write edl` and correct what it finds"
        )
    write_json(out, found.labels)
    _print_import(found, required)
    words = ["labels", "split", str(out), *map(str, folders), "--out", f"{out.stem}-split"]
    typer.echo(f"{out} written; next: skipintro {shlex.join(words)}")


def _print_import(found: "Collected", kinds: "Sequence[Kind]") -> None:
    by_kind = ", ".join(f"{found.taken[kind]} from {kind}" for kind in kinds)
    typer.echo(
        f"{len(found.labels)} of {found.n_videos} videos labelled, of {len(found.series())} "
        f"series: {by_kind}"
    )
    if found.left_out:
        named = _named([path.name for path in found.left_out])
        typer.echo(f"{len(found.left_out)} left out, no source names them: {named}")


@app.command("split")
def labels_split(
    labels: Annotated[Path, typer.Argument(help="Label file.", show_default=False)],
    folders: Annotated[
        list[Path], typer.Argument(help="Folders with its videos.", show_default=False)
    ],
    *,
    out: Annotated[Path, typer.Option(help="New folder, to be `ingest.source`.")],
    test_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the episodes that test should have.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(help="Another number deals otherwise.")] = 0,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the videos; else they are linked.")
    ] = False,
) -> None:
    """Deal whole series to train and test, in the layout that the pipeline takes in.

    Series that hold the same video go together. The same labels, videos and seed make the same
    split.

    Example: skipintro labels split labels.json /media/shows --out my-library
    """
    from skipintro.labelling.deal import deal, equal_contents, spellings
    from skipintro.labelling.splitting import check_out, labelled_videos, write_source

    begin()
    check_out(out, folders)
    episodes, unlabelled = labelled_videos(labels, folders)
    for names in spellings(episodes):
        typer.echo(one_line(f"one series: {', '.join(map(repr, names))}"), err=True)
    equal = equal_contents(episodes)
    for same in equal:
        series = {episode.key: episode.series for episode in same}
        rest = ", ".join(map(repr, series.values()))
        typer.echo(
            one_line(
                f"same content: {', '.join(episode.id for episode in same)}; "
                + (f"{rest} go together" if len(series) > 1 else f"all of {rest}")
                + ": remove the copies"
            ),
            err=True,
        )
    dealt = deal(episodes, equal, test_share=test_share, seed=seed)
    _warn_of_extensions(episodes)
    write_source(out, dealt, copy=copy)
    _print_split(dealt)
    if unlabelled:
        named = _named([video.name for video in unlabelled])
        typer.echo(f"{len(unlabelled)} videos left out, no label names them: {named}")
    files = [word for split in dealt for word in (f"--{split}", str(out / split / "labels.json"))]
    typer.echo(f"{out} written, with {'copies of' if copy else 'links to'} the videos; next:")
    typer.echo(f"  skipintro {shlex.join(['labels', 'check', *files])}")
    typer.echo(f"  dvc exp run -S {shlex.quote(f'ingest.source={out.absolute()}')}")


def _print_split(dealt: "Mapping[str, Sequence[Episode]]") -> None:
    n_all = sum(map(len, dealt.values()))
    for split, episodes in dealt.items():
        series = list({episode.key: episode.series for episode in episodes}.values())
        typer.echo(
            one_line(
                f"{split}: {len(episodes)} episodes ({len(episodes) / n_all:.0%}) of "
                f"{len(series)} series: {', '.join(series)}"
            )
        )


def _warn_of_extensions(episodes: "Sequence[Episode]") -> None:
    """Say which videos `ingest` would not look at."""
    from skipintro.core.params import read_params_file

    try:
        taken = read_params_file(find_checkout() / "params.yaml")["ingest"]["extensions"]
    except (InputError, LookupError, TypeError):
        return
    suffixes = {episode.video.suffix.lower().lstrip(".") for episode in episodes}
    if others := sorted(suffixes - set(taken)):
        typer.echo(
            f"warning: ingest.extensions in params.yaml lacks {', '.join(others)}; add it there, "
            "or `ingest` finds no video of these episodes",
            err=True,
        )


def _named(names: "Sequence[str]") -> str:
    return one_line(", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else ""))


@app.command("check")
def labels_check(
    *,
    train: Annotated[Path, typer.Option(help="Label file of the train split.")],
    test: Annotated[Path, typer.Option(help="Label file of the test split.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    length_off_s: Annotated[
        float, typer.Option(min=0.001, help="Most s of a length from its series' median.")
    ] = LENGTH_OFF_S,
    start_off_s: Annotated[
        float, typer.Option(min=0.001, help="Most s of a start from its series' median.")
    ] = START_OFF_S,
    deviations: Annotated[
        float,
        typer.Option(
            min=0,
            help="Most standard deviations (from the median absolute deviation) of a length or "
            "start from its series' median, where that is more.",
        ),
    ] = DEVIATIONS,
    shifted_length_off_s: Annotated[
        float,
        typer.Option(
            min=0.001,
            help="Most s of a shifted label's length from the nearest other one of its series.",
        ),
    ] = SHIFTED_LENGTH_OFF_S,
) -> None:
    """Report on label files without any video: faults, corrections, windows, leaks, suspicions.

    A label is suspicious where it does not fit the others of its series, 3 episodes or more.

    Example: skipintro labels check --train data/demo/train/labels.json
    --test data/demo/test/labels.json
    """
    from skipintro.core.params import load_params
    from skipintro.episodes.annotations import format_interval
    from skipintro.episodes.corrections import CorrectionParams
    from skipintro.episodes.labels import read_labels
    from skipintro.model.params import WindowParams
    from skipintro.review.label_issues import contradictions
    from skipintro.review.label_report import report
    from skipintro.review.outliers import SuspicionRule

    params = find_checkout() / "params.yaml"
    cut = load_params(WindowParams, "window", params)
    found = report(
        {"train": train, "test": test},
        load_params(CorrectionParams, "annotate", params).rule(),
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
    doubted = [row for row in contradictions(params.parent) if row.id in known]
    if as_json:
        content = found.model_dump(exclude={"unusable", "leaked_ids"})
        content["contradicted"] = [row.model_dump(mode="json") for row in doubted]
        typer.echo(json.dumps(content, indent=2))
        return
    typer.echo(found.as_text())
    for row in doubted:
        label = ", ".join(map(format_interval, row.labels)) or "no intro"
        says = ", ".join(map(format_interval, row.intervals)) or "nothing"
        typer.echo(
            f"contradicted: {row.id}: labelled {label}; a fit on other series says "
            f"{says}, confidence {row.confidence:.2f}"
        )
    if doubted:
        typer.echo(f"Look at the surest: {_frames_command(params.parent, doubted[0])}")


def _frames_command(checkout: Path, row: "OutOfFoldPrediction") -> str:
    from skipintro.core.files import read_model
    from skipintro.episodes.catalog import IngestManifest

    manifest = checkout / "data/ingest/manifest.json"
    ingested = read_model(IngestManifest, manifest).episodes if manifest.exists() else []
    paths = (str(checkout / e.path) for e in ingested if e.id == row.id and e.path)
    path = shlex.quote(next(paths, f"<video of {row.id}>"))
    ends = [int(second) for span in (*row.labels, *row.intervals) for second in span]
    seconds = " ".join(f"--at {second}" for second in dict.fromkeys(ends))
    return f"skipintro frames {path} {seconds} --out frames.png"

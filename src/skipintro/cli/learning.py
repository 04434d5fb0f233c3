"""`skipintro learn` and `skipintro cv`: what labelled libraries teach, and how well."""

import os
from pathlib import Path
from typing import Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.core.errors import InputError


def learn_command(
    checkouts: Annotated[
        list[Path],
        typer.Argument(help="Checkouts whose data/annotate and data/fingerprint are made."),
    ],
    learned_from: Annotated[str, typer.Option(help="What the libraries are, in words.")],
    out: Annotated[Path, typer.Option(help="The folder to make, for fit.start_from.")],
) -> None:
    """Fit an opening detector on several labelled libraries, for others to start from.

    All labelled episodes of both splits serve; what is measured on any of them is leaked.

    Example: skipintro learn ../library-a ../library-b --out ../start --learned-from "our own two"
    """
    from skipintro.core.files import output_folder
    from skipintro.core.params import load_params
    from skipintro.detectors.fit_library import FitParams, learn_from_checkouts
    from skipintro.detectors.openings import save_openings

    settings = load_params(FitParams, "fit", find_checkout() / "params.yaml").learning()
    from_labels = settings.model_copy(update={"start_from": None})
    detector, n_episodes = learn_from_checkouts(checkouts, from_labels, learned_from)
    with output_folder(out) as folder:
        save_openings(folder, detector)
    typer.echo(f"{out}: learned from {n_episodes} episodes of {len(checkouts)} libraries")


def cv(
    folds: Annotated[int, typer.Option(min=2, help="Parts that the series are cut into.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Ways to cut them.")] = 3,
) -> None:
    """Cross-validate over series on all labelled episodes; writes reports/cv.

    The head is left out: a training for each fold and seed takes hours.

    Example: skipintro cv --folds 4 --seeds 3
    """
    from skipintro.core.files import output_folder, write_json
    from skipintro.core.layout import ANNOTATIONS
    from skipintro.core.params import load_params
    from skipintro.detection.dataset import read_labelled
    from skipintro.detectors.fit_library import FitParams, learn
    from skipintro.evaluation.cross_validation import cross_validate, markdown
    from skipintro.evaluation.params import EvaluationParams

    os.chdir(find_checkout())
    data = read_labelled()
    settings = load_params(FitParams, "fit").learning()
    try:
        found = cross_validate(
            data.every_episode(),
            fit=lambda rest: learn(rest, data.fingerprinted.fingerprint, settings).detector,
            baseline_settings=load_params(EvaluationParams, "evaluate").baselines,
            folds=folds,
            seeds=seeds,
        )
    except ValueError as error:
        raise InputError(f"{ANNOTATIONS}: {error}; choose fewer folds") from error
    table = markdown(found)
    with output_folder(Path("reports/cv")) as folder:
        write_json(folder / "cv.json", found)
        (folder / "cv.md").write_text(table, encoding="utf-8")
    typer.echo(table, nl=False)

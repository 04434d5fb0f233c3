"""`skipintro prior` and `skipintro cv`: what labelled libraries teach, and how well."""

import os
from pathlib import Path
from typing import Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.core.errors import InputError


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
    from skipintro.core.params import load_params
    from skipintro.detection.learning import learn_prior
    from skipintro.stages.rank import Params

    params = load_params(Params, "rank", find_checkout() / "params.yaml")
    learned = learn_prior(
        checkouts, params.candidates(), params.settings(), regularisation, learned_from
    )
    write_json(out, learned)
    typer.echo(f"{out}: learned from {learned.episodes} episodes of {len(checkouts)} libraries")


def cv(
    folds: Annotated[int, typer.Option(min=2, help="Parts that the series are cut into.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Ways to cut them.")] = 3,
) -> None:
    """Cross-validate over series on all labelled episodes; writes reports/cv.

    The head is left out: a training for each fold and seed takes hours.

    Example: skipintro cv --folds 4 --seeds 3
    """
    from skipintro.core.files import output_folder, read_model, write_json
    from skipintro.core.params import load_params
    from skipintro.detection.labelled import all_labelled
    from skipintro.detection.series_files import PriorFile
    from skipintro.evaluation.cross_validation import cross_validate, markdown
    from skipintro.stages import evaluate, rank

    os.chdir(find_checkout())
    episodes, _ = all_labelled(rank.ANNOTATIONS, rank.EMBEDDED)
    params = load_params(rank.Params, "rank")
    try:
        found = cross_validate(
            episodes,
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

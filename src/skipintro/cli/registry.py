"""`skipintro promote`, `models`, `runs`: the registry of both models, and where they came from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skipintro.cli.checkout import find_checkout
from skipintro.cli.imports import quick_imports
from skipintro.core.errors import InputError

if TYPE_CHECKING:
    from skipintro.evaluation.gate import PromoteParams
    from skipintro.experiment import TrackParams
    from skipintro.tracking.store import Store


_MODEL = typer.Option("--model", help="Which of the two; the detector if left out.")


def promote(
    version: Annotated[
        str | None, typer.Option(help="Judge this version instead of the best challenger.")
    ] = None,
    *,
    model: Annotated[str | None, _MODEL] = None,
    new_test_data: Annotated[
        bool,
        typer.Option(
            "--new-test-data",
            help="Replace a champion that was measured on other data, without comparing.",
        ),
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Make an earlier champion it again, without a gate.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it stays in the registry.")] = None,
) -> None:
    """Make the best challenger the champion, if it passes the gate in params.yaml.

    Example: skipintro promote --version 3 --rollback --reason "version 4 skips cold opens"
    """
    reason = " ".join((reason or "").split())
    if rollback != bool(reason) or (rollback and (version is None or new_test_data)):
        raise InputError(
            "--rollback needs --version and --reason, and no other option takes a reason"
        )
    with _looking() as (store, tracking, gates):
        from skipintro.tracking import promotion

        name = model or tracking.detector
        if name not in (tracking.detector, tracking.classifier):
            raise InputError(
                f"--model {name}: no such model; known are {tracking.detector} and "
                f"{tracking.classifier}"
            )
        gate = gates.detector if name == tracking.detector else gates.classifier
        fault_of, verdict = partial(_fault_of, name), None
        if rollback:
            number = str(version)
            promotion.roll_back(store, name, number, reason, fault_of)
        else:
            verdict = promotion.promote(
                store, name, gate, version, new_test_data=new_test_data, fault_of=fault_of
            )
            number = verdict.challenger.version
    if verdict is not None:
        from skipintro.cli import versions

        versions.comparison(verdict, gate)
        for refusal in verdict.refusals:
            typer.echo(f"not promoted: {refusal}", err=True)
        if verdict.refusals:
            raise typer.Exit(1)
    typer.echo(f"{name} version {number} is @champion now")


def models() -> None:
    """List the versions of both models with the figures that decide, and who was champion when.

    Example: skipintro models
    """
    with _looking() as (store, tracking, gates):
        from skipintro.tracking.promotion import list_versions as of

        found = [
            (tracking.detector, of(store, tracking.detector), gates.detector),
            (tracking.classifier, of(store, tracking.classifier), gates.classifier),
        ]
    from skipintro.cli import versions

    for one in found:
        versions.versions(*one)


def runs(
    last: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
) -> None:
    """List the runs of the experiment with the figures that decide.

    Example: skipintro runs --last 5
    """
    with _looking() as (store, _, gates):
        from skipintro.tracking.runs import find

        found = find(store, {}, n_most=last)
    from skipintro.cli import versions

    versions.runs(found, gates)


def _fault_of(model: str, version: str) -> str:
    """Return why this version of the package cannot use a registered one, nothing where it can."""
    from skipintro.core.cache_dir import code_hash
    from skipintro.core.store_address import tracking_uri
    from skipintro.library.cache import Cache, CacheUnusableError, default_folder
    from skipintro.library.models import of_registry
    from skipintro.tracking.registry import UnusableVersionError, fetch

    cache = Cache(default_folder())
    try:
        fetched = fetch(f"models:/{model}/{version}", tracking_uri(), cache.folder / "models")
    except UnusableVersionError as error:  # any other fault is not the version's
        return str(error)
    try:
        found = of_registry(*fetched, cache)
        tried = f"{found.identity} {code_hash('skipintro.detectors.videos')}"
        with found.opened() as folder:  # which reads every byte, whatever is cached
            if cache.get("usable", tried) is None:
                _load(folder)
                cache.put("usable", tried, value=True)
    except CacheUnusableError:
        raise
    except InputError as error:
        return str(error)
    finally:
        cache.close()
    return ""


def _load(folder: Path) -> None:
    """Load a detector and let go of it. Raises InputError where that cannot be done."""
    from skipintro.detection.kinds import kind_of

    if kind_of(folder) == "openings":
        from skipintro.detectors.openings import load_openings

        load_openings(folder)
        return
    import torch

    from skipintro.detection.head_detector import HeadDetector

    HeadDetector(folder, torch.device("cpu"))


@contextmanager
def _looking() -> "Iterator[tuple[Store, TrackParams, PromoteParams]]":
    """Open the checkout's store to look into it, and read what params.yaml says of it.

    A store that was never made stays so; faults of the store are reported. Work in progress
    shows on a terminal alone: MLflow takes seconds.
    """
    from rich.console import Console

    with Console(stderr=True).status("looking into MLflow's store"):
        with quick_imports():
            from skipintro.core.params import load_params
            from skipintro.core.store_address import tracking_uri, without_credentials
            from skipintro.evaluation.gate import PromoteParams
            from skipintro.experiment import TrackParams
            from skipintro.tracking.store import existing_store, translate_errors

        os.chdir(find_checkout())
        tracking, gates = load_params(TrackParams, "track"), load_params(PromoteParams, "promote")
        with translate_errors():
            store = existing_store(tracking.experiment)
            if store is None:
                shown = without_credentials(tracking_uri())
                raise InputError(f"{shown}: no such store yet; run `dvc repro` first")
            yield store, tracking, gates

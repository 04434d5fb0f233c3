"""Finds the checkout whose pipeline, models and store a command speaks of."""

from pathlib import Path

from skipintro.core.errors import InputError


def find_checkout() -> Path:
    """Return the checkout around the current folder, else the one that this package runs from.

    Raises InputError where there is neither.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[3]):
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise InputError(f"{here}: no checkout with dvc.yaml and params.yaml here; change into one")

"""Packages stand in layers: none imports a later one, so that no cycle can form among them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "skipintro"

# files → evidence → matches → intervals → players: the order of docs/design.md. A package imports
# those before it, and no later one. Entry points stand last; nothing imports them.
ORDER = (
    *("core", "origin"),
    *("video", "episodes"),  # files
    *("engines", "encoder", "evidence"),  # evidence
    *("model", "matching"),  # matches
    *("detection", "detectors", "evaluation", "experiment", "tracking"),  # intervals
    *("sidecars", "library", "labelling", "service", "review"),  # players
    *("demo", "doctor", "stages", "cli"),
)
ENTRY_POINTS = ("stages", "cli")


def package_of(file: Path) -> str:
    """Return the package of a file, or the module itself where it lies in none."""
    return file.relative_to(SOURCE).with_suffix("").parts[0]


def imported_packages(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and package of each import of ours, also of those inside functions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "skipintro" and rest:
                yield node.lineno, rest.split(".")[0]


def violations(package: str, text: str) -> list[str]:
    """Return the imports of a module that lead to a later package or to an entry point."""
    rank = ORDER.index(package)
    return [
        f"line {line}: {package} imports {other}"
        for line, other in imported_packages(text)
        if other != package and (ORDER.index(other) > rank or other in ENTRY_POINTS)
    ]


def test_every_package_has_a_place_in_the_order() -> None:
    found = {path.stem for path in SOURCE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert found - {"__init__", "__main__", "__pycache__"} == set(ORDER)


def test_no_module_imports_a_later_package_or_an_entry_point() -> None:
    found = [
        f"{file.relative_to(SOURCE)}: {what}"
        for file in sorted(SOURCE.rglob("*.py"))
        if file.name != "__init__.py" or file.parent != SOURCE
        for what in violations(package_of(file), file.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from skipintro.core.errors import InputError", []),
        ("from skipintro.video.info import VideoInfo", []),
        ("import numpy", []),
        ("from skipintro.matching.pairs import run", ["line 1: evidence imports matching"]),
        ("from skipintro import matching", ["line 1: evidence imports matching"]),
        ("import skipintro.cli", ["line 1: evidence imports cli"]),
        ("def f():\n    from skipintro.stages import fit", ["line 2: evidence imports stages"]),
    ],
)
def test_an_import_of_a_later_package_is_found_wherever_it_stands(
    text: str, expected: list[str]
) -> None:
    assert violations("evidence", text) == expected


def test_no_entry_point_imports_another_one() -> None:
    assert violations("cli", "from skipintro.stages import fit") != []

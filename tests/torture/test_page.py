"""docs/reliability.md says what the attacks say."""

import ast
import re
from pathlib import Path

from conftest import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
HERE = Path(__file__).parent


def attacks() -> set[str]:
    """Give the names of all tests that are marked with a promise."""
    return {
        node.name
        for file in sorted(HERE.glob("test_*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and any("mark.promise" in ast.unparse(mark) for mark in node.decorator_list)
    }


def test_the_page_tells_the_figures_of_every_attack_or_that_they_lack() -> None:
    rows = re.findall(r"^\| .+ \| `(test_\w+)` \| [\d,]+ \| 0 \| [\d.]+ \|$", PAGE, re.MULTILINE)
    lacking = re.findall(r"^- .+ \(`(test_\w+)`\)$", PAGE, re.MULTILINE)
    told = [*rows, *lacking]
    assert len(told) == len(set(told))
    assert set(told) == attacks()

"""Which tests stand in which file, told without running any."""

import ast
from functools import cache

from conftest import ROOT


@cache
def find_tests(file: str) -> dict[str, ast.FunctionDef]:
    """Return the tests of a file below `tests`, by name."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def exists(test: str) -> bool:
    """Tell whether there is a test, named by `file::name`."""
    file, _, name = test.partition("::")
    return (ROOT / "tests" / file).exists() and name in find_tests(file)

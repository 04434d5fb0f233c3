"""docs/reliability.md says what the attacks say, and the tests that they name are there."""

import ast
import re
from pathlib import Path

from conftest import ROOT
from torture.named import exists, find_tests

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
HERE = Path(__file__).parent
ROW = r"^\| (.+) \| `(test_\w+)` \| [\d,]+ \| 0 \| [\d.]+ \|$"
LACKING = r"^- (.+) \(`(test_\w+)`\)$"  # a promise whose attack has no figures yet


def attacks() -> dict[str, ast.FunctionDef]:
    """Return all tests that are marked with a promise, by name."""
    tests = [
        test
        for file in HERE.glob("test_*.py")
        for test in find_tests(f"torture/{file.name}").values()
    ]
    return {test.name: test for test in tests if promises(test)}


def promises(test: ast.FunctionDef) -> list[str]:
    """Return what a test is marked to attack, as a pattern: a number may stand in as a name."""
    marks = [mark for mark in test.decorator_list if isinstance(mark, ast.Call)]
    lines = [mark.args[0] for mark in marks if ast.unparse(mark.func) == "pytest.mark.promise"]
    return [
        "".join(
            re.escape(ast.literal_eval(part)) if isinstance(part, ast.Constant) else r"[\d,]+"
            for part in (line.values if isinstance(line, ast.JoinedStr) else [line])
        )
        for line in lines
    ]


def test_every_promise_of_the_page_is_attacked_in_its_words() -> None:
    told = re.findall(ROW, PAGE, re.MULTILINE) + re.findall(LACKING, PAGE, re.MULTILINE)
    names = [name for _, name in told]
    assert len(names) == len(set(names))
    assert set(names) == set(attacks())
    for promise, name in told:
        [pattern] = promises(attacks()[name])
        assert re.fullmatch(pattern, promise), f"{name} is marked with another promise"


def test_a_promise_that_a_small_run_does_not_attack_is_held_by_a_test_that_exists() -> None:
    marks = [mark for test in attacks().values() for mark in test.decorator_list]
    skips = [
        {word.arg: ast.literal_eval(word.value) for word in mark.keywords}
        for mark in marks
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.only_from"
    ]
    assert skips
    assert [skip["held_by"] for skip in skips if not exists(skip["held_by"])] == []

"""Which files a result depends on, and the keys that follow from them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from skipintro.core import code
from skipintro.core.cache_dir import code_hash
from skipintro.core.code import APART, PACKAGE, closure, hash_of_code, imports

# A package of the same name: `work` reckons by `sums`, shows by `core.progress`, and needs `later`
# and `kinds.one` in a function, `types_alone` for no result.
TOY = {
    "__init__.py": '"""A toy."""\n',
    "work.py": """
from typing import TYPE_CHECKING

from skipintro import sums
from skipintro.core.progress import (
    bar,  # shown
)

if TYPE_CHECKING:
    from skipintro.types_alone import Row

def work(row: "Row"):
    from skipintro.kinds.one import ONE  # noqa: PLC0415
    import skipintro.later
    return bar(sums.add(ONE, 1))
""",
    "sums.py": "def add(a, b):\n    return a + b\n",
    "later.py": "LATER = 1\n",
    "types_alone.py": "Row = int\n",
    "unrelated.py": "import skipintro.work\n",
    "page.py": "import skipintro.sums\n",
    "page.html.j2": "<p>page</p>\n",
    "core/__init__.py": '"""The core."""\n',
    "core/progress.py": "import skipintro.unrelated\n\nbar = print\nTOLD = 'so far'\n",
    "kinds/__init__.py": "SETTING = 1\n",
    "kinds/one.py": "ONE = 1\n",
}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "skipintro"
    for name, text in TOY.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(code, "PACKAGE", package)
    yield package
    imports.cache_clear()


def names(package: Path, *modules: str) -> list[str]:
    return [file.relative_to(package).as_posix() for file in closure(*modules)]


def edit(package: Path, name: str, before: str, after: str) -> None:
    text = (package / name).read_text(encoding="utf-8")
    assert before in text
    (package / name).write_text(text.replace(before, after), encoding="utf-8")


def test_the_closure_is_what_importing_may_run_inside_functions_too_and_no_more(toy: Path) -> None:
    assert names(toy, "skipintro.work") == [
        "kinds/__init__.py",  # says something; the other packages are docstrings
        "kinds/one.py",
        "later.py",
        "sums.py",
        "work.py",
    ]
    assert names(toy, "skipintro.sums", "skipintro.later") == ["later.py", "sums.py"]


def test_a_template_belongs_to_the_module_of_its_name(toy: Path) -> None:
    assert names(toy, "skipintro.page") == ["page.html.j2", "page.py", "sums.py"]


def test_what_is_left_out_is_not_followed(toy: Path) -> None:
    found = closure("skipintro.work", without={"skipintro.sums", "skipintro.kinds.one"})
    assert [file.name for file in found] == ["progress.py", "later.py", "unrelated.py", "work.py"]


def test_a_word_of_progress_changes_no_key_and_a_line_of_arithmetic_does(toy: Path) -> None:
    key = code_hash("skipintro.work", size=1)
    edit(toy, "core/progress.py", "so far", "until now")
    edit(toy, "unrelated.py", "work", "sums")
    assert code_hash("skipintro.work", size=1) == key
    edit(toy, "sums.py", "a + b", "a - b")
    assert code_hash("skipintro.work", size=1) != key


def test_a_template_changes_the_key_of_its_module(toy: Path) -> None:
    before = hash_of_code("skipintro.page")
    edit(toy, "page.html.j2", "page", "title")
    assert hash_of_code("skipintro.page") != before


def test_a_name_that_is_no_module_is_a_fault(toy: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"skipintro\.gone"):
        code_hash("skipintro.gone")


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_the_quick_reading_finds_the_imports_that_python_finds(file: Path) -> None:
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            waiting += ast.iter_child_nodes(node)
    wanted = {name for name in found if name.partition(".")[0] == "skipintro"}
    beyond = imports(file) - wanted  # words of comments, which are no modules
    assert wanted <= imports(file)
    places = [PACKAGE.parent.joinpath(*name.split(".")) for name in beyond]
    assert not [place for place in places if place.with_suffix(".py").is_file()]


def test_what_a_result_depends_on_is_never_reached_through_what_is_left_out_alone() -> None:
    """Only the modules that are named themselves are left out, and what nothing else imports."""
    everything = set(closure("skipintro.stages.train", without=()))
    kept = set(closure("skipintro.stages.train"))
    gone = {file.relative_to(PACKAGE).as_posix() for file in everything - kept}
    apart = {module.removeprefix("skipintro.").replace(".", "/") + ".py" for module in APART}
    # Of a run in MLflow, as all of tracking is.
    beside = {"experiment.py", "origin.py", "core/store_address.py", "core/store_faults.py"}
    assert {name for name in gone if not name.startswith("tracking/")} - apart - beside == set()

"""Which files of this package a result depends on: those that a module imports, directly or not.

The `deps` of DVC's stages and the keys of all caches come from here (`make deps`,
`code_hash`), so that no list of modules is maintained by hand.
"""

import ast
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from skipintro.core.files import sha256_of_file

PACKAGE = Path(__file__).resolve().parents[1]
# No result depends on these, whoever imports them: these are texts, and what is done around the
# work. What they import counts where another module imports it, too.
APART = frozenset(
    {
        "skipintro.core.code",  # lists the files, and is none of them
        "skipintro.core.errors",  # how a fault is shown
        "skipintro.core.progress",  # reports on work in progress
        "skipintro.core.cache_dir",  # where resumable work is
        "skipintro.core.stage",  # how a stage starts, reports and ends
        "skipintro.stages.words",  # what a stage says at its end
        "skipintro.tracking.live",  # MLflow beside a training, which goes on without it
    }
)
_BESIDE = (".html.j2", ".css", ".js")
# Of text as ruff formats it; a test holds both against Python's own parser, which takes too long
# for a command that finishes in a quarter of a second.
_FOR_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:[ ]+.*\n|\n)+", re.MULTILINE)
_IMPORT = re.compile(
    r"^ *(?:from (?P<module>skipintro[\w.]*) import (?P<names>\([^)]*\)|.+)"
    r"|import (?P<plain>skipintro[\w.]*))",
    re.MULTILINE,
)


def closure(*modules: str, without: Collection[str] = APART) -> list[Path]:
    """Return the files that importing these modules may run, sorted; also inside functions.

    Includes files of the same name beside a module (templates). Imports for types alone do not
    count, nor a package that is a docstring. `without` names modules that are left out, and not
    followed. Raises ModuleNotFoundError for a name that is no module of this package.
    """
    files: list[Path] = []
    waiting, seen = list(modules), {"", *without}
    while waiting:
        if (name := waiting.pop()) in seen:
            continue
        seen.add(name)
        if file := _file(name):
            files += _parts(file)
            waiting += [name.rpartition(".")[0], *imports(file)]
        elif name in modules:
            raise ModuleNotFoundError(f"no module of this package: {name!r}")
    return sorted(files)


def hash_of_code(*modules: str) -> dict[str, str]:
    """Return the hash of each file that results of these modules depend on, by its place."""
    return {str(f.relative_to(PACKAGE)): sha256_of_file(f) for f in closure(*modules)}


@cache
def imports(file: Path) -> frozenset[str]:
    """Return the names that a file imports from this package: modules, and names in them."""
    text = _FOR_TYPES.sub("", file.read_text(encoding="utf-8"))
    return frozenset(name for found in _IMPORT.finditer(text) for name in _names(found))


def _names(found: "re.Match[str]") -> Iterator[str]:
    if found["plain"]:
        yield found["plain"]
        return
    yield found["module"]
    for name in re.findall(r"\w+", found["names"]):
        yield f"{found['module']}.{name}"


def _file(module: str) -> Path | None:
    place = PACKAGE.parent.joinpath(*module.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _parts(file: Path) -> list[Path]:
    """Return a module and the files beside it; nothing of a package that only describes itself."""
    if file.name == "__init__.py":
        body = ast.parse(file.read_text(encoding="utf-8")).body
        return [] if all(isinstance(line, ast.Expr) for line in body) else [file]
    return [file, *(part for end in _BESIDE if (part := file.with_suffix(end)).is_file())]

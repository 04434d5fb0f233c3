"""Each command imports what it uses: none waits for a library that it does not need."""

import subprocess
import sys

import pytest

from conftest import Checkout, copy_of

pytestmark = pytest.mark.slow  # a process for each command: what it imports is the question

HEAVY = {"av", "cv2", "matplotlib", "mlflow", "open_clip", "pandas", "scipy", "sklearn", "torch"}
HEAVY |= {"timm", "torchvision"}
MLFLOW = {"mlflow", "pandas", "scipy"}  # MLflow brings the other two
LABELS = [f"data/ingest/{split}/labels.json" for split in ("train", "test")]
LOADED = """
import atexit, sys
names = set(sys.argv.pop(1).split())
atexit.register(lambda: print("LOADED", *sorted(names & set(sys.modules)), file=sys.stderr))
from skipintro.cli import main
main()
"""


@pytest.fixture(scope="module")
def checkout(reproduced: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout with a champion, in which each command has run once."""
    made = copy_of(reproduced, tmp_path_factory.mktemp("imports") / "checkout")
    made.env["XDG_CACHE_HOME"] = str(made.folder.parent / "cache")
    made.fork("skipintro", "promote")
    made.fork("skipintro", "detect", "data/ingest/train")
    return made


def loaded(checkout: Checkout, *words: str) -> tuple[int, set[str]]:
    """Run a command in a process of its own; return its exit code and the heavy imports."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, " ".join(HEAVY), *words],
        cwd=checkout.folder,
        env=checkout.env,
        capture_output=True,
        text=True,
        check=False,
    )
    [line] = [line for line in done.stderr.splitlines() if line.startswith("LOADED")]
    return done.returncode, set(line.split()[1:])


@pytest.mark.parametrize(
    ("words", "code", "allowed"),
    [
        ("--help", 0, set()),
        (f"labels check --train {LABELS[0]} --test {LABELS[1]}", 0, set()),
        ("labels import data/ingest/train --from edl --out x.json", 1, set()),  # there is none
        ("labels import data/ingest/train --from chapters --out x.json", 1, {"av"}),
        (f"labels split {LABELS[0]} data/ingest/train --out split", 0, set()),
        ("detect data/ingest/train", 0, set()),
        ("models", 0, MLFLOW),
        ("runs", 0, MLFLOW),
        ("promote", 1, MLFLOW),  # there is nothing to promote
        ("report --no-open", 0, MLFLOW),
    ],
)
def test_a_command_loads_nothing_that_it_does_not_need(
    checkout: Checkout, words: str, code: int, allowed: set[str]
) -> None:
    assert loaded(checkout, *words.split()) == (code, allowed)

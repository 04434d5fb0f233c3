"""Each command imports what it uses: none waits for a library that it does not need."""

import json
import subprocess
import sys

import pytest

from conftest import Checkout, copy_of

pytestmark = pytest.mark.slow  # a process of its own: what it imports is the question

HEAVY = {"av", "cv2", "matplotlib", "mlflow", "open_clip", "pandas", "scipy", "sklearn", "torch"}
HEAVY |= {"numpy", "timm", "torchvision"}
MLFLOW = {"mlflow", "pandas", "scipy"}  # MLflow brings the other two
LABELS = [f"data/ingest/{split}/labels.json" for split in ("train", "test")]
# Each command, its exit code, and what it may load beyond those before it.
COMMANDS: list[tuple[str, int, set[str]]] = [
    ("--help", 0, set()),
    ("detect data/ingest/train --write edl", 0, set()),
    ("labels import data/ingest/train --from edl --out x.json", 0, set()),
    (f"labels split {LABELS[0]} data/ingest/train --out split", 0, set()),
    (f"labels check --train {LABELS[0]} --test {LABELS[1]}", 0, {"numpy"}),
    ("models", 0, MLFLOW),
    ("runs", 0, set()),
    ("promote", 1, set()),  # there is nothing to promote
    ("report --no-open", 0, set()),
    ("labels import data/ingest/train --from chapters --out y.json", 1, {"av"}),  # there are none
]
ONE_AFTER_THE_OTHER = """
import json, os, sys
from skipintro.cli import main
heavy, commands = json.loads(os.environ["TOLD"])
loaded = set()
for words in commands:
    sys.argv = ["skipintro", *words.split()]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    new = {name for name in heavy if name in sys.modules} - loaded
    loaded |= new
    print("LOADED", json.dumps([words, code, sorted(new)]), file=sys.stderr)
"""


@pytest.fixture
def checkout(reproduced: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout with a champion, in which `detect` has run once."""
    made = copy_of(reproduced, tmp_path_factory.mktemp("imports") / "checkout")
    made.env["XDG_CACHE_HOME"] = str(made.folder.parent / "cache")
    made.fork("skipintro", "promote")
    made.fork("skipintro", "detect", "data/ingest/train")
    return made


def test_a_command_loads_nothing_that_it_does_not_need(checkout: Checkout) -> None:
    told = json.dumps([sorted(HEAVY), [words for words, _, _ in COMMANDS]])
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER],
        cwd=checkout.folder,
        env={**checkout.env, "TOLD": told},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("LOADED")]
    found = [json.loads(line.removeprefix("LOADED")) for line in lines]
    assert found == [[words, code, sorted(loads)] for words, code, loads in COMMANDS], done.stderr

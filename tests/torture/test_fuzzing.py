"""A fuzzer that follows the coverage, at work on every parser."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from torture.conftest import BY_A_SMALL_ONE, Attack

# Of each target. A process takes more than a second to begin, so that a quick run has those that
# test_parsers.py does not attack blindly.
CASES = {
    "labels": {"wide": 300, "full": 10_000},
    "overrides": {"wide": 300, "full": 5_000},
    "params": {"wide": 300, "full": 1_000},
    "times": {"quick": 300, "wide": 300, "full": 10_000},
    "samples": {"quick": 300, "wide": 300, "full": 5_000},
}


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris, the fuzzer, comes as a package for Linux on x86-64 alone",
)
@pytest.mark.promise(
    "A fuzzer that follows the coverage finds no traceback in what reads labels, overrides, times, "
    "params.yaml and the time stamps of packets."
)
def test_fuzzed_parsers(attack: Attack, tmp_path: Path) -> None:
    counter = tmp_path / "n_cases"
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests")))
    env = {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path), "CASES": str(counter)}
    for target, sizes in CASES.items():
        n_cases = attack.size(**sizes)
        if not n_cases:
            continue
        with attack.case(target):
            words = [sys.executable, "-m", "torture.fuzzing", target, str(n_cases)]
            done = subprocess.run(
                [*BY_A_SMALL_ONE, *words],
                env=env,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            n_tried = int.from_bytes(counter.read_bytes(), "little")
            attack.n_cases += n_tried - 1  # this one is counted
            assert done.returncode == 0, done.stderr[-900:]
            assert n_tried >= n_cases

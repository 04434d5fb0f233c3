"""Every output of every stage of the toy pipeline has the same bytes on every processor.

Begins with the `dvc repro` that other modules begin with, too.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import forked
from conftest import Checkout, copy_of
from golden_cases import GOLDEN, WRITE, Hashes, first_difference, hashes, read_golden
from skipintro.core import arithmetic
from skipintro.doctor import pieces

pytestmark = pytest.mark.slow

PIECES = "from skipintro.doctor.pieces import *; print(json.dumps(differing(hashes())))"
# The inner numbers of each product from the last to the first.
BACKWARDS = """
import numpy
from skipintro.core import products
forwards = products._multiplied
def backwards(a, b):
    return forwards(numpy.ascontiguousarray(a[..., ::-1]), numpy.ascontiguousarray(b[..., ::-1, :]))
products._multiplied = backwards
"""


@pytest.fixture(scope="module")
def found(reproduced: Checkout) -> Hashes:
    return hashes(reproduced)


def skip_where_the_machine_is_another() -> None:
    """Skip where a small piece of the arithmetic, by itself, is not what it is elsewhere."""
    if others := pieces.differing(pieces.hashes()):
        pytest.skip(f"on this machine differs: {'; '.join(others)} (`skipintro doctor`)")


def test_every_output_of_every_stage_is_the_same_on_every_machine(found: Hashes) -> None:
    """`make golden` writes what is expected anew, after a change that is meant to change bytes."""
    if os.environ.get(WRITE):
        for path, content in ((pieces.KNOWN, pieces.hashes()), (GOLDEN, found)):
            path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    told = first_difference(found, read_golden())
    if told:
        skip_where_the_machine_is_another()
    assert told is None


def test_another_order_of_one_operation_is_found_in_the_stage_that_has_it(
    reproduced: Checkout, found: Hashes, tmp_path: Path
) -> None:
    changed = copy_of(reproduced, tmp_path / "changed")
    done = forked.forks().stage("train", changed.folder, prelude=BACKWARDS)
    assert done.code == 0, done
    told = first_difference(hashes(changed), found)
    assert told is not None
    assert told.startswith("train is the first stage to differ: models/train/")
    assert "models/train/model.safetensors" in told


def test_a_kernel_that_is_allowed_more_is_found_in_the_pieces() -> None:
    """A process of its own, which takes seconds: kernels are chosen when torch is loaded."""
    if "avx512f" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        pytest.skip("this processor has no AVX-512 to allow")
    skip_where_the_machine_is_another()
    env = {**os.environ, "ATEN_CPU_CAPABILITY": "avx512"}
    done = subprocess.run(
        [sys.executable, "-c", PIECES], env=env, capture_output=True, text=True, check=True
    )
    assert "torch: over rows" in json.loads(done.stdout)


def test_the_pieces_do_not_depend_on_the_number_of_cores() -> None:
    """A process of its own, which takes seconds: it is kept to one core from its start."""
    here = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    if here is None:
        pytest.skip("this system keeps no process to one core")
    code = f"import os; os.sched_setaffinity(0, {{{here}}}); {PIECES}"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ}, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == pieces.differing(pieces.hashes())


def test_this_process_is_held_to_portable_arithmetic() -> None:
    assert arithmetic.in_use() == "portable"
    assert arithmetic.faults() == []

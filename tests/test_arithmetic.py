"""What settles how a process reckons, and what finds that it does not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from skipintro.core import arithmetic, products
from skipintro.core.errors import InputError
from skipintro.core.params import load_arithmetic

# A process of its own, since what it settles on holds to its end; it takes a second to load torch.
SETTLED = """
import sys
from skipintro.core import arithmetic
arithmetic.settle("{word}")
import numpy, torch
print(arithmetic.in_use(), torch.get_num_threads(), torch.backends.cpu.get_cpu_capability())
print(*arithmetic.faults(), sep="; ")
"""
STAGE = """
import numpy
from skipintro import stages
from skipintro.core.arithmetic import check
check("portable")
"""


def run(code: str, folder: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    source = str(Path(arithmetic.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": source, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def x86_64() -> None:
    if not arithmetic.is_x86_64():
        pytest.skip("on this processor nothing is held to AVX2")


def test_portable_overrules_what_the_environment_says_of_threads_and_kernels(
    tmp_path: Path, x86_64: None
) -> None:
    env = {"OMP_NUM_THREADS": "4", "OMP_THREAD_LIMIT": "1", "MKL_CBWR": "AUTO"}
    done = run(SETTLED.format(word="portable"), tmp_path, **env)
    assert done.stdout.splitlines() == ["portable 2 AVX2", ""], done.stderr


def test_fast_takes_away_what_a_portable_parent_has_set(tmp_path: Path) -> None:
    env = arithmetic.environment("portable") | {"OMP_NUM_THREADS": "3"}
    told, faults = run(SETTLED.format(word="fast"), tmp_path, **env).stdout.splitlines()
    assert told.startswith("fast ")
    assert "OPENBLAS_CORETYPE is None" in faults


def test_a_stage_stops_where_numpy_was_there_before_it(tmp_path: Path, x86_64: None) -> None:
    done = run(STAGE, tmp_path)
    assert done.returncode == 1
    *_, told = done.stderr.splitlines()
    assert "this process has settled on fast" in told
    assert "nothing imports numpy or torch before it" in told


def test_a_stage_takes_the_word_of_params(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("arithmetic: fast\n", encoding="utf-8")
    told = run(
        "import skipintro.stages; from skipintro.core.arithmetic import in_use; print(in_use())",
        tmp_path,
    )
    assert told.stdout == "fast\n", told.stderr


@pytest.mark.parametrize("text", ["arithmetic: quick\n", "epochs: 3\n", "arithmetic: true\n"])
def test_another_word_is_a_fault_that_names_both(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="arithmetic: expected portable or fast, got"):
        load_arithmetic(path)


def test_a_process_that_was_promised_another_arithmetic_is_told() -> None:
    with pytest.raises(InputError, match="arithmetic: fast, but this process has settled on port"):
        arithmetic.check("fast")


@pytest.mark.parametrize(
    ("left", "right"), [((7, 5), (5, 3)), ((1, 5), (5, 3)), ((3, 2, 4, 5), (3, 2, 5, 6))]
)
def test_products_and_their_gradients_are_those_of_torch(
    left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(shape, generator=generator) for shape in (left, right)]
    a, b = (one.clone().requires_grad_() for one in drawn)
    c, d = (one.clone().requires_grad_() for one in drawn)
    ours, theirs = products.product(a, b), c @ d
    given = torch.randn(ours.shape, generator=generator)
    ours.backward(given)  # type: ignore[no-untyped-call]  # torch's method
    theirs.backward(given)  # type: ignore[no-untyped-call]
    for one, other in ((ours, theirs), (a.grad, c.grad), (b.grad, d.grad)):
        assert one is not None
        assert other is not None
        torch.testing.assert_close(one, other)


def test_a_linear_layer_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(shape, generator=generator) for shape in ((2, 3, 5), (4, 5), 4))
    wanted = torch.nn.functional.linear(x, weight, bias)
    torch.testing.assert_close(products.linear(x, weight, bias), wanted)


def test_halves_of_a_product_are_the_same_ones_in_each_of_many_calls() -> None:
    a, b = (np.random.default_rng(0).standard_normal(s, np.float32) for s in ((481, 64), (64, 32)))
    made: list[NDArray[np.float32]] = [
        products.product(torch.from_numpy(a), torch.from_numpy(b)).numpy() for _ in range(20)
    ]
    assert all((one == made[0]).all() for one in made)

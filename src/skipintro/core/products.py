"""Products of matrices that are the same on every processor and any number of cores.

torch multiplies by MKL, which takes other kernels on processors that Intel has not made.
No setting changes that ("Getting Started with Conditional Numerical Reproducibility" in its guide).
In portable arithmetic numpy's OpenBLAS does it, in two fixed halves, each by one thread.
Half precision, GPUs and fast arithmetic stay torch's.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skipintro.core.arithmetic import in_use

Array = NDArray[np.float32]


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b for (m, k) and (k, n), or (..., m, k) and (..., k, n) with equal beginnings."""
    if not _is_ours(a):
        return a @ b
    made: Tensor = _Product.apply(a, b)
    return made


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return (..., n_in) as (..., n_out), as `torch.nn.functional.linear` does."""
    if not _is_ours(x):
        return torch.nn.functional.linear(x, weight, bias)
    rows = product(x.reshape(-1, x.shape[-1]), weight.t())
    return rows.view(*x.shape[:-1], len(weight)) + bias


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return torch.from_numpy(_multiplied(a.detach().numpy(), b.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = (saved.detach().numpy() for saved in ctx.saved_tensors)
        back = given.numpy()
        needs_a, needs_b = ctx.needs_input_grad
        return (
            torch.from_numpy(_multiplied(back, b.swapaxes(-1, -2))) if needs_a else None,
            torch.from_numpy(_multiplied(a.swapaxes(-1, -2), back)) if needs_b else None,
        )


def _multiplied(a: Array, b: Array) -> Array:
    made = np.empty((*a.shape[:-1], b.shape[-1]), np.float32)
    half, is_one = len(a) // 2, a.ndim == 2  # one product by rows, many by their first axis
    first, second = slice(None, half), slice(half, None)
    waiting = _second_thread().submit(
        np.matmul, a[second], b if is_one else b[second], out=made[second]
    )
    np.matmul(a[first], b if is_one else b[first], out=made[first])
    waiting.result()
    return made


@cache
def _second_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "product")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_second_thread.cache_clear)  # it is the parent's


def _is_ours(a: Tensor) -> bool:
    return a.device.type == "cpu" and a.dtype == torch.float32 and in_use() == "portable"

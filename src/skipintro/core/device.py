"""Where the arithmetic is done."""

from typing import Literal

import torch

from skipintro.core.arithmetic import in_use
from skipintro.core.errors import InputError


def choose_device(name: str) -> torch.device:
    """Return the device for `auto` (in fast arithmetic CUDA where there is one), `cpu` or `cuda`.

    Raises InputError where CUDA is requested and not available.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda is requested, but not available; use auto or cpu")
    if name == "auto":
        is_fast = in_use() == "fast"
        name = "cuda" if is_fast and torch.cuda.is_available() else "cpu"
    return torch.device(name)


Precision = Literal["fp32", "bf16"]


def choose_precision(name: Literal["auto", "fp32", "bf16"], *, is_good: bool) -> Precision:
    """Return the precision for `auto`: bf16 where that is good, fp32 elsewhere."""
    if name != "auto":
        return name
    return "bf16" if is_good else "fp32"


def has_native_bf16(device: torch.device) -> bool:
    """Whether a device computes in bf16 without going through fp32, and may."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return in_use() == "fast" and bool(torch.cpu._is_avx512_bf16_supported())


def type_of(precision: Precision) -> torch.dtype:
    """Return torch's name of a precision."""
    return torch.bfloat16 if precision == "bf16" else torch.float32

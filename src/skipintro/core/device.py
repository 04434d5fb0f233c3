"""Where the arithmetic is done."""

import torch

from skipintro.core.errors import InputError


def choose_device(name: str) -> torch.device:
    """Give the device for `auto` (CUDA where there is one), `cpu` or `cuda`.

    Raises InputError where CUDA is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda is asked for, but there is none here; use auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)

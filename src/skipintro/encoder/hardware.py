"""On which kind of device an encoder works, in which precision, and how many videos feed it."""

from typing import Literal

import torch

from skipintro.core.device import Precision, choose_device, choose_precision, has_native_bf16
from skipintro.core.errors import InputError
from skipintro.encoder import TOLERATE_BF16
from skipintro.engines.base import ComputeParams


def encoder_device(compute: ComputeParams, device: str) -> Literal["cpu", "cuda"]:
    """Return the kind of device that the engine's encoders work on.

    Ray's workers see the GPUs that they request, and no others. Raises InputError where the
    required device is not available, or not requested.
    """
    if compute.engine == "local":
        return "cuda" if choose_device(device).type == "cuda" else "cpu"
    n_gpus = compute.ray.gpus_per_worker
    if (device == "cuda") != (n_gpus > 0) and device != "auto":
        raise InputError(
            f"params.yaml: embed.device: {device}, but compute.ray.gpus_per_worker is "
            f"{n_gpus:g}; a worker has the GPUs that it requests: correct one"
        )
    return "cuda" if n_gpus > 0 else "cpu"


def encoder_precision(
    engine: str, precision: Literal["auto", "fp32", "bf16"], encoder: str, device: str
) -> Precision:
    """Return the precision for `auto`; the GPUs of a cluster are taken to have bf16."""
    is_native = (engine, device) == ("ray", "cuda") or has_native_bf16(torch.device(device))
    return choose_precision(precision, is_good=is_native and encoder in TOLERATE_BF16)


def n_at_once(device: str) -> int:
    """Return how many videos feed an encoder here: a CPU's needs as many cores as decoding."""
    n_threads = torch.get_num_threads()
    return n_threads if device == "cuda" else max(1, n_threads // 2)

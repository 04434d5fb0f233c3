"""Which engine embeds the videos, on which kind of device, and in which precision."""

from typing import Literal

import torch

from skipintro.core.device import Precision, choose_device, choose_precision, has_native_bf16
from skipintro.core.errors import InputError
from skipintro.encoder import TOLERATE_BF16
from skipintro.encoder.engine import EncoderSpec, Engine, LocalEngine, RayParams


def engine_device(engine: str, device: str, ray: RayParams) -> Literal["cpu", "cuda"]:
    """Give the kind of device that the engine's encoders work on.

    Ray's workers see the GPUs that they ask for, and no others. Raises InputError where the
    device that is wanted is not there, or is not asked for.
    """
    if engine == "local":
        return "cuda" if choose_device(device).type == "cuda" else "cpu"
    if (device == "cuda") != (ray.gpus_per_worker > 0) and device != "auto":
        raise InputError(
            f"params.yaml: embed.device: {device}, but embed.ray.gpus_per_worker is "
            f"{ray.gpus_per_worker:g}; a worker has the GPUs that it asks for: correct one"
        )
    return "cuda" if ray.gpus_per_worker > 0 else "cpu"


def engine_precision(
    engine: str, precision: Literal["auto", "fp32", "bf16"], encoder: str, device: str
) -> Precision:
    """Give the precision for `auto`; the GPUs of a cluster are taken to have bf16."""
    is_native = (engine, device) == ("ray", "cuda") or has_native_bf16(torch.device(device))
    return choose_precision(precision, is_good=is_native and encoder in TOLERATE_BF16)


def n_at_once(device: str) -> int:
    """Give how many videos feed an encoder here: a CPU's wants as many cores as decoding does."""
    n_threads = torch.get_num_threads()
    return n_threads if device == "cuda" else max(1, n_threads // 2)


def open_engine(engine: str, spec: EncoderSpec, ray: RayParams) -> Engine:
    """Give the engine `local` or `ray`. Raises InputError where Ray is not installed."""
    if engine == "local":
        return LocalEngine(spec, n_at_once(spec.device))
    try:
        from skipintro.encoder.ray_engine import RayEngine  # noqa: PLC0415  optional, and slow
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise InputError(
            "params.yaml: embed.engine: ray is not installed; run `uv pip install -c "
            "requirements.lock --editable '.[cluster]'`, or set embed.engine: local"
        ) from error
    return RayEngine(spec, ray)

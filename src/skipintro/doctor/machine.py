"""What a machine is, as far as results depend on it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from skipintro.core.arithmetic import in_use

_CPU_INFO = Path("/proc/cpuinfo")
_FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile")
_PACKAGES = (
    *("skipintro", "numpy", "scipy", "scikit-learn", "torch", "av"),
    *("opencv-python-headless", "pillow", "matplotlib", "dvc", "mlflow"),
)


def facts() -> dict[str, str]:
    """Return processor, cores, system, versions and the arithmetic in use, by name."""
    model, features = _processor()
    return {
        "processor": model,
        "features": " ".join(features) or "unknown",
        "cores": str(_n_cores()),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "arithmetic": in_use(),
    }


def _processor() -> tuple[str, list[str]]:
    """Return the model and those of its features that choose kernels; Linux alone lists them."""
    if not _CPU_INFO.exists():
        return platform.processor() or platform.machine(), []
    lines = (line.partition(":") for line in _CPU_INFO.read_text("utf-8").splitlines())
    known = {name.strip(): value.strip() for name, _, value in lines}
    flags = known.get("flags", "").split()
    return known.get("model name", platform.machine()), [
        name for name in _FEATURES if name in flags
    ]


def _n_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

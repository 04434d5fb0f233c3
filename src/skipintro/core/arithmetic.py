"""The arithmetic of a process: the same bytes on every x86-64 processor with AVX2 and FMA, or fast.

Libraries choose their kernels by processor, and split sums by the number of cores. `portable` holds
them to AVX2, one way to multiply matrices and a fixed number of threads; `fast` lets them take all
that the processor has (AVX-512, bf16, a GPU). They read the environment when they are loaded, so
`settle` has to come before the first import of numpy or torch, and this module imports neither.
Child processes inherit what it sets.
"""

import os
import platform
import sys
from typing import Any, Literal, cast, get_args

from skipintro.core.errors import InputError

Arithmetic = Literal["portable", "fast"]

VARIABLE = "SKIPINTRO_ARITHMETIC"  # of a process that has settled, and of commands without params
N_THREADS = 2  # that sums are split among, on one core and on sixteen

_FEATURES = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4"
_PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # its convolutions
    "MKL_CBWR": "AVX2,STRICT",  # its matrix products: Intel's processors alone keep to it
    "OPENBLAS_CORETYPE": "Haswell",  # matrix products of numpy and scipy
    "NPY_DISABLE_CPU_FEATURES": _FEATURES,  # all beyond AVX2 that some numpy knows
    "OMP_NUM_THREADS": str(N_THREADS),
    "MKL_NUM_THREADS": str(N_THREADS),
    "OPENBLAS_NUM_THREADS": "1",  # OpenBLAS caps other values at the core count
    "OMP_DYNAMIC": "FALSE",
    "MKL_DYNAMIC": "FALSE",
}
# What would overrule these.
_REMOVED = (
    "DNNL_MAX_CPU_ISA",
    "GOTO_NUM_THREADS",
    "MKL_DOMAIN_NUM_THREADS",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_ENABLE_CPU_FEATURES",
    "OMP_THREAD_LIMIT",
)
_LIBRARIES = ("numpy", "torch")


def environment(arithmetic: Arithmetic) -> dict[str, str]:
    """Return the variables that set a fresh process to this arithmetic."""
    return {VARIABLE: arithmetic, **(_PORTABLE if arithmetic == "portable" else {})}


_has_settled = False


def settle(arithmetic: Arithmetic) -> None:
    """Set the arithmetic of this process and its children; the first call decides.

    Does nothing where a library is loaded: `faults` reports whether the process has it.
    """
    global _has_settled  # noqa: PLW0603  as the environment is of the whole process
    if _has_settled or any(name in sys.modules for name in _LIBRARIES):
        return
    _has_settled = True
    if arithmetic == "portable":
        for name in _REMOVED:
            os.environ.pop(name, None)
    elif in_use() == "portable":  # of a parent
        for name in _PORTABLE:
            os.environ.pop(name, None)
    os.environ.update(environment(arithmetic))


def in_use() -> Arithmetic:
    """Return what this process has settled on; what has settled on nothing is as fast as it is."""
    return "portable" if os.environ.get(VARIABLE) == "portable" else "fast"


def of_environment() -> Arithmetic:
    """Return the arithmetic that the environment sets; the default is portable.

    Raises InputError for an unknown word.
    """
    return known(os.environ.get(VARIABLE) or "portable", VARIABLE)


def known(word: object, place: str) -> Arithmetic:
    """Return a word that was read at a place. Raises InputError for an unknown one."""
    if word not in get_args(Arithmetic):
        raise InputError(f"{place}: expected portable or fast, got {word!r}; correct it")
    return cast(Arithmetic, word)


def check(required: Arithmetic) -> None:
    """Raise InputError where this process does not use the required arithmetic."""
    found = faults() if required == "portable" else []
    if in_use() != required:
        found.insert(0, f"this process has settled on {in_use()}")
    if found:
        raise InputError(
            f"params.yaml: arithmetic: {required}, but {'; '.join(found)}. Run it as in dvc.yaml, "
            "where nothing imports numpy or torch before it, or set arithmetic: fast"
        )


def faults() -> list[str]:
    """Return in words what of this process is not portable; of libraries, as far as loaded.

    On other processors than x86-64 nothing is detected; expect other bytes.
    """
    if not is_x86_64():
        return []
    found = [
        f"{name} is {os.environ.get(name)!r}, not {value!r}"
        for name, value in _PORTABLE.items()
        if os.environ.get(name) != value
    ]
    found += [f"{name} is set" for name in _REMOVED if name in os.environ]
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        built = numpy._core._multiarray_umath
        features, kernels_of = built.__cpu_features__, set(built.__cpu_dispatch__)
        found += [
            f"numpy uses {name}"
            for name in _FEATURES.split()
            if name in kernels_of and features[name]
        ]
        if not (features["AVX2"] and features["FMA3"]):
            found.append("this processor lacks AVX2 or FMA")
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        if (kernels := torch.backends.cpu.get_cpu_capability()) != "AVX2":
            found.append(f"torch uses {kernels}")
        if (n_threads := torch.get_num_threads()) != N_THREADS:
            found.append(f"torch uses {n_threads} threads, not {N_THREADS}")
    return found


def is_x86_64() -> bool:
    """Return whether this is a processor whose bytes are promised."""
    return platform.machine().lower() in {"x86_64", "amd64"}

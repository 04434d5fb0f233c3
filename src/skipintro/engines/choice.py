"""Opens the engine that params.yaml names."""

from skipintro.core.errors import InputError
from skipintro.engines.base import ComputeParams, Engine, OriginT, Spec
from skipintro.engines.local import LocalEngine


def open_engine(compute: ComputeParams, spec: Spec[OriginT]) -> Engine[OriginT]:
    """Return the engine for a spec. Raises InputError where Ray is required and not installed."""
    if compute.engine == "local":
        return LocalEngine(spec, spec.n_at_once)
    try:
        from skipintro.engines.ray_engine import RayEngine  # noqa: PLC0415  optional, and slow
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise InputError(
            "params.yaml: compute.engine: ray is not installed; run `uv pip install -c "
            "requirements.lock --editable '.[cluster]'`, or set compute.engine: local"
        ) from error
    return RayEngine(spec, compute.ray)

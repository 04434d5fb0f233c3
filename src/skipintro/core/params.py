"""Reads `params.yaml`, the only source of what affects results."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from skipintro.core.errors import InputError
from skipintro.core.files import first_fault

PARAMS_FILE = Path("params.yaml")
SECTIONS = (
    "demo",
    "ingest",
    "annotate",
    "embed",
    "window",
    "train",
    "rank",
    "evaluate",
    "track",
    "promote",
)
# Stands at the top level, so that `dvc exp run -S epochs=40` works as written.
TOP_LEVEL = ("epochs",)
# These shape no result: the same experiment with another gate is the same.
_NOT_RESULTS = ("track", "promote")
# Nor do these of a section: where embeddings are computed changes no byte of them.
_NOT_RESULTS_OF = {"embed": ("engine", "ray")}


class StageParams(BaseModel):
    """Base of every params class: no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, field: ValidationInfo) -> Any:
        wanted = cls.model_fields[str(field.field_name)].annotation
        if isinstance(value, bool) and wanted is not bool:  # pydantic would take `yes` as 1
            raise ValueError("expected a number or text, not true or false")
        return value


P = TypeVar("P", bound=StageParams)


def read_params_file(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Give the whole of `params.yaml` as a mapping of sections.

    Raises InputError for a missing file, broken YAML, and unknown or missing sections.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run this in the root of the checkout") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or no such date
        fault = " ".join(str(error).split())
        raise InputError(f"{path}: not valid YAML: {fault}; correct it") from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected a mapping of sections, got {type(content).__name__}; restore it"
        )
    known = SECTIONS + TOP_LEVEL
    for key in content:
        if key not in known:
            raise InputError(
                f"{path}: unknown key {key!r}; correct or remove it (known: {', '.join(known)})"
            )
    return content


def flat_params(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Give all that shapes a result as `{"epochs": 20, "train.seed": 0, …}`.

    Raises InputError as `read_params_file` does.
    """
    content = {k: v for k, v in read_params_file(path).items() if k not in _NOT_RESULTS}
    for section, keys in _NOT_RESULTS_OF.items():
        if isinstance(values := content.get(section), dict):
            content[section] = {k: v for k, v in values.items() if k not in keys}
    return dict(_flat("", content))


def load_params(model: type[P], section: str, path: Path = PARAMS_FILE) -> P:
    """Give one validated section; a field that stands at the top level is taken from there.

    Raises InputError naming file, key, value and remedy.
    """
    content = read_params_file(path)
    values = content.get(section)
    if not isinstance(values, dict):
        raise InputError(f"{path}: section {section!r} is missing or no mapping; restore it")
    for key in values:
        if key not in model.model_fields or key in TOP_LEVEL:
            known = ", ".join(name for name in model.model_fields if name not in TOP_LEVEL)
            raise InputError(
                f"{path}: {section}.{key}: unknown key; correct or remove it (known: {known})"
            )
    top = {key: content[key] for key in TOP_LEVEL if key in model.model_fields and key in content}
    try:
        return model.model_validate({**values, **top})
    except ValidationError as error:
        fault = first_fault(error, section, TOP_LEVEL)
        raise InputError(f"{path}: {fault}; correct it") from error


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, inner)
    else:
        yield prefix, value

"""Reads `params.yaml`, the only source of what affects results."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from skipintro.core.arithmetic import Arithmetic, known
from skipintro.core.errors import InputError
from skipintro.core.files import format_error

PARAMS_FILE = Path("params.yaml")
SECTIONS = (
    "demo",
    "ingest",
    "annotate",
    "embed",
    "fingerprint",
    "window",
    "train",
    "fit",
    "evaluate",
    "track",
    "promote",
)
# Read together with a section: `epochs`, so that `dvc exp run -S epochs=40` works as written, and
# what stages share.
TOP_LEVEL = ("epochs", "arithmetic", "dataset", "compute")
# These shape no result: the same experiment with another gate, or made elsewhere, is the same.
_NOT_RESULTS = ("compute", "track", "promote")


class StageParams(BaseModel):
    """Base of every params class: no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, field: ValidationInfo) -> Any:
        expected = cls.model_fields[str(field.field_name)].annotation
        if isinstance(value, bool) and expected is not bool:  # pydantic would take `yes` as 1
            raise ValueError("expected a number or text, not true or false")
        return value


P = TypeVar("P", bound=StageParams)

_MOST_BYTES = 1 << 18  # of the file
_MOST_VALUES = 10_000  # with every alias written out
_LONGEST_NUMBER = 40  # characters
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
# What PyYAML raises for text that is no YAML, or whose tags do not fit their values.
_YAML_FAULTS = (
    yaml.YAMLError,
    ValueError,  # also: no UTF-8, or no such date
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)


def read_params_file(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Return the whole of `params.yaml` as a mapping of sections.

    Raises InputError for a missing file, broken YAML, and unknown or missing sections.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        content = _parsed(text)
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run this in the root of the checkout") from None
    except _YAML_FAULTS as error:
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
    """Return all that shapes a result as `{"epochs": 20, "train.seed": 0, …}`.

    Raises InputError as `read_params_file` does.
    """
    content = read_params_file(path).items()
    return dict(_flat("", {key: value for key, value in content if key not in _NOT_RESULTS}))


def load_arithmetic(path: Path = PARAMS_FILE) -> Arithmetic:
    """Return the arithmetic of the file. Raises InputError as `read_params_file` does."""
    return known(read_params_file(path).get("arithmetic"), f"{path}: arithmetic")


def load_params(model: type[P], section: str, path: Path = PARAMS_FILE) -> P:
    """Return one validated section; a field of the top level is taken from there.

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
        fault = format_error(error, section, TOP_LEVEL)
        raise InputError(f"{path}: {fault}; correct it") from error


def _parsed(text: bytes) -> Any:
    """Parse one YAML document of a size that a person would write."""
    if len(text) > _MOST_BYTES:
        raise ValueError(f"larger than {_MOST_BYTES >> 10} kB")
    loader = yaml.SafeLoader(text.decode())
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES} values, its aliases written out")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Count the values with every alias written out; endless is one that holds itself.

    Raises ValueError for a key that occurs twice and for a number that no setting has.
    """
    if id(node) not in sizes:
        sizes[id(node)] = _MOST_VALUES
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            names = Counter(k.value for k, _ in node.value if isinstance(k, yaml.ScalarNode))
            for name, n_times in names.most_common(1):
                if n_times > 1:
                    raise ValueError(f"the key {name!r:.80} occurs twice")
            inner = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif node.tag in {_INT, _FLOAT} and len(node.value) > _LONGEST_NUMBER:
            raise ValueError(f"the number {node.value:.40}… is too long")
        sizes[id(node)] = 1 + sum(_size(part, sizes) for part in inner)
    return sizes[id(node)]


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, inner)
    else:
        yield prefix, value

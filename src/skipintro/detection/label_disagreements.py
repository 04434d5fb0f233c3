"""Labels that the fit contradicts when their series is held out."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from skipintro.core.errors import InputError
from skipintro.detection.episode import Interval


class OutOfFoldPrediction(BaseModel):
    """What a fit on other series says of a train episode, beside its label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    series: str
    label: Interval | None  # None: no intro
    interval: Interval | None
    confidence: float | None

    def error_s(self) -> float:
        """How far the farther end lies from the label's; without a label the whole interval."""
        if self.interval is None:
            return 0.0
        if self.label is None:
            return self.interval[1] - self.interval[0]
        return max(abs(a - b) for a, b in zip(self.interval, self.label, strict=True))


HELD_OUT = TypeAdapter(list[OutOfFoldPrediction])


def read_out_of_fold(path: Path) -> list[OutOfFoldPrediction]:
    """Read what the fit stage wrote. Raises InputError where it is something else."""
    try:
        return HELD_OUT.validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path}: not what this version writes; run `dvc repro fit`") from error


def contradicted(
    held_out: Iterable[OutOfFoldPrediction], tolerance_s: float
) -> list[OutOfFoldPrediction]:
    """Return the episodes with another predicted interval, the surest first."""
    found = [one for one in held_out if one.error_s() > tolerance_s]
    return sorted(found, key=lambda one: (-(one.confidence or 0.0), one.id))

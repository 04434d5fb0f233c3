"""Labels that the fit contradicts when their series is held out."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from skipintro.core.errors import InputError
from skipintro.detection.episode import Interval, all_of


class OutOfFoldPrediction(BaseModel):
    """What a fit on other series says of a train episode, beside its label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    series: str
    label: Interval | None  # None: no intro
    interval: Interval | None
    confidence: float | None
    further_label: tuple[Interval, ...] = Field(default=(), exclude_if=lambda found: not found)
    further: tuple[Interval, ...] = Field(default=(), exclude_if=lambda found: not found)

    @property
    def labels(self) -> tuple[Interval, ...]:
        """All labelled intervals; () where there is no intro."""
        return all_of(self.label, self.further_label)

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """All predicted intervals; () where there is none."""
        return all_of(self.interval, self.further)

    def error_s(self) -> float:
        """How far the farther end lies from the label's; without a label the whole interval.

        Of several intervals the worst one counts, each beside the label that is nearest to it.
        """
        return max((self._error_s(interval) for interval in self.intervals), default=0.0)

    def _error_s(self, interval: Interval) -> float:
        apart = [max(abs(a - b) for a, b in zip(interval, one, strict=True)) for one in self.labels]
        return min(apart, default=interval[1] - interval[0])


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

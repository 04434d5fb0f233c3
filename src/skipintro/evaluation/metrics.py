"""All figures of one evaluation: the write-up's table on windows, and intervals of episodes."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from skipintro.core.arithmetic import Arithmetic
from skipintro.detection.episode import Interval
from skipintro.detection.folder import DetectionConfig, HeadDetectorConfig
from skipintro.detection.kinds import Kind
from skipintro.detectors.openings import OpeningConfig
from skipintro.episodes.embeddings import EmbeddingConfig, EncoderIdentity
from skipintro.evaluation.comparison import Comparison
from skipintro.evaluation.intervals import IntervalFigures, f1_within, story_s_per_hour
from skipintro.evaluation.results import Outcome, temporal_iou
from skipintro.evaluation.series import MacroFigures
from skipintro.model.metrics import BinaryMetrics

HEADLINE = "all_without_leaked"  # the part of the test episodes whose figures represent all


class EpisodeResult(BaseModel):
    """One whole episode: truth, prediction, and the probability of every second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    series: str
    seen: bool
    leaked: bool
    n_seconds: int
    truth: Interval | None  # None: no intro; of several the first
    predicted: Interval | None
    further_truth: tuple[Interval, ...] = Field(default=(), exclude_if=lambda found: not found)
    further_predicted: tuple[Interval, ...] = Field(default=(), exclude_if=lambda found: not found)
    confidence: float | None
    iou: float | None  # None where there is no intro
    probabilities: list[float]


class WindowTable(BaseModel):
    """The write-up's table; frames that are in several windows count in each.

    It shows how well a head separates an intro from the film after it, both in equal shares, in
    series that it mostly knows. It does not say whether a viewer's skip is right: most of an
    episode is never in these windows, and no interval is required.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: BinaryMetrics
    test: BinaryMetrics
    test_without_leaked: BinaryMetrics | None  # None: too few frames are left


class SliceFigures(BaseModel):
    """The detector on one part of the test episodes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intervals: IntervalFigures
    macro: MacroFigures


class Headline(BaseModel):
    """The numbers that matter of any detector, without leaked episodes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    f1_within_1s: float | None
    f1_within_3s: float | None
    mean_iou: float | None
    story_s_per_hour: float | None
    false_alarms: int


class HeldOutFigures(BaseModel):
    """What the fit gets on train episodes whose series it has not seen: what is chosen by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    f1_within_3s: float | None
    story_s_per_hour: float | None


class Metrics(BaseModel):
    """All figures of one evaluation; `episodes` by part, `detectors` by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: WindowTable
    held_out: HeldOutFigures  # of the opening detector
    episodes: dict[str, SliceFigures]
    detectors: dict[str, Headline]

    def of_detector(self, kind: Kind) -> dict[str, float]:
        """Return the few figures by which runs compare a detector; those that are None miss."""
        held_out = self.held_out.model_dump() if kind == "openings" else {}
        hours = {"hours": self.episodes[HEADLINE].intervals.hours}
        return _named("detector/held_out", held_out) | _named(
            "detector/test", self.detectors[kind].model_dump() | hours
        )

    def of_classifier(self) -> dict[str, float]:
        """Return the write-up's figures on windows, and those of whole episodes."""
        rows = {name: row.model_dump() for name, row in self.windows if row is not None}
        found = _named("classifier/test", self.detectors["head"].model_dump())
        for name, row in rows.items():
            found |= _named(f"windows/{name}", row)
        return found


class EvaluateManifest(BaseModel):
    """The inputs of the evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: Kind  # the one whose intervals a player gets
    head: DetectionConfig
    openings: OpeningConfig
    encoder: EncoderIdentity
    embedding: EmbeddingConfig
    test_data_sha256: str  # of test videos, corrected labels, and what is leaked; no encoder in it
    train_data_sha256: str  # of train videos and corrected labels
    leaked: list[str]
    left_out: dict[str, str]
    arithmetic: Arithmetic
    versions: dict[str, str]

    def head_config(self) -> HeadDetectorConfig:
        """Return what the folder of the evaluated head says of it."""
        return HeadDetectorConfig(head=self.head, embedding=self.embedding)


def metrics_of(
    windows: WindowTable, held_out: Sequence[Outcome], comparison: Comparison, detector: str
) -> Metrics:
    """Pick the figures of the detector that counts, and the headlines of all."""
    return Metrics(
        windows=windows,
        held_out=HeldOutFigures(
            f1_within_3s=f1_within(held_out, tolerance_s=3.0),
            story_s_per_hour=story_s_per_hour(held_out),
        ),
        episodes={
            row.slice_name: SliceFigures(intervals=row.figures, macro=row.macro)
            for row in comparison.rows
            if row.detector == detector
        },
        detectors={
            row.detector: Headline(
                f1_within_1s=row.figures.within_1s.f1,
                f1_within_3s=row.figures.within_3s.f1,
                mean_iou=row.figures.mean_iou,
                story_s_per_hour=row.figures.story_s_per_hour,
                false_alarms=row.figures.false_alarms,
            )
            for row in comparison.rows
            if row.slice_name == HEADLINE
        },
    )


def tables(
    comparison: Comparison, results: Sequence[EpisodeResult]
) -> dict[str, dict[str, list[Any]]]:
    """Return columns for MLflow's tables: all detectors on all parts, and the episodes."""
    rows = [
        {
            "detector": row.detector,
            "part": row.slice_name,
            "episodes": row.figures.episodes,
            "f1_within_1s": row.figures.within_1s.f1,
            "f1_within_3s": row.figures.within_3s.f1,
            "useful_f1": row.figures.useful.f1,
            "mean_iou": row.figures.mean_iou,
            "story_s_per_hour": row.figures.story_s_per_hour,
            "false_alarms": row.figures.false_alarms,
        }
        for row in comparison.rows
    ]
    left_out = {"probabilities", "further_truth", "further_predicted"}
    episodes = [one.model_dump(mode="json", exclude=left_out) for one in results]
    for one in episodes:
        for name in ("truth", "predicted"):
            one[f"{name}_start_s"], one[f"{name}_end_s"] = one.pop(name) or (None, None)
    return {"comparison": _columns(rows), "episodes": _columns(episodes)}


def results(outcomes: Sequence[Outcome]) -> list[EpisodeResult]:
    """Return the outcomes as they are stored in a file."""
    return [
        EpisodeResult(
            id=o.id,
            series=o.series,
            seen=o.seen,
            leaked=o.leaked,
            n_seconds=o.n_seconds,
            truth=o.truth,
            predicted=next(iter(o.predicted), None),
            further_truth=o.further,
            further_predicted=o.predicted[1:],
            confidence=None if o.confidence is None else round(o.confidence, 6),
            iou=None if o.truth is None else round(temporal_iou(o), 6),
            probabilities=[round(float(p), 4) for p in o.probabilities],
        )
        for o in outcomes
    ]


def _named(prefix: str, figures: Mapping[str, float | None]) -> dict[str, float]:
    return {f"{prefix}/{name}": float(v) for name, v in figures.items() if v is not None}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

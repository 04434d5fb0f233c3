"""Which labels to look at, and why.

Reads   data/ingest (manifest.json, labels.json of each split), the overrides file and, where they
        are there, models/fit/held_out.json and reports/evaluate/episodes.json
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from skipintro.core.errors import InputError
from skipintro.core.files import format_error, read_model
from skipintro.core.params import load_params, read_params_file
from skipintro.detection.episode import Interval
from skipintro.detection.label_disagreements import (
    OutOfFoldPrediction,
    contradicted,
    read_out_of_fold,
)
from skipintro.episodes.annotations import (
    Annotation,
    CorrectionRule,
    Override,
    format_interval,
    format_time,
    read_overrides,
)
from skipintro.episodes.catalog import IngestedEpisode, IngestManifest
from skipintro.episodes.corrections import CorrectionParams, read_annotations
from skipintro.review.outliers import SuspicionRule, suspicious

INGESTED = Path("data/ingest")
HELD_OUT = Path("models/fit/held_out.json")
EVALUATED = Path("reports/evaluate/episodes.json")


class Doubt(BaseModel):
    """An episode whose label may be wrong; its label is the corrected one, without any override."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    series: str
    splits: tuple[str, ...]
    video: Path
    n_seconds: int
    usable: bool  # whether the label can be used
    label: Interval | None  # None: no intro, or not usable; of several the first
    further: tuple[Interval, ...] = Field(default=(), exclude_if=lambda found: not found)
    proposal: Interval | None  # the detector's, where it has one
    confidence: float | None
    reasons: tuple[str, ...]


class _FitParams(BaseModel):
    """What is needed here of the params of `fit`; all of them would load scikit-learn."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    right_within_s: float = Field(ge=0)


class _Evaluated(BaseModel):
    """The required part of a row of `EVALUATED`; the whole row would load torch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    predicted: Interval | None
    confidence: float | None
    further_predicted: tuple[Interval, ...] = ()


@dataclass(frozen=True)
class _Reason:
    text: str
    weight: float  # 0 to 1, how much it speaks against the label


def gather(checkout: Path, rule: SuspicionRule) -> list[Doubt]:
    """Return the doubts of a checkout, one an id, the weightiest reasons first.

    What is overridden is judged by its override, and is here whether it is in doubt or not.
    Episodes without a usable video are left out: there is nothing to look at, nor to learn from.
    Raises InputError where nothing is ingested yet, or a file is broken.
    """
    params = load_params(CorrectionParams, "annotate", checkout / "params.yaml")
    near_s = _near_s(checkout / "params.yaml")
    manifest_file = checkout / INGESTED / "manifest.json"
    if not manifest_file.exists():
        raise InputError(f"{manifest_file}: missing; run `dvc repro annotate` first")
    manifest = read_model(IngestManifest, manifest_file)
    overrides = read_overrides(checkout / params.overrides)
    plain = _annotations(checkout, manifest, params.rule(), {})
    current = _annotations(checkout, manifest, params.rule(), overrides)
    videos: dict[str, list[IngestedEpisode]] = defaultdict(list)
    for episode in manifest.usable().values():
        videos[episode.id].append(episode)
    lengths = {id_: min(e.video.n_seconds for e in of if e.video) for id_, of in videos.items()}

    held_out, evaluated = _held_out(checkout / HELD_OUT), _evaluated(checkout / EVALUATED)
    reasons = {id_: _own_faults(of, lengths.get(id_)) for id_, of in current.items()}
    every = [annotation for annotations in current.values() for annotation in annotations]
    for label in suspicious(every, rule):
        reasons[label.id].append(_Reason(label.reason, 1 - 1 / label.score))
    for id_, reason in _objections(current, held_out, evaluated, near_s):
        reasons[id_].append(reason)

    proposals = {**evaluated, **held_out}  # the fit held out has not seen the label
    distinct = {id_: list(dict.fromkeys(of)) for id_, of in reasons.items()}  # of two splits
    doubted = [id_ for id_ in plain if id_ in videos and (distinct[id_] or id_ in overrides)]
    weights = {id_: sum(reason.weight for reason in distinct[id_]) for id_ in doubted}
    return [
        _doubt(plain[id_], videos[id_][0], lengths[id_], distinct[id_], proposals.get(id_))
        for id_ in sorted(doubted, key=lambda id_: (-weights[id_], id_))
    ]


def _objections(
    current: Mapping[str, Sequence[Annotation]],
    held_out: Mapping[str, OutOfFoldPrediction],
    evaluated: Mapping[str, OutOfFoldPrediction],
    near_s: float,
) -> Iterator[tuple[str, _Reason]]:
    """Yield what detectors say against labels, by id; of one held out, no other counts."""
    for id_, annotations in current.items():
        if id_ in held_out:
            prediction, who, differs = held_out[id_], "a fit on other series", _is_contradicted
        elif id_ in evaluated:
            prediction, who, differs = evaluated[id_], "the detector", _differs
        else:
            continue
        beside = _beside(annotations, prediction)
        if beside is not None and differs(beside, near_s):
            text = f"{who} says {_spans(beside.intervals)}{_sure(beside.confidence)}"
            yield id_, _Reason(text, beside.confidence or 0.0)


def contradictions(checkout: Path) -> list[OutOfFoldPrediction]:
    """Return the train labels that the last fit contradicts; none before there is a fit."""
    held_out = _held_out(checkout / HELD_OUT)
    return contradicted(held_out.values(), _near_s(checkout / "params.yaml"))


def _near_s(params: Path) -> float:
    """Return how far an interval may be from a label that it does not contradict."""
    try:
        return _FitParams.model_validate(read_params_file(params).get("fit")).right_within_s
    except ValidationError as error:
        raise InputError(f"{params}: {format_error(error, 'fit')}; correct it") from error


def _annotations(
    checkout: Path,
    manifest: IngestManifest,
    rule: CorrectionRule,
    overrides: Mapping[str, Override],
) -> dict[str, list[Annotation]]:
    """Return the annotations of each id, one a split, as the annotate stage makes them."""
    ingested = checkout / INGESTED
    found: dict[str, list[Annotation]] = {}
    for annotation in read_annotations(ingested, manifest, rule, overrides):
        found.setdefault(annotation.id, []).append(annotation)
    return found


def _own_faults(annotations: Sequence[Annotation], n_seconds: int | None) -> list[_Reason]:
    """Return what is wrong with the labels of one episode by themselves."""
    faults = [
        _Reason(f"the label cannot be used: {annotation.reason}", 1.0)
        for annotation in annotations
        if not annotation.usable
    ]
    if len({(a.usable, a.intervals) for a in annotations}) > 1:
        each = ", ".join(f"{a.split} {_described(a)}" for a in annotations)
        faults.append(_Reason(f"it is labelled differently: {each}", 1.0))
    end_s = max((until for a in annotations for _, until in a.intervals), default=0.0)
    if n_seconds is not None and end_s > n_seconds:
        end, length = format_time(end_s), format_time(n_seconds)
        faults.append(_Reason(f"the label ends at {end}, after the episode's end ({length})", 1.0))
    return faults


def _held_out(path: Path) -> dict[str, OutOfFoldPrediction]:
    return {row.id: row for row in read_out_of_fold(path)} if path.exists() else {}


def _evaluated(path: Path) -> dict[str, OutOfFoldPrediction]:
    if not path.exists():
        return {}
    try:
        rows = TypeAdapter(list[_Evaluated]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            f"{path}: not what this version writes; run `dvc repro evaluate`"
        ) from error
    return {
        row.id: OutOfFoldPrediction(
            id=row.id,
            series="",
            label=None,
            interval=row.predicted,
            confidence=row.confidence,
            further=row.further_predicted,
        )
        for row in rows
    }


def _beside(
    annotations: Sequence[Annotation], prediction: OutOfFoldPrediction
) -> OutOfFoldPrediction | None:
    """Return the prediction beside the current label; None where that label is unusable."""
    now = next((annotation for annotation in annotations if annotation.usable), None)
    if now is None:
        return None
    return prediction.model_copy(update={"label": _first(now), "further_label": now.further})


def _is_contradicted(prediction: OutOfFoldPrediction, near_s: float) -> bool:
    return bool(contradicted([prediction], near_s))


def _differs(prediction: OutOfFoldPrediction, near_s: float) -> bool:
    """Whether the label is another; unlike in a fit held out, to say nothing is to differ, too."""
    missed = len(prediction.intervals) < len(prediction.labels)
    return missed or prediction.error_s() > near_s


def _doubt(
    annotations: Sequence[Annotation],
    video: IngestedEpisode,
    n_seconds: int,
    reasons: Sequence[_Reason],
    prediction: OutOfFoldPrediction | None,
) -> Doubt:
    label = next((annotation for annotation in annotations if annotation.usable), annotations[0])
    if video.path is None:
        raise InputError(f"{video.id}: the manifest names no video; run `dvc repro annotate`")
    return Doubt(
        id=label.id,
        series=label.series,
        splits=tuple(annotation.split for annotation in annotations),
        video=video.path,
        n_seconds=n_seconds,
        usable=label.usable,
        label=_first(label),
        further=label.further,
        proposal=None if prediction is None else prediction.interval,
        confidence=None if prediction is None else prediction.confidence,
        reasons=tuple(reason.text for reason in reasons),
    )


def _first(annotation: Annotation) -> Interval | None:
    return next(iter(annotation.intervals), None)


def _described(annotation: Annotation) -> str:
    return _spans(annotation.intervals) if annotation.usable else "not usably"


def _spans(intervals: Sequence[Interval]) -> str:
    return ", ".join(map(format_interval, intervals)) or "no intro"


def _sure(confidence: float | None) -> str:
    return "" if confidence is None else f", confidence {confidence:.2f}"

"""The series detector as files: `series.safetensors` and `series.json`; no pickle.

And the priors as one JSON file that a person can read: a weight for each feature by its name.
"""

from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from skipintro.core.errors import InputError
from skipintro.core.files import read_model, write_json
from skipintro.detection.candidates import FEATURES
from skipintro.detection.fitting import Priors, Trial
from skipintro.detection.frames import FrameClassifier
from skipintro.detection.ranker import Prior, Ranker
from skipintro.detection.series_detector import (
    AGREEMENT_FEATURES,
    Rankers,
    Reference,
    SeriesConfig,
    SeriesDetector,
)
from skipintro.episodes.embeddings import EncoderIdentity

SERIES_WEIGHTS, SERIES_CONFIG = "series.safetensors", "series.json"
_RANKERS = ("first", "agreed", "alone")
_TYPES = (np.float32, np.float64)


class _Reference(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    series: str
    id: str
    n_seconds: int = Field(ge=1)


class _Files(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    config: SeriesConfig
    references: list[_Reference]  # their rows lie one after the other


class PriorFile(BaseModel):
    """The priors, and what they were learned from; `videos` are sha256 of those seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    learned_from: str
    encoder: str
    episodes: int
    regularisation: float
    videos: list[str]
    weights: dict[str, dict[str, float]]  # ranker: feature (or `none`): weight

    @field_validator("weights")
    @classmethod
    def _every_ranker_has_its_own(
        cls, weights: dict[str, dict[str, float]]
    ) -> dict[str, dict[str, float]]:
        if set(weights) != set(_RANKERS):
            raise ValueError(f"expected {', '.join(_RANKERS)} and no other")
        for kind, its_own in weights.items():
            if "none" not in its_own:
                raise ValueError(f"{kind}: the score of `none` is missing")
        return weights

    def priors(self) -> Priors:
        """Give the priors in the order of today's features; one that is missing weighs nothing."""
        return Priors(**{kind: _prior(self.weights[kind], kind) for kind in _RANKERS})


class RankManifest(BaseModel):
    """What the rank stage made, and what it stood on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: EncoderIdentity
    episodes: int
    series: int
    references: int
    chosen: Trial
    trials: list[Trial]
    prior_learned_from: str  # empty: no prior
    prior_videos: list[str]
    weights_sha256: str
    versions: dict[str, str]


def prior_weights(priors: Priors) -> dict[str, dict[str, float]]:
    """Give the priors' weights by name, for a PriorFile."""
    found = {}
    for kind in _RANKERS:
        prior: Prior = getattr(priors, kind)
        names = (*_names(kind), "none")
        values = (*prior.weights, prior.none)
        found[kind] = {n: round(float(v), 6) for n, v in zip(names, values, strict=True)}
    return found


def _names(kind: str) -> tuple[str, ...]:
    return (*FEATURES, *AGREEMENT_FEATURES) if kind == "agreed" else FEATURES


def _prior(weights: dict[str, float], kind: str) -> Prior:
    return Prior(np.array([weights.get(n, 0.0) for n in _names(kind)]), weights["none"])


def save_series(folder: Path, detector: SeriesDetector) -> None:
    """Write the detector; the same bytes for the same numbers."""
    dimension = len(detector.centre)
    rows = [np.zeros((0, dimension), np.float32), *(r.rows for r in detector.references)]
    arrays: dict[str, NDArray[np.generic]] = {
        "centre": detector.centre,
        "frames.mean": detector.frames.mean,
        "frames.scale": detector.frames.scale,
        "frames.weights": detector.frames.weights,
        "frames.bias": np.array([detector.frames.bias]),
        "references": np.concatenate(rows),
    }
    for kind in _RANKERS:
        ranker: Ranker = getattr(detector.rankers, kind)
        arrays[f"{kind}.mean"], arrays[f"{kind}.scale"] = ranker.mean, ranker.scale
        arrays[f"{kind}.weights"] = np.append(ranker.weights, ranker.none)
    content = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    (folder / SERIES_WEIGHTS).write_bytes(save(content))
    files = _Files(
        config=detector.config,
        references=[
            _Reference(series=r.series, id=r.id, n_seconds=len(r.rows)) for r in detector.references
        ],
    )
    write_json(folder / SERIES_CONFIG, files)


def load_series(folder: Path) -> SeriesDetector:
    """Read what `save_series` wrote. Raises InputError naming the file at fault."""
    files = read_model(_Files, folder / SERIES_CONFIG)
    path = folder / SERIES_WEIGHTS
    try:
        arrays = load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run `dvc repro` to make it") from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:  # also: a type unknown
        raise InputError(f"{path}: broken ({error}); run `dvc repro`") from error
    stops = list(accumulate(reference.n_seconds for reference in files.references))
    _check_shapes(path, arrays, n_reference_seconds=stops[-1] if stops else 0)
    rows = arrays["references"]
    return SeriesDetector(
        config=files.config,
        centre=arrays["centre"],
        frames=FrameClassifier(
            arrays["frames.mean"],
            arrays["frames.scale"],
            arrays["frames.weights"],
            float(arrays["frames.bias"][0]),
        ),
        references=tuple(
            Reference(r.series, r.id, rows[stop - r.n_seconds : stop])
            for r, stop in zip(files.references, stops, strict=True)
        ),
        rankers=Rankers(**{kind: _ranker(arrays, kind) for kind in _RANKERS}),
    )


def _check_shapes(
    path: Path, arrays: Mapping[str, NDArray[np.generic]], *, n_reference_seconds: int
) -> None:
    """Raise InputError where the arrays are not those that today's code wants, or not numbers."""
    dimension = arrays["centre"].size if "centre" in arrays else 0
    shapes: dict[str, tuple[int, ...]] = {
        "centre": (dimension,),
        "references": (n_reference_seconds, dimension),
        "frames.mean": (dimension,),
        "frames.scale": (dimension,),
        "frames.weights": (dimension,),
        "frames.bias": (1,),
    }
    for kind in _RANKERS:
        n_features = len(_names(kind))
        shapes[f"{kind}.mean"] = shapes[f"{kind}.scale"] = (n_features,)
        shapes[f"{kind}.weights"] = (n_features + 1,)
    for name, shape in shapes.items():
        found = arrays[name].shape if name in arrays else "nothing"
        if found != shape:
            raise InputError(
                f"{path}: {name}: expected shape {shape}, got {found}: another version's, or it "
                f"does not belong to {SERIES_CONFIG} beside it; run `dvc repro`"
            )
        if arrays[name].dtype not in _TYPES or not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name}: expected finite floats; run `dvc repro`")
    if unknown := sorted(set(arrays) - set(shapes)):
        raise InputError(f"{path}: {unknown[0]!r:.80}: unknown; run `dvc repro`")


def _ranker(arrays: Mapping[str, NDArray[np.float64]], kind: str) -> Ranker:
    weights = arrays[f"{kind}.weights"]
    return Ranker(arrays[f"{kind}.mean"], arrays[f"{kind}.scale"], weights[:-1], float(weights[-1]))

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from series_cases import CANDIDATES, SETTINGS, TRAIN_SERIES, episodes_of, toy_library, toy_series
from skipintro.core.errors import InputError
from skipintro.core.files import read_model, write_json
from skipintro.detection.candidates import FEATURES
from skipintro.detection.fitting import Priors, fit
from skipintro.detection.ranker import Prior
from skipintro.detection.series_detector import AGREEMENT_FEATURES, SeriesDetector
from skipintro.detection.series_files import (
    SERIES_CONFIG,
    SERIES_WEIGHTS,
    PriorFile,
    load_series,
    prior_weights,
    save_series,
)

N, N_AGREED = len(FEATURES), len(FEATURES) + len(AGREEMENT_FEATURES)
PRIORS = Priors(
    first=Prior(np.arange(N) / 8, 0.5),
    agreed=Prior(np.arange(N_AGREED) / 4, -1.0),
    alone=Prior(-np.arange(N) / 2, 0.0),
)


@pytest.fixture(scope="module")
def detector() -> SeriesDetector:
    return fit(toy_library(TRAIN_SERIES[:2]), CANDIDATES, SETTINGS).detector


@pytest.fixture
def saved(detector: SeriesDetector, tmp_path: Path) -> Path:
    save_series(tmp_path, detector)
    return tmp_path


def test_a_detector_read_back_predicts_the_same(detector: SeriesDetector, saved: Path) -> None:
    episodes = episodes_of(toy_series("unseen", 600))
    again = load_series(saved)
    assert again.config == detector.config
    for one, two in zip(detector.detect(episodes), again.detect(episodes), strict=True):
        assert (one.interval, one.confidence) == (two.interval, two.confidence)
        assert one.probabilities.tolist() == two.probabilities.tolist()


def test_the_same_detector_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    save_series(again, load_series(saved))
    for name in (SERIES_WEIGHTS, SERIES_CONFIG):
        assert (again / name).read_bytes() == (saved / name).read_bytes()


def test_a_detector_without_known_openings_is_read_back(
    detector: SeriesDetector, tmp_path: Path
) -> None:
    bare = SeriesDetector(detector.config, detector.centre, detector.frames, (), detector.rankers)
    save_series(tmp_path, bare)
    assert load_series(tmp_path).references == ()


@pytest.mark.parametrize("name", [SERIES_WEIGHTS, SERIES_CONFIG])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"{name}: missing"):
        load_series(saved)


@pytest.mark.parametrize("name", [SERIES_WEIGHTS, SERIES_CONFIG])
@pytest.mark.parametrize("kept", [0, 0.5])
def test_a_truncated_file_is_named(saved: Path, name: str, kept: float) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match=name):
        load_series(saved)


ARRAYS = (
    "centre",
    "references",
    *(f"frames.{part}" for part in ("mean", "scale", "weights", "bias")),
    *(
        f"{kind}.{part}"
        for kind in ("first", "agreed", "alone")
        for part in ("mean", "scale", "weights")
    ),
)


@pytest.mark.parametrize("array", ARRAYS)
def test_an_array_that_is_missing_or_of_another_shape_is_told_with_the_file(
    saved: Path, array: str
) -> None:
    arrays = load_file(saved / SERIES_WEIGHTS)
    for broken in (None, arrays[array][..., :-1], arrays[array][None]):
        rest = {name: content for name, content in arrays.items() if name != array}
        changed = {} if broken is None else {array: np.ascontiguousarray(broken)}
        save_file(rest | changed, saved / SERIES_WEIGHTS)
        with pytest.raises(InputError, match=SERIES_WEIGHTS):
            load_series(saved)


def changed_config(folder: Path, change: Any) -> None:
    path = folder / SERIES_CONFIG
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_files_of_two_detectors_are_told_apart_by_their_known_openings(saved: Path) -> None:
    changed_config(saved, lambda content: content["references"].pop())
    with pytest.raises(InputError, match=f"{SERIES_WEIGHTS}: references: .* {SERIES_CONFIG}"):
        load_series(saved)


def test_a_known_opening_of_a_negative_length_is_refused(saved: Path) -> None:
    changed_config(saved, lambda content: content["references"][0].update(n_seconds=-1))
    with pytest.raises(InputError, match=SERIES_CONFIG):
        load_series(saved)


def test_an_unknown_field_is_refused(saved: Path) -> None:
    changed_config(saved, lambda content: content.update(unknown=1))
    with pytest.raises(InputError, match="unknown"):
        load_series(saved)


def prior_file(folder: Path, weights: dict[str, dict[str, float]]) -> Path:
    path = folder / "prior.json"
    content = {"learned_from": "any", "encoder": "any", "episodes": 1, "videos": []}
    content["regularisation"] = 0.1
    write_json(path, {**content, "weights": weights})
    return path


def test_priors_written_and_read_back_are_the_same(tmp_path: Path) -> None:
    found = read_model(PriorFile, prior_file(tmp_path, prior_weights(PRIORS))).priors()
    for one, two in (
        (found.first, PRIORS.first),
        (found.agreed, PRIORS.agreed),
        (found.alone, PRIORS.alone),
    ):
        assert one.weights.tolist() == two.weights.tolist()
        assert one.none == two.none


def test_a_prior_s_weights_are_found_by_their_names(tmp_path: Path) -> None:
    weights = {
        kind: {"reference": 2.0, "unknown today": 9.0, "none": 0.5}
        for kind in ("first", "agreed", "alone")
    }
    found = read_model(PriorFile, prior_file(tmp_path, weights)).priors()
    assert found.first.weights.tolist() == [2.0 * (name == "reference") for name in FEATURES]
    assert found.agreed.weights.tolist() == [*found.first.weights, 0, 0, 0, 0]
    assert found.alone.none == 0.5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda weights: weights.update(other={"none": 0.0}), "other"),
        (lambda weights: weights.pop("agreed"), "agreed"),
        (lambda weights: weights["alone"].pop("none"), "none"),
        (lambda weights: weights["alone"].update(length=float("nan")), "length"),
    ],
)
def test_a_prior_file_with_other_rankers_or_without_a_score_of_none_is_refused(
    tmp_path: Path, change: Any, told: str
) -> None:
    weights = prior_weights(PRIORS)
    change(weights)
    with pytest.raises(InputError, match=rf"prior\.json.*{told}"):
        read_model(PriorFile, prior_file(tmp_path, weights))


@pytest.mark.parametrize(
    "change",
    [
        {"more": np.zeros(1)},
        {"frames.bias": np.array([np.nan])},
        {"frames.bias": np.array([1])},
    ],
)
def test_an_array_that_is_unknown_or_holds_no_finite_floats_is_refused(
    saved: Path, change: Any
) -> None:
    save_file({**load_file(saved / SERIES_WEIGHTS), **change}, saved / SERIES_WEIGHTS)
    with pytest.raises(InputError, match=rf"{SERIES_WEIGHTS}: .*{next(iter(change))}"):
        load_series(saved)


def test_a_known_opening_of_an_endless_length_is_refused(saved: Path) -> None:
    changed_config(saved, lambda content: content["references"][0].update(n_seconds=10**30))
    with pytest.raises(InputError, match=SERIES_WEIGHTS):
        load_series(saved)

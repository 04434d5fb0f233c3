"""Trees as plain arrays predict what scikit-learn's own model predicts."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from skipintro.detectors.trees import Trees, fit_trees

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[np.generic]]

SETTINGS = {
    "max_iter": 12,
    "learning_rate": 0.2,
    "max_leaf_nodes": 7,
    "min_samples_leaf": 5,
    "l2_regularization": 0.5,
    "max_features": 0.6,
}


def table(seed: int, n_rows: int = 300, n_columns: int = 5) -> tuple[Floats, Floats]:
    """Draw features, some of them with many ties, and a target that depends on them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_rows, n_columns))
    features[:, 1] = np.round(features[:, 1])
    features[:, 2] *= 1e4
    noise = rng.normal(0, 0.1, n_rows)
    target = 1 / (1 + np.exp(-features[:, 0] - features[:, 1] * (features[:, 2] > 0))) + noise
    return features, np.clip(target, 0, 1)


def theirs(features: Floats, target: Floats, seed: int) -> HistGradientBoostingRegressor:
    model = HistGradientBoostingRegressor(**SETTINGS, early_stopping=False, random_state=seed)
    return model.fit(features, target)


@pytest.fixture(scope="module")
def fitted() -> Trees:
    return fit_trees(*table(0), SETTINGS, 0)


@pytest.mark.parametrize("seed", range(4))
def test_predictions_are_those_of_scikit_learn(seed: int) -> None:
    features, target = table(seed)
    model, ours = theirs(features, target, seed), fit_trees(features, target, SETTINGS, seed)
    assert len(ours.roots) == SETTINGS["max_iter"]
    for rows in (features, table(100 + seed)[0], 100 * table(200 + seed)[0]):
        np.testing.assert_allclose(ours.predict(rows), model.predict(rows), rtol=0, atol=1e-9)


def test_a_row_at_a_threshold_goes_left_as_with_scikit_learn(fitted: Trees) -> None:
    model = theirs(*table(0), 0)
    inner = np.flatnonzero(fitted.left != np.arange(len(fitted.left)))
    rows = np.zeros((len(inner), 5))
    rows[np.arange(len(inner)), fitted.feature[inner]] = fitted.threshold[inner]
    np.testing.assert_allclose(fitted.predict(rows), model.predict(rows), rtol=0, atol=1e-9)
    above = np.nextafter(rows, np.inf)
    np.testing.assert_allclose(fitted.predict(above), model.predict(above), rtol=0, atol=1e-9)
    assert (fitted.predict(above) != fitted.predict(rows)).any()


def test_a_row_that_counts_twice_is_as_good_as_two() -> None:
    features, target = table(0)
    twice = np.where(np.arange(len(target)) % 3, 1.0, 2.0)
    settings = {**SETTINGS, "min_samples_leaf": 1}
    ours = fit_trees(features, target, settings, 0, weights=twice)
    model = HistGradientBoostingRegressor(**settings, early_stopping=False, random_state=0)
    model.fit(features, target, sample_weight=twice)
    np.testing.assert_allclose(ours.predict(features), model.predict(features), rtol=0, atol=1e-9)


def test_a_target_of_one_value_is_told_for_every_row() -> None:
    features, target = table(0)
    ours = fit_trees(features, np.full_like(target, 0.25), SETTINGS, 0)
    np.testing.assert_allclose(ours.predict(features), 0.25, rtol=0, atol=1e-9)


def test_too_few_rows_to_split_have_their_mean() -> None:
    features, target = table(0, n_rows=3)
    ours = fit_trees(features, target, SETTINGS, 0)
    np.testing.assert_allclose(ours.predict(features), target.mean(), rtol=0, atol=1e-9)


def test_the_same_seed_gives_the_same_trees() -> None:
    first, second, other = (fit_trees(*table(0), SETTINGS, seed).arrays("t") for seed in (3, 3, 4))
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert not all(np.array_equal(first[key], other[key]) for key in first)


def test_one_row_is_told_as_it_is_among_others(fitted: Trees) -> None:
    features = table(1)[0]
    whole = fitted.predict(features)
    alone = np.concatenate([fitted.predict(features[k : k + 1]) for k in range(20)])
    assert alone.shape == (20,)
    np.testing.assert_array_equal(alone, whole[:20])


def test_no_rows_have_no_predictions(fitted: Trees) -> None:
    found = fitted.predict(np.zeros((0, 5)))
    assert found.shape == (0,)
    assert found.dtype == np.float64


def by_hand() -> Trees:
    """Make two trees: a step of feature 1 at 0.5, which leads to one of feature 0; and a leaf."""
    return Trees(
        base=10.0,
        roots=np.array([0, 5]),
        feature=np.array([1, 0, 0, 0, 0, 0]),
        threshold=np.array([0.5, 0, 2.0, 0, 0, 0]),
        left=np.array([1, 1, 3, 3, 4, 5]),
        right=np.array([2, 1, 4, 3, 4, 5]),
        value=np.array([0, 1.0, 0, 2.0, 3.0, 0.25]),
    )


def test_trees_are_walked_to_their_leaves() -> None:
    rows = np.array([[0, 0.5], [2.0, 0.6], [2.1, 0.6], [9, -9]])
    assert by_hand().predict(rows).tolist() == [11.25, 12.25, 13.25, 11.25]


@pytest.mark.parametrize("make", [by_hand, lambda: fit_trees(*table(0), SETTINGS, 0)])
def test_trees_come_back_from_their_arrays(make: Callable[[], Trees]) -> None:
    trees = make()
    back = Trees.of_arrays(trees.arrays("alone"), "alone")
    assert back.base == trees.base
    for field in ("roots", "feature", "threshold", "left", "right", "value"):
        np.testing.assert_array_equal(getattr(back, field), getattr(trees, field))
        assert getattr(back, field).dtype == getattr(trees, field).dtype
    features = table(1)[0]
    np.testing.assert_array_equal(back.predict(features), trees.predict(features))


def test_arrays_are_named_after_the_trees_and_lie_beside_others() -> None:
    first, second = by_hand().arrays("alone"), by_hand().arrays("agreed")
    assert not set(first) & set(second)
    assert all(key.startswith("alone.") for key in first)
    assert Trees.of_arrays(first | second, "agreed").base == 10.0


Damage = Callable[[Arrays], None]


def with_value(key: str, place: int, value: float) -> Damage:
    def damage(arrays: Arrays) -> None:
        changed = np.array(arrays[key])
        changed[place] = value
        arrays[key] = changed

    return damage


def shortened(key: str) -> Damage:
    return lambda arrays: arrays.update({key: arrays[key][:-1]})


def emptied(arrays: Arrays) -> None:
    for key in arrays:
        if key not in {"t.base", "t.roots"}:
            arrays[key] = arrays[key][:0]
    arrays["t.roots"] = arrays["t.roots"][:0]


@pytest.mark.parametrize(
    "damage",
    [
        *(
            pytest.param(shortened(f"t.{field}"), id=f"{field} too short")
            for field in ("feature", "threshold", "left", "right", "value")
        ),
        pytest.param(emptied, id="no nodes"),
        pytest.param(with_value("t.roots", 0, 6), id="a root outside"),
        pytest.param(with_value("t.roots", 1, -1), id="a root before the first node"),
        pytest.param(with_value("t.left", 0, 6), id="left leads outside"),
        pytest.param(with_value("t.right", 2, 99), id="right leads outside"),
        pytest.param(with_value("t.left", 2, -1), id="left leads before the first node"),
        pytest.param(with_value("t.left", 2, 0), id="a cycle"),
        pytest.param(with_value("t.right", 2, 2), id="a node that is its own right alone"),
        pytest.param(with_value("t.left", 0, 0), id="a node that is its own left alone"),
        pytest.param(with_value("t.right", 4, 0), id="a leaf that leads back"),
        pytest.param(with_value("t.threshold", 0, np.nan), id="a threshold that is no number"),
        pytest.param(with_value("t.value", 1, np.nan), id="a value that is no number"),
        pytest.param(with_value("t.value", 1, np.inf), id="an infinite value"),
        pytest.param(with_value("t.base", 0, np.nan), id="a base that is no number"),
        pytest.param(with_value("t.feature", 0, -1), id="a feature before the first"),
        pytest.param(
            lambda arrays: arrays.update({"t.base": np.zeros(0)}), id="a base that is empty"
        ),
        pytest.param(
            lambda arrays: arrays.update({"t.left": arrays["t.left"][:, None]}), id="two dimensions"
        ),
        pytest.param(lambda arrays: arrays.update({"t.value": np.array(["much"] * 6)}), id="words"),
    ],
)
def test_broken_arrays_are_refused(damage: Damage) -> None:
    arrays = by_hand().arrays("t")
    damage(arrays)
    with pytest.raises(ValueError, match=r"^t[.:]|could not convert"):
        Trees.of_arrays(arrays, "t")


@pytest.mark.parametrize("field", ["roots", "feature", "value", "base"])
def test_arrays_that_lack_are_told_by_their_names(field: str) -> None:
    arrays = by_hand().arrays("t")
    del arrays[f"t.{field}"]
    with pytest.raises(KeyError, match=rf"t\.{field}"):
        Trees.of_arrays(arrays, "t")

"""Boosted regression trees as plain arrays, so that detecting loads no scikit-learn."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FIELDS = ("roots", "feature", "threshold", "left", "right", "value")
_TYPES = {  # in a file: small ones
    **{"roots": np.int32, "feature": np.int16, "left": np.int32, "right": np.int32},
    **{"threshold": np.float64, "value": np.float64},
}


@dataclass(frozen=True, eq=False)
class Trees:
    """All trees in one table of nodes.

    roots: (T,), positions of the trees' first nodes. feature, threshold, left, right, value: (N,);
    a row goes left where its feature is at most the threshold. A leaf is its own left and right.
    base: what is predicted before any tree.
    """

    base: float
    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]

    @classmethod
    def none(cls) -> "Trees":
        """Return no trees, which predict 0."""
        ints, floats = np.zeros(0, np.int64), np.zeros(0)
        return cls(0.0, ints, ints, floats, ints, ints, floats)

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float64 (n,) for features (n, F)."""
        rows = np.arange(len(features))[:, None]
        at = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        while True:
            goes_left = features[rows, self.feature[at]] <= self.threshold[at]
            following = np.where(goes_left, self.left[at], self.right[at])
            if (following == at).all():
                return np.asarray(self.base + self.value[at].sum(axis=1))
            at = following

    def followed_by(self, more: "Trees") -> "Trees":
        """Return these trees and others, whose predictions are added."""
        n = len(self.feature)
        return Trees(
            base=self.base + more.base,
            roots=np.concatenate([self.roots, more.roots + n]),
            feature=np.concatenate([self.feature, more.feature]),
            threshold=np.concatenate([self.threshold, more.threshold]),
            left=np.concatenate([self.left, more.left + n]),
            right=np.concatenate([self.right, more.right + n]),
            value=np.concatenate([self.value, more.value]),
        )

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays for a file, each named after the trees; small types."""
        found = {f: getattr(self, f).astype(_TYPES[f]) for f in _FIELDS}
        return {f"{name}.{f}": np.ascontiguousarray(array) for f, array in found.items()} | {
            f"{name}.base": np.array([self.base])
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> "Trees":
        """Read what `arrays` gave. Raises KeyError or ValueError where it is something else."""
        read = {f: np.asarray(arrays[f"{name}.{f}"]) for f in _FIELDS}
        base = np.asarray(arrays[f"{name}.base"]).astype(np.float64)
        for f, array in read.items():
            if array.dtype != _TYPES[f]:
                raise ValueError(f"{name}.{f}: expected {np.dtype(_TYPES[f])}, got {array.dtype}")
        if base.shape != (1,) or any(array.ndim != 1 for array in read.values()):
            raise ValueError(f"{name}: its arrays are of another shape")
        floats = {f: read[f].astype(np.float64) for f in ("threshold", "value")}
        ints = {f: array.astype(np.int64) for f, array in read.items() if f not in floats}
        n = len(ints["feature"])
        lengths = {len(array) for f, array in read.items() if f != "roots"}
        if lengths != {n} or not n:
            raise ValueError(f"{name}: its arrays differ in length")
        for field in ("roots", "left", "right"):
            if ints[field].min(initial=0) < 0 or ints[field].max(initial=0) >= n:
                raise ValueError(f"{name}.{field}: points outside of its nodes")
        if ints["feature"].min() < 0:
            raise ValueError(f"{name}.feature: no such feature")
        is_leaf = ints["left"] == np.arange(n)
        onward = (ints["left"] > np.arange(n)) & (ints["right"] > np.arange(n))
        if not (onward | (is_leaf & (ints["right"] == np.arange(n)))).all():
            raise ValueError(f"{name}: its nodes do not make trees")
        if not all(np.isfinite(array).all() for array in (base, *floats.values())):
            raise ValueError(f"{name}: expected finite numbers")
        return cls(
            base=float(base[0]),
            roots=ints["roots"],
            feature=ints["feature"],
            threshold=floats["threshold"],
            left=ints["left"],
            right=ints["right"],
            value=floats["value"],
        )


def fit_trees(
    features: NDArray[np.float64],
    target: NDArray[np.float64],
    settings: Mapping[str, float],
    seed: int,
    *,
    weights: NDArray[np.float64] | None = None,
) -> Trees:
    """Fit on features (n, F) and a target (n,) between 0 and 1; `settings` are scikit-learn's.

    weights: (n,), how much each row counts; without them each counts as much as any other.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415  fitting alone

    model = HistGradientBoostingRegressor(**settings, early_stopping=False, random_state=seed)
    model.fit(features, target, sample_weight=weights)
    nodes = [tree.nodes for (tree,) in model._predictors]  # no public way to them
    sizes = np.array([len(each) for each in nodes])
    roots = np.cumsum(sizes) - sizes
    table = np.concatenate(nodes)
    at, shift = np.arange(len(table)), np.repeat(roots, sizes)
    is_leaf = table["is_leaf"].astype(bool)
    return Trees(
        base=float(np.ravel(model._baseline_prediction)[0]),
        roots=roots,
        feature=np.where(is_leaf, 0, table["feature_idx"]).astype(np.int64),
        threshold=np.where(is_leaf, 0.0, table["num_threshold"]),
        left=np.where(is_leaf, at, table["left"] + shift),
        right=np.where(is_leaf, at, table["right"] + shift),
        value=np.where(is_leaf, table["value"], 0.0),
    )

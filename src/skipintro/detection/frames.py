"""Evidence of single frames: how much the picture alone looks like an intro."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skipintro.detection.episode import Episode, LabelledEpisode, truth_seconds


@dataclass(frozen=True, eq=False)
class FrameClassifier:
    """Logistic regression on standardised vectors: mean, scale, weights (D,), and a bias."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float

    def logits(self, episode: Episode) -> NDArray[np.float64]:
        """Give float64 (n_seconds,): above 0 looks like an intro, at even odds beforehand."""
        return ((episode.vectors - self.mean) / self.scale) @ self.weights + self.bias


def fit_frames(train: Sequence[LabelledEpisode], regularisation: float) -> FrameClassifier:
    """Fit on every second of the labelled episodes; both classes weigh the same in all.

    `regularisation` is the inverse of scikit-learn's C. Without any intro, or any film, nothing
    is like an intro.
    """
    vectors = np.concatenate([labelled.episode.vectors for labelled in train]).astype(np.float64)
    labels = np.concatenate([truth_seconds(labelled) for labelled in train])
    mean, scale = vectors.mean(axis=0), np.maximum(vectors.std(axis=0), 1e-6)
    if labels.all() or not labels.any():
        return FrameClassifier(mean, scale, np.zeros(len(mean)), 0.0)
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  detecting does without

    fitted = LogisticRegression(C=1 / regularisation, class_weight="balanced", max_iter=1000).fit(
        (vectors - mean) / scale, labels
    )
    return FrameClassifier(mean, scale, fitted.coef_[0], float(fitted.intercept_[0]))

"""Baselines: what is to be had without a trained head.

Each takes the labelled train episodes, the test episodes, and further available episodes that have
no labels, and returns one prediction for each test episode, in their order. Settings that are not
given are chosen on train alone.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Annotated, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skipintro.detection.episode import (
    Episode,
    Interval,
    LabelledEpisode,
    Prediction,
    truth_seconds,
)
from skipintro.detection.head_postprocess import find_interval, prediction_of
from skipintro.evaluation.audio_rules import AudioRule, AudioRules, predict_by_rule
from skipintro.evaluation.intervals import f1_within, mean_iou
from skipintro.evaluation.results import outcome_of

TOLERANCE_S = 3.0  # of the F1 by which settings are chosen
COPY_SHARE = 0.9  # of the seconds in which a copy is like its original; the rest may be damaged
MAX_ITERATIONS = 1000  # of the classifier's solver, which stops long before

Baseline = Callable[
    [Sequence[LabelledEpisode], Sequence[Episode], Sequence[Episode]], list[Prediction]
]
Setting = TypeVar("Setting")

_Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (n, D) to probabilities (n,)


class BaselineSettings(BaseModel):
    """What the baselines are given; of a grid, the value that does best on train is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(ge=0)  # draws the film frames that the classifier is fitted to
    folds: int = Field(ge=2)  # of whole series, fewer where there are fewer series
    max_film_frames: int = Field(ge=1)  # that the classifier is fitted to; intro frames all are
    probability_thresholds: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(min_length=1)
    similarity_thresholds: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(min_length=1)
    early_shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(min_length=1)
    copy_similarity: float = Field(gt=0, le=1)  # cosine at the same seconds that marks a copy
    min_length_s: float = Field(ge=1)  # shorter finds are dropped
    audio_rules: AudioRules  # published; nothing is chosen


@dataclass(frozen=True)
class Run:
    """A stretch that two episodes share, in seconds from the beginning of each."""

    row: int  # its start in the one
    column: int  # and in the other
    length: int


@dataclass(frozen=True)
class _Search:
    similarity: float  # cosine from which on two seconds are the same
    share: float  # of each episode, from its beginning, that is searched


def baselines(settings: BaselineSettings, episodes: Iterable[Episode]) -> dict[str, Baseline]:
    """Return all baselines by name; those of sound where an episode has points of its sound."""
    has_points = any("chroma" in one.fingerprints.tracks for one in episodes)
    rules = settings.audio_rules.by_name() if has_points else {}
    found: dict[str, Baseline] = {
        "all_negative": all_negative,
        "position_of_train": position_of_train,
        "position_of_series": position_of_series,
        "frame_classifier": partial(frame_classifier, settings=settings),
        "repeated_frames": partial(repeated_frames, settings=settings),
        "repeated_frames_early": partial(repeated_frames_early, settings=settings),
    }
    found |= {name: partial(shared_sound, rule=rule) for name, rule in rules.items()}
    return found


def all_negative(
    train: Sequence[LabelledEpisode], test: Sequence[Episode], at_hand: Sequence[Episode]
) -> list[Prediction]:
    """Never find an intro."""
    return [_without_probabilities(None) for _ in test]


def position_of_train(
    train: Sequence[LabelledEpisode], test: Sequence[Episode], at_hand: Sequence[Episode]
) -> list[Prediction]:
    """Put the median interval of all train intros into each episode."""
    interval = _median_interval(train)
    return [_without_probabilities(_within(interval, one)) for one in test]


def position_of_series(
    train: Sequence[LabelledEpisode], test: Sequence[Episode], at_hand: Sequence[Episode]
) -> list[Prediction]:
    """Put in the median interval of the series' train intros; where it has none, of all."""
    overall = _median_interval(train)
    by_series = {
        series: _median_interval([row for row in train if row.episode.series == series])
        for series in {one.series for one in test}
    }
    return [_without_probabilities(_within(by_series[one.series] or overall, one)) for one in test]


def frame_classifier(
    train: Sequence[LabelledEpisode],
    test: Sequence[Episode],
    at_hand: Sequence[Episode],
    *,
    settings: BaselineSettings,
) -> list[Prediction]:
    """Classify each second by itself, and take the stretch that speaks most for intro.

    A logistic regression on standardised vectors with scikit-learn's default penalty, intro and
    film of equal weight; then the maximum-sum segment of (probability - threshold). The threshold
    is chosen on predictions for train series that the classifier has not seen.
    """
    rng = np.random.default_rng(settings.seed)
    held_out = _held_out_probabilities(train, settings, rng)
    threshold = _best_setting(
        train,
        {
            threshold: [_decoded(one, threshold, settings.min_length_s) for one in held_out]
            for threshold in sorted(set(settings.probability_thresholds))
        },
    )
    score = _fitted(train, settings.max_film_frames, rng)
    return [_decoded(score(one.vectors), threshold, settings.min_length_s) for one in test]


def repeated_frames(
    train: Sequence[LabelledEpisode],
    test: Sequence[Episode],
    at_hand: Sequence[Episode],
    *,
    settings: BaselineSettings,
) -> list[Prediction]:
    """Take the longest stretch that an episode shares with a sibling, wherever it is.

    Media servers do so with fingerprints of the sound, and of all pairs keep the longest as well
    (ConfusedPolarBear/intro-skipper for Jellyfin). Here two seconds are the same if the cosine of
    their vectors, less the train mean, reaches a threshold, which is chosen on train. Siblings
    are the series' available episodes and those in train; on train, those in train alone.
    """
    return _repeated(train, test, at_hand, settings, shares=(1.0,))


def repeated_frames_early(
    train: Sequence[LabelledEpisode],
    test: Sequence[Episode],
    at_hand: Sequence[Episode],
    *,
    settings: BaselineSettings,
) -> list[Prediction]:
    """Do as `repeated_frames` in the first part of each episode, its share chosen on train.

    The media servers' share is a quarter.
    """
    return _repeated(train, test, at_hand, settings, shares=settings.early_shares)


def shared_sound(
    train: Sequence[LabelledEpisode],
    test: Sequence[Episode],
    at_hand: Sequence[Episode],
    *,
    rule: AudioRule,
) -> list[Prediction]:
    """Take the stretch of sound that an episode shares with a sibling, by a published rule.

    Siblings are the series' available episodes and those in train, copies too: the rules know
    none.
    """
    others = [*(row.episode for row in train), *at_hand]
    return [_without_probabilities(interval) for interval in predict_by_rule(test, others, rule)]


def siblings(episode: Episode, pool: Iterable[Episode], copy_similarity: float) -> list[Episode]:
    """Return the other episodes of the same series, each id once, without copies of the episode.

    A copy has the same id, or at the same seconds vectors whose cosine is `copy_similarity` or
    more, in nine of ten of the seconds that both have.
    """
    same_series = {one.id: one for one in pool if one.series == episode.series}
    return [
        one
        for one in same_series.values()
        if one.id != episode.id and not _is_copy(episode, one, copy_similarity)
    ]


def longest_run(same: NDArray[np.bool_]) -> Run | None:
    """Return the longest run along a diagonal of `same` (N, M), which may skip single seconds.

    It starts and ends with a second that is the same. Of equal ones the first to end wins, then
    that of the lower column. None where nothing is the same.
    """
    filled = same.copy()
    filled[1:-1, 1:-1] |= same[:-2, :-2] & same[2:, 2:]
    lengths = np.zeros(same.shape[1] + 1, np.int32)  # of the runs that end in the row, column - 1
    best = Run(row=0, column=0, length=0)
    for row, matches in enumerate(filled):
        lengths[1:] = (lengths[:-1] + 1) * matches
        column = int(lengths.argmax())
        length = int(lengths[column])
        if length > best.length:
            best = Run(row=row + 1 - length, column=column - length, length=length)
    return best if best.length else None


def _without_probabilities(
    interval: Interval | None, confidence: float | None = None
) -> Prediction:
    return Prediction(
        interval=interval, confidence=confidence, probabilities=np.zeros(0, np.float32)
    )


def _median_interval(train: Sequence[LabelledEpisode]) -> Interval | None:
    truths = [row.truth for row in train if row.truth is not None]
    if not truths:
        return None
    start_s, end_s = np.median(truths, axis=0)
    return float(start_s), float(end_s)


def _within(interval: Interval | None, episode: Episode) -> Interval | None:
    """Cut the interval off at the episode's end."""
    n_seconds = float(len(episode.vectors))
    if interval is None or interval[0] >= n_seconds:
        return None
    return interval[0], min(interval[1], n_seconds)


def _best_setting(
    train: Sequence[LabelledEpisode], tried: Mapping[Setting, Sequence[Prediction]]
) -> Setting:
    """Return the setting with the best interval F1 on train, then mean IoU; of equals the middle.

    The F1 counts 1 where nothing is to be found and nothing is predicted.
    """

    def merit(predictions: Sequence[Prediction]) -> tuple[float, float]:
        outcomes = [
            outcome_of(row, prediction, seen=True, leaked=False, corrected=False)
            for row, prediction in zip(train, predictions, strict=True)
        ]
        f1 = f1_within(outcomes, TOLERANCE_S)
        return 1.0 if f1 is None else f1, mean_iou(outcomes) or 0.0

    merits = {setting: merit(predictions) for setting, predictions in tried.items()}
    best = max(merits.values())
    equals = [setting for setting, value in merits.items() if value == best]
    return equals[len(equals) // 2]


def _held_out_probabilities(
    train: Sequence[LabelledEpisode], settings: BaselineSettings, rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Return the probabilities of each train episode by a classifier that has not seen its series.

    With one series alone there is no such classifier, and that of all train is taken.
    """
    groups = [row.episode.series for row in train]
    n_series = len(set(groups))
    if n_series < 2:
        score = _fitted(train, settings.max_film_frames, rng)
        return [score(row.episode.vectors) for row in train]
    found: dict[int, NDArray[np.float32]] = {}
    split = GroupKFold(n_splits=min(settings.folds, n_series)).split(groups, groups=groups)
    for others, held_out in split:
        score = _fitted([train[index] for index in others], settings.max_film_frames, rng)
        found |= {int(index): score(train[index].episode.vectors) for index in held_out}
    return [found[index] for index in range(len(train))]


def _fitted(
    train: Sequence[LabelledEpisode], max_film_frames: int, rng: np.random.Generator
) -> _Score:
    """Fit the classifier; where train has frames of one kind alone, that kind is certain."""
    intro = [truth_seconds(row) for row in train]
    labels = np.concatenate([np.zeros(0, bool), *intro])
    if labels.all() or not labels.any():
        certain = float(labels.size > 0 and labels.all())
        return lambda vectors: np.full(len(vectors), certain, np.float32)
    keep = np.ones(len(labels), bool)
    film = np.flatnonzero(~labels)
    keep[rng.permutation(film)[max_film_frames:]] = False
    chosen = np.split(keep, np.cumsum([len(seconds) for seconds in intro])[:-1])
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=MAX_ITERATIONS)
    )
    model.fit(
        np.concatenate([row.episode.vectors[k] for row, k in zip(train, chosen, strict=True)]),
        labels[keep],
    )

    def score(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(vectors):  # of which scikit-learn makes an error
            return np.zeros(0, np.float32)
        probabilities: NDArray[np.float32] = model.predict_proba(vectors)[:, 1].astype(np.float32)
        return probabilities

    return score


def _decoded(
    probabilities: NDArray[np.float32], threshold: float, min_length_s: float
) -> Prediction:
    """Read the interval off, as of the head's probabilities."""
    return prediction_of(probabilities, find_interval(probabilities, threshold, min_length_s))


def _repeated(
    train: Sequence[LabelledEpisode],
    test: Sequence[Episode],
    at_hand: Sequence[Episode],
    settings: BaselineSettings,
    shares: Sequence[float],
) -> list[Prediction]:
    mean = _mean_vector(train)
    known = [_directions(row.episode, mean) for row in train]
    pool = [*known, *(_directions(one, mean) for one in at_hand)]
    grid = [
        _Search(similarity=similarity, share=share)
        for similarity, share in product(
            sorted(set(settings.similarity_thresholds)), sorted(set(shares))
        )
    ]
    found = [_shared_stretches(one, known, grid, settings) for one in known]
    search = _best_setting(
        train, {search: [row[index] for row in found] for index, search in enumerate(grid)}
    )
    return [_shared_stretches(_directions(one, mean), pool, [search], settings)[0] for one in test]


def _mean_vector(train: Sequence[LabelledEpisode]) -> NDArray[np.float32]:
    """Return float32 (D,), the mean over all seconds of train; (1,) of 0 where there is none."""
    n_seconds = sum(len(row.episode.vectors) for row in train)
    if not n_seconds:
        return np.zeros(1, np.float32)
    total = np.sum([row.episode.vectors.sum(axis=0, dtype=np.float64) for row in train], axis=0)
    mean: NDArray[np.float32] = (total / n_seconds).astype(np.float32)
    return mean


def _directions(episode: Episode, mean: NDArray[np.float32]) -> Episode:
    """Return the episode with centred vectors of length 1, so that a product is their cosine."""
    centred = episode.vectors - mean
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return replace(episode, vectors=centred / np.maximum(lengths, np.finfo(np.float32).tiny))


def _is_copy(first: Episode, second: Episode, copy_similarity: float) -> bool:
    n_seconds = min(len(first.vectors), len(second.vectors))
    if not n_seconds:
        return False
    one, other = first.vectors[:n_seconds], second.vectors[:n_seconds]
    products = np.einsum("nd,nd->n", one, other)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean(products >= copy_similarity * lengths)) >= COPY_SHARE


def _shared_stretches(
    episode: Episode, pool: Iterable[Episode], grid: Sequence[_Search], settings: BaselineSettings
) -> list[Prediction]:
    """Return for each search what it finds in an episode; all vectors are directions."""
    similarities = [
        episode.vectors @ one.vectors.T for one in siblings(episode, pool, settings.copy_similarity)
    ]
    return [_longest_shared(similarities, search, settings.min_length_s) for search in grid]


def _longest_shared(
    similarities: Sequence[NDArray[np.float32]], search: _Search, min_length_s: float
) -> Prediction:
    """Return the longest run over all siblings; its confidence is the mean cosine along it."""
    best_length, best = 0, _without_probabilities(None)
    for similarity in similarities:  # (seconds of the episode, seconds of the sibling)
        n_rows, n_columns = (math.ceil(search.share * length) for length in similarity.shape)
        run = longest_run(similarity[:n_rows, :n_columns] >= search.similarity)
        if run is not None and run.length > best_length and run.length >= min_length_s:
            along = similarity[run.row :, run.column :].diagonal()[: run.length]
            best_length, best = (
                run.length,
                _without_probabilities(
                    (float(run.row), float(run.row + run.length)),
                    confidence=float(np.clip(along.mean(dtype=np.float64), 0, 1)),
                ),
            )
    return best

"""Fits the series detector on labelled episodes, and chooses its settings on held-out series.

Nothing here ever sees a test episode: every choice is made by predictions for series that the
fit did not see (cross-validation by series, on train alone). For each fold all is fitted anew on
the other series, so that what is said of a series stands on no label of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skipintro.detection.candidates import CandidateConfig, Candidates
from skipintro.detection.episode import Interval, LabelledEpisode, Prediction, truth_seconds
from skipintro.detection.frames import FrameClassifier, fit_frames
from skipintro.detection.ranker import Choice, Prior, Ranker, at_home, fit_ranker, standardised
from skipintro.detection.series_detector import (
    Rankers,
    Reference,
    Scene,
    SeriesConfig,
    SeriesDetector,
    agreement,
    read_off,
    series_candidates,
    series_scene,
)
from skipintro.detection.similarity import unit_rows

_Kind = Literal["first", "agreed", "alone"]


@dataclass(frozen=True)
class FitSettings:
    """What is tried and how it is judged; from `params.yaml`."""

    folds: int  # of series
    similarities: tuple[float, ...]  # tried; the first of equally good ones is taken
    regularisations: tuple[float, ...]
    frame_regularisation: float
    right_within_s: float  # both ends of a candidate that counts as the intro
    near_within_s: float  # where there is none, the nearest one may be this far off
    wrong_cost: float  # of a wrong interval, in right ones
    chance_episodes: float  # a smaller gain, in right episodes, is taken for chance
    references_per_series: int


@dataclass(frozen=True)
class Trial:
    """One setting, and what it was worth on held-out series."""

    similarity: float
    regularisation: float
    min_confidence: float
    utility: float  # (right - wrong_cost * wrong) / episodes
    right: int
    wrong: int


@dataclass(frozen=True, eq=False)
class Fitted:
    """The detector, the trials behind its settings, and its word on each series it had not seen."""

    detector: SeriesDetector
    trials: tuple[Trial, ...]
    chosen: Trial
    held_out: tuple[Prediction, ...]  # of the train episodes, in their order


class _Library:
    """The labelled episodes, their series dealt into folds, and the classifiers of their frames."""

    def __init__(self, train: Sequence[LabelledEpisode], settings: FitSettings) -> None:
        if not train:
            raise ValueError("the series detector needs at least one labelled episode")
        names = sorted({labelled.episode.series for labelled in train})
        self.train = train
        self.settings = settings
        self.folds = {name: number % settings.folds for number, name in enumerate(names)}
        self._frames: dict[frozenset[int], FrameClassifier] = {}

    def without(self, left_out: frozenset[int]) -> list[LabelledEpisode]:
        """Give the episodes of all other folds, in their order."""
        return [each for each in self.train if self.folds[each.episode.series] not in left_out]

    def frames_without(self, left_out: frozenset[int]) -> FrameClassifier:
        """Give the classifier fitted on all other folds; each one is fitted once."""
        if left_out not in self._frames:
            self._frames[left_out] = fit_frames(
                self.without(left_out), self.settings.frame_regularisation
            )
        return self._frames[left_out]


@dataclass(frozen=True, eq=False)
class _Corpus:
    """Train episodes by series, and what is fitted on them whatever the settings tried."""

    train: Sequence[LabelledEpisode]
    groups: tuple[tuple[int, ...], ...]  # positions of the episodes of each series
    centre: NDArray[np.float32]
    frames: FrameClassifier  # fitted on all
    frame_logits: tuple[NDArray[np.float64], ...]  # of each episode, fitted on other series
    references: tuple[Reference, ...]


@dataclass(frozen=True, eq=False)
class _Fold:
    """Series held out, as positions of their episodes in train; and the corpus of the others."""

    groups: tuple[tuple[int, ...], ...]
    rest: _Corpus


@dataclass(frozen=True, eq=False)
class _Context:
    """A series as the detector may meet it: with siblings or alone, its opening known or not."""

    group: int
    scene: Scene
    alone: bool


@dataclass(frozen=True, eq=False)
class Priors:
    """What other libraries have taught, one prior for each of the three rankers."""

    first: Prior
    agreed: Prior
    alone: Prior


def fit(
    train: Sequence[LabelledEpisode],
    base: CandidateConfig,
    settings: FitSettings,
    priors: Priors | None = None,
) -> Fitted:
    """Choose the settings by cross-validation over series, then fit on all of train.

    Raises ValueError without any labelled episode.
    """
    library = _Library(train, settings)
    folds = _folds(library)
    trials, best = [], None
    for similarity in settings.similarities:
        config = SeriesConfig(
            candidates=base.model_copy(update={"similarity": similarity}),
            near_within_s=settings.near_within_s,
            min_confidence=0.0,
        )
        contexts = [_contexts(fold.rest, config) for fold in folds]
        scenes = [_held_scenes(train, fold, config) for fold in folds]
        for regularisation in settings.regularisations:
            rankers = [
                _rankers(fold.rest, its_own, regularisation, settings, priors)
                for fold, its_own in zip(folds, contexts, strict=True)
            ]
            held_out = _held_out(folds, scenes, rankers)
            trial = _judged(train, held_out, config, regularisation, settings)
            trials.append(trial)
            if best is None or trial.utility > best[0].utility + settings.chance_episodes / len(
                train
            ):
                best = trial, config, held_out
    if best is None:
        raise ValueError("nothing to try: give at least one similarity and one regularisation")
    chosen, config, held_out = best
    config = config.model_copy(update={"min_confidence": chosen.min_confidence})
    corpus = _corpus(library)
    detector = SeriesDetector(
        config=config,
        centre=corpus.centre,
        frames=corpus.frames,
        references=corpus.references,
        rankers=_rankers(
            corpus, _contexts(corpus, config), chosen.regularisation, settings, priors
        ),
    )
    predictions = tuple(read_off(c, share, config) for c, share in held_out)
    return Fitted(detector, tuple(trials), chosen, predictions)


def fit_priors(
    libraries: Sequence[Sequence[LabelledEpisode]],
    base: CandidateConfig,
    settings: FitSettings,
    regularisation: float,
) -> Priors:
    """Learn from several libraries at once what an intro is like among candidates.

    Each library standardises its own features, so that the weights hold for another encoder or
    another kind of picture, too.
    """
    pooled: list[tuple[_Corpus, list[_Context]]] = []
    for library in libraries:
        corpus = _corpus(_Library(library, settings))
        config = SeriesConfig(
            candidates=base, near_within_s=settings.near_within_s, min_confidence=0
        )
        pooled.append((corpus, _contexts(corpus, config)))

    def prior(kind: _Kind, first: Prior | None = None) -> Prior:
        choices: list[Choice] = []
        for corpus, contexts in pooled:
            before = None
            if first is not None:
                before = at_home(first, _choices(corpus, contexts, "first", settings))
            choices += standardised(_choices(corpus, contexts, kind, settings, before))
        fitted = fit_ranker(choices, regularisation)
        # Pooled, the features are standardised almost but not exactly; fold the rest in.
        weights = fitted.weights / fitted.scale
        return Prior(weights, fitted.none + float(fitted.mean @ weights))

    first = prior("first")
    return Priors(first=first, agreed=prior("agreed", first), alone=prior("alone"))


def _groups(train: Sequence[LabelledEpisode]) -> tuple[tuple[int, ...], ...]:
    """Give the positions of the episodes of each series, by the series' names."""
    by_series = defaultdict(list)
    for position, labelled in enumerate(train):
        by_series[labelled.episode.series].append(position)
    return tuple(tuple(by_series[name]) for name in sorted(by_series))


def _folds(library: _Library) -> list[_Fold]:
    """Hold out one fold after the other; a single series is left to a fit on itself."""
    train, folds = library.train, sorted(set(library.folds.values()))
    return [
        _Fold(
            tuple(g for g in _groups(train) if library.folds[train[g[0]].episode.series] == fold),
            _corpus(library, frozenset([fold] if len(folds) > 1 else [])),
        )
        for fold in folds
    ]


def _corpus(library: _Library, left_out: frozenset[int] = frozenset()) -> _Corpus:
    """Fit on all folds but those left out; single frames are told by the folds that remain."""
    train, settings = library.without(left_out), library.settings
    groups = _groups(train)
    centre = np.concatenate([labelled.episode.vectors for labelled in train]).mean(axis=0)
    logits = []
    for labelled in train:
        others = left_out | {library.folds[labelled.episode.series]}
        frames = library.frames_without(others if library.without(others) else left_out)
        logits.append(frames.logits(labelled.episode))
    references = tuple(
        Reference(
            labelled.episode.series,
            labelled.episode.id,
            unit_rows(labelled.episode.vectors[truth_seconds(labelled)], centre),
        )
        for group in groups
        for labelled in _spread(
            [train[p] for p in group if truth_seconds(train[p]).any()],
            settings.references_per_series,
        )
    )
    return _Corpus(
        train=train,
        groups=groups,
        centre=np.asarray(centre, np.float32),
        frames=library.frames_without(left_out),
        frame_logits=tuple(logits),
        references=references,
    )


def _spread(labelled: Sequence[LabelledEpisode], n_most: int) -> list[LabelledEpisode]:
    """Give at most `n_most`, evenly over a series."""
    if len(labelled) <= n_most:
        return list(labelled)
    return [labelled[round(i)] for i in np.linspace(0, len(labelled) - 1, n_most)]


def _contexts(corpus: _Corpus, config: SeriesConfig) -> list[_Context]:
    """Find the candidates of every series in each way that the detector may meet it."""
    contexts = []
    for number, group in enumerate(corpus.groups):
        episodes = [corpus.train[p].episode for p in group]
        rows = [unit_rows(episode.vectors, corpus.centre) for episode in episodes]
        logits = [corpus.frame_logits[p] for p in group]
        others = [r for r in corpus.references if r.series != episodes[0].series]
        for references in (others, corpus.references):
            together = series_candidates(episodes, rows, references, logits, config)
            each = [
                series_candidates([episode], [row], references, [logit], config)
                for episode, row, logit in zip(episodes, rows, logits, strict=True)
            ]
            alone = Scene(tuple(scene.candidates[0] for scene in each), tuple(() for _ in each))
            if len(group) > 1:
                contexts.append(_Context(number, together, alone=False))
            contexts.append(_Context(number, alone, alone=True))
    return contexts


def _rankers(
    corpus: _Corpus,
    contexts: Sequence[_Context],
    regularisation: float,
    settings: FitSettings,
    priors: Priors | None,
) -> Rankers:
    first = fit_ranker(
        _choices(corpus, contexts, "first", settings),
        regularisation,
        priors.first if priors else None,
    )
    agreed = fit_ranker(
        _choices(corpus, contexts, "agreed", settings, first),
        regularisation,
        priors.agreed if priors else None,
    )
    alone = fit_ranker(
        _choices(corpus, contexts, "alone", settings),
        regularisation,
        priors.alone if priors else None,
    )
    return Rankers(first, agreed, alone)


def _choices(
    corpus: _Corpus,
    contexts: Sequence[_Context],
    kind: _Kind,
    settings: FitSettings,
    first: Ranker | None = None,
) -> list[Choice]:
    """Give what one ranker learns from; where no series has two episodes, the lone ones serve."""
    wanted = [c for c in contexts if c.alone == (kind == "alone")] or list(contexts)
    choices = []
    for context in wanted:
        features = [candidates.features for candidates in context.scene.candidates]
        if first is not None:
            features = agreement(
                context.scene, [first.probabilities(its_own) for its_own in features]
            )
        choices += [
            Choice(its_own, target(candidates, corpus.train[p].truth, settings))
            for its_own, candidates, p in zip(
                features, context.scene.candidates, corpus.groups[context.group], strict=True
            )
        ]
    return choices


def target(
    candidates: Candidates, truth: Interval | None, settings: FitSettings
) -> NDArray[np.float64]:
    """Give float64 (C + 1,): which candidates are the intro, in equal shares; the last is none."""
    shares = np.zeros(len(candidates) + 1)
    if truth is not None and len(candidates):
        errors = np.abs(candidates.spans - np.array(truth)).max(axis=1)
        if errors.min() <= settings.near_within_s:
            shares[:-1] = errors <= max(errors.min(), settings.right_within_s)
    if not shares.any():
        shares[-1] = 1.0
    return np.asarray(shares / shares.sum())


def _held_scenes(
    train: Sequence[LabelledEpisode], fold: _Fold, config: SeriesConfig
) -> list[Scene]:
    """Meet every series of a fold as one never seen, with the siblings that there are."""
    return [
        series_scene(
            [train[p].episode for p in group],
            centre=fold.rest.centre,
            frames=fold.rest.frames,
            references=[
                r for r in fold.rest.references if r.series != train[group[0]].episode.series
            ],
            config=config,
        )
        for group in fold.groups
    ]


def _held_out(
    folds: Sequence[_Fold], scenes: Sequence[Sequence[Scene]], rankers: Sequence[Rankers]
) -> list[tuple[Candidates, NDArray[np.float64]]]:
    """Give candidates and probabilities of every train episode, by a fit on other series."""
    found: dict[int, tuple[Candidates, NDArray[np.float64]]] = {}
    for fold, its_scenes, its_rankers in zip(folds, scenes, rankers, strict=True):
        for group, scene in zip(fold.groups, its_scenes, strict=True):
            shares = its_rankers.shares(scene)
            found |= zip(group, zip(scene.candidates, shares, strict=True), strict=True)
    return [found[p] for p in sorted(found)]


def _judged(
    train: Sequence[LabelledEpisode],
    held_out: Sequence[tuple[Candidates, NDArray[np.float64]]],
    config: SeriesConfig,
    regularisation: float,
    settings: FitSettings,
) -> Trial:
    """Choose the confidence below which to abstain; `config` abstains from nothing.

    Of calibrated probabilities it is where gain and loss are even, cost / (1 + cost). Of the
    bounds whose gain is the best but for chance, the one nearest to that is taken.
    """
    predictions = [read_off(c, share, config) for c, share in held_out]
    confidence = np.array([p.confidence or 0.0 for p in predictions])
    told = np.array([p.interval is not None for p in predictions])
    right = np.array(
        [
            _is_right(prediction, labelled.truth, settings)
            for prediction, labelled in zip(predictions, train, strict=True)
        ]
    )
    worth = np.where(right, 1.0, -settings.wrong_cost) * told

    def gain(bound: float) -> float:
        return float(worth[confidence >= bound].sum())

    even = settings.wrong_cost / (1 + settings.wrong_cost)
    levels = sorted({*confidence[told].tolist()})
    bounds = [0.0, even, *((a + b) / 2 for a, b in pairwise(levels)), 1.0]
    best = max(gain(bound) for bound in bounds)
    good = [bound for bound in bounds if gain(bound) >= best - settings.chance_episodes]
    bound = min(good, key=lambda bound: (abs(bound - even), bound))
    kept = told & (confidence >= bound)
    return Trial(
        similarity=config.candidates.similarity,
        regularisation=regularisation,
        min_confidence=float(bound),
        utility=gain(bound) / len(train),
        right=int((kept & right).sum()),
        wrong=int((kept & ~right).sum()),
    )


def _is_right(prediction: Prediction, truth: Interval | None, settings: FitSettings) -> bool:
    if truth is None or prediction.interval is None:
        return False
    errors = (abs(prediction.interval[0] - truth[0]), abs(prediction.interval[1] - truth[1]))
    return max(errors) <= settings.near_within_s

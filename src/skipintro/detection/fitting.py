"""Fits the series detector on labelled episodes, and chooses its settings on held-out series.

Nothing here ever sees a test episode: every choice is made by predictions for series that the
fit did not see (cross-validation by series, on train alone).
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


@dataclass(frozen=True, eq=False)
class _Corpus:
    """The train episodes by series, and what does not depend on the settings tried."""

    train: Sequence[LabelledEpisode]
    groups: tuple[tuple[int, ...], ...]  # positions of the episodes of each series
    centre: NDArray[np.float32]
    frames: FrameClassifier  # fitted on all
    frame_logits: tuple[NDArray[np.float64], ...]  # of each episode, fitted on other series
    references: tuple[Reference, ...]
    folds: tuple[int, ...]  # of each group


@dataclass(frozen=True, eq=False)
class _Context:
    """A series as the detector may meet it: with siblings or alone, known before or not."""

    group: int
    scene: Scene
    alone: bool
    known: bool


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
    corpus = _corpus(train, settings)
    trials, best = [], None
    for similarity in settings.similarities:
        config = SeriesConfig(
            candidates=base.model_copy(update={"similarity": similarity}), min_confidence=0.0
        )
        contexts = _contexts(corpus, config)
        for regularisation in settings.regularisations:
            held_out = _held_out(corpus, contexts, regularisation, settings, priors)
            trial = _judged(corpus, held_out, similarity, regularisation, settings)
            trials.append(trial)
            if best is None or trial.utility > best[0].utility:
                best = trial, contexts, config, held_out
    if best is None:
        raise ValueError("nothing to try: give at least one similarity and one regularisation")
    chosen, contexts, config, held_out = best
    detector = SeriesDetector(
        config=config.model_copy(update={"min_confidence": chosen.min_confidence}),
        centre=corpus.centre,
        frames=corpus.frames,
        references=corpus.references,
        rankers=_rankers(corpus, contexts, chosen.regularisation, settings, priors),
    )
    predictions = tuple(read_off(c, share, chosen.min_confidence) for c, share in held_out)
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
        corpus = _corpus(library, settings)
        pooled.append((corpus, _contexts(corpus, SeriesConfig(candidates=base, min_confidence=0))))

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


def _corpus(train: Sequence[LabelledEpisode], settings: FitSettings) -> _Corpus:
    if not train:
        raise ValueError("the series detector needs at least one labelled episode")
    by_series = defaultdict(list)
    for position, labelled in enumerate(train):
        by_series[labelled.episode.series].append(position)
    groups = tuple(tuple(by_series[name]) for name in sorted(by_series))
    folds = tuple(number % settings.folds for number in range(len(groups)))
    centre = np.concatenate([labelled.episode.vectors for labelled in train]).mean(axis=0)
    logits: dict[int, NDArray[np.float64]] = {}
    for fold in sorted(set(folds)):
        held = {p for group, its in zip(groups, folds, strict=True) if its == fold for p in group}
        rest = [labelled for p, labelled in enumerate(train) if p not in held]
        frames = fit_frames(rest or train, settings.frame_regularisation)
        logits |= {p: frames.logits(train[p].episode) for p in held}
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
        frames=fit_frames(train, settings.frame_regularisation),
        frame_logits=tuple(logits[p] for p in range(len(train))),
        references=references,
        folds=folds,
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
        for known, references in ((False, others), (True, corpus.references)):
            together = series_candidates(episodes, rows, references, logits, config)
            each = [
                series_candidates([episode], [row], references, [logit], config)
                for episode, row, logit in zip(episodes, rows, logits, strict=True)
            ]
            alone = Scene(tuple(scene.candidates[0] for scene in each), tuple(() for _ in each))
            if len(group) > 1:
                contexts.append(_Context(number, together, alone=False, known=known))
            contexts.append(_Context(number, alone, alone=True, known=known))
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


def _held_out(
    corpus: _Corpus,
    contexts: Sequence[_Context],
    regularisation: float,
    settings: FitSettings,
    priors: Priors | None,
) -> list[tuple[Candidates, NDArray[np.float64]]]:
    """Give candidates and probabilities of every train episode, by a fit on other series.

    The episodes are met as those of a series never seen, with its siblings where there are any.
    """
    found: dict[int, tuple[Candidates, NDArray[np.float64]]] = {}
    for fold in sorted(set(corpus.folds)):
        rest = [c for c in contexts if corpus.folds[c.group] != fold]
        rankers = _rankers(corpus, rest or contexts, regularisation, settings, priors)
        for context in contexts:
            group = corpus.groups[context.group]
            if corpus.folds[context.group] != fold or context.known:
                continue
            if context.alone != (len(group) == 1):
                continue
            shares = rankers.shares(context.scene)
            found |= {
                p: (candidates, share)
                for p, candidates, share in zip(
                    group, context.scene.candidates, shares, strict=True
                )
            }
    return [found[p] for p in range(len(corpus.train))]


def _judged(
    corpus: _Corpus,
    held_out: Sequence[tuple[Candidates, NDArray[np.float64]]],
    similarity: float,
    regularisation: float,
    settings: FitSettings,
) -> Trial:
    """Choose the confidence below which to abstain: the least of the most useful ones."""
    told = [
        (prediction.confidence or 0.0, _is_right(prediction, labelled.truth, settings))
        for prediction, labelled in zip(
            (read_off(c, share, 0.0) for c, share in held_out), corpus.train, strict=True
        )
        if prediction.interval is not None
    ]
    trials = []
    levels = sorted({confidence for confidence, _ in told})
    between = [(lower + upper) / 2 for lower, upper in pairwise(levels)]
    for bound in (0.0, *between, 1.0):
        right = sum(r for confidence, r in told if confidence >= bound)
        wrong = sum(not r for confidence, r in told if confidence >= bound)
        utility = (right - settings.wrong_cost * wrong) / len(corpus.train)
        trials.append(Trial(similarity, regularisation, bound, utility, right, wrong))
    return max(trials, key=lambda trial: trial.utility)


def _is_right(prediction: Prediction, truth: Interval | None, settings: FitSettings) -> bool:
    if truth is None or prediction.interval is None:
        return False
    errors = (abs(prediction.interval[0] - truth[0]), abs(prediction.interval[1] - truth[1]))
    return max(errors) <= settings.near_within_s

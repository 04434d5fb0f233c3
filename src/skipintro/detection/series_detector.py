"""The series detector: the intro of an episode, told by the other episodes of its series.

One episode cannot tell its intro from any other lettering; its siblings can, since the intro
comes back in them. Fitted on labelled episodes, used on any series with the siblings at hand; an
episode alone is left to known openings and to its single frames.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.detection.candidates import (
    CandidateConfig,
    Candidates,
    Openings,
    Rows,
    Span,
    find_candidates,
)
from skipintro.detection.episode import Episode, Prediction
from skipintro.detection.frames import FrameClassifier
from skipintro.detection.ranker import Ranker
from skipintro.detection.similarity import overlap, unit_rows

AGREEMENT_FEATURES = (
    "agreement_mean",  # how likely its match is the intro of a sibling: over all, and the likeliest
    "agreement_most",
    "intro_before",  # how likely a sibling's intro lies before its match, or after it: over those
    "intro_after",  # that have a match
)
_SAME_STRETCH = 0.5  # overlap over hull
_COPY_COSINE = 0.98  # between an episode and a copy of it, other encodings of it included
_COPY_LENGTH_S = 2


class SeriesConfig(BaseModel):
    """How an interval is read off; similarity and confidence are chosen on held-out series."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    candidates: CandidateConfig
    near_within_s: float = Field(ge=0)  # s; an interval whose ends are that near is right
    min_confidence: float = Field(ge=0, le=1)  # below it, rather none than a wrong one


@dataclass(frozen=True, eq=False)
class Reference:
    """A known opening: the rows (L, D) of one labelled intro."""

    series: str
    id: str
    rows: Rows


@dataclass(frozen=True, eq=False)
class Rankers:
    """Three rankers: of an episode with siblings before these were asked, and after; and alone."""

    first: Ranker
    agreed: Ranker
    alone: Ranker

    def shares(self, scene: "Scene") -> list[NDArray[np.float64]]:
        """Give the probabilities (C + 1,) of the candidates of each episode of a series."""
        if not any(scene.siblings):
            return [self.alone.probabilities(c.features) for c in scene.candidates]
        before = [self.first.probabilities(c.features) for c in scene.candidates]
        return [self.agreed.probabilities(features) for features in agreement(scene, before)]


@dataclass(frozen=True, eq=False)
class SeriesDetector:
    """What was fitted: see `skipintro.detection.fitting`.

    centre: float32 (D,), taken from all vectors.
    """

    config: SeriesConfig
    centre: NDArray[np.float32]
    frames: FrameClassifier
    references: tuple[Reference, ...]
    rankers: Rankers

    def detect(
        self, episodes: Sequence[Episode], at_hand: Sequence[Episode] = ()
    ) -> list[Prediction]:
        """Give one prediction an episode; `at_hand` are siblings that may be looked at."""
        groups = defaultdict(list)
        for episode in (*episodes, *at_hand):
            groups[episode.series].append(episode)
        found: dict[int, Prediction] = {}
        wanted = {id(episode) for episode in episodes}
        for group in groups.values():
            if any(id(episode) in wanted for episode in group):
                found |= {
                    id(episode): prediction
                    for episode, prediction in zip(group, self._series(group), strict=True)
                }
        return [found[id(episode)] for episode in episodes]

    def _series(self, group: Sequence[Episode]) -> list[Prediction]:
        scene = series_scene(
            group,
            centre=self.centre,
            frames=self.frames,
            references=self.references,
            config=self.config,
        )
        shares = self.rankers.shares(scene)
        return [
            read_off(candidates, share, self.config)
            for candidates, share in zip(scene.candidates, shares, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Scene:
    """The candidates of all episodes of one series, and who is whose sibling.

    siblings: of each episode, the positions of its siblings, in the order of its links.
    """

    candidates: tuple[Candidates, ...]
    siblings: tuple[tuple[int, ...], ...]


def series_scene(
    group: Sequence[Episode],
    *,
    centre: NDArray[np.float32],
    frames: FrameClassifier,
    references: Sequence[Reference],
    config: SeriesConfig,
) -> Scene:
    """Give the scene of one series from its vectors alone, as a detector meets it."""
    rows = [unit_rows(episode.vectors, centre) for episode in group]
    logits = [frames.logits(episode) for episode in group]
    return series_candidates(group, rows, references, logits, config)


def series_candidates(
    group: Sequence[Episode],
    rows: Sequence[Rows],
    references: Sequence[Reference],
    frame_logits: Sequence[NDArray[np.float64]],
    config: SeriesConfig,
) -> Scene:
    """Find the candidates of every episode of one series; its own intro is no reference."""
    siblings = [_siblings(position, group, rows, config) for position in range(len(group))]
    found = [
        find_candidates(
            rows[position],
            [rows[other] for other in siblings[position]],
            _openings(episode, references),
            frame_logits[position],
            config.candidates,
        )
        for position, episode in enumerate(group)
    ]
    return Scene(tuple(found), tuple(siblings))


def _openings(episode: Episode, references: Sequence[Reference]) -> Openings:
    """Sort the references by series; an episode's own intro is none."""
    own = [r.rows for r in references if r.series == episode.series and r.id != episode.id]
    return Openings(own, [r.rows for r in references if r.series != episode.series])


def _siblings(
    position: int, group: Sequence[Episode], rows: Sequence[Rows], config: SeriesConfig
) -> tuple[int, ...]:
    """Give the nearest other episodes in the order given; a copy of the episode is no sibling."""
    others = (
        other
        for other in _outwards(position, len(group))
        if group[other].id != group[position].id and not _copies(rows[other], rows[position])
    )
    return tuple(sorted(islice(others, config.candidates.n_siblings)))


def _outwards(position: int, n_places: int) -> Iterator[int]:
    """Yield all other places, the nearest first; of two equally near ones the earlier first."""
    for distance in range(1, n_places):
        for place in (position - distance, position + distance):
            if 0 <= place < n_places:
                yield place


def _copies(first: Rows, second: Rows) -> bool:
    if abs(len(first) - len(second)) > _COPY_LENGTH_S:
        return False
    n = min(len(first), len(second))
    return float(np.einsum("nd,nd->n", first[:n], second[:n]).sum()) > _COPY_COSINE * n


def agreement(scene: Scene, before: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Give the features with four more: what the siblings hold their match for.

    `before` holds the probabilities (C + 1,) of each episode's candidates; the new columns are
    named by AGREEMENT_FEATURES.
    """
    grown = []
    for position, candidates in enumerate(scene.candidates):
        siblings = scene.siblings[position]
        asked = np.zeros((len(candidates), len(AGREEMENT_FEATURES)))
        for row, links in enumerate(candidates.links):
            told = [
                _asked(span, scene.candidates[siblings[b]].spans, before[siblings[b]][:-1])
                for b, span in links.items()
            ]
            if told:
                same, earlier, later = zip(*told, strict=True)
                asked[row] = (
                    sum(same) / len(siblings),
                    max(same),
                    float(np.mean(earlier)),
                    float(np.mean(later)),
                )
        grown.append(np.hstack([candidates.features, asked]))
    return grown


def _asked(
    span: Span, spans: NDArray[np.int64], shares: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Give how likely a sibling's intro is this span of it, or lies before it, or after it."""
    same = overlap(span, spans[:, 0], spans[:, 1]) >= _SAME_STRETCH
    earlier, later = spans[:, 1] <= span[0] + 1, spans[:, 0] >= span[1] - 1
    return (
        float(shares[same].sum()),
        float(shares[earlier & ~same].sum()),
        float(shares[later & ~same].sum()),
    )


def read_off(
    candidates: Candidates, share: NDArray[np.float64], config: SeriesConfig
) -> Prediction:
    """Give the likeliest candidate, or none where it is not likely enough to be right.

    The confidence is the probability of all candidates that would make it right. The probability
    of a second is the sum over the candidates that hold it.
    """
    probabilities = np.zeros(candidates.n_seconds)
    for (start, stop), part in zip(candidates.spans, share[:-1], strict=True):
        probabilities[start:stop] += part
    seconds = np.clip(probabilities, 0, 1).astype(np.float32)
    if not len(candidates):
        return Prediction(None, None, seconds)
    best = int(share[:-1].argmax())
    start, stop = candidates.spans[best]
    near = np.abs(candidates.spans - candidates.spans[best]).max(axis=1) <= config.near_within_s
    confidence = float(share[:-1][near].sum())
    if confidence < config.min_confidence:
        return Prediction(None, None, seconds)
    return Prediction((float(start), float(stop)), min(1.0, confidence), seconds)

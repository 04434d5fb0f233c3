"""What the siblings of an episode hold its candidates for, after each has been asked alone."""

from collections.abc import Sequence

import numpy as np

from skipintro.detectors.candidates import Candidates, Floats
from skipintro.matching.pairs import Ints

AGREEMENT = (
    "agreed",  # probability of the match of an interval as the sibling's: mean and most
    "agreed_most",
    "elsewhere",  # probability of an interval of the sibling's that lies elsewhere, mean
    "n_asked",
    "alone",  # probability before siblings were asked; of the best; rank; best with the same ends
    "alone_relative",
    "alone_rank",
    "alone_near",
    "alone_elsewhere",
)
_SAME_ENDS_S = 0.75
_NEAR_S = 1.0


def with_agreement(
    position: int, candidates: Sequence[Candidates], alone: Sequence[Floats], rate: int
) -> Floats:
    """Return the features of one episode's candidates, with those named by AGREEMENT after them.

    `alone` holds for each episode of the season the probabilities (C,) of its candidates.
    """
    own, p = candidates[position], alone[position]
    told = np.zeros((len(own), len(AGREEMENT)))
    if not len(own):
        return np.hstack([own.features, told])
    for group, links in enumerate(own.links):
        rows = np.flatnonzero(own.group == group)
        asked = [
            _asked(own.spans[rows], candidates[sibling], alone[sibling], link, rate)
            for sibling, link in links.items()
            if len(candidates[sibling])
        ]
        if asked and len(rows):
            same, elsewhere = np.array(asked).transpose(1, 0, 2)  # (siblings, candidates)
            told[rows, 0], told[rows, 1] = same.mean(axis=0), same.max(axis=0)
            told[rows, 2], told[rows, 3] = elsewhere.mean(axis=0), len(asked)
    order = np.argsort(-p, kind="stable")
    told[:, 4], told[:, 5] = p, p / max(float(p.max()), 1e-3)
    told[order, 6] = np.log1p(np.arange(len(own)))
    start, stop = own.spans.T
    apart = np.maximum(np.abs(start - start[:, None]), np.abs(stop - stop[:, None]))
    told[:, 7] = np.where(apart <= _NEAR_S * rate, p, 0).max(axis=1)
    shared = np.minimum(stop, stop[:, None]) - np.maximum(start, start[:, None])
    hull = np.maximum(stop, stop[:, None]) - np.minimum(start, start[:, None])
    told[:, 8] = np.where(shared <= 0.1 * hull, p, 0).max(axis=1)
    return np.hstack([own.features, told])


def _asked(
    spans: Ints, theirs: Candidates, p: Floats, link: tuple[float, int], rate: int
) -> tuple[Floats, Floats]:
    """Return for each span how likely a sibling holds its match for the intro, and another one."""
    speed, offset = link
    expected = spans * speed + offset
    start, stop = theirs.spans.T
    apart = np.maximum(
        np.abs(start - expected[:, :1]),
        np.abs(stop - expected[:, 1:]),
    )
    same = np.where(apart <= _SAME_ENDS_S * rate, p, 0).max(axis=1)
    shared = np.minimum(stop, expected[:, 1:]) - np.maximum(start, expected[:, :1])
    elsewhere = np.where(shared <= 0.3 * (stop - start), p, 0).max(axis=1)
    return same, elsewhere

"""How siblings rate an episode's candidates, after each was scored alone."""

from collections.abc import Sequence

import numpy as np

from skipintro.detectors.candidates import Candidates, Floats
from skipintro.matching.pairs import Ints

CONSENSUS = (
    "agreed",  # probability of the match of an interval as the sibling's: mean and most
    "agreed_most",
    "elsewhere",  # probability of an interval of the sibling's that is elsewhere, mean
    "n_asked",
    "agreed_relative",  # probability of the match in relation to the sibling's best, mean
    "alone",  # probability without siblings; of the best; rank; best with the same ends
    "alone_relative",
    "alone_rank",
    "alone_near",
    "alone_elsewhere",
    "alone_before",  # of the best that ends before it begins, and that begins after it ends
    "alone_after",
)
_SAME_ENDS_S = 0.75
_NEAR_S = 1.0


def with_consensus(
    position: int, candidates: Sequence[Candidates], alone: Sequence[Floats], rate: int
) -> Floats:
    """Return the features of one episode's candidates, with those named by CONSENSUS after them.

    `alone` holds for each episode of the season the probabilities (C,) of its candidates.
    """
    own, p = candidates[position], alone[position]
    added = np.zeros((len(own), len(CONSENSUS)))
    if not len(own):
        return np.hstack([own.features, added])
    column = {name: place for place, name in enumerate(CONSENSUS)}
    for group, links in enumerate(own.links):
        rows = np.flatnonzero(own.group == group)
        opinions = [
            _opinion(own.spans[rows], candidates[sibling], alone[sibling], link, rate)
            for sibling, link in links.items()
            if len(candidates[sibling])
        ]
        if opinions and len(rows):
            same, elsewhere, best = np.array(opinions).transpose(1, 0, 2)  # (siblings, candidates)
            added[rows, column["agreed"]] = same.mean(axis=0)
            added[rows, column["agreed_most"]] = same.max(axis=0)
            added[rows, column["elsewhere"]] = elsewhere.mean(axis=0)
            added[rows, column["n_asked"]] = len(opinions)
            added[rows, column["agreed_relative"]] = (same / np.maximum(best, 1e-3)).mean(axis=0)
    order = np.argsort(-p, kind="stable")
    start, stop = own.spans.T
    apart = np.maximum(np.abs(start - start[:, None]), np.abs(stop - stop[:, None]))
    shared = np.minimum(stop, stop[:, None]) - np.maximum(start, start[:, None])
    hull = np.maximum(stop, stop[:, None]) - np.minimum(start, start[:, None])
    added[:, column["alone"]] = p
    added[:, column["alone_relative"]] = p / max(float(p.max()), 1e-3)
    added[order, column["alone_rank"]] = np.log1p(np.arange(len(own)))
    for name, where in (
        ("alone_near", apart <= _NEAR_S * rate),
        ("alone_elsewhere", shared <= 0.1 * hull),
        ("alone_before", stop <= start[:, None]),
        ("alone_after", start >= stop[:, None]),
    ):
        added[:, column[name]] = np.where(where, p, 0).max(axis=1)
    return np.hstack([own.features, added])


def _opinion(
    spans: Ints, theirs: Candidates, p: Floats, link: tuple[float, int], rate: int
) -> tuple[Floats, Floats, Floats]:
    """Return for each span how likely a sibling holds its match for the intro, another one, any."""
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
    return same, elsewhere, np.full(len(spans), p.max())

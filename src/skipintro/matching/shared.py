"""What the siblings of an episode share with it, by kind of evidence: for a person to look at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skipintro.evidence.track import Curve
from skipintro.matching.pairs import MatchingSettings, best_along, there
from skipintro.matching.siblings import Season


@dataclass(frozen=True, eq=False)
class SharedEvidence:
    """By kind (n,): the share of siblings that have each moment, `rate` a second; NaN: silent."""

    rate: int
    kinds: Mapping[str, Curve]

    def by_second(self) -> dict[str, Curve]:
        """Return by kind the mean of each second; 0 where nothing is said in all of it."""
        found = {}
        for kind, curve in self.kinds.items():
            padded = np.pad(np.nan_to_num(curve), (0, -len(curve) % self.rate))
            found[kind] = padded.reshape(-1, self.rate).mean(axis=1)
        return found

    def share_between(self, start_s: float, end_s: float) -> float:
        """Return the share of an interval that some sibling shows or plays; 0 where it is empty."""
        first, stop = round(start_s * self.rate), round(end_s * self.rate)
        present = [np.nan_to_num(curve[first:stop]) > 0 for curve in self.kinds.values()]
        return float(np.any(present, axis=0).mean()) if present and len(present[0]) else 0.0


def shared_by_kind(
    season: Season, position: int, matching: MatchingSettings
) -> Mapping[str, Curve]:
    """Return by kind float32 (n,): the share of siblings that show or play each moment somewhere.

    Moments of which the kind says nothing (a blank picture, silence) are NaN; without siblings all
    others are 0.
    """
    episode = season.episodes[position]
    shares = {
        kind: similar.mean(axis=0) if len(similar) else np.zeros(episode.n)
        for kind, similar in similar_by_kind(season, position, matching).items()
    }
    return {
        kind: np.where(episode.says[kind], share, np.nan).astype(np.float32)
        for kind, share in shares.items()
    }


def similar_by_kind(
    season: Season, position: int, matching: MatchingSettings
) -> Mapping[str, NDArray[np.bool_]]:
    """Return by kind (siblings, n): which siblings show or play each moment somewhere."""
    episode, siblings = season.episodes[position], season.siblings[position]
    found = {kind: np.zeros((len(siblings), episode.n), bool) for kind in episode.tracks}
    for row, sibling in enumerate(siblings):
        theirs, shared = season.episodes[sibling], season.match(position, sibling)
        for start, stop, offset, _ in shared.runs.tolist():
            at = np.arange(max(0, start), min(stop, episode.n))
            other = there(at, shared.speed, offset)
            for kind in found.keys() & theirs.tracks.keys():
                rows = episode.tracks[kind].rows, theirs.tracks[kind].rows
                found[kind][row, at] |= best_along(*rows, at, other) > matching.alike[kind]
    return found

"""What was found for a pair of episodes, by the content of their evidence: matched once."""

from collections.abc import Sequence

import numpy as np

from skipintro.core.cache_dir import code_hash
from skipintro.core.versions import versions
from skipintro.detectors.openings import SeasonSettings
from skipintro.library.cache import Cache
from skipintro.matching.pairs import Match
from skipintro.matching.siblings import Pair

_KIND = "pair"


class PairCache:
    """Pairs that earlier runs have matched, by the same code and settings."""

    def __init__(self, cache: Cache, settings: SeasonSettings) -> None:
        self._cache = cache
        self._made_by = code_hash(
            "skipintro.matching.siblings",
            matching=settings.matching.model_dump(mode="json"),
            siblings=settings.siblings.model_dump(mode="json"),
            versions=versions("numpy"),
        )

    def of_season(self, contents: Sequence[str]) -> "SeasonPairs":
        """Return what is known of pairs of episodes, given by hashes of their evidence."""
        return SeasonPairs(self._cache, self._made_by, contents)


class SeasonPairs:
    """The `Recall` of one season."""

    def __init__(self, cache: Cache, made_by: str, contents: Sequence[str]) -> None:
        self._cache, self._made_by, self._contents = cache, made_by, contents

    def get(self, first: int, second: int) -> Pair | None:
        """Return what was put of two episodes, None where nothing was."""
        known = self._cache.get(_KIND, self._key(first, second))
        if known is None:
            return None
        speed, is_copy, runs = known
        return Pair(Match(speed, np.array(runs, np.int64).reshape(-1, 4)), is_copy)

    def put(self, first: int, second: int, pair: Pair) -> None:
        """Keep what two episodes share."""
        kept = [pair.match.speed, pair.is_copy, pair.match.runs.tolist()]
        self._cache.put(_KIND, self._key(first, second), kept)

    def _key(self, first: int, second: int) -> str:
        same = "within" if first == second else "with"  # a copy of an episode is another one
        return f"{self._contents[first]} {same} {self._contents[second]} {self._made_by}"

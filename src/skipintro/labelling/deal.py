"""Deals labelled episodes to train and test: whole series, and equal contents to one side."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file
from skipintro.core.progress import Unit, progress
from skipintro.episodes.annotations import series_of
from skipintro.episodes.labels import Label
from skipintro.episodes.spelling import normalize_title

TRAIN, TEST = "train", "test"
_REMEDY = "a split needs 2: add episodes of another, or give each its `series` in the label file"


@dataclass(frozen=True)
class Episode:
    """One labelled episode, its video, and its entry in the label file."""

    id: str
    series: str
    video: Path
    entry: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What its series is called, however it is spelt."""
        return normalize_title(self.series) or self.series


def series_of_label(id_: str, label: Label) -> str:
    """Return the series that `annotate` takes an episode for."""
    return label.series or series_of(label.name) or id_


def equal_contents(episodes: Iterable[Episode]) -> list[tuple[Episode, ...]]:
    """Return the episodes whose videos have the same bytes, two or more at a time.

    Only files of equal sizes are read. Empty ones are no content.
    """
    by_size: dict[int, list[Episode]] = defaultdict(list)
    for episode in episodes:
        by_size[episode.video.stat().st_size].append(episode)
    read = [one for size, same in by_size.items() if size and len(same) > 1 for one in same]
    by_content: dict[str, list[Episode]] = defaultdict(list)
    for episode in progress(read, len(read), Unit.VIDEOS_OF_EQUAL_SIZES):
        by_content[sha256_of_file(episode.video)].append(episode)
    return [tuple(same) for same in by_content.values() if len(same) > 1]


def deal(
    episodes: Sequence[Episode],
    equal: Iterable[Sequence[Episode]],
    *,
    test_share: float,
    seed: int,
) -> dict[str, list[Episode]]:
    """Return the episodes of train and test, each in the given order.

    Series are taken in an order that the seed sets, each where it brings the share of test
    episodes nearer to `test_share`; neither side is left empty. Series that share a content go
    together. Raises InputError where there are not two to deal.
    """
    groups = _groups(episodes, equal)
    names = {episode.key: episode.series for episode in reversed(episodes)}
    if len(names) < 2:
        raise InputError(
            f"{len(episodes)} episodes of 1 series ({', '.join(names.values())!r}); {_REMEDY}"
        )
    if len(groups) < 2:
        raise InputError(
            f"equal contents tie all {len(names)} series together; remove the copies, which are "
            "named above"
        )
    sizes = {group: sum(episode.key in group for episode in episodes) for group in groups}
    order = sorted(groups, key=lambda group: _drawn(seed, group))
    target, n_test, test = test_share * len(episodes), 0, []
    for group in order:
        if abs(n_test + sizes[group] - target) < abs(n_test - target):
            test.append(group)
            n_test += sizes[group]
    test = test or [min(order, key=sizes.__getitem__)]
    if len(test) == len(order):
        test.remove(min(order, key=sizes.__getitem__))
    keys = frozenset().union(*test)
    return {
        TRAIN: [episode for episode in episodes if episode.key not in keys],
        TEST: [episode for episode in episodes if episode.key in keys],
    }


def spellings(episodes: Iterable[Episode]) -> list[list[str]]:
    """Return the names that are one series, where there are several."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for episode in episodes:
        names[episode.key][episode.series] = None
    return [list(same) for same in names.values() if len(same) > 1]


def _groups(episodes: Iterable[Episode], equal: Iterable[Sequence[Episode]]) -> set[frozenset[str]]:
    """Return the series, by their keys, that have to go together."""
    group = {episode.key: frozenset({episode.key}) for episode in episodes}
    for same in equal:
        joined = frozenset().union(*(group[episode.key] for episode in same))
        group |= dict.fromkeys(joined, joined)
    return set(group.values())


def _drawn(seed: int, group: frozenset[str]) -> tuple[str, list[str]]:
    """Return a place in the order that depends on the seed and on these series alone."""
    keys = sorted(group)
    return hashlib.sha256("\n".join([str(seed), *keys]).encode()).hexdigest(), keys

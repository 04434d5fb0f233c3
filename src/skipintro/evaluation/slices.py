"""Parts of the test episodes in which a detector may do better or worse than overall."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from skipintro.detection.episode import Interval
from skipintro.evaluation.results import ROUNDING, Outcome

TAG = "tag_"  # before the name of a part by tag
SHORT_S, LONG_S = 5.0, 15.0  # lengths of an intro between which it is neither


def slices(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Return the outcomes of each named part, in their order; a part may be empty.

    Parts by the intro's length and place hold no episode without an intro. Each tag of the labels
    makes a part.
    """
    by_intro = {
        name: [row for row in outcomes if row.truth is not None and holds(row.truth)]
        for name, holds in _BY_INTRO.items()
    }
    by_episode = {
        name: [row for row in outcomes if holds(row)] for name, holds in _BY_EPISODE.items()
    }
    tags = sorted({tag for row in outcomes for tag in row.tags})
    by_tag = {f"{TAG}{tag}": [row for row in outcomes if tag in row.tags] for tag in tags}
    return by_intro | by_episode | by_tag


def _length_s(truth: Interval) -> float:
    return truth[1] - truth[0]


_BY_INTRO: Mapping[str, Callable[[Interval], bool]] = MappingProxyType(
    {
        "intro_under_5s": lambda truth: _length_s(truth) < SHORT_S - ROUNDING,
        "intro_5_to_15s": lambda truth: SHORT_S - ROUNDING <= _length_s(truth) <= LONG_S + ROUNDING,
        "intro_over_15s": lambda truth: _length_s(truth) > LONG_S + ROUNDING,
        "cold_open": lambda truth: truth[0] > 0,
        "no_cold_open": lambda truth: truth[0] <= 0,
    }
)
_BY_EPISODE: Mapping[str, Callable[[Outcome], bool]] = MappingProxyType(
    {
        "series_seen": lambda row: row.seen,
        "series_unseen": lambda row: not row.seen,
        "leaked": lambda row: row.leaked,
        "not_leaked": lambda row: not row.leaked,
        "label_as_given": lambda row: not row.corrected,
        "label_corrected": lambda row: row.corrected,
    }
)

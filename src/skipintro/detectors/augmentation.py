"""What a season might also have been: longer or shorter, and with its opening later.

The shows that a detector learns from are few, and lengths and places that come back among their
labels would be learned as such. So each season is learned from with its times changed, in the
features of its candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.detection.episode import Interval
from skipintro.detectors.candidates import FEATURES, Candidates, Floats

# Of FEATURES, those that are times: in seconds, as log(1 + s) and as log(s).
_SECONDS = (
    "offset_spread",
    "length",
    "strength",
    "before",
    "after",
    "container",
    "after_inside",
    "before_moving",
    "after_moving",
)
_LOG1P_SECONDS = ("sibling_start", "sibling_rest", "start_spread", "start", "rest")
_LOG_SECONDS = ("log_length", "log_episode")
# Those that tell how far a candidate is from the start of its episode, and from its end.
_FROM_START_S, _FROM_END_S = ("start", "sibling_start"), ("rest", "sibling_rest")  # log(1 + s)
_FROM_START, _FROM_END = ("place", "sibling_place"), ("rest_place",)  # shares of the episode

_CUT_BY_S = 2.0  # a candidate that begins so much before a cut begins before it
_ADJOINS_S = 3.0  # what ends so little before a cut adjoins it
_ENDS_BY_S = 0.5  # what ends so much before a cut stays before it
_STRONG = 0.5  # share of the siblings times how much of the interval they share
_ANYWHERE = 0.6  # share of an episode without an opening in which a cut may lie


class AugmentationSettings(BaseModel):
    """How far the times of a season are changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # A season lasts longer or shorter by a share from a log normal distribution of this width.
    stretch: float = Field(ge=0)
    delayed_share: float = Field(ge=0, le=1)  # of the seasons, whose openings come later
    delayed_to: tuple[float, float]  # least and greatest share of the episode where they then begin


@dataclass(frozen=True)
class Variation:
    """A season as it is learned from.

    factor: how many times as long it lasts. story_s: of story, put in at `cuts_s` of each episode
    (s, before it is stretched), so that what comes after the cut comes later.
    """

    factor: float
    story_s: float = 0.0
    cuts_s: tuple[float, ...] = ()

    def possible(self, position: int, found: Candidates, rate: int) -> NDArray[np.bool_]:
        """Return (C,): which candidates of the episode are whole still, not cut in two."""
        if not self.story_s:
            return np.ones(len(found), bool)
        ends_before = found.spans[:, 1] / rate <= self.cuts_s[position] - _ENDS_BY_S
        return ends_before | self._later(position, found, rate)

    def features(self, position: int, found: Candidates, table: Floats, rate: int) -> Floats:
        """Return a table of the candidates' features (C, F or more) as they then are."""
        n_features = found.features.shape[1]
        if self.factor != 1:
            table = stretched(table, self.factor, n_features)
        if not self.story_s:
            return table
        later = self._later(position, found, rate)
        return with_story(table, np.where(later, self.story_s, 0), self.story_s, n_features)

    def _later(self, position: int, found: Candidates, rate: int) -> NDArray[np.bool_]:
        return np.asarray(found.spans[:, 0] / rate >= self.cuts_s[position] - _CUT_BY_S)


def vary(
    season: Sequence[Candidates],
    openings: Sequence[Sequence[Interval]],
    settings: AugmentationSettings,
    generator: np.random.Generator,
    rate: int,
) -> Variation:
    """Return how to learn from a season, by chance."""
    factor = float(np.exp(generator.normal(0, settings.stretch)))
    is_delayed = generator.random() < settings.delayed_share
    place = generator.uniform(*settings.delayed_to)
    cuts_s = _cuts(season, openings, generator, rate) if is_delayed else ()
    if not cuts_s:
        return Variation(factor)
    length_s = float(np.median([found.n / rate for found in season])) * factor
    story_s = (place * length_s - float(np.median(cuts_s)) * factor) / (1 - place)
    return Variation(factor, max(0.0, story_s), cuts_s)


def stretched(features: Floats, factor: float, n_features: int) -> Floats:
    """Return the features (C, n_features or more) of the same candidates, had all lasted longer.

    `factor` is a share: with 1.1 an opening of 10 s, 50 s into its episode, is one of 11 s at 55 s.
    """
    columns, changed = _columns(n_features), features.copy()
    for name in _SECONDS:
        changed[:, columns[name]] *= factor
    for name in _LOG1P_SECONDS:
        changed[:, columns[name]] = np.log1p(factor * np.expm1(changed[:, columns[name]]))
    for name in _LOG_SECONDS:
        changed[:, columns[name]] += np.log(factor)
    return changed


def with_story(features: Floats, before_s: Floats, story_s: float, n_features: int) -> Floats:
    """Return the features (C, n_features or more) in episodes that are `story_s` longer.

    before_s: (C,), how much of it lies before each candidate; the rest lies after.
    """
    columns, changed = _columns(n_features), features.copy()
    was_s = np.exp(changed[:, columns["log_episode"]])
    is_s = was_s + story_s
    more_s = {
        **dict.fromkeys((*_FROM_START_S, *_FROM_START), before_s),
        **dict.fromkeys((*_FROM_END_S, *_FROM_END), story_s - before_s),
    }
    for name in (*_FROM_START_S, *_FROM_END_S):
        changed[:, columns[name]] = np.log1p(np.expm1(changed[:, columns[name]]) + more_s[name])
    for name in (*_FROM_START, *_FROM_END):
        changed[:, columns[name]] = (changed[:, columns[name]] * was_s + more_s[name]) / is_s
    changed[:, columns["cover"]] *= was_s / is_s
    changed[:, columns["log_episode"]] = np.log(is_s)
    return changed


def _columns(n_features: int) -> dict[str, int]:
    return {name: n_features - len(FEATURES) + k for k, name in enumerate(FEATURES)}


def _cuts(
    season: Sequence[Candidates],
    openings: Sequence[Sequence[Interval]],
    generator: np.random.Generator,
    rate: int,
) -> tuple[float, ...]:
    """Return where story may come in before each opening, s; () where something adjoins one.

    An ident directly before its title sequence would come later with it, or be torn from it.
    """
    cuts_s = []
    for found, of_episode in zip(season, openings, strict=True):
        cut_s = (
            min(start_s for start_s, _ in of_episode)
            if of_episode
            else float(generator.uniform(0, _ANYWHERE)) * found.n / rate
        )
        columns = _columns(found.features.shape[1])
        strength = found.features[:, columns["share"]] * found.features[:, columns["any_alike"]]
        start_s, stop_s = (found.spans / rate).T
        adjoins = (start_s < cut_s - _CUT_BY_S) & (stop_s > cut_s - _ADJOINS_S)
        if (adjoins & (strength > _STRONG)).any():
            return ()
        cuts_s.append(cut_s)
    return tuple(cuts_s)

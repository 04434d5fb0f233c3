"""Candidate intervals of one episode, from the runs that it shares with its siblings.

Runs over the same stretch are one group. Where a group begins and ends is found in several ways: by
one run, by what half of the siblings share, by what any shares, by each kind of evidence alone,
and each moved to the cut or change of sound nearby. All pairs of those ends are candidates; a
ranker decides (`skipintro.detectors.openings`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.matching.pairs import Ints, MatchingSettings, best_along, there
from skipintro.matching.siblings import Season

Floats = NDArray[np.float64]
Span = tuple[int, int]  # [start, stop), moments of the grid

_STILL = 1.0  # mean absolute difference of grey (0 to 255): less is a still picture
_AROUND_S = 8.0  # beyond either end of a group that is looked at
_CLOSING_S = 5.0  # before an episode's end: what ends there is taken for a closing roll
_MOVES_S = 2.0  # what does not begin at the same second everywhere


class CandidateSettings(BaseModel):
    """How candidates are found; a part of a detector's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_length_s: float = Field(gt=0)
    max_length_s: float = Field(gt=0)
    max_share: float = Field(gt=0, le=1)  # of an episode that an interval may cover
    same_group: float = Field(gt=0, le=1)  # overlap over hull
    n_groups: int = Field(ge=1)  # of an episode, the strongest
    snap_s: float = Field(ge=0)  # up to which an end moves to a cut or change of sound
    still_s: tuple[float, float]  # of a card beside an interval that may not belong to it
    blank_s: float = Field(ge=0)  # of a blank picture beside an interval that may belong to it
    snap_cost: float = Field(ge=0)  # of each moment that it moves, in percentiles of change


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of one episode; C may be 0.

    spans: int64 (C, 2), moments of the grid. features: float64 (C, F), named by `names`. group:
    int64 (C,). links: of each group by sibling (its position in the season) speed and offset.
    repeats: int64 (R, 4), the runs that come back within the episode, as in `Season`.
    """

    n: int
    spans: Ints
    features: Floats
    group: Ints
    links: tuple[Mapping[int, tuple[float, int]], ...]
    repeats: Ints = field(default_factory=lambda: np.zeros((0, 4), np.int64))

    def __len__(self) -> int:
        return len(self.spans)


KIND_FEATURES = (
    "alike",  # share of the siblings that are similar, over the interval
    "cosine",  # mean
    "says",  # share of the interval of which the kind says something
    "alike_said",  # share that is similar, of that
    "alike_before",  # within 1 s beyond either end, and within either end
    "alike_after",
    "alike_first",
    "alike_last",
    "alike_head",  # over the first and the last quarter of the interval
    "alike_tail",
    "change_at_start",  # percentile of the episode's own changes, at the end and around it
    "change_at_end",
    "change_by_start",
    "change_by_end",
    "change",  # mean over the interval, and in relation to the episode's
    "change_ratio",
    "level",  # in relation to the episode's median: over the interval, least around either end
    "level_at_start",
    "level_at_end",
    "level_step_at_start",  # from the second before either end to the second after it
    "level_step_at_end",
    "change_before",  # mean within 2 s beyond either end, and within either end
    "change_after",
    "change_first",
    "change_last",
    "cosine_before",  # mean within 2 s beyond either end, and within either end
    "cosine_after",
    "cosine_first",
    "cosine_last",
)
FEATURES = (
    "any_alike",  # any kind, gaps bridged: over the interval, its worst quarter, ends, beyond them
    "any_least",
    "any_first",
    "any_last",
    "any_before",
    "any_after",
    "n_siblings",
    "n_alike",
    "share",
    "sibling_start",  # log s; and rest, and place, of the match in the siblings: medians
    "sibling_rest",
    "sibling_place",
    "offset_spread",  # s
    "start_spread",
    "length",
    "log_length",
    "start",  # log s
    "place",
    "rest",
    "rest_place",
    "cover",
    "log_episode",
    "repeats",  # runs of the episode itself that cover the interval
    "start_of_half",  # how far the ends are from those of half of the siblings, any, or the
    "end_of_half",  # strongest run, in moments
    "start_of_any",
    "end_of_any",
    "start_of_run",
    "end_of_run",
    "group",  # rank of the group by its strongest run
    "n_groups",
    "strength",  # share of the siblings times length; in relation to other groups
    "rank",
    "relative",
    "before",
    "after",
    "before_share",
    "after_share",
    "n_before",
    "container",
    "adjacent_before",
    "adjacent_after",
    "after_inside",  # the same of groups that do not end where the episode ends
    "after_share_inside",
    "before_moving",  # the same of groups that do not begin at the same second everywhere
    "after_moving",
    "before_share_moving",
    "after_share_moving",
    "longest_share",  # the length of the longest group that most siblings share, in relation
)


def names(kinds: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the features, for these kinds of evidence."""
    return (*(f"{kind}_{name}" for kind in kinds for name in KIND_FEATURES), *FEATURES)


def find_candidates(
    season: Season, position: int, matching: MatchingSettings, settings: CandidateSettings
) -> Candidates:
    """Find the candidates of one episode of a season; without siblings there are none."""
    episode = season.episodes[position]
    groups = _groups(season, position, settings)
    views = [_View(season, position, group, matching) for group in groups]
    n_kinds = len(matching.alike)
    features = [np.zeros((0, n_kinds * len(KIND_FEATURES) + len(FEATURES)))]
    spans, owner = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    signals = _Signals(season, position, matching)
    for rank, view in enumerate(views):
        found = _spans(view, signals, matching, settings)
        if len(found):
            spans.append(found)
            owner.append(np.full(len(found), rank))
            features.append(_features(view, signals, found, matching))
    candidates = Candidates(
        n=episode.n,
        spans=np.concatenate(spans),
        features=np.concatenate(features),
        group=np.concatenate(owner),
        links=tuple(view.links for view in views),
        repeats=season.repeats[position],
    )
    _put_in_context(candidates)
    return candidates


@dataclass(frozen=True, eq=False)
class _Group:
    """Runs over the same stretch: the strongest one's ends, and by sibling its strongest run."""

    start: int
    stop: int
    runs: dict[int, "_Run"]


@dataclass(frozen=True)
class _Run:
    """A run with a sibling: `[start, stop)` of the episode, and where it is in the sibling."""

    start: int
    stop: int
    offset: int
    speed: float


def _groups(season: Season, position: int, settings: CandidateSettings) -> list[_Group]:
    """Join the runs with all siblings, strongest first."""
    n = season.episodes[position].n
    rows = []
    for sibling in season.siblings[position]:
        shared_with = season.match(position, sibling)
        for start, stop, offset, n_similar in shared_with.runs.tolist():
            where = (max(0, start), min(n, stop), offset)
            rows.append((-n_similar, sibling, *where, shared_with.speed))
    groups: list[_Group] = []
    bounds = np.zeros((settings.n_groups, 2), np.int64)
    for _, sibling, start, stop, offset, speed in sorted(rows):
        if stop <= start:
            continue
        known = bounds[: len(groups)]
        shared = np.minimum(known[:, 1], stop) - np.maximum(known[:, 0], start)
        hull = np.maximum(known[:, 1], stop) - np.minimum(known[:, 0], start)
        same = np.flatnonzero(shared > settings.same_group * hull)
        if len(same):
            groups[same[0]].runs.setdefault(sibling, _Run(start, stop, offset, speed))
        elif len(groups) < settings.n_groups:
            bounds[len(groups)] = start, stop
            groups.append(_Group(start, stop, {sibling: _Run(start, stop, offset, speed)}))
    return groups


class _View:
    """What the siblings of a group show around it, moment by moment.

    Everything is of the moments `[first, last)`; `any` and `kinds` are shares of the siblings.
    """

    def __init__(
        self, season: Season, position: int, group: _Group, matching: MatchingSettings
    ) -> None:
        episode = season.episodes[position]
        around = round(_AROUND_S * matching.rate)
        self.group = group
        self.first = max(0, min(run.start for run in group.runs.values()) - around)
        self.last = min(episode.n, max(run.stop for run in group.runs.values()) + around)
        self.n_siblings = len(season.siblings[position])
        at = np.arange(self.first, self.last)
        self._gap = round(matching.gap_s * matching.rate)
        cosines: dict[str, list[NDArray[np.float32]]] = {kind: [] for kind in matching.alike}
        joined, self.links, starts, rests, places = [], {}, [], [], []
        for sibling, run in group.runs.items():
            theirs, speed, offset = season.episodes[sibling], run.speed, run.offset
            other = there(at, speed, offset)
            is_similar = np.zeros(len(at), bool)
            for kind, level in matching.alike.items():
                if kind in episode.tracks and kind in theirs.tracks:
                    rows = episode.tracks[kind].rows, theirs.tracks[kind].rows
                    cosine = best_along(*rows, at, other)
                else:
                    cosine = np.zeros(len(at), np.float32)
                cosines[kind].append(cosine)
                is_similar |= cosine > level
            joined.append(_bridged(is_similar, self._gap))
            self.links[sibling] = (speed, offset)
            starts.append(group.start * speed + offset)
            rests.append(theirs.n - (group.stop * speed + offset))
            places.append(starts[-1] / theirs.n)
        self.any = np.mean(joined, axis=0)
        self.cosine = {kind: np.mean(found, axis=0) for kind, found in cosines.items()}
        self.kinds = {
            kind: (np.array(found) > matching.alike[kind]).mean(axis=0)
            for kind, found in cosines.items()
        }
        self.sibling_starts = np.array(starts)
        self.sibling_rest, self.sibling_place = float(np.median(rests)), float(np.median(places))

    @cached_property
    def ends(self) -> "_Ends":
        """Return the ends that are found in several ways."""
        start, stop = self.group.start - self.first, self.group.stop - self.first

        def run(mask: NDArray[np.bool_]) -> Span | None:
            return _run_at(mask, start, stop)

        by_kind = [run(_bridged(share >= 0.5, self._gap)) for share in self.kinds.values()]
        return _Ends(
            run=(start, stop),
            half=run(self.any >= 0.5),
            most=run(self.any > 0),
            others=tuple(span for span in (run(self.any > 0.99), *by_kind) if span),
        )


@dataclass(frozen=True)
class _Ends:
    run: Span
    half: Span | None
    most: Span | None
    others: tuple[Span, ...]

    def spans(self) -> list[Span]:
        return [span for span in (self.run, self.half, self.most, *self.others) if span]


class _Signals:
    """The changes and levels of an episode's kinds, as percentiles and beside the median."""

    def __init__(self, season: Season, position: int, matching: MatchingSettings) -> None:
        self._episode = season.episodes[position]
        self.n = self._episode.n
        self.repeats = season.repeats[position]
        self.rate = matching.rate
        nothing = np.zeros(self.n)
        self.change, self.percentile, self.level, self.says = {}, {}, {}, {}
        for kind in matching.alike:
            track = self._episode.tracks.get(kind)
            change = nothing if track is None else track.change.astype(np.float64)
            self.change[kind] = change
            self.percentile[kind] = np.searchsorted(np.sort(change), change) / max(1, self.n)
            level = nothing if track is None else track.level.astype(np.float64)
            self.level[kind] = level - (np.median(level) if self.n else 0.0)
            self.says[kind] = (
                nothing if track is None else self._episode.says[kind].astype(np.float64)
            )

    @cached_property
    def edges(self) -> Floats:
        """Return (n,): how much of a cut, or of a change of sound, is before each moment."""
        return np.asarray(sum(percentile**4 for percentile in self.percentile.values()))

    @cached_property
    def blank(self) -> NDArray[np.bool_]:
        """Return bool (n,): the moments whose picture, or whose first kind, says nothing."""
        kind = next(iter(self.says))
        return np.asarray((self.says[kind] == 0) & (kind in self._episode.tracks))

    def blank_before(self, at: int, settings: CandidateSettings) -> int:
        """Return the moment at which a blank stretch before another one begins."""
        return _blank_to(self.blank, at, round(settings.blank_s * self.rate), -1)

    def blank_after(self, at: int, settings: CandidateSettings) -> int:
        """Return the moment at which a blank stretch after another one ends."""
        return _blank_to(self.blank, at, round(settings.blank_s * self.rate), 1)

    @cached_property
    def still(self) -> NDArray[np.bool_]:
        """Return bool (n,): the moments at which the picture, or the first kind, stands still."""
        kind = next(iter(self.change))
        return np.asarray((self.change[kind] <= _STILL) & (kind in self._episode.tracks))

    def still_before(self, at: int, settings: CandidateSettings) -> int:
        """Return the moment at which a still stretch before another one begins: a card."""
        begin = _blank_to(self.still, at, round(settings.still_s[1] * self.rate), -1)
        begin = max(0, begin - 1)  # the cut to it is no still moment
        return begin if at - begin >= settings.still_s[0] * self.rate else at

    def still_after(self, at: int, settings: CandidateSettings) -> int:
        """Return the moment at which a still stretch after another one ends."""
        first = min(at + 1, self.n)  # the cut to it is no still moment
        end = _blank_to(self.still, first, round(settings.still_s[1] * self.rate), 1)
        return end if end - at >= settings.still_s[0] * self.rate else at

    def snapped(self, at: int, settings: CandidateSettings) -> int:
        """Return the moment nearby that looks most like an end."""
        reach = round(settings.snap_s * self.rate)
        near = np.arange(max(1, at - reach), min(self.n - 1, at + reach) + 1)
        if not len(near):
            return at
        return int(near[(self.edges[near] - settings.snap_cost * np.abs(near - at)).argmax()])


def _blank_to(blank: NDArray[np.bool_], at: int, most: int, step: int) -> int:
    """Return where a blank stretch ends beside a moment, one way; not too far away."""
    n_steps = 0
    while n_steps < most and 0 <= at - (step < 0) < len(blank) and blank[at - (step < 0)]:
        at, n_steps = at + step, n_steps + 1
    return at


def _spans(
    view: _View, signals: _Signals, matching: MatchingSettings, settings: CandidateSettings
) -> Ints:
    """Return int64 (C, 2): all pairs of ends that make an interval of a usual length."""
    found = view.ends.spans()
    starts, stops = ({span[end] + view.first for span in found} for end in (0, 1))
    starts |= {min(max(signals.snapped(at, settings), view.first), view.last) for at in starts}
    stops |= {min(max(signals.snapped(at, settings), view.first), view.last) for at in stops}
    starts |= {signals.blank_before(at, settings) for at in starts}
    stops |= {signals.blank_after(at, settings) for at in stops}
    starts |= {signals.still_after(at, settings) for at in (view.first + s[0] for s in found)}
    stops |= {signals.still_before(at, settings) for at in (view.first + s[1] for s in found)}
    spans = np.array([(a, b) for a in sorted(starts) for b in sorted(stops)], np.int64)
    length = spans[:, 1] - spans[:, 0]
    longest = min(settings.max_length_s * matching.rate, settings.max_share * signals.n)
    return spans[(length >= settings.min_length_s * matching.rate) & (length <= longest)]


def _features(view: _View, signals: _Signals, spans: Ints, matching: MatchingSettings) -> Floats:
    """Return the features (C, F) of a group's candidates; the context is put in later."""
    start, stop = spans.T
    second = matching.rate
    columns = []
    for kind in matching.alike:
        columns += _kind_columns(view, signals, kind, spans)
    within = _Means(view.any, view.first)
    quarter = (stop - start) / 4
    marks = [(start + np.round(quarter * k)).astype(np.int64) for k in range(5)]
    ends = view.ends
    half, most = ends.half or ends.run, ends.most or ends.run
    length = stop - start
    starts_there = view.sibling_starts
    offsets = starts_there - view.group.start
    repeats = signals.repeats
    covered = np.zeros(len(spans))
    for shift in (0, 1):
        low = repeats[:, 0] + shift * repeats[:, 2]
        high = repeats[:, 1] + shift * repeats[:, 2]
        shared = np.minimum(high, stop[:, None]) - np.maximum(low, start[:, None])
        covered += (shared > 0.5 * length[:, None]).sum(axis=1)
    same = np.ones(len(spans))
    n_similar = len(view.links)
    general = {
        "any_alike": within.mean(start, stop),
        "any_least": np.min([within.mean(a, b) for a, b in pairwise(marks)], axis=0),
        "any_first": within.mean(start, start + second // 2),
        "any_last": within.mean(stop - second // 2, stop),
        "any_before": within.mean(start - 4 * second, start),
        "any_after": within.mean(stop, stop + 4 * second),
        "n_siblings": same * view.n_siblings,
        "n_alike": same * n_similar,
        "share": same * n_similar / view.n_siblings,
        "sibling_start": same * np.log1p(max(0.0, float(np.median(starts_there))) / second),
        "sibling_rest": same * np.log1p(max(0.0, view.sibling_rest) / second),
        "sibling_place": same * view.sibling_place,
        "offset_spread": same * (offsets.std() / second if n_similar > 1 else -1.0),
        "start_spread": same
        * np.log1p(float(np.append(starts_there, view.group.start).std()) / second),
        "length": length / second,
        "log_length": np.log(length / second),
        "start": np.log1p(start / second),
        "place": start / signals.n,
        "rest": np.log1p(np.maximum(0, signals.n - stop) / second),
        "rest_place": (signals.n - stop) / signals.n,
        "cover": length / signals.n,
        "log_episode": same * np.log(signals.n / second),
        "repeats": covered,
        "start_of_half": start - view.first - half[0],
        "end_of_half": stop - view.first - half[1],
        "start_of_any": start - view.first - most[0],
        "end_of_any": most[1] - (stop - view.first),
        "start_of_run": start - view.first - ends.run[0],
        "end_of_run": stop - view.first - ends.run[1],
    }
    columns += [general.get(name, np.zeros(len(spans))) for name in FEATURES]
    return np.stack(columns, axis=1).astype(np.float64)


def _kind_columns(view: _View, signals: _Signals, kind: str, spans: Ints) -> list[Floats]:
    (start, stop), second = spans.T, signals.rate
    similar, cosine = _Means(view.kinds[kind], view.first), _Means(view.cosine[kind], view.first)
    said = signals.says[kind]
    says, said_similar = _Means(said, 0), _Means(view.kinds[kind] * said[view.first : view.last], 0)
    change, level = _Means(signals.change[kind], 0), _Means(signals.level[kind], 0)
    says_share = says.mean(start, stop)
    similar_said = said_similar.mean(start - view.first, stop - view.first)
    around = signals.change[kind].mean() if signals.n else 0.0
    inside = change.mean(start, stop)
    percentile = signals.percentile[kind]
    last = np.minimum(stop, signals.n - 1)
    found = {
        "alike": similar.mean(start, stop),
        "cosine": cosine.mean(start, stop),
        "says": says_share,
        "alike_said": similar_said / np.maximum(says_share, 1e-6),
        "alike_before": similar.mean(start - second, start),
        "alike_after": similar.mean(stop, stop + second),
        "alike_first": similar.mean(start, start + second),
        "alike_last": similar.mean(stop - second, stop),
        "alike_head": similar.mean(start, start + (stop - start) // 4),
        "alike_tail": similar.mean(stop - (stop - start) // 4, stop),
        "change_at_start": percentile[np.minimum(start, signals.n - 1)],
        "change_at_end": percentile[last],
        "change_by_start": _around(percentile, start, 1).max(axis=1),
        "change_by_end": _around(percentile, last, 1).max(axis=1),
        "change": inside,
        "change_ratio": inside / (around + 1e-3),
        "level": level.mean(start, stop),
        "level_at_start": _around(signals.level[kind], start, second // 2).min(axis=1),
        "level_at_end": _around(signals.level[kind], stop - 1, second // 2).min(axis=1),
        "level_step_at_start": level.mean(start, start + second)
        - level.mean(start - second, start),
        "level_step_at_end": level.mean(stop, stop + second) - level.mean(stop - second, stop),
        "change_before": change.mean(start - 2 * second, start - 1),
        "change_after": change.mean(stop + 2, stop + 2 * second),
        "change_first": change.mean(start + 2, start + 2 * second),
        "change_last": change.mean(stop - 2 * second, stop - 1),
        "cosine_before": cosine.mean(start - 2 * second, start),
        "cosine_after": cosine.mean(stop, stop + 2 * second),
        "cosine_first": cosine.mean(start, start + 2 * second),
        "cosine_last": cosine.mean(stop - 2 * second, stop),
    }
    return [found[name] for name in KIND_FEATURES]


class _Means:
    """Means over stretches of a curve that begins at moment `first`; 0 where there is nothing."""

    def __init__(self, curve: NDArray[np.floating], first: int) -> None:
        self._sums, self._first = np.append(0.0, np.cumsum(curve, dtype=np.float64)), first

    def mean(self, start: Ints, stop: Ints) -> Floats:
        n = len(self._sums) - 1
        low = np.minimum(np.maximum(start - self._first, 0), n)
        high = np.minimum(np.maximum(stop - self._first, low), n)
        return np.asarray((self._sums[high] - self._sums[low]) / np.maximum(high - low, 1))


def _around(curve: Floats, at: Ints, reach: int) -> Floats:
    """Return what a curve says within some moments of each of `at`, as (n, moments)."""
    near = np.clip(at[:, None] + np.arange(-reach, reach + 1), 0, len(curve) - 1)
    return np.asarray(curve[near])


def _put_in_context(candidates: Candidates) -> None:
    """Fill in the features that depend on candidates of other groups."""
    if not len(candidates):
        return
    column = dict(zip(FEATURES, range(-len(FEATURES), 0), strict=True))
    features, group = candidates.features, candidates.group
    start, stop = candidates.spans.T
    share = features[:, column["share"]] * features[:, column["any_alike"]]
    strength = share * features[:, column["length"]]
    other = group[:, None] != group
    is_before = other & (stop <= start[:, None] + 2)
    is_after = other & (start >= stop[:, None] - 2)
    holds = other & (start <= start[:, None] + 1) & (stop >= stop[:, None] - 1)
    holds &= (stop - start) > 1.2 * (stop - start)[:, None]
    follows = other & (np.abs(start - stop[:, None]) <= 4)
    leads = other & (np.abs(stop - start[:, None]) <= 4)
    n_groups = int(group.max()) + 1
    of_group = np.arange(n_groups) == group[:, None]  # (C, G)
    best = np.where(of_group, strength[:, None], 0).max(axis=0)
    stronger = (best > strength[:, None]) & ~of_group

    closing = np.log1p(_CLOSING_S)
    inside = (features[:, column["rest"]] > closing) & (
        features[:, column["sibling_rest"]] > closing
    )
    moving = features[:, column["start_spread"]] > np.log1p(_MOVES_S)
    shared = np.where(share > 0.5, features[:, column["length"]], 0.0)

    def most(values: Floats, where: NDArray[np.bool_]) -> Floats:
        return np.asarray(np.where(where, values, 0).max(axis=1))

    context = {
        "group": group,
        "n_groups": np.full(len(group), len(candidates.links)),
        "strength": strength,
        "rank": stronger.sum(axis=1),
        "relative": strength / max(strength.max(), 1e-9),
        "before": most(strength, is_before),
        "after": most(strength, is_after),
        "before_share": most(share, is_before),
        "after_share": most(share, is_after),
        "n_before": ((is_before & (share > 0.5)).astype(np.int64) @ of_group > 0).sum(axis=1),
        "container": most(strength, holds),
        "adjacent_before": most(share, leads),
        "adjacent_after": most(share, follows),
        "after_inside": most(strength, is_after & inside),
        "after_share_inside": most(share, is_after & inside),
        "before_moving": most(strength, is_before & moving & inside),
        "after_moving": most(strength, is_after & moving & inside),
        "before_share_moving": most(share, is_before & moving & inside),
        "after_share_moving": most(share, is_after & moving & inside),
        "longest_share": features[:, column["length"]] / max(1.0, float(shared.max())),
    }
    for name, values in context.items():
        features[:, column[name]] = values


def _bridged(mask: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """Return the mask with its gaps of up to `gap` moments filled."""
    at = np.flatnonzero(mask)
    filled = mask.copy()
    for place in np.flatnonzero((np.diff(at) > 1) & (np.diff(at) <= gap)):
        filled[at[place] : at[place + 1]] = True
    return filled


def _run_at(mask: NDArray[np.bool_], start: int, stop: int) -> Span | None:
    """Return the run of a mask that shares most with a stretch, None where none does."""
    steps = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    shared = np.minimum(ends, stop) - np.maximum(begins, start)
    if not len(shared) or shared.max() <= 0:
        return None
    best = int(shared.argmax())
    return int(begins[best]), int(ends[best])

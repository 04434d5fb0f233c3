"""Candidate intervals of one episode, and the evidence for and against each.

A candidate is a stretch that comes back in other episodes of the series, that matches a known
opening, or whose single frames look like one. What comes back is not yet an intro: closing rolls,
establishing shots and recaps do too. So each candidate carries its evidence as features, and a
ranker that was fitted on labelled episodes decides (`skipintro.detection.ranker`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.detection.segment import maximum_sum_segment
from skipintro.detection.similarity import Matrix, Runs, mean_along, overlap, runs

Span = tuple[int, int]  # [start, stop), whole seconds
Rows = NDArray[np.float32]  # (n, D), one row of length 1 a second

SIBLING_FEATURES = (
    "support_share",  # of the siblings, in which it comes back
    "log_support",
    "inside",  # similarity along the match: mean and least
    "inside_least",
    "drop_before",  # of the similarity beyond either end
    "drop_after",
    "held_first",  # share of the siblings in it that are alike in its first and its last seconds
    "held_last",
    "left_before",  # and that are unlike in the seconds beyond either end
    "left_after",
    "sibling_at_end",  # its match ends where the sibling ends, as a closing roll does
    "log_sibling_start",
    "log_sibling_rest",
    "sibling_place",
    "log_sibling_repeats",  # how often a sibling shows it: a static shot matches everywhere
    "strong_before",  # how many other well supported candidates come before it
    "first_strong",
    "best_mean",  # over the siblings, the best place of the whole candidate: mean, second, worst
    "best_second",
    "best_worst",
    "margin_mean",  # by how much that place is better than any other place
    "margin_second",
)
LONE_FEATURES = (
    "length",
    "log_length",
    "log_start",
    "place",
    "rest",
    "at_end",
    "log_repeats",  # how often it comes back within the episode itself
    "static",  # similarity among its own seconds
    "repeat_margin",
    "frames_inside",  # logit of its single frames, and how it differs from those around and all
    "frames_contrast",
    "frames_lift",
    "reference",  # how much of a known opening it is, of any series
    "known_opening",  # of its own series, where its openings are known
    "unlike_known",  # or how little
)
FEATURES = (*SIBLING_FEATURES, *LONE_FEATURES)
_SAME_CANDIDATE, _SAME_STRETCH = 0.6, 0.5  # overlap over hull
_END_S = 2
_AROUND_S = 3  # the seconds beyond either end that it is compared with


class CandidateConfig(BaseModel):
    """How candidates are found; all that is fitted or chosen lies elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    similarity: float = Field(gt=-1, lt=1)  # cosine above which two seconds show the same
    min_length_s: int = Field(ge=1)
    max_length_s: int = Field(ge=1)
    reach_s: int = Field(ge=0)  # how far the ends are moved from where a single match has them
    lone_penalty: float = Field(ge=0)  # taken from a similarity that one sibling alone shows
    n_runs: int = Field(ge=1)  # strongest matches that are looked at, of each sibling
    n_candidates: int = Field(ge=1)
    n_siblings: int = Field(ge=0)


@dataclass(frozen=True, eq=False)
class Openings:
    """Known openings, each as the rows of its seconds: of the episode's own series, of others."""

    own: Sequence[Rows]
    others: Sequence[Rows]


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of one episode; C may be 0.

    spans: int64 (C, 2); features: float64 (C, F), named by FEATURES; links: of each candidate,
    the span in each sibling (by its position among the siblings) in which it comes back.
    """

    n_seconds: int
    n_siblings: int
    spans: NDArray[np.int64]
    features: NDArray[np.float64]
    links: tuple[Mapping[int, Span], ...]

    def __len__(self) -> int:
        return len(self.spans)


def find_candidates(
    rows: Rows,
    siblings: Sequence[Rows],
    openings: Openings,
    frame_logits: NDArray[np.float64],
    config: CandidateConfig,
) -> Candidates:
    """Find the candidates of an episode, given other episodes of its series and known openings."""
    matches = [_Match(rows, other, config) for other in siblings]
    itself = _Match(rows, rows, config).without_itself()
    known = [
        _Known(_Match(rows, opening, config), len(opening), is_own)
        for is_own, openings_of in ((True, openings.own), (False, openings.others))
        for opening in openings_of
    ]
    spans = _proposals(matches, known, frame_logits, len(rows), config)
    links = [_links(span, matches) for span in spans]
    columns = [
        *_sibling_evidence(spans, links, matches, config),
        *_lone_evidence(spans, rows, itself, known, frame_logits),
    ]
    return Candidates(
        n_seconds=len(rows),
        n_siblings=len(siblings),
        spans=np.array(spans, np.int64).reshape(-1, 2),
        features=np.array(columns, np.float64).T.reshape(-1, len(FEATURES)),
        links=tuple(
            {b: (start + offset, stop + offset) for b, offset in link.items()}
            for (start, stop), link in zip(spans, links, strict=True)
        ),
    )


class _Match:
    """The similarity of an episode with another one, and the runs in it."""

    def __init__(self, rows: Rows, other: Rows, config: CandidateConfig) -> None:
        self.similarity: Matrix = rows @ other.T
        self.runs: Runs = runs(
            self.similarity, config.similarity, config.min_length_s, config.n_runs
        )

    def without_itself(self) -> "_Match":
        """Leave out the episode's match with itself at the same seconds."""
        keep = self.runs.offset != 0
        found = self.runs
        self.runs = Runs(found.start[keep], found.stop[keep], found.offset[keep], found.score[keep])
        return self

    def repeats(self, span: Span) -> int:
        return int((overlap(span, self.runs.start, self.runs.stop) >= _SAME_STRETCH).sum())

    def supporting_run(self, span: Span) -> int | None:
        """Give the run that covers about the same seconds; of several the most alike one."""
        shares = overlap(span, self.runs.start, self.runs.stop)
        if not len(shares) or shares.max() < _SAME_STRETCH:
            return None
        ranked = np.where(shares >= _SAME_STRETCH, shares + 1e-3 * self.runs.score, 0)
        return int(ranked.argmax())

    def along(self, first: int, last: int, offset: int) -> NDArray[np.float64]:
        """Give the similarity of the seconds `[first, last)` at one offset; -1 beyond the other."""
        seconds = np.arange(first, last)
        inside = (seconds + offset >= 0) & (seconds + offset < self.similarity.shape[1])
        levels = np.full(len(seconds), -1.0)
        levels[inside] = self.similarity[seconds[inside], seconds[inside] + offset]
        return levels


@dataclass(frozen=True, eq=False)
class _Known:
    """The match with a known opening of `n_seconds`."""

    match: _Match
    n_seconds: int
    is_own: bool

    def share(self, span: Span) -> float:
        """Give how much of the opening a span is, 0 to 1, by its best run."""
        runs_of = self.match.runs
        if not len(runs_of):
            return 0.0
        shares = overlap(span, runs_of.start, runs_of.stop)
        lengths = np.minimum(1.0, (runs_of.stop - runs_of.start) / self.n_seconds)
        return float((shares * lengths).max())


def _links(span: Span, matches: Sequence[_Match]) -> dict[int, int]:
    """Give the offset of the match in each sibling that has one."""
    links = {}
    for position, match in enumerate(matches):
        run = match.supporting_run(span)
        if run is not None:
            links[position] = int(match.runs.offset[run])
    return links


def _proposals(
    matches: Sequence[_Match],
    known: Sequence[_Known],
    frame_logits: NDArray[np.float64],
    n_seconds: int,
    config: CandidateConfig,
) -> list[Span]:
    """Propose spans: matches of siblings first, then of known openings, then of single frames."""
    spans: list[Span] = []

    def propose(readings: Sequence[Span | None]) -> None:
        """Take a stretch that is new, in each of its readings that differ."""
        taken = np.array(spans, np.int64).reshape(-1, 2)
        for span in dict.fromkeys(readings):
            if span is None or not config.min_length_s <= span[1] - span[0] <= config.max_length_s:
                continue
            if (overlap(span, taken[:, 0], taken[:, 1]) > _SAME_CANDIDATE).any():
                return
            if len(spans) < config.n_candidates:
                spans.append(span)

    tried: set[Span] = set()
    for found in _strongest(match.runs for match in matches):
        if found not in tried:
            tried.add(found)
            links = _links(found, matches)
            propose(
                [
                    _sharpened(found, links, matches, n_seconds, config, most=most)
                    for most in (False, True)
                ]
            )
    for found in _strongest(opening.match.runs for opening in known):
        propose([found])
    for found in _frame_segments(frame_logits):
        propose([found])
    return spans


def _strongest(found: Iterable[Runs]) -> list[Span]:
    """Give the spans of all runs, strongest first."""
    ranked = [
        (-float(score), int(start), int(stop))
        for each in found
        for start, stop, score in zip(each.start, each.stop, each.score, strict=True)
    ]
    return [(start, stop) for _, start, stop in sorted(ranked)]


def _frame_segments(frame_logits: NDArray[np.float64]) -> list[Span]:
    """Give the stretches whose frames look like an intro, strongest first."""
    alike = np.pad((frame_logits > 0).astype(np.int8), 1)
    starts, stops = np.nonzero(np.diff(alike) == 1)[0], np.nonzero(np.diff(alike) == -1)[0]
    ranked = sorted(
        (-float(frame_logits[start:stop].sum()), int(start), int(stop))
        for start, stop in zip(starts, stops, strict=True)
    )
    return [(start, stop) for _, start, stop in ranked]


def _levels(
    first: int, last: int, links: Mapping[int, int], matches: Sequence[_Match], penalty: float
) -> NDArray[np.float64]:
    """Give the similarity of `[first, last)` along the links: what two siblings show alike.

    An opening is cut short now and then, so one sibling may show more of it than the others do;
    that counts less by `penalty`.
    """
    rows = np.array([matches[b].along(first, last, offset) for b, offset in links.items()])
    if len(rows) == 1:
        return np.asarray(rows[0])
    best = np.sort(rows, axis=0)[::-1]
    return np.asarray(np.maximum(best[0] - penalty, best[1]))


def _sharpened(
    span: Span,
    links: Mapping[int, int],
    matches: Sequence[_Match],
    n_seconds: int,
    config: CandidateConfig,
    *,
    most: bool,
) -> Span | None:
    """Move the ends of a span to where two siblings (or `most` of them) leave it."""
    first, last = max(0, span[0] - config.reach_s), min(n_seconds, span[1] + config.reach_s)
    if most:
        rows = [matches[b].along(first, last, offset) for b, offset in links.items()]
        levels = np.asarray(np.median(rows, axis=0))
    else:
        levels = _levels(first, last, links, matches, config.lone_penalty)
    segment = maximum_sum_segment(levels - config.similarity)
    return None if segment is None else (first + segment[0], first + segment[1])


def _sibling_evidence(
    spans: Sequence[Span],
    links: Sequence[Mapping[int, int]],
    matches: Sequence[_Match],
    config: CandidateConfig,
) -> list[list[float]]:
    """Give one column for each of SIBLING_FEATURES; 0 where no sibling says anything."""
    if not matches:
        return [[0.0] * len(spans) for _ in SIBLING_FEATURES]
    rows = [
        _of_siblings(span, link, matches, config) for span, link in zip(spans, links, strict=True)
    ]
    strong = [
        span
        for span, row in zip(spans, rows, strict=True)
        if row["support_share"] >= 0.66 and row["inside"] > config.similarity + 0.1
    ]
    for span, row in zip(spans, rows, strict=True):
        before = sum(stop <= span[0] + 1 for _, stop in strong)
        row["strong_before"], row["first_strong"] = float(min(3, before)), float(before == 0)
    return [[row[name] for row in rows] for name in SIBLING_FEATURES]


def _of_siblings(
    span: Span, links: Mapping[int, int], matches: Sequence[_Match], config: CandidateConfig
) -> dict[str, float]:
    start, stop = span
    length = stop - start
    best, margin = [], []
    for match in matches:
        means = mean_along(match.similarity, start, stop)
        place = int(means.argmax()) if len(means) else 0
        best.append(float(means[place]) if len(means) else 0.0)
        elsewhere = np.concatenate([means[: max(0, place - length)], means[place + length + 1 :]])
        margin.append(best[-1] - max(0.0, float(elsewhere.max(initial=0.0))))
    best, margin = sorted(best, reverse=True), sorted(margin, reverse=True)
    row = {
        "support_share": len(links) / len(matches),
        "log_support": float(np.log1p(len(links))),
        "best_mean": float(np.mean(best)),
        "best_second": best[min(1, len(best) - 1)],
        "best_worst": best[-1],
        "margin_mean": float(np.mean(margin)),
        "margin_second": margin[min(1, len(margin) - 1)],
    }
    if not links:
        return dict.fromkeys(SIBLING_FEATURES, 0.0) | row
    n_seconds = len(matches[0].similarity)
    first, last = max(0, start - _AROUND_S), min(n_seconds, stop + _AROUND_S)
    levels = _levels(first, last, links, matches, config.lone_penalty)
    inside = levels[start - first : stop - first]
    starts = np.array([start + offset for offset in links.values()])
    lengths = np.array([matches[b].similarity.shape[1] for b in links])
    rest = np.maximum(0, lengths - starts - length)
    along = np.array([matches[b].along(first, last, offset) for b, offset in links.items()])
    alike = along > config.similarity
    at, end = start - first, stop - first
    return row | {
        "held_first": float(alike[:, at : min(end, at + _END_S)].mean()),
        "held_last": float(alike[:, max(at, end - _END_S) : end].mean()),
        "left_before": 1.0 - float(alike[:, max(0, at - _END_S) : at].mean() if at else 0.0),
        "left_after": 1.0
        - float(alike[:, end : end + _END_S].mean() if end < alike.shape[1] else 0.0),
        "inside": float(inside.mean()),
        "inside_least": float(inside.min()),
        "drop_before": float(inside.mean() - max(0.0, levels[: start - first].max(initial=0.0))),
        "drop_after": float(inside.mean() - max(0.0, levels[stop - first :].max(initial=0.0))),
        "sibling_at_end": float(np.median(rest) <= 2),
        "log_sibling_start": float(np.log1p(max(0, np.median(starts)))),
        "log_sibling_rest": float(np.log1p(np.median(rest))),
        "sibling_place": float(np.median(starts / lengths)),
        "log_sibling_repeats": float(np.log1p(np.mean([matches[b].repeats(span) for b in links]))),
    }


def _lone_evidence(
    spans: Sequence[Span],
    rows: Rows,
    itself: _Match,
    known: Sequence[_Known],
    frame_logits: NDArray[np.float64],
) -> list[list[float]]:
    """Give one column for each of LONE_FEATURES."""
    n_seconds = len(rows)
    found = []
    for start, stop in spans:
        length = stop - start
        own = itself.similarity[start:stop, start:stop]
        means = mean_along(itself.similarity, start, stop)
        elsewhere = np.concatenate([means[: max(0, start - length)], means[start + length + 1 :]])
        around = np.concatenate(
            [frame_logits[max(0, start - _AROUND_S) : start], frame_logits[stop : stop + _AROUND_S]]
        )
        inside = float(frame_logits[start:stop].mean())
        every = [opening.share((start, stop)) for opening in known]
        own_series = [share for share, opening in zip(every, known, strict=True) if opening.is_own]
        overall = float(frame_logits.mean())
        found.append(
            {
                "length": float(length),
                "log_length": float(np.log(length)),
                "log_start": float(np.log1p(start)),
                "place": start / n_seconds,
                "rest": (n_seconds - stop) / n_seconds,
                "at_end": float(n_seconds - stop <= 2),
                "log_repeats": float(np.log1p(itself.repeats((start, stop)))),
                "static": float((own.sum() - length) / max(1, length * (length - 1))),
                "repeat_margin": 1.0 - max(0.0, float(elsewhere.max(initial=0.0))),
                "frames_inside": inside,
                "frames_contrast": inside - (float(around.mean()) if len(around) else overall),
                "frames_lift": inside - overall,
                "reference": max(every, default=0.0),
                "known_opening": max(own_series, default=0.0),
                "unlike_known": 1.0 - max(own_series) if own_series else 0.0,
            }
        )
    return [[row[name] for row in found] for name in LONE_FEATURES]

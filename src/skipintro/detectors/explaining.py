"""Why an opening detector predicts this interval of an episode, or none: one line for a person."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skipintro.detection.limits import Limits
from skipintro.detectors.candidates import Candidates
from skipintro.detectors.ends import mean_ends
from skipintro.detectors.openings import OpeningDetector, matched, season_candidates
from skipintro.episodes.annotations import format_interval
from skipintro.evidence.track import Evidence
from skipintro.matching.pairs import Ints, MatchingSettings
from skipintro.matching.shared import similar_by_kind
from skipintro.matching.siblings import Season

_SHARES = 0.5  # of what a kind says of an interval: with more, a sibling counts as one that has it


def explained(
    detector: OpeningDetector,
    episodes: Sequence[Evidence],
    season: Season | None = None,
    limits: Sequence[Limits] | None = None,
    names: Sequence[str] | None = None,
) -> list[str]:
    """Return a line an episode; all are of one series, in the order of the season.

    `season`, `limits` and `names` are those that `OpeningDetector.detect` was given.
    """
    limits = [Limits()] * len(episodes) if limits is None else limits
    config = detector.config
    season = matched(episodes, config) if season is None else season
    candidates = season_candidates(episodes, config, season)
    scores = detector.scores(candidates)
    predictions = detector.to_predictions(
        candidates, scores, [each.length_s for each in episodes], limits=limits, names=names
    )
    lines = [
        _told(detector, season, position, found=found, scores=score, limits=limit)
        for position, (found, score, limit) in enumerate(
            zip(candidates, scores, limits, strict=True)
        )
    ]
    return [
        f"{line}; {len(row.intervals)} openings: {', '.join(map(format_interval, row.intervals))}"
        if row.further
        else line
        for line, row in zip(lines, predictions, strict=True)
    ]


def _told(
    detector: OpeningDetector,
    season: Season,
    position: int,
    *,
    found: Candidates,
    scores: NDArray[np.float64],
    limits: Limits,
) -> str:
    config, n_siblings = detector.config, len(season.siblings[position])
    if not n_siblings:
        copies = ", the other files show this episode, too" if len(season.episodes) > 1 else ""
        return f"none: no sibling{copies}"
    if not len(found):
        return f"none: nothing that may be an intro comes back in {n_siblings} siblings"
    spans_s = found.spans / config.matching.rate
    allowed = np.array([limits.allow(start, stop) for start, stop in spans_s.tolist()])
    counted = np.where(allowed, scores, -np.inf) if allowed.any() else scores
    best = int(counted.argmax())
    confidence = config.confidence(float(scores[best]))
    least = config.min_confidence if limits.min_confidence is None else limits.min_confidence
    ends = mean_ends(spans_s, counted, best, config.ends)
    message = f"{format_interval(ends)}, confidence {confidence:.2f}"
    if not allowed.any():
        message = f"none: {message}, too short or too long for what is set"
    elif confidence < least:
        message = f"none: {message}, below the least confidence {least:.2f}"
    message += f"; {_siblings(season, position, found.spans[best], config.matching)}"
    others = np.flatnonzero(found.group != found.group[best])
    if len(others):
        second = others[scores[others].argmax()]
        confidence = config.confidence(float(scores[second]))
        message += f"; next {_span(found.spans[second], config.matching.rate)}, {confidence:.2f}"
    return message


def _siblings(season: Season, position: int, found: Ints, matching: MatchingSettings) -> str:
    """Say how many siblings have an interval, by kind of evidence."""
    start, stop = found.tolist()
    says = season.episodes[position].says
    parts = []
    for kind, similar in similar_by_kind(season, position, matching).items():
        said = says[kind][start:stop]
        if not said.any():
            parts.append(f"no {kind}")
            continue
        n_similar = int((similar[:, start:stop][:, said].mean(axis=1) > _SHARES).sum())
        parts.append(f"{kind} in {n_similar}")
    return f"{', '.join(parts)} of {len(season.siblings[position])} siblings"


def _span(found: Ints, rate: int) -> str:
    start, stop = found.tolist()
    return format_interval((start / rate, stop / rate))

"""Where pictures must be looked at, by what the sound of a series tells. Decodes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skipintro.detectors.candidates import Candidates, Floats
from skipintro.detectors.openings import OpeningDetector, season_candidates
from skipintro.evidence.track import Evidence, Spans, spans_of
from skipintro.matching.siblings import Season


@dataclass(frozen=True)
class Policy:
    """When sound is believed, and how much is looked at around what it proposes."""

    n_proposals: int = 3  # of an episode, the best of different stretches
    min_proposed: float = 0.1  # confidence of those after the best
    around_s: float = 15.0  # beyond either end of a proposal
    usual_s: float = 2.0  # of pictures that tell what is usual in an episode
    usual_every_s: float = 300.0
    max_looked_at: float = 0.5  # of an episode's pictures; where it takes more, all of it is
    min_heard: float = 0.75  # confidence of an episode's best proposal; else all of it is looked at
    min_share: float = 0.75  # of a series' episodes that are so sure; else all of all is looked at
    min_seen: float = 0.8  # confidence with pictures; else, too
    inside_s: float = 5.0  # of pictures that are known around the best one's ends; else, too


POLICY = Policy()


@dataclass(frozen=True)
class Look:
    """What pictures of an episode are to be seen: moments of the pictures' rate."""

    spans: Spans
    least: Spans  # of these, what is enough where it was seen before


def heard_alone(evidence: Evidence) -> Evidence:
    """Return the evidence without pictures."""
    tracks = {kind: track for kind, track in evidence.tracks.items() if kind != "pictures"}
    return Evidence(tracks, evidence.length_s, evidence.is_sound_undecodable)


def spans_to_see(
    detector: OpeningDetector, episodes: Sequence[Evidence], season: Season, policy: Policy
) -> list[Look | None]:
    """Return for each episode of a series, whose sound alone is given, what is to be seen of it.

    None: all of it.
    """
    ranked = _ranked(detector, episodes, season)
    confidence = [_confidence(detector, scores) for _, scores in ranked]
    sure = [each >= policy.min_heard for each in confidence]
    if not sure or np.mean(sure) < policy.min_share:
        return [None] * len(episodes)
    return [
        _look(detector, found, scores, policy) if is_sure else None
        for (found, scores), is_sure in zip(ranked, sure, strict=True)
    ]


def is_settled(
    detector: OpeningDetector,
    episodes: Sequence[Evidence],
    season: Season,
    seen: Sequence[Spans | None],
    policy: Policy,
) -> bool:
    """Return whether the pictures that were seen settle the intervals of a series.

    `seen` are the moments of each episode; None: all.
    """
    factor = detector.config.fingerprint.pictures.rate / detector.config.matching.rate
    inside = policy.inside_s * detector.config.fingerprint.pictures.rate
    for (found, scores), spans, episode in zip(
        _ranked(detector, episodes, season), seen, episodes, strict=True
    ):
        if spans is None:
            continue
        if _confidence(detector, scores) < policy.min_seen:
            return False
        best = found.spans[int(scores.argmax())]
        n = len(episode.tracks["pictures"])
        if not all(_is_within(end * factor, spans, inside, n) for end in best.tolist()):
            return False
    return True


def covers(known: Spans, wanted: Spans) -> bool:
    """Return whether known moments hold all that are wanted."""
    return all(any(a <= first and stop <= b for a, b in known) for first, stop in wanted)


def _ranked(
    detector: OpeningDetector, episodes: Sequence[Evidence], season: Season
) -> list[tuple[Candidates, Floats]]:
    candidates = season_candidates(episodes, detector.config, season)
    return list(zip(candidates, detector.scores(candidates), strict=True))


def _confidence(detector: OpeningDetector, scores: Floats) -> float:
    return detector.config.confidence(float(scores.max())) if len(scores) else 0.0


def _look(
    detector: OpeningDetector, found: Candidates, scores: Floats, policy: Policy
) -> Look | None:
    """Return the moments around the best candidates of different groups, and some all over.

    None: all of the episode, since it takes most of it anyway.
    """
    rate = detector.config.fingerprint.pictures.rate
    factor = rate / detector.config.matching.rate
    n = round(found.n * factor)
    is_seen = np.zeros(n, bool)
    every, width = round(policy.usual_every_s * rate), round(policy.usual_s * rate)
    for first in range(every // 4, n, every):
        is_seen[first : first + width] = True

    def around(row: int, beyond_s: float) -> tuple[int, int]:
        first, stop = np.round(found.spans[row] * factor).astype(int).tolist()
        beyond = round(beyond_s * rate)
        return max(0, first - beyond), min(n, stop + beyond)

    order = np.argsort(-scores, kind="stable")
    _, firsts = np.unique(found.group[order], return_index=True)
    best, *others = order[np.sort(firsts)[: policy.n_proposals]].tolist()
    likely = [
        row for row in others if detector.config.confidence(scores[row]) >= policy.min_proposed
    ]
    for row in (best, *likely):
        is_seen[slice(*around(row, policy.around_s))] = True
    if is_seen.mean() > policy.max_looked_at:
        return None
    return Look(spans_of(is_seen), [around(best, 2 * policy.inside_s)])


def _is_within(end: float, spans: Spans, inside: float, n: int) -> bool:
    return any(
        (first == 0 or first + inside <= end) and (stop >= n or end <= stop - inside)
        for first, stop in spans
    )

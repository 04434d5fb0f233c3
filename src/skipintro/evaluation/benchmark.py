"""Every detector on the same test episodes: ours, the write-up's, and the baselines."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from skipintro.detection.episode import Episode, LabelledEpisode, Prediction
from skipintro.detection.folder import DetectionConfig
from skipintro.detection.head_postprocess import detect_by_head
from skipintro.detectors.openings import OpeningDetector, matched
from skipintro.evaluation.baselines import BaselineSettings, baselines
from skipintro.evaluation.results import Outcome, outcome_of
from skipintro.evidence.track import Evidence
from skipintro.matching.shared import SharedEvidence
from skipintro.matching.siblings import Season
from skipintro.model.head import IntroHead

DESCRIPTIONS: Mapping[str, str] = {
    "openings": "ours: what comes back in the other episodes, in pictures or sound; without labels",
    "head": "the write-up's model as it is, and the stretch that it speaks for most",
    "all_negative": "never an intro",
    "position_of_train": "the median interval of all train intros",
    "position_of_series": "the median interval of the same series in train",
    "frame_classifier": "logistic regression on single frames",
    "repeated_frames": "the longest stretch that comes back in a sibling",
    "repeated_frames_early": "the same, in the first part of the episode",
    "sound_most_points": "a published rule: at one offset to a sibling, the longest shared sound",
    "sound_longest_run": "another: at any offset, and its ends at silence",
    "sound_most_points_short": "the first of these rules, for short openings too",
    "sound_longest_run_short": "the second, for short openings too",
}


@dataclass(frozen=True)
class MatchedSeason:
    """The episodes of a series, each one once, in the order of their ids, and what they share."""

    ids: Sequence[str]
    fingerprints: Sequence[Evidence]
    season: Season


def predict(
    train: Sequence[LabelledEpisode],
    test: Sequence[LabelledEpisode],
    *,
    openings: OpeningDetector,
    seasons: Mapping[str, MatchedSeason],
    head: IntroHead,
    config: DetectionConfig,
    settings: BaselineSettings,
) -> dict[str, list[Prediction]]:
    """Return each detector's predictions for the test episodes, by the names of DESCRIPTIONS.

    Without Chromaprint points (`fingerprint.chroma`) the rules of sound are left out.

    `seasons` are the test episodes' series, as `matched_seasons` returns them with those of train.
    Available are the train episodes and the other test episodes; the labels of the latter are
    hidden, those of train are known to the baselines as they are to our fit.
    """
    unlabelled = [labelled.episode for labelled in test]
    siblings = [labelled.episode for labelled in train]
    return {
        "openings": predict_openings(openings, unlabelled, seasons),
        "head": detect_by_head(head, unlabelled, config),
    } | {
        name: baseline(train, unlabelled, unlabelled)
        for name, baseline in baselines(settings, [*siblings, *unlabelled]).items()
    }


def matched_seasons(
    detector: OpeningDetector, episodes: Sequence[Episode], others: Sequence[Episode] = ()
) -> dict[str, MatchedSeason]:
    """Match the series of the episodes, by name; the others of a series serve as siblings.

    An episode that is among the others as well is no sibling of itself.
    """
    seasons: dict[str, dict[str, Episode]] = defaultdict(dict)
    for episode in (*others, *episodes):
        seasons[episode.series][episode.id] = episode
    found = {}
    for name in dict.fromkeys(episode.series for episode in episodes):
        ids = sorted(seasons[name])
        fingerprints = [seasons[name][id_].fingerprints for id_ in ids]
        found[name] = MatchedSeason(ids, fingerprints, matched(fingerprints, detector.config))
    return found


def predict_openings(
    detector: OpeningDetector, episodes: Sequence[Episode], seasons: Mapping[str, MatchedSeason]
) -> list[Prediction]:
    """Return one prediction an episode of these series."""
    found: dict[tuple[str, str], Prediction] = {}
    for series, one in seasons.items():
        predictions = detector.detect(one.fingerprints, one.season, names=one.ids)
        found |= zip([(series, id_) for id_ in one.ids], predictions, strict=True)
    return [found[episode.series, episode.id] for episode in episodes]


def shared_evidence(
    detector: OpeningDetector, seasons: Mapping[str, MatchedSeason]
) -> dict[tuple[str, str], SharedEvidence]:
    """Return by series and id what the siblings share with each episode."""
    found: dict[tuple[str, str], SharedEvidence] = {}
    for series, one in seasons.items():
        shared = detector.shared(one.fingerprints, one.season)
        found |= zip([(series, id_) for id_ in one.ids], shared, strict=True)
    return found


def score(
    predictions: Mapping[str, Sequence[Prediction]],
    test: Sequence[LabelledEpisode],
    *,
    seen: Collection[str],
    leaked: Collection[str],
    corrected: Collection[str],
) -> dict[str, list[Outcome]]:
    """Hold the predictions against the truth; `seen` are series, the others ids of episodes."""
    return {
        detector: [
            outcome_of(
                labelled,
                prediction,
                seen=labelled.episode.series in seen,
                leaked=labelled.episode.id in leaked,
                corrected=labelled.episode.id in corrected,
            )
            for labelled, prediction in zip(test, its_own, strict=True)
        ]
        for detector, its_own in predictions.items()
    }

"""All detectors on the same test episodes, with vectors that were drawn."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import tiny_config
from contest_cases import BASELINES, DIMENSION, LENGTH_S, drawn_series
from season_cases import KINDS, small_detector
from skipintro.detection.episode import Episode, LabelledEpisode, Prediction
from skipintro.detection.folder import DetectionConfig
from skipintro.detection.head_postprocess import detect_by_head
from skipintro.detectors.openings import OpeningDetector
from skipintro.evaluation.audio_rules import predict_by_rule
from skipintro.evaluation.benchmark import (
    DESCRIPTIONS,
    matched_seasons,
    predict,
    predict_openings,
    score,
    shared_evidence,
)
from skipintro.model.head import IntroHead

HEARD = (*KINDS, "chroma")
TRAIN = [
    *drawn_series("one", 3, seed=1, kinds=HEARD),
    *drawn_series("two", 3, seed=2, kinds=HEARD),
]
TEST = [
    *drawn_series("one", 2, seed=1, first=4, kinds=HEARD),
    *drawn_series("three", 3, seed=3, kinds=HEARD),
]
RULES = BASELINES.audio_rules.by_name()
CONFIG = DetectionConfig(stride=2, threshold=0.5, min_length_s=2, batch_size=8)


@pytest.fixture(scope="module")
def openings(tmp_path_factory: pytest.TempPathFactory) -> OpeningDetector:
    return small_detector(tmp_path_factory.mktemp("detector"))


@pytest.fixture(scope="module")
def head() -> IntroHead:
    torch.manual_seed(0)
    return IntroHead(tiny_config(dimension=DIMENSION)).eval()


def contest(
    openings: OpeningDetector,
    head: IntroHead,
    test: Sequence[LabelledEpisode],
    train: Sequence[LabelledEpisode] = TRAIN,
) -> dict[str, list[Prediction]]:
    episodes, others = ([one.episode for one in split] for split in (test, train))
    seasons = matched_seasons(openings, episodes, others)
    return predict(
        train,
        test,
        openings=openings,
        seasons=seasons,
        head=head,
        config=CONFIG,
        settings=BASELINES,
    )


def predicted(
    openings: OpeningDetector, episodes: Sequence[Episode], others: Sequence[Episode]
) -> list[Prediction]:
    seasons = matched_seasons(openings, episodes, others)
    return predict_openings(openings, episodes, seasons)


def test_each_series_is_matched_once_for_what_is_found_and_what_is_shown(
    openings: OpeningDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes, others = ([one.episode for one in split] for split in (TEST, TRAIN))
    by_itself = openings.shared([one.fingerprints for one in episodes if one.series == "three"])
    seasons = matched_seasons(openings, episodes, others)
    monkeypatch.delattr("skipintro.detectors.openings.matched")
    assert len(predict_openings(openings, episodes, seasons)) == len(episodes)
    shared = shared_evidence(openings, seasons)
    assert shared.keys() >= {(one.series, one.id) for one in episodes}
    for one, expected in zip(["three-e1", "three-e2", "three-e3"], by_itself, strict=True):
        found = shared["three", one].kinds
        assert found.keys() == expected.kinds.keys()
        for kind, values in found.items():
            assert np.array_equal(values, expected.kinds[kind], equal_nan=True)


def told(predictions: dict[str, list[Prediction]]) -> dict[str, list[object]]:
    """Return predictions as values that can be compared."""
    return {
        name: [(one.interval, one.confidence, one.probabilities.tolist()) for one in each]
        for name, each in predictions.items()
    }


def test_every_detector_that_is_described_is_tried_and_no_other(
    openings: OpeningDetector, head: IntroHead
) -> None:
    found = contest(openings, head, TEST)
    assert list(found) == list(DESCRIPTIONS)
    assert {len(predictions) for predictions in found.values()} == {len(TEST)}


def deaf(labelled: LabelledEpisode) -> LabelledEpisode:
    """Return the episode without points of its sound."""
    made = labelled.episode.fingerprints
    tracks = {kind: track for kind, track in made.tracks.items() if kind != "chroma"}
    fingerprints = replace(made, tracks=tracks)
    return replace(labelled, episode=replace(labelled.episode, fingerprints=fingerprints))


def test_without_points_the_rules_of_sound_are_left_out_and_nothing_else_changes(
    openings: OpeningDetector, head: IntroHead
) -> None:
    found = contest(openings, head, [deaf(one) for one in TEST], [deaf(one) for one in TRAIN])
    heard = contest(openings, head, TEST)
    assert list(found) == [name for name in DESCRIPTIONS if name not in RULES]
    assert told(found) == told({name: heard[name] for name in found})


def test_an_episode_without_sound_has_none_by_the_rules_of_sound(
    openings: OpeningDetector, head: IntroHead
) -> None:
    found = contest(openings, head, [deaf(TEST[0]), *TEST[1:]])
    assert [found[name][0].interval for name in RULES] == [None] * len(RULES)


def test_the_opening_detector_finds_the_opening_of_series_seen_and_unseen(
    openings: OpeningDetector, head: IntroHead
) -> None:
    found = contest(openings, head, TEST)["openings"]
    for one, labelled in zip(found, TEST, strict=True):
        assert one.interval is not None
        assert one.interval == pytest.approx(labelled.truth, abs=1.0)


def test_labels_of_test_never_reach_a_detector(openings: OpeningDetector, head: IntroHead) -> None:
    truths = [labelled.truth for labelled in TEST]
    permuted = [
        replace(labelled, truth=truth)
        for labelled, truth in zip(TEST, [None, *truths[:-1]], strict=True)
    ]
    assert told(contest(openings, head, permuted)) == told(contest(openings, head, TEST))


def test_predictions_follow_the_order_of_the_episodes(
    openings: OpeningDetector, head: IntroHead
) -> None:
    forwards, backwards = (contest(openings, head, test) for test in (TEST, TEST[::-1]))
    for name in DESCRIPTIONS:
        expected = [one.interval for one in forwards[name]]
        assert [one.interval for one in backwards[name]][::-1] == expected, name


def test_each_detector_has_what_its_description_says(
    openings: OpeningDetector, head: IntroHead
) -> None:
    found = contest(openings, head, TEST)
    episodes = [labelled.episode for labelled in TEST]
    train = [labelled.episode for labelled in TRAIN]
    expected = {
        "openings": predicted(openings, episodes, train),
        "head": detect_by_head(head, episodes, CONFIG),
    } | {
        name: [
            Prediction(interval, None, np.zeros(0, np.float32))
            for interval in predict_by_rule(episodes, train, rule)
        ]
        for name, rule in RULES.items()
    }
    assert told({name: found[name] for name in expected}) == told(expected)


def test_an_episode_that_stands_in_train_as_well_is_no_sibling_of_itself(
    openings: OpeningDetector,
) -> None:
    alone = [TEST[0].episode]
    assert told({"": predicted(openings, alone, alone)}) == told(
        {"": openings.detect([TEST[0].episode.fingerprints])}
    )
    assert predicted(openings, alone, alone)[0].interval is None


def test_no_test_episode_gives_no_prediction(openings: OpeningDetector, head: IntroHead) -> None:
    assert contest(openings, head, []) == {name: [] for name in DESCRIPTIONS}


def test_predictions_are_held_against_the_truth_and_episodes_sorted_into_parts() -> None:
    nothing = Prediction(None, None, np.zeros(0, np.float32))
    hit = Prediction((4.0, 9.0), 0.5, np.zeros(LENGTH_S, np.float32))
    found = score(
        {"none": [nothing] * len(TEST), "all": [hit] * len(TEST)},
        TEST,
        seen={"one"},
        leaked=["three-e1"],
        corrected={"one-e5"},
    )
    assert list(found) == ["none", "all"]
    for outcomes in found.values():
        assert [o.id for o in outcomes] == ["one-e4", "one-e5", "three-e1", "three-e2", "three-e3"]
        assert [o.truth for o in outcomes] == [labelled.truth for labelled in TEST]
        assert [o.seen for o in outcomes] == [True, True, False, False, False]
        assert [o.leaked for o in outcomes] == [False, False, True, False, False]
        assert [o.corrected for o in outcomes] == [False, True, False, False, False]
    assert [o.predicted for o in found["none"]] == [()] * len(TEST)
    assert [o.predicted for o in found["all"]] == [((4.0, 9.0),)] * len(TEST)


def test_a_detector_that_leaves_out_an_episode_is_no_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        score({"short": []}, TEST, seen=(), leaked=(), corrected=())

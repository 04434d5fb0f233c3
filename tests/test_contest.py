"""All detectors on the same test episodes, with vectors that were drawn."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import tiny_config
from contest_cases import BASELINES, CANDIDATES, DIMENSION, LENGTH_S, SETTINGS, drawn_series
from skipintro.detection.decoding import detect_by_head
from skipintro.detection.episode import LabelledEpisode, Prediction
from skipintro.detection.fitting import fit
from skipintro.detection.folder import DetectionConfig
from skipintro.detection.series_detector import SeriesDetector
from skipintro.evaluation.contest import DESCRIPTIONS, judge, predict
from skipintro.model.head import IntroHead

TRAIN = [*drawn_series("one", 3, seed=1), *drawn_series("two", 3, seed=2)]
TEST = [*drawn_series("one", 2, seed=1, first=4), *drawn_series("three", 3, seed=3)]
CONFIG = DetectionConfig(stride=2, threshold=0.5, min_length_s=2, batch_size=8)


@pytest.fixture(scope="module")
def series() -> SeriesDetector:
    return fit(TRAIN, CANDIDATES, SETTINGS).detector


@pytest.fixture(scope="module")
def head() -> IntroHead:
    torch.manual_seed(0)
    return IntroHead(tiny_config(dimension=DIMENSION)).eval()


def contest(
    series: SeriesDetector, head: IntroHead, test: Sequence[LabelledEpisode]
) -> dict[str, list[Prediction]]:
    return predict(TRAIN, test, series=series, head=head, config=CONFIG, settings=BASELINES)


def told(predictions: dict[str, list[Prediction]]) -> dict[str, list[object]]:
    """Give predictions as values that can be compared."""
    return {
        name: [(one.interval, one.confidence, one.probabilities.tolist()) for one in each]
        for name, each in predictions.items()
    }


def test_every_detector_that_is_described_is_tried_and_no_other(
    series: SeriesDetector, head: IntroHead
) -> None:
    found = contest(series, head, TEST)
    assert list(found) == list(DESCRIPTIONS)
    assert {len(predictions) for predictions in found.values()} == {len(TEST)}


def test_the_series_detector_finds_the_opening_of_series_seen_and_unseen(
    series: SeriesDetector, head: IntroHead
) -> None:
    found = contest(series, head, TEST)["series"]
    assert [one.interval for one in found] == [labelled.truth for labelled in TEST]


def test_labels_of_test_never_reach_a_detector(series: SeriesDetector, head: IntroHead) -> None:
    truths = [labelled.truth for labelled in TEST]
    permuted = [
        replace(labelled, truth=truth)
        for labelled, truth in zip(TEST, [None, *truths[:-1]], strict=True)
    ]
    assert told(contest(series, head, permuted)) == told(contest(series, head, TEST))


def test_predictions_follow_the_order_of_the_episodes(
    series: SeriesDetector, head: IntroHead
) -> None:
    forwards, backwards = (contest(series, head, test) for test in (TEST, TEST[::-1]))
    for name in DESCRIPTIONS:
        expected = [one.interval for one in forwards[name]]
        assert [one.interval for one in backwards[name]][::-1] == expected, name


def test_each_detector_has_what_its_description_says(
    series: SeriesDetector, head: IntroHead
) -> None:
    found = contest(series, head, TEST)
    episodes = [labelled.episode for labelled in TEST]
    train = [labelled.episode for labelled in TRAIN]
    alone = [series.detect([episode])[0] for episode in episodes]
    expected = {
        "series": series.detect(episodes, train),
        "series_alone": alone,
        "head": detect_by_head(head, episodes, CONFIG),
    }
    assert told({name: found[name] for name in expected}) == told(expected)


def test_no_test_episode_gives_no_prediction(series: SeriesDetector, head: IntroHead) -> None:
    assert contest(series, head, []) == {name: [] for name in DESCRIPTIONS}


def test_predictions_are_held_against_the_truth_and_episodes_sorted_into_parts() -> None:
    nothing = Prediction(None, None, np.zeros(0, np.float32))
    hit = Prediction((4.0, 9.0), 0.5, np.zeros(LENGTH_S, np.float32))
    found = judge(
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
        judge({"short": []}, TEST, seen=(), leaked=(), corrected=())

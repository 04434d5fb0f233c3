from dataclasses import replace

import numpy as np
import pytest

from series_cases import (
    CANDIDATES,
    DIMENSION,
    SETTINGS,
    TRAIN_SERIES,
    episodes_of,
    film,
    laid,
    noisy,
    toy_library,
    toy_series,
)
from skipintro.detection.candidates import FEATURES, Candidates
from skipintro.detection.episode import Episode, Prediction
from skipintro.detection.fitting import fit
from skipintro.detection.series_detector import (
    Scene,
    SeriesConfig,
    SeriesDetector,
    agreement,
    read_off,
    series_candidates,
)
from skipintro.detection.similarity import unit_rows

Span = tuple[int, int]


@pytest.fixture(scope="module")
def detector() -> SeriesDetector:
    return fit(toy_library(TRAIN_SERIES[:3]), CANDIDATES, SETTINGS).detector


def same(one: Prediction, two: Prediction) -> bool:
    return (one.interval, one.confidence, one.probabilities.tolist()) == (
        two.interval,
        two.confidence,
        two.probabilities.tolist(),
    )


def with_bound(detector: SeriesDetector, min_confidence: float) -> SeriesDetector:
    config = detector.config.model_copy(update={"min_confidence": min_confidence})
    return replace(detector, config=config)


def told(min_confidence: float, near_within_s: float = 2) -> SeriesConfig:
    return SeriesConfig(
        candidates=CANDIDATES, near_within_s=near_within_s, min_confidence=min_confidence
    )


def test_the_openings_of_a_series_never_seen_are_found(detector: SeriesDetector) -> None:
    unseen = toy_series("unseen", 500)
    found = detector.detect(episodes_of(unseen))
    assert [each.interval for each in found] == [labelled.truth for labelled in unseen]
    for labelled, prediction in zip(unseen, found, strict=True):
        assert len(prediction.probabilities) == len(labelled.episode.vectors)
        if labelled.truth is not None:
            middle = int(sum(labelled.truth)) // 2
            assert prediction.probabilities[middle] > 0.5
            assert prediction.confidence == pytest.approx(prediction.probabilities[middle], abs=0.2)


def test_predictions_come_in_the_order_asked(detector: SeriesDetector) -> None:
    one, two = episodes_of(toy_series("one", 501)), episodes_of(toy_series("two", 502))
    apart = [*detector.detect(one), *detector.detect(two)]
    mixed = [episode for pair in zip(one, two, strict=True) for episode in pair]
    together = dict(zip((e.id for e in mixed), detector.detect(mixed), strict=True))
    for episode, expected in zip((*one, *two), apart, strict=True):
        assert same(together[episode.id], expected)


def test_the_order_of_the_series_does_not_matter(detector: SeriesDetector) -> None:
    one, two = episodes_of(toy_series("one", 503)), episodes_of(toy_series("two", 504))
    forth, back = detector.detect([*one, *two]), detector.detect([*two, *one])
    for first, second in zip(forth, [*back[len(two) :], *back[: len(two)]], strict=True):
        assert same(first, second)


def test_the_same_input_gives_the_same_output(detector: SeriesDetector) -> None:
    episodes = episodes_of(toy_series("any", 505))
    for first, second in zip(detector.detect(episodes), detector.detect(episodes), strict=True):
        assert same(first, second)


def test_siblings_at_hand_help_but_are_not_told_of(detector: SeriesDetector) -> None:
    asked, *others = toy_series("any", 506)
    (found,) = detector.detect([asked.episode], at_hand=episodes_of(others))
    assert found.interval == asked.truth
    (alone,) = detector.detect([asked.episode])
    strangers = episodes_of(toy_series("stranger", 506))
    (still_alone,) = detector.detect([asked.episode], at_hand=strangers)
    assert same(alone, still_alone)


def test_no_episodes_give_no_predictions(detector: SeriesDetector) -> None:
    assert detector.detect([]) == []
    assert detector.detect([], at_hand=episodes_of(toy_series("any", 507))) == []


def test_a_known_opening_is_found_in_an_episode_alone(detector: SeriesDetector) -> None:
    known = toy_library()[0]
    assert known.truth is not None
    start, stop = (int(bound) for bound in known.truth)
    rng = np.random.default_rng(1)
    opening = noisy(rng, known.episode.vectors[start:stop], 0.1)
    vectors = laid(film(rng, 5), opening, film(rng, 40))
    (found,) = with_bound(detector, 0.0).detect([Episode("new", "another name", vectors)])
    assert found.interval == (5, 5 + stop - start)


@pytest.mark.parametrize("n_seconds", [1, 2, 40])
def test_an_episode_that_is_like_nothing_has_no_intro(
    detector: SeriesDetector, n_seconds: int
) -> None:
    vectors = film(np.random.default_rng(2), n_seconds)
    quiet = replace(
        detector, frames=replace(detector.frames, weights=np.zeros(DIMENSION), bias=-1.0)
    )
    (found,) = quiet.detect([Episode("any", "any", vectors)])
    assert (found.interval, found.confidence) == (None, None)
    assert found.probabilities.tolist() == [0] * n_seconds


def test_probabilities_of_seconds_lie_between_zero_and_one(detector: SeriesDetector) -> None:
    for prediction in detector.detect(episodes_of(toy_library(("x", "y"), seed=6))):
        assert prediction.probabilities.dtype == np.float32
        assert prediction.probabilities.min() >= 0
        assert prediction.probabilities.max() <= 1


def test_a_higher_bound_only_takes_intervals_away(detector: SeriesDetector) -> None:
    episodes = episodes_of(toy_library(("x", "y"), seed=7))
    anything = with_bound(detector, 0.0).detect(episodes)
    for bound in (0.5, 0.99, 1.0):
        for free, held in zip(anything, with_bound(detector, bound).detect(episodes), strict=True):
            sure = free.confidence is not None and free.confidence >= bound
            assert held.interval == (free.interval if sure else None)
            assert held.confidence == (free.confidence if sure else None)
            assert held.probabilities.tolist() == free.probabilities.tolist()


@pytest.mark.parametrize("level", [0.0, 0.05])
@pytest.mark.parametrize("id_", ["any-0", "another"])
def test_a_copy_of_an_episode_is_no_sibling_of_it(
    detector: SeriesDetector, id_: str, level: float
) -> None:
    """By its id, or since its vectors are nearly the same and it ends about as late."""
    episode = toy_series("any", 508)[0].episode
    vectors = noisy(np.random.default_rng(3), episode.vectors[:-1], level)
    (alone,) = detector.detect([episode])
    (found,) = detector.detect([episode], at_hand=[Episode(id_, "any", vectors)])
    assert same(found, alone)


def scene_of(episodes: list[Episode], n_siblings: int) -> Scene:
    config = SeriesConfig(
        candidates=CANDIDATES.model_copy(update={"n_siblings": n_siblings}),
        near_within_s=2,
        min_confidence=0,
    )
    rows = [unit_rows(e.vectors, np.zeros(DIMENSION, np.float32)) for e in episodes]
    return series_candidates(episodes, rows, (), [np.full(len(r), -1.0) for r in rows], config)


def test_the_nearest_episodes_are_the_siblings() -> None:
    rng = np.random.default_rng(4)
    episodes = [Episode(str(number), "any", film(rng, 5)) for number in range(5)]
    assert scene_of(episodes, 2).siblings == ((1, 2), (0, 2), (1, 3), (2, 4), (2, 3))
    assert scene_of(episodes, 9).siblings[1] == (0, 2, 3, 4)
    assert scene_of(episodes, 0).siblings == ((),) * 5


def test_no_more_of_a_long_series_is_compared_than_it_takes_to_find_the_siblings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(7)
    episodes = [Episode(str(number), "any", film(rng, 3)) for number in range(60)]
    compared = []
    monkeypatch.setattr(
        "skipintro.detection.series_detector._copies", lambda *pair: compared.append(pair)
    )
    assert scene_of(episodes, 2).siblings[30] == (29, 31)
    assert len(compared) == 2 * len(episodes)


def test_copies_leave_their_place_among_the_siblings_to_the_next_nearest() -> None:
    rng = np.random.default_rng(5)
    first, second, third = (film(rng, 20) for _ in range(3))
    episodes = [
        Episode("first", "any", first),
        Episode("copy", "any", laid(first, film(rng, 2))),
        Episode("second", "any", second),
        Episode("second", "any", third),  # the same episode of another file
    ]
    assert scene_of(episodes, 2).siblings == ((2, 3), (2, 3), (0, 1), (0, 1))


def test_an_episode_that_goes_on_after_the_same_beginning_is_a_sibling() -> None:
    rng = np.random.default_rng(6)
    first = film(rng, 20)
    episodes = [Episode("short", "any", first), Episode("long", "any", laid(first, film(rng, 3)))]
    assert scene_of(episodes, 2).siblings == ((1,), (0,))


def test_episodes_of_no_seconds_are_no_fault(detector: SeriesDetector) -> None:
    empty = [Episode(id_, "any", np.zeros((0, DIMENSION), np.float32)) for id_ in ("one", "two")]
    with np.errstate(all="raise"):
        assert [each.interval for each in detector.detect(empty)] == [None, None]


def candidates(*spans: Span, links: tuple[dict[int, Span], ...] = ()) -> Candidates:
    return Candidates(
        n_seconds=20,
        n_siblings=2,
        spans=np.array(spans, np.int64).reshape(-1, 2),
        features=np.arange(len(spans) * len(FEATURES), dtype=float).reshape(-1, len(FEATURES)),
        links=links or tuple({} for _ in spans),
    )


def test_agreement_is_how_likely_the_siblings_hold_their_match_for_the_intro() -> None:
    """The first episode's siblings are the second and the third; the latter stays silent."""
    asks = candidates((0, 10), (12, 16), links=({0: (1, 11), 1: (0, 10)}, {0: (15, 19)}))
    tells = candidates((1, 11), (2, 11), (14, 20), links=({0: (0, 10)}, {}, {}))
    silent = candidates()
    scene = Scene((asks, tells, silent), ((1, 2), (0,), ()))
    before = [np.array([0.6, 0.1, 0.3]), np.array([0.4, 0.3, 0.2, 0.1]), np.array([1.0])]
    first, second, third = agreement(scene, before)
    assert first[:, :-4].tolist() == asks.features.tolist()
    # 0.4 and 0.3 of one, nothing of the other; and 0.2 of the one for a later stretch
    assert first[0, -4:] == pytest.approx([0.35, 0.7, 0.0, 0.1])
    assert first[1, -4:] == pytest.approx([0.1, 0.2, 0.7, 0.0])
    assert second[:, -4:].tolist() == [[0.6, 0.6, 0, 0.1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert third.shape == (0, len(FEATURES) + 4)


def test_without_siblings_nobody_agrees() -> None:
    scene = Scene((candidates((0, 10)),), ((),))
    (grown,) = agreement(scene, [np.array([0.5, 0.5])])
    assert grown[0, -4:].tolist() == [0, 0, 0, 0]


def test_the_likeliest_candidate_is_read_off_and_near_ones_speak_for_it() -> None:
    found = candidates((2, 8), (2, 10), (12, 16))
    prediction = read_off(found, np.array([0.5, 0.25, 0.125, 0.125]), told(0.75))
    assert (prediction.interval, prediction.confidence) == ((2, 8), 0.75)
    expected = [0.0] * 2 + [0.75] * 6 + [0.25] * 2 + [0.0] * 2 + [0.125] * 4 + [0.0] * 4
    assert prediction.probabilities.tolist() == expected
    nearer = read_off(found, np.array([0.5, 0.25, 0.125, 0.125]), told(0.5, near_within_s=1))
    assert (nearer.interval, nearer.confidence) == ((2, 8), 0.5)


def test_below_the_bound_there_is_no_interval_but_the_seconds_keep_their_probabilities() -> None:
    prediction = read_off(candidates((2, 8)), np.array([0.5, 0.5]), told(0.51))
    assert (prediction.interval, prediction.confidence) == (None, None)
    assert prediction.probabilities[2:8].tolist() == [0.5] * 6


def test_without_candidates_nothing_is_read_off() -> None:
    prediction = read_off(candidates(), np.array([1.0]), told(0.0))
    assert (prediction.interval, prediction.confidence) == (None, None)
    assert prediction.probabilities.tolist() == [0] * 20

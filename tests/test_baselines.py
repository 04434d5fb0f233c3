from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from contest_cases import AUDIO_RULES
from season_cases import Part, chroma_of, joined, samples_of, scene, theme
from skipintro.detection.episode import Episode, Interval, LabelledEpisode, Prediction
from skipintro.evaluation.baselines import (
    BaselineSettings,
    Run,
    all_negative,
    baselines,
    frame_classifier,
    longest_run,
    position_of_series,
    position_of_train,
    repeated_frames,
    repeated_frames_early,
    siblings,
)
from skipintro.evidence.track import Evidence

NAMES = [
    "all_negative",
    "position_of_train",
    "position_of_series",
    "frame_classifier",
    "repeated_frames",
    "repeated_frames_early",
    "sound_most_points",
    "sound_longest_run",
    "sound_most_points_short",
    "sound_longest_run_short",
]
DIMENSION = 512  # two directions drawn at random have a cosine of less than 0.2


def given_settings(**changes: Any) -> BaselineSettings:
    return BaselineSettings.model_validate(
        {
            "seed": 0,
            "folds": 5,
            "max_film_frames": 1000,
            "probability_thresholds": (0.3, 0.5, 0.7),
            "similarity_thresholds": (0.7, 0.8, 0.9),
            "early_shares": (0.25, 0.5),
            "copy_similarity": 0.95,
            "min_length_s": 2,
            "audio_rules": AUDIO_RULES,
            **changes,
        }
    )


def blank(id_: str, series: str = "one", n_seconds: int = 60) -> Episode:
    return Episode(id=id_, series=series, vectors=np.zeros((n_seconds, 2), np.float32))


def labelled(series: str, truth: Interval | None) -> LabelledEpisode:
    return LabelledEpisode(episode=blank(f"{series} {truth}", series), truth=truth)


def drawn(seed: int, n_seconds: int) -> NDArray[np.float32]:
    """Return random vectors (n_seconds, D) of length about 1; a seed is like no other."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_seconds, DIMENSION)).astype(np.float32)
    return vectors / np.float32(np.sqrt(DIMENSION))


def episode(
    id_: str, *stretches: tuple[int, int, int], series: str = "one", n_seconds: int = 40
) -> Episode:
    """Return an episode of its own film with stretches (seed, start_s, length_s) in it."""
    vectors = drawn(sum(id_.encode()) + 1000, n_seconds)
    for seed, start, length in stretches:
        vectors[start : start + length] = drawn(seed, length)
    return Episode(id=id_, series=series, vectors=vectors)


def heard(opening: Part, rest: Part, before: Part) -> Evidence:
    """Return the points of an episode's sound."""
    wave = samples_of(joined(before, opening, rest), seed=round(before.length_s))
    return Evidence({"chroma": chroma_of(wave)}, joined(before, opening, rest).length_s)


def sounding() -> Episode:
    """Return an episode that has points, if few."""
    fingerprints = heard(theme(1, 4.0), scene(2, 1.0), scene(3, 1.0))
    return replace(blank("sounding"), fingerprints=fingerprints)


def intervals(predictions: Sequence[Prediction]) -> list[Interval | None]:
    return [one.interval for one in predictions]


# Two train episodes that share eight seconds, so that every threshold of the grid finds them.
TRAIN = [
    LabelledEpisode(episode("train a", (900, 3, 8), series="known"), (3, 11)),
    LabelledEpisode(episode("train b", (900, 9, 8), series="known"), (9, 17)),
]


def test_every_baseline_gives_one_prediction_an_episode_in_their_order() -> None:
    test = [episode(f"test {k}", (5, k, 6), n_seconds=20 + k) for k in range(3)]
    known = baselines(given_settings(), [sounding()])
    assert list(known) == NAMES
    for name, baseline in known.items():
        found = baseline(TRAIN, test, test)
        lengths = [len(one.probabilities) for one in found]
        assert lengths == ([20, 21, 22] if name == "frame_classifier" else [0, 0, 0])


def test_without_points_of_any_sound_the_rules_of_sound_are_left_out() -> None:
    mute = TRAIN[0].episode
    for episodes in ([], [mute]):
        assert list(baselines(given_settings(), episodes)) == NAMES[:6]
    assert list(baselines(given_settings(), [mute, sounding()])) == NAMES


def test_siblings_in_train_and_at_hand_share_sound() -> None:
    """An opening of 20 s, so that each rule finds it; points look 2.6 s ahead."""
    at_s = {"train": 3.0, "hand": 8.0, "test": 5.0}
    made = {
        id_: replace(
            blank(id_),
            fingerprints=heard(theme(7, 20.0), scene(seed, 100.0), scene(9 + seed, start_s)),
        )
        for seed, (id_, start_s) in enumerate(at_s.items())
    }
    known = baselines(given_settings(), made.values())
    train = [LabelledEpisode(made["train"], None)]
    for name in NAMES[6:]:
        test = [made["test"]]
        for predictions in (
            known[name](train, test, test),
            known[name]([], test, [*test, made["hand"]]),
        ):
            (found,) = predictions
            assert found.interval is not None, name
            assert found.interval == pytest.approx((5, 25), abs=3.5)
            assert (found.confidence, len(found.probabilities)) == (None, 0)
        (alone,) = known[name]([], test, test)
        assert alone.interval is None


@pytest.mark.parametrize("name", NAMES)
def test_without_train_no_baseline_breaks_or_finds_by_position(name: str) -> None:
    test = [episode("test a"), episode("test b", n_seconds=1)]
    baseline = baselines(given_settings(), [sounding()])[name]
    found = baseline([], test, [])
    assert intervals(found) == [None, None]
    assert [one.confidence for one in found] == [None, None]
    assert baseline(TRAIN, [], []) == []


def test_all_negative_never_finds_an_intro() -> None:
    assert intervals(all_negative(TRAIN, [TRAIN[0].episode], [])) == [None]


def test_the_position_of_train_is_the_median_start_and_the_median_end() -> None:
    train = [
        labelled("one", (0, 10)),
        labelled("one", (4, 30)),
        labelled("two", (50, 55)),
        labelled("two", None),
    ]
    assert intervals(position_of_train(train, [blank("test")], [])) == [(4, 30)]
    assert intervals(position_of_train(train[:2], [blank("test")], [])) == [(2, 20)]


def test_a_position_ends_with_the_episode() -> None:
    test = [blank("short", n_seconds=20), blank("shorter", n_seconds=4), blank("one", n_seconds=5)]
    found = position_of_train([labelled("one", (4, 30))], test, [])
    assert intervals(found) == [(4, 20), None, (4, 5)]


def test_the_position_of_a_series_is_that_of_all_where_it_has_no_train_intro() -> None:
    train = [
        labelled("one", (0, 10)),
        labelled("one", (2, 12)),
        labelled("two", (20, 30)),
        labelled("bare", None),
    ]
    test = [blank(name, name) for name in ("one", "two", "bare", "new")]
    found = position_of_series(train, test, [])
    assert intervals(found) == [(1, 11), (20, 30), (2, 12), (2, 12)]


def lit(id_: str, series: str, truth: Interval | None, n_seconds: int = 40) -> LabelledEpisode:
    """Return an episode whose intro seconds stand out in one dimension, in every series alike."""
    vectors = drawn(sum(id_.encode()), n_seconds)[:, :4]
    if truth is not None:
        vectors[int(truth[0]) : int(truth[1]), 0] += 5
    return LabelledEpisode(Episode(id=id_, series=series, vectors=vectors), truth)


LIT = [lit(f"train {k}", f"series {k % 3}", (k, k + 5 + k % 4)) for k in range(9)]


def test_the_classifier_finds_what_looks_like_the_intros_of_other_series() -> None:
    test = [lit("a", "new", (20, 28)), lit("b", "new", None), lit("c", "series 1", (0, 3))]
    found = frame_classifier(LIT, [row.episode for row in test], [], settings=given_settings())
    assert intervals(found) == [row.truth for row in test]
    probabilities = found[0].probabilities
    assert probabilities.dtype == np.float32
    assert probabilities[20:28].min() > 0.5 > np.delete(probabilities, range(20, 28)).max()
    assert found[0].confidence == pytest.approx(probabilities[20:28].mean())


def test_the_classifier_drops_what_is_too_short() -> None:
    test = [lit("a", "new", (20, 24)).episode]
    for min_length_s, interval in ((4, (20, 24)), (5, None)):
        options = given_settings(min_length_s=min_length_s)
        assert intervals(frame_classifier(LIT, test, [], settings=options)) == [interval]


def test_the_classifiers_threshold_is_the_one_that_finds_trains_intros() -> None:
    """What follows an intro looks like half of one, which a low threshold takes in."""
    rows = [lit(f"train {k}", f"series {k}", (10, 20)) for k in range(3)]
    test = lit("test", "new", (10, 20))
    for row in (*rows, test):
        row.episode.vectors[20:, 0] += 2.5
    for thresholds, is_right in (((0.001,), False), ((0.001, 0.6), True)):
        options = given_settings(probability_thresholds=thresholds)
        found = frame_classifier(rows, [test.episode], [], settings=options)
        assert (intervals(found) == [(10, 20)]) == is_right


def told(name: str, series: int, own: float) -> LabelledEpisode:
    """Return an episode whose intro has a faint sign that all series share, and one of its own."""
    vectors = drawn(sum(name.encode()), 40)[:, :6]
    vectors[10:20, 0] += 0.25
    vectors[10:20, series] += own
    return LabelledEpisode(Episode(name, f"series {series}", vectors), (10, 20))


def test_the_classifiers_threshold_is_chosen_on_series_that_it_has_not_seen() -> None:
    """By their own signs, a high threshold does as well for series that it has seen."""
    train = [told(f"train {k}", 1 + k % 3, own=1) for k in range(9)]
    test = told("test", 5, own=0).episode
    for thresholds, interval in (((0.9,), None), ((0.05, 0.9), (10, 20))):
        options = given_settings(probability_thresholds=thresholds)
        assert intervals(frame_classifier(train, [test], [], settings=options)) == [interval]


@pytest.mark.parametrize("n_train", [1, 2])
def test_the_classifier_needs_no_more_than_one_series(n_train: int) -> None:
    train = [lit(f"train {k}", "series 0", (k, k + 8)) for k in range(n_train)]
    test = lit("test", "series 0", (20, 28))
    found = frame_classifier(train, [test.episode], [], settings=given_settings())
    assert intervals(found) == [(20, 28)]


def test_the_classifier_says_never_or_always_where_train_has_one_kind_alone() -> None:
    test = [lit("test", "new", (20, 28)).episode]
    film = [lit(f"film {k}", f"series {k}", None) for k in range(2)]
    intro = [replace(row, truth=(0.0, 40.0)) for row in film]
    never = frame_classifier(film, test, [], settings=given_settings())
    always = frame_classifier(intro, test, [], settings=given_settings())
    assert intervals([*never, *always]) == [None, (0, 40)]
    assert not never[0].probabilities.any()
    assert always[0].probabilities.all()


def test_film_frames_are_drawn_by_the_seed_and_only_where_there_are_too_many() -> None:
    test = [lit("test", "new", (20, 28)).episode]

    def probabilities(**changes: int) -> list[float]:
        options = given_settings(**changes)
        found = frame_classifier(LIT, test, [], settings=options)[0].probabilities
        return [float(value) for value in found]

    assert probabilities(max_film_frames=20) == probabilities(max_film_frames=20)
    assert probabilities(max_film_frames=20) != probabilities(max_film_frames=20, seed=1)
    assert probabilities(max_film_frames=999) == probabilities(max_film_frames=500, seed=1)
    assert probabilities(max_film_frames=999) != probabilities(max_film_frames=20)


def test_an_episode_without_a_second_has_no_intro() -> None:
    nothing = replace(episode("none"), vectors=np.zeros((0, DIMENSION), np.float32))
    for baseline in baselines(given_settings(), [sounding()]).values():
        assert intervals(baseline(TRAIN, [nothing], [episode("other")])) == [None]
        assert len(baseline(TRAIN, [episode("other")], [nothing])) == 1


def test_what_two_episodes_share_is_found_wherever_it_lies() -> None:
    test = episode("test", (1, 30, 7))
    sibling = episode("sibling", (1, 2, 7), n_seconds=25)
    for pair in ((test, sibling), (sibling, test)):
        found = repeated_frames(TRAIN, [pair[0]], [pair[1]], settings=given_settings())
        assert intervals(found) == [(30, 37) if pair[0] is test else (2, 9)]
        assert found[0].confidence == pytest.approx(1)


def test_the_longest_stretch_that_any_sibling_shares_wins() -> None:
    test = episode("test", (1, 2, 5), (2, 12, 8), (3, 25, 6))
    at_hand = [
        episode("b", (1, 20, 5)),
        episode("c", (2, 3, 8)),
        episode("d", (1, 9, 5), (3, 21, 6)),
    ]
    for order in (at_hand, at_hand[::-1]):
        found = repeated_frames(TRAIN, [test], order, settings=given_settings())
        assert intervals(found) == [(12, 20)]


def test_what_is_shared_for_too_short_is_dropped() -> None:
    test, sibling = episode("test", (1, 5, 4)), episode("sibling", (1, 9, 4))
    for min_length_s, interval in ((4, (5, 9)), (5, None)):
        options = given_settings(min_length_s=min_length_s)
        assert intervals(repeated_frames(TRAIN, [test], [sibling], settings=options)) == [interval]


def test_siblings_are_the_series_episodes_at_hand_and_in_train_but_not_others_of_test() -> None:
    at_hand = episode("at hand", (1, 4, 6))
    other_series = episode("other", (2, 4, 9), series="other")
    test = [
        episode("test", (1, 20, 6), (2, 5, 9), (900, 30, 5), series="one"),
        episode("test of known", (900, 12, 8), series="known"),
        episode("also in test", (3, 1, 9)),
        episode("another in test", (3, 5, 9)),
    ]
    found = repeated_frames(TRAIN, test, [at_hand, other_series], settings=given_settings())
    assert intervals(found) == [(20, 26), (12, 20), None, None]


def test_a_copy_of_the_episode_is_not_its_sibling() -> None:
    test = episode("test", (1, 20, 6))
    sibling = episode("sibling", (1, 2, 6))
    blurred = replace(test, id="blurred", vectors=test.vectors + 0.1 * drawn(77, 40))
    cut_off = replace(test, id="cut off", vectors=test.vectors[:30])
    damaged = replace(test, id="damaged", vectors=test.vectors.copy())
    damaged.vectors[36:] = drawn(78, 4)
    at_hand = [test, blurred, sibling, cut_off, damaged]
    found = repeated_frames(TRAIN, [test], at_hand, settings=given_settings())
    assert intervals(found) == [(20, 26)]


def test_siblings_are_of_the_same_series_and_come_once() -> None:
    one = episode("one")
    pool = [one, episode("two"), episode("two"), episode("three", series="other"), episode("four")]
    assert [other.id for other in siblings(one, pool, 0.95)] == ["two", "four"]


@pytest.mark.parametrize(("n_like", "is_sibling"), [(17, True), (18, False)])
def test_a_copy_is_like_its_original_in_nine_of_ten_seconds(n_like: int, is_sibling: bool) -> None:
    one = episode("one", n_seconds=20)
    other = episode("other", n_seconds=25)
    other.vectors[:n_like] = 3 * one.vectors[:n_like]  # the length of a vector says nothing
    assert bool(siblings(one, [other], 0.95)) == is_sibling
    assert bool(siblings(other, [one], 0.95)) == is_sibling


def test_an_episode_that_is_shifted_by_a_second_is_no_copy() -> None:
    one = episode("one")
    late = replace(one, id="late", vectors=np.roll(one.vectors, 1, axis=0))
    assert siblings(one, [late], 0.95) == [late]
    empty = replace(one, id="empty", vectors=one.vectors[:0])
    assert siblings(one, [empty], 0.95) == [empty]


def test_vectors_are_centred_before_they_are_compared() -> None:
    """A direction that all seconds have in common makes all alike until it is taken away."""
    common = 5 * drawn(50, 1)
    train = [
        replace(row, episode=replace(row.episode, vectors=row.episode.vectors + common))
        for row in TRAIN
    ]
    test, sibling = (
        replace(one, vectors=one.vectors + common)
        for one in (episode("test", (1, 30, 7)), episode("sibling", (1, 2, 7)))
    )
    found = repeated_frames(train, [test], [sibling], settings=given_settings())
    assert intervals(found) == [(30, 37)]


def noisy(one: Episode, stretch: tuple[int, int], seed: int) -> Episode:
    """Disturb a stretch so that its cosine with the original is about 0.7."""
    vectors = one.vectors.copy()
    start, end = stretch
    vectors[start:end] += drawn(seed, end - start)
    return replace(one, vectors=vectors)


def test_the_similarity_threshold_is_the_one_that_finds_trains_intros() -> None:
    """The intro is shared exactly and what follows roughly, or all of it roughly."""
    sharp = [
        LabelledEpisode(noisy(episode(name, (1, start, 16)), (start + 8, start + 16), seed), truth)
        for name, start, seed, truth in (("a", 2, 60, (2, 10)), ("b", 5, 61, (5, 13)))
    ]
    rough = [replace(row, truth=(s, s + 16)) for row, s in zip(sharp, (2.0, 5.0), strict=True)]
    test = noisy(episode("test", (1, 20, 16)), (28, 36), 62)
    options = given_settings(similarity_thresholds=(0.9, 0.25))
    for train, interval in ((sharp, (20, 28)), (rough, (20, 36))):
        assert intervals(repeated_frames(train, [test], [], settings=options)) == [interval]


def test_episodes_at_hand_have_no_say_in_the_choice_of_the_threshold() -> None:
    """With a sibling at hand, the low threshold would be right for the one train episode."""
    train = [LabelledEpisode(episode("a", (1, 2, 16), series="known"), (2, 18))]
    at_hand = noisy(episode("b", (1, 5, 16), series="known"), (13, 21), 66)
    test, sibling = episode("test", (2, 20, 16)), episode("sibling", (2, 5, 16))
    options = given_settings(similarity_thresholds=(0.4, 0.9))
    found = repeated_frames(
        train, [test], [at_hand, noisy(sibling, (13, 21), 67)], settings=options
    )
    assert intervals(found) == [(20, 28)]


def test_of_thresholds_that_do_equally_well_the_middle_one_is_taken() -> None:
    """A stretch of cosine 0.7 tells which of them it was."""
    test = episode("test", (1, 20, 6))
    sibling = noisy(episode("sibling", (1, 2, 6)), (2, 8), 63)
    for thresholds, interval in (((0.99, 0.3, 0.5), (20, 26)), ((0.99, 0.97, 0.3), None)):
        options = given_settings(similarity_thresholds=thresholds)
        found = repeated_frames(TRAIN, [test], [sibling], settings=options)
        assert intervals(found) == [interval]


def test_the_search_held_early_does_not_see_the_credits() -> None:
    """Credits at the end are shared for longer than the intro; train tells how far to look."""
    train = [
        LabelledEpisode(episode(name, (1, start, 6), (2, 28, 12)), (start, start + 6))
        for name, start in (("a", 2), ("b", 5))
    ]
    test = episode("test", (1, 9, 6), (2, 28, 12))
    options = given_settings(early_shares=(0.2, 0.5, 1.0))
    assert intervals(repeated_frames(train, [test], [], settings=options)) == [(28, 40)]
    assert intervals(repeated_frames_early(train, [test], [], settings=options)) == [(9, 15)]


def test_the_early_search_takes_in_the_second_that_the_share_cuts() -> None:
    test, sibling = episode("test", (1, 2, 7), n_seconds=9), episode("sibling", (1, 0, 7))
    options = given_settings(early_shares=(0.5,))
    found = repeated_frames_early(TRAIN, [test], [sibling], settings=options)
    assert intervals(found) == [(2, 5)]  # of the first 4.5 s


def test_where_train_has_no_intro_the_setting_that_finds_none_is_best() -> None:
    rows = [replace(row, truth=None) for row in TRAIN]
    rows[1] = replace(rows[1], episode=noisy(rows[1].episode, (9, 17), 64))
    test, sibling = episode("test", (1, 5, 8)), noisy(episode("sibling", (1, 9, 8)), (9, 17), 65)
    options = given_settings(similarity_thresholds=(0.3, 0.99))
    assert intervals(repeated_frames(rows, [test], [sibling], settings=options)) == [None]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["...", "...", "..."], None),
        (["#"], Run(0, 0, 1)),
        (["#..", ".#.", "..#"], Run(0, 0, 3)),
        (["#..", "...", "..#"], Run(0, 0, 3)),  # one second may be missing
        (["#...", "....", "....", "...#"], Run(0, 0, 1)),  # two may not
        (["#....", ".....", "..#..", ".....", "....#"], Run(0, 0, 5)),
        ([".#.", "..#", "#.."], Run(0, 1, 2)),
        (["..#", "#..", ".#."], Run(1, 0, 2)),
        (["###", "###"], Run(0, 0, 2)),  # of equal ones the first to end, then the lower column
        (["#..#..", ".#..#.", ".....#"], Run(0, 3, 3)),
        (["##.##"], Run(0, 0, 1)),  # only a diagonal is a run
    ],
)
def test_the_longest_run_along_a_diagonal_worked_out_by_hand(
    cells: list[str], expected: Run | None
) -> None:
    same = np.array([[cell == "#" for cell in row] for row in cells], bool).reshape(len(cells), -1)
    before = same.copy()
    assert longest_run(same) == expected
    assert np.array_equal(same, before)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (2, 2)])
def test_where_nothing_is_the_same_there_is_no_run(shape: tuple[int, int]) -> None:
    assert longest_run(np.zeros(shape, bool)) is None


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 9), st.sampled_from([0.3, 0.6, 0.9]))
def test_the_longest_run_agrees_with_trying_all(
    n_rows: int, n_columns: int, seed: int, share: float
) -> None:
    same = np.random.default_rng(seed).random((n_rows, n_columns)) < share
    runs = []
    for row, column in product(range(n_rows), range(n_columns)):
        for length in range(1, min(n_rows - row, n_columns - column) + 1):
            along = [bool(same[row + k, column + k]) for k in range(length)]
            gaps = any(not along[k] and not along[k + 1] for k in range(length - 1))
            if along[0] and along[-1] and not gaps:
                runs.append(Run(row, column, length))
    best = min(runs, key=lambda r: (-r.length, r.row + r.length, r.column), default=None)
    assert longest_run(same) == best


@pytest.mark.parametrize(
    "changes",
    [
        {"folds": 1},
        {"max_film_frames": 0},
        {"probability_thresholds": ()},
        {"similarity_thresholds": (1.0,)},
        {"early_shares": (0.0,)},
        {"min_length_s": 0.5},
        {"unknown": 1},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        given_settings(**changes)

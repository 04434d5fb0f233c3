"""What two episodes share, and who is whose sibling."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from season_cases import (
    KINDS,
    MATCHING,
    PAL,
    RATE,
    SIBLINGS,
    MadeSeason,
    Part,
    at_speed,
    black,
    cut,
    dubbed,
    episode,
    heard_as,
    joined,
    music,
    scene,
    season,
    shown_as,
    speech,
    still,
    theme,
)
from skipintro.evidence.track import Evidence, Track
from skipintro.matching.pairs import (
    Match,
    MatchingSettings,
    Moments,
    along,
    best_along,
    match,
    match_itself,
    moments_of,
    there,
)
from skipintro.matching.siblings import Season, season_of

Rows = NDArray[np.float32]


def moments(*parts: Part, seed: int = 0, kinds: Sequence[str] = KINDS) -> Moments:
    return moments_of(episode(*parts, seed=seed, kinds=kinds), MATCHING)


def pair(made: MadeSeason) -> tuple[Moments, Moments]:
    first, second = (moments_of(each, MATCHING) for each in made.episodes)
    return first, second


def strongest(found: Match) -> tuple[float, float, float]:
    """Return start, end and offset of the strongest run, in seconds."""
    start, stop, offset, _ = (found.runs[0] / RATE).tolist()
    return start, stop, offset


def near(*seconds: float) -> object:
    return pytest.approx(seconds, abs=0.5)


# --- a stretch in common ---


PLACES = [(10.2, 24.9), (31.1, 0), (0, 12.6)]


@pytest.mark.parametrize(("here", "over_there"), PLACES)
def test_a_stretch_in_common_is_found_where_it_lies(here: float, over_there: float) -> None:
    made = season(2, openings_at=(here, over_there), opening_s=15.3, kinds=["pictures"])
    found = match(*pair(made), MATCHING)
    assert found.speed == 1
    assert strongest(found) == near(here, here + 15.3, over_there - here)


@pytest.mark.parametrize(("here", "over_there"), PLACES)
def test_by_both_kinds_a_stretch_is_found_whole(here: float, over_there: float) -> None:
    """Speech that is alike by chance may join it, from no farther away than a gap."""
    made = season(2, openings_at=(here, over_there), opening_s=15.3)
    found = match(*pair(made), MATCHING)
    start, stop, offset = strongest(found)
    assert here - MATCHING.gap_s <= start <= here + 0.5
    assert here + 14.8 <= stop <= here + 15.3 + MATCHING.gap_s
    assert offset == pytest.approx(over_there - here, abs=0.26)


def test_a_stretch_is_found_by_its_sound_alone() -> None:
    """Its ends are told less sharply: a fingerprint is of two seconds of sound."""
    made = season(2, openings_at=(10.2, 24.9), opening_s=15.3, kinds=["sound"])
    found = match(*pair(made), MATCHING)
    start, stop, offset = strongest(found)
    assert (start, stop) == pytest.approx((10.2, 25.5), abs=1.5)
    assert offset == pytest.approx(14.7, abs=0.26)


def test_pictures_tell_where_the_sound_is_another() -> None:
    opening = theme(9, 12.0)
    first = moments(scene(1, 10.0), opening, scene(2, 20.0), seed=1)
    second = moments(scene(3, 5.0), dubbed(opening, 8), scene(4, 25.0), seed=2)
    assert strongest(match(first, second, MATCHING)) == near(10, 22, -5)


def test_sound_tells_where_the_pictures_are_others() -> None:
    opening = theme(9, 12.0)
    first = moments(scene(1, 10.0), opening, scene(2, 20.0), seed=1)
    second = moments(scene(3, 5.0), shown_as(opening, scene(8, 12.0)), scene(4, 25.0), seed=2)
    start, stop, offset = strongest(match(first, second, MATCHING))
    assert (start, stop) == pytest.approx((10, 22), abs=1.5)
    assert offset == pytest.approx(-5, abs=0.26)


@pytest.mark.parametrize(("gap_s", "is_bridged"), [(1.0, True), (2.5, True), (4.0, False)])
def test_a_gap_is_bridged_up_to_its_length(gap_s: float, is_bridged: bool) -> None:
    """In the second episode something else stands in the middle of the stretch."""
    opening = theme(9, 20.0)
    middle = scene(30, gap_s)
    other = joined(cut(opening, 0, 8), middle, cut(opening, 8 + gap_s, 20))
    kinds = ["pictures"]
    first = moments(scene(1, 10.0), opening, scene(2, 20.0), kinds=kinds)
    second = moments(scene(3, 15.0), other, scene(4, 15.0), kinds=kinds)
    found = match(first, second, MATCHING)
    assert strongest(found) == near(10, 30 if is_bridged else 18, 5)
    assert is_bridged == (len(found.runs) == 1)


def test_a_short_stretch_is_found_from_the_least_length_on() -> None:
    def n_runs(length_s: float) -> int:
        shared = theme(9, length_s)
        first = moments(scene(1, 10.0), shared, scene(2, 10.0), kinds=["pictures"])
        second = moments(scene(3, 5.0), shared, scene(4, 15.0), kinds=["pictures"])
        runs = match(first, second, MATCHING).runs
        return int((np.abs(runs[:, 2] + 20) <= 1).sum())

    assert n_runs(1.0) == 0
    assert n_runs(2.0) == 1


def test_several_stretches_each_have_a_run_the_longest_first() -> None:
    long, short = theme(9, 15.0), theme(10, 7.0)
    first = moments(scene(1, 10.0), short, scene(2, 10.0), long, kinds=["pictures"])
    second = moments(long, scene(3, 10.0), short, scene(4, 5.0), kinds=["pictures"])
    (start, stop, offset, _), (start_2, stop_2, offset_2, _) = (
        match(first, second, MATCHING).runs[:2] / RATE
    )
    assert (start, stop, offset) == near(27, 42, -27)
    assert (start_2, stop_2, offset_2) == near(10, 17, 15)


def test_no_more_runs_are_given_than_are_wanted() -> None:
    first, second = (moments(scene(seed, 60.0), kinds=["sound"]) for seed in (1, 2))
    few = MATCHING.model_copy(update={"n_runs": 2, "alike": {"sound": 0.3}})
    assert len(match(first, second, few).runs) == 2


@pytest.mark.parametrize("speed", [PAL, 1 / PAL])
def test_an_episode_that_runs_at_another_speed_is_matched_along_it(speed: float) -> None:
    """90 s in common: at PAL's speed they end 3.7 s earlier."""
    shared = scene(9, 90.0)
    first = moments(scene(1, 12.0), shared, scene(2, 10.0), kinds=["pictures"])
    second = moments(scene(3, 5.0), at_speed(shared, speed), scene(4, 10.0), kinds=["pictures"])
    found = match(first, second, MATCHING)
    assert found.speed == pytest.approx(1 / speed)
    start, stop, offset, _ = found.runs[0].tolist()
    assert (start / RATE, stop / RATE) == near(12, 102)
    ends = there(np.array([start, stop]), found.speed, offset) / RATE
    assert tuple(ends.tolist()) == near(5, 5 + 90 / speed)


def test_music_at_another_speed_is_matched_along_it() -> None:
    """The pitch is another one, by 0.7 of a half tone."""
    tune = theme(9, 90.0)
    first = moments(scene(1, 12.0), tune, scene(2, 10.0), kinds=["sound"])
    second = moments(scene(3, 5.0), at_speed(tune, PAL), scene(4, 10.0), kinds=["sound"])
    found = match(first, second, MATCHING)
    assert found.speed == pytest.approx(1 / PAL)
    start, stop, _ = strongest(found)
    assert (start, stop) == pytest.approx((12, 102), abs=MATCHING.gap_s)


def test_speed_is_not_taken_for_another_without_need() -> None:
    made = season(6, openings_at=(10, 20, 5), opening_s=20.0, length_s=60)
    episodes = [moments_of(each, MATCHING) for each in made.episodes]
    assert {match(a, b, MATCHING).speed for a, b in pairwise(episodes)} == {1.0}


# --- what is static, empty or silent ---


def test_what_stands_still_gives_no_flood_of_runs() -> None:
    """A still of 40 s is in both: each of its moments is like each other one."""
    slide = still(5, 40.0)
    first = moments(scene(1, 10.0), slide, scene(2, 30.0), kinds=["pictures"])
    second = moments(scene(3, 20.0), slide, scene(4, 20.0), kinds=["pictures"])
    assert len(match(first, second, MATCHING).runs) < 10


@pytest.mark.parametrize("lengths", [(3.0, 30.0), (30.0, 3.0)])
def test_what_stands_still_for_long_in_one_episode_is_static(lengths: tuple[float, float]) -> None:
    first, second = (
        moments(scene(seed, 10.0), still(5, length), scene(10 + seed, 20.0), kinds=["pictures"])
        for seed, length in enumerate(lengths)
    )
    assert not len(match(first, second, MATCHING).runs)


def test_an_opening_is_found_beside_what_stands_still() -> None:
    slide, opening = still(5, 30.0), theme(9, 12.0)
    first = moments(slide, opening, scene(2, 60.0), kinds=["pictures"])
    second = moments(scene(3, 20.0), opening, slide, scene(4, 40.0), kinds=["pictures"])
    assert strongest(match(first, second, MATCHING)) == near(30, 42, -10)


def test_a_kind_that_is_not_compared_changes_nothing() -> None:
    """Not even by being longer than the kinds that are."""
    made = episode(scene(1, 10.0))
    n = 500
    nothing = np.zeros(n, np.float32)
    other = Track(8.0, np.ones((n, 32), np.float32), nothing, nothing)
    found = moments_of(Evidence({**made.tracks, "chroma": other}, 10.0), MATCHING)
    assert found.n == moments_of(made, MATCHING).n
    assert set(found.tracks) == set(made.tracks)


def test_black_and_silent_stretches_are_not_alike() -> None:
    first = moments(scene(1, 10.0), black(10.0))
    second = moments(black(10.0), scene(2, 10.0))
    runs = match(first, second, MATCHING).runs
    in_black = runs[runs[:, 0] >= 10 * RATE]
    assert not len(in_black)


def nothing() -> Moments:
    return moments_of(Evidence({}, 0.0), MATCHING)


@pytest.mark.parametrize(
    "empty",
    [
        pytest.param(nothing, id="no kind"),
        pytest.param(moments, id="no moment"),
        pytest.param(lambda: moments(cut(scene(1, 10.0), 0, 0.25)), id="one moment"),
        pytest.param(lambda: moments(black(20.0)), id="black"),
    ],
)
def test_with_an_empty_episode_nothing_is_shared(empty: object) -> None:
    assert callable(empty)
    one, other = empty(), moments(scene(2, 10.0))
    for first, second in ((one, other), (other, one), (one, one)):
        assert match(first, second, MATCHING).runs.shape == (0, 4)
    assert match_itself(one, MATCHING).shape == (0, 4)


def test_kinds_that_only_one_episode_has_are_not_compared() -> None:
    shared = theme(9, 15.0)
    first = moments(scene(1, 5.0), shared, kinds=["pictures"])
    second = moments(scene(2, 5.0), shared, kinds=["sound"])
    assert not len(match(first, second, MATCHING).runs)


def test_the_grid_is_as_long_as_the_longest_kind() -> None:
    made = episode(scene(1, 10.0))
    sound = made.tracks["sound"]
    short = Track(RATE, sound.rows[:8], sound.level[:8], sound.change[:8])
    found = moments_of(Evidence({**made.tracks, "sound": short}, 10.0), MATCHING)
    assert (found.n, found.length_s) == (40, 10.0)
    assert not found.says["sound"][8:].any()
    assert found.says["pictures"].all()


# --- both ways round ---


def test_a_match_is_turned_to_what_the_other_way_round_gives() -> None:
    made = season(2, openings_at=(10.2, 24.9), opening_s=15.3, credits_s=8, kinds=["pictures"])
    first, second = pair(made)
    turned, reverse = match(first, second, MATCHING).turned(), match(second, first, MATCHING)
    assert turned.speed == reverse.speed == 1
    np.testing.assert_allclose(turned.runs[:2, :3], reverse.runs[:2, :3], atol=1)


def test_a_match_at_another_speed_is_turned_along_it() -> None:
    shared = scene(9, 90.0)
    first = moments(scene(1, 12.0), shared, scene(2, 10.0), kinds=["pictures"])
    second = moments(scene(3, 5.0), at_speed(shared, PAL), scene(4, 10.0), kinds=["pictures"])
    found = match(first, second, MATCHING).turned()
    reverse = match(second, first, MATCHING)
    assert found.speed == pytest.approx(reverse.speed)
    start, stop, offset, _ = found.runs[0].tolist()
    assert (start / RATE, stop / RATE) == near(5, 5 + 90 / PAL)
    ends = there(np.array([start, stop]), found.speed, offset) / RATE
    assert tuple(ends.tolist()) == near(12, 102)
    np.testing.assert_allclose(found.runs[0, :3], reverse.runs[0, :3], atol=3)


def test_turning_twice_gives_the_same() -> None:
    runs = np.array([[8, 40, 12, 30], [100, 140, -60, 20]])
    for speed in (1.0, PAL):
        back = Match(speed, runs).turned().turned()
        assert back.speed == pytest.approx(speed)
        np.testing.assert_allclose(back.runs, runs, atol=1 if speed > 1 else 0)


# --- long pairs ---


def test_a_long_pair_whose_rows_are_skipped_still_has_a_stretch_of_20_s() -> None:
    made = season(2, openings_at=(100.3, 40.2), opening_s=20.0, length_s=180, kinds=["pictures"])
    few = MATCHING.model_copy(update={"max_comparisons": 720 * 720 // 5})
    found = match(*pair(made), few)
    start, stop, offset = strongest(found)
    assert (start, stop) == pytest.approx((100.3, 120.3), abs=1.5)
    assert offset == pytest.approx(-60.1, abs=0.26)


def test_runs_say_as_much_whether_rows_are_skipped_or_not() -> None:
    made = season(2, openings_at=(20.3, 40.2), opening_s=20.0, kinds=["pictures"])
    first, second = pair(made)
    all_rows = match(first, second, MATCHING).runs[0]
    few = MATCHING.model_copy(update={"max_comparisons": first.n * second.n // 4})
    np.testing.assert_allclose(match(first, second, few).runs[0], all_rows, atol=1)


# --- a slow, obvious loop ---


def slowly(
    first: Rows, second: Rows, settings: MatchingSettings
) -> list[tuple[int, int, int, int]]:
    """Find runs of one kind at speed 1, by the definition; neither distinct nor centred."""
    alike = settings.alike["pictures"]
    enough = settings.common_s * settings.rate
    pairs = {(i, j) for i in range(len(first)) for j in range(len(second))}
    pairs = {(i, j) for i, j in pairs if float(first[i] @ second[j]) > alike}
    rows = [sum(1 for i, _ in pairs if i == row) for row in range(len(first))]
    pairs = {
        (i, j) for i, j in pairs if rows[i] <= max(enough, settings.common_share * len(second))
    }
    columns = [sum(1 for _, j in pairs if j == column) for column in range(len(second))]
    pairs = {
        (i, j) for i, j in pairs if columns[j] <= max(enough, settings.common_share * len(first))
    }
    runs = []
    for offset in range(-len(first), len(second)):
        stretch: list[int] = []
        for at in [*sorted(i for i, j in pairs if j - i == offset), 10**9]:
            if stretch and at - stretch[-1] > settings.gap_s * settings.rate:
                length = stretch[-1] + 1 - stretch[0]
                if (
                    length >= settings.min_length_s * settings.rate
                    and len(stretch) >= settings.min_share * length
                ):
                    runs.append((stretch[0], stretch[-1] + 1, offset, len(stretch)))
                stretch = []
            stretch.append(at)
    return runs


def random_moments(seed: int, n: int) -> Moments:
    """Draw moments of a few directions, one of them so frequent that it counts as static."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(6, n, p=[0.35, 0.15, 0.15, 0.15, 0.1, 0.1])
    rows = np.eye(6, dtype=np.float32)[drawn]
    rows[rng.random(n) < 0.1] = 0
    return of_rows(rows)


def of_rows(rows: Rows) -> Moments:
    curve = np.zeros(len(rows), np.float32)
    return Moments({"pictures": Track(RATE, rows, curve, curve)}, len(rows), RATE)


@pytest.mark.parametrize("seed", range(12))
def test_runs_are_those_of_a_slow_loop(seed: int) -> None:
    """Those that are dropped are near to stronger ones; of those kept offsets may move by one."""
    settings = MATCHING.model_copy(
        update={
            **{"alike": {"pictures": 0.8}, "gap_s": 1.0, "min_length_s": 1.0, "min_share": 0.4},
            **{"common_s": 1.0, "common_share": 0.25, "speeds": (1.0,)},
        }
    )
    first, second = random_moments(seed, 50), random_moments(100 + seed, 60)
    rows, other = first.tracks["pictures"].rows, second.tracks["pictures"].rows.copy()
    other[30:48] = np.where(np.arange(18)[:, None] % 5 == 4, other[30:48], rows[10:28])
    wanted = slowly(rows, other, settings)
    runs = match(first, of_rows(other), settings).runs
    assert len(wanted) > 3
    assert 20 in runs[:, 2]
    known = {(start, stop, n) for start, stop, _, n in wanted}
    offsets = {(start, stop): set[int]() for start, stop, _, _ in wanted}
    for start, stop, offset, _ in wanted:
        offsets[start, stop] |= {offset - 1, offset, offset + 1}
    for start, stop, offset, n in runs.tolist():
        assert (start, stop, n) in known
        assert offset in offsets[start, stop]
    kept = [(a, b, o) for a, b, o, _ in runs.tolist()]
    for start, stop, offset, _ in wanted:
        assert any(
            abs(o - offset) <= 4 and min(b, stop) - max(a, start) >= 0.5 * (stop - start)
            for a, b, o in kept
        )


@pytest.mark.parametrize("jitter", [0, 1])
def test_cosines_along_an_offset_are_those_of_a_loop(jitter: int) -> None:
    rng = np.random.default_rng(3)
    first, second = (rng.normal(size=(n, 4)).astype(np.float32) for n in (9, 7))
    at, other = np.arange(-2, 12), np.arange(-2, 12) - 3

    def cosine(i: int, j: int) -> float:
        is_there = 0 <= i < len(first) and 0 <= j < len(second)
        return float(first[i] @ second[j]) if is_there else 0.0

    wanted = [
        max(cosine(i, j + step) for step in range(-jitter, jitter + 1))
        for i, j in zip(at.tolist(), other.tolist(), strict=True)
    ]
    found = (best_along if jitter else along)(first, second, at, other)
    np.testing.assert_allclose(found, np.array(wanted), rtol=1e-5)


def test_what_comes_back_within_an_episode_is_found_once() -> None:
    jingle = theme(9, 8.0)
    found = match_itself(
        moments(scene(1, 10.0), jingle, scene(2, 15.0), jingle, scene(3, 10.0), kinds=["pictures"]),
        MATCHING,
    )
    start, stop, offset, _ = found[0] / RATE
    assert (start, stop, offset) == near(10, 18, 23)
    assert (found[:, 2] > 0).all()


def test_an_episode_without_repeats_has_none_that_are_long() -> None:
    found = match_itself(moments(scene(1, 60.0)), MATCHING)
    assert (found[:, 3] < 4 * RATE).all()


# --- siblings ---


def told(*episodes: Evidence, n_siblings: int = 8) -> Season:
    settings = SIBLINGS.model_copy(update={"n_siblings": n_siblings})
    return season_of([moments_of(each, MATCHING) for each in episodes], MATCHING, settings)


def original() -> Part:
    return scene(50, 60.0)


COPIES = {
    "the same": original,
    "black before": lambda: joined(black(2.0), original()),
    "shifted": lambda: joined(scene(60, 2.1), cut(original(), 0, 57.9)),
    "ads within": lambda: joined(
        cut(original(), 0, 22.2), scene(61, 15.0), cut(original(), 22.2, 60)
    ),
    "a sample of 30 s": lambda: cut(original(), 20.1, 50.1),
    "cut short": lambda: cut(original(), 0, 45),
    "dubbed": lambda: dubbed(original(), 62),
    "at PAL's speed": lambda: at_speed(original(), PAL),
    "within a longer one": lambda: joined(scene(63, 50.0), original(), scene(64, 50.0)),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_no_sibling_of_its_original(copy: object) -> None:
    assert callable(copy)
    found = told(episode(original(), seed=1), episode(copy(), seed=2))
    assert found.siblings == ((), ())
    turned = told(episode(copy(), seed=2), episode(original(), seed=1))
    assert turned.siblings == ((), ())


@pytest.mark.parametrize("kinds", [["pictures"], ["sound"]])
def test_a_copy_is_told_by_one_kind_where_there_is_no_other(kinds: Sequence[str]) -> None:
    whole = original()
    copies = [
        episode(whole, seed=1, kinds=kinds),
        episode(cut(whole, 5.1, 60), seed=2, kinds=kinds),
    ]
    assert told(*copies).siblings == ((), ())


def test_episodes_with_a_long_opening_are_siblings() -> None:
    made = season(5, openings_at=(5, 12.2), opening_s=30.0, length_s=70)
    assert told(*made.episodes).siblings == ((1,), (0,))


def test_other_pictures_to_the_same_music_are_no_copy() -> None:
    """A concert, or videos with one piece of music beneath."""
    wave = music(70, 60.0)
    parts = [heard_as(scene(seed, 60.0), wave) for seed in (71, 72)]
    assert told(*(episode(part) for part in parts)).siblings == ((1,), (0,))


def test_one_still_picture_with_other_speech_is_no_copy() -> None:
    """Slides, a podcast: what stands still tells no copy."""
    slide = still(73, 60.0)
    parts = [heard_as(slide, speech(seed, 60.0)) for seed in (74, 75)]
    assert told(*(episode(part) for part in parts)).siblings == ((1,), (0,))


def test_slides_in_common_are_no_copy() -> None:
    """Each stands for 9 s, which is too short for static; what moves is each episode's own."""

    def with_slides(seed: int) -> Part:
        return joined(
            *(joined(still(200 + k, 9.0), scene(seed + k, 3.0)) for k in range(5)),
        )

    files = [episode(with_slides(seed), kinds=["pictures"]) for seed in (210, 220)]
    found = told(*files)
    assert found.match(0, 1).runs[:, 3].sum() > 40 * RATE
    assert found.siblings == ((1,), (0,))


def test_what_hardly_says_something_is_no_copy() -> None:
    """9 s that move, with black around, and none of the 10 s that are asked for."""
    short = joined(black(10.0), scene(76, 9.0), black(10.0))
    assert told(episode(short, seed=1), episode(short, seed=2)).siblings == ((1,), (0,))


def test_black_and_silent_episodes_are_no_copies() -> None:
    assert told(episode(black(30.0)), episode(black(30.0))).siblings == ((1,), (0,))


def test_each_episode_has_one_sibling_for_each_other_one() -> None:
    """Of 0 and 3 there are copies, next to the others: the nearest file stands for each."""
    made = season(5, openings_at=(5, 12.2, 8, 20), length_s=60)
    first = joined(scene(80, 30.0), scene(81, 30.0))
    files = [
        episode(first, seed=1),
        *made.episodes[:2],
        episode(joined(black(2.0), first), seed=2),
        episode(cut(first, 10, 50), seed=3),
    ]
    found = told(*files)
    assert found.siblings == ((1, 2), (0, 2), (1, 3), (1, 2), (1, 2))


def test_copies_of_copies_are_one_episode() -> None:
    """The first and the last 40 s of an episode share 20 s, and are both copies of the whole."""
    whole = original()
    parts = [cut(whole, 0, 40), cut(whole, 20, 60), whole]
    assert told(*(episode(part, seed=k) for k, part in enumerate(parts))).siblings == ((), (), ())


def test_no_more_than_the_nearest_are_looked_at() -> None:
    made = season(5, openings_at=(5, 10, 0, 15, 20, 3), opening_s=8.0, length_s=30)
    found = told(*made.episodes, n_siblings=2)
    assert found.siblings == ((1, 2), (0, 2), (1, 3), (2, 4), (3, 5), (3, 4))
    assert set(found.matches) == {(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5)}


def test_a_season_gives_a_match_as_either_episode_sees_it() -> None:
    made = season(5, openings_at=(5, 12.2), length_s=40)
    found = told(*made.episodes)
    here, over_there = found.match(0, 1).runs[0], found.match(1, 0).runs[0]
    assert here[2] == -over_there[2]
    assert (here[:2] + here[2]).tolist() == over_there[:2].tolist()


def test_a_season_of_none_or_one_has_no_siblings() -> None:
    assert told().siblings == ()
    alone = told(episode(scene(1, 10.0)))
    assert (alone.siblings, dict(alone.matches), len(alone.repeats)) == (((),), {}, 1)


def test_an_episode_of_no_kind_breaks_nothing() -> None:
    made = season(5, openings_at=(5, 12.2), length_s=40)
    found = told(made.episodes[0], Evidence({}, 0.0), made.episodes[1])
    assert found.siblings == ((1, 2), (0, 2), (0, 1))
    assert not len(found.match(0, 1).runs)

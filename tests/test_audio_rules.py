"""The published rules of sound, on points drawn at random with stretches planted in them."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from contest_cases import AUDIO_RULES
from season_cases import chroma_of, joined, samples_of, scene, theme
from skipintro.detection.episode import Episode, Interval
from skipintro.evaluation.audio_rules import (
    AudioRule,
    AudioRules,
    intervals_by_audio,
    predict_by_rule,
    shared_run,
)
from skipintro.evidence.chroma import POINT_S, Points, track_of
from skipintro.evidence.track import Evidence, Track

N = 1000  # points of an episode: 124 s
SILENT_POINT = 627964279  # what Chromaprint says of silence
PUBLISHED = AUDIO_RULES.by_name()


def rule_of(name: str = "sound_most_points", **changes: Any) -> AudioRule:
    """Return a published rule that searches the whole episode, with changes."""
    return replace(PUBLISHED[name], **{"share": 1.0, **changes})


def drawn(seed: int, n: int = N) -> Points:
    return np.random.default_rng(seed).integers(0, 1 << 32, n, dtype=np.uint32)


def planted(stretch: Points, *places: int) -> list[Points]:
    """Return episodes that are like no other but for the stretch, at a place in each."""
    episodes = []
    for seed, place in enumerate(places):
        episode = drawn(100 + seed)
        episode[place : place + len(stretch)] = stretch
        episodes.append(episode)
    return episodes


def found(episodes: list[Points], rule: AudioRule) -> list[Interval | None]:
    loud = [np.zeros(len(one), np.float32) for one in episodes]
    return intervals_by_audio(episodes, loud, rule)


def stretch_at(start: int, length: int) -> Any:
    return pytest.approx((start * POINT_S, (start + length) * POINT_S))


def flipped(stretch: Points, n_bits: int) -> Points:
    """Return points that differ in so many bits, low ones and high ones."""
    mask = sum(1 << (31 * bit // max(1, n_bits - 1)) for bit in range(n_bits))
    return stretch ^ np.uint32(mask)


BOTH = pytest.mark.parametrize("name", ["sound_most_points", "sound_longest_run"])


@BOTH
def test_a_stretch_is_found_at_its_own_place_in_each_episode(name: str) -> None:
    episodes = planted(drawn(1, 200), 50, 300, 0)
    assert found(episodes, rule_of(name)) == [stretch_at(at, 200) for at in (50, 300, 0)]


@BOTH
def test_an_episode_without_the_stretch_has_none(name: str) -> None:
    episodes = [*planted(drawn(1, 200), 50, 300), drawn(7)]
    assert found(episodes, rule_of(name)) == [stretch_at(50, 200), stretch_at(300, 200), None]


@BOTH
def test_episodes_that_share_nothing_have_none(name: str) -> None:
    assert found([drawn(1), drawn(2)], rule_of(name)) == [None, None]


@BOTH
def test_one_episode_alone_has_none(name: str) -> None:
    assert found([drawn(1)], rule_of(name)) == [None]


@BOTH
def test_no_episodes_have_no_intervals(name: str) -> None:
    assert found([], rule_of(name)) == []


@BOTH
def test_an_episode_without_points_has_none_and_hinders_no_other(name: str) -> None:
    nothing = np.zeros(0, np.uint32)
    episodes = [nothing, *planted(drawn(1, 200), 50, 300), nothing]
    assert found(episodes, rule_of(name)) == [
        None,
        stretch_at(50, 200),
        stretch_at(300, 200),
        None,
    ]


@BOTH
@pytest.mark.parametrize(("n_bits", "is_found"), [(6, True), (7, False)])
def test_points_are_alike_up_to_six_bits(name: str, n_bits: int, is_found: bool) -> None:
    stretch = drawn(1, 200)
    first, second = planted(stretch, 50, 300)
    second[301:499] = flipped(stretch[1:-1], n_bits)  # its ends are equal, and tell the offset
    run = shared_run(first, second, rule_of(name))
    assert (run is not None) == is_found
    if run is not None:
        assert (run.first, run.second, run.length) == (50, 300, 200)


@BOTH
def test_an_offset_is_told_by_values_that_differ_by_two(name: str) -> None:
    stretch = drawn(1, 200) & np.uint32(0xFFFFFFF8) | np.uint32(4)
    first, second = planted(stretch, 50, 300)
    second[300:500] += np.uint32(2)
    assert shared_run(first, second, rule_of(name)) is not None
    second[300:500] += np.uint32(1)
    assert shared_run(first, second, rule_of(name)) is None


def test_values_at_both_ends_of_the_range_are_not_near() -> None:
    first, second = np.array([0], np.uint32), np.array([0xFFFFFFFF], np.uint32)
    assert shared_run(first, second, rule_of(min_length_s=0.1, max_bits=32)) is None


@BOTH
@pytest.mark.parametrize(("n_gap", "length"), [(27, 300), (28, 150)])
def test_gaps_are_bridged_up_to_three_and_a_half_seconds(
    name: str, n_gap: int, length: int
) -> None:
    stretch = drawn(1, 300)  # 28 steps of a point are 3.47 s, 29 are 3.59 s
    first, second = planted(stretch, 50, 300)
    second[450 : 450 + n_gap] = drawn(2, n_gap)
    run = shared_run(first, second, rule_of(name))
    assert run is not None
    assert (run.first, run.length) == (50, length)


@BOTH
@pytest.mark.parametrize(
    ("length", "is_found"), [(121, False), (122, True), (969, True), (970, False)]
)
def test_a_stretch_has_15_to_120_seconds(name: str, length: int, is_found: bool) -> None:
    first, second = drawn(1), drawn(2)
    second[:length] = first[:length]
    run = shared_run(first, second, rule_of(name))
    assert (run is not None) == is_found


def test_the_short_rules_take_three_seconds() -> None:
    episodes = planted(drawn(1, 25), 50, 300)
    for name in ("sound_most_points", "sound_longest_run"):
        assert found(episodes, rule_of(name)) == [None, None]
        assert found(episodes, rule_of(f"{name}_short")) == [
            stretch_at(50, 25),
            stretch_at(300, 25),
        ]


def test_of_two_offsets_one_rule_takes_the_more_points_and_the_other_the_longer_run() -> None:
    many, long = drawn(1, 150), drawn(2, 200)
    first, second = planted(many, 50, 300)
    first[700:900] = long
    second[500:700] = flipped(long, 5)
    second[500:700:4] = long[::4]  # 50 points of it are equal, of the other one 150
    runs = [shared_run(first, second, rule_of(name)) for name in PUBLISHED][:2]
    assert [(run.first, run.length) for run in runs if run] == [(50, 150), (700, 200)]


@BOTH
def test_of_two_siblings_the_longer_stretch_wins(name: str) -> None:
    episode, one, other = drawn(1), drawn(2), drawn(3)
    one[:150] = episode[100:250]
    other[40:240] = episode[400:600]
    for episodes in ([episode, one, other], [episode, other, one]):
        assert found(episodes, rule_of(name))[0] == stretch_at(400, 200)


@BOTH
def test_of_equal_stretches_the_one_shared_with_the_earlier_sibling_wins(name: str) -> None:
    episode, one, other = drawn(1), drawn(2), drawn(3)
    one[:150] = episode[100:250]
    other[:150] = episode[400:550]
    assert found([episode, one, other], rule_of(name))[0] == stretch_at(100, 150)
    assert found([episode, other, one], rule_of(name))[0] == stretch_at(400, 150)


@BOTH
def test_the_first_quarter_alone_is_searched_and_ten_minutes_at_most(name: str) -> None:
    stretch = drawn(1, 200)
    first, second = planted(stretch, 20, 300)
    quarter = rule_of(name, share=0.25)
    assert found([first, second], quarter) == [None, None]  # the second's lies after 250 points
    longer = [np.concatenate([one, drawn(9 + k, 1000)]) for k, one in enumerate((first, second))]
    assert found(longer, quarter) == [stretch_at(20, 200), stretch_at(300, 200)]
    assert found(longer, rule_of(name, limit_s=490 * POINT_S)) == [
        stretch_at(20, 190),
        stretch_at(300, 190),
    ]


def test_a_share_is_of_the_sound_which_may_be_longer_than_its_points() -> None:
    episodes = planted(drawn(1, 200), 20, 300)
    loud = [np.zeros(4 * 500, np.float32)] * 2
    rule = rule_of(share=0.25)
    assert intervals_by_audio(episodes, loud, rule) == [stretch_at(20, 200), stretch_at(300, 200)]


@BOTH
def test_silence_throughout_is_no_opening_and_takes_no_time(name: str) -> None:
    n_hour = round(3600 / POINT_S)
    silent = [np.full(n_hour, SILENT_POINT, np.uint32)] * 4
    begun = time.perf_counter()
    assert found(silent, PUBLISHED[name]) == [None] * 4  # ten minutes of it are too long
    assert time.perf_counter() - begun < 2


@BOTH
def test_silence_in_both_does_not_hide_what_is_shared(name: str) -> None:
    first, second = planted(drawn(1, 200), 50, 300)
    first[300:400] = second[700:800] = SILENT_POINT  # 12 s, too short by itself
    assert found([first, second], rule_of(name)) == [stretch_at(50, 200), stretch_at(300, 200)]


def ends_at(
    *silences: tuple[int, int], name: str = "sound_longest_run", start: int = 80, length: int = 160
) -> tuple[int, int]:
    """Return the ends of an interval, in points, where given points of its episode are silent."""
    episodes = planted(drawn(1, length), start, start)
    level = np.full(N, -20, np.float32)
    for begin, end in silences:
        level[begin:end] = -51
    interval = intervals_by_audio(episodes, [level, np.zeros_like(level)], rule_of(name))[0]
    assert interval is not None
    ends = interval[0] / POINT_S, interval[1] / POINT_S
    assert ends == pytest.approx((round(ends[0]), round(ends[1])))
    return round(ends[0]), round(ends[1])


UNMOVED = (80, 240)


def test_ends_are_moved_to_silence() -> None:
    """It begins where one ends and ends where one begins; 0.33 s may show in two steps alone."""
    assert ends_at((70, 76), (245, 260)) == (76, 245)
    assert ends_at((80, 84), (230, 232)) == (84, 230)


def test_of_several_silences_the_nearest_counts() -> None:
    silences = ((50, 60), (65, 72), (90, 110), (218, 222), (246, 250), (270, 290))
    assert ends_at(*silences) == (72, 246)


@pytest.mark.parametrize("silence", [(245, 246), (281, 300), (20, 39), (155, 170), (0, 0)])
def test_a_short_silence_or_a_far_one_moves_nothing(silence: tuple[int, int]) -> None:
    """5 s are 40 points."""
    assert ends_at(silence) == UNMOVED


@pytest.mark.parametrize(("silence", "ends"), [((280, 300), (80, 280)), ((20, 40), (40, 240))])
def test_a_silence_within_five_seconds_moves_an_end(
    silence: tuple[int, int], ends: tuple[int, int]
) -> None:
    assert ends_at(silence) == ends


def test_silence_throughout_moves_nothing() -> None:
    assert ends_at((0, N)) == UNMOVED


def test_the_other_rule_moves_nothing() -> None:
    assert ends_at((64, 72), (250, 258), name="sound_most_points") == UNMOVED


@pytest.mark.parametrize(
    ("silences", "expected"),
    [([(80, 84), (101, 104)], (84, 101)), ([(80, 84)], (84, 105)), ([(101, 104)], (80, 101))],
)
def test_ends_of_a_short_stretch_do_not_cross(
    silences: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    """All lie within 5 s of both ends."""
    assert ends_at(*silences, name="sound_longest_run_short", length=25) == expected


@BOTH
def test_runs_are_those_of_a_slow_reference(name: str) -> None:
    rng = np.random.default_rng(5)
    rule = rule_of(name, min_length_s=1, max_length_s=6, gap_s=0.5, max_bits=14)
    for _ in range(20):
        first = rng.integers(0, 200, 90).astype(np.uint32) * np.uint32(0x01010101)
        second = rng.integers(0, 200, 120).astype(np.uint32) * np.uint32(0x01010101)
        run = shared_run(first, second, rule)
        assert (None if run is None else (run.first, run.second, run.length)) == slowly(
            first, second, rule
        )


def slowly(first: Points, second: Points, rule: AudioRule) -> tuple[int, int, int] | None:
    """Find the run by loops."""
    places, others = ({}, {})  # type: tuple[dict[int, int], dict[int, int]]
    for index, values in ((places, first), (others, second)):
        for at, value in enumerate(values.tolist()):
            index.setdefault(value, at)
    counts: dict[int, int] = {}
    for value, at in places.items():
        for near in range(value - rule.shift, value + rule.shift + 1):
            if near in others:
                counts[others[near] - at] = counts.get(others[near] - at, 0) + 1
    offsets = sorted(counts)
    if rule.offset == "most_points":
        offsets = sorted(offsets, key=lambda offset: -counts[offset])[:1]
    best: tuple[int, int, int] | None = None
    for offset in offsets:
        alike = [
            at
            for at in range(len(first))
            if 0 <= at + offset < len(second)
            and (int(first[at]) ^ int(second[at + offset])).bit_count() <= rule.max_bits
        ]
        while alike:
            n = 1
            while n < len(alike) and (alike[n] - alike[n - 1]) * POINT_S <= rule.gap_s:
                n += 1
            length = alike[n - 1] - alike[0] + 1
            is_allowed = rule.min_length_s <= length * POINT_S <= rule.max_length_s
            if is_allowed and (best is None or length > best[2]):
                best = alike[0], alike[0] + offset, length
            alike = alike[n:]
    return best


# --- settings ---


def test_two_rules_come_twice_each_with_another_least_length() -> None:
    assert {
        name: (rule.offset, rule.min_length_s, rule.silence) for name, rule in PUBLISHED.items()
    } == {
        "sound_most_points": ("most_points", 15, None),
        "sound_longest_run": ("longest_run", 15, AUDIO_RULES.silence),
        "sound_most_points_short": ("most_points", 3, None),
        "sound_longest_run_short": ("longest_run", 3, AUDIO_RULES.silence),
    }
    assert {(rule.share, rule.limit_s, rule.max_length_s) for rule in PUBLISHED.values()} == {
        (0.25, 600, 120)
    }


def test_params_file_has_the_published_numbers() -> None:
    text = (Path(__file__).resolve().parents[1] / "params.yaml").read_text(encoding="utf-8")
    given = yaml.safe_load(text)["evaluate"]["baselines"]["audio_rules"]
    assert AudioRules.model_validate(given) == AUDIO_RULES


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"min_length_s": 130}, "min_length_s 130"),
        ({"short_min_length_s": 121}, "short_min_length_s 121"),
        ({"unknown": 1}, "Extra inputs"),
        ({"max_bits": 33}, "less than or equal to 32"),
        ({"silence": {"below_db": 3, "min_length_s": 0.33, "within_s": 5}}, "below_db"),
    ],
)
def test_settings_are_checked(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        AudioRules.model_validate({**AUDIO_RULES.model_dump(), **changes})


def test_settings_stay_as_they_were_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        AUDIO_RULES.shift = 3
    with pytest.raises(ValidationError, match="frozen"):
        AUDIO_RULES.silence.within_s = 3


# --- episodes ---


def heard(id_: str, points: Points | None, series: str = "one") -> Episode:
    """Return an episode with points; None: without sound."""
    tracks: dict[str, Track] = {}
    if points is not None:
        tracks["chroma"] = track_of(points, np.zeros(len(points), np.float32))
    return Episode(id_, series, fingerprints=Evidence(tracks, N * POINT_S))


def by_rule(
    episodes: Sequence[Episode], others: Sequence[Episode] = (), name: str = "sound_most_points"
) -> list[Interval | None]:
    return predict_by_rule(episodes, others, rule_of(name))


@BOTH
def test_others_of_the_series_are_siblings_and_those_of_another_are_not(name: str) -> None:
    first, second, third = planted(drawn(1, 200), 50, 300, 0)
    episodes = [heard("a", first)]
    assert by_rule(episodes, [heard("b", second)], name) == [stretch_at(50, 200)]
    assert by_rule(episodes, [heard("b", third, series="two")], name) == [None]
    mixed = [heard("c", third, series="two"), *episodes, heard("b", second)]
    assert by_rule(mixed, [], name) == [None, stretch_at(50, 200), stretch_at(300, 200)]


@BOTH
def test_an_episode_is_no_sibling_of_itself(name: str) -> None:
    leaked = heard("a", drawn(1, 400))  # 50 s: all of it would be shared
    assert by_rule([leaked], [leaked], name) == [None]
    assert by_rule([leaked], [heard("b", drawn(1, 400))], name) == [stretch_at(0, 400)]


@BOTH
def test_an_episode_without_sound_has_none_and_hinders_no_other(name: str) -> None:
    first, second = planted(drawn(1, 200), 50, 300)
    episodes = [heard("a", first), heard("b", None), heard("c", second)]
    assert by_rule(episodes, [], name) == [stretch_at(50, 200), None, stretch_at(300, 200)]
    assert by_rule([heard("a", None)], [heard("b", None)], name) == [None]


@BOTH
def test_order_of_the_episodes_does_not_matter(name: str) -> None:
    episode, one, other = drawn(1), drawn(2), drawn(3)
    one[:150] = episode[100:250]
    other[:150] = episode[400:550]
    pool = [heard("b", one), heard("c", other)]
    for others in (pool, pool[::-1]):
        assert by_rule([heard("a", episode)], others, name) == [stretch_at(100, 150)]


def test_a_melody_that_episodes_share_is_found_by_its_points() -> None:
    """Points look ahead, so that an interval may end sooner; speech around it shares nothing."""
    opening = theme(7, 20.0)
    tracks = [
        chroma_of(samples_of(joined(scene(10 + k, before), opening, scene(20 + k, 30.0)), seed=k))
        for k, before in enumerate((5.0, 11.3))
    ]
    episodes = [
        Episode(str(k), "one", fingerprints=Evidence({"chroma": track}, 60.0))
        for k, track in enumerate(tracks)
    ]
    for name in PUBLISHED:
        found_in = by_rule(episodes, name=name)
        for interval, start_s in zip(found_in, (5, 11.3), strict=True):
            assert interval is not None
            assert interval[0] == pytest.approx(start_s, abs=2.5)
            assert interval[1] == pytest.approx(start_s + 20, abs=3)

"""The published rules of sound, on points drawn at random with stretches planted in them."""

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from skipintro.core.errors import InputError
from skipintro.detection.episode import Interval
from skipintro.evaluation.audio_rules import (
    LOUDNESS_RATE,
    PUBLISHED_RULES,
    AudioRule,
    SilenceRule,
    intervals_by_audio,
    loudness,
    shared_run,
)
from skipintro.evidence import chromaprint
from skipintro.evidence.chromaprint import POINT_S, Points, is_available, points

N = 1000  # points of an episode: 124 s
SILENT_POINT = 627964279  # what Chromaprint says of silence
RATE = 16_000


def rule_of(name: str = "sound_most_points", **changes: Any) -> AudioRule:
    """Give a published rule that searches the whole episode, with changes."""
    given = PUBLISHED_RULES[name].model_dump()
    return AudioRule.model_validate({**given, "share": 1.0, **changes})


def drawn(seed: int, n: int = N) -> Points:
    return np.random.default_rng(seed).integers(0, 1 << 32, n, dtype=np.uint32)


def planted(stretch: Points, *places: int) -> list[Points]:
    """Give episodes that are like no other but for the stretch, at a place in each."""
    episodes = []
    for seed, place in enumerate(places):
        episode = drawn(100 + seed)
        episode[place : place + len(stretch)] = stretch
        episodes.append(episode)
    return episodes


def found(episodes: list[Points], rule: AudioRule) -> list[Interval | None]:
    loud = [np.zeros(round(len(one) * POINT_S * LOUDNESS_RATE), np.float32) for one in episodes]
    return intervals_by_audio(episodes, loud, rule)


def stretch_at(start: int, length: int) -> Any:
    return pytest.approx((start * POINT_S, (start + length) * POINT_S))


def flipped(stretch: Points, n_bits: int) -> Points:
    """Give points that differ in so many bits, low ones and high ones."""
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
    runs = [shared_run(first, second, rule_of(name)) for name in PUBLISHED_RULES][:2]
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
    loud = [np.zeros(round(4 * 500.5 * POINT_S * LOUDNESS_RATE), np.float32)] * 2
    rule = rule_of(share=0.25)
    assert intervals_by_audio(episodes, loud, rule) == [stretch_at(20, 200), stretch_at(300, 200)]


@BOTH
def test_silence_throughout_is_no_opening_and_takes_no_time(name: str) -> None:
    n_hour = round(3600 / POINT_S)
    silent = [np.full(n_hour, SILENT_POINT, np.uint32)] * 4
    begun = time.perf_counter()
    assert found(silent, PUBLISHED_RULES[name]) == [None] * 4  # ten minutes of it are too long
    assert time.perf_counter() - begun < 2


@BOTH
def test_silence_in_both_does_not_hide_what_is_shared(name: str) -> None:
    first, second = planted(drawn(1, 200), 50, 300)
    first[300:400] = second[700:800] = SILENT_POINT  # 12 s, too short by itself
    assert found([first, second], rule_of(name)) == [stretch_at(50, 200), stretch_at(300, 200)]


def ends_at(*silences: tuple[float, float], name: str = "sound_longest_run") -> Interval:
    """Give the interval of an episode that is silent at given times: 10 s to 30 s by its points."""
    start, length = round(10 / POINT_S), round(20 / POINT_S)
    episodes = planted(drawn(1, length), start, start)
    curve = np.full(round(N * POINT_S * LOUDNESS_RATE), -20, np.float32)
    for start_s, end_s in silences:
        curve[round(start_s * LOUDNESS_RATE) : round(end_s * LOUDNESS_RATE)] = -51
    interval = intervals_by_audio(episodes, [curve, np.zeros_like(curve)], rule_of(name))[0]
    assert interval is not None
    return interval


UNMOVED = pytest.approx((10, 30), abs=POINT_S)


def test_ends_are_moved_to_silence() -> None:
    assert ends_at((8, 9.5), (31, 32)) == pytest.approx((9.5, 31))
    assert ends_at((10, 11), (28, 28.33)) == pytest.approx((11, 28))


def test_of_several_silences_the_nearest_counts() -> None:
    silences = ((6, 7), (8, 9), (12, 14), (27, 27.5), (31, 31.5), (34, 36))
    assert ends_at(*silences) == pytest.approx((9, 31))


@pytest.mark.parametrize("silence", [(31, 31.32), (36, 37), (2, 4), (19, 21), (0, 0)])
def test_a_short_silence_or_a_far_one_moves_nothing(silence: tuple[float, float]) -> None:
    assert ends_at(silence) == UNMOVED


def test_silence_throughout_moves_nothing() -> None:
    assert ends_at((0, N * POINT_S)) == UNMOVED


def test_the_other_rule_moves_nothing() -> None:
    assert ends_at((8, 9), (31, 32), name="sound_most_points") == UNMOVED


@pytest.mark.parametrize(
    ("silences", "expected"),
    [
        ([(10, 10.4), (12.5, 12.9)], (10.4, 12.5)),
        ([(10, 10.4)], (10.4, 13)),
        ([(12.5, 12.9)], (9.9, 12.5)),
    ],
)
def test_ends_of_a_short_stretch_do_not_cross(
    silences: list[tuple[float, float]], expected: Interval
) -> None:
    episodes = planted(drawn(1, 25), 80, 80)  # 9.9 s to 13 s: all lie within 5 s of both ends
    curve = np.zeros(round(N * POINT_S * LOUDNESS_RATE), np.float32)
    for start_s, end_s in silences:
        curve[round(start_s * LOUDNESS_RATE) : round(end_s * LOUDNESS_RATE)] = -60
    interval = intervals_by_audio(episodes, [curve] * 2, rule_of("sound_longest_run_short"))[0]
    assert interval == pytest.approx(expected, abs=0.01)


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


def test_a_rule_wants_lengths_in_order_and_no_unknown_setting() -> None:
    with pytest.raises(ValidationError, match="min_length_s 130"):
        rule_of(min_length_s=130)
    with pytest.raises(ValidationError, match="extra"):
        rule_of(unknown=1)
    with pytest.raises(ValidationError, match="frozen"):
        rule_of().shift = 3


def test_settings_of_silence_are_checked() -> None:
    with pytest.raises(ValidationError):
        SilenceRule(below_db=3, min_length_s=0.33, within_s=5)


def test_loudness_is_the_loudest_sample_of_each_hundredth() -> None:
    sound = np.zeros(RATE // 50 + 1, np.float32)
    sound[7], sound[RATE // 100] = -1, 0.1
    assert loudness(sound, RATE).tolist() == pytest.approx([0, -20, -100])
    assert loudness(np.zeros(0, np.float32), RATE).size == 0


@pytest.mark.parametrize("rate", [11_025, 50, 0])
def test_loudness_wants_a_multiple_of_a_hundred_samples_a_second(rate: int) -> None:
    with pytest.raises(ValueError, match=f"got {rate}"):
        loudness(np.zeros(10, np.float32), rate)


def test_where_the_library_is_missing_points_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromaprint, "_library", lambda: None)
    assert not is_available()
    with pytest.raises(InputError, match=r"libchromaprint is not installed; install it"):
        points(np.zeros(RATE, np.float32), RATE)


needs_library = pytest.mark.skipif(not is_available(), reason="libchromaprint is not installed")


def melody(seed: int, length_s: float) -> NDArray[np.float32]:
    """Give chords that change every half second."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(length_s * RATE))
    pitches = 220 * 2 ** (rng.integers(0, 36, (3, int(2 * length_s) + 1)) / 12)
    turns = np.cumsum(pitches[:, at * 2 // RATE] / RATE, axis=1)
    return np.asarray(np.sin(2 * np.pi * turns).mean(axis=0), np.float32)


@needs_library
def test_points_are_one_for_each_eighth_of_a_second() -> None:
    found_points = points(melody(1, 30), RATE)
    assert found_points.dtype == np.uint32
    assert len(found_points) == pytest.approx((30 - 2.7) / POINT_S, abs=2)


@needs_library
def test_sound_that_is_too_short_has_no_points() -> None:
    assert len(points(np.zeros(0, np.float32), RATE)) == 0
    assert len(points(melody(1, 2), RATE)) == 0


@needs_library
def test_silence_has_equal_points() -> None:
    assert set(points(np.zeros(10 * RATE, np.float32), RATE).tolist()) == {SILENT_POINT}


@needs_library
def test_loudness_and_rate_change_few_bits() -> None:
    sound = melody(1, 30)
    as_it_is, soft, halved = (
        points(sound, RATE),
        points(sound * np.float32(0.25), RATE),
        points(sound[::2], RATE // 2),
    )
    assert np.bitwise_count(as_it_is ^ soft).mean() < 1
    n = min(len(as_it_is), len(halved))
    assert np.bitwise_count(as_it_is[:n] ^ halved[:n]).mean() < 3


@needs_library
def test_points_take_no_rate_of_a_few_samples() -> None:
    with pytest.raises(ValueError, match="10 samples a second"):
        points(np.zeros(100, np.float32), 10)


@needs_library
def test_a_melody_that_two_sounds_share_is_found_by_its_points() -> None:
    theme = melody(1, 20)
    sounds = [
        np.concatenate([melody(2 + k, before), theme, melody(12 + k, 30)])
        for k, before in enumerate((5, 11.3))
    ]
    intervals = intervals_by_audio(
        [points(one, RATE) for one in sounds], [loudness(one, RATE) for one in sounds], rule_of()
    )
    for interval, start_s in zip(intervals, (5, 11.3), strict=True):
        assert interval is not None
        assert interval[0] == pytest.approx(start_s, abs=1)
        assert interval[1] == pytest.approx(start_s + 20, abs=3)  # points look ahead

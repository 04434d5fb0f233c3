"""Which packets must be decoded, compared with a slow way that knows the whole file."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import count, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipintro.video.sampling import (
    IrregularStreamError,
    Sample,
    n_moments_of_last,
    required_packets,
)

TICKS = 10  # a second
RATES = (1, 3, 4)  # moments a second
Frame = tuple[int, bool]  # time stamp, key frame; in the order of decoding


def samples(frames: Sequence[Frame], delay: int) -> list[Sample[int]]:
    """Number the packets, with decoding times as a muxer gives them."""
    decoded_at = sorted(pts for pts, _ in frames)
    return [
        Sample(index, pts, dts - delay, is_key, is_shown=True)
        for index, ((pts, is_key), dts) in enumerate(zip(frames, decoded_at, strict=True))
    ]


def asked(frames: Sequence[Frame], delay: int, end: int, rate: int = 1) -> dict[int, int]:
    """Return the moments that show each packet that `required_packets` yields."""
    given = required_packets(
        samples(frames, delay), lambda k: k * TICKS // rate, lambda _: -(-end * rate // TICKS)
    )
    return {sample.packet: sample.n_moments for sample in given}


def on_screen(frames: Sequence[Frame], end: int, rate: int) -> dict[int, int]:
    """Return the packets that are on screen at moments, and at how many."""
    shown: dict[int, int] = {}
    for moment in takewhile(lambda k: k * TICKS < end * rate, count()):
        begun = [(p, index) for index, (p, _) in enumerate(frames) if p * rate <= moment * TICKS]
        index = (max(begun) if begun else min((p, i) for i, (p, _) in enumerate(frames)))[1]
        shown[index] = shown.get(index, 0) + 1
    return shown


def referred(frames: Sequence[Frame], index: int) -> set[int]:
    """Return what one may need: all from its key packet on, or the key packet before it."""
    keys = [i for i, (_, is_key) in enumerate(frames[: index + 1]) if is_key]
    while len(keys) > 1 and frames[index][0] < frames[keys[-1]][0]:
        keys.pop()
    return set(range(keys[-1], index + 1))


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Frame], int, int]:
    """Frames of any rate in groups of reordered ones, with key frames that others may lead."""
    gaps = draw(st.lists(st.integers(1, 25), min_size=1, max_size=60))
    stamps = [draw(st.integers(0, 15))]
    for gap in gaps:
        stamps.append(stamps[-1] + gap)
    frames: list[Frame] = [(stamps[0], True)]
    reach, place = 0, 1
    while place < len(stamps):
        size = min(draw(st.integers(1, 4)), len(stamps) - place)
        group = stamps[place : place + size]
        is_key = draw(st.booleans())
        frames += [(group[-1], is_key), *((stamp, False) for stamp in group[:-1])]
        reach = max(reach, group[-1] - group[0])
        place += size
    return frames, reach, stamps[-1] + draw(st.integers(1, 30))


@given(streams(), st.sampled_from(RATES))
def test_every_frame_on_screen_is_asked_for_with_all_that_it_may_refer_to(
    stream: tuple[list[Frame], int, int], rate: int
) -> None:
    frames, delay, end = stream
    found = asked(frames, delay, end, rate)
    shown = on_screen(frames, end, rate)
    assert {index: n for index, n in found.items() if n} == shown
    last = max(range(len(frames)), key=lambda index: frames[index][0])
    must = set().union(*(referred(frames, index) for index in {*shown, last}))
    assert must <= set(found)


def test_what_lies_between_the_last_picture_and_the_next_key_frame_is_left_out() -> None:
    frames = [(tick, tick in {0, 15}) for tick in range(0, 30, 3)]
    assert asked(frames, 0, 30) == {0: 1, 1: 0, 2: 0, 3: 1, 5: 0, 6: 1, 7: 0, 8: 0, 9: 0}


def test_of_key_frames_alone_one_a_second_is_decoded() -> None:
    frames = [(tick, True) for tick in range(0, 50, 2)]
    assert asked(frames, 0, 50) == {0: 1, 5: 1, 10: 1, 15: 1, 20: 1, 24: 0}


def test_the_last_frame_is_decoded_though_no_second_shows_it_for_it_tells_the_length() -> None:
    assert asked([(0, True), (4, False), (10, True), (16, True)], 0, 18) == {0: 1, 2: 1, 3: 0}


def test_before_the_first_frame_the_first_frame_is_shown() -> None:
    assert asked([(14, True), (22, False)], 0, 25) == {0: 3, 1: 0}


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([(0, True), (4, False), (4, False)], id="a time stamp twice"),
        pytest.param([(5, True), (2, False)], id="a late start that another frame leads"),
        pytest.param([], id="no packet"),
    ],
)
def test_time_stamps_that_tell_nothing_beforehand_are_refused(frames: list[Frame]) -> None:
    with pytest.raises(IrregularStreamError):
        asked(frames, 5, 10)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([(0, 0), (3, 5)], id="shown before it is decoded"),
        pytest.param([(0, 0), (5, 5), (6, 5)], id="decoding times that stand still"),
    ],
)
def test_decoding_times_out_of_order_are_refused(times: list[tuple[int, int]]) -> None:
    packets = [Sample(i, pts, dts, i == 0, is_shown=True) for i, (pts, dts) in enumerate(times)]
    with pytest.raises(IrregularStreamError):
        list(required_packets(packets, lambda s: s * TICKS, lambda _: 1))


def test_a_packet_that_is_only_referred_to_is_never_on_screen() -> None:
    packets = [
        Sample(0, 0, 0, is_key=True, is_shown=True),
        Sample(1, 10, 10, is_key=False, is_shown=False),
        Sample(2, 21, 21, is_key=False, is_shown=True),
    ]
    found = required_packets(packets, lambda s: s * TICKS, lambda _: 4)
    assert {sample.packet: sample.n_moments for sample in found} == {0: 3, 1: 0, 2: 1}


def test_at_four_a_second_a_quarter_is_waited_for() -> None:
    frames = [(tick, tick in {0, 15}) for tick in range(0, 30, 3)]
    # At ticks 0, 2.5, 5 …: what appears at 6 is there at 7.5, and that at 15 at 15 and 17.5.
    assert asked(frames, 0, 30, 4) == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 1, 7: 1, 8: 1, 9: 1}


@pytest.mark.parametrize(
    ("time_ms", "until_ms", "rate", "n_moments"),
    [
        (960, 1000, 1, 1),
        (960, 1000, 4, 4),
        (1000, 1040, 1, 2),
        (1000, 1040, 4, 5),
        (1000, 1252, 4, 5),  # two milliseconds are the clock's rounding
        (1000, 1253, 4, 6),
        (1251, 1252, 4, 6),  # whoever shows it has been past 1.25 s
        (0, 1, 4, 1),
    ],
)
def test_the_last_frame_tells_how_many_moments_there_are(
    time_ms: int, until_ms: int, rate: int, n_moments: int
) -> None:
    time, until = Fraction(time_ms, 1000), Fraction(until_ms, 1000)
    assert n_moments_of_last(time, until, rate) == n_moments

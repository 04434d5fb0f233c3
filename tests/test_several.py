"""Files that hold several episodes: which they are, and their further openings.

The tests of seasons take 2 to 5 s: they draw minutes of pictures and sound.
"""

from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest

from season_cases import CONFIG, RATE, Interval, episode, scene, season, theme
from skipintro.core.files import as_json
from skipintro.detection.episode import Prediction
from skipintro.detectors import SHIPPED
from skipintro.detectors.candidates import Candidates
from skipintro.detectors.explaining import explained
from skipintro.detectors.openings import OpeningDetector, load_openings
from skipintro.detectors.pyfunc_model import IntroDetector
from skipintro.detectors.several import SeveralSettings, further_openings, n_episodes
from skipintro.episodes.naming import n_named
from skipintro.evidence.track import Evidence

SETTINGS = SeveralSettings()
OPENING = theme(9001, 12.0)
FIRST, SECOND = (6.0, 18.0), (69.0, 81.0)


@lru_cache(maxsize=1)
def shipped() -> OpeningDetector:
    return load_openings(SHIPPED)


@lru_cache(maxsize=1)
def singles() -> tuple[Evidence, ...]:
    return season(90, openings_at=(9.5, 3.0), opening=OPENING, length_s=60).episodes


def double(*, again: bool = True) -> Evidence:
    """Return two episodes of 60 s in one file, the second with or without its opening."""
    middle = [scene(9103, 9.0), OPENING] if again else [scene(9103, 21.0)]
    parts = scene(9101, 6.0), OPENING, scene(9102, 42.0), *middle, scene(9104, 39.0)
    return episode(*parts, seed=9)


def assert_near(found: tuple[Interval, ...], expected: tuple[Interval, ...]) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(np.array(found), np.array(expected), atol=1.0)


def test_both_openings_of_a_double_episode_are_found_and_one_of_each_single() -> None:
    episodes = [*singles(), double()]
    *others, last = shipped().detect(episodes)
    assert [each.further for each in others] == [(), ()]
    assert_near(last.intervals, (FIRST, SECOND))
    assert last.confidence is not None
    assert last.confidence >= shipped().config.min_confidence
    *lines, told = explained(shipped(), episodes)
    assert all("openings" not in line for line in lines)
    assert "; 2 openings: 0:00:0" in told


def test_a_long_file_whose_opening_does_not_come_back_has_one() -> None:
    *_, last = shipped().detect([*singles(), double(again=False)])
    assert_near(last.intervals, (FIRST,))


def test_where_all_are_doubles_their_names_tell() -> None:
    others = [
        episode(scene(9200 + k, 3.0), OPENING, scene(9210 + k, 50.0), OPENING, scene(9220 + k, 30))
        for k in range(2)
    ]
    files = [double(), *others]
    assert [each.further for each in shipped().detect(files)] == [(), (), ()]
    named = shipped().detect(files, names=["Show S01E01-E02", "Show S01E03-E04", "Show S01E05E06"])
    assert_near(named[0].intervals, (FIRST, SECOND))
    assert_near(named[1].intervals, ((3.0, 15.0), (65.0, 77.0)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Show S01E01-E02", 2),
        ("Show S01E01E02", 2),
        ("Show.S01E01-02.1080p.WEB", 2),
        ("Show - 1x01-1x02", 2),
        ("Show S01E03-E04-E05", 3),
        ("Show - S01E01 - The Title of 2", 1),
        ("Show.S01E04.1080p.WEB.h264-GRP", 1),
        ("[Group] Show - 07 [1080p][0000001A]", 1),
        ("Show.2024.03.02.Guest.Name", 1),
        ("02 - The Title", 1),
    ],
)
def test_a_name_says_how_many_episodes_the_file_holds(name: str, expected: int) -> None:
    assert n_episodes([100], [name], SETTINGS) == [expected]


@pytest.mark.parametrize(
    ("lengths_s", "expected"),
    [
        ([100, 100, 160], [1, 1, 2]),
        ([100, 100, 159], [1, 1, 1]),
        ([100, 100, 300, 90], [1, 1, 3, 1]),
        ([100, 200], [1, 2]),
        ([100, 210, 205, 95], [1, 2, 2, 1]),  # half of them are doubles
        ([200, 210], [1, 1]),
        ([300], [1]),
        ([0, 0], [1, 1]),
        ([], []),
    ],
)
def test_a_file_that_is_much_longer_than_its_siblings_may_hold_several(
    lengths_s: list[float], expected: list[int]
) -> None:
    assert n_episodes(lengths_s, [""] * len(lengths_s), SETTINGS) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Show S01E01-E02", 2),
        ("Show.S01E01E02.1080p.x264", 2),
        ("Show 1x01-02 - Pilot", 2),
        ("Show - 01-02", 2),
        ("Show S01E01-E03", 3),
        ("Show S01E01", 1),
        ("Show.S01E01.720p.x264", 1),
        ("Show S01E05 - 24", 1),
        ("2001", 1),
        ("", 1),
    ],
)
def test_a_name_may_number_several_episodes(name: str, expected: int) -> None:
    assert n_named(name) == expected
    assert n_episodes([100, 100], [name, ""], SETTINGS) == [expected, 1]
    by_length = expected if expected > 1 else 5
    assert n_episodes([500, 100, 100], [name, "", ""], SETTINGS) == [by_length, 1, 1]


REPEAT = (10, 22, 63, 12)  # start and stop, offset, and how much of it is alike, in s


@pytest.mark.parametrize(
    ("span", "confidence", "repeat", "told"),
    [
        ((73, 85), 0.05, REPEAT, True),
        ((73.75, 84), 0.9, REPEAT, True),
        ((73, 85), 0.005, REPEAT, False),  # too unlikely
        ((73, 88), 0.9, REPEAT, False),  # too long
        ((73, 82), 0.9, REPEAT, False),  # too short
        ((75, 87), 0.9, REPEAT, False),  # not where the first comes back
        ((73, 85), 0.9, (10, 15, 63, 5), False),  # of which too little comes back
        ((73, 85), 0.9, (10, 22, 63, 5), False),
        ((15, 27), 0.9, (10, 22, 5, 12), False),  # overlaps the first
    ],
)
def test_a_further_opening_is_as_long_as_the_first_and_comes_back(
    span: Interval, confidence: float, repeat: tuple[int, ...], told: bool
) -> None:
    found = Candidates(
        n=400,
        spans=(np.array([span, (10, 22)]) * RATE).astype(np.int64),
        features=np.zeros((2, 1)),
        group=np.zeros(2, np.int64),
        links=({},),
        repeats=np.array([repeat]) * RATE,
    )
    confidences = np.array([confidence, 0.9])
    assert further_openings(found, confidences, 1, SETTINGS, RATE) == [0] * told
    if told:  # the same, where the later one ranks best
        assert further_openings(found, confidences[::-1], 0, SETTINGS, RATE) == [1]


def test_settings_that_ship_leave_no_trace_in_a_detector_s_file_and_others_do() -> None:
    assert b"several" not in as_json(CONFIG)
    several = SETTINGS.model_copy(update={"min_length": 2.5})
    other = CONFIG.model_copy(update={"several": several})
    assert b'"min_length": 2.5' in as_json(other)
    assert other.own_sha256() != CONFIG.own_sha256()
    config = shipped().config.model_copy(update={"several": several})
    *_, last = replace(shipped(), config=config).detect([*singles(), double()])
    assert last.further == ()  # 120 s are twice 60 s


def test_the_registered_model_gives_a_row_for_each_interval() -> None:
    found = [
        Prediction((1.0, 2.0), 0.9, np.zeros(0, np.float32), further=((5.0, 6.0),)),
        Prediction(None, None, np.zeros(0, np.float32)),
    ]
    model = IntroDetector()
    model._detector = SimpleNamespace(detect=lambda _: found)
    told = model.predict(["a.mkv", "b.mkv"]).astype(object)
    rows = told.where(told.notna(), None).to_numpy().tolist()
    assert rows == [
        ["a.mkv", 1.0, 2.0, 0.9],
        ["a.mkv", 5.0, 6.0, 0.9],
        ["b.mkv", None, None, None],
    ]

"""The line that says why an episode has an interval, or none."""

import re
from pathlib import Path

from season_cases import season, small_detector
from skipintro.detectors.explaining import explained


def test_an_interval_is_told_with_its_confidence_and_the_siblings_that_have_it(
    tmp_path: Path,
) -> None:
    made = season(61, openings_at=(8.0, 20.0, 14.0), opening_s=10.0, length_s=50)
    detector = small_detector(tmp_path)
    found = detector.detect(made.episodes)
    for line, prediction in zip(explained(detector, made.episodes), found, strict=True):
        assert prediction.interval is not None
        assert f"confidence {prediction.confidence:.2f}" in line
        assert "; pictures in 2, sound in 2 of 2 siblings" in line
        assert not line.startswith("none")


def test_without_a_sibling_that_is_what_is_told(tmp_path: Path) -> None:
    made = season(61, openings_at=(8.0, 20.0), opening_s=10.0, length_s=50)
    detector = small_detector(tmp_path)
    assert explained(detector, made.episodes[:1]) == ["none: no sibling"]
    copies = [made.episodes[0]] * 3
    told = "none: no sibling, the other files show this episode, too"
    assert explained(detector, copies) == [told] * 3


def test_where_nothing_comes_back_that_is_told(tmp_path: Path) -> None:
    first = season(61, openings_at=(8.0, 20.0), opening_s=10.0, length_s=50).episodes[0]
    other = season(62, openings_at=(8.0, 20.0), opening_s=10.0, length_s=50).episodes[0]
    for line in explained(small_detector(tmp_path), [first, other]):
        assert re.match(r"none: (nothing that may be an intro|0:)", line)

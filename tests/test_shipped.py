"""The detector that comes with the package, on kinds of season that it was not fitted on."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from conftest import ROOT
from season_cases import (
    PICTURES,
    SOUND,
    Interval,
    Part,
    black,
    cut,
    dubbed,
    episode,
    joined,
    scene,
    season,
    shown_as,
    still,
    theme,
)
from skipintro.core.params import load_params
from skipintro.detectors import SHIPPED
from skipintro.detectors.openings import OpeningDetector, load_openings
from skipintro.evidence.pictures import THUMBNAIL, picture_track
from skipintro.evidence.sound import SAMPLE_RATE, band_energies, sound_track
from skipintro.evidence.track import Evidence
from skipintro.stages.fingerprint import Params as FingerprintParams
from skipintro.stages.fit import Params as FitParams

OPENING = theme(7001, 18.0)
COLD = (3.0, 7.2, 12.45, 16.7)


@lru_cache(maxsize=1)
def shipped() -> OpeningDetector:
    return load_openings(SHIPPED)


def told(episodes: Sequence[Evidence]) -> list[Interval | None]:
    return [prediction.interval for prediction in shipped().detect(episodes)]


def assert_near(
    found: Sequence[Interval | None], expected: Sequence[Interval | None], within_s: float = 1.0
) -> None:
    for interval, truth in zip(found, expected, strict=True):
        assert (interval is None) == (truth is None), (found, expected)
        if interval is not None and truth is not None:
            off = max(abs(a - b) for a, b in zip(interval, truth, strict=True))
            assert off <= within_s, (found, expected)


def episodes_of(
    *, lead: Sequence[Part] = (), after: Sequence[Part] = (), opening: Part = OPENING
) -> tuple[list[Evidence], list[Interval]]:
    """Return four episodes: a lead, a cold open, the opening, what follows it, the story."""
    episodes, truths = [], []
    for index, cold_s in enumerate(COLD):
        before = [*lead, scene(8000 + 10 * index, cold_s)]
        start_s = sum(part.length_s for part in before)
        story = scene(8001 + 10 * index, 90.0 + 5 * index)
        episodes.append(episode(*before, opening, *after, story, seed=index))
        truths.append((start_s, start_s + opening.length_s))
    return episodes, truths


def test_openings_are_found_between_full_seconds_as_well_as_on_them() -> None:
    made = season(7, openings_at=(10.2, 20.0, 25.45, 0.0), length_s=150)
    assert_near(told(made.episodes), made.openings)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_an_opening_is_found_that_comes_when_most_of_the_episode_is_over(seed: int) -> None:
    made = season(seed, openings_at=(72.0, 75.3, 69.5, 79.2), length_s=120)
    assert_near(told(made.episodes), made.openings)


@pytest.mark.parametrize("lead", ["black", "ident", "ident and black"])
def test_what_stands_at_the_beginning_of_all_is_not_taken_for_the_title_sequence(
    lead: str,
) -> None:
    parts = {
        "black": [black(2.0)],
        "ident": [theme(7100, 4.0)],
        "ident and black": [theme(7100, 4.0), black(2.0)],
    }
    episodes, truths = episodes_of(lead=parts[lead])
    assert_near(told(episodes), truths)


def test_an_opening_at_half_of_the_episode_is_found() -> None:
    made = season(9, openings_at=(60.0, 62.3, 64.6, 58.4), length_s=120)
    assert_near(told(made.episodes), made.openings)


def test_openings_that_alternate_are_found() -> None:
    one, other = theme(7201, 15.0), theme(7202, 15.0)
    episodes, truths = [], []
    for index, opening in enumerate((one, other, one, other, one, other)):
        cold_s = 6.0 + 7.3 * index
        parts = scene(7300 + 2 * index, cold_s), opening, scene(7301 + 2 * index, 120.0)
        episodes.append(episode(*parts, seed=index))
        truths.append((cold_s, cold_s + 15.0))
    assert_near(told(episodes), truths)


def test_an_opening_whose_pictures_change_is_found_by_its_music() -> None:
    episodes, truths = [], []
    for index, cold_s in enumerate(COLD):
        opening = shown_as(OPENING, scene(7400 + index, 18.0))
        parts = scene(7410 + index, cold_s), opening, scene(7420 + index, 120.0)
        episodes.append(episode(*parts, seed=index))
        truths.append((cold_s, cold_s + 18.0))
    assert_near(told(episodes), truths, within_s=1.5)


def test_one_episode_in_two_qualities_is_no_pair_of_siblings() -> None:
    whole = joined(*(scene(7500 + index, 25.0) for index in range(4)))
    assert told([episode(whole, seed=1), episode(whole, seed=2)]) == [None, None]


def test_a_sample_beside_its_episode_is_no_sibling() -> None:
    whole = joined(*(scene(7510 + index, 25.0) for index in range(4)))
    others = [episode(scene(7520 + index, 90.0), seed=index) for index in range(2)]
    sample = cut(whole, 30.0, 60.0)
    assert told([episode(whole, seed=3), *others, episode(sample, seed=4)]) == [None] * 4


def test_copies_samples_dubs_and_lectures_together_have_no_interval() -> None:
    whole = joined(*(scene(7530 + index, 20.0) for index in range(5)))
    episodes = [
        episode(whole, seed=1),
        episode(black(2.0), whole, seed=2),
        episode(cut(whole, 20.0, 60.0), seed=3),
        episode(dubbed(whole, 7560), seed=4),
        *(episode(dubbed(still(7540, 90.0), 7570 + k), seed=5 + k) for k in range(3)),
    ]
    assert told(episodes) == [None] * len(episodes)


def test_each_file_of_an_episode_has_its_interval_where_there_are_siblings() -> None:
    episodes, truths = episodes_of()
    first = joined(scene(8000, COLD[0]), OPENING, scene(8001, 90.0))
    copy = episode(black(2.0), first, seed=9)
    found = told([*episodes, copy])
    assert_near(found, [*truths, (truths[0][0] + 2, truths[0][1] + 2)])


def test_no_interval_covers_most_of_an_episode() -> None:
    made = season(11, openings_at=(1.0, 0.0, 2.0), opening_s=40.0, length_s=60.0)
    for interval in told(made.episodes):
        assert interval is None or interval[1] - interval[0] <= 0.5 * 60


@pytest.mark.parametrize(
    "part",
    [black(60.0), still(7600, 60.0), scene(7601, 1.0), scene(7601, 0.2)],
    ids=["black", "still", "one second", "a moment"],
)
def test_what_says_nothing_alone_or_among_others_is_told_nothing(part: Part) -> None:
    odd = episode(part)
    assert told([odd]) == [None]
    assert told([odd, episode(part, seed=1), episode(part, seed=2)]) == [None] * 3
    episodes, truths = episodes_of()
    assert_near(told([*episodes, odd]), [*truths, None])


def test_a_season_of_many_is_told_each_by_its_nearest_siblings() -> None:
    """Takes some seconds: of 60 episodes each is compared with its nearest ones."""
    made = season(12, openings_at=[3.0 + index % 7 for index in range(60)], length_s=40.0)
    found = told(made.episodes)
    right = sum(
        interval is not None
        and truth is not None
        and max(abs(a - b) for a, b in zip(interval, truth, strict=True)) <= 1
        for interval, truth in zip(found, made.openings, strict=True)
    )
    assert right >= 57


def test_likelier_seconds_are_those_of_the_interval() -> None:
    episodes, truths = episodes_of()
    for prediction, (start_s, end_s) in zip(shipped().detect(episodes), truths, strict=True):
        inside = prediction.probabilities[int(start_s) + 1 : int(end_s) - 1]
        assert inside.min() >= prediction.probabilities[int(end_s) + 3 :].max()
        assert prediction.confidence is not None
        assert 0 <= prediction.confidence <= 1


def test_the_curve_of_confidence_never_falls() -> None:
    shares = shipped().config.calibration_shares
    assert all(before <= after for before, after in pairwise(shares))


@pytest.mark.parametrize(
    ("what", "minutes"),
    [
        ("tone", 60),
        ("noise", 10),
        ("silence", 10),
    ],
)
def test_an_hour_of_one_tone_in_the_dark_is_no_opening(what: str, minutes: int) -> None:
    """Three such hours are matched, each against the others: three seconds."""
    n = 60 * minutes * SOUND.rate
    waves = {
        "tone": np.sin(np.arange(SAMPLE_RATE * 10) * 2 * np.pi * 440 / SAMPLE_RATE),
        "noise": np.random.default_rng(1).uniform(-1, 1, SAMPLE_RATE * 10).clip(-0.5, 0.5),
        "silence": np.zeros(SAMPLE_RATE * 10),
    }
    blocks = (waves[what].astype(np.float32) for _ in range(6 * minutes))
    dark = np.zeros((n, *THUMBNAIL), np.uint8)
    hour = Evidence(
        {
            "pictures": picture_track(dark, PICTURES),
            "sound": sound_track(band_energies(blocks, SOUND), n, SOUND),
        },
        60.0 * minutes,
    )
    assert told([hour, hour, hour]) == [None] * 3


def test_the_pipeline_records_and_matches_as_the_detector_that_it_starts_from() -> None:
    """Otherwise its features would mean something else than they did when it was fitted."""
    ours = shipped().config
    fitted = load_params(FitParams, "fit", ROOT / "params.yaml").learning()
    recorded = load_params(FingerprintParams, "fingerprint", ROOT / "params.yaml")
    assert fitted.season.matching == ours.matching
    assert fitted.season.siblings == ours.siblings
    assert fitted.season.candidates == ours.candidates
    assert fitted.min_confidence == ours.min_confidence
    assert recorded.pictures == ours.fingerprint.pictures
    assert recorded.sound == ours.fingerprint.sound
    assert fitted.start_from is not None
    assert (ROOT / fitted.start_from).samefile(SHIPPED)

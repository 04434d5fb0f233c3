"""The opening detector: fitted on small seasons, written, read, and asked about others."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file

from season_cases import (
    CANDIDATES,
    CONFIG,
    FITTING,
    KINDS,
    MATCHING,
    RATE,
    MadeSeason,
    Part,
    black,
    candidates_of,
    cut,
    episode,
    joined,
    scene,
    season,
    small_detector,
    small_fit,
    small_seasons,
    theme,
)
from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file
from skipintro.detection.episode import Interval, Prediction
from skipintro.detection.kinds import OPENINGS_CONFIG, OPENINGS_WEIGHTS
from skipintro.detection.limits import Limits
from skipintro.detectors.candidates import Candidates, names
from skipintro.detectors.consensus import CONSENSUS, with_consensus
from skipintro.detectors.fitting import (
    LabelledSeason,
    errors_of,
    fit_openings,
    fitted_detector,
    grades_of,
)
from skipintro.detectors.openings import (
    OpeningConfig,
    OpeningDetector,
    load_openings,
    required_features,
    save_openings,
)
from skipintro.evidence.track import Evidence


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a fitted detector; not to be changed."""
    found = tmp_path_factory.mktemp("openings")
    small_detector(found)
    return found


@pytest.fixture(scope="module")
def detector(folder: Path) -> OpeningDetector:
    return load_openings(folder)


def told(predictions: Sequence[Prediction]) -> list[Interval | None]:
    return [prediction.interval for prediction in predictions]


def near(opening: Interval | None) -> object:
    return None if opening is None else pytest.approx(opening, abs=0.75)


def same(first: Sequence[Prediction], second: Sequence[Prediction]) -> bool:
    return len(first) == len(second) and all(
        (a.interval, a.confidence) == (b.interval, b.confidence)
        and np.array_equal(a.probabilities, b.probabilities)
        for a, b in zip(first, second, strict=True)
    )


# --- what is found ---


@pytest.fixture(scope="module")
def made() -> MadeSeason:
    """Return a season whose openings lie between full seconds."""
    return season(1, openings_at=(10.3, 22.6, 0, 5.15), opening_s=11.4, length_s=50)


@pytest.fixture(scope="module")
def predictions(made: MadeSeason, detector: OpeningDetector) -> list[Prediction]:
    return detector.detect(made.episodes)


def test_each_opening_of_a_season_is_found(
    made: MadeSeason, predictions: list[Prediction], detector: OpeningDetector
) -> None:
    assert told(predictions) == [near(opening) for opening in made.openings]
    for prediction in predictions:
        assert prediction.confidence is not None
        assert detector.config.min_confidence <= prediction.confidence <= 1


def test_an_opening_is_found_by_pictures_alone(detector: OpeningDetector) -> None:
    mute = season(1, openings_at=(10.3, 22.6, 0, 5.15), opening_s=11.4, kinds=["pictures"])
    assert told(detector.detect(mute.episodes)) == [near(opening) for opening in mute.openings]


def test_an_opening_of_two_episodes_is_found(detector: OpeningDetector) -> None:
    pair = season(5, openings_at=(20.3, 22.6), opening_s=13.4, length_s=50)
    assert told(detector.detect(pair.episodes)) == [near(opening) for opening in pair.openings]


def test_a_season_without_an_opening_has_none(detector: OpeningDetector) -> None:
    bare = season(3, openings_at=(None,) * 4, length_s=50)
    assert told(detector.detect(bare.episodes)) == [None] * 4


def test_an_episode_that_lacks_the_opening_has_none(detector: OpeningDetector) -> None:
    lacking = season(1, openings_at=(10.3, None, 3.7, 15.15), opening_s=11.4, length_s=50)
    assert told(detector.detect(lacking.episodes)) == [near(each) for each in lacking.openings]


def test_a_copy_of_an_episode_gets_the_same_opening(detector: OpeningDetector) -> None:
    """Two copies of the first of three episodes, 2 s later the one, cut short the other."""
    opening = theme(91, 11.4)
    first = joined(scene(92, 10.3), opening, scene(93, 38.3))
    files = [
        episode(first, seed=1),
        episode(joined(black(2.0), first), seed=2),
        episode(cut(first, 0, 45), seed=3),
        episode(scene(94, 5.0), opening, scene(95, 43.6), seed=4),
        episode(scene(96, 20.5), opening, scene(97, 28.1), seed=5),
    ]
    assert told(detector.detect(files)) == [
        near(found) for found in ((10.3, 21.7), (12.3, 23.7), (10.3, 21.7), (5, 16.4), (20.5, 31.9))
    ]


def only(part: Part) -> tuple[Evidence, ...]:
    return (episode(part),)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(lambda: only(scene(1, 60.0)), id="one episode"),
        pytest.param(
            lambda: tuple(episode(scene(1, 60.0), seed=seed) for seed in range(3)), id="copies"
        ),
        pytest.param(lambda: only(black(30.0)) * 2, id="black"),
        pytest.param(lambda: (Evidence({}, 0.0), Evidence({}, 0.0)), id="no evidence"),
        pytest.param(lambda: tuple(episode() for _ in range(2)), id="no moments"),
        pytest.param(lambda: (*only(cut(scene(1, 10.0), 0, 0.25)),) * 2, id="one moment"),
    ],
)
def test_where_nothing_is_shared_there_is_no_opening(
    files: Callable[[], tuple[Evidence, ...]], detector: OpeningDetector
) -> None:
    episodes = files()
    for evidence, found in zip(episodes, detector.detect(episodes), strict=True):
        assert (found.interval, found.confidence) == (None, None)
        assert len(found.probabilities) == np.ceil(evidence.length_s)
        assert not found.probabilities.any()


def test_no_episodes_have_no_predictions(detector: OpeningDetector) -> None:
    assert detector.detect([]) == []


def test_an_empty_episode_does_not_keep_others_from_theirs(
    made: MadeSeason, detector: OpeningDetector
) -> None:
    files = [made.episodes[0], Evidence({}, 0.0), *made.episodes[1:], episode()]
    found = told(detector.detect(files))
    wanted = [made.openings[0], None, *made.openings[1:], None]
    assert found == [near(opening) for opening in wanted]


def test_seconds_of_the_opening_are_likely_and_others_are_not(
    predictions: list[Prediction],
) -> None:
    found = predictions[0]
    assert found.interval is not None
    assert found.interval[1] % 1 > 0
    assert found.probabilities.shape == (50,)
    assert found.probabilities.dtype == np.float32
    assert ((found.probabilities >= 0) & (found.probabilities <= 1)).all()
    assert found.confidence is not None
    begun = slice(int(found.interval[0]), int(np.ceil(found.interval[1])))
    np.testing.assert_allclose(found.probabilities[begun], found.confidence, rtol=1e-6)
    assert found.probabilities[30:].max() < 0.3


def test_a_second_is_as_likely_as_the_likeliest_candidate_that_holds_some_of_it(
    detector: OpeningDetector,
) -> None:
    config = detector.config.model_copy(
        update={"calibration_scores": (0.0, 1.0), "calibration_shares": (0.0, 1.0)}
    )
    found = spans((10.5, 14.25), (2, 12), (20, 21))
    told_of = replace(detector, config=config).to_prediction(
        found, np.array([0.75, 0.5, 0.25]), 100
    )
    seconds = told_of.probabilities.tolist()
    assert seconds[:22] == [0] * 2 + [0.5] * 8 + [0.75] * 5 + [0] * 5 + [0.25, 0]
    assert (told_of.interval, told_of.confidence) == ((10.5, 14.25), 0.75)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(), (10.5, 14.25)),
        (Limits(min_length_s=3.75, max_length_s=3.75), (10.5, 14.25)),
        (Limits(min_length_s=4), (2, 12)),
        (Limits(max_length_s=3), None),  # the third is unlikelier than the detector asks for
        (Limits(max_length_s=3, min_confidence=0.25), (20, 21)),
        (Limits(min_confidence=0.76), None),
        (Limits(min_length_s=11), None),
    ],
)
def test_limits_leave_out_candidates_before_the_best_is_taken(
    detector: OpeningDetector, limits: Limits, expected: Interval | None
) -> None:
    config = detector.config.model_copy(
        update={
            "calibration_scores": (0.0, 1.0),
            "calibration_shares": (0.0, 1.0),
            "min_confidence": 0.5,
        }
    )
    found, scores = spans((10.5, 14.25), (2, 12), (20, 21)), np.array([0.75, 0.5, 0.25])
    told_of = replace(detector, config=config).to_prediction(found, scores, 100, limits)
    assert told_of.interval == expected
    assert told_of.probabilities.max() == 0.75  # what is not allowed is still seen


@pytest.mark.parametrize(
    ("limits", "expected"), [(Limits(), (10.5, 15)), (Limits(min_length_s=4.5), (10, 15))]
)
def test_ends_are_means_of_allowed_candidates_that_are_as_good(
    detector: OpeningDetector, limits: Limits, expected: Interval
) -> None:
    found, scores = spans((11, 15), (10, 15), (60, 65)), np.array([0.75, 0.75, 0.75])
    assert detector.to_prediction(found, scores, 100, limits).interval == expected


def test_limits_are_of_each_episode(made: MadeSeason, detector: OpeningDetector) -> None:
    n = len(made.episodes)
    limits = [Limits(min_confidence=1.0, max_length_s=0.0), *[Limits()] * (n - 1)]
    assert told(detector.detect(made.episodes, limits=limits)) == [
        None,
        *told(detector.detect(made.episodes))[1:],
    ]


def test_an_opening_does_not_end_after_the_episode(detector: OpeningDetector) -> None:
    """The grid is told in quarters of a second; an episode may end between them."""
    last = season(1, openings_at=(38.6, 22.6, 0), opening_s=11.4, length_s=50)
    short = replace(last.episodes[0], length_s=49.9)
    found = detector.detect([short, *last.episodes[1:]])[0].interval
    assert found is not None
    assert found[1] <= 49.9
    assert found == near((38.6, 49.9))


def test_the_same_season_is_told_the_same_twice(
    made: MadeSeason, folder: Path, predictions: list[Prediction]
) -> None:
    assert same(load_openings(folder).detect(made.episodes), predictions)


def test_rather_none_is_told_than_an_unlikely_one(
    made: MadeSeason, detector: OpeningDetector
) -> None:
    """With a curve on which no score is ever right; its seconds stay to be seen."""
    config = detector.config.model_copy(
        update={"calibration_scores": (0.0, 1.0), "calibration_shares": (0.1, 0.4)}
    )
    doubtful = replace(detector, config=config).detect(made.episodes)
    assert told(doubtful) == [None] * 4
    assert {prediction.confidence for prediction in doubtful} == {None}
    assert all(0.1 < prediction.probabilities.max() <= 0.4 for prediction in doubtful)


# --- confidence ---


def test_the_fitted_confidence_never_falls_with_the_score(detector: OpeningDetector) -> None:
    scores, shares = small_fit().calibration
    assert list(scores) == sorted(scores)
    assert list(shares) == sorted(shares)
    assert len(scores) == len(shares) >= 2
    told_for = [detector.config.confidence(score) for score in np.linspace(-1, 2, 61)]
    assert told_for == sorted(told_for)
    assert 0 <= told_for[0] < 0.3
    assert 0.7 < told_for[-1] <= 1


def test_confidence_is_read_between_and_beyond_the_points() -> None:
    config = CONFIG.model_copy(
        update={"calibration_scores": (0.2, 0.6), "calibration_shares": (0.1, 0.9)}
    )
    assert config.confidence(0.4) == pytest.approx(0.5)
    assert (config.confidence(-5), config.confidence(5)) == (0.1, 0.9)


@pytest.mark.parametrize(
    "update",
    [
        {"calibration_scores": (0.0, 0.5, 1.0)},
        {"calibration_scores": (1.0, 0.0)},
        {"calibration_scores": (), "calibration_shares": ()},
        {"calibration_scores": (0.0, float("nan"))},
        {"min_confidence": 1.1},
        {"surplus": 1},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(update: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OpeningConfig.model_validate(CONFIG.model_dump() | update)


# --- fitting ---


def test_held_out_scores_rank_the_openings_first() -> None:
    n_right, n_openings = 0, 0
    for each, its_scores in zip(small_seasons(), small_fit().held_out, strict=True):
        for found, openings, scores in zip(each.candidates, each.openings, its_scores, strict=True):
            assert scores.shape == (len(found),)
            if openings:
                n_openings += 1
                n_right += errors_of(found, openings, RATE)[scores.argmax()] <= 0.75
    assert n_openings == 24
    assert n_right >= 21


def test_what_is_held_out_was_not_learned_from() -> None:
    """Features are random: whoever knows which candidate is right has seen it before."""
    rng = np.random.default_rng(0)
    plain = spans(*((3.0 * k, 3.0 * k + 20) for k in range(20)))
    right = rng.integers(0, 20, (9, 4))
    seasons = [
        LabelledSeason(
            f"show{show}",
            tuple(replace(plain, features=rng.normal(size=(20, 6))) for _ in episodes),
            tuple(((3.0 * k, 3.0 * k + 20),) for k in episodes),
        )
        for show, episodes in enumerate(right.tolist())
    ]
    fitted = fit_openings(seasons, FITTING, RATE)
    best = [[int(scores.argmax()) for scores in each] for each in fitted.held_out]
    assert (np.array(best) == right).sum() <= 9  # of 36; by chance 1 of 20
    learned = [fitted.alone.predict(found.features) for s in seasons for found in s.candidates]
    assert sum(p.argmax() == k for p, k in zip(learned, right.ravel(), strict=True)) > 18


def test_a_season_counts_as_much_as_its_weight() -> None:
    """Before any tree the mean grade is told: of a season without openings there is none."""
    few = FITTING.model_copy(update={"trees": FITTING.trees.model_copy(update={"max_iter": 2})})
    seasons = small_seasons()[:6]
    odd = replace(seasons[0], show="odd", openings=tuple(() for _ in seasons[0].openings))
    without, unheard, once, often = (
        fit_openings([*seasons, *more], few, RATE).alone.base
        for more in ([], *([replace(odd, weight=weight)] for weight in (0.0, 1.0, 50.0)))
    )
    assert unheard == pytest.approx(without)
    assert often < 0.5 * once < 0.5 * without


def test_fitting_twice_gives_the_same(tmp_path: Path, folder: Path) -> None:
    few = FITTING.model_copy(update={"trees": FITTING.trees.model_copy(update={"max_iter": 3})})
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        fitted = fit_openings(small_seasons()[:4], few, RATE)
        save_openings(tmp_path / name, fitted_detector(fitted, CONFIG))
    for file in (OPENINGS_CONFIG, OPENINGS_WEIGHTS):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_fewer_shows_than_folds_are_told() -> None:
    seasons = [replace(each, show=f"show{k % 2}") for k, each in enumerate(small_seasons())]
    with pytest.raises(InputError, match="2 shows to learn from, expected one for each of 3 folds"):
        fit_openings(seasons, FITTING, RATE)


def spans(*ends: Interval) -> Candidates:
    """Return candidates of such ends, in seconds, with nothing known of them."""
    return Candidates(
        n=400,
        spans=(np.array(ends, np.float64).reshape(-1, 2) * RATE).astype(np.int64),
        features=np.zeros((len(ends), 1)),
        group=np.zeros(len(ends), np.int64),
        links=({},),
    )


def test_an_error_is_that_of_the_worse_end_to_the_nearest_opening() -> None:
    found = spans((10, 20), (10.5, 20), (11, 18), (50, 62), (0, 90))
    errors = errors_of(found, [(10, 20), (50, 60)], RATE)
    assert errors.tolist() == [0, 0.5, 2, 2, 50]


def test_without_an_opening_all_candidates_are_worth_nothing() -> None:
    assert errors_of(spans((10, 20)), [], RATE).tolist() == [np.inf]
    assert grades_of(spans((10, 20)), [], FITTING, RATE).tolist() == [0]


def test_grades_fall_between_the_errors_that_are_graded() -> None:
    """0 s is worth 1, 0.5 s 0.8, 1 s 0.3, and 2 s nothing."""
    found = spans((10, 20), (10.25, 20), (10.5, 20), (11.5, 20), (12, 20), (30, 40))
    grades = grades_of(found, [(10, 20)], FITTING, RATE)
    assert grades == pytest.approx([1, 0.9, 0.8, 0.15, 0, 0])


# --- candidates and what siblings say of them ---


def test_candidates_hold_the_opening_and_keep_to_their_limits(made: MadeSeason) -> None:
    for found, opening in zip(candidates_of(made.episodes), made.openings, strict=True):
        assert opening is not None
        assert errors_of(found, [opening], RATE).min() <= 0.25
        length = (found.spans[:, 1] - found.spans[:, 0]) / RATE
        assert length.min() >= CANDIDATES.min_length_s
        assert length.max() <= CANDIDATES.max_share * found.n / RATE
        assert (found.spans[:, 0].min() >= 0, found.spans[:, 1].max() <= found.n) == (True, True)


def test_features_are_named_and_finite(made: MadeSeason) -> None:
    for found in candidates_of(made.episodes):
        assert found.features.shape == (len(found), len(names(KINDS)))
        assert np.isfinite(found.features).all()
        assert len(found.group) == len(found)
    assert len(set(names(KINDS))) == len(names(KINDS))


def test_candidates_of_pictures_alone_have_the_same_features() -> None:
    mute = season(1, openings_at=(10.3, 22.6), opening_s=11.4, kinds=["pictures"])
    for found in candidates_of(mute.episodes):
        assert len(found)
        column = dict(zip(names(tuple(MATCHING.alike)), found.features.T, strict=True))
        assert not column["sound_alike"].any()
        assert column["pictures_alike"].max() > 0.9


def test_what_ends_with_the_episodes_is_told_apart_from_what_stands_within() -> None:
    for credits_s, stands_within in ((8.0, False), (0.0, True)):
        parts = [theme(94, 8.0)] if stands_within else []
        episodes = [
            episode(
                *(scene(940 + k, at_s), theme(93, 6.0), scene(950 + k, 30.0)),
                *(*parts, scene(960 + k, 30.0)),
                *([theme(94, credits_s)] if credits_s else []),
                seed=k,
            )
            for k, at_s in enumerate((4.0, 9.5, 15.25))
        ]
        found = candidates_of(episodes)[0]
        column = dict(zip(names(tuple(MATCHING.alike)), found.features.T, strict=True))
        opening = errors_of(found, [(4.0, 10.0)], RATE).argmin()
        assert column["after"][opening] > 5
        assert (column["after_inside"][opening] > 5) == stands_within


def test_what_is_heard_alone_has_neither_blank_nor_still_pictures_beside_it() -> None:
    heard = season(1, openings_at=(20.3, 22.6), opening_s=11.4, kinds=["sound"])
    both = season(1, openings_at=(20.3, 22.6), opening_s=11.4)
    for few, more in zip(candidates_of(heard.episodes), candidates_of(both.episodes), strict=True):
        assert 0 < len(few) <= 2 * len(more)
        assert errors_of(few, [(20.3, 31.7), (22.6, 34.0)], RATE).min() <= 1


def test_no_candidate_is_longer_than_a_share_of_its_episode() -> None:
    """An opening of 20 s in 40 s: more than 0.4 of them."""
    long = season(1, openings_at=(4, 15), opening_s=20.0, length_s=40)
    for found, opening in zip(candidates_of(long.episodes), long.openings, strict=True):
        assert opening is not None
        assert errors_of(found, [opening], RATE).min(initial=np.inf) > 1


def agreeing() -> tuple[Candidates, Candidates]:
    """Return two episodes: moment i of the first is moment i + 80 of the second."""
    first = replace(spans((10, 20), (40, 50)), links=({1: (1.0, 80)},))
    second = replace(spans((30, 40), (5, 9)), links=({0: (1.0, -80)},))
    return first, second


def test_a_sibling_speaks_for_the_candidate_that_matches_its_own() -> None:
    pair = agreeing()
    found = with_consensus(0, pair, [np.array([0.5, 0.6]), np.array([0.9, 0.2])], RATE)
    column = dict(zip(CONSENSUS, found[:, -len(CONSENSUS) :].T.tolist(), strict=True))
    assert column["agreed"] == [0.9, 0]
    assert column["agreed_most"] == [0.9, 0]
    assert column["elsewhere"] == [0.2, 0.9]
    assert column["n_asked"] == [1, 1]
    assert column["alone"] == [0.5, 0.6]
    assert column["alone_relative"] == pytest.approx([0.5 / 0.6, 1])
    assert column["alone_rank"] == pytest.approx([np.log(2), 0])
    assert column["alone_elsewhere"] == [0.6, 0.5]
    assert (column["alone_before"], column["alone_after"]) == ([0, 0.5], [0.6, 0])
    assert column["agreed_relative"] == [1, 0]


def test_a_sibling_without_candidates_is_not_asked() -> None:
    first, _ = agreeing()
    found = with_consensus(0, [first, spans()], [np.array([0.5, 0.6]), np.zeros(0)], RATE)
    column = dict(zip(CONSENSUS, found[:, -len(CONSENSUS) :].T.tolist(), strict=True))
    assert (column["agreed"], column["n_asked"]) == ([0, 0], [0, 0])


def test_an_episode_without_candidates_has_no_rows_but_all_columns() -> None:
    first, _ = agreeing()
    found = with_consensus(1, [first, spans()], [np.array([0.5, 0.6]), np.zeros(0)], RATE)
    assert found.shape == (0, 1 + len(CONSENSUS))


# --- to files and back ---


def copied(folder: Path, target: Path) -> Path:
    for file in (OPENINGS_CONFIG, OPENINGS_WEIGHTS):
        (target / file).write_bytes((folder / file).read_bytes())
    return target


def test_the_same_detector_is_written_as_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    small_detector(tmp_path)
    for file in (OPENINGS_CONFIG, OPENINGS_WEIGHTS):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_a_detector_is_read_as_it_was_fitted(detector: OpeningDetector) -> None:
    fitted, config = small_fit(), detector.config
    assert config.features == required_features(config)
    assert (config.calibration_scores, config.calibration_shares) == fitted.calibration
    assert (config.matching, config.candidates) == (MATCHING, CANDIDATES)
    for own, read in ((fitted.alone, detector.alone), (fitted.agreed, detector.agreed)):
        assert own.base == read.base
        np.testing.assert_array_equal(own.threshold, read.threshold)
        np.testing.assert_array_equal(own.value, read.value)
        np.testing.assert_array_equal(own.feature, read.feature)


@pytest.mark.parametrize("file", [OPENINGS_CONFIG, OPENINGS_WEIGHTS])
def test_a_file_that_lacks_is_told(folder: Path, tmp_path: Path, file: str) -> None:
    copied(folder, tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(InputError, match=rf"{file}: missing"):
        load_openings(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda content: content[:-1], id="cut short"),
        pytest.param(lambda content: content[:-9] + b"\x7f" + content[-8:], id="changed"),
    ],
)
def test_weights_that_are_others_than_the_config_tells_are_refused(
    folder: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = copied(folder, tmp_path) / OPENINGS_WEIGHTS
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=rf"{OPENINGS_WEIGHTS}: its content is not that of"):
        load_openings(tmp_path)


def reconfigured(folder: Path, **changed: Any) -> None:
    """Change a config by hand, and take the hash of its content out."""
    path = folder / OPENINGS_CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": ""} | changed))


def test_a_config_that_is_not_as_it_was_made_is_refused(folder: Path, tmp_path: Path) -> None:
    path = copied(folder, tmp_path) / OPENINGS_CONFIG
    path.write_text(path.read_text().replace('"min_confidence": 0.5', '"min_confidence": 0.6'))
    with pytest.raises(InputError, match=rf"{OPENINGS_CONFIG}: not as it was made"):
        load_openings(tmp_path)
    reconfigured(tmp_path)
    assert load_openings(tmp_path).config.min_confidence == 0.6


def resealed(folder: Path) -> None:
    """Tell the config that the weights are its own."""
    reconfigured(folder, weights_sha256=sha256_of_file(folder / OPENINGS_WEIGHTS))


@pytest.mark.parametrize("content", [b"", b"weights", bytes(64), b"\xff" * 64])
def test_weights_that_are_none_are_refused(folder: Path, tmp_path: Path, content: bytes) -> None:
    (copied(folder, tmp_path) / OPENINGS_WEIGHTS).write_bytes(content)
    resealed(tmp_path)
    with pytest.raises(InputError, match=rf"{OPENINGS_WEIGHTS}: broken"):
        load_openings(tmp_path)


Arrays = dict[str, Any]


def pointing_outside(arrays: Arrays) -> None:
    arrays["alone.left"][0] = 30_000


def without_a_number(arrays: Arrays) -> None:
    arrays["agreed.value"][-1] = np.nan


def in_a_cycle(arrays: Arrays) -> None:
    arrays["agreed.left"][2] = 0


def lacking_an_array(arrays: Arrays) -> None:
    del arrays["agreed.right"]


def without_a_base(arrays: Arrays) -> None:
    arrays["alone.base"] = np.zeros(0)


def of_a_feature_that_is_none(arrays: Arrays) -> None:
    arrays["alone.feature"][0] = len(names(KINDS))


def of_a_feature_before_the_first(arrays: Arrays) -> None:
    arrays["agreed.feature"][0] = -1


@pytest.mark.parametrize(
    "damage",
    [
        pointing_outside,
        without_a_number,
        in_a_cycle,
        lacking_an_array,
        without_a_base,
        of_a_feature_that_is_none,
        of_a_feature_before_the_first,
    ],
)
def test_trees_that_are_none_are_refused(
    folder: Path, tmp_path: Path, damage: Callable[[Arrays], None]
) -> None:
    path = copied(folder, tmp_path) / OPENINGS_WEIGHTS
    arrays = {key: np.array(array) for key, array in load_file(path).items()}
    damage(arrays)
    save_file(arrays, path)
    resealed(tmp_path)
    with pytest.raises(InputError, match=rf"{OPENINGS_WEIGHTS}: "):
        load_openings(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"features": []}', b"\xff\xfe"])
def test_a_config_that_is_none_is_refused(folder: Path, tmp_path: Path, content: bytes) -> None:
    (copied(folder, tmp_path) / OPENINGS_CONFIG).write_bytes(content)
    with pytest.raises(InputError, match=rf"{OPENINGS_CONFIG}: not what this version writes"):
        load_openings(tmp_path)


def test_a_setting_that_this_version_does_not_know_is_told(folder: Path, tmp_path: Path) -> None:
    reconfigured(copied(folder, tmp_path), surplus=1)
    with pytest.raises(InputError, match=rf"{OPENINGS_CONFIG}.*surplus"):
        load_openings(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda features: features[:-1], CONSENSUS[-1], id="one lacks"),
        pytest.param(lambda features: [*features, "mood"], "mood", id="one more"),
        pytest.param(lambda features: features[::-1], "their order", id="another order"),
    ],
)
def test_features_of_another_version_are_told(
    folder: Path, tmp_path: Path, change: Callable[[list[str]], list[str]], said: str
) -> None:
    features = json.loads((copied(folder, tmp_path) / OPENINGS_CONFIG).read_text())["features"]
    reconfigured(tmp_path, features=change(features))
    with pytest.raises(InputError, match=rf"{OPENINGS_CONFIG}: features: .*{said}"):
        load_openings(tmp_path)


def test_five_hundred_files_of_one_series_are_all_answered(detector: OpeningDetector) -> None:
    """25 episodes in 20 copies each, compared with eight neighbours each: some five seconds."""
    opening = theme(7800, 7.0)
    episodes = [
        episode(scene(7900 + 2 * k, 3.0 + k % 5), opening, scene(7901 + 2 * k, 14.0), seed=k)
        for k in range(25)
    ]
    found = [prediction.interval for prediction in detector.detect(episodes * 20)]
    assert len(found) == 500
    for interval, k in zip(found, list(range(25)) * 20, strict=True):
        assert interval == pytest.approx((3.0 + k % 5, 10.0 + k % 5), abs=1.0)

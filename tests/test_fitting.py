from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import EMBEDDING, ENCODER
from series_cases import (
    CANDIDATES,
    DIMENSION,
    N_EPISODES,
    SETTINGS,
    TRAIN_SERIES,
    episodes_of,
    film,
    toy_library,
    toy_series,
)
from skipintro.detection.candidates import FEATURES, Candidates
from skipintro.detection.episode import Episode, Interval, LabelledEpisode, Prediction
from skipintro.detection.fitting import Fitted, Priors, fit, fit_priors, target
from skipintro.detection.labelled import labelled_episodes
from skipintro.detection.ranker import Prior, Ranker
from skipintro.detection.series_detector import AGREEMENT_FEATURES
from skipintro.detection.series_files import SERIES_CONFIG, SERIES_WEIGHTS, save_series
from skipintro.episodes.annotations import Annotation, Annotations, Status
from skipintro.episodes.embeddings import EmbeddedEpisode, EmbedManifest, write_vectors


@pytest.fixture(scope="module")
def library() -> list[LabelledEpisode]:
    return toy_library()


@pytest.fixture(scope="module")
def small(library: list[LabelledEpisode]) -> list[LabelledEpisode]:
    """Give three series: too few to find every opening held out, but fitted in no time."""
    return library[: 3 * N_EPISODES]


@pytest.fixture(scope="module")
def fitted_small(small: list[LabelledEpisode]) -> Fitted:
    return fit(small, CANDIDATES, SETTINGS)


@pytest.fixture(scope="module")
def fitted(library: list[LabelledEpisode]) -> Fitted:
    return fit(library, CANDIDATES, SETTINGS)


def saved(folder: Path, fitted: Fitted) -> bytes:
    """Give the bytes of a detector's files."""
    folder.mkdir(parents=True, exist_ok=True)
    save_series(folder, fitted.detector)
    return b"".join((folder / name).read_bytes() for name in (SERIES_WEIGHTS, SERIES_CONFIG))


def intervals(predictions: Sequence[Prediction]) -> list[Interval | None]:
    return [prediction.interval for prediction in predictions]


def truths(labelled: Sequence[LabelledEpisode]) -> list[Interval | None]:
    return [each.truth for each in labelled]


def relabelled(
    labelled: Sequence[LabelledEpisode], truth_of: Callable[[LabelledEpisode], Interval | None]
) -> list[LabelledEpisode]:
    return [LabelledEpisode(each.episode, truth_of(each)) for each in labelled]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_openings_of_series_not_in_train_are_found(fitted: Fitted, seed: int) -> None:
    unseen = toy_library(("epsilon", "zeta"), seed)
    assert intervals(fitted.detector.detect(episodes_of(unseen))) == truths(unseen)


def test_the_held_out_word_finds_the_openings_of_train(
    fitted: Fitted, library: list[LabelledEpisode]
) -> None:
    for told, labelled in zip(fitted.held_out, library, strict=True):
        assert (told.interval is None) == (labelled.truth is None)
        if told.interval is not None and labelled.truth is not None:
            assert np.abs(np.subtract(told.interval, labelled.truth)).max() <= 2
    assert (fitted.chosen.right, fitted.chosen.wrong) == (12, 0)
    assert fitted.chosen.utility == 12 / 16


def test_fitting_twice_gives_the_same_bytes(
    fitted_small: Fitted, small: list[LabelledEpisode], tmp_path: Path
) -> None:
    again = fit(small, CANDIDATES, SETTINGS)
    assert again.trials == fitted_small.trials
    assert saved(tmp_path / "one", again) == saved(tmp_path / "two", fitted_small)


def test_the_chosen_numbers_are_those_of_the_held_out_word(
    small: list[LabelledEpisode],
) -> None:
    """With labels that contradict each other, so that some finds are right and some are wrong."""
    settings = replace(SETTINGS, wrong_cost=0.5)
    train = relabelled(small, lambda each: None if each.episode.id == "beta-0" else each.truth)
    train[5] = LabelledEpisode(train[5].episode, (30.0, 40.0))
    fitted = fit(train, CANDIDATES, settings)
    right, wrong = 0, 0
    for prediction, labelled in zip(fitted.held_out, train, strict=True):
        if prediction.interval is None:
            continue
        errors = [9.0]
        if labelled.truth is not None:
            errors = [abs(p - t) for p, t in zip(prediction.interval, labelled.truth, strict=True)]
        right += max(errors) <= settings.near_within_s
        wrong += max(errors) > settings.near_within_s
    assert wrong > 0
    assert (fitted.chosen.right, fitted.chosen.wrong) == (right, wrong)
    assert fitted.chosen.utility == pytest.approx((right - 0.5 * wrong) / len(train))
    assert fitted.detector.config.min_confidence == fitted.chosen.min_confidence


def test_of_equally_good_bounds_the_one_where_gain_and_loss_are_even_is_chosen(
    library: list[LabelledEpisode],
) -> None:
    """Where there is nothing wrong to keep out, and nothing right below it."""
    with_intro = [each for each in library if each.truth is not None]
    fitted = fit(with_intro, CANDIDATES, SETTINGS)
    assert (fitted.chosen.right, fitted.chosen.wrong) == (12, 0)
    assert fitted.chosen.min_confidence == 0.5


def test_every_setting_is_tried_and_the_first_of_equally_good_ones_is_taken(
    small: list[LabelledEpisode],
) -> None:
    settings = replace(SETTINGS, similarities=(0.65, 0.97), regularisations=(0.02, 0.01))
    fitted = fit(small, CANDIDATES, settings)
    tried = [(trial.similarity, trial.regularisation) for trial in fitted.trials]
    assert tried == [(s, r) for s in (0.65, 0.97) for r in (0.02, 0.01)]
    assert fitted.trials[0].utility == fitted.trials[1].utility > fitted.trials[2].utility
    assert fitted.chosen == fitted.trials[0]
    assert fitted.detector.config.candidates.similarity == 0.65


def test_a_wrong_interval_that_costs_more_is_told_less(small: list[LabelledEpisode]) -> None:
    """Half of the labels are drawn at random, so that many finds are wrong."""
    rng = np.random.default_rng(9)
    starts = iter(rng.integers(0, 40, len(small)).tolist())
    train = relabelled(
        small,
        lambda each: each.truth if rng.random() < 0.5 else (float(next(starts)), 50.0),
    )
    told = []
    for cost in (0.0, 100.0):
        chosen = fit(train, CANDIDATES, replace(SETTINGS, wrong_cost=cost)).chosen
        told.append((chosen.right, chosen.wrong))
    assert told == sorted(told, reverse=True)
    assert told[0][1] > told[-1][1] == 0


def on_disk(
    folder: Path, train: Sequence[LabelledEpisode], test: Sequence[LabelledEpisode]
) -> tuple[Annotations, EmbedManifest]:
    """Write the arrays of both splits, and give what names them."""
    annotations, embedded = [], []
    for split, labelled in (("train", train), ("test", test)):
        for each in labelled:
            start_s, end_s = each.truth or (None, None)
            file = Path(split) / f"{each.episode.id}.npy"
            write_vectors(folder / file, each.episode.vectors)
            annotations.append(
                Annotation(
                    split=split,
                    id=each.episode.id,
                    series=each.episode.series,
                    raw_start_s=start_s,
                    raw_end_s=end_s,
                    start_s=start_s,
                    end_s=end_s,
                    status=Status.NO_INTRO if start_s is None else Status.AS_LABELLED,
                    reason="any",
                )
            )
            embedded.append(
                EmbeddedEpisode(
                    split=split,
                    id=each.episode.id,
                    file=file,
                    n_seconds=len(each.episode.vectors),
                    video_sha256="0" * 64,
                )
            )
    return (
        Annotations(episodes=annotations, leaked=[]),
        EmbedManifest(
            encoder=ENCODER,
            embedding=EMBEDDING,
            precision="fp32",
            episodes=embedded,
            left_out={},
            versions={},
        ),
    )


def test_the_labels_and_vectors_of_test_episodes_change_no_chosen_value(tmp_path: Path) -> None:
    """Test holds another series, a sibling of train's and an episode that is in train as well."""
    *train, sibling = toy_library(TRAIN_SERIES[:2])
    test = [*toy_series("epsilon", 700), sibling, train[0]]
    shuffled = [test[k].truth for k in np.random.default_rng(0).permutation(len(test))]
    drawn = np.random.default_rng(1)
    libraries: Mapping[str, Sequence[LabelledEpisode]] = {
        "as labelled": test,
        "permuted": [
            LabelledEpisode(each.episode, truth) for each, truth in zip(test, shuffled, strict=True)
        ],
        "replaced": relabelled(test, lambda _: (1.0, 30.0)),
        "other vectors": [
            LabelledEpisode(
                Episode(each.episode.id, each.episode.series, film(drawn, 50)), each.truth
            )
            for each in test
        ],
    }
    outcomes = []
    for name, changed in libraries.items():
        folder = tmp_path / name
        annotations, embedded = on_disk(folder, train, changed)
        read = labelled_episodes("train", annotations, embedded, folder)
        found = fit(read, CANDIDATES, SETTINGS)
        told = [(each.interval, each.confidence) for each in found.held_out]
        outcomes.append((found.chosen, found.trials, told, saved(folder / "saved", found)))
    assert all(outcome == outcomes[0] for outcome in outcomes)


@pytest.mark.parametrize(
    ("series", "truth"), [("alpha", None), ("beta", (30.0, 41.0)), ("gamma", (20.0, 25.0))]
)
def test_the_held_out_word_on_a_series_stands_on_no_label_of_it(
    fitted_small: Fitted, small: list[LabelledEpisode], series: str, truth: Interval | None
) -> None:
    """But for the bound of the confidence, which is chosen on all series together."""
    other = relabelled(small, lambda each: truth if each.episode.series == series else each.truth)
    changed = fit(other, CANDIDATES, SETTINGS)
    for each, before, after in zip(small, fitted_small.held_out, changed.held_out, strict=True):
        if each.episode.series == series:
            assert after.probabilities.tolist() == before.probabilities.tolist()


def test_the_held_out_word_is_that_of_a_detector_fitted_on_the_other_series(
    fitted_small: Fitted, small: list[LabelledEpisode]
) -> None:
    for series in TRAIN_SERIES[:3]:
        rest = [each for each in small if each.episode.series != series]
        held = [n for n, each in enumerate(small) if each.episode.series == series]
        expected = fit(rest, CANDIDATES, SETTINGS).detector.detect([small[n].episode for n in held])
        for n, prediction in zip(held, expected, strict=True):
            found = fitted_small.held_out[n].probabilities
            assert found.tolist() == prediction.probabilities.tolist()


def test_train_without_any_intro_teaches_to_tell_none(small: list[LabelledEpisode]) -> None:
    fitted = fit(relabelled(small, lambda _: None), CANDIDATES, SETTINGS)
    assert (fitted.chosen.right, fitted.chosen.wrong) == (0, 0)
    assert intervals(fitted.held_out) == [None] * len(small)
    unseen = toy_series("unseen", 701)
    found = fitted.detector.detect(episodes_of(unseen))
    assert intervals(found) == [None] * len(unseen)
    assert all(np.isfinite(each.probabilities).all() for each in found)


def test_one_series_is_enough_to_fit() -> None:
    one = toy_series("only", 702)
    fitted = fit(one, CANDIDATES, SETTINGS)
    assert len(fitted.held_out) == len(one)
    assert intervals(fitted.detector.detect(episodes_of(one))) == truths(one)


@pytest.mark.parametrize("truth", [None, (2.0, 10.0), (0.0, 30.0)])
def test_one_episode_is_enough_to_fit(truth: Interval | None) -> None:
    vectors = film(np.random.default_rng(10), 30)
    fitted = fit([LabelledEpisode(Episode("a", "a", vectors), truth)], CANDIDATES, SETTINGS)
    (found,) = fitted.detector.detect([Episode("b", "b", vectors)])
    assert found.probabilities.shape == (30,)
    assert np.isfinite(found.probabilities).all()
    assert len(fitted.held_out) == 1


def test_series_of_one_episode_each_are_enough_to_fit(small: list[LabelledEpisode]) -> None:
    lone = [
        LabelledEpisode(replace(each.episode, series=each.episode.id), each.truth) for each in small
    ]
    fitted = fit(lone, CANDIDATES, SETTINGS)
    assert len(fitted.held_out) == len(lone)
    unseen = toy_series("unseen", 703)
    found = fitted.detector.detect(episodes_of(unseen))
    assert all(np.isfinite(each.probabilities).all() for each in found)


def test_no_episodes_and_nothing_to_try_are_refused(small: list[LabelledEpisode]) -> None:
    with pytest.raises(ValueError, match="at least one labelled episode"):
        fit([], CANDIDATES, SETTINGS)
    with pytest.raises(ValueError, match="at least one similarity"):
        fit(small, CANDIDATES, replace(SETTINGS, similarities=()))


def test_known_openings_are_spread_over_each_series() -> None:
    """Each series has three episodes with an intro; the second of two is the last of these."""
    two = toy_library(TRAIN_SERIES[:2])
    for n_most, ids in ((0, ()), (1, ("0",)), (2, ("0", "2")), (9, ("0", "1", "2"))):
        settings = replace(SETTINGS, references_per_series=n_most)
        references = fit(two, CANDIDATES, settings).detector.references
        expected = [(name, f"{name}-{id_}") for name in TRAIN_SERIES[:2] for id_ in ids]
        assert [(r.series, r.id) for r in references] == expected
    lengths = [len(reference.rows) for reference in references]
    assert lengths == [int(t[1] - t[0]) for t in truths(two) if t is not None]


def candidates(*spans: tuple[int, int]) -> Candidates:
    n = len(spans)
    bounds = np.array(spans, np.int64).reshape(-1, 2)
    return Candidates(60, 0, bounds, np.zeros((n, len(FEATURES))), tuple({} for _ in spans))


TARGETS = replace(SETTINGS, right_within_s=1.0, near_within_s=4.0)


@pytest.mark.parametrize(
    ("spans", "truth", "expected"),
    [
        (((5, 15), (40, 50)), (5.4, 15.0), [1, 0, 0]),
        (((5, 15), (6, 15), (7, 15)), (5, 15), [0.5, 0.5, 0, 0]),  # right ones share it
        (((8, 15), (9, 15)), (5, 15), [1, 0, 0]),  # none is right; the nearest counts
        (((8, 15), (5, 18)), (5, 15), [0.5, 0.5, 0]),
        (((9, 15),), (5, 15), [1, 0]),
        (((10, 15),), (5, 15), [0, 1]),  # too far off: there is no right choice but none
        (((5, 15),), None, [0, 1]),
        ((), (5, 15), [1]),
        ((), None, [1]),
    ],
)
def test_what_a_ranker_is_to_choose(
    spans: tuple[tuple[int, int], ...], truth: Interval | None, expected: list[float]
) -> None:
    assert target(candidates(*spans), truth, TARGETS).tolist() == expected


def in_other_units(labelled: Sequence[LabelledEpisode]) -> list[LabelledEpisode]:
    """Give the same library by an encoder whose numbers are eight times as large, and one more."""
    return [
        LabelledEpisode(
            Episode(each.episode.id, each.episode.series, each.episode.vectors * 8 + 1), each.truth
        )
        for each in labelled
    ]


def each_prior(priors: Priors) -> tuple[Prior, Prior, Prior]:
    return priors.first, priors.agreed, priors.alone


def test_priors_do_not_depend_on_the_units_of_an_encoder(small: list[LabelledEpisode]) -> None:
    priors = fit_priors([small], CANDIDATES, SETTINGS, 0.1)
    other = fit_priors([in_other_units(small)], CANDIDATES, SETTINGS, 0.1)
    for one, two in zip(each_prior(priors), each_prior(other), strict=True):
        assert two.weights == pytest.approx(one.weights, abs=0.02)
        assert two.none == pytest.approx(one.none, abs=0.02)


def test_a_prior_of_another_library_finds_openings_that_the_labels_do_not_tell(
    small: list[LabelledEpisode],
) -> None:
    """These labels say that no episode has an intro; held to the prior, they are not believed."""
    priors = fit_priors(
        [toy_library(TRAIN_SERIES[:2], seed=4), toy_library(TRAIN_SERIES[:2], seed=5)],
        CANDIDATES,
        SETTINGS,
        0.01,
    )
    settings = replace(SETTINGS, regularisations=(1e6,))
    with_prior = fit(relabelled(small, lambda _: None), CANDIDATES, settings, priors)
    bound = with_prior.detector.config.model_copy(update={"min_confidence": 0.5})
    unseen = toy_series("unseen", 704)
    found = replace(with_prior.detector, config=bound).detect(episodes_of(unseen))
    assert intervals(found) == truths(unseen)


def test_a_fit_that_is_held_to_its_priors_keeps_their_weights(
    small: list[LabelledEpisode],
) -> None:
    priors = fit_priors([toy_library(TRAIN_SERIES[:2], seed=4)], CANDIDATES, SETTINGS, 0.01)
    held = fit(small, CANDIDATES, replace(SETTINGS, regularisations=(1e7,)), priors)
    rankers = held.detector.rankers
    kept: tuple[Ranker, ...] = (rankers.first, rankers.agreed, rankers.alone)
    for ranker, prior in zip(kept, each_prior(priors), strict=True):
        assert ranker.weights == pytest.approx(prior.weights, abs=1e-4)
        assert ranker.none == pytest.approx(prior.none, abs=1e-4)


def test_the_libraries_of_a_prior_may_differ_in_their_dimension(
    small: list[LabelledEpisode],
) -> None:
    wider = [
        LabelledEpisode(
            replace(each.episode, vectors=np.pad(each.episode.vectors, ((0, 0), (0, 3)))),
            each.truth,
        )
        for each in small
    ]
    assert wider[0].episode.vectors.shape[1] == DIMENSION + 3
    priors = fit_priors([small, wider], CANDIDATES, SETTINGS, 0.1)
    assert priors.first.weights.shape == priors.alone.weights.shape == (len(FEATURES),)
    assert priors.agreed.weights.shape == (len(FEATURES) + len(AGREEMENT_FEATURES),)


def test_a_prior_of_no_libraries_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        fit_priors([], CANDIDATES, SETTINGS, 0.1)

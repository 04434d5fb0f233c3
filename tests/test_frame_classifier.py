import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from series_cases import toy_library
from skipintro.detection.episode import Episode, Interval, LabelledEpisode
from skipintro.detection.frames import fit_frames


def labelled(*levels: float, truth: Interval | None) -> LabelledEpisode:
    """Give an episode of vectors with one number that varies and one that does not."""
    vectors = np.array([[level, 3.0] for level in levels], np.float32)
    return LabelledEpisode(Episode("any", "any", vectors), truth)


def test_the_fit_is_scikit_learn_s_on_standardised_vectors() -> None:
    train = toy_library()
    vectors = np.concatenate([each.episode.vectors for each in train]).astype(np.float64)
    labels = [
        each.truth is not None and each.truth[0] <= second < each.truth[1]
        for each in train
        for second in range(len(each.episode.vectors))
    ]
    scaler = StandardScaler().fit(vectors)
    expected = LogisticRegression(C=1 / 5, class_weight="balanced", max_iter=1000).fit(
        scaler.transform(vectors), labels
    )
    frames = fit_frames(train, 5.0)
    for each in train:
        logits = expected.decision_function(scaler.transform(each.episode.vectors))
        assert frames.logits(each.episode) == pytest.approx(logits, abs=1e-3)


def test_seconds_like_an_intro_lie_above_zero_and_film_below() -> None:
    train = [labelled(0, 0, 1, 1, 0, 0, 0, 0, truth=(2, 4))]
    logits = fit_frames(train, 0.1).logits(labelled(1, 0, 0.5, truth=None).episode)
    assert logits.shape == (3,)
    assert logits[0] > 0 > logits[1]
    assert logits[2] == pytest.approx(0, abs=1e-3)  # both classes weigh the same, so half-way


def test_more_regularisation_says_less_of_a_single_frame() -> None:
    train = [labelled(0, 0, 1, 1, 0, 0, truth=(2, 4))]
    intro = labelled(1, truth=None).episode
    said = [float(fit_frames(train, strength).logits(intro)[0]) for strength in (0.1, 1, 10, 1e6)]
    assert said == sorted(said, reverse=True)
    assert said[-1] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("truth", [None, (0.0, 4.0)])
def test_with_one_class_alone_every_logit_is_zero(truth: Interval | None) -> None:
    train = [labelled(0, 1, 2, 3, truth=truth)]
    assert fit_frames(train, 1.0).logits(labelled(5, -5, truth=None).episode).tolist() == [0, 0]


def test_vectors_that_never_vary_give_finite_logits() -> None:
    train = [labelled(1, 1, 1, truth=(0, 1))]
    assert np.isfinite(fit_frames(train, 1.0).logits(train[0].episode)).all()

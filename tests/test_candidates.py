import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from series_cases import CANDIDATES, DIMENSION, Vectors, film, laid, noisy
from skipintro.detection.candidates import (
    FEATURES,
    CandidateConfig,
    Candidates,
    Openings,
    find_candidates,
)
from skipintro.detection.similarity import unit_rows

LENGTH = 10  # of the opening, s
NO_CENTRE = np.zeros(DIMENSION, np.float32)


def find(
    episode: Vectors,
    *siblings: Vectors,
    references: tuple[Vectors, ...] = (),
    known: tuple[Vectors, ...] = (),
    logits: NDArray[np.float64] | None = None,
    **changes: float,
) -> Candidates:
    return find_candidates(
        unit_rows(episode, NO_CENTRE),
        [unit_rows(sibling, NO_CENTRE) for sibling in siblings],
        Openings(
            own=[unit_rows(opening, NO_CENTRE) for opening in known],
            others=[unit_rows(reference, NO_CENTRE) for reference in references],
        ),
        np.full(len(episode), -1.0) if logits is None else logits,
        CandidateConfig.model_validate({**CANDIDATES.model_dump(), **changes}),
    )


def spans(candidates: Candidates) -> list[tuple[int, int]]:
    return [(start, stop) for start, stop in candidates.spans.tolist()]


def evidence(candidates: Candidates, span: tuple[int, int]) -> dict[str, float]:
    row = candidates.features[spans(candidates).index(span)]
    return dict(zip(FEATURES, row.tolist(), strict=True))


class Show:
    """Episodes of 60 s around one opening of LENGTH and one closing roll of 6 s."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.opening, self.closing = film(self.rng, LENGTH), film(self.rng, 6)

    def episode(self, start: int, shown: slice = slice(None)) -> Vectors:
        opening = noisy(self.rng, self.opening[shown])
        rest = film(self.rng, 54 - start - len(opening))
        return laid(film(self.rng, start), opening, rest, noisy(self.rng, self.closing))


@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 40), min_size=3, max_size=4, unique=True),
)
def test_the_opening_is_among_the_candidates_with_exact_ends(seed: int, starts: list[int]) -> None:
    show = Show(seed)
    episode, *siblings = (show.episode(start) for start in starts)
    found = find(episode, *siblings)
    assert (starts[0], starts[0] + LENGTH) in spans(found)
    assert (found.n_seconds, found.n_siblings) == (60, len(siblings))


def test_one_sibling_is_enough_to_find_the_opening() -> None:
    show = Show(1)
    assert (7, 7 + LENGTH) in spans(find(show.episode(7), show.episode(0)))


def test_links_tell_where_each_sibling_shows_the_candidate() -> None:
    show = Show(2)
    without = show.episode(0, slice(0))
    found = find(show.episode(7), show.episode(0), without, show.episode(30))
    links = found.links[spans(found).index((7, 17))]
    assert dict(links) == {0: (0, 10), 2: (30, 40)}
    assert evidence(found, (7, 17))["support_share"] == pytest.approx(2 / 3)


def test_a_sibling_that_cuts_the_opening_short_does_not_shorten_it() -> None:
    show = Show(3)
    short = show.episode(20, slice(0, LENGTH - 3))
    assert (7, 17) in spans(find(show.episode(7), short, show.episode(0), show.episode(30)))


def test_an_episode_that_cuts_the_opening_short_has_the_short_one_as_a_candidate() -> None:
    show = Show(4)
    episode = show.episode(7, slice(2, LENGTH))
    assert (7, 15) in spans(find(episode, show.episode(0), show.episode(30)))


def test_a_closing_roll_is_told_from_an_opening_by_its_place() -> None:
    show = Show(5)
    found = find(show.episode(7), show.episode(0), show.episode(30))
    opening, closing = evidence(found, (7, 17)), evidence(found, (54, 60))
    assert (opening["support_share"], closing["support_share"]) == (1, 1)
    assert (opening["at_end"], closing["at_end"]) == (0, 1)
    assert (opening["sibling_at_end"], closing["sibling_at_end"]) == (0, 1)
    assert [opening["rest"], closing["rest"]] == pytest.approx([43 / 60, 0])
    assert (opening["first_strong"], closing["first_strong"]) == (1, 0)
    assert (opening["strong_before"], closing["strong_before"]) == (0, 1)


def test_the_evidence_of_an_opening_worked_out_by_hand() -> None:
    """All siblings show exactly the same opening, so what is inside is alike to the full."""
    rng = np.random.default_rng(6)
    opening = film(rng, LENGTH)
    episode = laid(film(rng, 7), opening, film(rng, 43))
    siblings = [laid(film(rng, start), opening, film(rng, 30 - start)) for start in (0, 4)]
    found = evidence(find(episode, *siblings), (7, 17))
    assert found["inside"] == pytest.approx(1, abs=1e-5)
    assert found["inside_least"] == pytest.approx(1, abs=1e-5)
    assert found["best_mean"] == pytest.approx(1, abs=1e-5)
    assert (found["held_first"], found["held_last"]) == (1, 1)
    assert (found["left_before"], found["left_after"]) == (1, 1)
    assert found["drop_before"] > 0.5
    assert found["drop_after"] > 0.5
    assert found["margin_mean"] > 0.5
    assert found["log_support"] == pytest.approx(np.log(3))
    assert found["log_sibling_start"] == pytest.approx(np.log1p(2))
    assert found["log_sibling_rest"] == pytest.approx(np.log1p(28))
    assert found["sibling_place"] == pytest.approx(2 / 40)
    assert (found["length"], found["place"]) == (10, 7 / 60)
    assert found["log_start"] == pytest.approx(np.log(8))
    assert found["log_length"] == pytest.approx(np.log(10))
    assert found["log_repeats"] == 0
    assert found["static"] < 0.2
    assert found["reference"] == 0


def test_a_still_picture_is_told_from_an_opening_that_moves() -> None:
    rng = np.random.default_rng(7)
    still, opening = np.repeat(film(rng, 1), LENGTH, axis=0), film(rng, LENGTH)
    episode, sibling = (
        laid(film(rng, 5), still, film(rng, 20), opening, film(rng, 20)) for _ in range(2)
    )
    found = find(episode, sibling)
    assert evidence(found, (5, 15))["static"] == pytest.approx(1, abs=1e-5)
    assert evidence(found, (5, 15))["log_sibling_repeats"] > np.log(2)
    assert evidence(found, (35, 45))["static"] < 0.2
    assert evidence(found, (35, 45))["log_sibling_repeats"] == pytest.approx(np.log(2))


def test_what_comes_back_within_the_episode_is_told() -> None:
    rng = np.random.default_rng(8)
    twice, once = film(rng, LENGTH), film(rng, LENGTH)
    sibling = laid(film(rng, 30), twice, film(rng, 5), once, film(rng, 5))
    episode = laid(twice, film(rng, 5), once, film(rng, 5), twice, film(rng, 5))
    found = find(episode, sibling)
    assert evidence(found, (0, 10))["log_repeats"] == pytest.approx(np.log(2))
    assert evidence(found, (0, 10))["repeat_margin"] == pytest.approx(0, abs=1e-5)
    assert evidence(found, (15, 25))["log_repeats"] == 0
    assert evidence(found, (15, 25))["repeat_margin"] > 0.5


def test_an_episode_alone_is_left_to_known_openings() -> None:
    show = Show(9)
    found = find(show.episode(7), references=(film(show.rng, 8), show.opening))
    assert spans(found) == [(7, 17)]
    assert evidence(found, (7, 17))["reference"] == pytest.approx(1)
    assert evidence(found, (7, 17))["support_share"] == 0
    assert found.links == ({},)


def test_part_of_a_known_opening_counts_by_its_part() -> None:
    show = Show(10)
    found = find(show.episode(7, slice(0, 6)), references=(show.opening,))
    assert evidence(found, (7, 13))["reference"] == pytest.approx(0.6)


def test_an_episode_alone_is_left_to_its_single_frames() -> None:
    logits = np.full(60, -2.0)
    logits[10:14], logits[30:36], logits[50:52] = 1.0, 3.0, 9.0  # the last is too short
    logits[9] = logits[14] = 0.0
    found = find(Show(11).episode(0), logits=logits)
    assert spans(found) == [(30, 36), (10, 14)]  # strongest first
    told = evidence(found, (30, 36))
    assert told["frames_inside"] == 3
    assert told["frames_contrast"] == 5
    assert told["frames_lift"] == pytest.approx(3 - logits.mean())


def test_without_siblings_references_and_frames_there_is_no_candidate() -> None:
    found = find(Show(12).episode(7), logits=np.zeros(60))
    assert len(found) == 0
    assert found.spans.shape == (0, 2)
    assert found.features.shape == (0, len(FEATURES))
    assert found.links == ()


@pytest.mark.parametrize("n_seconds", [0, 1, 2])
def test_an_episode_shorter_than_the_shortest_candidate_has_none(n_seconds: int) -> None:
    short = film(np.random.default_rng(13), n_seconds)
    show = Show(13)
    found = find(short, short, show.episode(3), references=(short,), logits=np.ones(n_seconds))
    assert len(found) == 0
    assert find(show.episode(3), short, references=(short,)).spans.shape == (0, 2)


@given(st.integers(0, 1000), st.integers(1, 14), st.integers(0, 10), st.integers(0, 6))
def test_candidates_lie_within_the_episode_and_within_their_lengths(
    seed: int, least: int, more: int, reach: int
) -> None:
    show = Show(seed)
    episode, *siblings = (show.episode(start) for start in (2, 0, 9))
    found = find(
        episode,
        *siblings,
        references=(show.opening,),
        logits=show.rng.normal(size=60),
        min_length_s=least,
        max_length_s=least + more,
        reach_s=reach,
    )
    lengths = found.spans[:, 1] - found.spans[:, 0]
    assert ((lengths >= least) & (lengths <= least + more)).all()
    assert ((found.spans >= 0) & (found.spans <= 60)).all()
    assert len(found) <= CANDIDATES.n_candidates
    assert len(set(spans(found))) == len(found) == len(found.links)
    assert np.isfinite(found.features).all()


def test_no_more_candidates_than_wanted_are_found_and_they_are_the_strongest() -> None:
    show = Show(14)
    episodes = [show.episode(start) for start in (7, 0, 30)]
    assert spans(find(*episodes, n_candidates=1)) == [(7, 17)]


def test_one_second_at_the_very_start_can_be_a_candidate() -> None:
    rng = np.random.default_rng(15)
    second = film(rng, 1)
    found = find(
        laid(second, film(rng, 20)), laid(film(rng, 3), second, film(rng, 9)), min_length_s=1
    )
    told = evidence(found, (0, 1))
    assert (told["held_first"], told["held_last"]) == (1, 1)
    assert (told["left_before"], told["left_after"]) == (1, 1)
    assert np.isfinite(found.features).all()


def test_pictures_that_never_change_give_finite_evidence() -> None:
    constant = np.ones((20, DIMENSION), np.float32)
    found = find(constant, constant, constant[:9], references=(constant[:5],), logits=np.ones(20))
    assert len(found) > 0
    assert np.isfinite(found.features).all()
    at_centre = np.zeros((20, DIMENSION), np.float32)  # like nothing, not even like itself
    assert len(find(at_centre, at_centre)) == 0


def test_the_order_of_the_siblings_does_not_matter() -> None:
    show = Show(16)
    episode, *siblings = (show.episode(start) for start in (7, 0, 30, 12))
    one, two = find(episode, *siblings), find(episode, *siblings[::-1])
    assert spans(one) == spans(two)
    assert one.features == pytest.approx(two.features)


@pytest.mark.parametrize(
    "changes",
    [
        {"similarity": 1},
        {"similarity": -1},
        {"similarity": float("nan")},
        {"min_length_s": 0},
        {"max_length_s": 0},
        {"reach_s": -1},
        {"lone_penalty": -0.1},
        {"n_runs": 0},
        {"n_candidates": 0},
        {"n_siblings": -1},
        {"unknown": 1},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        CandidateConfig.model_validate({**CANDIDATES.model_dump(), **changes})


def test_a_known_opening_of_the_series_speaks_for_its_match_and_against_the_rest() -> None:
    show = Show(4)
    episode, sibling = show.episode(12), show.episode(3)
    told = find(episode, sibling, known=(show.opening,))
    opening, closing = evidence(told, (12, 12 + LENGTH)), evidence(told, (54, 60))
    assert (opening["known_opening"], opening["unlike_known"]) == (1.0, 0.0)
    assert (closing["known_opening"], closing["unlike_known"]) == (0.0, 1.0)


def test_an_opening_of_another_series_says_nothing_of_known_ones() -> None:
    show = Show(4)
    told = find(show.episode(12), show.episode(3), references=(show.opening,))
    opening = evidence(told, (12, 12 + LENGTH))
    assert opening["reference"] == 1.0
    assert (opening["known_opening"], opening["unlike_known"]) == (0.0, 0.0)

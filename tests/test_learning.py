"""Priors learned from the checkouts of finished pipelines, as the stages leave them."""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import EMBEDDING, ENCODER
from contest_cases import CANDIDATES, DIMENSION, SETTINGS, drawn_series
from damage_cases import flip_bit
from skipintro import cli
from skipintro.core.errors import InputError
from skipintro.core.files import read_model, write_json, write_sums
from skipintro.detection.candidates import FEATURES
from skipintro.detection.episode import LabelledEpisode
from skipintro.detection.fitting import fit
from skipintro.detection.learning import learn_prior
from skipintro.detection.series_detector import AGREEMENT_FEATURES
from skipintro.detection.series_files import PriorFile
from skipintro.episodes.annotations import Annotation, Annotations, Status
from skipintro.episodes.embeddings import EmbeddedEpisode, EmbedManifest, write_vectors


def sha256(labelled: LabelledEpisode) -> str:
    return hashlib.sha256(labelled.episode.id.encode()).hexdigest()


def write_checkout(
    folder: Path,
    train: Sequence[LabelledEpisode],
    test: Sequence[LabelledEpisode],
    encoder: str = "any",
) -> Path:
    """Write what annotate and embed leave; an episode without a truth is labelled as such."""
    annotations, embedded = [], []
    for split, episodes in (("train", train), ("test", test)):
        for labelled in episodes:
            start_s, end_s = labelled.truth or (None, None)
            annotations.append(
                Annotation(
                    split=split,
                    id=labelled.episode.id,
                    series=labelled.episode.series,
                    raw_start_s=start_s,
                    raw_end_s=end_s,
                    start_s=start_s,
                    end_s=end_s,
                    status=Status.AS_LABELLED if labelled.truth else Status.NO_INTRO,
                    reason="any",
                )
            )
            embedded.append(
                EmbeddedEpisode(
                    split=split,
                    id=labelled.episode.id,
                    file=Path(split) / f"{labelled.episode.id}.npy",
                    n_seconds=len(labelled.episode.vectors),
                    video_sha256=sha256(labelled),
                )
            )
            write_vectors(folder / "data" / "embed" / embedded[-1].file, labelled.episode.vectors)
    identity = ENCODER.model_copy(update={"name": encoder, "dimension": DIMENSION})
    manifest = EmbedManifest(
        encoder=identity,
        embedding=EMBEDDING,
        precision="fp32",
        episodes=embedded,
        left_out={},
        versions={},
    )
    write_json(folder / "data" / "embed" / "manifest.json", manifest)
    place = folder / "data" / "annotate"
    place.mkdir(parents=True)
    write_json(place / "annotations.json", Annotations(episodes=annotations, leaked=[]))
    write_sums(place)
    write_sums(folder / "data" / "embed")
    return folder


ONE, TWO, THREE = (drawn_series(name, 3, seed=n) for n, name in enumerate(("one", "two", "three")))


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give two checkouts; an episode of the first stands in both of its splits."""
    folder = tmp_path_factory.mktemp("learning")
    return [
        write_checkout(folder / "a", ONE, [*TWO, ONE[0]], "clip"),
        write_checkout(folder / "b", THREE, [], "another"),
    ]


@pytest.fixture(scope="module")
def prior(checkouts: list[Path]) -> PriorFile:
    return learn_prior(checkouts, CANDIDATES, SETTINGS, 0.01, "two toys")


def test_a_prior_tells_what_it_was_learned_from(prior: PriorFile) -> None:
    assert prior.learned_from == "two toys"
    assert prior.encoder == "another, clip"
    assert prior.episodes == 9  # train and test; one that stands in both counts once
    assert prior.videos == sorted(sha256(labelled) for labelled in (*ONE, *TWO, *THREE))
    assert prior.regularisation == 0.01


def test_a_prior_has_a_weight_for_every_feature_by_its_name(prior: PriorFile) -> None:
    alone = {*FEATURES, "none"}
    assert {kind: set(weights) for kind, weights in prior.weights.items()} == {
        "first": alone,
        "agreed": alone | set(AGREEMENT_FEATURES),
        "alone": alone,
    }


def test_a_prior_is_the_same_after_a_trip_through_its_file(
    prior: PriorFile, tmp_path: Path
) -> None:
    write_json(tmp_path / "prior.json", prior)
    assert read_model(PriorFile, tmp_path / "prior.json") == prior


def test_nothing_is_learned_from_damaged_vectors(tmp_path: Path) -> None:
    folder = write_checkout(tmp_path / "a", ONE, [])
    flip_bit(next(folder.rglob("*.npy")), seed=1)
    with pytest.raises(InputError, match=r"\.npy: "):
        learn_prior([folder], CANDIDATES, SETTINGS, 0.01, "a toy")


@pytest.mark.parametrize("kind", ["first", "agreed", "alone"])
def test_a_prior_that_lacks_a_ranker_or_the_weight_of_none_is_refused(
    prior: PriorFile, tmp_path: Path, kind: str
) -> None:
    content = prior.model_dump(mode="json")
    del content["weights"][kind]["none"]
    write_json(tmp_path / "prior.json", content)
    with pytest.raises(InputError, match=rf"prior\.json: .*{kind}: the score of `none` is missing"):
        read_model(PriorFile, tmp_path / "prior.json")
    del content["weights"][kind]
    write_json(tmp_path / "prior.json", content)
    with pytest.raises(InputError, match="and no other"):
        read_model(PriorFile, tmp_path / "prior.json")


def test_a_feature_that_a_prior_does_not_know_weighs_nothing(prior: PriorFile) -> None:
    content = prior.model_dump(mode="json")
    del content["weights"]["first"][FEATURES[0]]
    found, whole = PriorFile.model_validate(content).priors().first, prior.priors().first
    assert found.weights[0] == 0
    assert found.weights[1:].tolist() == whole.weights[1:].tolist()


def test_learning_again_gives_the_same_prior(prior: PriorFile, checkouts: list[Path]) -> None:
    assert learn_prior(checkouts, CANDIDATES, SETTINGS, 0.01, "two toys") == prior


def test_a_fit_that_is_held_to_the_prior_finds_the_openings_of_a_new_series(
    prior: PriorFile,
) -> None:
    new = drawn_series("new", 3, seed=7)
    detector = fit(ONE, CANDIDATES, SETTINGS, prior.priors()).detector
    found = detector.detect([labelled.episode for labelled in new])
    assert [one.interval for one in found] == [labelled.truth for labelled in new]


@pytest.mark.parametrize(
    "missing",
    ["data/annotate/annotations.json", "data/embed/manifest.json", "data/embed/train/one-e2.npy"],
)
def test_a_checkout_that_lacks_its_data_is_named_with_the_remedy(
    tmp_path: Path, missing: str
) -> None:
    folder = write_checkout(tmp_path / "a", ONE, [])
    (folder / missing).unlink()
    with pytest.raises(InputError, match=rf"{folder / missing}: .*`dvc repro`"):
        learn_prior([folder], CANDIDATES, SETTINGS, 0.01, "a toy")


def test_a_checkout_without_a_labelled_episode_is_refused(tmp_path: Path) -> None:
    folder = write_checkout(tmp_path / "empty", [], [])
    with pytest.raises(InputError, match="empty: no labelled episode; run `dvc repro"):
        learn_prior([folder], CANDIDATES, SETTINGS, 0.01, "nothing")


def test_the_command_writes_the_prior_and_says_from_how_much(
    checkouts: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "learned.json"
    words = [*map(str, checkouts), "--learned-from", "two toys", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["skipintro", "prior", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    assert f"{out}: learned from 9 episodes of 2 libraries" in capsys.readouterr().out
    written = read_model(PriorFile, out)
    assert (written.learned_from, written.episodes) == ("two toys", 9)
    assert json.loads(out.read_text(encoding="utf-8"))["weights"].keys() == written.weights.keys()

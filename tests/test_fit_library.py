"""What the labelled episodes of a library teach the opening detector."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from contest_cases import drawn_series
from season_cases import CONFIG, FINGERPRINT, LEARNING, small_detector
from skipintro.core.errors import InputError
from skipintro.core.files import write_json, write_sums
from skipintro.core.layout import ANNOTATIONS, FINGERPRINTED
from skipintro.detection.episode import LabelledEpisode
from skipintro.detectors.fit_library import (
    learn,
    learn_from_checkouts,
    series_of,
)
from skipintro.episodes.annotations import Annotation, Annotations, Status
from skipintro.evidence.manifest import FingerprintedEpisode, FingerprintManifest
from skipintro.evidence.recording import to_bytes

FROM_LABELS = LEARNING.model_copy(
    update={"further_trees": (0, 5), "chance_episodes": 2, "min_confidence": 0.4}
)
EPISODES = [
    labelled
    for seed, name in enumerate(("one", "two", "three"), 1)
    for labelled in drawn_series(name, 3, seed=seed)
]


def test_series_keep_together_in_the_order_of_their_episodes() -> None:
    series = series_of(EPISODES[::-1])
    assert sorted(series) == ["one", "three", "two"]
    assert [one.episode.id for one in series["two"]] == ["two-e1", "two-e2", "two-e3"]


def test_from_labels_alone_all_trees_are_the_librarys_own() -> None:
    learned = learn(EPISODES, FINGERPRINT, FROM_LABELS)
    config = learned.detector.config
    assert (learned.start_learned_from, learned.chosen, learned.trials) == ("", None, ())
    assert config.learned_from == "9 episodes of 3 series"
    assert (config.min_confidence, config.fingerprint) == (0.4, FINGERPRINT)
    assert [labelled.episode.id for labelled, _ in learned.held_out] == [
        f"{series}-e{number}" for series in ("one", "three", "two") for number in (1, 2, 3)
    ]


def test_from_a_start_its_confidence_stays_and_the_librarys_settings_count(
    tmp_path: Path,
) -> None:
    start = small_detector(tmp_path)
    settings = FROM_LABELS.model_copy(update={"start_from": tmp_path})
    learned = learn(EPISODES, FINGERPRINT, settings)
    config = learned.detector.config
    assert learned.start_learned_from == start.config.learned_from
    assert config.calibration_scores == start.config.calibration_scores
    assert config.features == start.config.features
    assert config.min_confidence == 0.4
    assert learned.chosen in learned.trials
    assert len(learned.held_out) == len(EPISODES)
    found = {one.episode.id: told.interval for one, told in learned.held_out}
    near = [
        found[one.episode.id] == pytest.approx(one.truth, abs=1)
        for one in EPISODES
        if found[one.episode.id] is not None
    ]
    assert sum(near) >= 6


def test_a_start_that_goes_by_other_evidence_is_refused_with_the_remedy(tmp_path: Path) -> None:
    small_detector(tmp_path)
    heard = CONFIG.matching.model_copy(update={"alike": {"sound": 0.5}})
    settings = FROM_LABELS.model_copy(
        update={
            "start_from": tmp_path,
            "season": LEARNING.season.model_copy(update={"matching": heard}),
        }
    )
    with pytest.raises(InputError, match=r"fit\.matching\.alike names sound; correct it, or set"):
        learn(EPISODES, FINGERPRINT, settings)


def test_where_no_opening_comes_back_that_is_said() -> None:
    alone = [episode for series in series_of(EPISODES).values() for episode in series[:1]]
    with pytest.raises(InputError, match=r"nothing to learn from: .*fit\.use_start: true"):
        learn(alone, FINGERPRINT, FROM_LABELS)


def test_fewer_series_than_folds_are_told() -> None:
    with pytest.raises(InputError, match="1 shows to learn from, expected one for each of 2 folds"):
        learn(EPISODES[:3], FINGERPRINT, FROM_LABELS)


def write_checkout(folder: Path, episodes: Sequence[LabelledEpisode], **changes: object) -> Path:
    """Write what the annotate and the fingerprint stage leave."""
    rows, files = [], []
    for one in episodes:
        start_s, end_s = one.truth or (None, None)
        rows.append(
            Annotation(
                split="train",
                id=one.episode.id,
                series=one.episode.series,
                raw_start_s=start_s,
                raw_end_s=end_s,
                start_s=start_s,
                end_s=end_s,
                status=Status.AS_LABELLED,
                reason="any",
            )
        )
        file = Path("train") / f"{one.episode.id}.npz"
        (folder / FINGERPRINTED / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / FINGERPRINTED / file).write_bytes(to_bytes(one.episode.fingerprints))
        files.append(
            FingerprintedEpisode(
                split="train",
                id=one.episode.id,
                file=file,
                length_s=one.episode.fingerprints.length_s,
                video_sha256="0" * 64,
            )
        )
    (folder / ANNOTATIONS).parent.mkdir(parents=True)
    write_json(folder / ANNOTATIONS, Annotations(episodes=rows, leaked=[]))
    manifest = FingerprintManifest(
        fingerprint=FINGERPRINT.model_copy(update=changes),
        episodes=files,
        left_out={},
        arithmetic="portable",
        versions={},
    )
    write_json(folder / FINGERPRINTED / "manifest.json", manifest)
    write_sums(folder / ANNOTATIONS.parent)
    write_sums(folder / FINGERPRINTED)
    return folder


def test_a_start_is_learned_from_several_checkouts_and_their_series_stay_apart(
    tmp_path: Path,
) -> None:
    first = write_checkout(tmp_path / "first", EPISODES[:6])
    second = write_checkout(tmp_path / "second", drawn_series("one", 3, seed=7))
    detector, n_episodes = learn_from_checkouts([first, second], FROM_LABELS, "two libraries")
    assert n_episodes == 9
    assert detector.config.learned_from == "two libraries"


def test_checkouts_without_labels_or_with_other_fingerprints_are_named(tmp_path: Path) -> None:
    first = write_checkout(tmp_path / "first", EPISODES[:6])
    empty = write_checkout(tmp_path / "empty", [])
    other = write_checkout(
        tmp_path / "other",
        EPISODES[6:],
        pictures=FINGERPRINT.pictures.model_copy(update={"border": 3.0}),
    )
    for checkouts, told in (
        ([first, empty], r"empty.*no labelled episode"),
        ([first, other], r"other.*made with other settings"),
        ([tmp_path / "gone"], r"gone.*missing"),
    ):
        with pytest.raises(InputError, match=told):
            learn_from_checkouts(checkouts, FROM_LABELS, "any")

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import EMBEDDING, ENCODER
from season_cases import FINGERPRINT
from skipintro.core.errors import InputError
from skipintro.core.layout import EMBEDDED, FINGERPRINTED
from skipintro.detection.dataset import LabelledData
from skipintro.episodes.annotations import Annotation, Annotations, Status
from skipintro.episodes.embeddings import EmbeddedEpisode, EmbedManifest, write_vectors
from skipintro.evidence.manifest import FingerprintedEpisode, FingerprintManifest
from skipintro.evidence.recording import to_bytes
from skipintro.evidence.track import Evidence, Track


def annotation(split: str, id_: str, status: Status, *times: float) -> Annotation:
    start_s, end_s = times or (None, None)
    return Annotation(
        split=split,
        id=id_,
        series="show",
        raw_start_s=None,
        raw_end_s=None,
        start_s=start_s,
        end_s=end_s,
        status=status,
        reason="any",
    )


class Made:
    """A checkout with what the embed and the fingerprint stage leave."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._embedded: list[EmbeddedEpisode] = []
        self._fingerprinted: list[FingerprintedEpisode] = []

    def add(self, split: str, id_: str, n_seconds: int) -> "Made":
        """Write arrays whose numbers are all the episode's number of seconds."""
        file = Path(split) / f"{id_}.npy"
        write_vectors(self._folder / EMBEDDED / file, np.full((n_seconds, 2), n_seconds, "f4"))
        known: dict[str, Any] = {"split": split, "id": id_, "video_sha256": "0" * 64}
        self._embedded.append(EmbeddedEpisode(file=file, n_seconds=n_seconds, **known))
        curve = np.zeros(n_seconds, np.float32)
        track = Track(1.0, np.ones((n_seconds, 1), np.float32), curve, curve)
        file = file.with_suffix(".npz")
        (self._folder / FINGERPRINTED / split).mkdir(parents=True, exist_ok=True)
        content = to_bytes(Evidence({"pictures": track}, float(n_seconds)))
        (self._folder / FINGERPRINTED / file).write_bytes(content)
        self._fingerprinted.append(
            FingerprintedEpisode(file=file, length_s=float(n_seconds), **known)
        )
        return self

    def data(self, annotations: Annotations) -> LabelledData:
        embedded = EmbedManifest(
            encoder=ENCODER,
            embedding=EMBEDDING,
            precision="fp32",
            episodes=self._embedded,
            left_out={},
            arithmetic="portable",
            versions={},
        )
        fingerprinted = FingerprintManifest(
            fingerprint=FINGERPRINT,
            episodes=self._fingerprinted,
            left_out={},
            arithmetic="portable",
            versions={},
        )
        return LabelledData(self._folder, annotations, embedded, fingerprinted)


def test_episodes_come_in_the_labels_order_with_their_truth(tmp_path: Path) -> None:
    annotations = Annotations(
        episodes=[
            annotation("train", "late", Status.AS_LABELLED, 1.5, 4),
            annotation("train", "early", Status.NO_INTRO),
        ],
        leaked=[],
    )
    made = Made(tmp_path).add("train", "early", 3).add("train", "late", 5)
    late, early = made.data(annotations).episodes("train")
    assert (late.episode.id, late.episode.series, late.truth) == ("late", "show", (1.5, 4))
    assert (early.episode.id, early.truth) == ("early", None)
    assert late.episode.vectors.tolist() == [[5, 5]] * 5
    assert late.episode.fingerprints.length_s == 5
    assert early.episode.vectors.dtype == np.float32


def test_unusable_labels_and_videos_that_were_left_out_are_no_labelled_episodes(
    tmp_path: Path,
) -> None:
    annotations = Annotations(
        episodes=[
            annotation("train", "unusable", Status.UNUSABLE),
            annotation("train", "damaged", Status.AS_LABELLED, 0, 1),
            annotation("train", "good", Status.SHIFTED, 0, 1),
        ],
        leaked=[],
    )
    made = Made(tmp_path).add("train", "unusable", 3).add("train", "good", 3)
    found = made.data(annotations).episodes("train")
    assert [each.episode.id for each in found] == ["good"]


def test_an_episode_of_both_splits_has_the_label_and_the_vectors_of_the_split_asked(
    tmp_path: Path,
) -> None:
    annotations = Annotations(
        episodes=[
            annotation("train", "leaked", Status.AS_LABELLED, 0, 1),
            annotation("test", "leaked", Status.AS_LABELLED, 2, 3),
        ],
        leaked=["leaked"],
    )
    made = Made(tmp_path).add("train", "leaked", 4).add("test", "leaked", 5).data(annotations)
    for split, truth, n_seconds in (("train", (0, 1), 4), ("test", (2, 3), 5)):
        (found,) = made.episodes(split)
        assert (found.truth, len(found.episode.vectors)) == (truth, n_seconds)
        assert found.episode.fingerprints.length_s == n_seconds
    assert made.episodes("other") == []
    assert [each.truth for each in made.every_episode()] == [(2, 3)]  # one an id


@pytest.mark.parametrize("file", [EMBEDDED / "train/gone.npy", FINGERPRINTED / "train/gone.npz"])
def test_an_array_that_is_gone_is_named(tmp_path: Path, file: Path) -> None:
    annotations = Annotations(episodes=[annotation("train", "gone", Status.NO_INTRO)], leaked=[])
    made = Made(tmp_path).add("train", "gone", 3).data(annotations)
    (tmp_path / file).unlink()
    with pytest.raises(InputError, match=rf"{file.name}"):
        made.episodes("train")

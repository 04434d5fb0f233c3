from pathlib import Path

import numpy as np
import pytest

from conftest import EMBEDDING, ENCODER
from skipintro.core.errors import InputError
from skipintro.detection.labelled import labelled_episodes
from skipintro.episodes.annotations import Annotation, Annotations, Status
from skipintro.episodes.embeddings import EmbeddedEpisode, EmbedManifest, write_vectors


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


def embedded(folder: Path, split: str, id_: str, n_seconds: int) -> EmbeddedEpisode:
    """Write an array whose numbers are all its number of seconds."""
    file = Path(split) / f"{id_}.npy"
    write_vectors(folder / file, np.full((n_seconds, 2), n_seconds, np.float32))
    return EmbeddedEpisode(
        split=split, id=id_, file=file, n_seconds=n_seconds, video_sha256="0" * 64
    )


def manifest(*episodes: EmbeddedEpisode) -> EmbedManifest:
    return EmbedManifest(
        encoder=ENCODER,
        embedding=EMBEDDING,
        precision="fp32",
        episodes=list(episodes),
        left_out={},
        versions={},
    )


def test_episodes_come_in_the_labels_order_with_their_truth(tmp_path: Path) -> None:
    annotations = Annotations(
        episodes=[
            annotation("train", "late", Status.AS_LABELLED, 1.5, 4),
            annotation("train", "early", Status.NO_INTRO),
        ],
        leaked=[],
    )
    made = manifest(embedded(tmp_path, "train", "early", 3), embedded(tmp_path, "train", "late", 5))
    late, early = labelled_episodes("train", annotations, made, tmp_path)
    assert (late.episode.id, late.episode.series, late.truth) == ("late", "show", (1.5, 4))
    assert (early.episode.id, early.truth) == ("early", None)
    assert late.episode.vectors.tolist() == [[5, 5]] * 5
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
    made = manifest(
        embedded(tmp_path, "train", "unusable", 3), embedded(tmp_path, "train", "good", 3)
    )
    found = labelled_episodes("train", annotations, made, tmp_path)
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
    made = manifest(
        embedded(tmp_path, "train", "leaked", 4), embedded(tmp_path, "test", "leaked", 5)
    )
    for split, truth, n_seconds in (("train", (0, 1), 4), ("test", (2, 3), 5)):
        (found,) = labelled_episodes(split, annotations, made, tmp_path)
        assert (found.truth, len(found.episode.vectors)) == (truth, n_seconds)
    assert labelled_episodes("other", annotations, made, tmp_path) == []


def test_an_array_that_is_gone_is_named(tmp_path: Path) -> None:
    annotations = Annotations(episodes=[annotation("train", "gone", Status.NO_INTRO)], leaked=[])
    made = manifest(embedded(tmp_path, "train", "gone", 3))
    (tmp_path / "train" / "gone.npy").unlink()
    with pytest.raises(InputError, match=r"gone\.npy"):
        labelled_episodes("train", annotations, made, tmp_path)

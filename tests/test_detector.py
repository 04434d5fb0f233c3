"""A trained detector as a folder: what it finds in a video, and which encoder it accepts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import tiny_config, write_toy_video
from skipintro.core.errors import InputError
from skipintro.core.files import write_json
from skipintro.detection.decoding import DetectionConfig
from skipintro.detection.detector import DETECTION_FILE, Detector
from skipintro.encoder import Encoder, load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.episodes.annotations import Annotation, Status
from skipintro.episodes.video import VideoError
from skipintro.evaluation.figures import EpisodeResult, evaluate_episodes
from skipintro.model.head import CONFIG_FILE, IntroHead, load_head, save_head

CPU = torch.device("cpu")
CONFIG = DetectionConfig(stride=5, threshold=0.5, min_length_s=1, batch_size=7)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("efficientnet-lite0", "openai", device=CPU)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give 15 s of film, of which 6 s to 15 s are intro."""
    path = tmp_path_factory.mktemp("video") / "episode.mp4"
    write_toy_video(path, 6, seconds=15)
    return path


def save_detector(folder: Path, encoder: Encoder, **changes: Any) -> Path:
    """Write a detector with a random head whose probabilities lie around one half."""
    torch.manual_seed(1)
    head = IntroHead(
        tiny_config(
            length=10,
            dimension=512,
            heads=1,
            feedforward=4,
            position_std=0.5,
            encoder=encoder.identity.model_copy(update=changes),
        )
    )
    folder.mkdir(exist_ok=True)
    save_head(folder, head)
    write_json(folder / DETECTION_FILE, CONFIG)
    return folder


def evaluated(folder: Path, video: Path, encoder: Encoder) -> EpisodeResult:
    """Find the intro on evaluate's way: from vectors that were embedded before."""
    truth = Annotation(
        split="test",
        id="e1",
        series="Show",
        raw_start_s=6,
        raw_end_s=15,
        start_s=6,
        end_s=15,
        status=Status.AS_LABELLED,
        reason="start lies before end",
    )
    vectors = embed_video(video, encoder, batch_size=4)
    [result] = evaluate_episodes(load_head(folder, CPU), [(truth, vectors)], CONFIG, leaked=())
    return result


def test_a_detector_finds_in_a_file_what_the_evaluation_found(
    tmp_path: Path, video: Path, encoder: Encoder
) -> None:
    folder = save_detector(tmp_path / "detector", encoder)
    expected = evaluated(folder, video, encoder)
    found = Detector(folder, CPU).detect(video)
    assert expected.predicted is not None, "choose another seed: this head finds nothing"
    assert expected.predicted != (0, 15), "choose another seed: this head finds everything"
    assert found is not None
    assert (found.start_s, found.end_s) == expected.predicted
    assert found.confidence == pytest.approx(expected.confidence, abs=1e-4)


def test_a_video_without_a_find_gives_none(tmp_path: Path, video: Path, encoder: Encoder) -> None:
    folder = save_detector(tmp_path / "detector", encoder)
    write_json(folder / DETECTION_FILE, CONFIG.model_copy(update={"min_length_s": 16.0}))
    assert Detector(folder, CPU).detect(video) is None


def test_a_file_that_is_no_video_is_named(tmp_path: Path, encoder: Encoder) -> None:
    folder = save_detector(tmp_path / "detector", encoder)
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    with pytest.raises(VideoError, match=r"notes\.mp4"):
        Detector(folder, CPU).detect(path)


def test_vectors_do_not_depend_on_the_batch_size(video: Path, encoder: Encoder) -> None:
    one, many = embed_video(video, encoder, 1), embed_video(video, encoder, 32)
    assert one.shape == many.shape == (15, 512)
    np.testing.assert_allclose(one, many, atol=1e-4 * np.abs(one).max())


def test_an_encoder_with_other_weights_is_refused_with_the_remedy(
    tmp_path: Path, encoder: Encoder
) -> None:
    folder = save_detector(tmp_path / "detector", encoder, weights_sha256="ab" * 32)
    ours = encoder.identity.weights_sha256[:12]
    with pytest.raises(InputError, match=f"abababababab….*{ours}….*give the same weights"):
        Detector(folder, CPU)


def test_a_detector_trained_on_a_checkpoint_file_asks_for_that_file(
    tmp_path: Path, encoder: Encoder
) -> None:
    folder = save_detector(tmp_path / "detector", encoder, name="clip-vit-b-32", weights="file")
    with pytest.raises(InputError, match="name that file as `encoder_weights`"):
        Detector(folder, CPU)
    with pytest.raises(InputError, match=r"gone\.pt' is neither a file nor a tag"):
        Detector(folder, CPU, str(tmp_path / "gone.pt"))


def test_an_encoder_that_this_version_does_not_know_is_refused(
    tmp_path: Path, encoder: Encoder
) -> None:
    folder = save_detector(tmp_path / "detector", encoder, name="resnet")
    with pytest.raises(InputError, match="'resnet'"):
        Detector(folder, CPU)


@pytest.mark.parametrize("name", ["model.safetensors", CONFIG_FILE, DETECTION_FILE])
def test_a_folder_that_lacks_a_file_is_refused_by_its_name(
    tmp_path: Path, encoder: Encoder, name: str
) -> None:
    folder = save_detector(tmp_path / "detector", encoder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: missing"):
        Detector(folder, CPU)

"""The head of a detector's folder: what it finds in videos, and which encoder it accepts."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import EMBEDDING, write_toy_video
from library_cases import HEAD, CheapEncoder, use_cheap_encoder, write_head_detector
from skipintro.core.errors import InputError
from skipintro.core.files import write_json
from skipintro.core.layout import HEAD_CONFIG, HEAD_WEIGHTS
from skipintro.detection.episode import Episode
from skipintro.detection.folder import HeadDetectorConfig, assemble
from skipintro.detection.head_detector import HeadDetector, HeadOnVideos
from skipintro.detection.head_postprocess import detect_by_head
from skipintro.detection.kinds import DETECTION_FILE
from skipintro.encoder import Encoder, load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.model.head import load_head
from skipintro.video.container import VideoError

CPU = torch.device("cpu")
CONFIG = HeadDetectorConfig(head=HEAD, embedding=EMBEDDING)
STARTS = {"other-s01e01": 5, "toy-s01e01": 3, "toy-s01e02": 8, "toy-s01e03": 0}


@pytest.fixture(scope="module")
def real_encoder() -> Encoder:
    return load_encoder("efficientnet-lite0", "openai", device=CPU)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """Return the encoder that costs next to nothing, in the place of every other."""
    use_cheap_encoder(monkeypatch)
    return CheapEncoder()


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return 4 episodes of 26 s, 16 s of it intro, three of them of one series by their names."""
    folder = tmp_path_factory.mktemp("videos")
    paths = [folder / f"{id_}.mp4" for id_ in STARTS]
    for seed, (path, start) in enumerate(zip(paths, STARTS.values(), strict=True)):
        write_toy_video(path, start, seconds=26, seed=seed)
    return paths


def embedded(videos: list[Path], encoder: Encoder) -> list[Episode]:
    """Return the videos as evaluate has them: embedded before, their series told by labels."""
    return [
        Episode(path.stem, path.stem.partition("-")[0], embed_video(path, encoder, batch_size=4))
        for path in videos
    ]


@pytest.fixture(scope="module")
def episodes(videos: list[Path]) -> list[Episode]:
    return embedded(videos, CheapEncoder())


@pytest.fixture
def folder(tmp_path: Path, encoder: Encoder) -> Path:
    """Return a detector's folder, for the encoder that costs next to nothing."""
    return write_head_detector(tmp_path / "detector", encoder.identity)


def written(folder: Path, encoder: Encoder, **changes: Any) -> Path:
    """Write a detector that was trained on another encoder."""
    return write_head_detector(folder, encoder.identity.model_copy(update=changes))


def test_a_head_finds_in_files_what_the_evaluation_found(
    folder: Path, videos: list[Path], episodes: list[Episode]
) -> None:
    found = HeadOnVideos(folder, CPU).detect(videos)
    expected = detect_by_head(load_head(folder, CPU), episodes, HEAD)
    intervals = {one.interval for one in expected}
    assert None not in intervals, "choose another seed: this head finds nothing"
    assert len(intervals) > 1, "choose another seed: this head finds the same everywhere"
    assert [one.interval for one in found] == [one.interval for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_a_video_without_a_find_gives_none(folder: Path, videos: list[Path]) -> None:
    strict = HEAD.model_copy(update={"min_length_s": 27.0})
    write_json(folder / DETECTION_FILE, CONFIG.model_copy(update={"head": strict}))
    [found] = HeadOnVideos(folder, CPU).detect(videos[:1])
    assert (found.interval, found.confidence) == (None, None)
    assert len(found.probabilities) == 26


def test_no_video_gives_no_prediction(folder: Path) -> None:
    assert HeadOnVideos(folder, CPU).detect([]) == []


def test_a_file_that_is_no_video_is_named(folder: Path, videos: list[Path]) -> None:
    path = folder / "notes.mp4"
    path.write_text("no video")
    with pytest.raises(VideoError, match=r"notes\.mp4"):
        HeadOnVideos(folder, CPU).detect([videos[0], path])


def test_a_video_that_ends_too_early_by_the_model_s_tolerance_is_named(
    folder: Path, videos: list[Path]
) -> None:
    cut = folder / "cut.mkv"
    write_toy_video(cut, 3, seconds=26)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"cut\.mkv: truncated: \d+\.0 s can be .* of 26\.0 s"):
        HeadOnVideos(folder, CPU).detect([videos[0], cut])
    tolerant = EMBEDDING.model_copy(update={"truncation_tolerance_s": 20.0})
    write_json(folder / DETECTION_FILE, CONFIG.model_copy(update={"embedding": tolerant}))
    assert len(HeadOnVideos(folder, CPU).detect([cut])[0].probabilities) < 26


def test_vectors_do_not_depend_on_the_batch_size(videos: list[Path], real_encoder: Encoder) -> None:
    one, many = (embed_video(videos[0], real_encoder, size, 8) for size in (1, 32))
    assert one.shape == many.shape == (8, 512)
    np.testing.assert_allclose(one, many, atol=1e-4 * np.abs(one).max())


def test_an_encoder_with_other_weights_is_refused_with_the_remedy(
    tmp_path: Path, real_encoder: Encoder
) -> None:
    folder = written(tmp_path / "detector", real_encoder, weights_sha256="ab" * 32)
    ours = real_encoder.identity.weights_sha256[:12]
    with pytest.raises(InputError, match=f"abababababab….*{ours}….*give the same weights"):
        HeadOnVideos(folder, CPU)


def test_a_detector_trained_on_a_checkpoint_file_asks_for_that_file(
    tmp_path: Path, real_encoder: Encoder
) -> None:
    folder = written(tmp_path / "detector", real_encoder, name="clip-vit-b-32", weights="file")
    with pytest.raises(InputError, match="name that file as `encoder_weights`"):
        HeadOnVideos(folder, CPU)
    with pytest.raises(InputError, match=r"gone\.pt: no such file; correct `encoder_weights`"):
        HeadOnVideos(folder, CPU, str(tmp_path / "gone.pt"))


def test_weights_for_an_encoder_that_brings_its_own_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="brings its weights; leave `encoder_weights` out"):
        HeadOnVideos(folder, CPU, str(folder / HEAD_WEIGHTS))


def test_weights_that_cannot_be_had_are_told_as_the_detector_s(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Encoder:
        raise InputError("params.yaml: embed.weights: not here")

    monkeypatch.setattr("skipintro.detection.head_detector.load_encoder", away)
    folder = written(tmp_path / "detector", encoder, name="clip-vit-b-32", weights="openai")
    with pytest.raises(
        InputError, match=r"weights 'openai'.* as a file: `encoder_weights`"
    ) as told:
        HeadOnVideos(folder, CPU)
    assert "params.yaml" not in str(told.value)


def test_an_encoder_is_loaded_in_the_precision_that_the_detector_was_trained_in(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def load(name: str, *_: Any, precision: str, **__: Any) -> Encoder:
        loaded.append((name, precision))
        return encoder

    monkeypatch.setattr("skipintro.detection.head_detector.load_encoder", load)
    for name in ("efficientnet-lite0", "clip-vit-b-32"):
        for asked in ("bf16", "auto"):
            folder = written(tmp_path / f"{name} {asked}", encoder, name=name)
            embedding = EMBEDDING.model_copy(update={"precision": asked})
            write_json(folder / DETECTION_FILE, CONFIG.model_copy(update={"embedding": embedding}))
            HeadOnVideos(folder, CPU)
    assert loaded == [
        ("efficientnet-lite0", "bf16"),
        ("efficientnet-lite0", "auto"),
        ("clip-vit-b-32", "auto"),  # bears either
        ("clip-vit-b-32", "auto"),
    ]


@pytest.mark.parametrize(("search", "n_seconds"), [("whole", 26), ("first-quarter", 7), (9, 9)])
def test_as_much_is_looked_at_as_the_detector_was_trained_on(
    folder: Path, videos: list[Path], search: str | int, n_seconds: int
) -> None:
    embedding = EMBEDDING.model_copy(update={"search": search})
    write_json(folder / DETECTION_FILE, CONFIG.model_copy(update={"embedding": embedding}))
    assert len(HeadOnVideos(folder, CPU).embed(videos[0])) == n_seconds


def test_an_encoder_that_this_version_does_not_know_is_refused(
    tmp_path: Path, real_encoder: Encoder
) -> None:
    folder = written(tmp_path / "detector", real_encoder, name="resnet")
    with pytest.raises(InputError, match="'resnet'"):
        HeadOnVideos(folder, CPU)


@pytest.mark.parametrize("name", [HEAD_WEIGHTS, HEAD_CONFIG, DETECTION_FILE])
def test_a_folder_that_lacks_a_file_is_refused_by_its_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: missing"):
        HeadOnVideos(folder, CPU)


@pytest.mark.parametrize("name", [HEAD_WEIGHTS, HEAD_CONFIG])
def test_an_assembled_folder_is_refused_where_a_file_is_not_as_it_was(
    folder: Path, tmp_path: Path, name: str
) -> None:
    made = tmp_path / "assembled"
    made.mkdir()
    assemble(made, "head", head=folder, openings=folder, config=CONFIG)
    HeadDetector(made, CPU)
    content = (made / name).read_bytes()
    (made / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(InputError, match=rf"{name}: its content is not that of {DETECTION_FILE}"):
        HeadDetector(made, CPU)


def test_hashes_name_no_files_elsewhere(folder: Path) -> None:
    write_json(folder / DETECTION_FILE, CONFIG.model_copy(update={"sha256": {"../x": "0"}}))
    with pytest.raises(InputError, match=rf"{DETECTION_FILE}: sha256: unknown file '\.\./x'"):
        HeadDetector(folder, CPU)


def test_detecting_imports_nothing_that_only_learning_or_clip_needs() -> None:
    script = (
        "import sys, torch, skipintro.detection.head_detector; "
        "from skipintro.encoder import load_encoder; "
        "load_encoder('efficientnet-lite0', 'openai', device=torch.device('cpu')); "
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"LOADED", "skipintro.detection.head_detector"} <= loaded
    slow = {"sklearn", "scipy.optimize", "timm", "torchvision", "open_clip", "mlflow", "pandas"}
    assert slow.isdisjoint(loaded)

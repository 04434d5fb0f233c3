"""A trained detector as a folder: what it finds in videos, and which encoder it accepts."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import EMBEDDING, TOY_INTRO_S, tiny_config, write_toy_video
from contest_cases import CANDIDATES, SETTINGS
from library_cases import CheapEncoder, use_cheap_encoder
from skipintro.core.errors import InputError
from skipintro.core.files import write_json
from skipintro.detection.decoding import detect_by_head
from skipintro.detection.detector import Detector, EpisodeDetector
from skipintro.detection.episode import Episode, LabelledEpisode
from skipintro.detection.fitting import fit
from skipintro.detection.folder import DETECTION_FILE, DetectionConfig, DetectorConfig, assemble
from skipintro.detection.series_detector import SeriesDetector
from skipintro.detection.series_files import SERIES_CONFIG, SERIES_WEIGHTS, save_series
from skipintro.encoder import Encoder, load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.model.config import CONFIG_FILE, WEIGHTS_FILE
from skipintro.model.head import IntroHead, load_head, save_head
from skipintro.video.opening import VideoError

CPU = torch.device("cpu")
CONFIG = DetectionConfig(stride=5, threshold=0.5, min_length_s=1, batch_size=7)
SERIES = DetectorConfig(detector="series", head=CONFIG, embedding=EMBEDDING)
HEAD = DetectorConfig(detector="head", head=CONFIG, embedding=EMBEDDING)
STARTS = {"other-s01e01": 5, "toy-s01e01": 3, "toy-s01e02": 8, "toy-s01e03": 0}


@pytest.fixture(scope="module")
def real_encoder() -> Encoder:
    return load_encoder("efficientnet-lite0", "openai", device=CPU)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """Give the encoder that costs next to nothing, in the place of every other."""
    use_cheap_encoder(monkeypatch)
    return CheapEncoder()


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give four episodes of 26 s with 16 s of intro, three of them of one series by their names."""
    folder = tmp_path_factory.mktemp("videos")
    paths = [folder / f"{id_}.mp4" for id_ in STARTS]
    for seed, (path, start) in enumerate(zip(paths, STARTS.values(), strict=True)):
        write_toy_video(path, start, seconds=26, seed=seed)
    return paths


def embedded(videos: list[Path], encoder: Encoder) -> list[Episode]:
    """Give the videos as evaluate has them: embedded before, their series told by labels."""
    return [
        Episode(path.stem, path.stem.partition("-")[0], embed_video(path, encoder, batch_size=4))
        for path in videos
    ]


@pytest.fixture(scope="module")
def episodes(videos: list[Path]) -> list[Episode]:
    return embedded(videos, CheapEncoder())


@pytest.fixture(scope="module")
def fitted(episodes: list[Episode]) -> SeriesDetector:
    return fitted_to(episodes)


def fitted_to(episodes: list[Episode]) -> SeriesDetector:
    """Give a series detector that was fitted to the very videos."""
    starts = [float(start) for start in STARTS.values()]
    labelled = [
        LabelledEpisode(episode, (start, start + TOY_INTRO_S))
        for episode, start in zip(episodes, starts, strict=True)
    ]
    return fit(labelled, CANDIDATES, SETTINGS).detector


@pytest.fixture
def folder(tmp_path: Path, encoder: Encoder, fitted: SeriesDetector) -> Path:
    """Give a detector by series."""
    return save_detector(tmp_path / "detector", encoder, fitted)


def save_detector(folder: Path, encoder: Encoder, series: SeriesDetector, **changes: Any) -> Path:
    """Write a detector with a random head whose probabilities lie around one half."""
    torch.manual_seed(1)
    head = IntroHead(
        tiny_config(
            length=10,
            dimension=encoder.identity.dimension,
            heads=1,
            feedforward=4,
            position_std=0.5,
            encoder=encoder.identity.model_copy(update=changes),
        )
    )
    folder.mkdir(exist_ok=True)
    save_head(folder, head)
    save_series(folder, series)
    write_json(folder / DETECTION_FILE, SERIES)
    return folder


def test_a_series_detector_finds_in_files_what_the_evaluation_found(
    tmp_path: Path, videos: list[Path], real_encoder: Encoder
) -> None:
    """With the encoder that is used: all is embedded twice, which takes four seconds."""
    episodes = embedded(videos, real_encoder)
    fitted = fitted_to(episodes)
    folder = save_detector(tmp_path / "detector", real_encoder, fitted)
    found = Detector(folder, CPU).detect(videos)
    expected = fitted.detect(episodes)
    assert [one.interval for one in found] == [(s, s + TOY_INTRO_S) for s in STARTS.values()]
    assert [one.interval for one in found] == [one.interval for one in expected]
    assert all(one.confidence and one.confidence > 0.5 for one in found)


def test_videos_of_one_series_help_each_other_and_the_order_changes_nothing(
    folder: Path, videos: list[Path]
) -> None:
    detector = Detector(folder, CPU)
    together = detector.detect(videos)
    alone = [detector.detect([video])[0] for video in videos]
    with_siblings = [
        not np.array_equal(one.probabilities, other.probabilities)
        for one, other in zip(together, alone, strict=True)
    ]
    assert with_siblings == [False, True, True, True]  # the first one's series has no other
    backwards = detector.detect(videos[::-1])[::-1]
    assert [one.interval for one in backwards] == [one.interval for one in together]


def test_a_head_finds_in_files_what_the_evaluation_found(
    folder: Path, videos: list[Path], episodes: list[Episode]
) -> None:
    write_json(folder / DETECTION_FILE, HEAD)
    found = Detector(folder, CPU).detect(videos)
    expected = detect_by_head(load_head(folder, CPU), episodes, CONFIG)
    intervals = {one.interval for one in expected}
    assert None not in intervals, "choose another seed: this head finds nothing"
    assert len(intervals) > 1, "choose another seed: this head finds the same everywhere"
    assert [one.interval for one in found] == [one.interval for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_a_head_needs_no_series_detector(folder: Path, videos: list[Path]) -> None:
    write_json(folder / DETECTION_FILE, HEAD)
    for name in (SERIES_WEIGHTS, SERIES_CONFIG):
        (folder / name).unlink()
    assert len(Detector(folder, CPU).detect(videos[:1])) == 1


def test_a_video_without_a_find_gives_none(folder: Path, videos: list[Path]) -> None:
    strict = CONFIG.model_copy(update={"min_length_s": 27.0})
    write_json(folder / DETECTION_FILE, HEAD.model_copy(update={"head": strict}))
    [found] = Detector(folder, CPU).detect(videos[:1])
    assert (found.interval, found.confidence) == (None, None)
    assert len(found.probabilities) == 26


def test_no_video_gives_no_prediction(folder: Path) -> None:
    assert Detector(folder, CPU).detect([]) == []


def test_a_file_that_is_no_video_is_named(folder: Path, videos: list[Path]) -> None:
    path = folder / "notes.mp4"
    path.write_text("no video")
    with pytest.raises(VideoError, match=r"notes\.mp4"):
        Detector(folder, CPU).detect([videos[0], path])


def test_a_video_that_ends_too_early_by_the_model_s_tolerance_is_named(
    folder: Path, videos: list[Path]
) -> None:
    cut = folder / "cut.mkv"
    write_toy_video(cut, 3, seconds=26)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"cut\.mkv: truncated: \d+\.0 s can be .* of 26\.0 s"):
        Detector(folder, CPU).detect([videos[0], cut])
    tolerant = EMBEDDING.model_copy(update={"truncation_tolerance_s": 20.0})
    write_json(folder / DETECTION_FILE, HEAD.model_copy(update={"embedding": tolerant}))
    assert len(Detector(folder, CPU).detect([cut])[0].probabilities) < 26


def test_vectors_do_not_depend_on_the_batch_size(videos: list[Path], real_encoder: Encoder) -> None:
    one, many = (embed_video(videos[0], real_encoder, size, 8) for size in (1, 32))
    assert one.shape == many.shape == (8, 512)
    np.testing.assert_allclose(one, many, atol=1e-4 * np.abs(one).max())


def test_an_encoder_with_other_weights_is_refused_with_the_remedy(
    tmp_path: Path, real_encoder: Encoder, fitted: SeriesDetector
) -> None:
    folder = save_detector(tmp_path / "detector", real_encoder, fitted, weights_sha256="ab" * 32)
    ours = real_encoder.identity.weights_sha256[:12]
    with pytest.raises(InputError, match=f"abababababab….*{ours}….*give the same weights"):
        Detector(folder, CPU)


def test_a_detector_trained_on_a_checkpoint_file_asks_for_that_file(
    tmp_path: Path, real_encoder: Encoder, fitted: SeriesDetector
) -> None:
    folder = save_detector(
        tmp_path / "detector", real_encoder, fitted, name="clip-vit-b-32", weights="file"
    )
    with pytest.raises(InputError, match="name that file as `encoder_weights`"):
        Detector(folder, CPU)
    with pytest.raises(InputError, match=r"gone\.pt: no such file; correct `encoder_weights`"):
        Detector(folder, CPU, str(tmp_path / "gone.pt"))


def test_weights_for_an_encoder_that_brings_its_own_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="brings its weights; leave `encoder_weights` out"):
        Detector(folder, CPU, str(folder / WEIGHTS_FILE))


def test_weights_that_cannot_be_had_are_told_as_the_detector_s(
    tmp_path: Path, encoder: Encoder, fitted: SeriesDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Encoder:
        raise InputError("params.yaml: embed.weights: not here")

    monkeypatch.setattr("skipintro.detection.detector.load_encoder", away)
    folder = save_detector(
        tmp_path / "detector", encoder, fitted, name="clip-vit-b-32", weights="openai"
    )
    with pytest.raises(
        InputError, match=r"weights 'openai'.* as a file: `encoder_weights`"
    ) as told:
        Detector(folder, CPU)
    assert "params.yaml" not in str(told.value)


def test_an_encoder_is_loaded_in_the_precision_that_the_detector_was_trained_in(
    tmp_path: Path, encoder: Encoder, fitted: SeriesDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def load(name: str, *_: Any, precision: str, **__: Any) -> Encoder:
        loaded.append((name, precision))
        return encoder

    monkeypatch.setattr("skipintro.detection.detector.load_encoder", load)
    for name in ("efficientnet-lite0", "clip-vit-b-32"):
        for asked in ("bf16", "auto"):
            folder = save_detector(tmp_path / f"{name} {asked}", encoder, fitted, name=name)
            embedding = EMBEDDING.model_copy(update={"precision": asked})
            write_json(folder / DETECTION_FILE, SERIES.model_copy(update={"embedding": embedding}))
            Detector(folder, CPU)
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
    write_json(folder / DETECTION_FILE, SERIES.model_copy(update={"embedding": embedding}))
    assert len(Detector(folder, CPU).embed(videos[0])) == n_seconds


def test_a_series_of_train_is_found_again_where_its_name_holds_a_dot(
    tmp_path: Path, encoder: Encoder, episodes: list[Episode]
) -> None:
    labelled = [
        LabelledEpisode(
            replace(episode, id=f"{show} S01E{number:02d}", series=show), (start, start + 16)
        )
        for show in ("Mr. Robot", "Mr. Show")
        for number, (episode, start) in enumerate(
            zip(episodes, map(float, STARTS.values()), strict=True), 1
        )
    ]
    series = fit(labelled, CANDIDATES, SETTINGS).detector
    assert {reference.series for reference in series.references} == {"Mr. Robot", "Mr. Show"}
    detector = EpisodeDetector(save_detector(tmp_path / "detector", encoder, series), CPU)
    for show in ("Mr. Robot", "Mr. Show"):
        new = detector.episode(Path(f"/media/{show} S01E09.mkv"), episodes[0].vectors)
        assert new.series == show


def test_an_encoder_that_this_version_does_not_know_is_refused(
    tmp_path: Path, real_encoder: Encoder, fitted: SeriesDetector
) -> None:
    folder = save_detector(tmp_path / "detector", real_encoder, fitted, name="resnet")
    with pytest.raises(InputError, match="'resnet'"):
        Detector(folder, CPU)


@pytest.mark.parametrize(
    "name", [WEIGHTS_FILE, CONFIG_FILE, SERIES_WEIGHTS, SERIES_CONFIG, DETECTION_FILE]
)
def test_a_folder_that_lacks_a_file_is_refused_by_its_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: missing"):
        Detector(folder, CPU)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, CONFIG_FILE, SERIES_WEIGHTS, SERIES_CONFIG])
def test_an_assembled_folder_is_refused_where_a_file_is_not_as_it_was(
    folder: Path, tmp_path: Path, name: str
) -> None:
    made = tmp_path / "assembled"
    made.mkdir()
    assemble(made, head=folder, series=folder, config=SERIES)
    EpisodeDetector(made, CPU)
    content = (made / name).read_bytes()
    (made / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(InputError, match=rf"{name}: its content is not that of {DETECTION_FILE}"):
        EpisodeDetector(made, CPU)


def test_hashes_name_no_files_elsewhere(folder: Path) -> None:
    write_json(folder / DETECTION_FILE, SERIES.model_copy(update={"sha256": {"../x": "0"}}))
    with pytest.raises(InputError, match=rf"{DETECTION_FILE}: sha256: unknown file '\.\./x'"):
        EpisodeDetector(folder, CPU)


def test_detecting_imports_nothing_that_only_learning_or_clip_needs() -> None:
    script = (
        "import sys, torch, skipintro.detection.detector; "
        "from skipintro.encoder import load_encoder; "
        "load_encoder('efficientnet-lite0', 'openai', device=torch.device('cpu')); "
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"LOADED", "skipintro.detection.ranker"} <= loaded
    slow = {"sklearn", "scipy.optimize", "timm", "torchvision", "open_clip", "mlflow", "pandas"}
    assert slow.isdisjoint(loaded)

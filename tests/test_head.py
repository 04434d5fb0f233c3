"""The classifier's size, its files, and what is refused."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save_file

from conftest import ROOT, tiny_config
from skipintro.core.errors import InputError
from skipintro.core.layout import HEAD_CONFIG, HEAD_WEIGHTS
from skipintro.core.params import read_params_file
from skipintro.model.head import IntroHead, load_head, save_head

CPU = torch.device("cpu")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return a folder with a tiny head."""
    folder = tmp_path / "model"
    folder.mkdir()
    torch.manual_seed(0)
    save_head(folder, IntroHead(tiny_config()))
    return folder


def logits(head: IntroHead, n_frames: int = 6) -> torch.Tensor:
    frames = torch.randn(3, n_frames, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found: torch.Tensor = head.eval()(frames)
    return found


def test_the_defaults_give_the_paper_s_head_of_50_million_parameters() -> None:
    params = read_params_file(ROOT / "params.yaml")
    shape = ("layers", "heads", "feedforward", "dropout", "position_std")
    config = tiny_config(
        length=params["window"]["length"],
        dimension=512,
        **{name: params["train"][name] for name in shape},
    )
    head = IntroHead(config)
    assert len(head.encoder.layers) == 16
    assert tuple(head.position.shape) == (1, 60, 512)
    assert tuple(head.output.weight.shape) == (1, 512)
    # A layer: attention 4 (512 x 512 + 512), two linear maps over 2048, two norms of 2 x 512.
    layer = 4 * (512 * 512 + 512) + (512 * 2048 + 2048) + (2048 * 512 + 512) + 2 * 2 * 512
    assert sum(p.numel() for p in head.parameters()) == 16 * layer + 60 * 512 + 513 == 50_469_377


def test_every_frame_of_a_window_gets_a_logit() -> None:
    assert logits(IntroHead(tiny_config())).shape == (3, 6)


def test_a_window_shorter_than_the_length_uses_the_first_positions() -> None:
    torch.manual_seed(0)
    long = IntroHead(tiny_config())
    short = IntroHead(tiny_config(length=4))
    state = long.state_dict()
    short.load_state_dict({**state, "position": state["position"][:, :4]})
    assert torch.equal(logits(long, 4), logits(short, 4))
    assert logits(long, 1).shape == (3, 1)


def test_a_frame_s_place_in_the_window_matters() -> None:
    torch.manual_seed(0)
    head = IntroHead(tiny_config(position_std=1.0)).eval()
    same = torch.ones(1, 6, 8)
    with torch.inference_mode():
        assert len(np.unique(head(same).numpy().round(4))) == 6


def test_a_loaded_head_gives_the_same_logits_in_evaluation_mode(saved: Path) -> None:
    torch.manual_seed(0)
    made = IntroHead(tiny_config())
    read = load_head(saved, CPU)
    assert not read.training
    assert read.config == tiny_config()
    assert torch.equal(logits(read), logits(made))


def test_a_head_is_written_to_the_same_bytes_each_time(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    save_head(again, load_head(saved, CPU))
    assert sorted(file.name for file in again.iterdir()) == [HEAD_CONFIG, HEAD_WEIGHTS]
    for name in (HEAD_WEIGHTS, HEAD_CONFIG):
        assert (again / name).read_bytes() == (saved / name).read_bytes()


@pytest.mark.parametrize("name", [HEAD_WEIGHTS, HEAD_CONFIG])
def test_a_missing_file_is_named_with_the_remedy(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: missing; run `dvc repro`"):
        load_head(saved, CPU)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoil_the_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def take_a_tensor_out(path: Path) -> None:
    save_file({k: v for k, v in load(path.read_bytes()).items() if k != "output.bias"}, path)


def put_a_tensor_in(path: Path) -> None:
    save_file({**load(path.read_bytes()), "more": torch.zeros(1)}, path)


def change_a_shape(path: Path) -> None:
    save_file({**load(path.read_bytes()), "position": torch.zeros(1, 5, 8)}, path)


def spoil_a_number(path: Path) -> None:
    save_file({**load(path.read_bytes()), "output.bias": torch.tensor([np.nan])}, path)


def change_a_type(path: Path) -> None:
    save_file({**load(path.read_bytes()), "output.bias": torch.zeros(1, dtype=torch.int32)}, path)


def write_a_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"output.bias": [0.0]}))


def write_a_torch_checkpoint(path: Path) -> None:
    torch.save(load(path.read_bytes()), path)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        spoil_the_header,
        take_a_tensor_out,
        put_a_tensor_in,
        change_a_shape,
        spoil_a_number,
        change_a_type,
        write_a_pickle,
        write_a_torch_checkpoint,
    ],
)
def test_weights_that_are_not_this_head_s_are_refused_by_name(saved: Path, damage: Any) -> None:
    damage(saved / HEAD_WEIGHTS)
    with pytest.raises(
        InputError, match=rf"{HEAD_WEIGHTS}: not the weights of this config"
    ) as told:
        load_head(saved, CPU)
    assert str(told.value).isprintable(), "the error is one line"


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 3},
        {"dimension": 16},
        {"heads": 3},  # does not divide the dimension
        {"heads": 0},
        {"dropout": 1.0},
        {"unknown": 1},
        {"length": 10**12},  # more than there is memory
        {"feedforward": 10**30},
        {"layers": 10**9},
    ],
)
def test_a_config_that_does_not_fit_is_refused(saved: Path, change: dict[str, Any]) -> None:
    path = saved / HEAD_CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(InputError, match=str(saved)):
        load_head(saved, CPU)


def test_weights_of_another_head_are_refused(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    save_head(other, IntroHead(tiny_config(feedforward=32)))
    shutil.copy(other / HEAD_WEIGHTS, saved)
    with pytest.raises(InputError, match="not the weights of this config"):
        load_head(saved, CPU)

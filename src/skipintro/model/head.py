"""The per-frame classifier over a window of embeddings, and its files.

Architecture: learned positional embeddings (1, length, D), an `nn.TransformerEncoder` and
`Linear(D, 1)`, after arXiv 2504.09738. Files: `model.safetensors`, `config.json`; no pickle.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from skipintro.core.errors import InputError
from skipintro.core.files import read_model, write_json
from skipintro.core.layout import HEAD_CONFIG, HEAD_WEIGHTS
from skipintro.core.products import linear
from skipintro.model.config import HeadConfig
from skipintro.model.transformer import EncoderLayer


class IntroHead(nn.Module):
    """Return each frame of a window the logit of being intro."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.position = nn.Parameter(
            torch.randn(1, config.length, config.dimension) * config.position_std
        )
        layer = EncoderLayer(config.dimension, config.heads, config.feedforward, config.dropout)
        self.encoder = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.output = nn.Linear(config.dimension, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """Turn (B, T, D) embeddings, T <= length, into (B, T) logits."""
        placed = windows + self.position[:, : windows.shape[1]]  # (B, T, D)
        logits = linear(self.encoder(placed), self.output.weight, self.output.bias)
        return logits.squeeze(-1)  # (B, T)


def save_head(folder: Path, head: IntroHead) -> None:
    """Write weights and config; the same bytes for the same weights."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()}
    (folder / HEAD_WEIGHTS).write_bytes(save(state))  # a full disk is an OSError, as elsewhere
    write_json(folder / HEAD_CONFIG, head.config)


def load_head(folder: Path, device: torch.device) -> IntroHead:
    """Read what `save_head` wrote, in evaluation mode.

    Raises InputError where the files are missing, broken, or do not fit each other.
    """
    config = read_model(HeadConfig, folder / HEAD_CONFIG)
    path = folder / HEAD_WEIGHTS
    try:
        weights = load_file(path)
        _check(weights, config)
        with torch.device("meta"):  # draws no weights, which would be replaced at once
            head = IntroHead(config)
        head.to_empty(device="cpu").load_state_dict(weights)
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run `dvc repro` to make it") from None
    except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: not the weights of this config ({error}); run `dvc repro`"
        ) from (error)
    return head.eval().to(device)


def _check(weights: Mapping[str, Tensor], config: HeadConfig) -> None:
    """Raise ValueError before anything is made for a config that its weights do not fit."""
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}
    for name, shape in (
        ("position", (1, config.length, config.dimension)),
        ("encoder.layers.0.linear1.weight", (config.feedforward, config.dimension)),
    ):
        if name not in weights or tuple(weights[name].shape) != shape:
            raise ValueError(f"{name}: expected shape {shape}")
    if len(layers) != config.layers:
        raise ValueError(f"expected {config.layers} layers, got {len(layers)}")
    for name, tensor in weights.items():
        if tensor.dtype != torch.float32 or not tensor.isfinite().all():
            raise ValueError(f"{name:.80}: expected finite float32")

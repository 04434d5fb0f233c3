"""The per-frame classifier over a window of embeddings, and its files.

Architecture: learned positional embeddings (1, length, D), an `nn.TransformerEncoder` and
`Linear(D, 1)`, after arXiv 2504.09738. Files: `model.safetensors`, `config.json`; no pickle.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from skipintro.core.errors import InputError
from skipintro.core.files import read_model, write_json
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.model.transformer import EncoderLayer

WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"


class HeadConfig(BaseModel):
    """Everything that is needed to build the head again, and which encoder it was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(ge=1)  # frames in a window
    dimension: int = Field(ge=1)  # of an embedding
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    feedforward: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    position_std: float = Field(ge=0)
    encoder: EncoderIdentity

    @model_validator(mode="after")
    def _heads_share_the_dimension(self) -> Self:
        if self.dimension % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the dimension {self.dimension}")
        return self


class IntroHead(nn.Module):
    """Gives each frame of a window the logit of being intro."""

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
        logits: Tensor = self.output(self.encoder(placed)).squeeze(-1)  # (B, T)
        return logits


def save_head(folder: Path, head: IntroHead) -> None:
    """Write weights and config; the same bytes for the same weights."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()}
    (folder / WEIGHTS_FILE).write_bytes(save(state))  # a full disk is an OSError, as elsewhere
    write_json(folder / CONFIG_FILE, head.config)


def load_head(folder: Path, device: torch.device) -> IntroHead:
    """Read what `save_head` wrote, in evaluation mode.

    Raises InputError where the files are missing, broken, or do not fit each other.
    """
    config = read_model(HeadConfig, folder / CONFIG_FILE)
    path = folder / WEIGHTS_FILE
    try:
        weights = load_file(path)
        _check(weights, config)
        head = IntroHead(config)
        head.load_state_dict(weights)
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

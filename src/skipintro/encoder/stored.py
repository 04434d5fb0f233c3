"""An encoder's weights as a file beside the head that goes by its vectors: neither hub nor package.

Reads and writes  encoder.safetensors: all tensors that the encoder's hash covers
"""

from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from skipintro.core.device import choose_precision, has_native_bf16
from skipintro.core.errors import InputError
from skipintro.encoder import TOLERATE_BF16, TorchEncoder, sha256_of_weights
from skipintro.episodes.embeddings import EncoderIdentity

SMALL = ("efficientnet-lite0",)  # 23 MB; clip-vit-b-32 has 350


def store_encoder(path: Path, identity: EncoderIdentity, weights: str) -> None:
    """Write the weights of an encoder, named as `load_encoder` takes them.

    Raises InputError where they cannot be had, or are others than those of the identity.
    """
    if identity.name == "clip-vit-b-32":
        from skipintro.encoder.clip import load_tower  # noqa: PLC0415  open_clip takes a second

        module, _ = load_tower(weights)
    else:
        from skipintro.encoder.efficientnet import pretrained  # noqa: PLC0415  as above

        module = pretrained()
    if (found := sha256_of_weights(module)) != identity.weights_sha256:
        raise InputError(
            f"the available weights of {identity.name} are {found[:12]}…, the head was trained on "
            f"{identity.weights_sha256[:12]}…; run `dvc repro` with one and the same, or set "
            "track.with_encoder: never"
        )
    # A tensor may be a view of a larger one, which safetensors does not take.
    path.write_bytes(save({k: v.clone().contiguous() for k, v in module.state_dict().items()}))


def load_stored(
    path: Path,
    identity: EncoderIdentity,
    device: torch.device,
    precision: Literal["auto", "fp32", "bf16"],
) -> TorchEncoder:
    """Load an encoder of weights that `store_encoder` wrote.

    Raises InputError where the file is damaged or of other weights.
    """
    is_good = has_native_bf16(device) and identity.name in TOLERATE_BF16
    chosen = choose_precision(precision, is_good=is_good)
    if identity.name == "clip-vit-b-32":
        from skipintro.encoder import clip  # noqa: PLC0415  open_clip takes a second

        module, encoder_of = clip.bare(), clip.encoder_of
    else:
        from skipintro.encoder import efficientnet  # noqa: PLC0415  as above

        module, encoder_of = efficientnet.bare(), efficientnet.encoder_of
    _fill(module, path)
    if sha256_of_weights(module) != identity.weights_sha256:
        raise InputError(
            f"{path}: not the weights of {identity.name} that the head was trained on; restore the "
            "file, or pull the version again"
        )
    return encoder_of(module, identity, device, chosen)


def _fill(module: nn.Module, path: Path) -> None:
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path}: no weights of this encoder ({reason}); restore the file, or pull the version "
            "again"
        ) from error

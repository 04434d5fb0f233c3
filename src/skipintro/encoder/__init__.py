"""The interface of a frame encoder, and the choice between the two that there are.

An encoder turns upright square pictures into one vector each. Nothing after it depends on which
one it is; its identity (name, weights and their hash) travels in the manifest of the embeddings.
"""

import hashlib
from threading import local
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skipintro.core.allocator import configure_malloc
from skipintro.core.device import Precision, choose_precision, has_native_bf16, type_of
from skipintro.core.errors import InputError
from skipintro.episodes.embeddings import EncoderIdentity

UNTRAINED = "untrained"
HUB_WEIGHTS = "openai"
ENCODERS = ("clip-vit-b-32", "efficientnet-lite0")
# Whose vectors keep a cosine of 0.999 to those of fp32. Those of efficientnet-lite0 fall to 0.98.
TOLERATE_BF16 = {"clip-vit-b-32"}


class Encoder(Protocol):
    """Pictures in, vectors out."""

    identity: EncoderIdentity
    precision: Precision  # of the arithmetic

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn uint8 (B, S, S, 3) RGB pictures into float32 (B, dimension) vectors."""
        ...


class TorchEncoder:
    """A torch module with its preprocessing: `(picture / 255 - mean) / std`, a channel each."""

    def __init__(
        self,
        module: nn.Module,
        identity: EncoderIdentity,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.identity = identity
        self.precision = precision
        self._type = type_of(precision)
        self.module = module.eval().requires_grad_(requires_grad=False).to(device, self._type)
        self._device = device
        self._scale = (1 / (255 * torch.tensor(std))).view(1, 3, 1, 1).to(device)
        self._shift = (torch.tensor(mean) / torch.tensor(std)).view(1, 3, 1, 1).to(device)
        self._of_thread = local()  # stream: its own, once it has one
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # all is there, whatever stream uses it

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn uint8 (B, S, S, 3) RGB pictures into float32 (B, dimension) vectors."""
        with torch.inference_mode(), torch.cuda.stream(self._stream()):
            held = torch.from_numpy(pictures)
            if self._device.type == "cuda":  # from pinned memory the copy does not wait
                held = held.pin_memory()
            pixels = held.to(self._device, non_blocking=True).permute(0, 3, 1, 2)
            normal = (pixels * self._scale - self._shift).to(self._type)
            vectors: Tensor = self.module(normal)
            return vectors.float().cpu().numpy()

    def _stream(self) -> torch.cuda.Stream | None:
        """Return this thread's own, so that its copies overlap with the arithmetic of others."""
        if self._device.type != "cuda":
            return None
        stream: torch.cuda.Stream | None = getattr(self._of_thread, "stream", None)
        if stream is None:
            stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch's class
            self._of_thread.stream = stream
        return stream


def load_encoder(
    name: str,
    weights: str,
    *,
    device: torch.device,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
) -> Encoder:
    """Load one of ENCODERS; there is no falling back from one to the other.

    `weights` is for `clip-vit-b-32`: a tag of open_clip (`openai`), `untrained`, or the path of
    a checkpoint file. `efficientnet-lite0` brings its own weights.

    Raises InputError, with the remedies, where the weights cannot be had.
    """
    configure_malloc()
    is_good = has_native_bf16(device) and name in TOLERATE_BF16
    chosen = choose_precision(precision, is_good=is_good)
    if name == "clip-vit-b-32":
        from skipintro.encoder.clip import load_clip  # noqa: PLC0415  open_clip takes a second

        return load_clip(weights, device, chosen)
    if name == "efficientnet-lite0":
        if weights != HUB_WEIGHTS:
            raise InputError(
                f"params.yaml: embed.weights: {weights!r} names weights of clip-vit-b-32, but "
                f"efficientnet-lite0 brings its own; leave it at {HUB_WEIGHTS!r} or set "
                "embed.encoder: clip-vit-b-32"
            )
        from skipintro.encoder.efficientnet import load_efficientnet  # noqa: PLC0415  as above

        return load_efficientnet(device, chosen)
    raise InputError(
        f"params.yaml: embed.encoder: unknown encoder {name!r}; known are {', '.join(ENCODERS)}"
    )


def sha256_of_weights(module: nn.Module) -> str:
    """Hash of all tensors with their names, types and shapes; independent of the file format."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()

"""Small pieces of the arithmetic that this project does, each as a hash of its bytes.

They take some seconds together. `known.json` has the hashes of portable arithmetic; `make golden`
writes it.
"""

import hashlib
import io
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from skipintro.core.products import linear, product
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.model.config import HeadConfig
from skipintro.model.head import IntroHead
from skipintro.model.training import Learner
from skipintro.video.encoding import Soundtrack, encode_h264
from skipintro.video.isolated_decode import pictures
from skipintro.video.scaling import Picture

KNOWN = Path(__file__).with_name("known.json")

Given = Tensor | NDArray[Any] | bytes


def hashes() -> dict[str, str]:
    """Return the hash of each piece, by name."""
    return {name: _hash(*piece()) for name, piece in _PIECES.items()}


def known() -> dict[str, str]:
    """Return the results of `hashes` in portable arithmetic, wherever that holds."""
    found: dict[str, str] = json.loads(KNOWN.read_text(encoding="utf-8"))
    return found


def differing(found: dict[str, str]) -> list[str]:
    """Return the names of the pieces that are not the known ones."""
    expected = known()
    return [name for name, value in found.items() if expected.get(name) != value]


def _hash(*given: Given) -> str:
    digest = hashlib.sha256()
    for one in given:
        held = one.detach().numpy() if isinstance(one, Tensor) else one
        digest.update(held if isinstance(held, bytes) else np.ascontiguousarray(held).tobytes())
    return digest.hexdigest()[:16]


def _drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(math.prod(shape)))


def _numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(math.prod(shape)).standard_normal(shape, np.float32)


def _convolution(n_in: int, n_out: int, kernel: int, **how: int) -> list[Given]:
    weight = _drawn(n_out, n_in // how.get("groups", 1), kernel, kernel) * 0.1
    return [torch.conv2d(_drawn(16, n_in, 28, 28), weight, **how)]  # type: ignore[call-overload]


def _elementwise() -> list[Given]:
    x = _drawn(40_000)
    functions = (torch.sigmoid, torch.tanh, torch.relu, nn.functional.relu6)
    return [function(x) for function in functions]


def _over_rows() -> list[Given]:
    x = _drawn(64, 60, 64)
    return [torch.softmax(x, -1), nn.functional.layer_norm(x, (64,)), x.sum(), x.mean(0)]


def _training() -> list[Given]:
    """Take two steps as the stage does."""
    encoder = EncoderIdentity(
        name="", weights="", weights_sha256="", trained=True, dimension=64, image_size=1
    )
    config = HeadConfig(
        length=30,
        dimension=64,
        layers=2,
        heads=4,
        feedforward=128,
        dropout=0.1,
        position_std=0.02,
        encoder=encoder,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = IntroHead(config)
        learner = Learner(head, torch.optim.Adam(head.parameters(), lr=1e-3, fused=True), "fp32")
        for _ in range(2):
            loss, logits = learner.step(_drawn(8, 30, 64), (_drawn(8, 30) > 0).float())
    return [loss, logits, *head.parameters()]


def _moving() -> Iterator[Picture]:
    """Yield 24 pictures with something that moves; whole numbers alone."""
    y, x = np.mgrid[:72, :128]
    for step in range(24):
        red, green, blue = x * 2 + step * 5, y * 3 - step * 4, (x * y) // 16 + step
        yield np.stack([red, green, blue], axis=-1).astype(np.uint8)


def _video() -> list[Given]:
    """Encode pictures and sound, and look at them as an encoder and as a fingerprint does."""
    tones = np.arange(32_000) % 160 / 160 - 0.5
    sound = Soundtrack(tones.astype(np.float32), 16_000, 24_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "moving.mp4"
        rate = Fraction(12)
        encode_h264(path, _moving(), rate, crf=28, keyframe_interval=12, sound=sound)
        return [path.read_bytes(), *pictures(path, 64)]


def _jpeg() -> list[Given]:
    file = io.BytesIO()
    Image.fromarray(next(_moving())).save(file, "JPEG", quality=75)
    return [file.getvalue()]


def _trees() -> list[Given]:
    x = _numbers(600, 8)
    trees = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5, random_state=0)
    return [trees.fit(x, x[:, 0] * x[:, 1]).predict(x)]


def _logistic() -> list[Given]:
    x = _numbers(300, 64)
    return [LogisticRegression(C=0.1, max_iter=300).fit(x, x[:, 0] > 0).coef_]


_PIECES: dict[str, Callable[[], list[Given]]] = {
    "torch: random numbers": lambda: [_drawn(1000)],
    "torch: convolution 3 x 3": lambda: _convolution(32, 64, 3, padding=1),
    "torch: convolution 1 x 1": lambda: _convolution(32, 96, 1),
    "torch: convolution 5 x 5 by channel": lambda: _convolution(32, 32, 5, groups=32),
    "torch: convolution with a stride": lambda: _convolution(3, 32, 3, stride=2),
    "torch: functions of one number": _elementwise,
    "torch: over rows": _over_rows,
    "head: two steps of training": _training,
    "numpy: products": lambda: [
        product(_drawn(480, 512), _drawn(512, 200)),
        product(_drawn(4, 8, 60, 32), _drawn(4, 8, 32, 60)),
        linear(_drawn(7, 33), _drawn(129, 33), _drawn(129)),
        (held := _numbers(300, 512)) @ held.T,
    ],
    "numpy: functions of one number": lambda: [
        function(np.abs(values) + 1)
        for values in (_numbers(1000), _numbers(1000).astype(np.float64))
        for function in (np.exp, np.log, np.log10, np.sin, np.cos, np.sqrt, np.tanh)
    ],
    "numpy: sums": lambda: [
        (held := _numbers(300, 512)).mean(0),
        held.std(1),
        np.linalg.norm(held, axis=1),
    ],
    "numpy: decompositions": lambda: [
        *np.linalg.svd(held := _numbers(64, 200).astype(np.float64)),
        *np.linalg.qr(held),
    ],
    "numpy, scipy: Fourier": lambda: [
        np.fft.rfft(held := _numbers(8, 4096)),
        scipy.fft.rfft(held),
        scipy.fft.dct(held, norm="ortho"),
    ],
    "scikit-learn: trees": _trees,
    "scikit-learn: logistic regression": _logistic,
    "video: encoded, decoded and scaled": _video,
    "pillow: JPEG": _jpeg,
}

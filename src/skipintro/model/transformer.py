"""An `nn.TransformerEncoderLayer` whose dropout costs little on a CPU.

torch draws a number for each element there, one after the other on one thread (on Intel's
processors MKL draws others instead): at the write-up's size 31 million of them in a training step.
Here 16 random bits decide over an element, the same ones on every processor. Without dropout, and
on a GPU, dropout is torch's. Products are the same ones everywhere, too (`core/products.py`).
"""

from typing import Any

import torch
from torch import Tensor, nn

from skipintro.core.products import linear, product

N_STATES = 2**16  # of the random number that decides over an element


class Dropout(nn.Dropout):
    """`nn.Dropout`; on a CPU `p` is rounded to a 65536th."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x, of any shape: each element zero with probability p, else x / (1 - p)."""
        if not self.training or x.device.type != "cpu":
            return super().forward(x)
        n_dropped = min(round(self.p * N_STATES), N_STATES - 1)
        drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        states = drawn.view(torch.int16)[: x.numel()].view(x.shape)
        kept = (states >= n_dropped - N_STATES // 2).to(x.dtype)
        return x * kept.mul_(N_STATES / (N_STATES - n_dropped))


class SelfAttention(nn.MultiheadAttention):
    """`nn.MultiheadAttention` of a sequence to itself, without masks, and with this dropout."""

    def __init__(self, dimension: int, heads: int, dropout: float) -> None:
        super().__init__(dimension, heads, dropout, batch_first=True)
        self.drop = Dropout(dropout)

    def forward(  # type: ignore[override]  # nn.TransformerEncoderLayer hands the rest by name
        self, query: Tensor, key: Tensor, value: Tensor, **rest: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Turn (B, T, D) into (B, T, D); `key` and `value` are `query`, and all masks None."""
        if query.device.type != "cpu":
            return super().forward(query, key, value, **rest)
        projected = linear(query, self.in_proj_weight, self.in_proj_bias)
        q, k, v = (  # (B, heads, T, D / heads)
            part.view(*query.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)
            for part in projected.chunk(3, dim=-1)
        )
        scores = product(q * self.head_dim**-0.5, k.transpose(-2, -1))
        attended = product(self.drop(torch.softmax(scores, dim=-1)), v).transpose(1, 2).flatten(2)
        return linear(attended, self.out_proj.weight, self.out_proj.bias), None


class EncoderLayer(nn.TransformerEncoderLayer):
    """`nn.TransformerEncoderLayer` with both, and torch's defaults for all that is not given."""

    def __init__(self, dimension: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__(dimension, heads, feedforward, dropout, batch_first=True)
        self.self_attn = SelfAttention(dimension, heads, dropout)
        self.dropout, self.dropout1, self.dropout2 = (Dropout(dropout) for _ in range(3))

    def forward(self, src: Tensor, *masks: Any, **rest: Any) -> Tensor:
        """Turn (B, T, D) into (B, T, D); all masks are None."""
        if src.device.type != "cpu":
            return super().forward(src, *masks, **rest)
        attended, _ = self.self_attn(src, src, src)
        x = self.norm1(src + self.dropout1(attended))
        wide = torch.relu(linear(x, self.linear1.weight, self.linear1.bias))
        narrow = linear(self.dropout(wide), self.linear2.weight, self.linear2.bias)
        placed: Tensor = self.norm2(x + self.dropout2(narrow))
        return placed

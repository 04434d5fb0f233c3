"""Trains the head: a plain loop over epochs that can be killed and goes on to the same bytes.

Every epoch draws its order and its dropout from (seed, epoch) alone, so that a checkpoint needs
no state of a random generator, and the first 20 of 40 epochs are those of a run over 20.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.utils import deterministic

from skipintro.core.arithmetic import Arithmetic
from skipintro.core.device import Precision, type_of
from skipintro.core.files import append_sum, atomic_write, is_intact
from skipintro.core.progress import epochs_after
from skipintro.model.config import HeadConfig
from skipintro.model.head import IntroHead
from skipintro.model.metrics import BinaryMetrics, binary_metrics
from skipintro.model.windows import FrameSequence, SplitWindows, window_starts

CHECKPOINT_SHARE = 0.05  # of the training's time; how often changes no result
THRESHOLD = 0.5  # of the per-frame figures while training; the write-up's


class Augmentation(BaseModel):
    """How windows are changed in training, after arXiv 2504.09738; nothing for all zeros."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift_s: int = Field(ge=0)  # that a window starts earlier or later, at most
    substituted_least: float = Field(ge=0, le=1)  # share of its frames that others of the sequence
    substituted_most: float = Field(ge=0, le=1)  # replace, each with the label of its own

    @model_validator(mode="after")
    def _in_order(self) -> "Augmentation":
        if self.substituted_least > self.substituted_most:
            raise ValueError("substituted_least is greater than substituted_most")
        return self


class TrainSettings(BaseModel):
    """What the loop needs to know beside the architecture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int
    seed: int
    batch_size: int
    learning_rate: float
    precision: Precision  # of the arithmetic; the weights that are learnt are in fp32
    stride: int  # frames between windows
    augmentation: Augmentation


class SplitRow(BaseModel):
    """Loss and per-frame figures of one split after an epoch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: float
    metrics: BinaryMetrics


class EpochRow(BaseModel):
    """One epoch. `train` is measured while training, with dropout; `test` after it, without."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    train: SplitRow
    test: SplitRow

    def flat(self) -> dict[str, float]:
        """Return `{"train_loss": …, "train_accuracy": …, …}`, the names used in all logs."""
        return {
            f"{split}_{name}": value
            for split, row in (("train", self.train), ("test", self.test))
            for name, value in {"loss": row.loss, **row.metrics.model_dump()}.items()
        }


class TrainManifest(BaseModel):
    """The inputs of a training, and its results."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: TrainSettings
    windows: dict[str, SplitWindows]
    parameters: int
    weights_sha256: str
    arithmetic: Arithmetic
    versions: dict[str, str]


class Windows:
    """The windows of one sequence, balanced or whole, cut on request."""

    def __init__(
        self, sequence: FrameSequence, length: int, stride: int, device: torch.device
    ) -> None:
        self._frames = torch.from_numpy(sequence.embeddings).to(device)  # (N, D)
        self._labels = torch.from_numpy(sequence.labels).float().to(device)  # (N,)
        self._starts = torch.tensor(window_starts(len(sequence), length, stride), device=device)
        self._offsets = torch.arange(length, device=device)

    def __len__(self) -> int:
        return len(self._starts)

    def batch(self, chosen: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Return embeddings (B, T, D) and labels (B, T) of the chosen windows."""
        frames = self._places(chosen)
        return self._frames[frames], self._labels[frames]

    def augmented_batch(
        self, chosen: NDArray[np.intp], change: Augmentation, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the same, changed at random."""
        shape = (len(chosen), len(self._offsets))
        by = rng.integers(-change.shift_s, change.shift_s + 1, (len(chosen), 1))
        share = rng.uniform(change.substituted_least, change.substituted_most, (len(chosen), 1))
        is_other = torch.from_numpy(rng.random(shape) < share).to(self._labels.device)
        others = torch.from_numpy(rng.integers(len(self._labels), size=shape)).to(is_other.device)
        shifted = self._places(chosen) + torch.from_numpy(by).to(is_other.device)
        inside = shifted - shifted[:, :1].clamp(max=0)  # a window stays whole at either end
        inside -= (inside[:, -1:] - (len(self._labels) - 1)).clamp(min=0)
        frames = torch.where(is_other, others, inside)
        return self._frames[frames], self._labels[frames]

    def _places(self, chosen: NDArray[np.intp]) -> Tensor:
        starts = self._starts[torch.from_numpy(chosen).to(self._starts.device)]
        return starts[:, None] + self._offsets  # (B, T)


def train(
    config: HeadConfig,
    settings: TrainSettings,
    train_sequence: FrameSequence,
    test_sequence: FrameSequence,
    *,
    device: torch.device,
    checkpoint: Path,
    on_epoch: Callable[[EpochRow], None],
) -> tuple[IntroHead, list[EpochRow]]:
    """Return the trained head and its history.

    After an epoch, but for CHECKPOINT_SHARE of the time at most, the state is stored at
    `checkpoint`; where there is one, the loop goes on from it and calls `on_epoch` for its
    epochs again, in order. Logs a warning for a damaged one, and training begins again.
    """
    torch.use_deterministic_algorithms(mode=True)
    # Takes a tenth of a step, and nothing here reads memory that it has not written.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch's
    head, optimizer, history = _start(config, settings, checkpoint, device)
    for row in history:
        on_epoch(row)
    learner = Learner(head, optimizer, settings.precision)
    train_windows = Windows(train_sequence, config.length, settings.stride, device)
    test_windows = Windows(test_sequence, config.length, settings.stride, device)
    next_checkpoint = time.monotonic()
    for epoch in epochs_after(len(history), settings.epochs):
        row = EpochRow(
            epoch=epoch,
            train=_train_epoch(learner, train_windows, settings, epoch),
            test=evaluate_windows(head, test_windows, settings.batch_size),
        )
        history.append(row)
        if epoch < settings.epochs and time.monotonic() >= next_checkpoint:
            began = time.monotonic()
            _store(checkpoint, head, optimizer, history)
            ended = time.monotonic()
            next_checkpoint = ended + (ended - began) / CHECKPOINT_SHARE
        on_epoch(row)
    return head, history


def _train_epoch(
    learner: "Learner", windows: Windows, settings: TrainSettings, epoch: int
) -> SplitRow:
    rng = np.random.default_rng([settings.seed, epoch])
    torch.manual_seed(int(rng.integers(2**63)))  # dropout
    order = rng.permutation(len(windows))
    tally = _Tally()
    for first in range(0, len(order), settings.batch_size):
        chosen = order[first : first + settings.batch_size]
        frames, labels = windows.augmented_batch(chosen, settings.augmentation, rng)
        tally.add(*learner.step(frames, labels), labels)
    return tally.row()


class Learner:
    """Takes training steps: forward and backward in one precision, the weights' update in fp32.

    In bf16 a copy of the head does the arithmetic, and its gradients go to the head: mixed
    precision as in https://arxiv.org/abs/1710.03740, which needs no scaling of a loss in bf16.
    """

    def __init__(
        self, head: IntroHead, optimizer: torch.optim.Optimizer, precision: Precision
    ) -> None:
        self._optimizer = optimizer
        self._type = type_of(precision)
        self._worker = head if precision == "fp32" else deepcopy(head).to(self._type)
        self._pairs = (
            []
            if precision == "fp32"
            else list(zip(head.parameters(), self._worker.parameters(), strict=True))
        )

    def step(self, frames: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from embeddings (B, T, D) and labels (B, T); return the loss and logits (B, T)."""
        self._worker.train()
        logits = self._worker(frames.to(self._type)).float()  # (B, T)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        self._worker.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's method
        for learnt, worked in self._pairs:
            learnt.grad = None if worked.grad is None else worked.grad.float()
        self._optimizer.step()
        with torch.no_grad():
            for learnt, worked in self._pairs:
                worked.copy_(learnt)
        return loss, logits


def evaluate_windows(head: IntroHead, windows: Windows, batch_size: int) -> SplitRow:
    """Measure a head on windows, without dropout."""
    head.eval()
    tally = _Tally()
    with torch.inference_mode():
        for first in range(0, len(windows), batch_size):
            frames, labels = windows.batch(np.arange(first, min(first + batch_size, len(windows))))
            logits = head(frames)
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
            tally.add(loss, logits, labels)
    return tally.row()


class _Tally:
    """Collects batches; frames that are in several windows count in each, as in the write-up."""

    def __init__(self) -> None:
        self._loss, self._windows = 0.0, 0
        self._truth: list[NDArray[np.bool_]] = []
        self._predicted: list[NDArray[np.bool_]] = []

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self._loss += loss.item() * len(labels)
        self._windows += len(labels)
        self._truth.append((labels > 0).cpu().numpy())
        self._predicted.append((torch.sigmoid(logits.detach()) >= THRESHOLD).cpu().numpy())

    def row(self) -> SplitRow:
        metrics = binary_metrics(np.concatenate(self._truth), np.concatenate(self._predicted))
        return SplitRow(loss=self._loss / self._windows, metrics=metrics)


def _store(
    path: Path, head: IntroHead, optimizer: torch.optim.Optimizer, history: list[EpochRow]
) -> None:
    state = {
        "head": head.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": [row.model_dump() for row in history],
    }
    with atomic_write(path) as draft:
        try:
            with draft.open("wb") as file:
                torch.save(state, file)
        except RuntimeError as error:  # torch closes its archive, though the disk takes no more
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
        append_sum(draft)


def _start(
    config: HeadConfig, settings: TrainSettings, checkpoint: Path, device: torch.device
) -> tuple[IntroHead, torch.optim.Optimizer, list[EpochRow]]:
    """Return head, optimizer and history from the checkpoint; fresh ones without an intact one."""
    head, optimizer = _fresh(config, settings, device)
    if not is_intact(checkpoint):
        return head, optimizer, []
    state = torch.load(checkpoint, map_location=device, weights_only=True)
    history = [EpochRow.model_validate(row) for row in state["history"]]
    head.load_state_dict(state["head"])
    optimizer.load_state_dict(state["optimizer"])
    return head, optimizer, history


def _fresh(
    config: HeadConfig, settings: TrainSettings, device: torch.device
) -> tuple[IntroHead, torch.optim.Optimizer]:
    torch.manual_seed(settings.seed)
    head = IntroHead(config).to(device)
    return head, torch.optim.Adam(head.parameters(), lr=settings.learning_rate, fused=True)

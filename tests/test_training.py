"""The training loop: what it learns, that it goes on to the same bytes, and what it counts."""

import errno
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from conftest import tiny_config
from damage_cases import flip_bit
from disk_cases import filled, small_disk
from skipintro.model import training
from skipintro.model.head import IntroHead
from skipintro.model.training import (
    Augmentation,
    EpochRow,
    SplitRow,
    TrainSettings,
    Windows,
    evaluate_windows,
    train,
)
from skipintro.model.windows import FrameSequence
from torch_cases import torch_threads

CPU = torch.device("cpu")
NONE = Augmentation(shift_s=0, substituted_least=0, substituted_most=0)
CONFIG = tiny_config()


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Two threads only wait for each other at this size."""
    with torch_threads(1):
        yield


@pytest.fixture(autouse=True)
def a_checkpoint_after_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", math.inf)


def settings(**changes: Any) -> TrainSettings:
    fields = {
        "epochs": 4,
        "seed": 0,
        "batch_size": 4,
        "learning_rate": 0.01,
        "precision": "fp32",
        "stride": 2,
        "augmentation": NONE,
    }
    return TrainSettings.model_validate({**fields, **changes})


def separable(n_frames: int = 48, seed: int = 0) -> FrameSequence:
    """Return 6 frames of intro and 6 of film by turns; the sign of the first feature tells them."""
    labels = (np.arange(n_frames) // 6 % 2 == 0).astype(np.uint8)
    embeddings = np.random.default_rng(seed).normal(0, 0.3, (n_frames, 8)).astype(np.float32)
    embeddings[:, 0] += np.where(labels, 1, -1)
    return FrameSequence(
        embeddings=embeddings,
        labels=labels,
        episodes=np.zeros(n_frames, np.int32),
        seconds=np.arange(n_frames, dtype=np.int32),
        ids=("one",),
    )


def run(
    checkpoint: Path, on_epoch: Any = lambda row: None, **changes: Any
) -> tuple[IntroHead, list[EpochRow]]:
    return train(
        CONFIG,
        settings(**changes),
        separable(),
        separable(24, seed=1),
        device=CPU,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
    )


def same_weights(first: IntroHead, second: IntroHead) -> bool:
    one, two = first.state_dict(), second.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def break_off_after(n_epochs: int) -> Any:
    def on_epoch(row: EpochRow) -> None:
        if row.epoch == n_epochs:
            raise KeyboardInterrupt

    return on_epoch


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_separable_toy_is_learnt(tmp_path: Path, precision: str) -> None:
    _, history = run(tmp_path / "c.pt", epochs=12, precision=precision)
    losses = [row.train.loss for row in history]
    assert losses[-1] < losses[0] / 3
    assert history[-1].test.metrics.f1 > 0.95
    assert history[-1].test.loss < history[0].test.loss


def test_each_epoch_is_told_once_and_in_order(tmp_path: Path) -> None:
    told: list[EpochRow] = []
    _, history = run(tmp_path / "c.pt", told.append)
    assert told == history
    assert [row.epoch for row in told] == [1, 2, 3, 4]


def test_the_same_settings_give_the_same_weights_and_figures(tmp_path: Path) -> None:
    first, first_history = run(tmp_path / "1.pt")
    torch.manual_seed(99)  # what ran before does not matter
    torch.rand(7)
    second, second_history = run(tmp_path / "2.pt")
    assert same_weights(first, second)
    assert first_history == second_history


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"learning_rate": 0.02},
        {"batch_size": 3},
        {"stride": 3},
        {"precision": "bf16"},
        {"augmentation": NONE.model_copy(update={"shift_s": 5})},
        {"augmentation": NONE.model_copy(update={"substituted_most": 0.3})},
    ],
)
def test_another_setting_gives_other_weights(tmp_path: Path, change: dict[str, Any]) -> None:
    first, _ = run(tmp_path / "1.pt")
    second, _ = run(tmp_path / "2.pt", **change)
    assert not same_weights(first, second)


def numbered_windows(n_frames: int) -> Windows:
    """Return windows of 6 frames whose one feature is their number; every third frame is intro."""
    numbers = np.arange(n_frames)
    sequence = FrameSequence(
        embeddings=numbers[:, None].astype(np.float32),
        labels=(numbers % 3 == 0).astype(np.uint8),
        episodes=np.zeros(n_frames, np.int32),
        seconds=numbers.astype(np.int32),
        ids=("one",),
    )
    return Windows(sequence, 6, 1, CPU)


def changed(windows: Windows, **change: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the numbers of the frames of all windows, changed, and of those that were there."""
    every = np.arange(len(windows))
    augmentation = Augmentation.model_validate({**NONE.model_dump(), **change})
    frames, labels = windows.augmented_batch(every, augmentation, np.random.default_rng(0))
    numbers = frames.squeeze(-1).numpy().astype(int)
    assert np.array_equal(labels.numpy(), numbers % 3 == 0)  # each frame has its own label
    return numbers, windows.batch(every)[0].squeeze(-1).numpy().astype(int)


def test_without_augmentation_a_window_is_what_it_is() -> None:
    numbers, before = changed(numbered_windows(40))
    assert np.array_equal(numbers, before)


def test_a_shifted_window_stays_whole_within_the_sequence() -> None:
    numbers, before = changed(numbered_windows(40), shift_s=5)
    assert np.all(np.diff(numbers) == 1)
    assert (numbers.min(), numbers.max()) == (0, 39)
    by = numbers[:, 0] - before[:, 0]
    assert set(by) == set(range(-5, 6))


def test_a_share_of_the_frames_is_substituted_by_others_of_the_sequence() -> None:
    numbers, before = changed(numbered_windows(4000), substituted_least=0.1, substituted_most=0.3)
    share = (numbers != before).mean()
    assert 0.18 < share < 0.22
    assert {*numbers.ravel()} > {*range(100)}


def test_the_first_epochs_of_a_longer_run_are_those_of_the_shorter(tmp_path: Path) -> None:
    _, shorter = run(tmp_path / "1.pt", epochs=3)
    _, longer = run(tmp_path / "2.pt", epochs=6)
    assert longer[:3] == shorter


def test_weights_learnt_in_bf16_are_kept_in_fp32_and_stay_near_those_of_fp32(
    tmp_path: Path,
) -> None:
    """A step of 1e-5 is lost on a weight in bf16, which has 8 bits, and not on one in fp32."""
    start, _ = run(tmp_path / "0.pt", epochs=1, learning_rate=1e-12)
    exact, _ = run(tmp_path / "1.pt", epochs=3, learning_rate=1e-5)
    mixed, _ = run(tmp_path / "2.pt", epochs=3, learning_rate=1e-5, precision="bf16")
    assert {weights.dtype for weights in mixed.parameters()} == {torch.float32}
    begun, learnt, near = (
        nn.utils.parameters_to_vector(head.parameters()).detach() for head in (start, exact, mixed)
    )
    assert (learnt - begun).abs().max() > 3e-5
    assert (near - learnt).norm() < (learnt - begun).norm() / 2


@pytest.mark.parametrize(("n_epochs", "precision"), [(1, "fp32"), (3, "fp32"), (2, "bf16")])
def test_a_run_that_was_broken_off_goes_on_to_the_bytes_of_an_unbroken_one(
    tmp_path: Path, n_epochs: int, precision: str
) -> None:
    unbroken, history = run(tmp_path / "unbroken.pt", precision=precision)
    checkpoint = tmp_path / "broken.pt"
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, break_off_after(n_epochs), precision=precision)
    told: list[EpochRow] = []
    resumed, resumed_history = run(checkpoint, told.append, precision=precision)
    assert same_weights(resumed, unbroken)
    assert resumed_history == told == history


def test_a_run_that_goes_on_does_only_the_epochs_that_lack(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = tmp_path / "c.pt"
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, break_off_after(3))
    with caplog.at_level(logging.INFO, logger="skipintro"):
        run(checkpoint)
    assert "going on after epoch 3" in caplog.text


@pytest.mark.parametrize("free", [0, 1, 2, 3])  # pages of 4 KB; a checkpoint takes some more
def test_a_checkpoint_that_finds_no_room_says_so_and_leaves_nothing(
    tmp_path: Path, free: int
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "1m"), filled(disk, free * 4096):
        with pytest.raises(OSError) as caught:  # noqa: PT011  its errno says which
            run(disk / "c.pt")
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(disk / "c.pt")
        assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_how_often_a_checkpoint_is_written_changes_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    often, history = run(tmp_path / "often.pt")
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", 1e-9)
    checkpoint = tmp_path / "seldom.pt"
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, break_off_after(3))
    with caplog.at_level(logging.INFO, logger="skipintro"):
        seldom, seldom_history = run(checkpoint)
    assert "going on after epoch 1" in caplog.text
    assert same_weights(often, seldom)
    assert seldom_history == history


def cut_in_the_middle(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_nonsense(path: Path) -> None:
    path.write_bytes(b"nonsense")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_one_bit(path: Path) -> None:
    flip_bit(path, seed=1)


@pytest.mark.parametrize(
    "damage",
    [cut_in_the_middle, write_nonsense, empty, flip_one_bit],
)
def test_a_broken_checkpoint_is_told_and_training_begins_anew(
    tmp_path: Path, damage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    unbroken, history = run(tmp_path / "unbroken.pt")
    checkpoint = tmp_path / "broken.pt"
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, break_off_after(2))
    damage(checkpoint)
    anew, anew_history = run(checkpoint)
    assert f"{checkpoint}: damaged" in caplog.text
    assert same_weights(anew, unbroken)
    assert anew_history == history


def slow_recount(
    head: IntroHead, sequence: FrameSequence, length: int, stride: int
) -> tuple[float, dict[str, float]]:
    """Return the mean loss and the figures of every frame of every window, counted one by one."""
    losses: list[float] = []
    right = true_positive = said = meant = 0
    for start in range(0, len(sequence) - length + 1, stride):
        frames = torch.from_numpy(sequence.embeddings[start : start + length])
        with torch.inference_mode():
            probabilities = torch.sigmoid(head.eval()(frames[None])[0].double()).tolist()
        for label, probability in zip(
            sequence.labels[start : start + length], probabilities, strict=True
        ):
            losses.append(-np.log(probability if label else 1 - probability))
            intro = probability >= 0.5
            right += intro == bool(label)
            true_positive += intro and bool(label)
            said += intro
            meant += bool(label)
    precision = true_positive / said if said else 0.0
    recall = true_positive / meant if meant else 0.0
    return float(np.mean(losses)), {
        "accuracy": right / len(losses),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    }


@pytest.mark.parametrize(("n_frames", "stride", "batch_size"), [(24, 2, 4), (23, 5, 3), (6, 1, 8)])
def test_a_row_s_figures_equal_a_slow_recount(n_frames: int, stride: int, batch_size: int) -> None:
    torch.manual_seed(3)
    head = IntroHead(CONFIG)
    sequence = separable(n_frames, seed=2)
    row = evaluate_windows(head, Windows(sequence, CONFIG.length, stride, CPU), batch_size)
    loss, figures = slow_recount(head, sequence, CONFIG.length, stride)
    assert row.loss == pytest.approx(loss, rel=1e-5)
    assert row.metrics.model_dump() == pytest.approx(figures)


def test_the_last_row_s_test_figures_are_those_of_the_head_that_is_given(tmp_path: Path) -> None:
    head, history = run(tmp_path / "c.pt")
    loss, figures = slow_recount(head, separable(24, seed=1), CONFIG.length, 2)
    assert history[-1].test.loss == pytest.approx(loss, rel=1e-5)
    assert history[-1].test.metrics.model_dump() == pytest.approx(figures)


def test_the_train_row_is_measured_before_each_step(tmp_path: Path) -> None:
    # One batch of all windows, no dropout: the loss of the first epoch is the fresh head's.
    config = CONFIG.model_copy(update={"dropout": 0.0})
    sequence = separable()
    torch.manual_seed(0)
    fresh = IntroHead(config)
    loss, figures = slow_recount(fresh, sequence, config.length, 2)
    _, history = train(
        config,
        settings(epochs=1, batch_size=1000),
        sequence,
        sequence,
        device=CPU,
        checkpoint=tmp_path / "c.pt",
        on_epoch=lambda row: None,
    )
    assert history[0].train.loss == pytest.approx(loss, rel=1e-5)
    assert history[0].train.metrics.model_dump() == pytest.approx(figures)
    assert history[0].test.loss < loss


def test_windows_are_cut_at_their_starts_and_may_span_episodes() -> None:
    embeddings: NDArray[np.float32] = np.arange(20, dtype=np.float32).reshape(10, 2)
    labels = np.array([1, 1, 1, 0, 0, 0, 1, 1, 0, 0], np.uint8)
    seconds = np.array([0, 1, 2, 3, 4, 5, 0, 1, 2, 3], np.int32)
    episodes = np.array([0] * 6 + [1] * 4, np.int32)
    sequence = FrameSequence(embeddings, labels, episodes, seconds, ("one", "two"))
    windows = Windows(sequence, 4, 3, CPU)
    assert len(windows) == 3  # at 0, 3 and 6
    frames, found = windows.batch(np.array([2, 1]))
    assert frames[:, :, 0].tolist() == [[12, 14, 16, 18], [6, 8, 10, 12]]
    assert found.tolist() == [[1, 1, 0, 0], [0, 0, 0, 1]]


def test_a_row_s_flat_names_are_those_of_all_logs(tmp_path: Path) -> None:
    _, history = run(tmp_path / "c.pt", epochs=1)
    row = history[0]
    figures = ("loss", "accuracy", "precision", "recall", "f1")
    assert list(row.flat()) == [
        f"{split}_{name}" for split in ("train", "test") for name in figures
    ]
    assert row.flat()["test_loss"] == row.test.loss
    assert row.flat()["train_f1"] == row.train.metrics.f1
    assert isinstance(row.test, SplitRow)

"""Balanced sequences of embeddings, and the windows that the head is trained on."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from skipintro.core.errors import InputError
from skipintro.episodes.embeddings import EncoderIdentity


@dataclass(frozen=True)
class BalancedSequence:
    """Intro frames and as many film frames after each, all episodes one after the other.

    embeddings: float32 (N, D); labels: uint8 (N,), 1 for intro; episodes: int32 (N,), index into
    `ids`; seconds: int32 (N,), the frame within its episode.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.uint8]
    episodes: NDArray[np.int32]
    seconds: NDArray[np.int32]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def without(self, ids: Collection[str]) -> "BalancedSequence":
        """Give the sequence without the frames of some episodes; the indices stay as they are."""
        keep = np.array([i for i, id_ in enumerate(self.ids) if id_ not in ids], np.int32)
        kept = np.isin(self.episodes, keep)
        return replace(
            self,
            embeddings=self.embeddings[kept],
            labels=self.labels[kept],
            episodes=self.episodes[kept],
            seconds=self.seconds[kept],
        )


class SplitWindows(BaseModel):
    """Counts of one split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: int
    frames: int
    windows: int


class WindowManifest(BaseModel):
    """What the window stage made, and the facts about it that the later stages need."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int  # frames
    stride: int
    encoder: EncoderIdentity
    splits: dict[str, SplitWindows]
    leaked: list[str]
    left_out: dict[str, str]  # `<split>/<id>`: why
    versions: dict[str, str]


def balanced_frames(intro: range, n_seconds: int) -> range:
    """Give the frames of one episode: its intro, then as many film frames, fewer at its end."""
    return range(intro.start, min(intro.stop + len(intro), n_seconds))


def balanced_sequence(
    episodes: Iterable[tuple[str, range, NDArray[np.float32]]], dimension: int
) -> BalancedSequence:
    """Build the sequence from (id, intro frames, embeddings (n_seconds, D)) of each episode."""
    chosen = [
        (episode, intro, balanced_frames(intro, len(vectors)), vectors)
        for episode, intro, vectors in episodes
        if len(intro)
    ]
    empty = np.empty((0, dimension), np.float32)
    return BalancedSequence(
        embeddings=np.concatenate([empty, *(v[f.start : f.stop] for _, _, f, v in chosen)]),
        labels=np.array([k in intro for _, intro, f, _ in chosen for k in f], np.uint8),
        episodes=np.array([i for i, c in enumerate(chosen) for _ in c[2]], np.int32),
        seconds=np.array([k for _, _, f, _ in chosen for k in f], np.int32),
        ids=tuple(episode for episode, *_ in chosen),
    )


def window_starts(n_frames: int, length: int, stride: int) -> range:
    """Give the first frames of all whole windows: `range(0, n_frames - length + 1, stride)`."""
    return range(0, n_frames - length + 1, stride)


def covering_starts(n_frames: int, length: int, stride: int) -> list[int]:
    """Give window starts that cover every frame: a last window ends with the last frame.

    A sequence shorter than a window is one short window. Raises InputError where the windows
    would leave frames out.
    """
    if stride > length:
        raise InputError(
            f"params.yaml: evaluate.stride: {stride} is longer than the model's window of {length} "
            f"frames, so that frames would lie in none; choose {length} or less"
        )
    starts = list(window_starts(n_frames, length, stride)) or [0]
    last = max(0, n_frames - length)
    return starts if starts[-1] == last else [*starts, last]


def write_sequence(path: Path, sequence: BalancedSequence) -> None:
    """Write an uncompressed .npz; the same bytes for the same content."""
    with path.open("wb") as file:
        np.savez(
            file,
            embeddings=sequence.embeddings,
            labels=sequence.labels,
            episodes=sequence.episodes,
            seconds=sequence.seconds,
            ids=np.array(sequence.ids, dtype=np.str_),
        )


def read_sequence(path: Path) -> BalancedSequence:
    """Read what `write_sequence` wrote. Raises InputError where the file is missing or broken."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return BalancedSequence(
                embeddings=arrays["embeddings"],
                labels=arrays["labels"],
                episodes=arrays["episodes"],
                seconds=arrays["seconds"],
                ids=tuple(arrays["ids"].tolist()),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `dvc repro`") from error

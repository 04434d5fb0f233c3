"""Sequences of embeddings, and the windows of them that the head is trained on."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from skipintro.core.errors import InputError
from skipintro.episodes.embeddings import EncoderIdentity

LabelledVectors = tuple[str, range, NDArray[np.float32]]  # id, intro frames, (n_seconds, D)


@dataclass(frozen=True)
class FrameSequence:
    """Labelled frames, all episodes one after the other.

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

    def without(self, ids: Collection[str]) -> "FrameSequence":
        """Return the sequence without the frames of some episodes; the indices stay as they are."""
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
    """Return the frames of one episode: its intro, then as many film frames, fewer at its end."""
    return range(intro.start, min(intro.stop + len(intro), n_seconds))


def balanced_sequence(episodes: Iterable[LabelledVectors], dimension: int) -> FrameSequence:
    """Return intro frames and as many film frames after each; the write-up's sequence."""
    return _sequence(
        (
            (id_, intro, balanced_frames(intro, len(vectors)), vectors)
            for id_, intro, vectors in episodes
            if len(intro)
        ),
        dimension,
    )


def whole_sequence(episodes: Iterable[LabelledVectors], dimension: int) -> FrameSequence:
    """Return every frame of every episode, those without an intro too."""
    return _sequence(
        ((id_, intro, range(len(vectors)), vectors) for id_, intro, vectors in episodes), dimension
    )


def _sequence(
    chosen: Iterable[tuple[str, range, range, NDArray[np.float32]]], dimension: int
) -> FrameSequence:
    """Put the chosen frames together, of (id, intro frames, chosen frames, vectors).

    No more than one episode's other frames are in memory.
    """
    ids: list[str] = []
    embeddings = [np.empty((0, dimension), np.float32)]
    labels, episodes = [np.empty(0, np.uint8)], [np.empty(0, np.int32)]
    seconds = [np.empty(0, np.int32)]
    for number, (id_, intro, frames, vectors) in enumerate(chosen):
        k = np.arange(frames.start, frames.stop, dtype=np.int32)
        ids.append(id_)
        embeddings.append(vectors[frames.start : frames.stop].copy())
        labels.append(((k >= intro.start) & (k < intro.stop)).astype(np.uint8))
        episodes.append(np.full(len(k), number, np.int32))
        seconds.append(k)
    return FrameSequence(
        embeddings=np.concatenate(embeddings),
        labels=np.concatenate(labels),
        episodes=np.concatenate(episodes),
        seconds=np.concatenate(seconds),
        ids=tuple(ids),
    )


def window_starts(n_frames: int, length: int, stride: int) -> range:
    """Return the first frames of all whole windows: `range(0, n_frames - length + 1, stride)`."""
    return range(0, n_frames - length + 1, stride)


def covering_starts(n_frames: int, length: int, stride: int) -> list[int]:
    """Return window starts that cover every frame: a last window ends with the last frame.

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


def write_sequence(path: Path, sequence: FrameSequence) -> None:
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


def read_sequence(path: Path) -> FrameSequence:
    """Read what `write_sequence` wrote. Raises InputError where the file is missing or broken."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return FrameSequence(
                embeddings=arrays["embeddings"],
                labels=arrays["labels"],
                episodes=arrays["episodes"],
                seconds=arrays["seconds"],
                ids=tuple(arrays["ids"].tolist()),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `dvc repro`") from error

"""Vectors of a whole video and of its beginning, by an encoder that gives the mean colour."""

import time
from fractions import Fraction
from pathlib import Path
from threading import Lock

import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import EMBEDDING, ENCODER
from skipintro.core.device import Precision
from skipintro.encoder.embedding import embed_video
from skipintro.episodes.search import Search, searched_seconds, seconds_to_decode
from skipintro.video.container import VideoError
from skipintro.video.encoding import encode_h264
from torch_cases import torch_threads


class MeanColour:
    identity = ENCODER
    precision: Precision = "fp32"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(pictures))
        return np.asarray(pictures.mean(axis=(1, 2)), np.float32)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds that grow lighter by 20 each second, at 2 frames a second."""
    path = tmp_path_factory.mktemp("videos") / "lighter.mp4"
    frames = (np.full((32, 32, 3), 20 * (index // 2), np.uint8) for index in range(20))
    encode_h264(path, frames, Fraction(2), crf=1, keyframe_interval=4)
    return path


@pytest.mark.parametrize(("batch_size", "batches"), [(1, [1] * 10), (4, [4, 4, 2]), (32, [10])])
def test_vectors_come_in_order_whatever_the_batches(
    video: Path, batch_size: int, batches: list[int]
) -> None:
    encoder = MeanColour()
    vectors = embed_video(video, encoder, batch_size)
    np.testing.assert_allclose(vectors[:, 0], np.arange(0, 200, 20), atol=4)
    assert encoder.batches == batches


def test_of_the_beginning_no_more_is_encoded(video: Path) -> None:
    encoder = MeanColour()
    vectors = embed_video(video, encoder, 2, 3)
    assert encoder.batches == [2, 1]
    np.testing.assert_array_equal(vectors, embed_video(video, MeanColour(), 32)[:3])


def test_of_one_video_few_batches_are_held_however_many_threads_there_are(video: Path) -> None:
    class Slow(MeanColour):
        running = most = 0
        lock = Lock()

        def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            time.sleep(0.1)
            with self.lock:
                self.running -= 1
                return super().encode(pictures)

    encoder = Slow()
    with torch_threads(8):
        vectors = embed_video(video, encoder, 1)
    np.testing.assert_array_equal(vectors, embed_video(video, MeanColour(), 32))
    assert encoder.most <= 4


@pytest.mark.parametrize(
    ("search", "n_seconds", "expected"),
    [
        ("whole", 2700, 2700),
        ("first-quarter", 2700, 675),
        ("first-quarter", 9, 3),
        (600, 2700, 600),
        (600, 599, 599),
    ],
)
def test_what_is_searched_is_no_longer_than_the_episode(
    search: Search, n_seconds: int, expected: int
) -> None:
    assert searched_seconds(search, n_seconds) == expected


def test_what_stops_decoding_in_the_middle_reaches_the_caller(video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    content = video.read_bytes()
    broken.write_bytes(content[: len(content) // 3])
    with pytest.raises(VideoError, match=r"broken\.mkv"):
        embed_video(broken, MeanColour(), 2)


@pytest.mark.parametrize(
    ("search", "length_s", "decoded", "looked_at"),
    [
        ("whole", 8.2, None, 9),
        ("whole", None, None, 9),
        ("first-quarter", 8.2, 3, 3),
        ("first-quarter", None, None, 3),  # a quarter of what was decoded
        (4, 8.2, 4, 4),
        (4, None, 4, 4),
        (400, None, 400, 9),
    ],
)
def test_as_much_is_looked_at_without_a_length_as_with_one(
    search: Search, length_s: float | None, decoded: int | None, looked_at: int
) -> None:
    config = EMBEDDING.model_copy(update={"search": search})
    assert seconds_to_decode(search, length_s) == decoded
    vectors = np.zeros((9, 2), np.float32)[:decoded]
    assert len(config.looked_at(vectors, length_s)) == looked_at

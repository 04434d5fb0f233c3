"""From a video file to one vector a second."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skipintro.encoder import Encoder
from skipintro.episodes.video import Picture, pictures


def embed_video(path: Path, encoder: Encoder, batch_size: int) -> NDArray[np.float32]:
    """Give the vectors of t = 0, 1, 2 … s as float32 (n_seconds, dimension).

    Only one batch of pictures is in memory at a time. Raises VideoError where decoding fails.
    """
    stream = pictures(path, encoder.identity.image_size)
    return np.concatenate([encoder.encode(batch) for batch in _batches(stream, batch_size)])


def _batches(stream: Iterator[Picture], size: int) -> Iterator[NDArray[np.uint8]]:
    while batch := list(islice(stream, size)):
        yield np.stack(batch)

"""From a video file to one vector a second."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from skipintro.encoder import Encoder
from skipintro.episodes.video import Picture, pictures

# The part of an episode that is looked at, from its beginning; a number is of seconds.
Search = Literal["whole", "first-quarter"] | Annotated[int, Field(ge=1)]


def searched_seconds(search: Search, n_seconds: int) -> int:
    """Give how many seconds of an episode are looked at."""
    if search == "whole":
        return n_seconds
    if search == "first-quarter":
        return math.ceil(n_seconds / 4)
    return min(search, n_seconds)


def embed_video(
    path: Path, encoder: Encoder, batch_size: int, n_seconds: int | None = None
) -> NDArray[np.float32]:
    """Give the vectors of t = 0, 1, 2 … s as float32 (n_seconds, dimension).

    The next batch of pictures is decoded while one is encoded; no more are in memory. `None`
    seconds are all of them. Raises VideoError where decoding fails.
    """
    stream = islice(pictures(path, encoder.identity.image_size), n_seconds)
    vectors = []
    with ThreadPoolExecutor(1, thread_name_prefix="decoding") as decoding:
        batch = _batch(stream, batch_size)
        while batch is not None:
            following = decoding.submit(_batch, stream, batch_size)
            vectors.append(encoder.encode(batch))
            batch = following.result()
    return np.concatenate(vectors)


def _batch(stream: Iterator[Picture], size: int) -> NDArray[np.uint8] | None:
    batch = list(islice(stream, size))
    return np.stack(batch) if batch else None

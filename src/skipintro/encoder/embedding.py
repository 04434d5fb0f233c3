"""From a video file to one vector a second."""

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from skipintro.encoder import Encoder
from skipintro.episodes.catalog import USUAL_LIMITS, DecodingLimits
from skipintro.episodes.decoder import pictures
from skipintro.episodes.video import Picture

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
    path: Path,
    encoder: Encoder,
    batch_size: int,
    n_seconds: int | None = None,
    limits: DecodingLimits = USUAL_LIMITS,
) -> NDArray[np.float32]:
    """Give the vectors of t = 0, 1, 2 … s as float32 (n_seconds, dimension).

    The decoder is ahead by some pictures, whatever the length. `None` seconds are all of them.
    Raises VideoError where decoding fails.
    """
    stream = pictures(path, encoder.identity.image_size, n_seconds, limits)
    return np.concatenate([encoder.encode(batch) for batch in _batches(stream, batch_size)])


def _batches(stream: Iterator[Picture], size: int) -> Iterator[NDArray[np.uint8]]:
    while batch := list(islice(stream, size)):
        yield np.stack(batch)

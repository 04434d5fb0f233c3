"""From a video file to one vector a second."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Barrier, Lock

import numpy as np
import torch
from numpy.typing import NDArray

from skipintro.encoder import Encoder
from skipintro.video.info import USUAL_LIMITS, DecodingLimits
from skipintro.video.isolated_decode import pictures
from skipintro.video.scaling import Picture

# Batches of one video that wait or are encoded. Its decoders feed no more, and where many videos
# are embedded at once, memory grows with this.
_MOST_RUNNING = 4


def embed_video(
    path: Path,
    encoder: Encoder,
    batch_size: int,
    n_seconds: int | None = None,
    limits: DecodingLimits = USUAL_LIMITS,
) -> NDArray[np.float32]:
    """Return the vectors of t = 0, 1, 2 … s as float32 (n_seconds, dimension).

    The decoder is ahead by some pictures, whatever the length. `None` seconds are all of them.
    Raises VideoError where decoding fails.
    """
    stream = pictures(path, encoder.identity.image_size, n_seconds, limits)
    return np.concatenate(list(encoded(_batches(stream, batch_size), encoder)))


def _batches(stream: Iterator[Picture], size: int) -> Iterator[NDArray[np.uint8]]:
    while batch := list(islice(stream, size)):
        yield np.stack(batch)


def encoded(
    batches: Iterator[NDArray[np.uint8]], encoder: Encoder
) -> Iterator[NDArray[np.float32]]:
    """Yield the vectors of uint8 (B, S, S, 3) batches, in their order.

    As many are encoded side by side as torch has threads, but four at most: a number that shows in
    no byte.
    """
    with _looking:  # while threads are made, torch returns their number, which is not ours
        n_threads = torch.get_num_threads()
        pool = _pool(n_threads)
    running: deque[Future[NDArray[np.float32]]] = deque()
    for batch in batches:
        running.append(pool.submit(encoder.encode, batch))
        if len(running) == min(n_threads, _MOST_RUNNING):
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


_looking = Lock()


@cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    """Return threads that do all arithmetic of a batch alone.

    Where a batch is split among threads they wait for each other, and for the decoder's that
    share the cores with them; and sums are split by their number.
    """
    all_there = Barrier(n_threads)

    def begin(_: int) -> None:
        torch.get_num_threads()  # a thread's first look takes over the number of the process
        torch.set_num_threads(1)
        all_there.wait()

    pool = ThreadPoolExecutor(n_threads)
    list(pool.map(begin, range(n_threads)))
    torch.set_num_threads(n_threads)  # of this thread, and of later ones
    return pool

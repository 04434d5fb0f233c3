"""The part of an episode that is looked at, from its beginning."""

import math
from typing import Annotated, Literal

from pydantic import Field

Search = Literal["whole", "first-quarter"] | Annotated[int, Field(ge=1)]  # a number is of seconds


def searched_seconds(search: Search, n_seconds: int) -> int:
    """Return how many of an episode's seconds are looked at."""
    if search == "whole":
        return n_seconds
    if search == "first-quarter":
        return math.ceil(n_seconds / 4)
    return min(search, n_seconds)


def seconds_to_decode(search: Search, length_s: float | None) -> int | None:
    """Return how many seconds of a video are decoded; None: all there are.

    Without a length, a first quarter is known at the end alone.
    """
    if isinstance(search, int) and length_s is None:
        return search
    if search == "whole" or length_s is None:
        return None
    return searched_seconds(search, math.ceil(length_s))

"""The further openings of a file that holds several episodes, beside the one that ranks best.

Rankers learn that an episode has one opening, and grade a second one low. What shows it is that
the file plays its own opening again, where a candidate of about the same length lies.
"""

import re
from collections.abc import Sequence
from statistics import median_low

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skipintro.detectors.candidates import Candidates
from skipintro.episodes.naming import n_named

# A name that may number several episodes: guessit takes 8 ms a name, and most number one.
_MAY_NUMBER_SEVERAL = re.compile(
    r"(?:e|ep|episode|x|\b)\d{1,3}[\s._]*(?:[-–&+~,]|and|to|ep?)+[\s._]*"
    r"(?:s\d{1,2}[\s._]*)?(?:\d{1,2}x|ep?|x)?[\s._]*\d{1,3}(?!\d|p\b)",
    re.IGNORECASE,
)


class SeveralSettings(BaseModel):
    """Which files may hold a further opening, and when it is predicted; the defaults ship."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_length: float = Field(default=1.6, gt=1)  # of the lower median of its season
    min_confidence: float = Field(default=0.01, ge=0, le=1)  # of a candidate
    length_off: float = Field(default=0.2, ge=0, lt=1)  # share that it may be shorter or longer
    off_s: float = Field(default=1.0, ge=0)  # that it may begin beside the repeat
    min_repeated: float = Field(default=0.5, gt=0, le=1)  # of the opening that comes back there


def n_episodes(
    lengths_s: Sequence[float], names: Sequence[str], settings: SeveralSettings
) -> list[int]:
    """Return how many episodes each file of a season may hold, by its name, else its length."""
    usual_s = median_low(lengths_s) if lengths_s else 0.0  # of one and its double that of the one
    found = []
    for length_s, name in zip(lengths_s, names, strict=True):
        number = n_named(name) if _MAY_NUMBER_SEVERAL.search(name) else 1
        if number == 1 and length_s >= settings.min_length * usual_s > 0:
            number = round(length_s / usual_s)
        found.append(number)
    return found


def further_openings(
    found: Candidates,
    confidences: NDArray[np.float64],
    best: int,
    settings: SeveralSettings,
    rate: int,
) -> list[int]:
    """Return the candidates that are the opening `best` again, none overlapping.

    That of which most comes back stands first, of equal ones the likeliest. confidences: float64
    (C,), below 0 where a candidate is not allowed.
    """
    start, stop = found.spans.T
    length = stop - start
    is_likely = confidences >= settings.min_confidence
    is_as_long = np.abs(length - length[best]) <= settings.length_off * length[best]
    chosen = [best]
    rows = np.flatnonzero(is_likely & is_as_long).tolist()
    shares = {place: _repeated(found, best, place, settings, rate) for place in rows}
    for place in sorted(rows, key=lambda row: (-shares[row], -confidences[row], row)):
        is_apart = all(stop[place] <= start[k] or start[place] >= stop[k] for k in chosen)
        if is_apart and shares[place] >= settings.min_repeated:
            chosen.append(place)
    return chosen[1:]


def _repeated(
    found: Candidates, best: int, place: int, settings: SeveralSettings, rate: int
) -> float:
    """Return the share of the candidate `best` that comes back where another one begins."""
    since, until = found.spans[best]
    apart = int(found.spans[place, 0] - since)
    start, stop, offset, n_alike = found.repeats.T
    later = np.where(apart < 0, offset, 0)  # the best is the one that comes back
    shared = np.minimum(stop + later, until) - np.maximum(start + later, since)
    is_there = (np.abs(offset - abs(apart)) <= settings.off_s * rate) & (shared > 0)
    share = shared * n_alike / np.maximum(stop - start, 1) / (until - since)
    return float(share[is_there].max(initial=0))

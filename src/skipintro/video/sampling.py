"""Which packets of a video must be decoded to have the picture of every moment. Pure: no codec.

Moments are the times t = k / rate s from the start of playing, at a rate of so many a second.

Packets arrive in the order of decoding. The picture of a moment is the frame with the latest
time stamp at or before it; before the first frame, the first frame. A packet's time stamp is at
or after its decoding time, so once a packet is decoded after a moment, its picture is known,
however frames are reordered.
"""

import bisect
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Generic, TypeVar

P = TypeVar("P")

# A last frame that is on screen for less than this counts as rounding of the container's clock.
_CLOCK_ROUNDING_S = Fraction(2, 1000)


class IrregularStreamError(Exception):
    """A video that does not show in advance which packets its pictures take, or is inconsistent."""


@dataclass
class Sample(Generic[P]):
    """One packet, by the ticks of its stream's clock."""

    packet: P
    pts: int
    dts: int | None  # None: unknown, as of a file's first packets
    is_key: bool  # nothing decoded before it is referred to by it, or after it but for its leads
    is_shown: bool  # not only there to be referred to
    n_moments: int = 0  # that show its frame
    is_last: bool = False  # the length goes by its frame: it has to be there

    @property
    def is_requested(self) -> bool:
        """Whether its frame must be seen."""
        return self.is_last or self.n_moments > 0

    def leads(self, key: "Sample[P]") -> bool:
        """Whether its frame comes before that of a key packet that is decoded before it."""
        return self.pts < key.pts


def required_packets(
    samples: Iterable[Sample[P]],
    tick_of: Callable[[int], int],
    moments_of_last: Callable[[Sample[P]], int],
) -> Iterator[Sample[P]]:
    """Yield the packets that must be decoded, each with the moments that show its frame.

    Packets between the last requested picture and the next key packet are left out. `tick_of`
    returns the last tick at or before moment k, `moments_of_last` the number of moments in the
    video, from its last frame. About the packets of two moments are held at a time.

    Raises IrregularStreamError where the time stamps are repeated or out of order, or the first
    packet is not the first frame of a late start; what was yielded before stands.
    """
    samples = iter(samples)
    first = next(samples, None)
    if first is None or not first.is_shown:
        raise IrregularStreamError

    def limit(moment: int) -> int:
        return max(tick_of(moment), first.pts)

    waiting: deque[Sample[P]] = deque()
    shown: list[Sample[P]] = []  # by time; those that may still be requested
    moment = 0  # the next one whose picture is not known
    last_dts: int | None = None
    for sample in chain([first], samples):
        if sample.dts is not None:
            if sample.pts < sample.dts or (last_dts is not None and sample.dts <= last_dts):
                raise IrregularStreamError
            last_dts = sample.dts
            while sample.is_shown and limit(moment) < sample.dts:  # others may be after the end
                shown = _request(shown, limit(moment))
                moment += 1
        if sample.pts < first.pts and tick_of(0) < first.pts:
            raise IrregularStreamError
        waiting.append(sample)
        if sample.is_shown:
            _insert(shown, sample, limit(moment - 1) if moment else None)
        # No longer on screen, and a moment later: it is known which packet is requested next.
        while moment >= 2 and waiting[0].pts < min(shown[0].pts, limit(moment - 2) + 1):
            if _is_needed(waiting, limit(moment - 1)):
                yield waiting[0]
            waiting.popleft()
    for later in range(moment, moments_of_last(shown[-1])):
        shown = _request(shown, limit(later))
    shown[-1].is_last = True
    while waiting:
        if _is_needed(waiting, None):
            yield waiting[0]
        waiting.popleft()


def n_moments_of_last(time: Fraction, until: Fraction, rate: int) -> int:
    """Return the moments of a video whose last frame is on screen between two times, in s."""
    return max(1, math.ceil(time * rate), math.ceil((until - _CLOCK_ROUNDING_S) * rate))


def _insert(shown: list[Sample[P]], sample: Sample[P], decided: int | None) -> None:
    place = bisect.bisect_left(shown, sample.pts, key=lambda other: other.pts)
    is_repeated = place < len(shown) and shown[place].pts == sample.pts
    if is_repeated or (decided is not None and sample.pts <= decided):
        raise IrregularStreamError
    shown.insert(place, sample)


def _request(shown: list[Sample[P]], tick: int) -> list[Sample[P]]:
    """Count a moment for the frame on screen at a tick, and forget the frames before it."""
    place = bisect.bisect_right(shown, tick, key=lambda sample: sample.pts)
    if not place:
        raise IrregularStreamError
    shown[place - 1].n_moments += 1
    return shown[place - 1 :]


def _is_needed(waiting: "deque[Sample[P]]", decided: int | None) -> bool:
    """Whether the first packet's frame, or one that may refer to it, is requested."""
    following = iter(waiting)
    if next(following).is_requested:
        return True
    for sample in following:
        if sample.is_key:
            if decided is not None and sample.pts > decided:
                return True  # its leading frames may yet be requested
            return any(later.leads(sample) and later.is_requested for later in following)
        if sample.is_requested:
            return True
    return decided is not None

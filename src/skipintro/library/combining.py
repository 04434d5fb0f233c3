"""Weighs other sources of an intro than the detector: a person, the file itself."""

from collections.abc import Callable
from dataclasses import replace

from skipintro.episodes.annotations import format_time
from skipintro.library.enums import Source
from skipintro.library.results import Interval, Result
from skipintro.video.titles import names_opening

# Set, not measured: a chapter that the episodes confirm is all but certain, one that nothing
# confirms is as likely a cold open or a misplaced mark.
CONFIRMED, UNCONFIRMED = 0.95, 0.5
_SAME = 0.5  # overlap over hull of a chapter and the detector's interval that are the same opening
_SHARED = 0.5  # of a chapter's time that some sibling has, too
_LEAST_S = 1.0  # a shorter chapter marks a moment
_MOST = 0.9  # of an episode: a longer chapter is the episode


def by_chapter(result: Result, share_of_siblings: Callable[[Interval], float]) -> Result:
    """Return the result with the chapter of the file that names an opening, where one is allowed.

    Those that the detector confirms stand in place of its intervals. Else the first counts that is
    confirmed by what siblings share with it, else the first. `share_of_siblings` says how much of
    an interval some sibling has.
    """
    named = _openings(result)
    if result.fault or not named:
        return result
    same = {
        one: each for one in result.intervals for each in named[::-1] if _same(each, one) >= _SAME
    }
    intervals = tuple(same.get(one, one) for one in result.intervals)
    confidence = CONFIRMED
    if not same:
        confirmed = [each for each in named if share_of_siblings(each) >= _SHARED]
        intervals = tuple((confirmed or named)[:1])
        confidence = CONFIRMED if confirmed else UNCONFIRMED
    if confidence < (result.local.limits.min_confidence or 0.0):
        return result
    intervals = tuple(dict.fromkeys(intervals))
    return replace(result, intervals=intervals, confidence=confidence, source=Source.CHAPTER)


def _openings(result: Result) -> list[Interval]:
    """Return the chapters that may be the opening, in the order of time, as the limits allow."""
    length_s = result.length_s
    found = sorted(
        (round(max(0.0, each.start_s), 3), round(min(each.end_s, length_s), 3))
        for each in result.chapters
        if names_opening(each.title)
    )
    return [
        (start_s, end_s)
        for start_s, end_s in found
        if _LEAST_S <= end_s - start_s <= _MOST * length_s
        and result.local.limits.allow(start_s, end_s)
    ]


def _same(one: Interval, other: Interval) -> float:
    """Return overlap over hull."""
    overlap = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, overlap) / (max(one[1], other[1]) - min(one[0], other[0]))


def by_hand(result: Result) -> Result:
    """Return the result with the intervals that a person has set for it, if one has.

    An interval that ends after the video is a fault of the file that has it.
    """
    by_hand = result.local.by_hand
    if by_hand is None or result.fault:
        return result
    last_s = max((end_s for _, end_s in by_hand.intervals), default=0.0)
    if last_s > result.length_s + 1:  # lengths are rounded
        fault = (
            f"{by_hand.place}: end {format_time(last_s)} lies after the episode's end "
            f"({format_time(result.length_s)}); correct it"
        )
        return replace(result, fault=fault)
    confidence = 1.0 if by_hand.intervals else None
    return replace(
        result, intervals=by_hand.intervals, confidence=confidence, source=Source.SETTINGS
    )

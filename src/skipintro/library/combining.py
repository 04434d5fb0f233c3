"""Weighs what others than the detector tell of an intro: a person, the file itself."""

from dataclasses import replace

from skipintro.episodes.annotations import clock
from skipintro.library.answers import Answer
from skipintro.library.choices import Source


def by_hand(answer: Answer) -> Answer:
    """Return the answer with the interval that a person has set for it, if one has.

    An interval that ends after the video is a fault of the file that tells it.
    """
    told = answer.local.by_hand
    if told is None or answer.fault:
        return answer
    interval = told.interval
    if interval is not None and interval[1] > answer.length_s + 1:  # lengths are rounded
        fault = (
            f"{told.place}: end {clock(interval[1])} lies after the episode's end "
            f"({clock(answer.length_s)}); correct it"
        )
        return replace(answer, fault=fault)
    confidence = None if interval is None else 1.0
    return replace(answer, interval=interval, confidence=confidence, source=Source.SETTINGS)

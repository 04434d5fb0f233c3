"""Outcomes to measure: written out by hand, and drawn by hypothesis with exact integer times."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from skipintro.detection.episode import Interval
from skipintro.evaluation.results import Outcome

Cells = tuple[int, int]  # [start, end) in tenths of a second


def outcome(
    truth: Interval | None = None,
    *predicted: Interval,
    n_seconds: int = 60,
    series: str = "one",
    confidence: float | None = None,
    probabilities: tuple[float, ...] = (),
    seen: bool = False,
    leaked: bool = False,
    corrected: bool = False,
    tags: tuple[str, ...] = (),
    further: tuple[Interval, ...] = (),
) -> Outcome:
    """Return an outcome of which only what matters is told."""
    return Outcome(
        id="episode",
        series=series,
        truth=truth,
        predicted=predicted,
        confidence=confidence,
        n_seconds=n_seconds,
        probabilities=np.array(probabilities, np.float32),
        seen=seen,
        leaked=leaked,
        corrected=corrected,
        tags=tags,
        further=further,
    )


@dataclass(frozen=True, eq=False)
class Case:
    """An outcome, and its times as integers, with which a loop can count exactly."""

    truth: Cells | None
    predicted: tuple[Cells, ...]
    outcome: Outcome

    @property
    def intro(self) -> set[int]:
        """The tenths of a second that are intro."""
        return set(range(*self.truth)) if self.truth is not None else set()

    @property
    def said(self) -> set[int]:
        """The tenths of a second that are predicted."""
        return {cell for predicted in self.predicted for cell in range(*predicted)}


@st.composite
def _near(draw: st.DrawFn, truth: Cells, step: int) -> tuple[Cells, ...]:
    shifts = st.integers(-60 // step, 60 // step).map(lambda shift: shift * step)
    start, end = truth[0] + draw(shifts), truth[1] + draw(shifts)
    return ((start, end),) if start < end else ()


@st.composite
def _anywhere(draw: st.DrawFn, step: int) -> tuple[Cells, ...]:
    cursor = draw(st.integers(-3, 20)) * step
    predicted = []
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 12)), max_size=3)):
        start, cursor = cursor + gap * step, cursor + (gap + length) * step
        predicted.append((start, cursor))
    return tuple(predicted)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw whole or fractional times, up to three predictions, near the truth or anywhere.

    Predictions may touch each other, start before the episode and end after it.
    """
    step = draw(st.sampled_from([1, 10]))
    n_seconds = draw(st.integers(1, 25))
    start, length = draw(st.integers(0, 20)), draw(st.integers(1, 20))
    truth = draw(st.sampled_from([None, (start * step, (start + length) * step)]))
    anywhere = truth is None or draw(st.booleans())
    predicted = draw(_anywhere(step) if truth is None or anywhere else _near(truth, step))
    confidence = draw(st.sampled_from([0.25, 0.5, 0.75, 0.9])) if predicted else None
    n_probabilities = draw(st.sampled_from([0, n_seconds]))
    sixteenths = draw(st.binary(min_size=n_probabilities, max_size=n_probabilities))
    return Case(
        truth=truth,
        predicted=predicted,
        outcome=outcome(
            None if truth is None else (truth[0] / 10, truth[1] / 10),
            *draw(st.permutations([(start / 10, end / 10) for start, end in predicted])),
            n_seconds=n_seconds,
            series=draw(st.sampled_from(["one", "two", "three"])),
            confidence=confidence,
            probabilities=tuple(byte % 17 / 16 for byte in sixteenths),
            seen=draw(st.booleans()),
            leaked=draw(st.booleans()),
            corrected=draw(st.booleans()),
        ),
    )

"""What is told of long work while it goes on."""

import io
import logging
import sys

import pytest

from skipintro.core import progress as module
from skipintro.core.progress import Unit, progress, progress_within


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture(autouse=True)
def _every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="skipintro")


def test_without_a_terminal_a_line_is_logged_at_most_twice_a_minute(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in progress(range(8), 8, Unit.EPISODES):  # done after 12, 24, 36 … 96 s
        clock.now += 12
    assert caplog.messages == ["3 of 8 episodes", "6 of 8 episodes"]


def test_the_end_is_left_to_whoever_did_the_work(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in progress(range(2), 2, Unit.EPISODES):
        clock.now += 31
    assert caplog.messages == ["1 of 2 episodes"]


def test_short_or_no_work_is_not_spoken_of(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    assert list(progress(iter("abc"), 3, Unit.EPISODES)) == ["a", "b", "c"]
    assert list(progress([], 0, Unit.EPISODES)) == []
    assert caplog.messages == []


def test_on_a_terminal_there_is_a_bar_and_no_line(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in progress(range(3), 3, Unit.EPISODES):
        clock.now += 40
    assert "episodes: 100%" in terminal.getvalue()
    assert caplog.messages == []


def test_within_a_long_file_a_terminal_shows_the_seconds_that_are_decoded(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_within("Show\x1b S01E01.mkv") as reached:
        assert reached is not None
        reached(40.0)
        assert terminal.getvalue() == ""  # it may be done in no time
        clock.now += 4
        reached(130.4)
        assert "Show\\x1b S01E01.mkv: 130 s decoded" in terminal.getvalue()


def test_without_a_terminal_nothing_is_said_of_a_file(clock: Clock) -> None:
    with progress_within("Show S01E01.mkv") as reached:
        assert reached is None

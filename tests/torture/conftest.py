"""The frame of the attacks: how many cases they run, what failed, and the table of a full run.

An attack is an ordinary test, marked `@pytest.mark.promise("one line")`, that asks the fixture
`attack` for its cases. What fails in a case is kept, and the attack goes on with the next.
"""

import os
import random
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import pytest

import forked
from forked import Forked
from torture.worked import Worked, make_worked

# Before a command: a small process starts it. On Linux, a process begins with its parent's memory
# as the most that it had.
BY_A_SMALL_ONE = ("sh", "-c", '"$@"; exit $?', "sh")
_TOLD = 5  # failures that an attack tells of


@dataclass(frozen=True)
class Row:
    """One attack of a run."""

    promise: str
    attack: str
    n_cases: int
    n_failures: int
    seconds: float

    def as_line(self) -> str:
        numbers = f"{self.n_cases:,} | {self.n_failures} | {self.seconds:.1f}"
        return f"| {self.promise} | `{self.attack}` | {numbers} |"


_ROWS = pytest.StashKey[list[Row]]()


class Attack:
    """One attack at work. `rng` draws the same cases in every run."""

    def __init__(self, name: str, *, is_full: bool) -> None:
        self.n_cases = 0
        self.failures: list[str] = []
        self.rng = random.Random(name)  # noqa: S311  no secret
        self._is_full = is_full
        self._counting = Lock()

    def size(self, *, full: int, selection: int) -> int:
        """Give how many cases this run is to have."""
        return full if self._is_full else selection

    def cases(self, *, full: int, selection: int) -> range:
        """Give the numbers of the cases."""
        return range(self.size(full=full, selection=selection))

    def only_at_full_size(self, why: str) -> None:
        """Skip this attack in a selection, for a reason."""
        if not self._is_full:
            pytest.skip(f"{why}: at full size alone, by `make torture`")

    @contextmanager
    def case(self, told: object) -> Iterator[None]:
        """Count one case; `told` says which one it was, if it fails."""
        with self._counting:  # cases may run side by side
            self.n_cases += 1
        try:
            yield
        except (Exception, pytest.fail.Exception) as error:
            self.failures.append(f"{told!r:.300}: {type(error).__name__}: {error!s:.1000}")


@pytest.fixture(scope="session")
def forks() -> Forked:
    """Return the process that forks stages and commands."""
    return forked.forks()


@pytest.fixture(scope="session")
def worked(tmp_path_factory: pytest.TempPathFactory, toy_series: Path, forks: Forked) -> Worked:
    """Give a checkout after every stage; copy it before you change it."""
    return make_worked(tmp_path_factory.mktemp("worked") / "checkout", toy_series, forks)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="attacks at full size, and their table")
    parser.addoption("--table", metavar="FILE", type=Path, help="where that table is written, too")
    parser.addoption("--footage", metavar="FOLDER", help="videos that are to be damaged as well")


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Attack:
    """Give the attack that this test is."""
    if request.node.get_closest_marker("promise") is None:
        pytest.fail("an attack says which promise it attacks: @pytest.mark.promise")
    return Attack(request.node.name, is_full=_is_full(request.config))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail an attack of which a case failed, and keep its figures."""
    attack = pyfuncitem.funcargs.get("attack")
    if not isinstance(attack, Attack):
        return (yield)
    began = time.monotonic()
    n_failures = 1  # unless it comes to its end
    try:
        result = yield
        if not attack.n_cases:
            pytest.fail("an attack without a case proves nothing")
        n_failures = len(attack.failures)
    finally:
        [promise] = pyfuncitem.iter_markers("promise")
        seconds = time.monotonic() - began
        row = Row(promise.args[0], pyfuncitem.name, attack.n_cases, n_failures, seconds)
        pyfuncitem.config.stash.setdefault(_ROWS, []).append(row)
    if attack.failures:
        told = "\n".join(attack.failures[:_TOLD])
        pytest.fail(f"{n_failures} of {attack.n_cases} cases failed:\n{told}", pytrace=False)
    return result


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash.get(_ROWS, [])
    if not _is_full(config) or not rows:
        return
    lines = [
        "| promise | attack | cases | failures | seconds |",
        "| --- | --- | ---: | ---: | ---: |",
        *(row.as_line() for row in rows),
    ]
    total = f"{sum(row.seconds for row in rows):.0f} s in all, on {os.cpu_count()} cores"
    table = "\n".join([*lines, "", total, ""])
    path: Path | None = config.getoption("table")
    if path is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(table, encoding="utf-8")
    terminalreporter.section("attacks")
    terminalreporter.write(table)


def _is_full(config: pytest.Config) -> bool:
    return bool(config.getoption("torture", default=False))

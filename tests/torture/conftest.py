"""The frame of the attacks: how many cases they run, what failed, and the table of a full run.

An attack is an ordinary test, marked `@pytest.mark.promise("one line")`, that asks the fixture
`attack` for its cases. What fails in a case is kept, and the attack goes on with the next.

`--torture` names the size: quick, among all other tests; wide, which .ci/run runs after them; and
full, by `make torture`.
"""

import os
import random
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from threading import Lock

import pytest

import forked
from conftest import make_once
from forked import Forked
from library_cases import Place, shared_place
from torture.worked import STAGES, Worked, make_worked

SIZES = ("quick", "wide", "full")

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


# Of a test's report, which also the worker processes of pytest-xdist hand over.
_PROPERTY = "attack"


class Attack:
    """One attack at work. `rng` draws the same cases in every run."""

    def __init__(self, name: str, size: str) -> None:
        self.n_cases = 0
        self.failures: list[str] = []
        self.rng = random.Random(name)  # noqa: S311  no secret
        self.is_quick, self.is_full = size == "quick", size == "full"
        self._size = size
        self._counting = Lock()

    def size(self, *, full: int, wide: int = 0, quick: int = 0) -> int:
        """Return how many cases this run is to have; 0 where `only_from` skips."""
        return {"quick": quick, "wide": wide, "full": full}[self._size]

    def cases(self, *, full: int, wide: int = 0, quick: int = 0) -> range:
        """Return the numbers of the cases."""
        return range(self.size(full=full, wide=wide, quick=quick))

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
def worked(tmp_path_factory: pytest.TempPathFactory, forks: Forked) -> Worked:
    """Return a checkout after every stage, made once for all workers; copy what you change."""
    folder = make_once("worked", tmp_path_factory, lambda folder: make_worked(folder, forks))
    return Worked(folder / "checkout", STAGES)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a library and its detector, made once for all workers; copy what you change."""
    shared = shared_place(tmp_path_factory)
    return Place(shared.library, shared.detector, tmp_path_factory.mktemp("cache"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--torture", choices=SIZES, default=SIZES[0], help="size of the attacks; full tells a table"
    )
    parser.addoption("--table", metavar="FILE", type=Path, help="where that table is written, too")
    parser.addoption("--footage", metavar="FOLDER", help="videos that are to be damaged as well")


@pytest.hookimpl(tryfirst=True)  # before the fixtures, which may take longer than the attack
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip an attack at sizes below `only_from(size, why, held_by="an ordinary test")`."""
    for mark in item.iter_markers("only_from"):
        size, why = mark.args
        if SIZES.index(_size(item.config)) < SIZES.index(size):
            held_by = mark.kwargs["held_by"]
            pytest.skip(f"{why}: from --torture={size} on; its promise is held by tests/{held_by}")


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Attack:
    """Return the attack that this test is."""
    if request.node.get_closest_marker("promise") is None:
        pytest.fail("an attack says which promise it attacks: @pytest.mark.promise")
    return Attack(request.node.name, _size(request.config))


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
        pyfuncitem.user_properties.append((_PROPERTY, asdict(row)))
    if attack.failures:
        told = "\n".join(attack.failures[:_TOLD])
        pytest.fail(f"{n_failures} of {attack.n_cases} cases failed:\n{told}", pytrace=False)
    return result


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    reports = chain.from_iterable(terminalreporter.stats.values())
    calls = (report for report in reports if getattr(report, "when", "") == "call")
    told = [dict(report.user_properties) for report in calls]
    rows = [Row(**properties[_PROPERTY]) for properties in told if _PROPERTY in properties]
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist: it has run some of them alone
    if _size(config) != "full" or not rows or is_worker:
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


def _size(config: pytest.Config) -> str:
    return str(config.getoption("torture", default=SIZES[0]))

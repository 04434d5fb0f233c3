"""MLflow's own pages, as `make ui` serves them: two runs found, sorted and compared."""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from browser_cases import visiting
from experiment_cases import experiment, main_workspace
from server_cases import free_port, is_healthy, running, wait_for
from skipintro.tracking.publish import deliver
from skipintro.tracking.store import connect

pytestmark = pytest.mark.slow

METRIC = "windows/test_without_leaked/f1"
# What MLflow's own pages have on their console, wherever they are opened.
KNOWN_FAULTS = (
    # its page asks for a user, whom a server without log-in does not have
    r"error: Failed to load resource: .* 404 \(Not Found\) \(.*/mlflow/users/current\)",
    # its table's options are older than its table
    r"warning: AG Grid: since v27\.1, `(getRowNodeId|immutableData)` is deprecated.*",
    # it measures charts while they grow
    r"error: (null )?ResizeObserver loop completed with undelivered notifications\. .*",
    # it reads back what a processor has drawn in place of a graphics card
    r"warning: \[\.WebGL-\w+\]GL Driver Message \(OpenGL, Performance, .* ReadPixels .*",
)
# How wide each curve of a chart is, in the order drawn. They come one by one, each when its
# history has been fetched, and each has a pale one behind it, which is not smoothed. Two runs may
# have one colour, as MLflow derives it from their ids.
WIDTHS = """(n_curves) => {
  const curves = [...document.querySelectorAll("path.js-line")].filter(
    (curve) => getComputedStyle(curve).strokeOpacity === "1"
  )
  const widths = curves.map((curve) => curve.getBoundingClientRect().width)
  return widths.length === n_curves ? widths : null
}"""
SCORES = {20: 0.875, 40: 0.625}  # by epochs; the newer run is the worse


@dataclass(frozen=True)
class Server:
    """Where MLflow answers, and the experiment with both runs."""

    url: str
    experiment_id: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Deliver two experiments to a new store, and serve it."""
    folder = tmp_path_factory.mktemp("comparison")
    with main_workspace(folder):
        store = connect("skipintro")
        for epochs, score in SCORES.items():
            history = [
                (epoch, {"train_loss": 1 / epoch, "test_f1": epoch / (epoch + epochs)})
                for epoch in range(1, epochs + 1)
            ]
            finished = experiment(
                folder / str(epochs),
                epochs,
                params={"epochs": epochs, "train.learning_rate": 0.00005},
                history=history,
                metrics={METRIC: score, "windows/test/f1": score - 0.125},
            )
            deliver(store, finished)
    port = free_port()
    words = [
        *(str(Path(sys.executable).parent / "mlflow"), "ui", "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    url, log = f"http://127.0.0.1:{port}", folder / "server.log"
    with running(words, log, env={**env, **quiet}) as process:
        wait_for(lambda: is_healthy(f"{url}/health"), process, log, 60)
        yield Server(url, store.experiment_id)


def wait_for_order(page: Page, *epochs: int) -> None:
    """Wait until the list of runs has them in this order."""
    for place, count in enumerate(epochs):
        row = page.locator(f".ag-row[row-index='{place}']", has_text=f"{count} epochs")
        row.get_by_role("link", name=f"{count} epochs").wait_for()


def cells(page: Page, title: str) -> list[str]:
    """Return what stands in the row of a table that begins with a title."""
    row = page.get_by_role("row", name=re.compile(rf"^{re.escape(title)}\b"))
    row.wait_for()
    return row.inner_text().split()


def test_two_runs_are_sorted_by_a_figure_ticked_and_compared_with_their_curves(
    browser: Browser, server: Server
) -> None:
    """A real server of MLflow and its large pages: a dozen seconds."""
    url = f"{server.url}/#/experiments/{server.experiment_id}/runs"
    looks = {"viewport": {"width": 1600, "height": 1000}}
    with visiting(browser, url, known_faults=KNOWN_FAULTS, **looks) as page:
        wait_for_order(page, 40, 20)  # the newest first
        page.get_by_role("button", name="Sort: Created").click()
        page.get_by_text(METRIC, exact=True).click()
        page.keyboard.press("Escape")
        wait_for_order(page, 20, 40)
        for score in SCORES.values():
            assert page.get_by_role("gridcell", name=str(score), exact=True).is_visible()

        page.get_by_role("checkbox", name="Select all runs").check()
        page.get_by_role("button", name="Compare", exact=True).click()
        page.get_by_text("Comparing 2 Runs from 1 Experiment").wait_for()
        assert sorted(cells(page, "epochs")) == ["20", "40", "epochs"]
        assert cells(page, "train.learning_rate") == ["train.learning_rate", "5e-05", "5e-05"]
        page.get_by_role("link", name=METRIC).wait_for()
        for score in SCORES.values():
            assert page.get_by_text(str(score), exact=True).is_visible()

        page.get_by_role("link", name="test_f1").click()
        for epochs in SCORES:
            page.get_by_text(f"{epochs} epochs (test_f1)").wait_for()
        widths = page.wait_for_function(WIDTHS, arg=len(SCORES)).json_value()
        assert max(widths) / min(widths) == pytest.approx(39 / 19, rel=0.05)
        assert cells(page, "20 epochs")[2:4] == ["0.5", "(step=20)"]
        assert cells(page, "40 epochs")[2:4] == ["0.5", "(step=40)"]

"""Today's champion beside a report, and the page that `skipintro report` writes."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from conftest import EMBEDDING, ENCODER, ROOT, run_command
from experiment_cases import copy_empty_store, main_workspace
from report_cases import report
from season_cases import CONFIG
from skipintro.core.files import write_json
from skipintro.core.layout import EVALUATED, FITTED, TRAINED
from skipintro.detection.folder import DetectionConfig, assemble
from skipintro.evaluation.gate import Candidate
from skipintro.evaluation.metrics import EvaluateManifest
from skipintro.evaluation.report import HeadlineFigures, beside, render
from skipintro.experiment import DATA_TAGS
from skipintro.tracking.promotion import CHAMPION, find_champion
from skipintro.tracking.publish import MODEL_TAG
from skipintro.tracking.runs import COMPLETE_TAG
from skipintro.tracking.store import Store, connect, existing_store

NAME = "intro-detector"  # as in params.yaml
METRICS = {
    "detector/test/f1_within_3s": 0.25,
    "detector/test/story_s_per_hour": 12.5,
    "detector/test/false_alarms": 1.0,
    "detector/held_out/f1_within_3s": 0.75,
}
FIGURES = HeadlineFigures(
    name="champion, version 1",
    f1_within_3s=0.25,
    story_s_per_hour=12.5,
    false_alarms=1,
    without_intro=report().headline.figures.without_intro,
)
MANIFEST = EvaluateManifest(
    detector="openings",
    head=DetectionConfig(stride=1, threshold=0.5, min_length_s=1, batch_size=1),
    openings=CONFIG,
    encoder=ENCODER,
    embedding=EMBEDDING,
    test_data_sha256="here",
    train_data_sha256="there",
    leaked=[],
    left_out={},
    arithmetic="portable",
    versions={},
)


def champion(**changes: Any) -> Candidate:
    fields: dict[str, Any] = {
        "version": "1",
        "run_id": "any",
        "model_sha256": "theirs",
        "data_sha256": {"train": "there", "test": "here"},
        "metrics": METRICS,
        "trained": True,
    }
    return Candidate(**{**fields, **changes})


ELSEWHERE = {"train": "there", "test": "elsewhere"}


@pytest.mark.parametrize(
    ("found", "figures", "told"),
    [
        (champion(), FIGURES, ""),
        (champion(model_sha256="ours"), None, "These are the figures of today's champion, version"),
        (champion(data_sha256=ELSEWHERE), None, "was measured on other test data"),
        (champion(metrics={}), None, "version 1, has no figures"),
        (champion(metrics={}, data_sha256=ELSEWHERE), None, "has no figures"),
        (champion(model_sha256="ours", data_sha256=ELSEWHERE), None, "These are"),
    ],
)
def test_the_champion_stands_beside_another_model_on_the_same_test_data_alone(
    found: Candidate, figures: HeadlineFigures | None, told: str
) -> None:
    made = beside(report(), found, model_sha256="ours", test_data_sha256="here")
    assert made.champion == figures
    assert told in made.about_champion
    assert bool(made.champion) != bool(made.about_champion)


def test_figures_that_could_not_be_told_of_the_champion_are_none() -> None:
    quiet = champion(metrics={"detector/test/false_alarms": 0.0})
    made = beside(report(), quiet, model_sha256="ours", test_data_sha256="here")
    assert made.champion is not None
    assert (made.champion.f1_within_3s, made.champion.story_s_per_hour) == (None, None)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Path]:
    """Yield a checkout's folder with a store of its own."""
    folder = tmp_path_factory.mktemp("champion")
    copy_empty_store(empty_store, folder)
    with main_workspace(folder):
        write_evaluated(folder)
        yield folder


@pytest.fixture
def store(workspace: Path) -> Iterator[Store]:
    """Yield the store without any model."""
    found = connect("skipintro")
    yield found
    for model in found.client.search_registered_models():
        found.client.delete_registered_model(model.name)


def write_evaluated(folder: Path) -> None:
    """Write what a checkout has after an evaluation, as far as a report needs it."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    for place, names in {
        TRAINED: ("model.safetensors", "config.json"),
        FITTED: ("openings.safetensors", "openings.json"),
    }.items():
        (folder / place).mkdir(parents=True)
        for name in names:
            (folder / place / name).write_text(name, encoding="utf-8")
    write_json(folder / EVALUATED / "manifest.json", MANIFEST)
    text = report().model_dump_json(indent=2)
    (folder / EVALUATED / "report.json").write_text(text, encoding="utf-8")


def measure(
    store: Store,
    metrics: Mapping[str, float] = METRICS,
    *,
    model: str = "theirs",
    test_data: str = "here",
    complete: str = "true",
) -> str:
    """Log a run with figures as the track stage does; gives its id."""
    data = dict(zip(DATA_TAGS.values(), ("there", test_data), strict=True))
    tags = {f"{NAME}.sha256": model, COMPLETE_TAG: complete, **data}
    run = store.client.create_run(store.experiment_id, tags=tags)
    for name, value in metrics.items():
        store.client.log_metric(run.info.run_id, name, value)
    return str(run.info.run_id)


def crown(store: Store, run_id: str, model: str = "theirs") -> None:
    """Register the run's model and make it the champion."""
    store.client.create_registered_model(NAME)
    made = store.client.create_model_version(
        NAME, source=f"runs:/{run_id}/detector", run_id=run_id, tags={MODEL_TAG: model}
    )
    store.client.set_registered_model_alias(NAME, CHAMPION, made.version)


def test_without_a_champion_there_is_none(store: Store) -> None:
    assert find_champion(store, NAME) is None
    run_id = measure(store)
    crown(store, run_id)
    store.client.delete_registered_model_alias(NAME, CHAMPION)
    assert find_champion(store, NAME) is None


def test_the_champion_is_told_by_its_newest_complete_run(store: Store) -> None:
    better = {**METRICS, "detector/test/f1_within_3s": 1.0}
    crown(store, measure(store, better, model="m", test_data="old"), "m")
    run_id = measure(store, model="m")
    measure(store, better, model="m", complete="false")
    measure(store, better, model="another")
    assert find_champion(store, NAME) == champion(model_sha256="m", run_id=run_id)


@pytest.mark.parametrize("run_id", [None, "0" * 32], ids=["made by hand", "run deleted for good"])
def test_a_champion_without_a_run_has_no_figures(store: Store, run_id: str | None) -> None:
    store.client.create_registered_model(NAME)
    made = store.client.create_model_version(NAME, source="file:///any", run_id=run_id)
    store.client.set_registered_model_alias(NAME, CHAMPION, made.version)
    found = find_champion(store, NAME)
    assert found is not None
    assert found.metrics == {}


def test_looking_for_a_store_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert existing_store("skipintro") is None
    assert list(tmp_path.iterdir()) == []


# --- the command ---


class Command:
    """`skipintro report` in this process, and the addresses that it has opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys = monkeypatch, capsys
        self.opened: list[str] = []
        monkeypatch.setattr("webbrowser.open_new_tab", self.opened.append)

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Return its exit code and what it has printed."""
        return run_command(["report", *words], self._patch, self._capsys)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def test_the_page_has_the_champion_of_the_day_beside(
    workspace: Path, store: Store, command: Command
) -> None:
    page = workspace / "reports/report.html"
    for prepare, told in (
        (lambda: None, None),
        (lambda: crown(store, measure(store, model="x"), "x"), "champion, version 1: 0.250"),
        (lambda: measure(store, model="x", test_data="new"), "was measured on other test data"),
    ):
        prepare()
        assert command() == (0, f"{page}\n", "")
        html = page.read_text(encoding="utf-8")
        assert (html == render(report())) == (told is None)
        assert told is None or told in html
    assert command.opened == []


def test_of_the_champion_s_own_evaluation_the_page_says_that_it_is(
    workspace: Path, store: Store, command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "detector"
    folder.mkdir()
    config = MANIFEST.head_config()
    model = assemble(folder, "openings", head=TRAINED, openings=FITTED, config=config)
    crown(store, measure(store, model=model), model)
    assert command()[0] == 0
    html = (workspace / "reports/report.html").read_text(encoding="utf-8")
    assert "These are the figures of today&#39;s champion, version 1." in html
    assert "champion, version 1:" not in html


def test_the_page_opens_if_asked_for_and_else_on_a_terminal(
    workspace: Path, store: Store, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = (workspace / "reports/report.html").as_uri()
    assert command("--open")[0] == 0
    assert command.opened == [address]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert command("--no-open")[0] == 0
    assert command.opened == [address]
    assert command()[0] == 0
    assert command.opened == [address] * 2


def test_without_a_store_the_page_is_written_and_no_store_is_made(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_evaluated(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert command() == (0, f"{tmp_path / 'reports/report.html'}\n", "")
    assert (tmp_path / "reports/report.html").read_text(encoding="utf-8") == render(report())
    assert set(tmp_path.iterdir()) == before


def test_a_store_that_does_not_answer_costs_a_word_of_warning(
    workspace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9/")
    code, _, errors = command()
    assert code == 0
    assert errors.startswith("warning: http://127.0.0.1:9/: the MLflow store does not answer")
    assert errors.endswith("; the page has no champion beside\n")
    html = (workspace / "reports/report.html").read_text(encoding="utf-8")
    assert html == render(report())


def test_without_an_evaluation_the_remedy_is_told(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_evaluated(tmp_path)
    shutil.rmtree(tmp_path / EVALUATED)
    monkeypatch.chdir(tmp_path)
    code, output, errors = command("--open")
    assert (code, output) == (1, "")
    assert errors == "error: reports/evaluate/report.json: missing; run `dvc repro` to make it\n"
    assert command.opened == []

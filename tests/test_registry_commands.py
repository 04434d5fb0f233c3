"""`skipintro models`, `runs` and `promote` look at the store as it is, and make none."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import ROOT, run_command
from experiment_cases import copy_empty_store, experiment, main_workspace
from skipintro.core.files import sha256_of_file, sha256_of_json
from skipintro.core.store_address import NotRegisteredError, tracking_uri
from skipintro.detection.kinds import identity_of
from skipintro.experiment import DATA_TAGS
from skipintro.tracking.promotion import CHAMPION, REIGN
from skipintro.tracking.publish import CHALLENGER, MODEL_TAG, deliver
from skipintro.tracking.registry import UnusableVersionError, fetch
from skipintro.tracking.runs import COMPLETE_TAG
from skipintro.tracking.store import connect

MODEL = "intro-detector"  # as in params.yaml
SCORE = "detector/held_out/f1_within_3s"
TEST = "detector/test/f1_within_3s"
STORY = "detector/test/story_s_per_hour"
HOURS = "detector/test/hours"

Command = Callable[..., tuple[int, str, str]]  # words in; exit code, output, errors out


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """Yield a checkout's folder without a store."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    with main_workspace(tmp_path):
        yield tmp_path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str) -> tuple[int, str, str]:
        return run_command(words, monkeypatch, capsys)

    return run


@pytest.mark.parametrize("name", ["models", "runs", "promote"])
def test_without_a_store_the_next_step_is_told_and_none_is_made(
    workspace: Path, command: Command, name: str
) -> None:
    before = set(workspace.iterdir())
    code, output, errors = command(name)
    assert (code, output) == (1, "")
    uri = f"sqlite:///{workspace}/mlflow.db"
    assert errors == f"error: {uri}: no such store yet; run `dvc repro` first\n"
    assert set(workspace.iterdir()) == before


def cells(output: str) -> list[list[str]]:
    """Return the rows of a table, without its frame and its head."""
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in output.splitlines()
        if line.startswith("│")
    ]


def test_versions_and_runs_are_listed_newest_first_with_the_figures_that_decide(
    workspace: Path, empty_store: Path, command: Command
) -> None:
    copy_empty_store(empty_store, workspace)
    store = connect("skipintro")
    client = store.client
    client.create_registered_model(MODEL)
    ids = []
    for number, (score, alias) in enumerate(((0.75, CHAMPION), (0.5, CHALLENGER)), start=1):
        run = client.create_run(
            store.experiment_id,
            start_time=number * 1000,
            run_name=f"run {number}",
            tags={COMPLETE_TAG: "true"},
        )
        for name, value in {SCORE: score, TEST: score / 2, STORY: 12.5, HOURS: 1.0}.items():
            client.log_metric(run.info.run_id, name, value)
        made = client.create_model_version(
            MODEL,
            source=f"runs:/{run.info.run_id}/detector",
            run_id=run.info.run_id,
            tags={tag: f"{number}{split}-abc" for split, tag in DATA_TAGS.items()},
        )
        client.set_registered_model_alias(MODEL, alias, made.version)
        ids.append(run.info.run_id)
    broken = client.create_run(store.experiment_id, start_time=3000, run_name="run 3")
    client.set_terminated(broken.info.run_id, "KILLED")

    code, output, _ = command("models")
    assert code == 0
    assert cells(output) == [
        ["2", "@challenger", ids[1][:8], "2train-a", "2test-ab", "0.5000", "0.2500", "12.5000"],
        ["1", "@champion", ids[0][:8], "1train-a", "1test-ab", "0.7500", "0.3750", "12.5000"],
    ]
    assert "intro-classifier" in output
    reigns = {"2026-01-02 03:04:05": "gate: any", "2026-02-03 03:04:05": "rollback: [it] was"}
    for since, why in reigns.items():
        client.set_model_version_tag(MODEL, "1", f"{REIGN}{since}", why)
    told = [line for line in command("models")[1].splitlines() if "became champion" in line]
    assert told == [
        "2026-02-03 03:04 UTC: version 1 became champion (rollback: [it] was)",
        "2026-01-02 03:04 UTC: version 1 became champion (gate: any)",
    ]
    code, output, _ = command("runs")
    assert code == 0
    found = [[row[0], row[1], *row[3:]] for row in cells(output)]  # without the time of the start
    assert found == [
        ["run 3", broken.info.run_id, "killed", *[""] * 4],
        ["run 2", ids[1], "complete", "0.5000", "0.2500", "12.5000", ""],
        ["run 1", ids[0], "complete", "0.7500", "0.3750", "12.5000", ""],
    ]
    code, output, _ = command("runs", "--last", "1")
    assert [row[0] for row in cells(output)] == ["run 3"]


def test_a_store_that_is_not_there_is_told_without_its_secrets(
    workspace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace}/gone.db?key=hunter2")
    code, _, errors = command("models")
    assert code == 1
    assert "no such store yet" in errors
    assert "hunter2" not in errors


def test_a_version_whose_files_are_old_gone_or_not_the_registered_ones_is_no_rival(
    workspace: Path, empty_store: Path, command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    copy_empty_store(empty_store, workspace)
    store = connect("skipintro")
    client = store.client
    client.create_registered_model(MODEL)
    models = [workspace / f"model{number}" for number in range(4)]
    for number, model in enumerate(models):
        experiment(workspace / "made", seed=number)
        folder = model / "artifacts" / "detector"
        shutil.move(workspace / "made" / "classifier", folder)
        if number == 0:
            told = json.loads((folder / "detection.json").read_text("utf-8"))
            del told["embedding"]
            (folder / "detection.json").write_text(json.dumps(told))
        (model / "MLmodel").write_text(
            "flavors: {python_function: {artifacts: {detector: {path: artifacts/detector}}}}"
        )
        run = client.create_run(store.experiment_id)
        for name, value in {SCORE: 0.9 - number / 10, TEST: 0.5, STORY: 0.0, HOURS: 1.0}.items():
            client.log_metric(run.info.run_id, name, value)
        sha256 = sha256_of_json({path.name: sha256_of_file(path) for path in folder.iterdir()})
        client.create_model_version(
            MODEL,
            source=model.as_uri(),
            run_id=run.info.run_id,
            tags={MODEL_TAG: sha256},
        )
    assert "version 2 is @champion now" in command("promote")[1]
    with (models[1] / "artifacts" / "detector" / "detection.json").open("a") as file:
        file.write(" ")  # it means the same
    assert "version 3 is @champion now" in command("promote")[1]
    shutil.rmtree(models[2])
    assert "version 4 is @champion now" in command("promote")[1]
    [changed, gone] = [m for m in caplog.messages if m.startswith("the champion")]
    assert "detection.json: not what this version writes (embedding: " in caplog.messages[0]
    assert changed.startswith("the champion, version 2, cannot be used: ")
    assert "its files are not those that were registered" in changed
    assert gone.endswith(f"{models[2]} is gone or cannot be read")
    for version, why in (("2", "its files are not those"), ("3", "is gone or cannot be read")):
        words = ("--version", version, "--rollback", "--reason", "any")
        code, _, errors = command("promote", *words)
        assert code == 1
        assert errors.startswith(f"error: {MODEL}: version {version} cannot be used: ")
        assert why in errors
        assert str(client.get_model_version_by_alias(MODEL, CHAMPION).version) == "4"
    (models[3] / "MLmodel").write_text("flavors: {")
    code, _, errors = command("promote")
    assert (code, errors.count("error: ")) == (1, 1)
    assert "no challenger that can be used is registered" in errors
    assert "models:/intro-detector/4: no detector of this project" in caplog.text


def test_what_is_not_in_the_registry_is_named(
    workspace: Path, empty_store: Path, tmp_path: Path
) -> None:
    copy_empty_store(empty_store, workspace)
    store = connect("skipintro")
    client, uri = store.client, tracking_uri()
    client.create_registered_model("intro-classifier")
    gone = client.create_model_version("intro-classifier", (workspace / "gone").as_uri())
    client.set_registered_model_alias("intro-classifier", CHAMPION, gone.version)
    for wanted, kind, fault in (
        ("models:/intro-classifier@nobody", NotRegisteredError, "nobody"),
        ("models:/intro-classifier/7", NotRegisteredError, "Model Version"),
        ("models:/nothing@champion", NotRegisteredError, "nothing"),
        ("models:/intro-classifier@champion", UnusableVersionError, "is gone or cannot be read"),
    ):
        with pytest.raises(kind, match=fault) as caught:
            fetch(wanted, uri, tmp_path / "downloads")
        assert str(caught.value).startswith(f"{wanted}: ")
    client.delete_model_version("intro-classifier", gone.version)  # which its alias points to
    with pytest.raises(NotRegisteredError, match="intro-classifier@champion: not found in"):
        fetch("models:/intro-classifier@champion", uri, tmp_path / "downloads")


def test_what_a_delivery_registers_is_found_with_its_files_and_their_hash(
    workspace: Path, empty_store: Path, tmp_path: Path
) -> None:
    copy_empty_store(empty_store, workspace)
    finished = experiment(workspace / "made")
    deliver(connect("skipintro"), finished)
    for model in finished.models:
        wanted = f"models:/{model.name}@{CHALLENGER}"
        folder, title, sha256 = fetch(wanted, tracking_uri(), tmp_path / "downloads")
        assert (identity_of(folder), sha256) == (model.sha256, model.sha256)
        assert title == f"{wanted} (version 1)"
        assert fetch(f"models:/{model.name}/1", tracking_uri(), tmp_path / "downloads")[0] == folder

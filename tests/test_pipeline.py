"""The whole pipeline on the toy series: real DVC, MLflow and SQLite in a checkout of its own."""

import csv
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from conftest import Checkout, make_checkout, write_toy_video

pytestmark = pytest.mark.slow

OUTPUTS = ("data/ingest", "data/annotate", "data/embed", "data/window", "models/train")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory, toy_series: Path) -> Checkout:
    """Give a checkout after its first `dvc repro`; copy it before you change it."""
    made = make_checkout(tmp_path_factory.mktemp("pipeline") / "checkout", toy_series)
    made.run("dvc", "repro")
    made.run("git", "add", "-A")
    made.run("git", "commit", "-qm", "reproduced")
    return made


def copy_of(original: Checkout, folder: Path) -> Checkout:
    """Copy a checkout; the copy's MLflow store knows its own place."""
    shutil.copytree(original.folder, folder, symlinks=True)
    (folder / "mlflow.db").unlink()
    with (
        closing(sqlite3.connect(original.folder / "mlflow.db")) as theirs,
        closing(sqlite3.connect(folder / "mlflow.db")) as ours,
    ):
        ours.executescript("".join(theirs.iterdump()).replace(str(original.folder), str(folder)))
    return Checkout(folder)


@pytest.fixture
def copied(reproduced: Checkout, tmp_path: Path) -> Checkout:
    """Give a copy that a test may change."""
    return copy_of(reproduced, tmp_path / "copy")


@pytest.fixture(scope="module")
def longer(reproduced: Checkout, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    """Give a checkout after an experiment with 15 epochs, and what that printed; copy it, too."""
    made = copy_of(reproduced, tmp_path_factory.mktemp("longer") / "checkout")
    return made, made.run("dvc", "exp", "run", "-S", "epochs=15", "-n", "longer")


def hashes(checkout: Checkout) -> dict[str, str]:
    return {
        str(file.relative_to(checkout.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for place in OUTPUTS
        for file in sorted((checkout.folder / place).rglob("*"))
        if file.is_file()
    }


def client(checkout: Checkout) -> MlflowClient:
    return MlflowClient(f"sqlite:///{checkout.folder}/mlflow.db")


def runs(checkout: Checkout, **tags: str) -> list[Run]:
    experiment = client(checkout).get_experiment_by_name("skipintro")
    assert experiment is not None
    found = client(checkout).search_runs([experiment.experiment_id])
    return [run for run in found if all(run.data.tags.get(k) == v for k, v in tags.items())]


def versions(checkout: Checkout) -> dict[str, str]:
    """Give the epochs of each registered version."""
    found = client(checkout).search_model_versions("name = 'intro-detector'")
    store = client(checkout)
    return {str(v.version): store.get_run(v.run_id or "").data.params["epochs"] for v in found}


def history(checkout: Checkout) -> list[dict[str, str]]:
    with (checkout.folder / "models/train/history.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_second_repro_runs_nothing(reproduced: Checkout) -> None:
    assert "up to date" in reproduced.run("dvc", "repro")
    assert reproduced.run("git", "status", "--porcelain") == ""


def test_every_stage_leaves_a_manifest_that_names_what_was_left_out(reproduced: Checkout) -> None:
    ingested = reproduced.read_json("data/ingest/manifest.json")
    assert [e["id"] for e in ingested["episodes"] if e["split"] == "train"] == [
        "toy-s01e01",
        "toy-s01e02",
        "другой «сериал» 🎬 s01e01",
    ]
    assert ingested["leaked"] == ["toy-s01e01"]
    annotated = reproduced.read_json("data/annotate/annotations.json")["episodes"]
    assert {e["id"]: e["status"] for e in annotated if e["split"] == "train"} == {
        "toy-s01e01": "as_labelled",
        "toy-s01e02": "shifted",
        "другой «сериал» 🎬 s01e01": "as_labelled",
    }
    window = reproduced.read_json("data/window/manifest.json")
    # 16 s of intro and 16 s of film each; one episode of 36 s ends 4 s before that
    assert window["splits"]["train"] == {"episodes": 3, "frames": 92, "windows": 7}
    assert window["splits"]["test"] == {"episodes": 2, "frames": 64, "windows": 1}
    assert window["encoder"]["name"] == "efficientnet-lite0"


def test_the_toy_is_learnt_so_that_the_figures_mean_something(reproduced: Checkout) -> None:
    metrics = reproduced.read_json("reports/evaluate/metrics.json")
    assert metrics["windows"]["train"]["f1"] > 0.9
    assert metrics["episodes"]["test_without_leaked"]["mean_iou"] > 0.5
    assert metrics["episodes"]["test"]["episodes"] == 3
    assert metrics["episodes"]["test_without_leaked"]["episodes"] == 2
    for picture in ("loss", "confusion", "precision_recall", "timelines/toy-s01e03"):
        content = (reproduced.folder / f"reports/evaluate/{picture}.png").read_bytes()
        assert content.startswith(b"\x89PNG")


def test_outputs_made_anew_give_the_same_lock_file_byte_for_byte(copied: Checkout) -> None:
    before = (copied.folder / "dvc.lock").read_bytes()
    for place in (".dvc/cache", ".skipintro", "data", "models", "reports"):
        shutil.rmtree(copied.folder / place)
    copied.run("git", "checkout", "--", ".")
    copied.run("dvc", "repro")
    assert (copied.folder / "dvc.lock").read_bytes() == before
    assert copied.run("git", "status", "--porcelain") == ""


def test_an_experiment_with_other_epochs_reuses_the_data_and_gets_a_run_of_its_own(
    longer: tuple[Checkout, str],
) -> None:
    checkout, output = longer
    for stage in ("demo", "ingest", "annotate", "embed", "window"):
        assert f"Stage '{stage}' didn't change" in output
    assert "longer" in checkout.run("dvc", "exp", "show", "--csv", "--no-pager")
    finished = runs(checkout, complete="true")
    assert sorted(run.data.params["epochs"] for run in finished) == ["12", "15"]
    assert all(run.info.status == "FINISHED" for run in finished)
    assert runs(checkout, complete="false") == []
    run = next(run for run in finished if run.data.params["epochs"] == "15")
    assert run.data.tags["dvc.exp_name"] == "longer"
    curve = client(checkout).get_metric_history(run.info.run_id, "test_f1")
    assert [point.step for point in curve] == list(range(1, 16))


def test_going_there_and_back_leaves_one_run_and_one_version_for_each(
    longer: tuple[Checkout, str], tmp_path: Path
) -> None:
    copied = copy_of(longer[0], tmp_path / "copy")
    copied.run("dvc", "exp", "run", "-S", "epochs=12")
    assert "up to date" in copied.run("dvc", "repro")
    assert len(history(copied)) == 12
    finished = runs(copied)
    assert sorted(run.data.params["epochs"] for run in finished) == ["12", "15"]
    assert all(run.data.tags["complete"] == "true" for run in finished)
    assert sorted(versions(copied).values()) == ["12", "15"]


def test_queued_experiments_log_into_the_one_store(copied: Checkout) -> None:
    copied.run("dvc", "exp", "run", "--queue", "-S", "epochs=2,3")
    copied.run("dvc", "queue", "start", "-j", "2")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        status = copied.run("dvc", "queue", "status")
        if "Queued" not in status and "Running" not in status:
            break
        time.sleep(5)  # each asking starts a whole DVC
    assert status.count("Success") == 2, status
    finished = runs(copied, complete="true")
    assert sorted(run.data.params["epochs"] for run in finished) == ["12", "2", "3"]
    assert sorted(versions(copied).values()) == ["12", "2", "3"]
    for run in finished:
        place = run.info.artifact_uri or ""
        assert place.startswith((copied.folder / "mlartifacts").as_uri())


def test_a_run_carries_params_curves_metrics_data_reports_and_model(copied: Checkout) -> None:
    [run] = runs(copied, complete="true")
    assert run.data.params["train.learning_rate"] == "0.001"
    assert run.data.params["embed.weights"] == "imagenet"
    assert run.data.metrics["windows/train/f1"] > 0.9
    assert run.data.tags["encoder.name"] == "efficientnet-lite0"
    assert len(run.data.tags["encoder.weights_sha256"]) == 64
    assert len(run.data.tags["mlflow.source.git.commit"]) == 40
    assert run.inputs is not None
    inputs = {dataset.dataset.name: dataset.dataset.digest for dataset in run.inputs.dataset_inputs}
    lock = (copied.folder / "dvc.lock").read_text(encoding="utf-8")
    assert set(inputs) == {"ingest", "annotate", "embed", "window"}
    assert all(f"md5: {digest}" in lock for digest in inputs.values())
    reports = [f.path for f in client(copied).list_artifacts(run.info.run_id, "reports")]
    assert "reports/metrics.json" in reports


def test_an_interrupted_training_ends_with_the_bytes_of_an_unbroken_one(copied: Checkout) -> None:
    copied.set_params({"epochs": 100})
    process = copied.start("dvc", "repro", "train")
    deadline = time.monotonic() + 120
    checkpoints = copied.folder / ".skipintro/checkpoints"
    while not list(checkpoints.glob("*.pt")) and time.monotonic() < deadline:
        time.sleep(0.05)
    [training] = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.cmdline()[-1:] == ["skipintro.stages.train"]
    ]
    training.kill()
    process.communicate(timeout=120)
    assert process.returncode != 0
    [running] = runs(copied, complete="false")
    assert running.info.status == "RUNNING"
    [before] = runs(copied, complete="true")
    assert {**before.data.params, "epochs": "100"} == running.data.params

    output = copied.run("dvc", "repro")
    assert "going on after epoch" in output
    assert list(checkpoints.glob("*.pt")) == []
    resumed = hashes(copied)
    assert sorted(run.info.status for run in runs(copied)) == ["FINISHED", "FINISHED", "KILLED"]
    [run] = [run for run in runs(copied, complete="true") if run.data.params["epochs"] == "100"]
    curve = client(copied).get_metric_history(run.info.run_id, "train_loss")
    assert [point.step for point in curve] == list(range(1, 101))

    shutil.rmtree(copied.folder / "models")
    copied.run("dvc", "repro", "--force", "--single-item", "train")
    assert hashes(copied) == resumed


PREDICT = """
import json, sys
import mlflow
model = mlflow.pyfunc.load_model("models:/intro-detector@champion")
frame = model.predict(sys.argv[1:])
print("FRAME", frame.to_json(orient="records"))
"""


def predict(checkout: Checkout, folder: Path, *videos: Path) -> list[dict[str, Any]]:
    """Use the champion from another folder, in another process, without this package's source."""
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, *map(str, videos)],
        cwd=folder,
        env={
            **checkout.env,
            "MLFLOW_TRACKING_URI": f"sqlite:///{checkout.folder}/mlflow.db",
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    frame = next(line for line in done.stdout.splitlines() if line.startswith("FRAME"))
    rows: list[dict[str, Any]] = json.loads(frame.removeprefix("FRAME"))
    return rows


def test_the_champion_is_pulled_and_used_from_another_folder(
    copied: Checkout, toy_series: Path, tmp_path: Path
) -> None:
    skipintro = str(Path(sys.executable).parent / "skipintro")
    output = copied.run(skipintro, "promote")
    assert "version 1 is @champion" in output
    videos = [toy_series / f"test/{id_}/{id_}.mp4" for id_ in ("toy-s01e03", "toy-s01e04")]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    rows = predict(copied, elsewhere, *videos)
    evaluated = {e["id"]: e for e in copied.read_json("reports/evaluate/episodes.json")}
    for row, video in zip(rows, videos, strict=True):
        assert row["video"] == str(video)
        times = evaluated[video.stem]["predicted"] or [None, None]
        assert [row["start_s"], row["end_s"]] == times
    stored = [file.name for file in (copied.folder / "mlartifacts").rglob("*")]
    assert "model.safetensors" in stored
    assert not [name for name in stored if name.endswith((".pkl", ".pickle", ".pt", ".pth"))]

    again = copied.run(skipintro, "promote", fails=True)
    assert "no challenger" in again
    assert "Traceback" not in again


def test_an_episode_that_is_added_outside_is_noticed_and_costs_one_episode(
    copied: Checkout, toy_series: Path, tmp_path: Path
) -> None:
    source = tmp_path / "series"
    shutil.copytree(toy_series, source)
    copied.set_params({"ingest.source": str(source)})
    output = copied.run("dvc", "repro", "window")
    assert "Running stage 'ingest'" in output
    assert "Stage 'embed' didn't change" in output
    labels = json.loads((source / "train/labels.json").read_text(encoding="utf-8"))
    labels["toy-s01e09"] = {"name": "toy. Season 1, episode 9", "start": "0:04", "end": "0:20"}
    (source / "train/labels.json").write_text(json.dumps(labels), encoding="utf-8")
    write_toy_video(source / "train/toy-s01e09/toy-s01e09.mp4", 4, seed=9)
    output = copied.run("dvc", "repro", "window")
    assert "7 of 7 episodes usable" in output
    assert "7 episodes, 1 of them embedded now" in output
    assert copied.read_json("data/window/manifest.json")["splits"]["train"]["episodes"] == 4

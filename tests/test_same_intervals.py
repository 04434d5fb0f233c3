"""Whoever asks, and however: the same videos, with the same siblings, have the same intervals."""

import json
import math
import shutil
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import forked
from conftest import Checkout, copy_of
from server_cases import LISTENING, free_port, is_healthy, running, wait_for, wait_until

pytestmark = pytest.mark.slow

Intervals = dict[str, tuple[float | None, float | None]]  # start and end in s, by file name


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory, reproduced: Checkout) -> Checkout:
    """Return a checkout with a champion."""
    made = copy_of(reproduced, tmp_path_factory.mktemp("promoted") / "checkout")
    made.fork("skipintro", "promote")
    return made


@pytest.fixture(scope="module")
def evaluated(promoted: Checkout) -> Intervals:
    """Return what the evaluate stage says of each test episode."""
    told = promoted.read_json("reports/evaluate/episodes.json")
    found = {row["id"]: tuple(row["predicted"] or (None, None)) for row in told}
    assert set(found) == {"toy-s01e01", "toy-s01e03", "toy-s01e04"}
    assert found["toy-s01e03"] == (2, 18)
    return found


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, toy_series: Path) -> Path:
    """Return a folder with the series as the evaluation has it at hand: train and test."""
    folder = tmp_path_factory.mktemp("library")
    for video in toy_series.glob("*/toy-*/*.mp4"):
        shutil.copy2(video, folder)
    return folder


def seconds(value: float | None) -> float | None:
    """Read a time; MLflow's service writes NaN where there is none."""
    return None if value is None or math.isnan(value) else value


def of_test(rows: list[dict[str, Any]]) -> Intervals:
    found = {
        Path(row["video"]).stem: (seconds(row["start_s"]), seconds(row["end_s"])) for row in rows
    }
    assert found.pop("toy-s01e02") == (4, 20)  # stands in train alone
    return found


def post(url: str, body: Mapping[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310  the address is ours
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return json.load(answer)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the memory of the command line, so that the videos are embedded once."""
    return tmp_path_factory.mktemp("cache")


def detected(checkout: Checkout, library: Path, cache: Path, *words: str) -> Intervals:
    told = checkout.fork(
        *("skipintro", "detect", str(library), "--format", "jsonl", "--cache", str(cache)), *words
    )
    return of_test([json.loads(line) for line in told.splitlines() if line.startswith("{")])


def test_the_command_line_with_the_champion_a_version_and_a_folder(
    promoted: Checkout, evaluated: Intervals, library: Path, cache: Path
) -> None:
    [weights] = (promoted.folder / "mlartifacts").rglob("openings.safetensors")
    for model in (
        "models:/intro-detector@champion",
        "models:/intro-detector/1",
        str(weights.parent),
    ):
        assert detected(promoted, library, cache, "--model", model) == evaluated, model
    assert detected(promoted, library, cache) == evaluated


def test_the_command_line_with_the_registry_of_a_server(
    promoted: Checkout, evaluated: Intervals, library: Path, cache: Path, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    words = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{promoted.folder}/mlflow.db"]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    elsewhere = Checkout(tmp_path)
    with running(words, log, env={**promoted.env, **quiet}) as server:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: is_healthy(f"{url}/health"), server, log, 120)
        elsewhere.env["MLFLOW_TRACKING_URI"] = url
        found = detected(elsewhere, library, cache)
        of_version = detected(elsewhere, library, cache, "--model", "models:/intro-detector/1")
    assert found == of_version == evaluated


def test_the_service(
    promoted: Checkout, evaluated: Intervals, library: Path, tmp_path: Path
) -> None:
    words = ["skipintro", "serve", "--root", str(library), "--port", "0"]
    words += ["--cache", str(tmp_path / "cache")]
    job = forked.Job(words, str(promoted.folder), promoted.env)
    with forked.forks().started(job) as server:
        wait_until(lambda: LISTENING in server.printed(), 120, "it does not listen")
        [line] = [line for line in server.printed().splitlines() if LISTENING in line]
        rows = post(f"{line.split()[-1]}/detect", {"paths": [str(library)]})
    assert of_test(rows) == evaluated


SCORED = """
import mlflow
from fastapi.testclient import TestClient
from mlflow.pyfunc.scoring_server import init
model = mlflow.pyfunc.load_model("models:/intro-detector@champion")
answer = TestClient(init(model)).post("/invocations", json={{"inputs": {videos}}})
print("ANSWER", answer.text)
"""


def test_mlflow_s_service(promoted: Checkout, evaluated: Intervals, library: Path) -> None:
    """The service itself, not its process: test_docs.py starts `mlflow models serve`."""
    videos = [str(video) for video in sorted(library.iterdir())]
    env = {**promoted.env, "MLFLOW_TRACKING_URI": f"sqlite:///{promoted.folder}/mlflow.db"}
    job = forked.Job(["a service"], str(promoted.folder), env, SCORED.format(videos=videos))
    [done] = forked.forks().run(job)
    [line] = [line for line in done.said.splitlines() if line.startswith("ANSWER")]
    assert of_test(json.loads(line.removeprefix("ANSWER"))["predictions"]) == evaluated

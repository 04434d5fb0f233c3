"""Engines: the same bytes from each, and what becomes of faults and lost workers.

They embed here; `test_fingerprint.py` has the other kind of evidence. A test with Ray's workers
takes some 10 s: each worker loads torch, and a cluster has ten processes.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest
import torch

from conftest import Checkout, make_checkout, write_toy_video
from isolation_cases import are_gone
from season_cases import FINGERPRINT, PICTURES
from server_cases import free_port, wait_until
from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file
from skipintro.encoder.hardware import encoder_device, encoder_precision, n_at_once
from skipintro.encoder.spec import EncoderOrigin, EncoderSpec
from skipintro.engines.base import ComputeParams, Engine, Job, RayParams
from skipintro.engines.choice import open_engine
from skipintro.engines.local import LocalEngine
from skipintro.evidence.spec import FingerprintSpec
from skipintro.video.container import VideoError
from torch_cases import torch_threads

SPEC = EncoderSpec(
    name="efficientnet-lite0",
    weights="openai",
    device="cpu",
    precision="fp32",
    batch_size=8,
    search="whole",
)
FINGERPRINTS = FingerprintSpec(FINGERPRINT)
RAY = RayParams(workers=2, cpus_per_worker=1, gpus_per_worker=0, address=None)


LOCAL = ComputeParams(engine="local", ray=RAY)


def with_ray(**changes: Any) -> ComputeParams:
    return ComputeParams(engine="ray", ray=RAY.model_copy(update=changes))


N_VIDEOS, N_SECONDS = 4, 11  # one batch that is full and one that is not, each


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    paths = [folder / f"серия {index}.mp4" for index in range(N_VIDEOS)]
    for seed, path in enumerate(paths):
        write_toy_video(path, 2, seconds=N_SECONDS, seed=seed)
    return paths


def jobs_for(videos: list[Path], folder: Path) -> list[Job]:
    return [
        Job(path, sha256_of_file(path), N_SECONDS, folder / f"{path.stem}.npy") for path in videos
    ]


def embedded(engine: Engine[EncoderOrigin], videos: list[Path], folder: Path) -> dict[str, bytes]:
    jobs = jobs_for(videos, folder)
    done = list(engine.run(jobs))
    assert sorted(job.path for job in done) == sorted(videos)
    return {job.path.name: job.target.read_bytes() for job in done}


@pytest.fixture(scope="module")
def local() -> LocalEngine[EncoderOrigin]:
    return LocalEngine(SPEC, n_at_once=1)


@pytest.fixture(scope="module")
def expected(
    local: LocalEngine[EncoderOrigin], videos: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    return embedded(local, videos, tmp_path_factory.mktemp("local"))


def test_the_bytes_do_not_depend_on_the_number_of_threads(
    local: LocalEngine[EncoderOrigin],
    videos: list[Path],
    expected: dict[str, bytes],
    tmp_path: Path,
) -> None:
    assert torch.get_num_threads() == 2  # where what is expected was made
    with torch_threads(3):
        assert embedded(local, videos[:1], tmp_path) == {
            videos[0].name: expected[videos[0].name],
        }
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3


def test_videos_at_once_give_the_same_bytes(
    videos: list[Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    with torch_threads(2):
        assert embedded(LocalEngine(SPEC, n_at_once=3), videos, tmp_path) == expected


def test_a_fault_among_videos_at_once_is_told_and_what_was_done_before_is_kept(
    videos: list[Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    jobs = jobs_for(videos, tmp_path)
    jobs[2] = replace(jobs[2], sha256="0" * 64)
    with pytest.raises(InputError, match="gone or changed since it was ingested"):
        list(LocalEngine(SPEC, n_at_once=2).run(jobs))
    for job in jobs[:2]:
        assert job.target.read_bytes() == expected[job.path.name]
    assert not jobs[2].target.exists()


def test_half_of_the_threads_feed_a_processor_and_each_of_them_a_gpu() -> None:
    for n_threads, at_once in [(1, 1), (2, 1), (8, 4)]:
        with torch_threads(n_threads):
            assert n_at_once("cpu") == at_once
            assert n_at_once("cuda") == n_threads


def test_a_target_is_there_as_soon_as_its_job_is_yielded(
    local: LocalEngine[EncoderOrigin], videos: list[Path], tmp_path: Path
) -> None:
    jobs = jobs_for(videos, tmp_path)
    next(iter(local.run(jobs)))
    assert [job.target.exists() for job in jobs] == [True, False, False, False]


def test_the_key_follows_all_that_shapes_the_bytes_and_no_engine(
    local: LocalEngine[EncoderOrigin],
) -> None:
    origin = local.origin
    others = [
        replace(origin, spec=replace(SPEC, batch_size=9)),
        replace(origin, spec=replace(SPEC, precision="bf16")),
        replace(origin, spec=replace(SPEC, search=600)),
        replace(origin, spec=replace(SPEC, device="cuda")),
        replace(origin, identity=origin.identity.model_copy(update={"weights_sha256": "0" * 64})),
        replace(origin, code="other"),
        replace(origin, versions={**origin.versions, "torch": "2.0"}),
    ]
    assert len({origin.key, *(other.key for other in others)}) == 1 + len(others)
    assert replace(origin, spec=replace(SPEC, weights="path/of/the/same")).key == origin.key
    assert open_engine(with_ray(), SPEC).origin.key == origin.key


def test_what_differs_in_a_worker_is_told_in_words(local: LocalEngine[EncoderOrigin]) -> None:
    ours = local.origin
    assert ours.differences(ours) == []
    theirs = replace(
        ours,
        identity=ours.identity.model_copy(update={"weights_sha256": "0" * 64}),
        code="other",
        versions={**ours.versions, "torch": "2.0"},
    )
    packages = f"torch 2.0 (here {ours.versions['torch']})"
    assert ours.differences(theirs) == ["code of skipintro", packages, "weights"]


def test_the_key_of_fingerprints_follows_settings_code_and_packages() -> None:
    origin = FINGERPRINTS.origin()
    faster = FINGERPRINT.model_copy(update={"pictures": PICTURES.model_copy(update={"rate": 5})})
    others = [
        FingerprintSpec(faster).origin(),
        replace(origin, code="other"),
        replace(origin, versions={**origin.versions, "av": "1.0"}),
    ]
    assert len({origin.key, *(other.key for other in others)}) == 1 + len(others)
    assert open_engine(with_ray(), FINGERPRINTS).origin.key == origin.key
    assert origin.differences(others[0]) == ["settings"]


@pytest.mark.parametrize(
    ("precision", "encoder", "chosen"),
    [
        ("auto", "clip-vit-b-32", "bf16"),
        ("auto", "efficientnet-lite0", "fp32"),
        ("fp32", "clip-vit-b-32", "fp32"),
        ("bf16", "efficientnet-lite0", "bf16"),
    ],
)
def test_a_cluster_s_gpus_work_in_bf16_where_the_encoder_bears_it(
    precision: Literal["auto", "fp32", "bf16"], encoder: str, chosen: str
) -> None:
    assert encoder_precision("ray", precision, encoder, "cuda") == chosen


@pytest.mark.parametrize(
    ("device", "gpus", "chosen"),
    [("auto", 0, "cpu"), ("auto", 0.5, "cuda"), ("cpu", 0, "cpu"), ("cuda", 1, "cuda")],
)
def test_workers_work_on_the_gpus_that_they_ask_for(device: str, gpus: float, chosen: str) -> None:
    assert encoder_device(with_ray(gpus_per_worker=gpus), device) == chosen


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 1), ("cuda", 0)])
def test_a_device_that_the_workers_do_not_ask_for_is_refused(device: str, gpus: float) -> None:
    with pytest.raises(InputError, match=r"compute.ray.gpus_per_worker is [01]; .*correct one"):
        encoder_device(with_ray(gpus_per_worker=gpus), device)


def test_without_ray_the_remedy_is_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "skipintro.engines.ray_engine", raising=False)
    with pytest.raises(
        InputError, match=r"uv pip install -c requirements.lock --editable '.\[cluster\]'"
    ):
        open_engine(with_ray(), SPEC)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:{port}", "no Ray cluster responds (Connection refused); start one"),
        ("ray://127.0.0.1:{port}", "no Ray cluster responds"),
        ("head", "expected host:port, got 'head'; correct it"),
    ],
)
def test_an_address_where_nothing_answers_is_told_within_seconds(
    videos: list[Path], tmp_path: Path, address: str, told: str
) -> None:
    place = address.format(port=free_port())
    engine = open_engine(with_ray(address=place), SPEC)
    started = time.monotonic()
    with pytest.raises(InputError) as refused:
        list(engine.run(jobs_for(videos, tmp_path)))
    assert time.monotonic() - started < 20
    assert str(refused.value).startswith("params.yaml: compute.ray.address: ")
    assert told in str(refused.value)


def test_faults_are_results_of_a_worker_not_exceptions(
    local: LocalEngine[EncoderOrigin],
    videos: list[Path],
    expected: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from skipintro.engines.ray_engine import Worker  # noqa: PLC0415  imports Ray

    monkeypatch.chdir(tmp_path)  # the worker changes it
    worker = Worker()
    assert "not there" in str(worker.prepare(tmp_path / "gone", SPEC))
    assert "unknown encoder" in str(worker.prepare(tmp_path, replace(SPEC, name="other")))
    assert worker.prepare(tmp_path, SPEC) == local.origin
    job = jobs_for(videos, tmp_path)[0]
    made = worker.make(job)
    assert isinstance(made, bytes)
    assert made == expected[job.path.name][:-32]  # less the hash that tells damage
    assert "changed since" in str(worker.make(replace(job, sha256="0" * 64)))
    assert worker.where() == (socket.gethostname(), os.getpid())


def test_with_nothing_to_do_no_cluster_is_started() -> None:
    assert list(open_engine(with_ray(address="127.0.0.1:1"), SPEC).run([])) == []


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    address: str
    process: psutil.Process

    def params(self, **changes: Any) -> ComputeParams:
        return with_ray(address=self.address, **changes)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that hold an encoder."""
        found = []
        for process in self.process.children(recursive=True):
            try:
                if process.cmdline() and process.cmdline()[0].startswith("ray::Worker"):
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start a cluster with 2 CPUs, in processes of its own."""
    port, log_file = free_port(), tmp_path_factory.mktemp("cluster") / "log"
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    environment |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}
    ray = str(Path(sys.executable).parent / "ray")
    command = [ray, "start", "--head", "--block", f"--port={port}", "--num-cpus=2"]
    command += ["--include-dashboard=false", "--object-store-memory=100000000"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while "Ray runtime started" not in log_file.read_text("utf-8"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield Cluster(f"127.0.0.1:{port}", psutil.Process(process.pid))
    finally:
        family = [process_ := psutil.Process(process.pid), *process_.children(recursive=True)]
        for member in family:
            member.kill()  # nobody is left to wait for its end
        process.wait()


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_loses_nothing(
    cluster: Cluster,
    videos: list[Path],
    expected: dict[str, bytes],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    killed: list[int] = []
    busy = [video for video in videos for _ in range(2)]  # enough for the killer to meet one
    jobs = [
        Job(path, sha256_of_file(path), N_SECONDS, tmp_path / f"{index}.npy")
        for index, path in enumerate(busy)
    ]
    done: list[Job] = []
    for job in open_engine(cluster.params(), SPEC).run(jobs):
        done.append(job)
        if not killed:  # the others are at work or about to be
            for worker in cluster.workers():
                killed.append(worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
    assert killed
    assert sorted(map(str, done)) == sorted(map(str, jobs))
    assert {str(j): j.target.read_bytes() for j in jobs} == {
        str(j): expected[j.path.name] for j in jobs
    }
    assert "its worker was lost" in caplog.text
    assert "doing it again" in caplog.text
    wait_until(lambda: not cluster.workers(), 30, "a worker is left")


@pytest.mark.slow
def test_fingerprints_are_the_same_from_workers_which_load_no_encoder_and_ask_for_no_gpu(
    cluster: Cluster, videos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "ray").mkdir()
    jobs = jobs_for(videos, tmp_path / "local")
    list(open_engine(LOCAL, FINGERPRINTS).run(jobs))
    by_ray = jobs_for(videos, tmp_path / "ray")
    loaded: set[str] = set()
    for _ in open_engine(cluster.params(gpus_per_worker=64), FINGERPRINTS).run(by_ray):
        for worker in cluster.workers():
            with suppress(psutil.Error):
                loaded |= {Path(one.path).name for one in worker.memory_maps()}
    assert [one.target.read_bytes() for one in by_ray] == [one.target.read_bytes() for one in jobs]
    assert any(name.startswith("libpython") or "_raylet" in name for name in loaded)
    assert not [name for name in loaded if "torch" in name]


@pytest.mark.slow
def test_a_bad_video_is_told_by_a_worker_as_it_is_without_one(
    cluster: Cluster, videos: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(videos[0].read_bytes()[:3000])
    jobs = jobs_for([bad], tmp_path)
    with pytest.raises(VideoError) as alone:
        list(open_engine(LOCAL, FINGERPRINTS).run(jobs))
    with pytest.raises(VideoError) as by_worker:
        list(open_engine(cluster.params(), FINGERPRINTS).run(jobs))
    assert str(by_worker.value) == str(alone.value)
    assert by_worker.value.fault == alone.value.fault


@pytest.mark.slow
def test_more_than_any_machine_has_is_refused(
    cluster: Cluster, videos: list[Path], tmp_path: Path
) -> None:
    spec = replace(SPEC, device="cuda")
    wanted = cluster.params(gpus_per_worker=64)
    with pytest.raises(InputError, match="a worker needs 1 CPUs and 64 GPUs, but the largest"):
        list(open_engine(wanted, spec).run(jobs_for(videos, tmp_path)))


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory, toy_series: Path) -> Checkout:
    made = make_checkout(tmp_path_factory.mktemp("engine") / "checkout", toy_series)
    made.env["HOME"] = str(made.folder)  # Ray puts its token there
    made.stage("ingest")
    return made


def arrays(checkout: Checkout) -> dict[str, bytes]:
    folder = checkout.folder / "data" / "embed"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.*"))}


@pytest.fixture(scope="module")
def by_local(ingested: Checkout) -> dict[str, bytes]:
    """Return the files of the embed stage without Ray."""
    assert "6 episodes, 5 of them embedded now" in ingested.stage("embed")  # one is leaked
    return arrays(ingested)


@pytest.mark.slow
def test_the_stage_writes_the_same_with_each_engine_and_remembers_across_them(
    cluster: Cluster, ingested: Checkout, by_local: dict[str, bytes]
) -> None:
    memory = ingested.folder / ".skipintro" / "embeddings"
    forgotten = sorted(memory.rglob("*.npy"))[:2]
    for array in forgotten:
        array.unlink()
    ingested.set_params(
        {
            "compute.engine": "ray",
            "compute.ray.address": cluster.address,
            "compute.ray.cpus_per_worker": 1,
        }
    )
    output = ingested.stage("embed")
    assert "6 episodes, 2 of them embedded now" in output
    assert [line for line in output.splitlines() if not line.startswith("embed: ")] == []
    assert arrays(ingested) == by_local
    wait_until(lambda: not cluster.workers(), 30, "a worker is left")
    ingested.set_params({"compute.ray.address": "127.0.0.1:1"})  # all is remembered: no one asks it
    assert "6 episodes, 0 of them embedded now" in ingested.stage("embed")
    assert arrays(ingested) == by_local


def remembered(folder: Path) -> list[Path]:
    """Return the arrays that are whole; drafts go when a stage is told to end."""
    return [path for path in folder.rglob("*.npy") if ".draft." not in str(path)]


@pytest.mark.slow
def test_a_stage_that_is_told_to_end_takes_its_cluster_along_and_keeps_what_was_done(
    ingested: Checkout, by_local: dict[str, bytes]
) -> None:
    memory = ingested.folder / ".skipintro" / "embeddings"
    shutil.rmtree(memory)
    ingested.set_params(
        {"compute.engine": "ray", "compute.ray.address": None, "compute.ray.cpus_per_worker": 1}
    )
    process = ingested.start(sys.executable, "-m", "skipintro.stages.embed", PYTHONPATH="src")
    try:
        wait_until(lambda: bool(remembered(memory)), 120, "nothing is embedded")
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, output
    assert "Traceback" not in output
    assert are_gone([member.pid for member in family], within_s=20)
    n_done = len(remembered(memory))
    assert n_done > 0
    output = ingested.stage("embed")
    assert f"{5 - n_done} of them embedded now" in output
    assert [line for line in output.splitlines() if not line.startswith("embed: ")] == []
    assert arrays(ingested) == by_local

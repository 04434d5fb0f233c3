"""Credentials in the environment and in addresses, and all that is said and written."""

import json
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from conftest import ENCODER, ROOT, TINY, Checkout, copy_of, write_toy_video
from forked import Done, Forked, Job
from report_cases import report
from skipintro.core.files import write_json
from skipintro.model.windows import FrameSequence, SplitWindows, WindowManifest, write_sequence
from torture.conftest import Attack
from torture.worked import STAGES, Worked

CANARY = "canary" + "7f3a9"  # not as a whole in a copy of this file
SECRETS = {
    "MLFLOW_TRACKING_USERNAME": f"user-{CANARY}",
    "MLFLOW_TRACKING_PASSWORD": f"password-{CANARY}",
    "MLFLOW_TRACKING_TOKEN": f"token-{CANARY}",
    "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}",
    "AWS_SECRET_ACCESS_KEY": f"secret-{CANARY}",
    "AWS_SESSION_TOKEN": f"session-{CANARY}",
}
COMMANDS = (
    *("stage track", "stage train", "skipintro models", "skipintro runs", "skipintro promote"),
    *("skipintro report --no-open", "skipintro detect {video}"),
    "skipintro detect {video} --model models:/intro-detector@champion",
    "skipintro detect {video} --model models:/intro-detector/1",
    "skipintro serve --port 0",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout with what `train` and `report` read, and a DVC remote with a password."""
    made = Checkout(tmp_path / "checkout")
    folder = made.folder
    folder.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    made.set_params({**{k: v for k, v in TINY.items() if k.startswith("train.")}, "epochs": 2})
    windows = folder / "data" / "window"
    windows.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        sequence = FrameSequence(
            embeddings=rng.normal(size=(90, ENCODER.dimension)).astype(np.float32),
            labels=(np.arange(90) < 45).astype(np.uint8),
            episodes=np.zeros(90, np.int32),
            seconds=np.arange(90, dtype=np.int32),
            ids=("toy-s01e01",),
        )
        write_sequence(windows / f"{split}.npz", sequence)
    manifest = WindowManifest(
        length=60,
        stride=5,
        encoder=ENCODER,
        splits={
            split: SplitWindows(episodes=1, frames=90, windows=7) for split in ("train", "test")
        },
        leaked=[],
        left_out={},
        versions={},
    )
    write_json(windows / "manifest.json", manifest)
    write_json(folder / "reports" / "evaluate" / "report.json", report())
    put_secret(made)
    write_toy_video(folder / "Toy S01E01.mp4", 1, seconds=4)
    return made


def put_secret(checkout: Checkout) -> None:
    """Return DVC a remote with a password."""
    config = checkout.folder / ".dvc" / "config"
    config.parent.mkdir(exist_ok=True)
    config.write_text(
        f"[core]\n    remote = far\n['remote \"far\"']\n    url = https://u:{CANARY}@host/dvc\n"
    )


class _HalfDead(BaseHTTPRequestHandler):
    """Knows the experiment, and fails at all else."""

    def do_GET(self) -> None:
        found = "/experiments/get-by-name" in self.path
        experiment = {"experiment_id": "1", "name": "skipintro", "lifecycle_stage": "active"}
        body = {"experiment": experiment} if found or "/experiments/get" in self.path else {}
        text = json.dumps(body or {"error_code": "BAD_REQUEST", "message": "no"}).encode()
        self.send_response(200 if body else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET  # noqa: N815  the name is the library's

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def half_dead_server() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _HalfDead)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run_all(checkout: Checkout, forks: Forked, jobs: list[tuple[str, str]]) -> list[Done]:
    """Run commands one after the other, each with its store."""
    env = {
        **SECRETS,
        "XDG_CACHE_HOME": str(checkout.folder / "cache"),
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    }
    return [
        forks.run(
            Job(shlex.split(words), str(checkout.folder), {**env, "MLFLOW_TRACKING_URI": uri})
        )[0]
        for uri, words in jobs
    ]


def leaks(checkout: Checkout) -> list[str]:
    """Return the files that hold a secret, but for the one that it was put into."""
    secret = CANARY.encode()
    files = (path for path in checkout.folder.parent.rglob("*") if path.is_file())
    return [
        str(path)
        for path in files
        if path.relative_to(checkout.folder.parent).as_posix() != "checkout/.dvc/config"
        and (secret in path.read_bytes() or CANARY in path.name)
    ]


@pytest.mark.promise(
    "Credentials of MLflow, AWS and DVC, in addresses or the environment, are in nothing that is "
    "said or written, whatever the server does."
)
def test_canaries_with_servers_that_fail(attack: Attack, checkout: Checkout, forks: Forked) -> None:
    with half_dead_server() as port:
        user = f"user{CANARY}:pass{CANARY}"
        stores = [
            f"http://{user}@127.0.0.1:9/?key={CANARY}",
            f"http://{user}@127.0.0.1:{port}",
            f"postgresql://{user}@127.0.0.1:9/db",
            f"http://{user}@127.0.0.1:port/",
            f"http://127.0.0.1:{port}/?token={CANARY}",
            f"sqlite:///{checkout.folder}/params.yaml/gone.db?key={CANARY}",
        ]
        size = attack.size(quick=1, wide=2, full=len(stores))
        video = shlex.quote(str(checkout.folder / "Toy S01E01.mp4"))
        jobs = [(uri, command.format(video=video)) for uri in stores[:size] for command in COMMANDS]
        all_done = run_all(checkout, forks, jobs)
    for (uri, words), done in zip(jobs, all_done, strict=True):
        with attack.case((uri.replace(CANARY, "…"), words)):
            assert CANARY not in done.said, done.said.replace(CANARY, "<CANARY>")
            assert "Traceback" not in done.said, done.said
            assert done.code != 99
            is_report = "report" in words  # which says that no champion answers
            assert (done.code == 0) == is_report, done
    with attack.case("files"):
        assert leaks(checkout) == []


@pytest.mark.promise(
    "A run that succeeds leaves no credentials of the environment in the store, its tags and files."
)
def test_canaries_with_a_store_that_works(
    attack: Attack, worked: Worked, forks: Forked, tmp_path: Path
) -> None:
    checkout = copy_of(worked, tmp_path / "checkout")
    put_secret(checkout)
    uri = f"sqlite:///{checkout.folder}/mlflow.db"
    stages = ("train", "track") if attack.is_quick else STAGES
    commands = [*(f"stage {stage}" for stage in stages), "skipintro runs", "skipintro models"]
    jobs = [(uri, words) for words in commands]
    trained = checkout.folder / "models" / "train" / "model.safetensors"
    before = trained.stat().st_mtime_ns
    for words, done in zip(commands, run_all(checkout, forks, jobs), strict=True):
        with attack.case(words):
            assert done.code == 0, done.said.replace(CANARY, "<CANARY>")
            assert CANARY not in done.said
    with attack.case("files"):
        assert trained.stat().st_mtime_ns > before
        assert leaks(checkout) == []

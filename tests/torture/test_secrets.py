"""Credentials in the environment and in addresses, and all that is said and written."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from conftest import ENCODER, ROOT, TINY, Checkout, copy_of, write_toy_video
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
    *("stage track", "stage train", "models", "runs", "promote", "report --no-open"),
    *("detect {video}", "detect {video} --model models:/intro-detector@champion"),
    *("detect {video} --model models:/intro-detector/1", "detect {video} --model runs:/0123"),
    "serve --port 0",
)
# Runs every command in one process, since MLflow takes seconds to load.
DRIVER = """
import json, os, runpy, sys, traceback
for uri, words in json.loads(sys.argv[1]):
    os.environ["MLFLOW_TRACKING_URI"] = uri
    print("COMMAND", words, flush=True)
    print("COMMAND", words, file=sys.stderr, flush=True)
    try:
        if words[0] == "stage":
            sys.argv = words
            runpy.run_module(f"skipintro.stages.{words[1]}", run_name="__main__")
        else:
            from skipintro import cli
            sys.argv = ["skipintro", *words]
            cli.main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 99
    print("CODE", code, flush=True)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Give a checkout with what `train` and `report` read, and a DVC remote with a password."""
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
    """Give DVC a remote with a password."""
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


def run_all(checkout: Checkout, jobs: list[tuple[str, list[str]]]) -> tuple[str, str]:
    """Run commands, each with its store; give output and errors."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(jobs)],
        cwd=checkout.folder,
        env={
            **checkout.env,
            **SECRETS,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "XDG_CACHE_HOME": str(checkout.folder / "cache"),
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout.count("CODE") == len(jobs), done.stderr[-3000:].replace(CANARY, "…")
    return done.stdout, done.stderr


def leaks(checkout: Checkout) -> list[str]:
    """Give the files that hold a secret, but for the one that it was put into."""
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
def test_canaries_with_servers_that_fail(attack: Attack, checkout: Checkout) -> None:
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
        size = attack.size(full=len(stores), selection=2)
        video = str(checkout.folder / "Toy S01E01.mp4")
        jobs = [
            (uri, command.format(video="VIDEO").split())
            for uri in stores[:size]
            for command in COMMANDS
        ]
        jobs = [(uri, [video if w == "VIDEO" else w for w in words]) for uri, words in jobs]
        out, err = run_all(checkout, jobs)
    told = [part.partition("\n") for part in err.split("COMMAND ")[1:]]
    codes = [line.split()[1] for line in out.splitlines() if line.startswith("CODE")]
    for (uri, words), (_, _, said), code in zip(jobs, told, codes, strict=True):
        with attack.case((uri.replace(CANARY, "…"), words)):
            assert CANARY not in said, said.replace(CANARY, "<CANARY>")
            assert "Traceback" not in said, said
            assert code != "99"
            assert (code == "0") == (words[0] == "report")  # which says that no champion answers
    with attack.case("output"):
        assert CANARY not in out
    with attack.case("files"):
        assert leaks(checkout) == []


@pytest.mark.promise(
    "A run that succeeds leaves no credentials of the environment in the store, its tags and files."
)
def test_canaries_with_a_store_that_works(attack: Attack, worked: Worked, tmp_path: Path) -> None:
    checkout = copy_of(worked, tmp_path / "checkout")
    put_secret(checkout)
    uri = f"sqlite:///{checkout.folder}/mlflow.db"
    jobs = [(uri, ["stage", stage]) for stage in STAGES] + [(uri, ["runs"]), (uri, ["models"])]
    trained = checkout.folder / "models" / "train" / "model.safetensors"
    before = trained.stat().st_mtime_ns
    out, err = run_all(checkout, jobs)
    for words in jobs:
        with attack.case(words[1]):
            assert f"COMMAND {words[1]}" in out
            assert CANARY not in out + err
    with attack.case("files"):
        assert out.count("CODE 0") == len(jobs), err[-3000:]
        assert trained.stat().st_mtime_ns > before
        assert leaks(checkout) == []

"""A toy series of real, small H.264 files, and checkouts to run the real DVC and MLflow in."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skipintro.core import arithmetic

os.environ.update(arithmetic.environment("portable"))  # before numpy and torch are imported

import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock
from hypothesis import settings
from numpy.typing import NDArray
from torch import Tensor

import forked
from skipintro import cli
from skipintro.episodes.embeddings import EmbeddingConfig, EncoderIdentity
from skipintro.model.config import HeadConfig
from skipintro.model.head import IntroHead
from skipintro.stages import ingest
from skipintro.video.encoding import encode_h264
from skipintro.video.info import USUAL_LIMITS
from skipintro.video.scaling import Picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Modules that take longest, which `make test` begins with, so that both workers end together.
# One begins with what needs no `reproduced`, while the other makes that.
LONGEST_FIRST = (
    *("test_pipeline", "test_engine", "test_docs", "test_same_intervals", "test_golden"),
    "test_imports",
    *("test_kill", "test_store_away", "test_disk"),  # long in `make torture-wide`
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the longest modules first."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


# The same examples in every run; `make torture` draws many others each time.
settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.register_profile("random", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("suite")

# A shell ignores Ctrl-C for what it starts in the background, and our processes would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
TOY_LENGTH_S, TOY_INTRO_S = 36, 16
EMBEDDING = EmbeddingConfig(
    precision="fp32", batch_size=7, search="whole", truncation_tolerance_s=2.0
)
ENCODER = EncoderIdentity(
    name="any", weights="any", weights_sha256="0" * 64, trained=True, dimension=8, image_size=224
)


def tiny_config(**changes: Any) -> HeadConfig:
    """Return the shape of a head that is made in no time, for the vectors of ENCODER."""
    fields = {
        "length": 6,
        "dimension": ENCODER.dimension,
        "layers": 1,
        "heads": 2,
        "feedforward": 16,
        "dropout": 0.1,
        "position_std": 0.02,
        "encoder": ENCODER,
    }
    return HeadConfig.model_validate({**fields, **changes})


def ingest_params(source: Path, **changes: Any) -> ingest.Params:
    """Return the params of ingest for a source with the splits `train` and `test` of MP4 files."""
    fields = {
        "source": source,
        "train_split": "train",
        "test_split": "test",
        "mode": "copy",
        "on_bad_video": "set_aside",
        "truncation_tolerance_s": 2.0,
        "decoding": USUAL_LIMITS,
        "extensions": ("mp4",),
    }
    return ingest.Params.model_validate({**fields, **changes})


class TellingHead(IntroHead):
    """Says of a frame what stands in the frame: its one feature is its probability."""

    def __init__(self, length: int) -> None:
        super().__init__(tiny_config(length=length, dimension=1, heads=1))
        self.eval()

    def forward(self, windows: Tensor) -> Tensor:
        return torch.logit(windows.squeeze(-1))


def write_toy_video(
    path: Path, intro_start: int | None, *, seconds: int = TOY_LENGTH_S, seed: int = 0
) -> None:
    """Write 4 frames a second of 96 x 64: dim shots as film, and the intro that all toys share.

    Each second of the intro has a bright picture of its own, so that its place can be told.
    """
    rng, of_intro = np.random.default_rng(seed), np.random.default_rng(99)
    film: list[Picture] = []
    while len(film) < seconds:
        dark, bright = rng.integers(0, 140, (2, 3))
        film += [_waves(rng, dark, bright)] * int(rng.integers(2, 5))
    violet, yellow = np.array((20, 0, 60)), np.array((250, 200, 30))
    intro = [_waves(of_intro, violet, yellow) for _ in range(TOY_INTRO_S)]

    def frames() -> Iterator[Picture]:
        for index in range(seconds * 4):
            second = index // 4
            if intro_start is not None and intro_start <= second < intro_start + TOY_INTRO_S:
                yield intro[second - intro_start]
            else:
                yield film[second]

    path.parent.mkdir(parents=True, exist_ok=True)
    encode_h264(path, frames(), Fraction(4), crf=28, keyframe_interval=20)


def _waves(rng: np.random.Generator, dark: NDArray[Any], bright: NDArray[Any]) -> Picture:
    """Return a picture of 96 x 64 with waves between two colours; no two draws look alike."""
    y, x = np.mgrid[:64, :96]
    along_x, along_y = rng.uniform(-0.4, 0.4, 2)
    share = (np.sin(along_x * x + along_y * y + rng.uniform(0, 6))[..., None] + 1) / 2
    return np.asarray(dark * (1 - share) + bright * share, np.uint8)


def write_toy_series(folder: Path) -> Path:
    """Write 3 train and 3 test episodes; one label is inverted, one test episode is leaked."""
    labels: dict[str, dict[str, Any]] = {"train": {}, "test": {}}
    episodes = [
        ("train", "toy-s01e01", 0),
        ("train", "toy-s01e02", 4),
        ("train", "другой «сериал» 🎬 s01e01", 8),
        ("test", "toy-s01e03", 2),
        ("test", "toy-s01e04", None),
    ]
    for seed, (split, id_, start) in enumerate(episodes):
        write_toy_video(folder / split / id_ / f"{id_}.mp4", start, seed=seed)
        clock = None if start is None else f"0:00:{start:02d}"
        end = None if start is None else f"0:00:{start + TOY_INTRO_S:02d}"
        if id_ == "toy-s01e02":  # inverted by a minute
            clock = f"0:01:{start:02d}"
        name = f"{id_[:-6]}. Season 1, episode {id_[-2:]}"
        labels[split][id_] = {"name": name, "start": clock, "end": end}
    labels["test"]["toy-s01e01"] = labels["train"]["toy-s01e01"]
    shutil.copytree(folder / "train" / "toy-s01e01", folder / "test" / "toy-s01e01")
    for split, rows in labels.items():
        text = json.dumps(rows, ensure_ascii=False, indent=1)
        (folder / split / "labels.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def toy_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a source folder with the toy series; copy it before you change it."""
    return write_toy_series(tmp_path_factory.mktemp("toy") / "series")


# With the demo, which the pipeline of another source does not run.
REPRO = ("dvc", "repro", "data/dvc.yaml", "dvc.yaml")


class Checkout:
    """A copy of this repository with its own Git, DVC and MLflow, small enough for a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **forked.plain_environment(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "true",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@example.org",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@example.org",
        }

    def start(self, *words: str, **env: str) -> "subprocess.Popen[str]":
        """Start a command in the checkout."""
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, fails: bool = False, **env: str) -> str:
        """Run a command and give its output; `fails` tells whether it must."""
        process = self.start(*words, **env)
        output, _ = process.communicate(timeout=600)
        assert (process.returncode != 0) == fails, f"{words}: {process.returncode}\n{output}"
        return output

    def fork(self, *words: str, fails: bool = False, **env: str) -> str:
        """Run `stage <name>` or `skipintro …` in a forked process and return its output.

        It runs the code of this repository, whatever stands in the checkout's `src`.
        """
        job = forked.Job(words, str(self.folder), {**self.env, **env})
        [done] = forked.forks().run(job)
        assert (done.code != 0) == fails, f"{words}: {done.code}\n{done.said}"
        return done.said

    def stage(self, name: str, *, fails: bool = False, **env: str) -> str:
        """Run one stage without DVC, in a forked process."""
        return self.fork("stage", name, fails=fails, **env)

    def set_params(self, changes: Mapping[str, Any]) -> None:
        """Change params by dotted names."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, value in changes.items():
            *sections, key = name.split(".")
            place = content
            for section in sections:
                place = place[section]
            place[key] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")

    def read_json(self, name: str) -> Any:
        """Read one of the checkout's JSON files."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


# A head that learns the toy's intro in seconds, little to choose from, and a demo that is next to
# nothing.
TINY: dict[str, Any] = {
    "epochs": 12,
    "train.layers": 1,
    "train.heads": 4,
    "train.feedforward": 32,
    "train.dropout": 0.0,
    "train.learning_rate": 0.001,
    "demo.library": {"n_shows": 2, "n_unseen_shows": 1, "episodes_per_show": [4, 2]},
    "demo.episode": {
        "steps_a_s": 25,
        "length_s": [14, 16],
        "opening_s": [3, 3],
        "cold_open_s": [2, 3],
        "cold_open_share": 0.5,
        "recap_s": 2,
        "recap_share": 0.3,
        "shot_s": [2, 4],
        "establishing_s": 1,
        "closing_s": [2, 2],
        "lettering_share": 0.5,
    },
    "demo.picture.sizes": [[64, 36]],
    "demo.picture.rates": ["5"],
    "demo.sound.n_without_sound": 0,
    "demo.faults.n_without_intro_per_split": 0,
    "demo.faults.n_leaked": 1,
    "fit.further_trees": [0, 3],
    "fit.folds": 2,
    "fit.min_confidence": 0.1,
    "fit.candidates.max_share": 0.9,  # the toys' intro is nearly half of them
    "evaluate.bootstrap.n_resamples": 20,
    "evaluate.baselines.max_film_frames": 100,
    "evaluate.baselines.probability_thresholds": [0.5],
    "evaluate.baselines.similarity_thresholds": [0.75],
    "evaluate.baselines.early_shares": [0.5],
    "promote.detector.min_score": 0.0,  # two siblings in train are too few to find anything
    "promote.classifier.metric": "windows/test/f1",  # too little is left without the leaked one
}


@pytest.fixture
def checkout(tmp_path: Path, toy_series: Path) -> Checkout:
    """Return a checkout with the toy series, a tiny head, and a demo that is next to nothing."""
    return make_checkout(tmp_path / "checkout", toy_series)


def copy_tracked(folder: Path) -> Checkout:
    """Copy what Git tracks, or would track, but for the lock files of other data."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and Path(name).name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return Checkout(folder)


def make_checkout(folder: Path, source: Path) -> Checkout:
    """Make a repository of its own of a copy."""
    made = copy_tracked(folder)
    made.set_params({**TINY, "ingest.source": str(source)})
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        made.run("git", *words)
    return made


def make_once(
    name: str, tmp_path_factory: pytest.TempPathFactory, make: Callable[[Path], object]
) -> Path:
    """Return a folder that `make` has made, once for all workers of a test run.

    It is shared: copy what you change.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, whole = shared / name, shared / f"{name}.whole"
    with FileLock(shared / f"{name}.lock"):
        if not whole.exists():
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for a PATH: its `dvc`, `skipintro` and stages are forked."""
    from stage_server import forking_programs  # noqa: PLC0415  most tests need none

    return forking_programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Checkout:
    """Return a checkout after its first `dvc repro`; copy it before you change it."""

    def make(folder: Path) -> None:
        made = make_checkout(folder / "checkout", write_toy_series(folder / "series"))
        made.run(*REPRO, PATH=f"{programs}{os.pathsep}{made.env['PATH']}")
        made.run("git", "add", "-A")
        made.run("git", "commit", "-qm", "reproduced")

    return Checkout(make_once("reproduced", tmp_path_factory, make) / "checkout")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with an empty store; `copy_empty_store` gives a test its own."""
    from experiment_cases import make_empty_store  # noqa: PLC0415  which imports this module

    return make_once("empty-store", tmp_path_factory, make_empty_store)


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


def run_command(
    words: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Run `skipintro` in this process; gives its exit code, what it printed, and its errors."""
    monkeypatch.setattr(sys, "argv", ["skipintro", *words])
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    return code, *capsys.readouterr()


@pytest.fixture(scope="module")  # no longer: its event loop is in the way of others
def browser() -> "Iterator[Browser]":
    """Yield a headless Chromium that asks nobody for anything by itself."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  most tests need none

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("neither chromium nor google-chrome is installed: apt-get install chromium")
    quiet = [
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=quiet, chromium_sandbox=os.getuid() != 0
        )
        yield started
        started.close()

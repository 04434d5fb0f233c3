"""The commands of the README and of the task pages run, block after block, on toy videos.

A command that cannot run here says so in the page: `(not tested: why)` at its end. Blocks of `text`
are what commands print. A page takes seconds: it starts the real DVC again and again.
"""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import forked
from conftest import Checkout, copy_of, make_once, write_toy_video
from server_cases import free_port, running, wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "docs/own_episodes.md",
        "docs/review.md",
        "docs/figures.md",
        "docs/detecting.md",
        "docs/how_it_works.md",
        "docs/service.md",
        "docs/running_experiments.md",
    )
}
# What the pages say of the commands that do not run here. A new reason is a decision.
NOT_TESTED = {
    "downloads 600 MB",
    "it runs in the background",  # test_pipeline.py has a queue that runs
    "needs a Git remote",
}
SERVERS = {  # and what each one prints when it listens
    "skipintro serve": "listening on",
    "skipintro review": "in doubt: http://",
    "skipintro watch": "watching",
    "mlflow models serve": "startup complete",
}
ELSEWHERE = {  # held by tests of their own
    "make test": "it runs this test",
    "make ui": "test_comparison_page.py has that server",
}
SHOWS = {
    "Show/Show.S01E01.mkv": 3,
    "Show/Show.S01E02.mkv": 8,
    "Show/Show.S01E03.mkv": 0,
    "Other/Other.S01E01.mkv": 5,
    "Other/Other.S01E02.mkv": 2,
    "Third/Third.S01E01.mkv": 1,
    "Third/Third.S01E02.mkv": 6,
    "Third/Third.S01E03.mkv": 4,
}
UNLABELLED = "Third/Third.S01E03.mkv"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str

    def commands(self) -> list[str]:
        """Return its commands, each with its lines, without those that are not tested."""
        found: list[str] = []
        for line in self.text.splitlines():
            if found and found[-1].count("'") % 2:  # a quoted text goes on
                found[-1] += f"\n{line}"
            elif line.strip():
                found.append(line)
        return [command for command in found if not _reasons(command)]


def _reasons(text: str) -> list[str]:
    return re.findall(r"\(not tested: ([^)]*)\)", text)


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [Block(language, text) for language, text in found]


@dataclass
class Reader:
    """Somebody who types what a page says, in a checkout after `make repro`."""

    checkout: Checkout
    places: Mapping[str, str]  # what the pages call them, and what they are here
    logs: Path
    stack: ExitStack
    printed: list[str] = field(default_factory=list)

    def read(self, page: str) -> None:
        """Run all blocks of a page."""
        for block in blocks_of(page):
            assert block.language in {"", "python", "text", "toml"}, block
            if block.language == "python":
                self._python(self._here(block.text))
            elif not block.language:
                for command in block.commands():
                    self._shell(self._here(command))

    def _here(self, text: str) -> str:
        for name, place in self.places.items():
            text = text.replace(name, place)
        return text

    def _shell(self, command: str) -> None:
        words = " ".join(command.split())
        if any(words.startswith(name) for name in ELSEWHERE):
            return
        for name in SERVERS:
            if words.startswith(name):
                self._serve(name, command)
                return
        if exported := re.match(r"export (\w+)=(\S+)", command):
            self.checkout.env[exported[1]] = exported[2]
            return
        self.printed.append(self.checkout.run("bash", "-euo", "pipefail", "-c", command))

    def _serve(self, name: str, command: str) -> None:
        words = command.partition("#")[0].split()
        env = self.checkout.env
        if name == "mlflow models serve":
            log = self.logs / "mlflow.log"
            self.stack.enter_context(running(words, log, env=env, cwd=self.checkout.folder))
            wait_until(
                lambda: SERVERS[name] in log.read_text("utf-8", "replace"),
                120,
                f"{log}: it does not listen",
            )
            return
        if name == "skipintro serve":
            words += ["--port", self.places["localhost:8000"].rpartition(":")[2]]
        job = forked.Job(words, str(self.checkout.folder), env)
        server = self.stack.enter_context(forked.forks().started(job))
        wait_until(
            lambda: SERVERS[name] in server.printed() or server.has_ended(),
            120,
            f"{name} does not listen",
        )
        assert not server.has_ended(), server.wait()
        if name in {"skipintro review", "skipintro watch"}:  # who reads on has ended it
            server.send(signal.SIGINT)
            assert server.wait().code == 0

    def _python(self, code: str) -> None:
        env = self.checkout.env
        job = forked.Job(["python"], str(self.checkout.folder), env, code)
        [done] = forked.forks().run(job)
        assert done.code == 0, done.said


@pytest.fixture(scope="module")
def make_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a `make` without `make env`."""
    folder, make = tmp_path_factory.mktemp("make"), shutil.which("make")
    assert make is not None
    (folder / "make").write_text(f'#!/bin/sh\nexec {make} -o .venv/.complete "$@"\n', "utf-8")
    (folder / "make").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def shows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library of three series, as a media server has it; copy it."""

    def make(folder: Path) -> None:
        for seed, (name, start) in enumerate(SHOWS.items()):
            write_toy_video(folder / name, start, seconds=26, seed=seed)

    return make_once("shows", tmp_path_factory, make)


@pytest.fixture
def reader(
    *,
    reproduced: Checkout,
    programs: Path,
    make_alone: Path,
    shows: Path,
    toy_series: Path,
    tmp_path: Path,
) -> Iterator[Reader]:
    """Yield somebody with a library, a labelled one, and a checkout after `make repro`."""
    checkout = copy_of(reproduced, tmp_path / "checkout")
    checkout.env |= {
        "PATH": os.pathsep.join([str(make_alone), str(programs), checkout.env["PATH"]]),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "BROWSER": "true",
    }
    checkout.run("git", "branch", "-M", "main")
    shutil.copytree(shows, tmp_path / "shows")
    for video in (tmp_path / "shows/Show").iterdir():
        shutil.copyfile(video, checkout.folder / video.name)
    (checkout.folder / ".git/info/exclude").write_text("Show.*\n", "utf-8")
    _write_library(toy_series, tmp_path / "library")
    places = {
        "/media/shows": str(tmp_path / "shows"),
        "/data/my-library": str(tmp_path / "library"),
        "/data/my-shows": str(tmp_path / "my-shows"),
        "/path/to/checkout": str(checkout.folder),
        "localhost:8000": f"localhost:{free_port()}",
        "localhost:5001": f"localhost:{(port := free_port())}",
        "--port 5001": f"--port {port}",
        "epochs=40": "epochs=14",  # longer than the toy's 12
    }
    with ExitStack() as stack:
        yield Reader(checkout, places, tmp_path, stack)


def _write_library(toy_series: Path, folder: Path) -> None:
    """Write the toy series with other ids, so that its vectors are known, and one episode more."""
    for split in ("train", "test"):
        labels = {
            id_.replace("toy-", "show-"): {**label, "name": label["name"].replace("toy", "show")}
            for id_, label in json.loads((toy_series / split / "labels.json").read_bytes()).items()
        }
        videos = {video.stem: video for video in (toy_series / split).glob("*/*.mp4")}
        if split == "train":
            labels["show-s01e05"] = {"name": "show. Episode 5", "start": 3, "end": 19}
            labels["show-s01e06"] = {"name": "show. Episode 6", "start": 3, "end": 3.1}  # in doubt
            write_toy_video(folder / "train/show-s01e05/show-s01e05.mp4", 3, seed=9)
            videos["show-s01e06"] = folder / "train/show-s01e05/show-s01e05.mp4"
        for stem, video in videos.items():
            id_ = stem.replace("toy-", "show-")
            (folder / split / id_).mkdir(parents=True)
            shutil.copyfile(video, folder / split / id_ / f"{id_}.mp4")
        (folder / split / "labels.json").write_text(json.dumps(labels), "utf-8")


def test_from_the_readme_to_your_own_labels(reader: Reader) -> None:
    reader.read(PAGES["README.md"])
    assert "up to date" in reader.printed[0]
    assert "8 videos" in reader.printed[1]
    library = Path(reader.places["/media/shows"])
    for name, start in SHOWS.items():
        edl = (library / name).with_suffix(".edl")
        edl.unlink(missing_ok=True)
        if name != UNLABELLED:
            edl.write_text(f"{start} {start + 16} 3\n", "utf-8")
    reader.read(PAGES["docs/own_episodes.md"])
    reader.read(PAGES["docs/review.md"])
    reader.read(PAGES["docs/figures.md"])


def test_detect_in_a_library(reader: Reader) -> None:
    library = Path(reader.places["/media/shows"])
    for name, like in (("Old Show", "Other"), ("New Show", "Third")):
        shutil.copytree(library / like, library / name)
    reader.read(PAGES["docs/detecting.md"])
    reader.read(PAGES["docs/how_it_works.md"])


def test_the_service(reader: Reader) -> None:
    reader.checkout.fork("skipintro", "promote")
    reader.read(PAGES["docs/service.md"])
    assert len(reader.printed) == 7, "each request has a response"
    assert not [response for response in reader.printed if '"error' in response]


def test_run_and_compare_experiments(reader: Reader) -> None:
    reader.read(PAGES["docs/running_experiments.md"])


def test_what_is_not_tested_is_marked_with_a_known_reason() -> None:
    assert {reason for page in PAGES.values() for reason in _reasons(page)} == NOT_TESTED


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_a_page_begins_with_what_one_can_do_after_it_and_its_links_lead_somewhere(
    page: Path,
) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.split("\n\n")[1].startswith("After this page")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_block_is_cut_into_commands() -> None:
    text = "a b  # c\n\ncurl -d '{\"x\":\n  1}' y\nz  # (not tested: it is late)\n"
    [block] = blocks_of(f"words\n```\n{text}```\n")
    assert block.commands() == ["a b  # c", "curl -d '{\"x\":\n  1}' y"]

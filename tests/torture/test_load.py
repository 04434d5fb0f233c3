"""Libraries of thousands of very short episodes, through the stages and `skipintro detect`."""

import json
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import ROOT, Checkout, make_checkout, write_toy_video
from library_cases import Place, whole_evidence
from torture.conftest import BY_A_SMALL_ONE, Attack
from torture.measured import Measured, measured

CLIP_S, N_CLIPS = 2, 20  # of an episode; how many differ in their pictures
MOST_TIMES, MOST_MEMORY = 12, 1.5  # for ten times as many episodes
SHORT = ["annotate", "window"]  # less than a tenth of a second for the few
NOTHING_S = 5  # of the processor, for a `dvc repro` with nothing to do
OF_SERIES = 20


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the videos that all episodes are made of."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    made = []
    for seed in range(N_CLIPS):
        write_toy_video(path, None, seconds=CLIP_S, seed=seed)
        made.append(path.read_bytes())
    return made


def write_episode(path: Path, clips: list[bytes], number: int) -> None:
    """Write one of the clips, with a box that players pass over: no two have the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    box = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
    path.write_bytes(clips[number % N_CLIPS] + box)


def name_of(number: int) -> str:
    return f"Show {number // OF_SERIES} S01E{number % OF_SERIES + 1:02d}"


def write_source(folder: Path, n_episodes: int, clips: list[bytes]) -> None:
    """Write a source folder, half of the episodes in each split."""
    for split, first in (("train", 0), ("test", n_episodes // 2)):
        labels = {}
        for number in range(first, first + n_episodes // 2):
            write_episode(folder / split / f"{name_of(number)}.mp4", clips, number)
            labels[name_of(number)] = {"name": name_of(number), "start": 0, "end": 1}
        (folder / split / "labels.json").write_text(json.dumps(labels), encoding="utf-8")


def cost(attack: Attack, checkout: Checkout, pieces: list[list[str]]) -> Measured:
    """Do pieces of work: at full size in a process of their own, else here, and count calls."""
    if not attack.is_full:
        return measured(pieces, is_counted=True)
    paths = os.pathsep.join(("src", str(ROOT / "tests")))
    file = checkout.folder / "pieces.json"  # more than an argument may be long
    file.write_text(json.dumps(pieces), encoding="utf-8")
    words = (sys.executable, "-m", "torture.measured", str(file))
    output = checkout.run(*BY_A_SMALL_ONE, *words, PYTHONPATH=paths)
    return Measured(**json.loads(output.splitlines()[-1]))


def compare(attack: Attack, name: str, few: Sequence[float], many: Sequence[float]) -> None:
    """Hold ten times as many episodes against few; of several times the least counts."""
    one, other = min(few), min(many)
    with attack.case((name, one, other)):
        assert 0 < other < MOST_TIMES * one


def compare_memory(attack: Attack, few: Measured, many: Measured) -> None:
    """Hold ten times as many episodes against few, at full size."""
    if attack.is_full:
        with attack.case(("memory", few.memory, many.memory)):
            assert many.memory < MOST_MEMORY * few.memory


@pytest.mark.promise(
    "Ingest, annotate, embed and window each take less than 12 times the processor time for 5,000 "
    "episodes that they take for 500, together less than 1.5 times the memory; and a `dvc repro` "
    "of the 5,000 with nothing to do takes less than 5 s of the processor."
)
def test_stages_of_many_episodes(attack: Attack, tmp_path: Path, clips: list[bytes]) -> None:
    n_few = attack.size(quick=6, wide=10, full=500)
    stages = ["ingest", "annotate", "embed", "window"]
    checkouts, costs = [], []
    for n_episodes in (n_few, 10 * n_few):
        source = tmp_path / f"source-{n_episodes}"
        write_source(source, n_episodes, clips)
        checkout = make_checkout(tmp_path / f"checkout-{n_episodes}", source)
        checkout.set_params({"window.length": attack.size(quick=6, wide=10, full=10)})
        pieces = [[str(checkout.folder), stage] for stage in stages]
        costs.append(cost(attack, checkout, pieces))
        checkouts.append(checkout)
    compare_memory(attack, *costs)
    for number, stage in enumerate(stages):
        if stage not in SHORT:
            compare(attack, stage, *([each.spent[number]] for each in costs))
    for stage in SHORT:  # by turns: a slow moment of the machine meets both
        spent = cost(attack, checkout, 3 * [[str(each.folder), stage] for each in checkouts]).spent
        compare(attack, stage, spent[::2], spent[1::2])
    if attack.is_quick:
        return  # test_pipeline.py has a `dvc repro` with nothing to do
    checkout.run("dvc", "commit", "--force", *stages)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = checkout.run("dvc", "repro", "window")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with attack.case(("nothing to do", seconds)):
        assert "up to date" in output
        assert "Running stage" not in output
        assert seconds < NOTHING_S


@pytest.mark.promise(
    "`skipintro detect` takes less than 12 times the processor time for 5,000 episodes in series "
    "of 20 that it takes for 500, and less than 1.5 times the memory: at first, again with nothing "
    "to do, and with each file given by itself."
)
def test_detecting_in_large_libraries(
    attack: Attack, place: Place, tmp_path: Path, clips: list[bytes]
) -> None:
    n_few = attack.size(quick=10, wide=10, full=500)
    costs = []
    for n_episodes in (n_few, 10 * n_few):
        library, cache = tmp_path / f"library-{n_episodes}", tmp_path / f"cache-{n_episodes}"
        videos = [library / f"{name_of(number)}.mp4" for number in range(n_episodes)]
        for number, video in enumerate(videos):
            write_episode(video, clips, number)
        fixed = ["--model", str(place.detector), "--cache", str(cache), "--write", "edl"]
        forms = ([library], [library], videos)
        pieces = [[str(tmp_path), "detect", *map(str, paths), *fixed] for paths in forms]
        costs.append(cost(attack, Checkout(tmp_path), pieces))
        n_known = len(whole_evidence(cache, "fingerprints"))
        with attack.case((n_episodes, n_known)):
            assert n_known == n_episodes
    compare_memory(attack, *costs)
    names = ("at first", "again", "each file by itself")
    for name, *both in zip(names, *(each.spent for each in costs), strict=True):
        compare(attack, name, *([each] for each in both))

"""Detectors whose files were changed, are others', or try to run code."""

import json
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays

from conftest import EMBEDDING
from experiment_cases import copy_empty_store
from library_cases import HEAD, Place, use_cheap_encoder, write_head_detector
from service_cases import serving_apart
from skipintro import cli
from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file, sha256_of_json, write_sums
from skipintro.core.layout import HEAD_CONFIG, HEAD_WEIGHTS
from skipintro.detection.folder import HeadDetectorConfig, assemble
from skipintro.detection.head_detector import HeadDetector
from skipintro.detection.kinds import (
    DETECTION_FILE,
    FILES,
    OPENINGS_CONFIG,
    OPENINGS_WEIGHTS,
    Kind,
    kind_of,
)
from skipintro.detectors.openings import load_openings
from skipintro.library.cache import Cache
from skipintro.library.models import find_model
from skipintro.library.results import Settings
from skipintro.service.allowed_paths import Roots
from skipintro.service.predictor import Finder, Plan
from torture.conftest import Attack
from torture.mutation import mutated, read_or_refused

CPU = torch.device("cpu")
SEALED: dict[Kind, tuple[str, ...]] = {  # of which one byte that changes is told
    "openings": FILES["openings"],
    "head": (HEAD_WEIGHTS, HEAD_CONFIG),
}
WEIGHTS: dict[Kind, str] = {"openings": OPENINGS_WEIGHTS, "head": HEAD_WEIGHTS}


@pytest.fixture(scope="module", params=["openings", "head"])
def made(
    place: Place, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Place:
    """Return a library, its evidence in a cache, and a detector's folder as `track` makes it."""
    folder = tmp_path_factory.mktemp("models")
    head, openings = write_head_detector(folder / "head"), folder / "openings"
    shutil.copytree(place.detector, openings)
    for part in (head, openings):
        write_sums(part)
    place = Place(place.library, folder / "detector", folder / "cache")
    place.detector.mkdir()
    config = HeadDetectorConfig(head=HEAD, embedding=EMBEDDING)
    assemble(place.detector, request.param, head=head, openings=openings, config=config)
    with pytest.MonkeyPatch.context() as patch:
        use_cheap_encoder(patch)
        assert run(place.words(), patch) == 0
    return place


@pytest.fixture
def folder(made: Place, tmp_path: Path) -> Path:
    """Return a copy of the detector's folder to change."""
    return Path(shutil.copytree(made.detector, tmp_path / "detector"))


def load(folder: Path) -> object:
    """Load a detector of either kind."""
    if kind_of(folder) == "openings":
        return load_openings(folder)
    return HeadDetector(folder, CPU)


def run(words: list[str], patch: pytest.MonkeyPatch) -> int:
    patch.setattr(sys, "argv", ["skipintro", *words])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def restore(folder: Path, good: Path) -> None:
    for path in good.iterdir():
        shutil.copyfile(path, folder / path.name)


def unsealed(folder: Path) -> None:
    """Make it a folder that was put together by hand: without hashes."""
    path = folder / DETECTION_FILE
    sealed: dict[str, Any] = {"sha256": {}}
    if kind_of(folder) == "openings":
        path = folder / OPENINGS_CONFIG
        sealed = {"sha256": "", "weights_sha256": sha256_of_file(folder / OPENINGS_WEIGHTS)}
    path.write_text(json.dumps({**json.loads(path.read_text()), **sealed}))


def refusal(folder: Path) -> str:
    """Load what must be refused; give the message, one line that names a file of the folder."""
    with pytest.raises(InputError) as caught:
        load(folder)
    told = str(caught.value)
    assert told.splitlines() == [told]
    assert f"{folder}{os.sep}" in told
    return told


@pytest.mark.promise(
    "A detector's folder of which one byte is not as it was made is refused, and the file is named."
)
def test_changed_bytes_of_a_detector(attack: Attack, made: Place, folder: Path) -> None:
    for number in attack.cases(quick=40, wide=200, full=1_000):
        names = SEALED[kind_of(made.detector)]
        name = names[number % len(names)]
        good = (made.detector / name).read_bytes()
        content = mutated(attack.rng, good)
        if number % 3 == 0:
            at = attack.rng.randrange(len(good))
            content = good[:at] + bytes([good[at] ^ 1 << attack.rng.randrange(8)]) + good[at + 1 :]
        if content == good:
            continue
        with attack.case((name, number)):
            (folder / name).write_bytes(content)
            assert str(folder / name) in refusal(folder)
        (folder / name).write_bytes(good)
    load(folder)  # as it was


@pytest.mark.promise(
    "Weights and configs without a hash, cut, damaged or of others, are read as what they are, or "
    "refused in one line that names one of them."
)
def test_any_bytes_of_a_detector_without_hashes(attack: Attack, made: Place, folder: Path) -> None:
    for number in attack.cases(quick=20, wide=100, full=1_000):
        names = FILES[kind_of(made.detector)]
        name = names[number % len(names)]
        good = (made.detector / name).read_bytes()
        content = mutated(attack.rng, good[:400]) + good[400:]  # the header, above all
        (folder / name).write_bytes(content)
        with attack.case((name, content[:400])):
            if name in WEIGHTS.values():
                unsealed(folder)
            read_or_refused(folder, lambda: load(folder))
        restore(folder, made.detector)


class Evil:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("unpickled",))


def _rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    arrays = dict(load_arrays(path))
    change(arrays)
    save_arrays({n: np.ascontiguousarray(a) for n, a in arrays.items()}, path)


def _header(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])


def _first(arrays: Mapping[str, Any], rng: random.Random) -> str:
    floats = (name for name in arrays if arrays[name].size and arrays[name].dtype.kind == "f")
    return rng.choice(sorted(floats))


def _spoil(arrays: dict[str, Any], rng: random.Random, value: float) -> None:
    name = _first(arrays, rng)
    spoilt = arrays[name].copy()
    spoilt.flat[rng.randrange(spoilt.size)] = value
    arrays[name] = spoilt


def _cast(arrays: dict[str, Any], rng: random.Random, kind: str) -> None:
    name = _first(arrays, rng)
    arrays[name] = arrays[name].astype(kind)


def _wider(header: dict[str, Any], rng: random.Random) -> None:
    name = rng.choice(sorted(header))
    header[name]["shape"] = [10**9, *header[name]["shape"]]


def _further(header: dict[str, Any], rng: random.Random) -> None:
    header[rng.choice(sorted(header))]["data_offsets"][1] += 1 << 40


def _taken_out(arrays: dict[str, Any], rng: random.Random) -> None:
    del arrays[_first(arrays, rng)]


def _turned(arrays: dict[str, Any], rng: random.Random) -> None:
    name = _first(arrays, rng)
    arrays[name] = arrays[name][None]


SPOILT: dict[str, Callable[[Path, random.Random], object]] = {
    "empty": lambda path, _: path.write_bytes(b""),
    "cut": lambda path, rng: path.write_bytes(
        path.read_bytes()[: rng.randrange(path.stat().st_size)]
    ),
    "longer": lambda path, _: path.write_bytes(path.read_bytes() + b"\0" * 8),
    "a header without end": lambda path, _: path.write_bytes(
        struct.pack("<Q", 1 << 62) + path.read_bytes()[8:]
    ),
    "a shape beyond the data": lambda path, rng: _header(path, lambda h: _wider(h, rng)),
    "offsets beyond the data": lambda path, rng: _header(path, lambda h: _further(h, rng)),
    "not a number": lambda path, rng: _rewritten(path, lambda a: _spoil(a, rng, np.nan)),
    "infinite": lambda path, rng: _rewritten(path, lambda a: _spoil(a, rng, -np.inf)),
    "whole numbers": lambda path, rng: _rewritten(path, lambda a: _cast(a, rng, "int32")),
    "half precision": lambda path, rng: _rewritten(path, lambda a: _cast(a, rng, "float16")),
    "a tensor more": lambda path, _: _rewritten(path, lambda a: a.update(more=np.zeros(3, "f4"))),
    "a tensor less": lambda path, rng: _rewritten(path, lambda a: _taken_out(a, rng)),
    "a dimension more": lambda path, rng: _rewritten(path, lambda a: _turned(a, rng)),
    "a pickle": lambda path, _: path.write_bytes(pickle.dumps(Evil())),
    "a torch checkpoint": lambda path, _: torch.save({"weights": Evil()}, path),
}
LIES: dict[str, dict[str, tuple[Any, ...]]] = {
    HEAD_CONFIG: {
        "length": (0, -1, 11, 10**9, 10**12, 10**30, 1.5, None, "ten", float("nan")),
        "dimension": (0, 191, 193, 10**9, 10**30, [192]),
        "layers": (0, 2, 10**9, 10**30),
        "feedforward": (0, 5, 10**12, 10**30),
        "heads": (0, 5, 10**12),
        "dropout": (1.0, -0.1, float("nan"), float("inf")),
        "encoder": (None, {}, "cheap"),
        "more": (1,),
    },
    OPENINGS_CONFIG: {
        "matching": (None, {}, []),
        "candidates": (None, {}, []),
        "min_confidence": (-1, 2, float("nan"), "half"),
        "calibration_scores": ((), (1, 0), None, (float("inf"),)),
        "features": ((), ("alike",), None),
        "weights_sha256": ("", "0" * 64),
        "sha256": ("0" * 64,),
        "more": (1,),
    },
    DETECTION_FILE: {
        "head": (None, {}, [1]),
        "sha256": ({"../x": "0"}, {"": ""}, [], {HEAD_WEIGHTS: "0" * 64}, {"gone": "0"}),
        "more": (1,),
    },
}


@pytest.mark.promise(
    "Weights that are no tensors of this detector (a pickle, another shape or type, one more or "
    "less, not finite), and configs that lie about them, are refused by name, without any hash."
)
def test_tampered_detectors_without_hashes(attack: Attack, made: Place, folder: Path) -> None:
    for _ in attack.cases(quick=1, wide=1, full=8):
        name = WEIGHTS[kind_of(made.detector)]
        for told, spoil in SPOILT.items():
            with attack.case((name, told)):
                spoil(folder / name, attack.rng)
                unsealed(folder)
                assert str(folder / name) in refusal(folder)
            restore(folder, made.detector)
    for name in FILES[kind_of(made.detector)]:
        lies = LIES.get(name, {})
        if not lies:
            continue
        for key, values in lies.items():
            for value in values:
                with attack.case((name, key, value)):
                    unsealed(folder)
                    content = json.loads((folder / name).read_text())
                    (folder / name).write_text(json.dumps({**content, key: value}))
                    refusal(folder)
                restore(folder, made.detector)
    assert not Path("unpickled").exists()


@pytest.mark.promise(
    "`skipintro detect` and the service answer nothing with a tampered model: one line names it."
)
def test_tampered_models_at_work(
    attack: Attack,
    made: Place,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_cheap_encoder(monkeypatch)
    place = Place(made.library, folder, made.cache)
    for number in attack.cases(quick=3, wide=6, full=30):
        names = SEALED[kind_of(made.detector)]
        name = names[number % len(names)]
        good = (made.detector / name).read_bytes()
        at = attack.rng.randrange(len(good))
        (folder / name).write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with attack.case((name, at)):
            assert run(place.words(), monkeypatch) == 1
            told = capsys.readouterr()
            assert told.out == ""
            [error] = [line for line in told.err.splitlines() if line.startswith("error: ")]
            assert str(folder / name) in error
            assert "Traceback" not in told.err
            memory = Cache(made.cache)
            model, _ = find_model(str(folder), None, memory)
            memory.close()
            plan = Plan(model, made.cache, Settings("whole"), Roots([made.library]), 4, 6.0)
            finder = Finder(plan)
            with pytest.raises(InputError, match=name):
                finder.of_library([made.library])
            finder.close()
        restore(folder, made.detector)
    assert run(place.words(), monkeypatch) == 0


@pytest.mark.promise(
    "A registered model whose files do not have the registered hash is refused, not replaced by "
    "another in silence."
)
@pytest.mark.only_from(
    "wide",
    "a registry for each kind",
    held_by="test_library.py::test_the_champion_is_asked_for_once_and_a_new_one_is_noticed",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MLflow's own queries
def test_registered_models_of_another_hash(
    *,
    attack: Attack,
    made: Place,
    empty_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow.tracking import MlflowClient  # noqa: PLC0415  takes seconds

    from skipintro.tracking.publish import MODEL_TAG  # noqa: PLC0415

    copy_empty_store(empty_store, tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = MlflowClient(uri)
    model = tmp_path / "model"
    folder = model / "artifacts" / "detector"
    shutil.copytree(made.detector, folder)
    (model / "MLmodel").write_text(
        "flavors: {python_function: {artifacts: {detector: {path: artifacts/detector}}}}"
    )
    sha256 = sha256_of_json({path.name: sha256_of_file(path) for path in folder.iterdir()})
    client.create_registered_model("intro-detector")
    client.create_model_version("intro-detector", model.as_uri(), tags={MODEL_TAG: sha256})
    client.set_registered_model_alias("intro-detector", "champion", "1")
    memory = Cache(tmp_path / "cache")
    assert find_model(None, None, memory)[0].identity == sha256
    for number in attack.cases(wide=15, full=100):
        names = FILES[kind_of(made.detector)]
        name = names[number % len(names)]
        good = (made.detector / name).read_bytes()
        (folder / name).write_bytes(good + b" ")
        wanted = (None, "models:/intro-detector@champion", "models:/intro-detector/1")[number % 3]
        with attack.case((name, wanted)):
            with pytest.raises(InputError) as caught:
                find_model(wanted, None, memory)
            assert str(caught.value).startswith(f"{folder}: its files are not those that were")
        (folder / name).write_bytes(good)
        os.utime(folder / name, ns=(number, number))  # looked at again, though of the same size
    assert find_model(None, None, memory)[0].identity == sha256
    memory.close()


# Tells at the end what was seen, and that there was something to see by.
HOOK = """
import atexit, os, sys
model, seen = os.path.realpath(FOLDER), []

def hook(event, args):
    if event.startswith("pickle."):
        seen.append(f"{event} {args!r}")
    elif event == "exec" and getattr(args[0], "co_filename", "").startswith(model):
        seen.append(f"{event} {args[0].co_filename}")
    elif event == "open" and isinstance(args[0], str) and args[0].startswith(model):
        if not args[0].endswith((".json", ".safetensors")):
            seen.append(f"{event} {args[0]}")

def tell():
    print("SEEN", seen, flush=True)
    import pickle
    pickle.loads(pickle.dumps(len))
    print("HOOKED", len(seen) > 0, flush=True)

leave = os._exit
os._exit = lambda code: (tell(), leave(code))  # `serve` ends so
atexit.register(tell)
sys.addaudithook(hook)
"""
DETECT = """
import pytest
from library_cases import use_cheap_encoder
from skipintro.cli import main
use_cheap_encoder(pytest.MonkeyPatch())
main()
"""


@pytest.mark.promise(
    "`skipintro detect` and `serve` unpickle nothing of the model's folder and run no code of it "
    "(audit hook)."
)
def test_no_code_of_a_model_runs(attack: Attack, made: Place, folder: Path, tmp_path: Path) -> None:
    trap = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\n"
    for name in ("__init__", "sitecustomize", "pyfunc_model", "skipintro", "conftest", "json"):
        (folder / f"{name}.py").write_text(trap)
    for name in ("python_model.pkl", "model.pt", "model.safetensors.pkl", "weights.bin"):
        (folder / name).write_bytes(pickle.dumps(Evil()))
    hook = HOOK.replace("FOLDER", repr(str(folder)))

    def check(told: str) -> None:
        assert "SEEN []\n" in told, told[-2000:]
        assert "HOOKED True" in told
        assert not list(folder.rglob("*.ran"))
        assert not (folder / "unpickled").exists()

    place = Place(made.library, folder, tmp_path / "cache")  # empty: all is loaded and decoded
    with attack.case("detect"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", hook + DETECT, *place.words()],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert '"start_s"' in done.stdout
        check(done.stdout)
    if attack.is_quick:
        return  # a second process that loads all: seconds
    with attack.case("serve"):
        (tmp_path / "served").mkdir()
        with serving_apart(place, tmp_path / "served", more=hook) as apart:
            answer = apart.served.detect(made.library)
            assert answer.status == 200, answer.body
            assert b'"start_s"' in answer.body
        check(apart.said())

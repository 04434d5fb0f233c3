"""Each fault of the input ends its stage with one clear error, and costs nothing that was there."""

import errno
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
import yaml

from conftest import ROOT, Checkout, make_checkout
from disk_cases import filled, small_disk
from embed_cases import write_embeddings
from skipintro.core.errors import InputError
from skipintro.core.files import SUMS_FILE, output_folder, sha256_of_file
from skipintro.core.params import load_params
from skipintro.episodes.embeddings import write_vectors
from skipintro.stages import annotate, demo, embed, fingerprint, fit, ingest, window

EPISODE = "toy-s01e02"  # in train
ODD_NAMES = ['don\'t "wake" the tide', "Северный ветер s01e01", "moon 🌙 hotel", "a.b (1) & c"]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory, toy_series: Path) -> Checkout:
    """Return a checkout with the outputs of all stages up to window, and one that train left.

    They stand without their hashes, so that a test may rewrite them as a stage might have.
    """
    made = make_checkout(tmp_path_factory.mktemp("bad-input") / "checkout", toy_series)
    made.stage("ingest")
    made.stage("annotate")
    write_embeddings(made)
    made.stage("fingerprint")
    made.stage("window")
    for name in ("model.safetensors", "manifest.json"):
        (made.folder / "models" / "train").mkdir(parents=True, exist_ok=True)
        (made.folder / "models" / "train" / name).write_text("of an earlier training")
    for sums in (made.folder / "data").rglob(SUMS_FILE):
        sums.unlink()
    shutil.copytree(made.folder / "data", made.folder.parent / "data")
    shutil.copytree(made.folder / "models", made.folder.parent / "models")
    shutil.copy(made.folder / "params.yaml", made.folder.parent / "params.yaml")
    return made


@pytest.fixture
def checkout(reproduced: Checkout) -> Checkout:
    """Return that checkout as it was at first."""
    for name in ("data", "models"):
        shutil.rmtree(reproduced.folder / name)
        shutil.copytree(reproduced.folder.parent / name, reproduced.folder / name)
    shutil.copy(reproduced.folder.parent / "params.yaml", reproduced.folder / "params.yaml")
    return reproduced


@pytest.fixture
def source(checkout: Checkout, toy_series: Path, tmp_path: Path) -> Path:
    """Return a copy of the toy series that a test may spoil, as the checkout's source."""
    folder = tmp_path / "source"
    shutil.copytree(toy_series, folder)
    checkout.set_params({"ingest.source": str(folder)})
    return folder


def outputs(checkout: Checkout) -> dict[str, str]:
    return {
        str(file.relative_to(checkout.folder)): sha256_of_file(file)
        for name in ("data", "models")
        for file in sorted((checkout.folder / name).rglob("*"))
        if file.is_file()
    }


def half_written(checkout: Checkout) -> list[Path]:
    return [path for path in checkout.folder.rglob("*") if path.suffix in {".partial", ".tmp"}]


def assert_refused(checkout: Checkout, stage: str, *said: str, **env: str) -> str:
    """Run a stage that must fail: one line that says all of `said`, and nothing lost or left."""
    before = outputs(checkout)
    output = checkout.stage(stage, fails=True, **env)
    assert_one_error(output, *said)
    assert outputs(checkout) == before
    assert not half_written(checkout)
    return output


def assert_one_error(output: str, *said: str) -> None:
    assert "Traceback" not in output
    errors = [line for line in output.splitlines() if re.match(r"\w+: error:? ", line, re.I)]
    assert errors == output.splitlines()[-1:], output
    for words in said:
        assert words in errors[0]


def rewrite_label(file: Path, changes: Mapping[str, Any]) -> None:
    """Change fields of one label; "absent" takes a field away."""
    labels = json.loads(file.read_text(encoding="utf-8"))
    label = {**labels[EPISODE], **changes}
    labels[EPISODE] = {key: value for key, value in label.items() if value != "absent"}
    file.write_text(json.dumps(labels, ensure_ascii=False), encoding="utf-8")


# Labels


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        ("start,end\n1,2\n", "not valid JSON", "correct it"),
        ('{"a": {"start": 1, "end": 2}, "a": {"start": 3, "end": 4}}', "'a'", "remove one"),
        ("{}", "holds no label", "label the 3 videos"),
    ],
)
def test_a_label_file_that_is_none_is_refused(
    checkout: Checkout, source: Path, text: str, fault: str, remedy: str
) -> None:
    file = source / "train" / "labels.json"
    file.write_text(text)
    assert_refused(checkout, "ingest", f"{file}: ", fault, remedy)


def test_a_label_without_two_times_is_refused_by_its_episode(
    checkout: Checkout, source: Path
) -> None:
    rewrite_label(source / "train" / "labels.json", {"start": "absent"})
    place = f"{source / 'train' / 'labels.json'}: {EPISODE}: "
    said = ("'start' is missing", "give a time, or null for both")
    assert_refused(checkout, "ingest", place, *said)


@pytest.mark.parametrize(
    ("times", "end"),
    [
        ({"start": "0:59:00", "end": "1:00:00"}, "1:00:00"),
        ({"start": "0:01:10", "end": 36.5}, "0:00:36.5"),  # corrected to 0:10, the end stays
    ],
)
def test_a_label_beyond_its_episode_is_refused(
    checkout: Checkout, times: dict[str, Any], end: str
) -> None:
    rewrite_label(checkout.folder / "data" / "ingest" / "train" / "labels.json", times)
    assert_refused(
        checkout,
        "annotate",
        f"data/ingest/train/labels.json: {EPISODE}: end {end} lies after the episode's end (36 s)",
        "correct the label, override it or drop the episode",
    )


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        (None, "missing", "write {} into it"),
        ('{"toy-s09e09": {"start": 1, "end": 2, "reason": "x"}}', "'toy-s09e09'", "correct the id"),
        (
            f'{{"{EPISODE}": {{"start": 1, "end": 90, "reason": "x"}}}}',
            f"{EPISODE}: end 0:01:30 lies after the episode's end (36 s)",
            "correct the label",
        ),
    ],
)
def test_faulty_overrides_are_refused(
    checkout: Checkout, text: str | None, fault: str, remedy: str
) -> None:
    file = checkout.folder / "data" / "overrides.json"
    file.unlink()
    if text is not None:
        file.write_text(text)
    assert_refused(checkout, "annotate", "data/overrides.json: ", fault, remedy)


# The source folder


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def without_videos(folder: Path) -> None:
    for video in folder.rglob("*.mp4"):
        video.unlink()


def twice(folder: Path) -> None:
    shutil.copy(folder / "train" / EPISODE / f"{EPISODE}.mp4", folder / "train" / f"{EPISODE}.mkv")


@pytest.mark.parametrize(
    ("spoil", "place", "said"),
    [
        (shutil.rmtree, "", ["no such folder", "correct ingest.source in params.yaml"]),
        (empty, "/train", ["no such folder", "one folder for each split"]),
        (lambda s: empty(s / "test"), "/test/labels.json", ["missing", "holds a labels.json"]),
        (without_videos, "/train", ["none of its 3 labelled episodes", "add <id>/<id>.mp4"]),
        (twice, f"/train/{EPISODE}", [f"both the video of '{EPISODE}'", "remove one"]),
    ],
)
def test_a_source_that_lacks_a_part_is_refused(
    checkout: Checkout, source: Path, spoil: Callable[[Path], None], place: str, said: list[str]
) -> None:
    spoil(source)
    assert_refused(checkout, "ingest", f"{source}{place}", *said)


def test_labels_without_videos_and_videos_without_labels_are_set_aside_by_name(
    checkout: Checkout, source: Path
) -> None:
    (source / "train" / EPISODE).rename(source / "train" / "stranger")
    (source / "train" / "stranger" / f"{EPISODE}.mp4").rename(
        source / "train" / "stranger" / "stranger.mp4"
    )
    output = checkout.stage("ingest")
    manifest = checkout.read_json("data/ingest/manifest.json")
    problems = {row["id"]: row["problem"] for row in manifest["episodes"] if row["problem"]}
    assert problems == {EPISODE: "no video file of this name"}
    assert manifest["unlabelled"] == ["train/stranger/stranger.mp4"]
    assert f"train/{EPISODE} set aside: no video file of this name" in output
    assert "train/stranger/stranger.mp4: no label names this video" in output


def test_a_label_without_a_video_ends_the_stage_where_that_is_wished(
    checkout: Checkout, source: Path
) -> None:
    checkout.set_params({"ingest.on_bad_video": "fail"})
    shutil.rmtree(source / "train" / EPISODE)
    said = (f"{source}: train: {EPISODE}: no video file", "add it, or set ingest.on_bad_video")
    assert_refused(checkout, "ingest", *said)


def test_names_with_spaces_quotes_and_any_alphabet_go_through(
    checkout: Checkout, source: Path
) -> None:
    video = source / "train" / EPISODE / f"{EPISODE}.mp4"
    for split in ("train", "test"):
        labels = {id_: {"name": f"{id_}. 1", "start": 4, "end": 20} for id_ in ODD_NAMES}
        for id_ in ODD_NAMES:
            (source / split / id_).mkdir()
            shutil.copy(video, source / split / id_ / f"{id_}.mp4")
        text = json.dumps(labels, ensure_ascii=False)
        (source / split / "labels.json").write_text(text, encoding="utf-8")
    for stage in ("ingest", "annotate"):  # as in a container without a locale, told at the start
        words = (sys.executable, "-m", f"skipintro.stages.{stage}")
        output = checkout.run(*words, PYTHONPATH="src", LC_ALL="C")
    annotated = checkout.read_json("data/annotate/annotations.json")["episodes"]
    assert [row["id"] for row in annotated] == ODD_NAMES * 2
    assert "4 episodes have no sibling, by which the series detector goes: don't" in output
    for row in checkout.read_json("data/ingest/manifest.json")["episodes"]:
        assert row["path"] == f"data/ingest/{row['split']}/{row['id']}.mp4"
        assert (checkout.folder / row["path"]).read_bytes() == video.read_bytes()


def test_a_series_is_one_however_its_labels_spell_it(checkout: Checkout, source: Path) -> None:
    for split, series in (("train", "Другой сериал"), ("test", "ДРУГОЙ cериал\u200f")):  # a Latin c
        path = source / split / "labels.json"
        labels = json.loads(path.read_text(encoding="utf-8"))
        spelt = {id_: {**label, "series": series} for id_, label in labels.items()}
        path.write_text(json.dumps(spelt), encoding="utf-8")
    checkout.stage("ingest")
    assert "sibling" not in checkout.stage("annotate")
    annotated = checkout.read_json("data/annotate/annotations.json")["episodes"]
    assert {(row["split"], row["series"]) for row in annotated} == {
        ("train", "Другой сериал"),
        ("test", "Другой сериал"),
    }


# Videos


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)


BAD_VIDEOS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "zero-byte": (lambda path: path.write_bytes(b""), "the file is empty (0 bytes)"),
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5]),
        "cannot be opened as video",
    ),
    "audio-only": (write_sound, "holds no video stream"),
    "text": (lambda path: path.write_text("no video\n"), "cannot be opened as video"),
}


def test_bad_videos_are_set_aside_by_name(checkout: Checkout, source: Path) -> None:
    file = source / "train" / "labels.json"
    labels = json.loads(file.read_text(encoding="utf-8"))
    for kind, (spoil, _) in BAD_VIDEOS.items():
        labels[kind] = labels[EPISODE]
        (source / "train" / kind).mkdir()
        video = source / "train" / kind / f"{kind}.mp4"
        shutil.copy(source / "train" / EPISODE / f"{EPISODE}.mp4", video)
        spoil(video)
    file.write_text(json.dumps(labels, ensure_ascii=False), encoding="utf-8")
    output = checkout.stage("ingest")
    rows = checkout.read_json("data/ingest/manifest.json")["episodes"]
    problems = {row["id"]: row["problem"] for row in rows if row["problem"]}
    assert list(problems) == list(BAD_VIDEOS)
    for kind, (_, problem) in BAD_VIDEOS.items():
        assert problems[kind].startswith(problem)
        assert f"train/{kind} set aside: {problem}" in output
        assert not (checkout.folder / "data" / "ingest" / "train" / f"{kind}.mp4").exists()
    assert not half_written(checkout)
    known = {path.stem for path in checkout.folder.glob(".skipintro/inspections/*/*.json")}
    assert {row["sha256"] for row in rows} <= known  # nothing is decoded again to find it bad
    checkout.stage("ingest")
    assert checkout.read_json("data/ingest/manifest.json")["episodes"] == rows


def test_a_bad_video_ends_the_stage_where_that_is_wished(checkout: Checkout, source: Path) -> None:
    spoil, problem = BAD_VIDEOS["truncated"]
    video = source / "train" / EPISODE / f"{EPISODE}.mp4"
    spoil(video)
    checkout.set_params({"ingest.on_bad_video": "fail"})
    said = (f"{video}: {problem}", "replace the file or drop the episode")
    assert_refused(checkout, "ingest", *said)


@pytest.mark.slow
@pytest.mark.parametrize("changed", [False, True])
def test_a_video_that_is_gone_or_changed_since_ingest_is_not_embedded(
    checkout: Checkout, source: Path, changed: bool
) -> None:
    checkout.set_params({"ingest.mode": "reference"})
    checkout.stage("ingest")
    video = source / "train" / "toy-s01e01" / "toy-s01e01.mp4"  # the first to be embedded
    if changed:
        shutil.copy(source / "train" / EPISODE / f"{EPISODE}.mp4", video)
    else:
        video.unlink()
    said = (f"{video}: gone or changed since it was ingested", "run `dvc repro`")
    assert_refused(checkout, "embed", *said)


# Too little


@pytest.mark.parametrize(("split", "kept", "n_frames"), [("train", 1, 32), ("test", 0, 0)])
def test_fewer_frames_than_a_window_are_refused_by_their_split(
    checkout: Checkout, split: str, kept: int, n_frames: int
) -> None:
    path = checkout.folder / "data" / "annotate" / "annotations.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = [row for row in content["episodes"] if row["split"] == split]
    for row in rows[kept:]:
        row |= {"start_s": None, "end_s": None, "status": "no_intro"}
    path.write_text(json.dumps(content))
    assert_refused(
        checkout,
        "window",
        f"{split}: its usable episodes give a sequence of {n_frames} frames",
        "fewer than one window of 60",
        "add labelled episodes to the split",
    )


@pytest.mark.parametrize(
    ("stage", "file", "broken"),
    [
        ("annotate", "data/ingest/manifest.json", False),
        ("window", "data/annotate/annotations.json", True),
        ("window", "data/embed/train/toy-s01e01.npy", True),
    ],
)
def test_what_an_earlier_stage_should_have_written_is_named(
    checkout: Checkout, stage: str, file: str, broken: bool
) -> None:
    path = checkout.folder / file
    content = path.read_bytes()
    path.unlink()
    if broken:
        path.write_bytes(content[:40])
    assert_refused(checkout, stage, f"{file}: ", "run `dvc repro`")


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize(
    "file", ["data/annotate/annotations.json", "data/fingerprint/manifest.json"]
)
def test_what_fit_stands_on_is_named(checkout: Checkout, file: str, broken: bool) -> None:
    path = checkout.folder / file
    path.unlink()
    if broken:
        path.write_text('{"weights": {}}')
    assert_refused(checkout, "fit", f"{file}: ", "run `dvc repro`")


@pytest.mark.slow
def test_without_a_usable_train_episode_there_is_nothing_to_fit_to(checkout: Checkout) -> None:
    path = checkout.folder / "data" / "annotate" / "annotations.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for row in content["episodes"]:
        row |= {"start_s": None, "end_s": None, "status": "unusable"}
    path.write_text(json.dumps(content))
    assert_refused(checkout, "fit", "no usable train episode", "add labelled episodes to it")


# Params

MISSPELT = {"sizes": [[64, 36]], "rates": ["5"], "cfr": 28, "keyframe_interval": 12}  # cfr: crf


@pytest.mark.parametrize(
    ("stage", "changes", "fault"),
    [
        ("window", {"windows": {"length": 60}}, "unknown key 'windows'"),
        (
            "annotate",
            {"annotate.min_length_s": 200},
            "annotate: min_length_s is greater than max_length_s",
        ),
    ],
)
def test_a_stage_refuses_impossible_params_by_their_name(
    checkout: Checkout, stage: str, changes: dict[str, Any], fault: str
) -> None:
    checkout.set_params(changes)
    assert_refused(checkout, stage, f"params.yaml: {fault}", "; correct")


@pytest.mark.parametrize(
    ("module", "changes", "fault"),
    [
        (ingest, {"ingest.sorce": "x"}, "ingest.sorce: unknown key"),
        (ingest, {"ingest.mode": "move"}, "ingest.mode: Input should be 'copy' or 'reference'"),
        (ingest, {"ingest.on_bad_video": "ignore"}, "ingest.on_bad_video: Input should be"),
        (ingest, {"ingest.truncation_tolerance_s": -1}, "ingest.truncation_tolerance_s: Input"),
        (ingest, {"ingest.extensions": []}, "ingest.extensions: "),
        (ingest, {"ingest.extensions": [".mp4"]}, "ingest.extensions.0: String should match"),
        (annotate, {"annotate.min_length_s": -1}, "annotate.min_length_s: Input should be"),
        (annotate, {"annotate.max_length_s": float("inf")}, "annotate.max_length_s: Input"),
        (window, {"window": 60}, "section 'window' is missing or no mapping; restore it"),
        (window, {"window.epochs": 3}, "window.epochs: unknown key"),
        (window, {"window.length": -60}, "window.length: Input should be greater"),
        (window, {"window.stride": "many"}, "window.stride: Input should be a valid integer"),
        (window, {"window.stride": 0}, "window.stride: Input should be greater"),
        (window, {"window.stride": 2.5}, "window.stride: Input should be a valid integer"),
        (window, {"window.stride": True}, "window.stride: expected a number or text"),
        (window, {"window.stride": None}, "window.stride: Input should be a valid integer"),
        (embed, {"embed.engine": "ray"}, "embed.engine: unknown key"),
        (embed, {"compute.engine": "dask"}, "compute.engine: Input should be 'local' or 'ray'"),
        (fingerprint, {"compute.ray.workers": 0}, "compute.ray.workers: Input should be greater"),
        (fingerprint, {"fingerprint.compute": {}}, "fingerprint.compute: unknown key"),
        (fingerprint, {"fingerprint.sound.bands": 1}, "fingerprint.sound.bands: Input should be"),
        (fit, {"fit.matching.rate": 0}, "fit.matching.rate: Input should be greater than or equal"),
        (fit, {"fit.trees.depth": 1}, "fit.trees.depth: Extra inputs are not permitted"),
        (demo, {"demo.seed": -1}, "demo.seed: Input should be greater"),
        (demo, {"demo.picture.crf": 99}, "demo.picture.crf: Input should be less"),
        (demo, {"demo.picture": MISSPELT}, "demo.picture.cfr: Extra inputs are not permitted"),
    ],
)
def test_impossible_params_are_refused_by_their_name(
    tmp_path: Path, module: ModuleType, changes: dict[str, Any], fault: str
) -> None:
    path = Path(shutil.copy(ROOT / "params.yaml", tmp_path))
    Checkout(tmp_path).set_params(changes)
    section = module.__name__.rpartition(".")[2]
    with pytest.raises(InputError, match=r"; (correct|restore)") as refusal:
        load_params(module.Params, section, path)
    assert str(refusal.value).startswith(f"{path}: {fault}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "changes", "fault"),
    [
        ("embed", {"embed.encoder": "clip"}, "embed.encoder: Input should be 'clip-vit-b-32'"),
        ("train", {"epochs": 0}, "epochs: Input should be greater than or equal to 1, got 0"),
        ("train", {"train.heads": 3}, "train.heads: 3 does not divide"),
        (
            "train",
            {"train.augmentation.substituted_least": 0.5},
            "train.augmentation: substituted_least is greater",
        ),
        ("fit", {"fit.folds": 1}, "fit.folds: Input should be greater than or equal to 2"),
        ("fit", {"fit.further_trees": []}, "fit.further_trees: "),
        ("evaluate", {"evaluate.threshold": 1.5}, "evaluate.threshold: Input should be less"),
        (
            "evaluate",
            {"evaluate.detector": "best"},
            "evaluate.detector: Input should be 'openings'",
        ),
        ("evaluate", {"evaluate.bootstrap.level": 95}, "evaluate.bootstrap.level: Input should be"),
        ("evaluate", {"evaluate.baselines.fold": 5}, "evaluate.baselines.fold: Extra inputs are"),
        ("track", {"track.detector": ""}, "track.detector: String should have at least 1 char"),
        ("track", {"track.classifier": "intro-detector"}, "track: detector and classifier are "),
        ("track", {"dataset": ""}, "dataset: String should have at least 1 character"),
    ],
)
def test_impossible_params_of_the_later_stages_are_refused_by_their_name(
    checkout: Checkout, stage: str, changes: dict[str, Any], fault: str
) -> None:
    checkout.set_params(changes)
    assert_refused(checkout, stage, f"params.yaml: {fault}", "; ")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = Path(shutil.copy(ROOT / "params.yaml", tmp_path))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    del content["window"]["stride"]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(InputError, match=r"params\.yaml: window\.stride: Field required; correct"):
        load_params(window.Params, "window", path)


def test_a_stage_refuses_broken_yaml(checkout: Checkout) -> None:
    (checkout.folder / "params.yaml").write_text("window: [60\n")
    assert_refused(checkout, "window", "params.yaml: not valid YAML", "line 2", "correct it")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"window:\n\tlength: 60\n", "not valid YAML"),
        (b"window: 2024-13-45\n", "not valid YAML"),
        (b"window: \xff\n", "not valid YAML"),
        (b"- window\n", "expected a mapping of sections, got list"),
        (b"", "expected a mapping of sections, got NoneType"),
        (None, "missing; run this in the root of the checkout"),
        (b"window: " + b"[" * 10_000, "not valid YAML: maximum recursion depth"),
        (b"window: !!int ''\n", "not valid YAML"),
        (b"window: !!bool 5\n", "not valid YAML"),
        (b"epochs: 0x" + b"f" * 5000, "not valid YAML: the number 0xff"),
        (b"epochs: 1\nepochs: 2\n", "not valid YAML: the key 'epochs' occurs twice"),
        (b"window: &a [*a]\n", "not valid YAML: more than 10000 values, its aliases written out"),
        (b"#" * (1 << 19), "not valid YAML: larger than 256 kB"),
    ],
)
def test_what_is_no_params_file_is_refused(
    tmp_path: Path, content: bytes | None, fault: str
) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(f"{path}: {fault}")) as refusal:
        load_params(window.Params, "window", path)
    assert str(refusal.value).isprintable(), "the error is one line"


def test_aliases_are_read_while_they_stay_few(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("promote: &n 7\nwindow: {length: *n, stride: *n, train_frames: whole}\n")
    assert load_params(window.Params, "window", path).length == 7
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 20)]
    path.write_text("window:\n  " + "\n  ".join(lines))
    with pytest.raises(InputError, match="more than 10000 values"):
        load_params(window.Params, "window", path)


# The world outside


@pytest.mark.slow
def test_a_tracking_server_that_does_not_answer_is_named_within_seconds(
    checkout: Checkout,
) -> None:
    started = time.monotonic()
    output = assert_refused(
        checkout,
        "train",
        "http://127.0.0.1:9: the MLflow store does not answer",
        "correct MLFLOW_TRACKING_URI",
        MLFLOW_TRACKING_URI="http://user:hunter2@127.0.0.1:9",
    )
    assert time.monotonic() - started < 60  # MLflow's own patience is four minutes
    assert "hunter2" not in output


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Put a folder's content on a small disk of its own, without a byte to spare."""
    kept = folder.with_name(f"{folder.name}-kept")
    shutil.copytree(folder, kept)
    try:
        with small_disk(folder, "1m"):
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            with filled(folder):
                yield
    finally:
        shutil.rmtree(kept)


@pytest.mark.parametrize(
    ("place", "stage"),
    [
        ("data", "ingest"),
        ("data", "annotate"),
        ("data", "window"),
        pytest.param("models", "train", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_costs_nothing_that_was_there(
    checkout: Checkout, place: str, stage: str
) -> None:
    with full_disk(checkout.folder / place):
        assert_refused(
            checkout, stage, f"{place}/{stage}", ": no space left", "free some space and run again"
        )


def test_vectors_that_find_no_room_say_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k"), pytest.raises(OSError, match=r"x\.npy") as caught:
        write_vectors(tmp_path / "disk" / "x.npy", np.zeros((100, 1280), np.float32))
    assert caught.value.errno == errno.ENOSPC  # NumPy's own error has none


@pytest.mark.parametrize("stage", ["ingest", "window"])
def test_a_file_that_may_not_grow_costs_nothing_that_was_there(
    checkout: Checkout, stage: str
) -> None:
    before = outputs(checkout)
    command = f"ulimit -f 1; exec python -m skipintro.stages.{stage}"  # 1 KiB
    output = checkout.run("bash", "-c", command, fails=True, PYTHONPATH="src")
    assert_one_error(output, "File too large", "check that")
    assert outputs(checkout) == before
    assert not half_written(checkout)


def test_an_output_that_cannot_be_put_in_its_place_leaves_the_old_one_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "data"
    place.mkdir()
    (place / "old").touch()

    def refuse(_path: Path, _target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="Input/output error"), output_folder(place) as folder:
        (folder / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "old"]

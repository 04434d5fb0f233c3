"""The stage that records fingerprints, in this process, and the reader of what it wrote."""

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

import test_sound
from conftest import ingest_params, write_toy_video
from season_cases import FINGERPRINT, PICTURES
from skipintro.core.errors import InputError
from skipintro.core.files import check_sums, read_model, write_json
from skipintro.engines.base import ComputeParams, RayParams
from skipintro.episodes.catalog import IngestManifest
from skipintro.evidence.chroma import ChromaSettings
from skipintro.evidence.manifest import FingerprintManifest, read_evidence
from skipintro.evidence.recording import record, to_bytes
from skipintro.stages import fingerprint, ingest

COMPUTE = ComputeParams(
    engine="local", ray=RayParams(workers=1, cpus_per_worker=1, gpus_per_worker=0, address=None)
)
CHROMA = ChromaSettings(algorithm="chromaprint-test2")
HEARD = FINGERPRINT.model_copy(update={"chroma": CHROMA})
PARAMS = fingerprint.Params(
    compute=COMPUTE, pictures=PICTURES, sound=FINGERPRINT.sound, chroma=CHROMA
)
MEMORY = ".skipintro/fingerprints"
RECORDED = [("train", "mute"), ("train", "sounding"), ("test", "mute")]


@pytest.fixture(scope="module")
def fingerprinted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace in which the stage has run; copy it before you change it.

    A video without sound that stands in both splits, one with sound, and one that is damaged.
    """
    folder = tmp_path_factory.mktemp("fingerprinted")
    source, workspace = folder / "source", folder / "workspace"
    mute = source / "train" / "mute.mp4"
    write_toy_video(mute, None, seconds=3)
    track = test_sound.Track([(0, test_sound.tone(2))])
    test_sound.write_sound(source / "train" / "sounding.mkv", track, pictures=(0, 2))
    (source / "train" / "damaged.mp4").write_bytes(mute.read_bytes()[:2000])
    (source / "test").mkdir()
    shutil.copy(mute, source / "test")
    labels = {name: {"start": 0, "end": 1} for name in ("mute", "sounding", "damaged")}
    write_json(source / "train" / "labels.json", labels)
    write_json(source / "test" / "labels.json", {"mute": labels["mute"]})
    workspace.mkdir()
    with pytest.MonkeyPatch.context() as patch, chdir(workspace):
        patch.delenv("DVC_ROOT", raising=False)
        ingest.main(ingest_params(source, extensions=("mp4", "mkv")))
        fingerprint.main(PARAMS)
    return workspace


@pytest.fixture
def workspace(
    fingerprinted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Yield a copy, as the folder in which the test works."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    copy = tmp_path / "workspace"
    shutil.copytree(fingerprinted, copy)
    with chdir(copy):
        yield copy


def written(workspace: Path) -> dict[str, bytes]:
    folder = workspace / fingerprint.OUTPUT
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def n_recorded(caplog: pytest.LogCaptureFixture, params: fingerprint.Params = PARAMS) -> str:
    """Run the stage and return what it says at its end."""
    with caplog.at_level(logging.INFO, "skipintro"):
        fingerprint.main(params)
    return caplog.messages[-1]


def test_each_usable_episode_has_the_evidence_of_its_whole_video(fingerprinted: Path) -> None:
    folder = fingerprinted / fingerprint.OUTPUT
    manifest = read_model(FingerprintManifest, folder / "manifest.json")
    assert [(one.split, one.id) for one in manifest.episodes] == RECORDED
    assert manifest.fingerprint == HEARD
    assert set(manifest.versions) == {"av", "numpy", "scipy"}
    ingested = read_model(IngestManifest, fingerprinted / ingest.OUTPUT / "manifest.json").usable()
    for one in manifest.episodes:
        source = ingested[one.split, one.id]
        assert source.path is not None
        expected = record(fingerprinted / source.path, HEARD)
        assert one.file == Path(one.split, f"{one.id}.npz")
        assert (folder / one.file).read_bytes() == to_bytes(expected)
        assert to_bytes(read_evidence(folder / one.file)) == to_bytes(expected)
        assert (one.length_s, one.video_sha256) == (expected.length_s, source.sha256)
    check_sums(folder)
    assert len((folder / "SHA256SUMS").read_text("utf-8").splitlines()) == len(RECORDED) + 1


def test_a_video_without_sound_has_pictures_alone(fingerprinted: Path) -> None:
    folder = fingerprinted / fingerprint.OUTPUT / "train"
    assert set(read_evidence(folder / "mute.npz").tracks) == {"pictures"}
    assert set(read_evidence(folder / "sounding.npz").tracks) == {"pictures", "sound", "chroma"}


def test_without_the_section_chroma_there_are_no_points(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = PARAMS.model_dump(exclude={"chroma"})
    params = fingerprint.Params.model_validate(given)
    assert n_recorded(caplog, params) == "3 episodes, 2 of them recorded now"
    folder = workspace / fingerprint.OUTPUT
    assert read_model(FingerprintManifest, folder / "manifest.json").fingerprint == FINGERPRINT
    assert set(read_evidence(folder / "train/sounding.npz").tracks) == {"pictures", "sound"}


def test_sound_that_cannot_be_decoded_is_named_in_the_log_and_the_manifest(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time, also where the video was recorded before: by a worker whose log nobody sees."""
    track = test_sound.Track([(0, test_sound.tone(2))], "flac")
    source = Path("source")
    (source / "train").mkdir(parents=True)
    path = test_sound.write_sound(source / "train" / "unknown.mkv", track, pictures=(0, 2))
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_XLAC"))
    (source / "test").mkdir()
    write_json(source / "train" / "labels.json", {"unknown": {"start": 0, "end": 1}})
    write_toy_video(source / "test" / "mute.mkv", None, seconds=1)
    write_json(source / "test" / "labels.json", {"mute": {"start": 0, "end": 1}})
    ingest.main(ingest_params(source, extensions=("mkv",)))
    for n_made in (2, 0):
        caplog.clear()
        assert n_recorded(caplog) == f"2 episodes, {n_made} of them recorded now"
        told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert len(told) == 1
        assert "unknown.mkv: there is no decoder for the codec of its sound" in told[0]
    manifest = read_model(FingerprintManifest, fingerprint.OUTPUT / "manifest.json")
    assert [one.id for one in manifest.episodes if one.is_sound_undecodable] == ["unknown"]


def test_what_was_set_aside_is_left_out_with_its_reason(fingerprinted: Path) -> None:
    folder = fingerprinted / fingerprint.OUTPUT
    left_out = read_model(FingerprintManifest, folder / "manifest.json").left_out
    assert list(left_out) == ["train/damaged"]
    assert left_out["train/damaged"] == "holds no video stream"


def test_a_second_run_remembers_all_and_writes_the_same(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = written(workspace)
    shutil.rmtree(fingerprint.OUTPUT)
    assert n_recorded(caplog) == "3 episodes, 0 of them recorded now"
    assert written(workspace) == before


def test_a_leaked_episode_is_recorded_once(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = written(workspace)
    shutil.rmtree(MEMORY)
    assert n_recorded(caplog) == "3 episodes, 2 of them recorded now"
    assert written(workspace) == before
    assert before["train/mute.npz"] == before["test/mute.npz"]


def test_other_settings_take_nothing_of_what_is_remembered(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = written(workspace)
    other = PICTURES.model_copy(update={"flat": 3.0})
    params = PARAMS.model_copy(update={"pictures": other})
    assert n_recorded(caplog, params) == "3 episodes, 2 of them recorded now"
    assert written(workspace)["manifest.json"] != before["manifest.json"]
    assert n_recorded(caplog) == "3 episodes, 0 of them recorded now"
    assert written(workspace) == before


def test_what_is_remembered_and_damaged_is_recorded_anew_to_the_same_bytes(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = written(workspace)
    damaged = sorted(Path(MEMORY).glob("*/*.npz"))[0]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    assert n_recorded(caplog) == "3 episodes, 1 of them recorded now"
    assert f"{damaged}: damaged, not as it was written; made again" in caplog.text
    assert written(workspace) == before


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_video_that_is_gone_or_changed_since_ingest_is_not_recorded(
    workspace: Path, is_gone: bool
) -> None:
    ingested = read_model(IngestManifest, ingest.OUTPUT / "manifest.json")
    video = ingested.usable()["train", "mute"].path
    assert video is not None
    (ingest.OUTPUT / "SHA256SUMS").unlink()  # as where the library stays in place
    shutil.rmtree(MEMORY)
    shutil.rmtree(fingerprint.OUTPUT)
    video.unlink()
    if not is_gone:
        write_toy_video(video, None, seconds=1)
    with pytest.raises(InputError, match=rf"{video}: gone or changed since it was ingested; .*dvc"):
        fingerprint.main(PARAMS)
    assert not fingerprint.OUTPUT.exists()


@pytest.mark.parametrize(("more_s", "is_told"), [(2.25, False), (2.5, True), (-2.5, True)])
def test_a_recording_that_is_no_longer_as_long_as_the_video_was_is_told(
    workspace: Path, more_s: float, is_told: bool
) -> None:
    """The tolerance is 2 s, and a quarter for the picture that has begun."""
    change_ingested(length_s=3 + more_s)
    if not is_told:
        fingerprint.main(PARAMS)
        return
    told = rf"mute\.mp4: 3\.0 s of pictures, {3 + more_s:.1f} s when it was ingested; run `dvc"
    with pytest.raises(InputError, match=told):
        fingerprint.main(PARAMS)


def change_ingested(length_s: float) -> None:
    """Have the manifest say another length of all episodes."""
    path = ingest.OUTPUT / "manifest.json"
    (ingest.OUTPUT / "SHA256SUMS").unlink()
    manifest = read_model(IngestManifest, path).model_dump(mode="json")
    episodes: list[dict[str, Any]] = manifest["episodes"]
    for episode in episodes:
        if episode["video"] and episode["id"] == "mute":
            episode["video"]["duration_s"] = length_s
    write_json(path, manifest)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"no archive"])
def test_evidence_that_is_missing_or_damaged_is_told_with_its_name(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "one.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"one\.npz: cannot be read .*; delete it and run"):
        read_evidence(path)


def test_the_stage_and_a_worker_s_maker_load_no_encoder() -> None:
    program = (
        "import sys, skipintro.stages.fingerprint, skipintro.evidence.spec\n"
        "print([name for name in ('torch', 'ray', 'skipintro.encoder') if name in sys.modules])"
    )
    source = Path(fingerprint.__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "[]\n"

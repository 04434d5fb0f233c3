"""The ingest stage in this process: what is a verdict on a video, and what is not."""

from pathlib import Path
from typing import Any

import pytest

from conftest import ingest_params, write_toy_video
from skipintro.core.files import read_model, write_json
from skipintro.episodes.catalog import IngestManifest
from skipintro.stages import ingest
from skipintro.video import isolated_decode
from skipintro.video.container import PassingVideoError
from skipintro.video.isolated_decode import DecoderLostError

MEMORY = ".skipintro/inspections"


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ingest.Params:
    """Return the params for a source of one episode a split, in a workspace of its own."""
    source, workspace = tmp_path / "source", tmp_path / "workspace"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    for seed, split in enumerate(("train", "test")):
        write_toy_video(source / split / f"{split}.mp4", None, seconds=2, seed=seed)
        write_json(source / split / "labels.json", {split: {"start": 0, "end": 1}})
    return ingest_params(source)


def failing(kind: type[PassingVideoError], split: str) -> Any:

    def inspect(path: Path, *words: Any, **more: Any) -> Any:
        if path.stem == split:
            raise kind(path, "did not work this time")
        return isolated_decode.inspect(path, *words, **more)

    return inspect


def test_a_file_that_cannot_be_read_just_now_ends_the_stage_and_nothing_is_remembered_of_it(
    params: ingest.Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "inspect", failing(PassingVideoError, "test"))
        with pytest.raises(PassingVideoError, match=r"test\.mp4: did not work this time"):
            ingest.main(params)
    assert not ingest.OUTPUT.exists()
    assert len(list(Path(MEMORY).glob("*/*.json"))) == 1
    ingest.main(params)
    found = read_model(IngestManifest, ingest.OUTPUT / "manifest.json")
    assert [episode.problem for episode in found.episodes] == [None, None]


def test_a_video_over_which_the_decoder_is_lost_is_set_aside_but_not_for_ever(
    params: ingest.Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = params.model_copy(update={"test_split": "train"})
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "inspect", failing(DecoderLostError, "lost"))
        lost = params.source / "train" / "lost.mp4"
        write_toy_video(lost, None, seconds=2, seed=7)
        labels = {name: {"start": 0, "end": 1} for name in ("train", "lost")}
        write_json(params.source / "train" / "labels.json", labels)
        ingest.main(params)
    found = read_model(IngestManifest, ingest.OUTPUT / "manifest.json")
    assert {e.id: e.problem for e in found.episodes} == {
        "train": None,
        "lost": "did not work this time; `dvc repro --single-item --force ingest` tries it again",
    }
    ingest.main(params)
    found = read_model(IngestManifest, ingest.OUTPUT / "manifest.json")
    assert {e.problem for e in found.episodes} == {None}

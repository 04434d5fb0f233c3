"""The decoder gives what `video` gives, and no video takes this process down."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import ROOT, ingest_params, run_command, write_toy_video
from isolation_cases import BOOBY_TRAPS, use_booby_traps
from library_cases import shared_place, use_cheap_encoder
from skipintro.core import isolation
from skipintro.core.files import read_model, write_json
from skipintro.episodes.catalog import IngestManifest
from skipintro.stages import ingest
from skipintro.video import decoding, isolated_decode
from skipintro.video.container import VideoError
from skipintro.video.info import USUAL_LIMITS, DecodingLimits
from skipintro.video.isolated_decode import DecoderLostError

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
STRICT = DecodingLimits(stall_s=2, memory_mb=500, max_length_h=0.01)


@pytest.fixture(autouse=True)
def _children_of_their_own() -> Iterator[None]:
    """Leave no child that has met a trap to the next test."""
    yield
    isolation.end_idle()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "Toy.S01E01.mp4"
    write_toy_video(path, 2, seconds=20)
    return path


def unlike(name: str) -> bytes:
    """Return a box that no reader looks at: the same content would not be decoded twice."""
    return (8 + len(name)).to_bytes(4, "big") + b"free" + name.encode()


def test_the_child_gives_the_same_to_the_bit(toy: Path) -> None:
    np.testing.assert_array_equal(
        list(isolated_decode.pictures(toy, 224)), list(decoding.pictures(toy, 224)), strict=True
    )
    assert len(list(isolated_decode.pictures(toy, 32, 7))) == 7
    grey = isolated_decode.decoded(decoding.grey_thumbnails, toy, USUAL_LIMITS)
    np.testing.assert_array_equal(list(grey), list(decoding.grey_thumbnails(toy)), strict=True)
    assert isolated_decode.inspect(toy, USUAL_LIMITS, truncation_tolerance_s=1) == decoding.inspect(
        toy, truncation_tolerance_s=1
    )
    seconds = [3.0, 1.5, 99.0]
    assert isolated_decode.thumbnails(toy, seconds) == decoding.thumbnails(toy, seconds)
    assert isolated_decode.length_s(toy) == decoding.length_s(toy) == 20
    ours = list(isolated_decode.frames_between(toy, 1, 2, height=36))
    theirs = list(decoding.frames_between(toy, 1, 2, height=36))
    assert [time for time, _ in ours] == [time for time, _ in theirs]
    np.testing.assert_array_equal([p for _, p in ours], [p for _, p in theirs], strict=True)


def test_the_usual_limits_are_those_of_the_params_file() -> None:
    assert DecodingLimits.model_validate(PARAMS["ingest"]["decoding"]) == USUAL_LIMITS


def test_nobody_else_calls_what_decodes() -> None:
    """Of `video`, others take what reads no video of a user, and the decoder.

    What records fingerprints is called by the decoder itself, in its child, as is what reads
    chapters.
    """
    source = ROOT / "src" / "skipintro"
    taken = {
        node.module
        for file in source.rglob("*.py")
        if file.parent.name != "video" and file.name != "recording.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[:2] == ["skipintro", "video"]
    }
    harmless = {"chapters", "container", "encoding", "info", "isolated_decode", "scaling", "titles"}
    assert taken == {f"skipintro.video.{name}" for name in harmless}


def test_a_longer_video_than_allowed_is_set_aside_by_whoever_reads_it(toy: Path) -> None:
    limits = STRICT.model_copy(update={"max_length_h": 19.5 / 3600})
    for read in (
        lambda: isolated_decode.inspect(toy, limits, truncation_tolerance_s=1),
        lambda: list(isolated_decode.pictures(toy, 32, limits=limits)),
    ):
        with pytest.raises(VideoError, match=r"Toy\.S01E01\.mp4: longer than 0\.0054"):
            read()
    exactly = STRICT.model_copy(update={"max_length_h": 20 / 3600})
    assert len(list(isolated_decode.pictures(toy, 32, limits=exactly))) == 20


@pytest.mark.parametrize("trap", BOOBY_TRAPS)
def test_a_video_over_which_the_decoder_is_lost_is_named_and_the_next_is_decoded(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    use_booby_traps(tmp_path / "traps", monkeypatch)
    bad = tmp_path / f"{trap}.mp4"
    bad.write_bytes(toy.read_bytes())
    reads: list[Callable[[], object]] = [
        lambda: isolated_decode.inspect(bad, STRICT, truncation_tolerance_s=1),
        lambda: list(isolated_decode.pictures(bad, 32, limits=STRICT)),
        lambda: isolated_decode.thumbnails(bad, [1], STRICT),
        lambda: isolated_decode.length_s(bad, STRICT),
        lambda: list(isolated_decode.frames_between(bad, 1, 2, height=32, limits=STRICT)),
    ]
    # A child starts anew after each: every reader meets one trap, and one reader all.
    for read in reads if trap == "segfault" else reads[1:2]:
        with pytest.raises(DecoderLostError) as caught:
            read()
        assert caught.value.fault == f"the decoder {BOOBY_TRAPS[trap]}"
        assert str(caught.value).startswith(f"{bad}: the decoder ")
        assert len(list(isolated_decode.pictures(toy, 32, 3))) == 3


def test_the_stage_ingest_sets_aside_by_name_what_ends_the_decoder_and_goes_on(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_booby_traps(tmp_path / "traps", monkeypatch)
    monkeypatch.chdir(tmp_path)
    for split in ("train", "test"):
        folder = tmp_path / "source" / split
        folder.mkdir(parents=True)
        ids = ("first", *BOOBY_TRAPS, "last") if split == "train" else ("first",)
        write_json(folder / "labels.json", {id_: {"start": 0, "end": 1} for id_ in ids})
        for id_ in ids:
            (folder / f"{id_}.mp4").write_bytes(toy.read_bytes() + unlike(id_))
    ingest.main(ingest_params(tmp_path / "source", decoding=STRICT))
    manifest = read_model(IngestManifest, ingest.OUTPUT / "manifest.json")
    assert [id_ for _, id_ in manifest.usable()] == ["first", "last", "first"]
    told = {e.id: e.problem for e in manifest.episodes if e.problem}
    again = "; `dvc repro --single-item --force ingest` tries it again"
    assert told == {trap: f"the decoder {words}{again}" for trap, words in BOOBY_TRAPS.items()}
    assert manifest.decoding == STRICT


def test_the_command_detect_names_what_ends_the_decoder_and_tries_it_again_the_next_time(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_cheap_encoder(monkeypatch)
    place = shared_place(tmp_path_factory).copy(tmp_path)
    use_booby_traps(tmp_path / "traps", monkeypatch)
    first = place.videos()[2]
    bad = first.with_name("Toy S01E04 segfault.mp4")
    bad.write_bytes(first.read_bytes() + unlike("bad"))
    code, out, err = run_command(place.words(), monkeypatch, capsys)
    assert code == 1
    assert f"failed: {bad}: the decoder crashed (signal 11)\n" in err
    assert out.count('"start_s"') + out.count('"start"') >= len(place.videos()) - 1
    isolation.end_idle()
    monkeypatch.undo()
    use_cheap_encoder(monkeypatch)
    code, _, err = run_command(place.words(), monkeypatch, capsys)
    assert (code, "failed:" in err) == (0, False)

"""`skipintro labels split`: whole series to one side, equal contents together, and its output."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ROOT, ingest_params, run_command
from library_cases import INTERVALS, write_library
from skipintro.core.errors import InputError
from skipintro.core.files import read_model, write_json
from skipintro.core.params import load_params
from skipintro.episodes.annotations import Annotations
from skipintro.episodes.catalog import IngestManifest
from skipintro.labelling.deal import TEST, TRAIN, Episode, deal, equal_contents, spellings
from skipintro.stages import annotate, ingest

Ran = tuple[int, str, str]
Run = Callable[..., Ran]
NOWHERE = Path("nowhere")


def episodes(**sizes: int) -> list[Episode]:
    return [
        Episode(f"{series}-{number}", series, NOWHERE, {})
        for series, n_episodes in sizes.items()
        for number in range(n_episodes)
    ]


def series_of(dealt: dict[str, list[Episode]]) -> dict[str, set[str]]:
    return {split: {one.series for one in side} for split, side in dealt.items()}


def test_whole_series_are_dealt_in_the_order_given_whatever_the_share_and_seed() -> None:
    rng = np.random.default_rng(0)
    for seed in range(50):
        given = episodes(**{f"s{n}": int(rng.integers(1, 9)) for n in range(rng.integers(2, 9))})
        share = rng.random()
        dealt = deal(given, (), test_share=share, seed=seed)
        assert list(dealt) == [TRAIN, TEST]
        assert not series_of(dealt)[TRAIN] & series_of(dealt)[TEST]
        for side in dealt.values():
            assert side == [one for one in given if one in side]
        assert min(map(len, dealt.values())) > 0
        assert sum(map(len, dealt.values())) == len(given)


def test_the_share_of_test_is_met_where_series_allow() -> None:
    given = episodes(**{f"s{n}": 4 for n in range(10)})
    for share, n_test in ((0.0, 4), (0.3, 12), (0.5, 20), (1.0, 36)):
        assert len(deal(given, (), test_share=share, seed=3)[TEST]) == n_test
    large = episodes(large=90, small=2)
    for seed in range(10):
        assert len(deal(large, (), test_share=0.3, seed=seed)[TEST]) == 2


def test_a_seed_deals_always_alike_and_others_otherwise() -> None:
    given = episodes(**{f"s{n}": 2 for n in range(8)})
    first = [series_of(deal(given, (), test_share=0.3, seed=seed))[TEST] for seed in range(20)]
    shuffled = given[::-1]
    again = [series_of(deal(shuffled, (), test_share=0.3, seed=seed))[TEST] for seed in range(20)]
    assert first == again
    assert len(set(map(frozenset, first))) > 5


def test_series_that_share_a_content_go_together_through_third_ones_too() -> None:
    given = episodes(a=1, b=1, c=1, d=3)
    a, b, c, *_ = given
    for seed in range(20):
        dealt = series_of(deal(given, [(a, b), (b, c)], test_share=0.4, seed=seed))
        assert {"a", "b", "c"} in dealt.values()
    with pytest.raises(InputError, match="equal contents tie all 4 series together; remove the"):
        deal(given, [(a, b), (b, c), (c, given[-1])], test_share=0.4, seed=0)


def test_one_series_cannot_be_dealt_however_it_is_spelt() -> None:
    given = [Episode("1", "Show.Name", NOWHERE, {}), Episode("2", "show name", NOWHERE, {})]
    assert spellings(given) == [["Show.Name", "show name"]]
    with pytest.raises(InputError, match=r"2 episodes of 1 series \('Show.Name'\); a split needs"):
        deal(given, (), test_share=0.3, seed=0)


def test_equal_contents_are_those_of_equal_bytes_but_not_empty_ones(tmp_path: Path) -> None:
    contents = {"a": b"one", "b": b"two", "c": b"one", "d": b"", "e": b"", "f": b"three"}
    given = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        given.append(Episode(name, name, tmp_path / name, {}))
    assert [[one.id for one in same] for same in equal_contents(given)] == [["a", "c"]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    words = ["labels", "split", str(tmp_path / "labels.json"), str(tmp_path / "shows")]
    return lambda out, *more: run_command(
        [*words, "--out", str(tmp_path / out), *more], monkeypatch, capsys
    )


def write_shows(folder: Path, *names: str) -> dict[str, dict[str, Any]]:
    """Write videos, whose content nobody looks at but for its bytes, and their labels."""
    labels = {}
    for name in names:
        video = folder / "shows" / name
        video.parent.mkdir(parents=True, exist_ok=True)
        video.write_bytes(name.encode())
        series = name.partition("/")[0]
        labels[video.stem] = {"name": video.stem, "start": 1, "end": "0:09", "series": series}
    (folder / "labels.json").write_text(json.dumps(labels))
    return labels


SHOWS = ("Ä/Ä S01E01.mkv", "Ä/Ä S01E02.MKV", "b/b S01E01.mp4", "c/c S01E01.mp4", "c/c S01E02.mp4")


def tree(folder: Path) -> dict[str, bytes | str]:
    return {
        path.relative_to(folder).as_posix(): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def test_the_layout_has_links_or_copies_and_each_label_as_it_stood(
    tmp_path: Path, run: Run
) -> None:
    labels = write_shows(tmp_path, *SHOWS)
    labels["c S01E01"] |= {"tags": ["dub"], "url": "https://example.org", "note": "kept"}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    code, out, err = run("linked")
    assert (code, err) == (0, "")
    assert "dvc exp run -S ingest.source=" in out
    found = tree(tmp_path / "linked")
    written = {split: json.loads(found.pop(f"{split}/labels.json")) for split in (TRAIN, TEST)}
    assert written[TRAIN] | written[TEST] == labels
    assert {Path(link).name for link in found} == {Path(name).name for name in SHOWS}
    for link, target in found.items():
        assert Path(str(target)).is_absolute()
        assert Path(link).stem in written[link.partition("/")[0]]
    assert run("copied", "--copy")[0] == 0
    copies = tree(tmp_path / "copied")
    assert set(copies) == set(tree(tmp_path / "linked"))
    for link, target in found.items():
        assert copies[link] == Path(str(target)).read_bytes()


def test_the_same_inputs_and_seed_give_the_same_bytes_and_another_seed_others(
    tmp_path: Path, run: Run
) -> None:
    write_shows(tmp_path, *SHOWS)
    for out, seed in (("one", 0), ("two", 0), *((f"seed{n}", n) for n in range(1, 8))):
        assert run(out, "--seed", str(seed))[0] == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert any(tree(tmp_path / f"seed{n}") != tree(tmp_path / "one") for n in range(1, 8))


def test_what_leaks_is_told_and_equal_contents_stay_on_one_side(tmp_path: Path, run: Run) -> None:
    write_shows(tmp_path, *SHOWS, "d/d S01E01.mp4", "D./D. S01E02.mp4")
    shows = tmp_path / "shows"
    shutil.copy(shows / SHOWS[0], shows / SHOWS[2])
    shutil.copy(shows / SHOWS[3], shows / SHOWS[4])
    for seed in range(8):
        code, _, err = run(f"out{seed}", "--seed", str(seed))
        assert code == 0
        assert "same content: Ä S01E01, b S01E01; 'Ä', 'b' go together: remove the copies" in err
        assert "same content: c S01E01, c S01E02; all of 'c': remove the copies" in err
        assert "one series: 'd', 'D.'" in err
        for split in (TRAIN, TEST):
            ids = set(json.loads((tmp_path / f"out{seed}" / split / "labels.json").read_text()))
            assert ("Ä S01E01" in ids) == ("b S01E01" in ids)
            assert ("d S01E01" in ids) == ("D. S01E02" in ids)


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (
            ("a/a S01E01.mkv", "a/a S01E02.mkv"),
            "2 episodes of 1 series ('a'); a split needs 2: add",
        ),
        ((), "holds no label; make one with `skipintro labels import`"),
    ],
)
def test_too_little_to_deal_is_one_error_with_a_remedy(
    tmp_path: Path, run: Run, names: tuple[str, ...], fault: str
) -> None:
    (tmp_path / "shows").mkdir()
    write_shows(tmp_path, *names)
    code, out, err = run("out")
    assert (code, out) == (1, "")
    assert fault in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_labels_without_a_video_and_videos_of_one_id_are_named(tmp_path: Path, run: Run) -> None:
    labels = write_shows(tmp_path, *SHOWS)
    (tmp_path / "shows" / SHOWS[0]).unlink()
    code, _, err = run("out")
    assert code == 1
    assert "1 of 5 labels have no video in" in err
    assert "Ä S01E01; give the folders of all videos, or remove these labels" in err
    write_shows(tmp_path, *SHOWS, "elsewhere/b S01E01.avi")
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    code, _, err = run("out")
    assert code == 1
    assert "are both the video of 'b S01E01'; rename or remove one" in err


def test_videos_without_a_label_are_counted_and_named(tmp_path: Path, run: Run) -> None:
    labels = write_shows(tmp_path, *SHOWS)
    del labels["Ä S01E02"]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    code, out, _ = run("out")
    assert code == 0
    assert "1 videos left out, no label names them: Ä S01E02.MKV" in out


def test_a_suffix_that_ingest_does_not_look_at_is_told(tmp_path: Path, run: Run) -> None:
    write_shows(tmp_path, *SHOWS, "d/d S01E01.m2ts")
    code, _, err = run("out")
    assert code == 0
    assert "warning: ingest.extensions in params.yaml lacks m2ts; add it there" in err


def test_nothing_that_exists_is_replaced_and_no_link_lies_among_the_videos(
    tmp_path: Path, run: Run
) -> None:
    write_shows(tmp_path, *SHOWS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("full")
    for out in ("full", "file", "link"):
        code, _, err = run(out)
        assert code == 1
        assert f"{out}: exists; remove it or name another folder with --out" in err
    code, _, err = run("shows/split")
    assert code == 1
    assert "whose videos it will name; name a folder elsewhere" in err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    (tmp_path / "empty").mkdir()
    assert run("empty")[0] == 0


def test_what_is_split_can_be_ingested_and_annotated_as_it_lies(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six real videos through both commands and two stages: the way of a user."""
    shows = tmp_path / "shows"
    write_library(shows)
    folders = shows / "By Folder/Season 1"  # its name alone tells the series
    folders.mkdir(parents=True)
    shutil.copy(shows / "Toy/Toy S01E03.mp4", folders / "S01E01.mp4")
    rows = [f"By Folder/Season 1/S01E01.mp4,{INTERVALS['Toy S01E03'][0]},16"]
    for name, (start, end) in INTERVALS.items():
        rows.append(f"{name.partition(' S01')[0]}/{name}.mp4,{start},{end}")
    (shows / "labels.csv").write_text("\n".join(["video,start,end", *rows]))
    words = ["labels", "import", str(shows), "--out", str(tmp_path / "labels.json")]
    assert run_command(words, monkeypatch, capsys)[0] == 0
    code, _, err = run("source")
    assert code == 0
    assert "same content: by folder S01E01, Toy S01E03; 'by folder', 'toy' go together" in err
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    write_json(tmp_path / "data/overrides.json", {})
    ingest.main(ingest_params(tmp_path / "source"))
    annotate.main(load_params(annotate.Params, "annotate", ROOT / "params.yaml"))
    manifest = read_model(IngestManifest, ingest.OUTPUT / "manifest.json")
    assert [(one.split, one.id, one.problem) for one in manifest.episodes] == [
        *[("train", id_, None) for id_ in ("by folder S01E01", *sorted(INTERVALS)[2:])],
        *[("test", id_, None) for id_ in sorted(INTERVALS)[:2]],
    ]
    assert (manifest.leaked, manifest.unlabelled) == ([], [])
    annotated = read_model(Annotations, Path("data/annotate/annotations.json"))
    assert {one.id: (one.start_s, one.end_s) for one in annotated.episodes} == {
        **INTERVALS,
        "by folder S01E01": (0, 16),
    }
    assert {one.series for one in annotated.episodes} == {"by folder", "toy", "other show"}

import json
import re
import unicodedata
from pathlib import Path

import pytest

from skipintro.core.errors import InputError
from skipintro.episodes.catalog import IngestedEpisode, find_videos, leaked_ids
from skipintro.episodes.labels import read_labels

EXTENSIONS = ("mp4", "mkv")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"video")


def found(folder: Path) -> dict[str, str]:
    videos = find_videos(folder, EXTENSIONS)
    return {id_: str(path.relative_to(folder)) for id_, path in videos.items()}


def test_a_video_lies_in_a_folder_of_its_name_or_beside_the_labels(tmp_path: Path) -> None:
    touch(tmp_path, "a/a.mp4", "b.mkv", "labels.json")
    assert found(tmp_path) == {"a": "a/a.mp4", "b": "b.mkv"}


def test_names_may_hold_dots_spaces_quotes_and_any_alphabet(tmp_path: Path) -> None:
    ids = ["show.s01e01", 'don\'t "wake"', "другой «сериал» 🎬 s01e01", " lead"]
    touch(tmp_path, *(f"{id_}/{id_}.mp4" for id_ in ids))
    assert found(tmp_path) == {id_: f"{id_}/{id_}.mp4" for id_ in sorted(ids)}


def test_an_extension_in_capitals_is_one(tmp_path: Path) -> None:
    touch(tmp_path, "a/a.MP4", "b.Mkv")
    assert list(found(tmp_path)) == ["a", "b"]


def test_other_files_are_no_videos(tmp_path: Path) -> None:
    touch(tmp_path, "a/a.srt", "a/b.mp4", "b.txt", "mp4", "c/deep/c.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    assert found(tmp_path) == {}


def test_an_empty_folder_holds_no_videos(tmp_path: Path) -> None:
    assert found(tmp_path) == {}


@pytest.mark.parametrize(
    "names", [("a/a.mp4", "a.mp4"), ("a/a.mp4", "a/a.mkv"), ("a.mp4", "a.MKV")]
)
def test_two_files_of_one_id_are_refused_by_both_names(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(InputError, match="both the video of 'a'; remove one") as refusal:
        found(tmp_path)
    assert all(str(tmp_path / name) in str(refusal.value) for name in names)


@pytest.mark.parametrize("form_of_file", ["NFC", "NFD"])
@pytest.mark.parametrize("form_of_label", ["NFC", "NFD"])
def test_a_video_is_found_however_its_letters_are_composed(
    tmp_path: Path, form_of_file: str, form_of_label: str
) -> None:
    name = "Été à Чёйка"
    assert unicodedata.normalize("NFC", name) != unicodedata.normalize("NFD", name)
    on_disk = unicodedata.normalize(form_of_file, name)  # type: ignore[arg-type]
    touch(tmp_path, f"{on_disk}/{on_disk}.mp4")
    videos = find_videos(tmp_path, EXTENSIONS)
    labelled = unicodedata.normalize(form_of_label, name)  # type: ignore[arg-type]
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({labelled: {"start": None, "end": None}}), encoding="utf-8")
    [id_] = read_labels(file)
    assert videos[id_] == tmp_path / on_disk / f"{on_disk}.mp4"


def test_two_files_whose_names_differ_in_composition_alone_are_two_of_one_id(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "e\u0301.mp4", "\u00e9.mp4")
    with pytest.raises(InputError, match=re.escape("both the video of 'é'")):
        found(tmp_path)


def episode(
    split: str, id_: str, sha256: str | None, problem: str | None = None
) -> IngestedEpisode:
    return IngestedEpisode(
        split=split, id=id_, path=None, sha256=sha256, video=None, problem=problem
    )


def test_a_test_episode_is_leaked_by_its_id_or_by_its_content() -> None:
    episodes = [
        episode("train", "a", "1"),
        episode("train", "b", "2"),
        episode("test", "c", "3"),
        episode("test", "a", "4"),  # the same id
        episode("test", "renamed", "2"),  # the same content
    ]
    assert leaked_ids(episodes, "train", "test") == ["a", "renamed"]


def test_an_episode_whose_video_is_missing_is_leaked_by_its_id_alone() -> None:
    episodes = [
        episode("train", "a", None, "missing"),
        episode("test", "a", None, "missing"),
        episode("test", "b", None, "missing"),
    ]
    assert leaked_ids(episodes, "train", "test") == ["a"]


def test_empty_files_are_not_taken_for_one_video() -> None:
    episodes = [episode("train", "a", "0", "empty"), episode("test", "b", "0", "empty")]
    assert leaked_ids(episodes, "train", "test") == []


def test_twins_within_one_split_are_no_leak() -> None:
    episodes = [
        episode("train", "a", "1"),
        episode("train", "b", "1"),
        episode("test", "c", "2"),
        episode("test", "d", "2"),
    ]
    assert leaked_ids(episodes, "train", "test") == []

"""A detector's folder at work on video files, whatever kind it is."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import write_toy_video
from library_cases import (
    INTERVALS,
    Place,
    shared_place,
    use_cheap_encoder,
    write_head_detector,
)
from skipintro.core.errors import InputError
from skipintro.core.files import write_sums
from skipintro.detection.episode import Interval, Prediction
from skipintro.detection.folder import HeadDetectorConfig, assemble
from skipintro.detection.head_detector import HeadOnVideos
from skipintro.detection.kinds import FILES, identity_of, kind_of
from skipintro.detectors.videos import load_detector
from skipintro.video.container import VideoError
from test_head_detector import CONFIG


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return shared_place(tmp_path_factory)


def intervals(found: Sequence[Prediction]) -> list[Interval | None]:
    return [one.interval for one in found]


def test_videos_of_one_series_help_each_other_and_the_order_changes_nothing(place: Place) -> None:
    videos = place.videos()
    detector = load_detector(place.detector)
    expected = [INTERVALS[video.stem] for video in videos]
    assert intervals(detector.detect(videos)) == expected
    assert intervals(detector.detect(videos[::-1])) == expected[::-1]
    assert intervals(detector.detect(videos[:1])) == [None]  # nobody to compare it with


def test_no_video_gives_no_prediction_and_what_is_no_video_is_named(
    place: Place, tmp_path: Path
) -> None:
    detector = load_detector(place.detector)
    assert detector.detect([]) == []
    (notes := tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"notes\.mp4"):
        detector.detect([place.videos()[0], notes])


def test_a_video_that_ends_too_early_is_named(place: Place, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mkv"
    write_toy_video(cut, 3, seconds=26)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"cut\.mkv: truncated: \d+\.0 s can be .* of 26\.0 s"):
        load_detector(place.detector).detect([cut])


def test_a_folder_tells_its_kind_by_its_files(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cheap_encoder(monkeypatch)
    head = write_head_detector(tmp_path / "head")
    assert (kind_of(head), kind_of(place.detector)) == ("head", "openings")
    assert isinstance(load_detector(head, "cpu"), HeadOnVideos)
    (head / "config.json").unlink()
    with pytest.raises(InputError, match=r"no detector's folder: config\.json is missing"):
        load_detector(head, "cpu")


@pytest.mark.parametrize("kind", ["openings", "head"])
def test_an_assembled_folder_holds_the_files_of_its_kind_alone_and_is_known_by_them(
    kind: str, place: Place, tmp_path: Path
) -> None:
    head = write_head_detector(tmp_path / "head")
    write_sums(head)
    openings = place.copy(tmp_path / "place").detector
    write_sums(openings)
    made = tmp_path / "made"
    made.mkdir()
    identity = assemble(made, kind, head=head, openings=openings, config=CONFIG)  # type: ignore[arg-type]
    assert {path.name for path in made.iterdir()} == set(FILES[kind])  # type: ignore[index]
    assert identity == identity_of(made)
    other = HeadDetectorConfig(
        head=CONFIG.head.model_copy(update={"threshold": 0.6}), embedding=CONFIG.embedding
    )
    again = tmp_path / "again"
    again.mkdir()
    changed = assemble(again, kind, head=head, openings=openings, config=other)  # type: ignore[arg-type]
    assert (changed == identity) == (kind == "openings")  # which asks the head for nothing

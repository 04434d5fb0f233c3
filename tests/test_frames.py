import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from skipintro import cli
from skipintro.core.errors import InputError
from skipintro.evaluation.plots import contact_sheet
from skipintro.review import frames
from skipintro.review.frames import SIZE, pictures_around
from skipintro.video.container import VideoError
from skipintro.video.encoding import encode_h264
from skipintro.video.scaling import Picture

N_SECONDS = 12


def grey(second: int) -> int:
    return 20 + 18 * second


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 12 s of 2 frames a second, each second of another grey."""

    def pictures() -> Iterator[Picture]:
        for index in range(2 * N_SECONDS):
            yield np.full((64, 96, 3), grey(index // 2), np.uint8)

    path = tmp_path_factory.mktemp("video") / "an episode.mp4"
    encode_h264(path, pictures(), Fraction(2), crf=10, keyframe_interval=4)
    return path


def seconds_shown(row: list[tuple[int, Picture | None]]) -> list[tuple[int, int | None]]:
    """Return for each place of a row its second, and the one whose grey its picture has."""
    return [
        (second, None if one is None else round((float(one.mean()) - 20) / 18))
        for second, one in row
    ]


def test_each_second_stands_between_the_two_before_and_the_two_after(video: Path) -> None:
    rows = pictures_around(video, [7, 3])
    assert [seconds_shown(row) for row in rows] == [
        [(5, 5), (6, 6), (7, 7), (8, 8), (9, 9)],
        [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)],
    ]
    assert all(one is not None and one.shape == (SIZE, SIZE, 3) for row in rows for _, one in row)


def test_before_the_beginning_and_after_the_end_there_is_no_picture(video: Path) -> None:
    rows = pictures_around(video, [0, 11, 13])
    assert [seconds_shown(row) for row in rows] == [
        [(-2, None), (-1, None), (0, 0), (1, 1), (2, 2)],
        [(9, 9), (10, 10), (11, 11), (12, None), (13, None)],
        [(11, 11), (12, None), (13, None), (14, None), (15, None)],
    ]


def test_a_second_after_the_end_is_told_with_the_last_one(video: Path) -> None:
    with pytest.raises(InputError, match=r"episode\.mp4: got 14 s, .* is that of 11 s; name an"):
        pictures_around(video, [3, 14])


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(VideoError, match="cannot be opened as video"):
        pictures_around(tmp_path / "notes.mp4", [3])


def test_nothing_is_decoded_after_the_last_second_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def six(_: Path, size: int, n_seconds: int) -> Iterator[Picture]:
        assert n_seconds == 6
        return (np.full((size, size, 3), grey(second), np.uint8) for second in range(n_seconds))

    monkeypatch.setattr(frames, "pictures", six)
    assert seconds_shown(pictures_around(Path("any"), [3])[0])[-1] == (5, 5)


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def centre(pixels: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(pixels)
    return rows.mean() / pixels.shape[0], columns.mean() / pixels.shape[1]


def test_a_sheet_has_its_pictures_row_by_row_and_leaves_gaps_empty(tmp_path: Path) -> None:
    red, green, blue = (
        ("", np.full((40, 40, 3), colour, np.uint8)) for colour in (RED, GREEN, BLUE)
    )
    contact_sheet(tmp_path / "sheet.png", [[red, None, green], [None, blue, None]])
    found = np.round(imread(tmp_path / "sheet.png")[..., :3] * 255).astype(int)
    places = {colour: centre((found == colour).all(axis=2)) for colour in (RED, GREEN, BLUE)}
    assert places[RED] == pytest.approx((1 / 4, 1 / 6), abs=0.03)
    assert places[GREEN] == pytest.approx((1 / 4, 5 / 6), abs=0.03)
    assert places[BLUE] == pytest.approx((3 / 4, 3 / 6), abs=0.03)
    shares = [(found == colour).all(axis=2).mean() for colour in (RED, GREEN, BLUE)]
    assert min(shares) > 0.1  # each fills most of its sixth


def test_a_caption_stands_in_the_upper_left_of_its_own_picture(tmp_path: Path) -> None:
    black = np.zeros((40, 40, 3), np.uint8)
    sheets = []
    for name, captions in (("a", ("3 s", "4 s")), ("b", ("3 s", "8 s"))):
        contact_sheet(tmp_path / f"{name}.png", [[(caption, black) for caption in captions]])
        sheets.append(imread(tmp_path / f"{name}.png")[..., :3])
    height, width = sheets[0].shape[:2]
    rows, columns = np.nonzero((sheets[0] != sheets[1]).any(axis=2))
    assert len(rows) > 0
    assert rows.max() < height / 4
    assert width / 2 < columns.min() <= columns.max() < width * 3 / 4


def command(*words: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command in this process and give its exit code."""
    monkeypatch.setattr(sys, "argv", ["skipintro", "frames", *map(str, words)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_command_writes_a_sheet_of_a_row_each_and_names_it(
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "new folder" / "sheet.png"
    words = (video, "--at", "3", "--at", "11", "--out", out)
    assert command(*words, monkeypatch=monkeypatch) == 0
    assert capsys.readouterr() == (f"{out}\n", "")
    assert [path.name for path in out.parent.iterdir()] == ["sheet.png"]
    height, width = imread(out).shape[:2]
    assert width / height == pytest.approx(5 / 2, rel=0.05)


@pytest.mark.parametrize(
    ("words", "code", "fault"),
    [
        (["--at", "3", "--out", "sheet.jpg"], 1, "error: sheet.jpg: expected a name that ends in"),
        (["--at", "99", "--out", "sheet.png"], 1, "name an earlier second"),
        (["--at", "-1", "--out", "sheet.png"], 2, "--at"),
        (["--out", "sheet.png"], 2, "--at"),
        (["--at", "3"], 2, "--out"),
    ],
)
def test_the_command_tells_what_to_correct(
    *,
    video: Path,
    tmp_path: Path,
    words: list[str],
    code: int,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(video, *words, monkeypatch=monkeypatch) == code
    assert fault in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

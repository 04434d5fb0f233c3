from pathlib import Path

import pytest

from skipintro.episodes.naming import series_of_file

LIBRARY = Path("/library")


def series(*names: str) -> set[str]:
    return {series_of_file(LIBRARY / name) for name in names}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Show.Name.S01E02.1080p.mkv", "show name"),
        ("Show.Name.S01E02E03.mkv", "show name"),
        ("Show Name - s01 e02 - The Title.mkv", "show name"),
        ("Show - 1x02.mkv", "show"),
        ("Show.1x02.720p.x264.mkv", "show"),
        ("Show Episode 3 - Title.mkv", "show"),
        ("Show. Season 1, episode 2.mkv", "show"),
        ("show_ep02.mkv", "show"),
        ("show06_e01/show06_e01.mp4", "show06"),
        ("toy-s01e01/toy-s01e01.mp4", "toy"),
        ("Show - 12 - Title.mkv", "show"),
        ("Long Show - 1005.mkv", "long show"),
        ("[Group] Show - 03 [1080p].mkv", "[group] show"),
        ("Show 12.mkv", "show"),
        ("Другой сериал s01e01.mp4", "другой сериал"),
        ("Другой сериал 3 серия.mp4", "другой сериал"),
        ("Другой сериал. Сезон 1, серия 2.mp4", "другой сериал"),
    ],
)
def test_the_series_is_what_stands_before_the_numbering(name: str, expected: str) -> None:
    assert series_of_file(LIBRARY / name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("24 S01E01.mkv", "24"),
        ("24/Season 1/24 - 1x01.mkv", "24"),
        ("24/Season 1/S01E01.mkv", "24"),
        ("Room 104 - s02e03.mkv", "room 104"),
        ("Deep Space 9 S02E03.mkv", "deep space 9"),
        ("Show.2019.S01E02.mkv", "show 2019"),
        ("Class of 09 E03.mkv", "class of 09"),
        ("Part of Us s01e02.mkv", "part of us"),
    ],
)
def test_a_number_in_a_series_name_stays_there(name: str, expected: str) -> None:
    assert series_of_file(LIBRARY / name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "Show/03.mp4",
        "Show/03/03.mp4",
        "Show/Season 1/S01E02.mkv",
        "Show/Season 01/01 - Pilot.mkv",
        "Show/Season 01/01. Pilot.mkv",
        "Show/Season 01/Episode 1.mkv",
        "Show/Сезон 1/Серия 1.mkv",
        "Show/s01/e02.mkv",
        "Show/Season 1/Disc 1/03.mkv",
        "Show/Season 1/S01E02/S01E02.mkv",
        "Show/Specials/S00E01.mkv",
        "Show.S01.1080p/03.mkv",
    ],
)
def test_a_name_that_is_all_numbering_belongs_to_the_folder_of_its_series(name: str) -> None:
    assert series_of_file(LIBRARY / name) == "show"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Films/1917.mkv", "1917"),
        ("Films/1917/1917.mkv", "1917"),
        ("Films/Blade Runner 2049.mkv", "blade runner 2049"),
        ("Films/Blade Runner (1982).mkv", "blade runner (1982)"),
        ("Films/12 Angry Men.mkv", "12 angry men"),
        ("Films/The Episode.mkv", "the episode"),
        ("Films/Alien.1979.1080p.x264.mkv", "alien 1979"),
        ("Films/Alien [1920x1080].mkv", "alien"),
    ],
)
def test_a_film_without_numbering_is_a_series_of_its_own(name: str, expected: str) -> None:
    assert series_of_file(LIBRARY / name) == expected


def test_episodes_of_one_series_share_its_name_however_they_are_written() -> None:
    assert series("Show.Name.S01E01.mkv", "show_name_s01e02.mp4", "Show Name - 2x03.avi") == {
        "show name"
    }
    assert len(series("One S01E01.mkv", "Two S01E01.mkv", "One Two S01E01.mkv")) == 3


def test_a_file_without_a_folder_to_belong_to_has_no_series_name() -> None:
    assert series_of_file(Path("/03.mp4")) == ""


def test_a_relative_path_belongs_to_the_folder_that_it_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Some Show" / "Season 2"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert series_of_file(Path("S02E01.mkv")) == "some show"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sh\u043ew S01E01.mkv", "show"),  # a Cyrillic о
        ("\u0405how S01E01.mkv", "show"),  # a Cyrillic Ѕ
        ("Другoй cериал s01e01.mp4", "другой сериал"),  # a Latin o and a Latin c
        ("Cafe\u0301 S01E01.mkv", "café"),
        ("Ｓｈｏｗ S01E01.mkv", "show"),
        ("\u200fShow\u200b S01\u200eE01.mkv", "show"),
        ("Show\u00adName S01E01.mkv", "showname"),
        ("MTVшоу S01E01.mkv", "mtvшоу"),  # can be read in neither alphabet
    ],
)
def test_look_alikes_and_signs_that_are_not_drawn_make_no_other_series(
    name: str, expected: str
) -> None:
    assert series_of_file(LIBRARY / name) == expected


def test_a_word_in_one_alphabet_stays_as_it_is() -> None:
    assert len(series("cop S01E01.mkv", "\u0441\u043e\u0440 S01E01.mkv")) == 2

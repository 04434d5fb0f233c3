from pathlib import Path

import pytest
from guessit import guessit

from skipintro.episodes.naming import folder_of_series, series_of_file, series_of_files

LIBRARY = Path("/library")


def series(*names: str) -> set[str]:
    return set(series_of_files([LIBRARY / name for name in names]))


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
        ("[Group] Show - 03 [1080p].mkv", "show"),
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
        ("Films/Blade Runner (1982).mkv", "blade runner"),
        ("Films/12 Angry Men.mkv", "12 angry men"),
        ("Films/The Episode.mkv", "the episode"),
        ("Films/Alien.1979.1080p.x264.mkv", "alien"),
        ("Films/Alien [1920x1080].mkv", "alien"),
    ],
)
def test_a_film_without_numbering_is_a_series_of_its_own(name: str, expected: str) -> None:
    assert series_of_file(LIBRARY / name) == expected


@pytest.mark.parametrize(
    "names",
    [
        ("Show - 1x01.mkv", "Show.1x02.mkv", "Show - 1x03 - The Title.mkv"),
        (
            "[Group] Show - 05 [1080p][ABCD1234].mkv",
            "[Group] Show - 07v2 [1080p][0BCD1236].mkv",
            "[Other]_Show_-_08_[720p].mkv",
            "[Group] Show S2 - 01 (1080p) [F00].mkv",
            "[Group] Show 2nd Season - 02 [F01].mkv",
        ),
        ("[Group] Show - 1001 [1080p].mkv", "[Group] Show - 1999.mkv", "[Group] Show - 2001.mkv"),
        ("Show.2024.03.05.mkv", "Show.2024.03.07.Guest.Name.mkv", "Show - 2024-03-08 - Guest.mkv"),
        ("Show/2024-03-05.mkv", "Show/2024-03-06.mkv"),
        ("Show Episode 3.mp4", "Show Ep.4.mp4", "Show EP05.mp4", "Show - E06.mp4", "Show_Ep07.mp4"),
        ("Show/S1/01. Pilot.mkv", "Show/S1/03 Third.mkv", "Show/S1/04_Fourth.mkv", "Show/05.mkv"),
        ("Show S01E01.mkv", "Show S01E02-E03.mkv", "Show S01E04E05.mkv", "Show - 1x06-07.mkv"),
        ("Show/Specials/Show S00E01.mkv", "Show/Specials/Show - The Making.mkv", "Show S01E01.mkv"),
        ("Show/Season 1/Pilot.mkv", "Show/Season 1/The Second.mkv", "Show/Season 2/The Third.mkv"),
        ("Show 1 сезон 3 серия.mp4", "Show - 05 серия.mp4", "Show. 1 сезон. 06 выпуск.mp4"),
        ("Show/Сезон 1/Серия 3.mp4", "Show/Сезон 2/Серия 4. Начало.mp4", "Show/Серія 5.mp4"),
        ("Show 第05話.mp4", "Show 第06話「題」.mp4", "Show.第07集.1080p.mp4", "Show/第08話.mp4"),
        ("Show #05.mp4", "Show #06 題.mp4", "Show 7화.mp4", "Show.E08.240101.mp4"),
        ("Show Folge 3.mp4", "Show - Staffel 1 Folge 5.mp4", "Show/Staffel 2/Folge 1.mp4"),
        (
            "Show - Saison 1 - Épisode 3.mp4",
            "Show.S01.E05.mp4",
            "Show/Saison 2/E\u0301pisode 1.mp4",
        ),
        ("Show Capítulo 3.mp4", "Show Cap.105.mp4", "Show Temporada 1 Capítulo 6.mp4"),
        ("Show Episodio 3.mp4", "Show Episódio 5.mp4", "Show Stagione 1 Episodio 2.mp4"),
        ("Show Odcinek 3.mp4", "Show Sezon 2 Odcinek 4.mp4", "Show Bölüm 5.mp4"),
        ("show.s01e01.1080p.web.h264-grp.mkv", "Show (2019) - S01E03 - T.mkv", "Show.103.hdtv.mkv"),
        ("Show (US) S01E01.mkv", "Show US S01E02.mkv", "Show.US.S01E03.mkv", "Show S01E04.mkv"),
        ("Show {tvdb-1}/Season 01/S01E01.mkv", "Show {tvdb-1}/Show (2010) {tvdb-1} - s01e02.mkv"),
        ("Show.S01E01.1080p/abc.mkv", "Show.S01E02.1080p/def.mkv", "Show.S01E03/Show.S01E03.mkv"),
        ("Show/D1/title_t00.mkv", "Show/D2/B1_t03.mkv", "Show/Season 1/Show_S1_D1_t01.mkv"),
        ("Show/Disc 1/VIDEO_TS/VTS_01_1.VOB", "Show Disc 2/VIDEO_TS/VTS_01_1.VOB"),
        ("Show/Disc 1/BDMV/STREAM/00001.m2ts", "Show/Disc 2/BDMV/STREAM/00012.m2ts"),
        ("Show Part 1.mkv", "Show Pt.3.mkv", "Show Part Two.mkv"),
        ("Show 1of6.mkv", "Show 2of6 Title.mkv", "Show (3 of 6).mkv"),
        ("Show01.mp4", "Show02.mp4", "Show 03.mp4"),
        ("Show OVA 1.mkv", "Show OVA 2.mkv", "Show - 03.mkv"),
    ],
)
def test_the_episodes_of_a_series_are_one_group_as_a_media_server_has_them(
    names: tuple[str, ...],
) -> None:
    assert series(*names) == {"show"}


def test_series_beside_each_other_stay_apart() -> None:
    names = ("Alpha S01E01", "Beta.S01E02", "1923 S01E01", "24 - 1x02", "9-1-1 S01E01")
    told = [series_of_file(LIBRARY / f"{name}.mkv") for name in (*names, "11.22.63 - S01E01")]
    assert told == ["alpha", "beta", "1923", "24", "9-1-1", "11 22 63"]
    assert series("Show/S01/Episode 1.mkv", "Other/S01/Episode 1.mkv") == {"show", "other"}


def test_years_and_countries_tell_series_of_one_title_apart_where_there_are_several() -> None:
    files = {
        "a/Show (1978)/S01E01.mkv": "show 1978",
        "a/Show (1978)/Show S01E02.mkv": "show 1978",
        "b/Show.2003.S01E01.mkv": "show 2003",
        "b/Show.S01E02.mkv": "show 2003",
        "c/Show.S01E03.mkv": "show",
        "The Office UK S01E01.mkv": "the office gb",
        "The.Office.US.S01E01.mkv": "the office us",
        "Other (2010) S01E01.mkv": "other",
        "Other S01E02.mkv": "other",
    }
    assert series_of_files([LIBRARY / name for name in files]) == list(files.values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Show (2010)/Season 1/S01E02.mkv", "show (2010)"),
        ("Show/Season 1/Disc 2/VIDEO_TS/VTS_01_1.VOB", "show"),
        ("Ocean's 11/03/03.mkv", "ocean's 11"),
    ],
)
def test_the_folder_of_a_series_is_called_as_it_is_spelt(name: str, expected: str) -> None:
    assert folder_of_series(LIBRARY / name) == expected


def test_guessit_is_asked_once_a_series_since_it_takes_milliseconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def counted(name: str, options: dict[str, object]) -> object:
        asked.append(name)
        return guessit(name, options)

    monkeypatch.setattr("guessit.guessit", counted)
    kinds = ("{}x01 - One", "S{:02}E01.720p", "- {:02} [A{}]", "Folge {} Wort", "2024-05-{:02}")
    names = [f"Never Asked {k.format(n, n)}.mkv" for k in kinds for n in range(1, 21)]
    assert set(series_of_files([Path("/", name) for name in names])) == {"never asked"}
    assert len(asked) <= len(kinds)


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

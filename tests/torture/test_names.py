"""Names of episodes, files and series that mean to lead elsewhere, or to look like another."""

import random
import unicodedata
from itertools import islice
from pathlib import Path

import pytest

from conftest import ingest_params, write_toy_video
from skipintro.core.files import write_json
from skipintro.episodes.annotations import CorrectionRule, annotate, unify_series
from skipintro.episodes.labels import Label, check_episode_id
from skipintro.episodes.naming import series_of_file
from skipintro.library.cache import Cache
from skipintro.library.discovery import find_series
from skipintro.library.enums import Kind
from skipintro.library.sidecar_writer import Writer
from skipintro.sidecars.result import Finding, muxed_place
from skipintro.stages import ingest
from torture.conftest import Attack
from torture.mutation import read_or_refused
from torture.odd_names import files_of, odd_name


def is_accepted(id_: str) -> bool:
    def checked() -> str:
        check_episode_id("labels.json", id_)
        return id_

    return read_or_refused(Path("labels.json"), checked) is not None


@pytest.mark.promise(
    "An episode's id is refused, or it is the name of one folder, and of nothing elsewhere."
)
def test_ids_that_mean_to_lead_elsewhere(attack: Attack, tmp_path: Path) -> None:
    root = tmp_path / "data" / "ingest"
    for number in attack.cases(quick=500, wide=4_000, full=40_000):
        id_ = odd_name(attack.rng)
        with attack.case(id_):
            if not is_accepted(id_):
                continue
            for name in (id_, unicodedata.normalize("NFC", id_)):
                path = root / "train" / name / f"{name}.mkv"
                assert path.parts[: len(root.parts)] == root.parts
                assert path.parts[len(root.parts) :] == ("train", name, f"{name}.mkv")
                assert ".." not in name
            if number % 20 == 0:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()  # the file system takes it


@pytest.mark.promise("The ingest stage writes below its output folder alone, whatever the ids are.")
def test_ingest_with_odd_ids(
    attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, source = tmp_path / "checkout", tmp_path / "source"
    checkout.mkdir()
    monkeypatch.chdir(checkout)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    write_toy_video(source / "one.mp4", 1, seconds=2)
    video = (source / "one.mp4").read_bytes()
    (source / "one.mp4").unlink()
    size = attack.size(quick=10, wide=30, full=150)
    drawn = filter(is_accepted, (odd_name(attack.rng) for _ in range(100 * size)))
    by_form: dict[str, str] = {}  # one for each composed form
    for id_ in drawn:
        by_form.setdefault(unicodedata.normalize("NFC", id_), id_)
    assert len(by_form) >= size, "too few ids are accepted"
    ids = dict(islice(by_form.items(), size))
    for split in ("train", "test"):
        (source / split).mkdir(parents=True)
        write_json(
            source / split / "labels.json", {i: {"start": 0, "end": 1} for i in ids.values()}
        )
        for id_ in ids.values():
            (source / split / f"{id_}.mp4").write_bytes(video)
    before = files_of(source)
    params = ingest_params(source, on_bad_video="fail")
    ingest.main(params)
    assert files_of(source) == before
    assert {path.name for path in tmp_path.iterdir()} == {"checkout", "source"}
    assert {path.name for path in checkout.iterdir()} == {"data", ".skipintro"}
    assert {path.name for path in (checkout / "data").iterdir()} == {"ingest"}
    videos = (path for path in ingest.OUTPUT.rglob("*.mp4") if path.is_file())
    made = {path.relative_to(ingest.OUTPUT) for path in videos}
    for composed, id_ in ids.items():
        with attack.case(id_):
            for split in ("train", "test"):
                assert Path(split, f"{composed}.mp4") in made
    assert len(made) == 2 * len(ids)


@pytest.mark.promise(
    "Sidecars lie beside their video, whatever it is called; a link in their place is not followed."
)
def test_sidecars_of_odd_names(attack: Attack, tmp_path: Path) -> None:
    library, outside = tmp_path / "library", tmp_path / "outside.txt"
    outside.write_text("not ours")
    memory = Cache(tmp_path / "cache")
    for number in attack.cases(quick=30, wide=150, full=1_500):
        name = f"{odd_name(attack.rng)}{attack.rng.choice(('.mkv', '.MP4', '.tar.mkv'))}"
        if "/" in name or "\0" in name or not _is_text(name):
            continue
        if len(name.encode()) > 200:
            continue
        folder = library / str(number)
        folder.mkdir(parents=True)
        video = folder / name
        video.write_bytes(b"video")
        with attack.case(name):
            series = find_series([folder], 0)
            videos = [path for one in series for path in one.videos]
            assert videos == ([] if name.startswith(".") else [video])
            finding = Finding(video, "show", 60.0, (1.0, 9.0), 0.9)
            if number % 2:
                Writer(memory, overwrite=True, edl_action=3).write(finding, [Kind.EDL], mux=False)
                [place] = set(folder.iterdir()) - {video}
                place.unlink()
                place.symlink_to(outside)
            writer = Writer(memory, overwrite=True, edl_action=3)
            writer.write(finding, list(Kind), mux=False)
            assert writer.written.faults == []
            assert writer.written.made == len(Kind)
            found = {path for path in tmp_path.rglob("*") if path.is_file()}
            beside = found - {video, outside} - set((tmp_path / "cache").rglob("*"))
            assert {path.parent for path in beside} == {folder}
            assert len(beside) == len(Kind)
            assert not any(path.is_symlink() for path in beside)
            assert muxed_place(video).parent == folder
            assert video.read_bytes() == b"video"
            assert outside.read_text() == "not ours"
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    memory.close()


def _is_text(name: str) -> bool:
    return not any(unicodedata.category(sign) == "Cs" for sign in name)


SHOWS = (
    *("Show Name", "The Expanse", "Moon Hotel", "Xerox Copy", "Café Noir", "Deep Space 9"),
    *("Северный ветер", "Другой сериал", "Ночная смена", "Тихий Дон", "Моя Прекрасная няня"),
)
RULE = CorrectionRule(inversion_shift_s=60, min_length_s=1, max_length_s=120)
ALIKE = {
    **dict(zip("ABEIJKMHOPCTYXSaeijopcyxs", "АВЕІЈКМНОРСТУХЅаеіјорсухѕ", strict=True)),
    **dict(zip("АВЕІЈКМНОРСТУХЅаеіјорсухѕ", "ABEIJKMHOPCTYXSaeijopcyxs", strict=True)),
}
UNSEEN = ("\u200f", "\u200e", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00ad")


def disguised(rng: random.Random, show: str) -> str:
    """Write a name with look-alikes, marks that are not drawn, and letters composed otherwise.

    The first letter of a word that has no look-alike stays, so that its alphabet can be told.
    """
    words = []
    for word in show.split():
        signs = list(word)
        mixed = [i for i, sign in enumerate(signs) if sign in ALIKE]
        if len(mixed) == sum(sign.isalpha() for sign in signs):
            mixed = mixed[1:] if word.isascii() else []
        for i in mixed:
            if rng.random() < 0.5:
                signs[i] = ALIKE[signs[i]]
        if rng.random() < 0.3:
            signs.insert(rng.randrange(len(signs) + 1), rng.choice(UNSEEN))
        words.append("".join(signs))
    form = rng.choice(("NFC", "NFD", "NFKC", "NFKD"))
    return unicodedata.normalize(form, rng.choice((" ", ".", "_", "  ")).join(words))  # type: ignore[arg-type]


@pytest.mark.promise(
    "Episodes of a series find each other where a word mixes Latin and Cyrillic look-alikes, where "
    "signs that are not drawn stand in the name, and however its letters are composed."
)
def test_names_that_look_alike(attack: Attack) -> None:
    assert len({series_of_file(Path("/", f"{show} S01E01.mkv")) for show in SHOWS}) == len(SHOWS)
    for number in attack.cases(quick=500, wide=4_000, full=40_000):
        show = SHOWS[number % len(SHOWS)]
        name = disguised(attack.rng, show)
        with attack.case(name):
            expected = series_of_file(Path("/", f"{show} S01E01.mkv"))
            assert series_of_file(Path("/", f"{name}.S01E02.mkv")) == expected
            assert series_of_file(Path("/", name, "Season 1", "S01E03.mkv")) == expected
            labels = [Label(start_s=1, end_s=9, series=spelt) for spelt in (show, name)]
            found = [annotate("train", "id", label, RULE) for label in labels]
            assert {each.series for each in unify_series(found)} == {show}

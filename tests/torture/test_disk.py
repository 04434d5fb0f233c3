"""Disks that are full, cannot be written, lie, or lose files; clocks that jump back."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Checkout, copy_of, make_checkout, run_command
from damage_cases import flip_bit
from disk_cases import filled, read_only, small_disk
from forked import Done, Forked, Job
from library_cases import Place, use_cheap_encoder
from skipintro.review.overrides import OverridesFile
from torture.conftest import Attack
from torture.worked import (
    CHEAP,
    OUTPUTS,
    STAGES,
    Worked,
    checked_files,
    half_written,
    left_by,
    make_embedded,
)

PAGE = 4096
FULL = ("no space left", "disk is full", "disk I/O error")  # of the system, of SQLite
KINDS = ("edl", "chapters", "segments", "json")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a small disk; the space that is left on it is drawn by each case."""
    folder = tmp_path_factory.mktemp("disk")
    with small_disk(folder, "256m"):
        yield folder


@pytest.fixture(scope="module")
def on_disk(disk: Path, worked: Worked) -> Worked:
    """Return a copy of the checkout on the small disk."""
    return Worked(copy_of(worked, disk / "checkout").folder, STAGES)


@pytest.fixture(scope="module")
def embedded(disk: Path, toy_series: Path, forks: Forked) -> Worked:
    return make_embedded(disk / "embedded", toy_series, forks)


def size_of(checkout: Checkout, stage: str) -> int:
    """Return the room that a stage's output takes, in pages."""
    files = (checkout.folder / OUTPUTS[stage]).rglob("*")
    return sum(-(-path.stat().st_size // PAGE) + 1 for path in files)


def forget(checkout: Checkout, stage: str) -> None:
    """Make a stage do its work again, as DVC does, and from the beginning."""
    memory = {"ingest": "inspections", "embed": "embeddings"}.get(stage)
    if memory:
        shutil.rmtree(checkout.folder / ".skipintro" / memory)
    shutil.rmtree(checkout.folder / OUTPUTS[stage])


def assert_full(done: Done) -> None:
    fault = done.fault()
    assert any(word in fault for word in FULL), done
    assert "free some space" in fault, done


@pytest.mark.promise(
    "A stage on a disk that gets full ends with one line that says so; with room, the next run "
    "gives the bytes of an unbroken one."
)
@pytest.mark.only_from(
    "wide",
    "each stage twice",
    held_by="test_bad_input.py::test_a_full_disk_costs_nothing_that_was_there",
)
def test_stages_on_a_full_disk(
    attack: Attack, on_disk: Worked, embedded: Worked, forks: Forked
) -> None:
    places = [(stage, on_disk) for stage in STAGES] + [("embed", embedded)]
    attack.rng.shuffle(places)
    for number in attack.cases(wide=4, full=40):
        stage, checkout = places[number % len(places)]
        before = checkout.unbroken[stage]
        pages = attack.rng.randrange(size_of(checkout, stage) + 1)
        was_forgotten = attack.rng.random() < 0.7
        with attack.case((stage, pages, was_forgotten)):
            if was_forgotten:
                forget(checkout, stage)
            with filled(checkout.folder.parent, pages * PAGE):
                done = forks.stage(stage, checkout.folder, prelude=CHEAP)
                if done.code:
                    assert_full(done)
                    assert left_by(checkout, stage) == ({} if was_forgotten else before)
                else:
                    assert left_by(checkout, stage) == before
            again = forks.stage(stage, checkout.folder, prelude=CHEAP)
            assert again.code == 0, again
            assert left_by(checkout, stage) == before
            assert half_written(checkout.folder) == []


@pytest.mark.promise(
    "With room, `dvc repro` after one on a disk that got full gives the bytes of an unbroken one "
    "(once a `dvc.lock` that DVC has cut is deleted, which it names)."
)
@pytest.mark.only_from(
    "wide",
    "many runs of the whole of DVC",
    held_by="test_bad_input.py::test_a_full_disk_costs_nothing_that_was_there",
)
def test_dvc_on_a_full_disk(attack: Attack, disk: Path, toy_series: Path) -> None:
    checkout = make_checkout(disk / "dvc", toy_series)
    outputs = ("ingest", "annotate")
    checkout.run("dvc", "repro", "annotate")
    before = {stage: left_by(checkout, stage) for stage in outputs}
    lock = (checkout.folder / "dvc.lock").read_bytes()
    for _ in attack.cases(wide=1, full=4):
        pages = attack.rng.randrange(20, 20 + 2 * size_of(checkout, "ingest"))
        with attack.case(pages):
            for place in ("data/ingest", "data/annotate", ".dvc/cache", ".dvc/tmp"):
                shutil.rmtree(checkout.folder / place)
            (checkout.folder / "dvc.lock").unlink()
            with filled(disk, pages * PAGE):
                process = checkout.start("dvc", "repro", "annotate")
                process.communicate(timeout=300)
            repro = checkout.start("dvc", "repro", "annotate")
            said, _ = repro.communicate(timeout=300)
            if repro.returncode:  # DVC writes its lock file in place, and names one that is cut
                assert "dvc.lock' validation failed" in said, said
                (checkout.folder / "dvc.lock").unlink()
                checkout.run("dvc", "repro", "annotate")
            assert {stage: left_by(checkout, stage) for stage in outputs} == before
            assert (checkout.folder / "dvc.lock").read_bytes() == lock
    shutil.rmtree(checkout.folder)


@pytest.fixture(scope="module")
def place_on_disk(disk: Path, place: Place) -> Place:
    """Return a library with its cache on the small disk, without sidecars."""
    return place.copy(disk / "library")


def detect(forks: Forked, place: Place) -> Done:
    words = ["skipintro", *place.words(), *(word for kind in KINDS for word in ("--write", kind))]
    return forks.run(Job(words, str(place.library.parent), prelude=CHEAP))[0]


def clean(place: Place) -> None:
    for name in place.files():
        (place.library / name).unlink()
    shutil.rmtree(place.cache, ignore_errors=True)


@pytest.mark.promise(
    "`skipintro detect` on a full disk writes whole sidecars or none and says so; with room, the "
    "next run writes all of them."
)
def test_detect_on_a_full_disk(attack: Attack, place_on_disk: Place, forks: Forked) -> None:
    clean(place_on_disk)
    assert detect(forks, place_on_disk).code == 0
    before = place_on_disk.files()
    for number in attack.cases(quick=2, wide=4, full=40):
        pages = attack.rng.randrange(80)
        with attack.case((number, pages)):
            for name in place_on_disk.files():
                (place_on_disk.library / name).unlink()
            if number % 2:
                shutil.rmtree(place_on_disk.cache)
            with filled(place_on_disk.library.parent, pages * PAGE):
                done = detect(forks, place_on_disk)
                assert place_on_disk.files().items() <= before.items()
                if done.code:
                    done.fault()
                    assert any(word in done.said for word in FULL), done
                    assert "free some space" in done.said, done
            again = detect(forks, place_on_disk)
            assert again.code == 0, again
            assert place_on_disk.files() == before
            assert half_written(place_on_disk.library) == []
    clean(place_on_disk)


@pytest.mark.promise(
    "A folder that cannot be written, of the outputs, the library or the cache, is reported in one "
    "line; existing files stay."
)
def test_folders_that_cannot_be_written(
    attack: Attack, on_disk: Worked, place_on_disk: Place, forks: Forked, tmp_path: Path
) -> None:
    stages = STAGES[: attack.size(quick=1, wide=2, full=len(STAGES))]
    disk = on_disk.folder.parent
    for stage in stages:
        with attack.case(stage):
            before = on_disk.unbroken[stage]
            with read_only(disk):
                fault = forks.stage(stage, on_disk.folder).fault()
            assert "Read-only" in fault, fault
            assert "check that" in fault or "right to write" in fault, fault
            assert left_by(on_disk, stage) == before
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(place_on_disk.library, elsewhere / "library")
    for told, changed in (
        ("library", Place(place_on_disk.library, place_on_disk.detector, elsewhere / "cache")),
        ("cache", Place(elsewhere / "library", place_on_disk.detector, place_on_disk.cache)),
    ):
        with attack.case(told):
            clean(changed)
            with read_only(disk):
                done = detect(forks, changed)
            done.fault()
            assert "ead-only" in done.said or "readonly" in done.said, done
            assert changed.files() == {}
            again = detect(forks, changed)
            assert again.code == 0, again
            assert len(changed.files()) == 4 * len(changed.videos())
    clean(place_on_disk)


@pytest.mark.promise(
    "A decision of `skipintro review` on a full disk is refused, and the overrides file stays as "
    "it was, byte for byte."
)
def test_decisions_on_a_full_disk(attack: Attack, disk: Path, tmp_path: Path) -> None:
    path = disk / "overrides" / "overrides.json"
    path.parent.mkdir()
    entries = {f"e{n}": {"start": 1, "end": 20, "reason": "x" * 90} for n in range(400)}
    path.write_text(json.dumps(entries), encoding="utf-8")
    file = OverridesFile(path, tmp_path / "lock")
    for number in attack.cases(quick=10, wide=20, full=60):
        pages = attack.rng.randrange(20)
        id_ = f"e{attack.rng.randrange(400)}"
        entry = {"start": number, "end": number + 15, "reason": "reviewed: corrected"}
        with attack.case((number, pages)):
            before, seen = path.read_bytes(), file.read()[id_]
            try:
                with filled(disk, pages * PAGE):
                    file.put(id_, dict(entry), seen)
            except OSError as error:
                assert error.errno == 28  # noqa: PT017  it may as well succeed
                assert path.read_bytes() == before
            assert [each.name for each in path.parent.iterdir()] == [path.name]
            assert len(file.read()) == 400


REMEDY = "find .dvc/cache -type f -exec chmod u+w {} + -exec touch {} +"
FLIPPED = {  # stage: the stages whose output it reads
    "annotate": ("ingest",),
    "window": ("annotate", "embed"),
    "train": ("window",),
    "fit": ("annotate", "fingerprint"),
    "evaluate": ("train", "fit", "window", "embed", "fingerprint", "ingest", "annotate"),
    "track": ("train", "fit", "evaluate"),
}


@pytest.mark.promise(
    "A bit that flips in what a stage reads of another one ends it with one line that names the "
    "file (of the videos, embed alone looks at every byte)."
)
@pytest.mark.only_from(
    "wide",
    "each stage for each of its sources",
    held_by="test_files.py::test_any_bit_that_flips_in_a_folder_is_noticed_and_the_remedy_told",
)
def test_bits_that_flip_between_the_stages(attack: Attack, on_disk: Worked, forks: Forked) -> None:
    pairs = [(stage, source) for stage, sources in FLIPPED.items() for source in sources]
    attack.rng.shuffle(pairs)
    for number in attack.cases(wide=6, full=60):
        stage, source = pairs[number % len(pairs)]
        path = attack.rng.choice(checked_files(on_disk, source))
        before, output = path.read_bytes(), on_disk.unbroken[stage]
        with attack.case((stage, path.relative_to(on_disk.folder), number)):
            flip_bit(path, number)
            try:
                fault = forks.stage(stage, on_disk.folder).fault()
            finally:
                path.write_bytes(before)
            assert f"{OUTPUTS[source]}/" in fault, fault
            assert "not as its stage wrote it" in fault, fault
            assert ".dvc/cache" in fault, fault
            assert left_by(on_disk, stage) == output


BREAK_OFF = """
from skipintro.tracking.live import LiveRun
def broken(*_):
    raise KeyboardInterrupt
LiveRun.name_weights = broken
"""


@pytest.mark.promise(
    "A bit that flips in what the stages cache (`.skipintro/`) is reported, and the work is done "
    "anew, to the same bytes."
)
def test_bits_that_flip_in_what_is_remembered(
    attack: Attack, on_disk: Worked, embedded: Worked, forks: Forked
) -> None:
    kinds = (
        ("ingest", on_disk, "inspections/*/*"),
        ("embed", embedded, "embeddings/*/*"),
        ("train", on_disk, "checkpoints/*"),
    )
    for number in attack.cases(quick=3, wide=3, full=15):
        stage, checkout, pattern = kinds[number % len(kinds)]
        with attack.case((stage, number)):
            if stage == "train":
                done = forks.stage("train", checkout.folder, prelude=BREAK_OFF)
                assert done.code == 130, done
            remembered = sorted((checkout.folder / ".skipintro").glob(pattern))
            path = attack.rng.choice(remembered)
            flip_bit(path, number)
            again = forks.stage(stage, checkout.folder, prelude=CHEAP)
            assert again.code == 0, again
            assert f"{path.name}: damaged" in again.said, again
            assert left_by(checkout, stage) == checkout.unbroken[stage]


@pytest.mark.promise(
    "Bits that flip in the cache of `skipintro detect` change no answer: it is made anew, or one "
    "line says what to delete."
)
def test_bits_that_flip_in_the_cache_of_detect(
    attack: Attack,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    use_cheap_encoder(monkeypatch)
    place = Place(place.library, place.detector, tmp_path / "cache")
    words = place.words(str(place.library), "--format", "json")
    code, told, _ = run_command(words, monkeypatch, capsys)
    assert code == 0
    whole = tmp_path / "whole"
    shutil.copytree(place.cache, whole)
    for number in attack.cases(quick=4, wide=16, full=200):
        with attack.case(number):
            shutil.rmtree(place.cache)
            shutil.copytree(whole, place.cache)
            database = place.cache / "results.sqlite"
            recorded = sorted(place.cache.glob("fingerprints/*/*.npz"))
            for _ in range(attack.rng.choice((1, 1, 50))):
                flip_bit(database, attack.rng.randrange(2**32))
            if number % 4 == 0:  # in an answer, of a series whose videos are 26 s long
                first = (whole / database.name).read_bytes().index(b"[[26.")
                flip_bit(database, number, range(first, first + 30))
            if number % 2:  # what was found is forgotten, so that the fingerprints are read
                flip_bit(attack.rng.choice(recorded), number)
                forget_answers(whole / database.name, database)
            code, found, said = run_command(words, monkeypatch, capsys)
            if code:
                assert code == 1
                [fault] = [line for line in said.splitlines() if f": {database}: " in line]
                assert "delete it" in fault, said
                database.unlink()
                code, found, said = run_command(words, monkeypatch, capsys)
            assert (code, found) == (0, told), said


def forget_answers(whole: Path, database: Path) -> None:
    shutil.copy(whole, database)
    answers = sqlite3.connect(database)
    answers.execute("DELETE FROM results WHERE kind = 'series'")
    answers.commit()
    answers.close()


@pytest.mark.promise(
    "A bit that flips in DVC's cache, which DVC checks out as it is, is reported by the stage that "
    "reads it; the remedy that it names gives the bytes of before."
)
@pytest.mark.only_from(
    "wide",
    "many runs of the whole of DVC",
    held_by="test_files.py::test_any_bit_that_flips_in_a_folder_is_noticed_and_the_remedy_told",
)
def test_bits_that_flip_in_the_cache_of_dvc(
    attack: Attack, disk: Path, toy_series: Path, forks: Forked
) -> None:
    checkout = make_checkout(disk / "flipped", toy_series)
    checkout.run("dvc", "repro", "annotate")
    before = left_by(checkout, "ingest") | left_by(checkout, "annotate")
    for number in attack.cases(wide=1, full=3):
        path = attack.rng.choice(checked_files(checkout, "ingest"))
        with attack.case(path.relative_to(checkout.folder)):
            content = path.read_bytes()
            [entry] = [
                each
                for each in (checkout.folder / ".dvc/cache/files/md5").glob("*/*")
                if each.read_bytes() == content
            ]
            flip_bit(entry, number)
            shutil.rmtree(checkout.folder / "data/ingest")
            checkout.run("dvc", "checkout", "data/ingest")
            fault = forks.stage("annotate", checkout.folder).fault()
            assert "not as its stage wrote it" in fault
            assert f"delete data/ingest, run `{REMEDY}`" in fault
            shutil.rmtree(checkout.folder / "data/ingest")
            checkout.run("sh", "-c", REMEDY)
            checkout.run("dvc", "repro", "annotate")
            assert left_by(checkout, "ingest") | left_by(checkout, "annotate") == before
            assert entry.read_bytes() == content
    shutil.rmtree(checkout.folder)


@pytest.mark.promise(
    "A video that vanishes, is cut or is swapped for another between ingest and embed is reported "
    "by name, copied or referenced; put back, it gives the same bytes."
)
def test_videos_that_change_between_ingest_and_embed(
    attack: Attack, disk: Path, toy_series: Path, embedded: Worked, forks: Forked
) -> None:
    before = embedded.unbroken["embed"]
    checkout = make_checkout(disk / "swapped", disk / "source")
    shutil.copytree(toy_series, disk / "source")
    for number in attack.cases(quick=1, wide=4, full=12):
        mode = ("copy", "reference")[number % 2]
        checkout.set_params({"embed.search": 2, "ingest.mode": mode})
        change = attack.rng.choice(("vanish", "cut", "swap"))
        with attack.case((mode, change)):
            assert forks.stage("ingest", checkout.folder).code == 0
            root = disk / "source" if mode == "reference" else checkout.folder / "data/ingest"
            path, other = attack.rng.sample(sorted(root.rglob("*.mp4")), 2)
            content = path.read_bytes()
            if other.read_bytes() == content:  # the one that stands in both splits
                other = next(each for each in root.rglob("*.mp4") if each.read_bytes() != content)
            shutil.rmtree(checkout.folder / ".skipintro" / "embeddings", ignore_errors=True)
            same = [each for each in root.rglob("*.mp4") if each.read_bytes() == content]
            for each in same:
                each.unlink()
                if change != "vanish":
                    each.write_bytes(content[:-1] if change == "cut" else other.read_bytes())
            fault = forks.stage("embed", checkout.folder, prelude=CHEAP).fault()
            assert "gone or changed since it was ingested" in fault, fault
            assert any(each.name in fault for each in same), fault
            for each in same:
                each.write_bytes(content)
            done = forks.stage("embed", checkout.folder, prelude=CHEAP)
            assert done.code == 0, done
            assert left_by(checkout, "embed") == before
    for folder in (checkout.folder, disk / "source"):
        shutil.rmtree(folder)


CLOCK = """
import itertools, time
real, turns = time.time, itertools.count()
time.time = lambda: real() - 86400 * {days} * (next(turns) // {often} % 2)
"""


@pytest.mark.promise(
    "A clock that jumps back and forth by days, and files from the future, change no byte of a "
    "stage's output."
)
def test_clocks_that_jump(attack: Attack, on_disk: Worked, embedded: Worked, forks: Forked) -> None:
    for number in attack.cases(quick=1, wide=4, full=16):
        stage = ("track", *STAGES, "embed")[number % 9]
        checkout = embedded if stage == "embed" else on_disk
        days, often = attack.rng.choice((-400, 1, 20_000)), attack.rng.choice((1, 7, 100))
        with attack.case((stage, days, often)):
            checkout.run("find", "data", "-exec", "touch", "-d", "2040-01-01", "{}", "+")
            if number % 2:
                forget(checkout, stage)
            done = forks.stage(
                stage, checkout.folder, prelude=CHEAP + CLOCK.format(days=days, often=often)
            )
            assert done.code == 0, done
            assert left_by(checkout, stage) == checkout.unbroken[stage]

"""Links where files are looked for and written, and the permissions of all that is written."""

import os
import random
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, Checkout, make_checkout, run_command, write_toy_video
from library_cases import Place, use_cheap_encoder
from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error, output_folder, write_json
from skipintro.episodes.embeddings import write_vectors
from skipintro.library.cache import Cache
from skipintro.library.discovery import Series, find_series
from skipintro.library.enums import Kind
from skipintro.library.sidecar_writer import Writer
from skipintro.review.overrides import OverridesFile
from skipintro.service.allowed_paths import Roots
from skipintro.service.http_errors import RefusalError
from skipintro.sidecars import chapters, edl, labels, segments
from skipintro.sidecars.result import Finding, muxed_place
from torture.conftest import Attack
from torture.odd_names import files_of

# --- links in a library ---

NAMES = ("Show", "Season 1", "S01E01.mkv", "S01E02.mkv", "S01E03.mp4", "notes.txt", ".hidden.mkv")


def plant(rng: random.Random, base: Path) -> Path:
    """Fill root/, outside/ and root-2/ with videos, folders, and links of all kinds."""
    root, outside = base / "root", base / "outside"
    folders = [root, outside, base / "root-2"]
    for _ in range(rng.randrange(6)):
        folders.append(rng.choice(folders) / rng.choice(("Show", "Season 1", "b", "c")))
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    places = list(folders)
    for _ in range(rng.randrange(3, 12)):
        place = rng.choice(folders) / rng.choice((*NAMES, "link", "link 2.mkv", "up"))
        if os.path.lexists(place):
            continue
        if rng.random() < 0.4:
            place.write_bytes(b"video")
        else:
            there = rng.choice(
                (*places, place, base / "gone", Path("/etc/passwd"), Path("/dev/zero"))
            )
            near = os.path.relpath(there, place.parent)
            place.symlink_to(rng.choice((str(there), near, f"../{root.name}/./{near}")))
        places.append(place)
    return root


@pytest.mark.promise(
    "Below a --root, links are what they lead to: nothing that lies outside is looked at, and what "
    "lies inside is not refused."
)
def test_links_in_a_root(attack: Attack, tmp_path: Path) -> None:
    n_refused = n_found = 0
    for number in attack.cases(quick=60, wide=200, full=3_000):
        base = tmp_path / str(number)
        root = plant(attack.rng, base)
        served = root
        if number % 3 == 0:  # a root that is a link itself
            served = base / "served"
            served.symlink_to(attack.rng.choice((str(root), root.name)))
        roots, real = Roots([served]), root.resolve()
        asked = [served, *(served / path.relative_to(root) for path in root.rglob("*"))]
        for place in attack.rng.sample(asked, min(3, len(asked))):
            with attack.case(str(place.relative_to(base))):
                try:
                    admitted = roots.admit(str(place))
                    series = find_series([admitted], 4, roots.check)
                except RefusalError as error:
                    status = error.status
                else:
                    status = 200
                if status == 404:
                    assert not place.is_file()
                    assert not place.is_dir()
                elif status == 403:
                    assert any(leads_out(path, real) for path in looked_at(place))
                    n_refused += 1
                else:
                    assert status == 200
                    n_found += check_found(series, real)
    assert n_refused > attack.n_cases / 50
    assert n_found > attack.n_cases / 10


def check_found(series: Sequence[Series], root: Path) -> int:
    """Check that all videos lie below the root, each once, and give how many they are."""
    videos = [video for one in series for video in one.videos]
    assert not [video for video in videos if leads_out(video, root)]
    assert len({os.path.realpath(video) for video in videos}) == len(videos)
    return len(videos)


def leads_out(path: Path, root: Path) -> bool:
    return not Path(os.path.realpath(path)).is_relative_to(root)


def looked_at(place: Path) -> list[Path]:
    """Return a place, what lies below it, links followed, and what lies beside it."""
    below = [
        Path(folder, name)
        for folder, folders, files in os.walk(place, followlinks=False)
        for name in (*folders, *files)
    ]
    through = [
        inner for path in below if path.is_symlink() and path.is_dir() for inner in path.glob("*")
    ]
    return [place, *below, *through, *place.parent.iterdir()]


# --- links where something is written ---

VIDEO = "Show S01E01.mp4"
SEEN = {"start": 1, "end": 9, "reason": "by hand"}
LINKS = ("a file", "a folder", "nowhere", "itself", "a ring", "a pipe", "a file by two links")


def put_link(place: Path, kind: str, outside: Path) -> None:
    """Put a link of this kind to a place; `outside` is an empty folder for what it leads to."""
    outside.mkdir()
    (outside / "folder").mkdir()
    (outside / "folder" / "theirs").write_text("theirs")
    (outside / "file").write_text('{"x": {"start": 1, "end": 9, "reason": "by hand"}}')
    (outside / "second").symlink_to(outside / "file")
    os.mkfifo(outside / "pipe")
    (outside / "ring").symlink_to(place)
    to = {
        "a file": outside / "file",
        "a folder": outside / "folder",
        "nowhere": outside / "gone" / "deep",
        "itself": place,
        "a ring": outside / "ring",
        "a pipe": outside / "pipe",
        "a file by two links": outside / "second",
    }
    place.symlink_to(to[kind])


@contextmanager
def refused_in_one_line(told: list[str]) -> Iterator[None]:
    """Take a refusal of the kind that commands tell."""
    try:
        yield
    except InputError as error:
        told.append(str(error))
    except OSError as error:
        told.append(describe_os_error(error))


def write_sidecars(toy: Path, place: Path, folder: Path, *, overwrite: bool) -> list[str]:
    video = folder / VIDEO
    video.write_bytes(toy.read_bytes())
    kinds = [kind for kind in Kind if place.name.endswith(PLACES[kind](video).name)]
    memory = Cache(folder.parent / "cache")
    writer = Writer(memory, overwrite=overwrite, edl_action=3)
    writer.write(Finding(video, "show", 10.0, (1.0, 9.0), 0.9), kinds, mux=not kinds)
    memory.close()
    return [*writer.written.faults, *map(str, writer.written.kept)]


PLACES = {
    Kind.EDL: edl.path_for,
    Kind.CHAPTERS: chapters.path_for,
    Kind.SEGMENTS: segments.path_for,
    Kind.JSON: labels.path_for,
}


@pytest.mark.promise(
    "Where a link stands in the place of a sidecar, an output, the overrides file or the cache, "
    "what it leads to stays as it is, or it is refused in one line."
)
def test_links_in_the_place_of_what_is_written(attack: Attack, tmp_path: Path) -> None:
    video, toy = Path(VIDEO), tmp_path / "toy.mp4"
    write_toy_video(toy, None, seconds=10)
    sidecars = [*(place(video) for place in PLACES.values()), muxed_place(video)]
    number = 0
    for kind in LINKS:
        for what in ("output", "file", "vectors", "overrides", "cache", *map(str, sidecars)):
            if (what, kind) == ("overrides", "a pipe"):
                continue  # which is waited for, as any program waits for one
            for overwrite in (False, True):
                number += 1
                base = tmp_path / str(number)
                folder, outside = base / "ours", base / "outside"
                folder.mkdir(parents=True)
                place = folder / what
                put_link(place, kind, outside)
                before = files_of(outside)
                told: list[str] = []
                with attack.case((kind, what, overwrite)), refused_in_one_line(told):
                    if what == "output":
                        with output_folder(place) as draft:
                            (draft / "ours").write_text("ours")
                        assert not place.is_symlink()
                        assert (place / "ours").read_text() == "ours"
                    elif what == "file":
                        write_json(place, SEEN)
                        assert not place.is_symlink()
                    elif what == "vectors":
                        write_vectors(place, np.zeros((2, 2), np.float32))
                        assert not place.is_symlink()
                    elif what == "overrides":
                        file = OverridesFile(place, folder / "lock")
                        assert file.put("toy", SEEN, None) is None
                        assert not place.is_symlink()
                        assert set(file.read()) == {"toy", "x"}
                    elif what == "cache":
                        memory = Cache(place)  # which is what it leads to
                        memory.put("kind", "key", 1)
                        memory.close()
                        assert kind == "a folder"
                        (outside / "folder" / "results.sqlite").unlink()
                    else:
                        told += write_sidecars(toy, place, folder, overwrite=overwrite)
                with attack.case((kind, what, overwrite, "afterwards")):
                    assert all(len(one.splitlines()) == 1 and what in one for one in told), told
                    assert files_of(outside) == before
                    left = {path.name for path in folder.iterdir()}
                    assert left <= {what, str(video), "lock"}
                    if what in map(str, sidecars):  # else something of others' is gone
                        assert told or overwrite
                        assert not told or place.is_symlink()


# --- permissions ---


def modes(folder: Path, umask: int) -> list[str]:
    """Return what lies below a folder with other permissions than the umask says."""
    wrong = []
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink():
            usual = 0o777 if path.is_dir() else 0o666
            if path.suffix == ".sqlite":
                usual = 0o644  # SQLite's own
            expected = usual & ~umask
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode != expected:
                wrong.append(f"{path.relative_to(folder)}: {mode:o}, expected {expected:o}")
    return wrong


@contextmanager
def umask_of(umask: int) -> Iterator[None]:
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.promise(
    "All that is written has the permissions that the umask says: sidecars, copies, memory, "
    "overrides, labels and outputs."
)
def test_permissions_of_what_is_written(
    attack: Attack,
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_cheap_encoder(monkeypatch)
    umasks = (0o022, 0o000, 0o077, 0o027, 0o002, 0o007, 0o026)
    for umask in umasks[: attack.size(quick=1, wide=3, full=len(umasks))]:
        base = tmp_path / f"{umask:03o}"
        with attack.case(f"{umask:03o}"), umask_of(umask):
            library = base / "library"
            library.mkdir(parents=True)
            for video in place.videos():
                (library / video.name).write_bytes(video.read_bytes())
            kinds = [word for kind in Kind for word in ("--write", kind.value)]
            words = ["detect", str(library), *kinds, "--mux", "--cache", str(base / "cache")]
            code, _, told = run_command(
                [*words, "--model", str(place.detector)], monkeypatch, capsys
            )
            assert code == 0, told
            assert len(list(library.iterdir())) == (2 + len(Kind)) * len(place.videos())
            write_json(base / "overrides.json", {})
            OverridesFile(base / "overrides.json", base / "lock").put("toy", SEEN, None)
            (base / "lock").unlink(missing_ok=True)  # filelock's own
            with output_folder(base / "made") as folder:
                (folder / "within").mkdir()
                write_vectors(folder / "within" / "vectors.npy", np.zeros((2, 2), np.float32))
            assert modes(base, umask) == []


@pytest.mark.promise(
    "`dvc repro`, up to the registered model, leaves nothing that the umask does not say, nor "
    "anything that everybody may write or run."
)
def test_permissions_of_a_run(attack: Attack, tmp_path: Path, toy_series: Path) -> None:
    umask = 0o027
    with umask_of(umask):
        checkout = make_checkout(tmp_path / "checkout", toy_series)
        first = ("ingest", "annotate", "embed", "fingerprint", "window")
        stages = (*first, "train", "fit", "evaluate", "track")
        for name in stages[: attack.size(quick=1, wide=2, full=len(stages))]:
            with attack.case(name):
                checkout.stage(name)
                for folder in ("data", "models", "reports", "mlartifacts", ".skipintro"):
                    made = checkout.folder / folder
                    assert not [
                        one for one in modes(made, umask) if not is_tracked(checkout, made, one)
                    ]
        for path in checkout.folder.glob("mlflow.db*"):
            with attack.case(path.name):
                assert stat.S_IMODE(path.stat().st_mode) == 0o644 & ~umask  # SQLite's own


def is_tracked(checkout: Checkout, folder: Path, line: str) -> bool:
    """Tell whether a file came with the checkout, by a line of `modes`; a model holds its code."""
    path = folder.relative_to(checkout.folder) / line.partition(": ")[0]
    made, code = checkout.folder / path, (ROOT / "src").rglob(path.name)
    is_copy = made.is_file() and any(made.read_bytes() == file.read_bytes() for file in code)
    return is_copy or (ROOT / path).exists()

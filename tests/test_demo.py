import json
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pydantic import ValidationError

from conftest import ROOT
from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file
from skipintro.core.params import StageParams, load_params
from skipintro.core.processes import is_alive
from skipintro.demo.drawing import Canvas, ease, lettering, stamp
from skipintro.demo.openings import MOTIFS, PALETTES, design, opening
from skipintro.demo.plan import (
    SHOWS,
    EpisodeForm,
    Fault,
    FaultForm,
    Library,
    LibraryForm,
    PictureForm,
    ShotKind,
    plan_library,
)
from skipintro.demo.render import DemoManifest, clock, frames, labels, manifest, render_library
from skipintro.episodes.labels import read_labels
from skipintro.stages.demo import Params as DemoParams
from skipintro.video import decoding
from skipintro.video.opening import VideoError

SEED = 5
LIBRARY = LibraryForm(n_shows=2, n_unseen_shows=1, episodes_per_show=(4, 2))
EPISODE = EpisodeForm(
    length_s=(14, 16),
    opening_s=(3, 3),
    cold_open_s=(2, 3),
    cold_open_share=0.5,
    recap_s=2,
    recap_share=0.3,
    shot_s=(2, 4),
    establishing_s=1,
    closing_s=(2, 2),
    lettering_share=0.5,
)
PICTURE = PictureForm(
    sizes=((64, 36), (80, 60)), rates=("12", "12000/1001"), crf=28, keyframe_interval=12
)
FAULTS = FaultForm(
    late_share=0.5,
    late_by_s=60,
    beyond_repair_by_s=400,
    n_without_intro_per_split=0,
    n_leaked=1,
    damaged_kept_share=0.6,
)
FULL = load_params(DemoParams, "demo", ROOT / "params.yaml")  # which these tests plan, not render


def small_plan(seed: int = SEED) -> Library:
    return plan_library(seed, library=LIBRARY, episode=EPISODE, picture=PICTURE, faults=FAULTS)


def full_plan(seed: int = SEED) -> Library:
    return plan_library(
        seed, library=FULL.library, episode=FULL.episode, picture=FULL.picture, faults=FULL.faults
    )


def render(folder: Path, plan: Library, n_workers: int) -> DemoManifest:
    folder.mkdir(parents=True)
    render_library(
        folder, plan, picture=PICTURE, faults=FAULTS, lettering_share=0.5, n_workers=n_workers
    )
    return manifest(folder, plan, {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "library"


@pytest.fixture(scope="module")
def made(folder: Path) -> DemoManifest:
    return render(folder, small_plan(), n_workers=2)


def hashes(made: DemoManifest) -> list[str]:
    return [record.sha256 for record in made.episodes]


def test_one_seed_gives_the_same_bytes_with_any_number_of_processes(
    made: DemoManifest, tmp_path: Path
) -> None:
    assert hashes(render(tmp_path / "again", small_plan(), n_workers=1)) == hashes(made)


def test_another_seed_gives_other_frames() -> None:
    def first_frames(seed: int) -> list[np.ndarray]:
        plan = small_plan(seed)
        return [next(frames(one, plan.looks[one.show], 0.5)) for one in plan.episodes]

    pairs = zip(first_frames(SEED), first_frames(SEED + 1), strict=True)
    assert not any(np.array_equal(one, other) for one, other in pairs)


def test_every_label_has_its_video_in_a_folder_of_its_name(
    made: DemoManifest, folder: Path
) -> None:
    for split in ("train", "test"):
        content = read_labels(folder / split / "labels.json")
        folders = {path.name for path in (folder / split).iterdir() if path.is_dir()}
        assert set(content) == folders
        assert all((folder / split / name / f"{name}.mp4").is_file() for name in content)


def test_exactly_the_damaged_file_cannot_be_decoded(made: DemoManifest, folder: Path) -> None:
    undecodable = set()
    for record in made.episodes:
        path = folder / record.split / record.id / f"{record.id}.mp4"
        try:
            decoding.inspect(path, truncation_tolerance_s=1.0)
        except VideoError:
            undecodable.add((record.split, record.id))
    assert undecodable == {("train", made.faults[Fault.DAMAGED][0])}


def test_the_manifest_tells_sizes_rates_and_lengths_as_decoding_finds_them(
    made: DemoManifest, folder: Path
) -> None:
    for record in made.episodes:
        if Fault.DAMAGED in record.faults:
            continue
        path = folder / record.split / record.id / f"{record.id}.mp4"
        info = decoding.inspect(path, truncation_tolerance_s=1.0)
        assert (info.width, info.height) == (record.width, record.height)
        assert info.n_frames == record.n_frames
        assert info.fps == pytest.approx(float(Fraction(record.rate)), abs=0.01)
        assert info.duration_s == pytest.approx(record.duration_s, abs=0.01)
        assert info.n_seconds == record.shots[-1].end_s


def test_the_copy_in_test_has_the_same_bytes_and_the_same_label(
    made: DemoManifest, folder: Path
) -> None:
    (name,) = made.faults[Fault.LEAKED]
    places = [folder / split / name / f"{name}.mp4" for split in ("train", "test")]
    assert sha256_of_file(places[0]) == sha256_of_file(places[1])
    train, test = (
        json.loads((folder / split / "labels.json").read_text(encoding="utf-8"))
        for split in ("train", "test")
    )
    assert train[name] == test[name]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_true_intervals_hold_the_opening_that_episodes_of_a_series_share(
    made: DemoManifest, folder: Path
) -> None:
    ours, theirs = [
        (one, list(decoding.pictures(folder / one.split / one.id / f"{one.id}.mp4", 32)))
        for one in {record.id: record for record in made.episodes}.values()
        if one.series == SHOWS[0].name and Fault.DAMAGED not in one.faults
    ][:2]
    (one, seen), (other, also_seen) = ours, theirs
    assert one.start_s is not None
    assert one.end_s is not None
    assert other.start_s is not None
    shift = other.start_s - one.start_s

    def between(k: int) -> float:
        return difference(seen[k], also_seen[k + shift])

    shared = [between(k) for k in range(one.start_s, one.end_s)]
    film = [between(one.end_s + k) for k in range(4)]
    # Sizes, rates and the names of the cast differ, and letters move: alike, not the same.
    assert np.mean(shared) < 0.5 * np.mean(film), (shared, film)


def test_at_odd_rates_the_picture_on_a_full_second_belongs_to_the_shot_that_begins_there() -> None:
    plan = small_plan()
    episode = next(one for one in plan.episodes if one.rate.denominator > 1)
    pictures = list(frames(episode, plan.looks[episode.show], 0.0))
    for before, shot in pairwise(episode.shots):
        on_screen = int(shot.start_s * episode.rate)  # the last frame at or before start_s
        change = difference(pictures[on_screen], pictures[on_screen - 1])
        assert before.end_s == shot.start_s
        assert change > difference(pictures[on_screen - 1], pictures[on_screen - 2])


def test_a_full_library_has_the_size_that_it_should_have() -> None:
    plan = full_plan()
    files = plan.of_split("train") + plan.of_split("test")
    assert 30 <= len(files) <= 40
    assert 1800 <= sum(one.n_seconds for one in files) <= 2000
    assert len({one.id for one in plan.episodes}) == len(plan.episodes)


@pytest.mark.parametrize("seed", range(8))
def test_shots_follow_without_gaps_and_end_with_a_closing_roll(seed: int) -> None:
    for episode in full_plan(seed).episodes:
        assert episode.shots[0].start_s == 0
        assert all(one.end_s == other.start_s for one, other in pairwise(episode.shots))
        assert all(shot.end_s > shot.start_s for shot in episode.shots)
        assert episode.shots[-1].kind is ShotKind.CLOSING
        shortest, longest = FULL.episode.length_s
        assert shortest <= episode.n_seconds <= longest
        film = [one.end_s - one.start_s for one in episode.shots if one.kind is ShotKind.FILM]
        assert min(film) >= 3
        assert max(film) <= 8


def test_some_openings_begin_at_zero_and_some_follow_film_or_a_recap() -> None:
    episodes = full_plan().episodes
    starts = [one.intro[0] for one in episodes if one.intro]
    assert 0 in starts
    assert max(starts) > 0
    assert any(one.shots[0].kind is ShotKind.RECAP for one in episodes)


def test_a_recap_shows_scenes_of_the_episode_before() -> None:
    plan = full_plan()
    planned = {(one.show, one.number): one for one in plan.episodes}
    for episode in plan.episodes:
        for shot in episode.shots:
            if shot.kind is ShotKind.RECAP:
                before = planned[episode.show, episode.number - 1]
                assert shot.entropy in [one.entropy for one in before.shots]


def test_one_establishing_shot_comes_back_in_every_episode_of_a_series() -> None:
    found: dict[int, list[tuple[int, ...]]] = {}
    for episode in full_plan().episodes:
        shots = [one for one in episode.shots if one.kind is ShotKind.ESTABLISHING]
        found.setdefault(episode.show, []).extend(one.entropy for one in shots)
    assert all(len(set(entropies)) == 1 for entropies in found.values())
    assert [len(entropies) for _, entropies in sorted(found.items())] == [4, 5] * 4


def test_the_last_series_stand_in_test_alone_and_the_others_end_there() -> None:
    plan = full_plan()
    assert {one.show for one in plan.episodes if one.split == "train"} == set(range(6))
    unseen = [one for one in plan.episodes if one.show >= 6]
    assert all(one.split == "test" for one in unseen)
    held_out = [one for one in plan.episodes if one.show < 6 and one.split == "test"]
    assert [one.number for one in held_out] == [4, 5] * 3


@pytest.mark.parametrize("seed", range(8))
def test_labels_have_the_promised_faults(seed: int) -> None:
    plan = full_plan(seed)
    count = {fault: [one for one in plan.episodes if fault in one.faults] for fault in Fault}
    with_intro = [one for one in plan.episodes if one.intro]
    bare = [one.split for one in plan.episodes if not one.intro]
    assert sorted(bare) == ["test", "train"]
    assert len(count[Fault.LATE]) == pytest.approx(len(with_intro) / 4, abs=1)
    assert {one.split for one in count[Fault.LATE]} == {"train", "test"}
    assert [one.split for one in count[Fault.LEAKED]] == ["train"] * 3
    for fault in (Fault.DAMAGED, Fault.BEYOND_REPAIR):
        (episode,) = count[fault]
        assert episode.split == "train"
        assert episode.intro
        assert episode.faults == (fault,)


def test_a_late_start_lies_after_the_end_and_one_label_no_shift_repairs(tmp_path: Path) -> None:
    plan = full_plan()
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(labels(list(plan.episodes), FULL.faults)), encoding="utf-8")
    read = read_labels(path)
    for episode in plan.episodes:
        label = read[episode.id]
        if episode.intro is None:
            assert (label.start_s, label.end_s) == (None, None)
            continue
        assert label.start_s is not None
        assert label.end_s == episode.intro[1]
        if Fault.LATE in episode.faults:
            assert label.start_s == episode.intro[0] + 60 > label.end_s
        elif Fault.BEYOND_REPAIR in episode.faults:
            assert label.start_s - 60 > label.end_s
        else:
            assert label.start_s == episode.intro[0]


def test_ids_hold_spaces_a_quote_cyrillic_letters_and_an_emoji_but_most_are_plain() -> None:
    ids = [one.id for one in full_plan().episodes]
    text = "".join(ids)
    assert all(mark in text for mark in (" ", "'", "ветер", "🌙"))
    plain = [name for name in ids if name.isascii() and name.replace("-", "").isalnum()]
    assert len(plain) > len(ids) * 0.8


def test_times_are_written_with_hours_or_without() -> None:
    assert clock(3671, short=False) == "1:01:11"
    assert clock(8, short=False) == "0:00:08"
    assert clock(461, short=True) == "07:41"
    assert clock(None, short=True) is None
    starts = [label["start"] for label in labels(list(full_plan().episodes), FULL.faults).values()]
    assert {text.count(":") for text in starts if text} == {1, 2}


def test_too_few_episodes_for_the_faults_are_refused_with_the_numbers() -> None:
    with pytest.raises(InputError, match=r"2 train and 1 test episodes .* need 3 and 0"):
        plan_library(
            SEED,
            library=LibraryForm(n_shows=1, n_unseen_shows=0, episodes_per_show=(3,)),
            episode=EPISODE,
            picture=PICTURE,
            faults=FAULTS,
        )


@pytest.mark.parametrize(
    ("form", "change", "fault"),
    [
        (EPISODE, {"opening_s": (5, 3)}, "shortest comes first"),
        (EPISODE, {"length_s": (8, 16)}, "no room"),
        (EPISODE, {"shot_s": (4, 5)}, "twice the shortest"),
        (PICTURE, {"sizes": ((63, 36),)}, "even"),
        (PICTURE, {"rates": ("25/0",)}, "no frame rate"),
        (PICTURE, {"rates": ("fast",)}, "Fraction"),
        (PICTURE, {"rates": ("1/2",)}, "at least one frame"),
    ],
)
def test_impossible_settings_are_refused(
    form: StageParams, change: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValidationError, match=fault):
        type(form).model_validate({**form.model_dump(), **change})


@pytest.mark.parametrize("motif", range(len(MOTIFS)))
def test_every_opening_moves_and_carries_other_names_in_other_episodes(motif: int) -> None:
    canvas = Canvas(96, 54)
    style = design("Test", motif, motif % len(PALETTES), (1, motif))
    scene = opening(canvas, style, ("ANNA VALE", "JUN RUIZ"), 4.0)
    other = opening(canvas, style, ("OSKAR MOREAU", "WREN TANAKA"), 4.0)
    changes = [difference(scene(t), scene(t + 0.5)) for t in (0.0, 1.0, 2.0, 3.0)]
    assert min(changes) > 1
    assert np.array_equal(scene(0.0), other(0.0))
    assert not np.array_equal(scene(1.0), other(1.0))


def test_a_stamp_that_sticks_out_is_cut_at_the_edges() -> None:
    picture = Canvas(20, 10).blank((0, 0, 0))
    mask = np.full((6, 6), 255, np.uint8)
    stamp(picture, mask, (-1.0, -0.5), (255, 255, 255))
    assert np.argwhere(picture[:, :, 0]).tolist() == [[y, x] for y in range(3) for x in range(3)]
    stamp(picture, mask, (5, 5), (9, 9, 9))
    assert int(picture.max()) == 255
    assert int((picture > 0).sum()) == 27


def test_lettering_is_as_high_as_asked_and_empty_for_blanks() -> None:
    canvas = Canvas(320, 180)
    assert lettering(canvas, "HIH", 0.1, 0).shape[0] == 18
    assert lettering(canvas, " ", 0.1, 0).shape == (1, 1)


def test_progress_eases_from_zero_to_one() -> None:
    assert [ease(value) for value in (-1, 0, 0.5, 1, 2)] == [0, 0, 0.5, 1, 1]


POOL = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from skipintro.demo.render import _begin_worker

if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, spawn, initializer=_begin_worker)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 300).result()
"""


def test_what_renders_ends_with_the_process_that_wants_the_files(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL, encoding="utf-8")
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.communicate()
    psutil.wait_procs([worker], timeout=30)
    assert not is_alive(worker.pid)

import json
import math
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
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
    Episode,
    EpisodeForm,
    Fault,
    FaultForm,
    Levels,
    Library,
    LibraryForm,
    PictureForm,
    Shot,
    ShotKind,
    SoundForm,
    plan_library,
)
from skipintro.demo.render import (
    DemoManifest,
    clock,
    draw,
    frames,
    labels,
    manifest,
    render_library,
    soundtrack,
    video_path,
)
from skipintro.demo.sound import at_level, faded, murmur, music, surroundings
from skipintro.detectors import SHIPPED
from skipintro.detectors.openings import load_openings
from skipintro.episodes.annotations import annotate
from skipintro.episodes.labels import read_labels
from skipintro.evidence.pictures import THUMBNAIL
from skipintro.evidence.sound import band_energies, sound_track
from skipintro.stages.annotate import Params as AnnotateParams
from skipintro.stages.demo import Params as DemoParams
from skipintro.video import decoding
from skipintro.video import sound as decoded_sound
from skipintro.video.container import VideoError

SEED = 5
LIBRARY = LibraryForm(n_shows=2, n_unseen_shows=1, episodes_per_show=(4, 2))
EPISODE = EpisodeForm(
    steps_a_s=25,
    length_s=(15, 17),
    opening_s=(3, 4),
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
SOUND = SoundForm(
    rate_hz=16000,
    bit_rate=24000,
    fade_s=0.2,
    voices_share=1.0,
    scene_music_share=0.3,
    closing_with_title_share=0.5,
    n_silent_openings=0,
    n_without_sound=1,
    level_db=Levels(music=-20, voices=-22, surroundings=-38, scene_music=-30),
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


def small_plan(
    seed: int = SEED, *, episode: EpisodeForm = EPISODE, sound: SoundForm = SOUND
) -> Library:
    return plan_library(
        seed, library=LIBRARY, episode=episode, picture=PICTURE, sound=sound, faults=FAULTS
    )


def full_plan(seed: int = SEED) -> Library:
    return plan_library(
        seed,
        library=FULL.library,
        episode=FULL.episode,
        picture=FULL.picture,
        sound=FULL.sound,
        faults=FULL.faults,
    )


def render(folder: Path, plan: Library, n_workers: int) -> DemoManifest:
    folder.mkdir(parents=True)
    render_library(
        folder,
        plan,
        picture=PICTURE,
        sound=SOUND,
        faults=FAULTS,
        lettering_share=0.5,
        n_workers=n_workers,
    )
    return manifest(folder, plan, "portable", {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "library"


@pytest.fixture(scope="module")
def made(folder: Path) -> DemoManifest:
    return render(folder, small_plan(), n_workers=2)


def hashes(made: DemoManifest) -> list[str]:
    return [record.sha256 for record in made.episodes]


def test_one_seed_gives_the_same_bytes_with_any_number_of_processes_and_kernels_of_opencv(
    made: DemoManifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes that render read these: as if the processor had no AVX2 and were not Intel."""
    monkeypatch.setenv("OPENCV_CPU_DISABLE", "AVX2")
    monkeypatch.setenv("OPENCV_IPP", "disabled")
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
        assert info.n_seconds == math.ceil(record.shots[-1].end_s)


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
    steps_a_s = EPISODE.steps_a_s
    (one, seen), (other, also_seen) = [
        (one, list(decoding.grey_thumbnails(path, THUMBNAIL, steps_a_s)))
        for one in {record.id: record for record in made.episodes}.values()
        if one.series == SHOWS[0].name and Fault.DAMAGED not in one.faults
        for path in [folder / one.split / one.id / f"{one.id}.mp4"]
    ][:2]
    assert one.start_s is not None
    assert one.end_s is not None
    assert other.start_s is not None
    begin, end, also_begin = (
        round(at_s * steps_a_s) for at_s in (one.start_s, one.end_s, other.start_s)
    )
    shift, margin = also_begin - begin, steps_a_s // 5  # a frame and a half: frames begin later

    def between(k: int) -> float:
        return difference(seen[k], also_seen[k + shift])

    shared = [between(k) for k in range(begin + margin, end - margin)]
    film = [between(end + k) for k in range(margin, 4 * steps_a_s)]
    assert len(shared) > 2 * steps_a_s
    # Sizes, stretched to one form, rates and the names of the cast differ: alike, not the same.
    assert np.mean(shared) < 0.6 * np.mean(film), (np.mean(shared), np.mean(film))


@pytest.mark.parametrize("steps_a_s", [1, 25])
def test_the_picture_on_a_full_second_belongs_to_the_shot_that_goes_on_then(steps_a_s: int) -> None:
    plan = small_plan(episode=EPISODE.model_copy(update={"steps_a_s": steps_a_s}))
    for episode in plan.episodes:
        look, canvas = plan.looks[episode.show], Canvas(*episode.size)
        pictures = list(frames(episode, look, 0.0))
        for second in range(episode.n_seconds):
            index = int(second * episode.rate)  # the last frame at or before that second
            shot = next(one for one in episode.shots if one.start_s <= second < one.end_s)
            since_s = max(0.0, float(index / episode.rate - shot.start_s))
            assert np.array_equal(pictures[index], draw(canvas, look, shot, 0.0)(since_s)), second


def shots_of(episode: Episode, kind: ShotKind) -> list[Shot]:
    return [shot for shot in episode.shots if shot.kind is kind]


@pytest.mark.parametrize("seed", range(8))
def test_openings_begin_and_end_between_full_seconds_and_are_as_long_in_every_episode(
    seed: int,
) -> None:
    plan = full_plan(seed)
    lengths: dict[int, set[Fraction]] = {}
    at_full_second = []
    for episode in plan.episodes:
        if episode.intro:
            start_s, end_s = episode.intro
            lengths.setdefault(episode.show, set()).add(end_s - start_s)
            at_full_second += [at_s for at_s in (start_s, end_s) if at_s and at_s % 1 == 0]
    assert [len(each) for each in lengths.values()] == [1] * 8
    assert all(length % 1 for (length,) in lengths.values())
    assert len(at_full_second) <= 6  # of some 55 that are not at 0; one step in 25 is a full second


@pytest.mark.parametrize("seed", range(8))
def test_some_recaps_and_cold_opens_are_no_whole_number_of_seconds(seed: int) -> None:
    shots = [shot for episode in full_plan(seed).episodes for shot in episode.shots]
    for kind in (ShotKind.RECAP, ShotKind.FILM, ShotKind.CLOSING):
        lengths = [shot.end_s - shot.start_s for shot in shots if shot.kind is kind]
        assert sum(length % 1 != 0 for length in lengths) > 0.5 * len(lengths), kind


Samples = np.ndarray[Any, np.dtype[np.float32]]
FINGERPRINT = load_openings(SHIPPED).config.fingerprint.sound


def with_sound(made: DemoManifest) -> list[Any]:
    """Return the records of files that are whole and have sound, one an episode."""
    return [
        record
        for record in {record.id: record for record in made.episodes}.values()
        if record.has_sound and Fault.DAMAGED not in record.faults
    ]


def heard_in(path: Path) -> Samples:
    return np.concatenate(list(decoded_sound.samples(path, SOUND.rate_hz)))


def heard(folder: Path, record: Any) -> Samples:
    return heard_in(folder / record.split / record.id / f"{record.id}.mp4")


def alike(ours: Samples, at_s: float, theirs: Samples, also_at_s: float, length_s: float) -> float:
    """Return the mean cosine of the fingerprints of two stretches, and of what lies around them."""
    tracks = []
    for samples, start_s in ((ours, at_s), (theirs, also_at_s)):
        cut = samples[round(start_s * SOUND.rate_hz) :][: round(length_s * SOUND.rate_hz)]
        energies = band_energies([cut], FINGERPRINT)
        tracks.append(sound_track(energies, len(energies), FINGERPRINT).rows)
    n = min(map(len, tracks))
    return float(np.mean(np.einsum("nd,nd->n", tracks[0][:n], tracks[1][:n])))


def test_every_episode_that_is_to_be_heard_has_sound_as_long_as_its_pictures_from_zero_on(
    made: DemoManifest, folder: Path
) -> None:
    assert len(made.without_sound) == 1
    for record in made.episodes:
        if Fault.DAMAGED in record.faults:
            continue
        with av.open(str(folder / record.split / record.id / f"{record.id}.mp4")) as container:
            kinds = [stream.type for stream in container.streams]
            assert kinds == (["video", "audio"] if record.has_sound else ["video"]), record.id
            assert record.has_sound == (record.id not in made.without_sound)
            for stream in container.streams:
                assert stream.time_base is not None
                assert stream.duration is not None
                assert stream.start_time == 0
                length_s = float(stream.duration * stream.time_base)
                assert length_s == pytest.approx(record.duration_s, abs=0.002)


def test_what_is_decoded_is_what_was_drawn_at_its_place(made: DemoManifest, folder: Path) -> None:
    record = with_sound(made)[0]
    (episode,) = (one for one in small_plan().episodes if one.id == record.id)
    drawn = soundtrack(episode, SOUND)
    found = heard_in(video_path(folder, record.split, episode))
    assert len(found) == pytest.approx(len(drawn), abs=1024)  # a frame of AAC is decoded whole
    assert np.corrcoef(drawn, found[: len(drawn)])[0, 1] > 0.9


def test_title_music_is_alike_in_a_series_and_not_in_two(made: DemoManifest, folder: Path) -> None:
    records = with_sound(made)
    series = [[one for one in records if one.series == SHOWS[show].name] for show in range(2)]
    length_s = min(one.end_s - one.start_s for one in records)
    sounds = {one.id: heard(folder, one) for one in records}

    def title_alike(one: Any, other: Any) -> float:
        return alike(sounds[one.id], one.start_s, sounds[other.id], other.start_s, length_s)

    assert min(len(ours) for ours in series) >= 1
    within = [title_alike(one, other) for ours in series for one, other in pairwise(ours)]
    between = [title_alike(one, other) for one in series[0] for other in series[1]]
    assert within
    assert min(within) > 0.9
    assert max(between) < 0.5


def test_the_film_of_two_episodes_of_a_series_sounds_different(
    made: DemoManifest, folder: Path
) -> None:
    records = [one for one in with_sound(made) if one.series == SHOWS[0].name]
    sounds = {one.id: heard(folder, one) for one in records}
    for one, other in pairwise(records):
        cosine = alike(sounds[one.id], one.end_s, sounds[other.id], other.end_s, 4.0)
        assert abs(cosine) < 0.5


def test_a_recap_sounds_like_the_scenes_that_it_shows() -> None:
    plan = full_plan()
    planned = {(one.show, one.number): one for one in plan.episodes}
    episode = next(one for one in plan.episodes if shots_of(one, ShotKind.RECAP))
    before = planned[episode.show, episode.number - 1]
    now, then = (soundtrack(one, FULL.sound) for one in (episode, before))
    edge, rate = FULL.sound.rate_hz // 50, FULL.sound.rate_hz
    for shot in shots_of(episode, ShotKind.RECAP):
        (source,) = (one for one in before.shots if one.entropy == shot.entropy)
        n_samples = round((shot.end_s - shot.start_s) * rate) - 2 * edge
        first, origin = (round(at.start_s * rate) + edge for at in (shot, source))
        assert n_samples > rate
        assert np.array_equal(now[first:][:n_samples], then[origin:][:n_samples])
        assert np.any(now[first:][:n_samples])


def test_under_some_openings_there_is_silence() -> None:
    plan = small_plan(sound=SOUND.model_copy(update={"n_silent_openings": 1}))
    silent = [look.title_music is None for look in plan.looks]
    assert sorted(silent) == [False, True]
    for show in range(2):
        episode = next(one for one in plan.episodes if one.show == show)
        assert episode.intro
        first, last = (round(at_s * SOUND.rate_hz) for at_s in episode.intro)
        assert np.any(soundtrack(episode, SOUND)[first:last]) != silent[show]


def test_closing_rolls_have_music_of_some_series_that_of_the_opening() -> None:
    plan = full_plan()
    returning = [look.closing_music == look.title_music for look in plan.looks]
    assert 0 < sum(returning) < len(returning)
    for episode in plan.episodes:
        (closing,) = shots_of(episode, ShotKind.CLOSING)
        assert closing.heard.music == plan.looks[episode.show].closing_music


def test_title_music_rises_from_silence_and_sinks_back_into_it() -> None:
    episode = next(one for one in small_plan().episodes if one.intro)
    assert episode.intro
    first, last = (round(at_s * SOUND.rate_hz) for at_s in episode.intro)
    title = np.abs(soundtrack(episode, SOUND)[first:last])
    n = round(SOUND.fade_s * SOUND.rate_hz / 20)
    assert max(title[:n].max(), title[-n:].max()) < 0.1 * title.max()


@pytest.mark.parametrize("kind", [music, murmur, surroundings])
def test_every_kind_of_sound_is_the_same_for_one_generator_and_other_for_another(kind: Any) -> None:
    one, same, other = (kind(np.random.default_rng(seed), 16001, 16000) for seed in (1, 1, 2))
    assert one.shape == (16001,)
    assert one.dtype == np.float32
    assert np.array_equal(one, same)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.3


def test_a_longer_piece_of_music_begins_like_a_shorter_one() -> None:
    short, long = (music(np.random.default_rng(3), n, 16000) for n in (20_000, 90_000))
    assert np.array_equal(short, long[:20_000])


def test_levels_and_fades_are_what_they_are_called() -> None:
    ones = np.ones(100, np.float32)
    assert at_level(ones, -20) == pytest.approx(0.1 * ones)
    assert not at_level(np.zeros(5, np.float32), -20).any()
    assert at_level(np.zeros(0, np.float32), -20).size == 0
    assert faded(ones, 2)[[0, 1, 2, -3, -2, -1]].tolist() == [0, 0.5, 1, 1, 0.5, 0]
    assert faded(np.ones(3, np.float32), 50).tolist() == [0, 1, 0]
    assert faded(ones, 0).tolist() == ones.tolist()


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
        start_s, end_s = map(float, episode.intro)
        assert label.end_s == pytest.approx(end_s, abs=1e-9)
        if Fault.LATE in episode.faults:
            assert label.start_s == pytest.approx(start_s + 60, abs=1e-9)
            assert label.start_s > end_s
        elif Fault.BEYOND_REPAIR in episode.faults:
            assert label.start_s - 60 > end_s
        else:
            assert label.start_s == pytest.approx(start_s, abs=1e-9)


def test_the_correction_of_labels_finds_every_true_interval_but_the_one_beyond_repair(
    tmp_path: Path,
) -> None:
    plan = full_plan()
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(labels(list(plan.episodes), FULL.faults)), encoding="utf-8")
    rule = load_params(AnnotateParams, "annotate", ROOT / "params.yaml").rule()
    read = read_labels(path)
    for episode in plan.episodes:
        found = annotate(episode.split, episode.id, read[episode.id], rule)
        assert found.usable == (Fault.BEYOND_REPAIR not in episode.faults)
        if found.usable and episode.intro:
            true = pytest.approx(tuple(map(float, episode.intro)), abs=1e-9)
            assert (found.start_s, found.end_s) == true


def test_ids_hold_spaces_a_quote_cyrillic_letters_and_an_emoji_but_most_are_plain() -> None:
    ids = [one.id for one in full_plan().episodes]
    text = "".join(ids)
    assert all(mark in text for mark in (" ", "'", "ветер", "🌙"))
    plain = [name for name in ids if name.isascii() and name.replace("-", "").isalnum()]
    assert len(plain) > len(ids) * 0.8


def test_times_are_written_with_hours_or_without() -> None:
    assert clock(Fraction(3671), short=False) == "1:01:11"
    assert clock(Fraction(8), short=False) == "0:00:08"
    assert clock(Fraction(461), short=True) == "07:41"
    assert clock(Fraction(8) + Fraction(1, 25), short=False) == "0:00:08.04"
    assert clock(Fraction(135, 2), short=True) == "01:07.5"
    assert clock(Fraction(119_999, 1000), short=True) == "01:59.999"
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
            sound=SOUND,
            faults=FAULTS,
        )


@pytest.mark.parametrize("key", ["n_without_sound", "n_silent_openings"])
def test_more_without_sound_than_there_are_is_refused_with_the_numbers(key: str) -> None:
    with pytest.raises(InputError, match=rf"demo\.sound\.{key}: 9 is more than the \d "):
        small_plan(sound=SOUND.model_copy(update={key: 9}))


def test_an_episode_without_sound_has_an_intro_and_no_fault() -> None:
    for seed in range(8):
        (episode,) = (one for one in full_plan(seed).episodes if not one.has_sound)
        assert episode.intro
        assert episode.faults == ()


@pytest.mark.parametrize(
    ("form", "change", "fault"),
    [
        (EPISODE, {"opening_s": (5, 3)}, "shortest comes first"),
        (EPISODE, {"length_s": (8, 16)}, "no room"),
        (EPISODE, {"shot_s": (4, 5)}, "twice the shortest"),
        (EPISODE, {"steps_a_s": 7}, "whole number of milliseconds"),
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

"""Renders a planned library of invented series, and writes its labels with their faults.

Writes `<split>/labels.json` and `<split>/<id>/<id>.mp4`. The bytes depend on the plan alone, not on
the processor (in portable arithmetic) or on the number of processes that render it.
"""

import math
import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from skipintro.core.arithmetic import Arithmetic
from skipintro.core.files import sha256_of_file, write_json
from skipintro.core.progress import Unit, progress
from skipintro.demo import openings, scenes, sound
from skipintro.demo.drawing import Canvas, Picture, Scene
from skipintro.demo.plan import (
    SHOWS,
    SPLITS,
    TEST,
    Episode,
    Fault,
    FaultForm,
    Heard,
    Library,
    Look,
    PictureForm,
    Shot,
    ShotKind,
    SoundForm,
)
from skipintro.demo.sound import Samples
from skipintro.video.encoding import Soundtrack, encode_h264

_FIRST_NAMES = ("Anna", "Jun", "Marta", "Idris", "Leonie", "Tomas", "Priya", "Oskar", "Wren")
_LAST_NAMES = ("Kestrel", "Okafor", "Lindqvist", "Moreau", "Tanaka", "Vale", "Brandt", "Ruiz")
_N_CLOSING_NAMES = 9
_EDGE_S = 0.01  # over which each scene's sound rises and sinks, so that no cut clicks
_SHORT_CLOCK_EVERY, _URL_EVERY = 4, 3  # labels written by several hands differ in form


class ShotRecord(BaseModel):
    """What an episode shows in `[start_s, end_s)`."""

    model_config = ConfigDict(extra="forbid")

    kind: ShotKind
    start_s: float
    end_s: float


class EpisodeRecord(BaseModel):
    """What was made of one episode; `start_s` and `end_s` are the truth, whatever the label says.

    The duration is that of the whole episode, in a damaged file, too; `n_bytes` and `sha256`
    are those of the file as it stands.
    """

    model_config = ConfigDict(extra="forbid")

    split: str
    id: str
    series: str
    start_s: float | None
    end_s: float | None
    duration_s: float
    has_sound: bool
    width: int
    height: int
    rate: str
    n_frames: int
    faults: list[Fault]
    n_bytes: int
    sha256: str
    shots: list[ShotRecord]


class DemoManifest(BaseModel):
    """The truth about a rendered library: every file, the copies in test included."""

    model_config = ConfigDict(extra="forbid")

    n_files: int
    duration_s: float
    without_intro: list[str]
    without_sound: list[str]
    silent_openings: list[str]  # series
    faults: dict[Fault, list[str]]
    episodes: list[EpisodeRecord]
    arithmetic: Arithmetic
    versions: dict[str, str]


@dataclass(frozen=True)
class _Job:
    """All that a process needs to render one file."""

    path: Path
    episode: Episode
    look: Look
    picture: PictureForm
    sound: SoundForm
    lettering_share: float


def render_library(
    folder: Path,
    library: Library,
    *,
    picture: PictureForm,
    sound: SoundForm,
    faults: FaultForm,
    lettering_share: float,
    n_workers: int,
) -> None:
    """Fill `folder` with the source layout: every video, then the damage, copies and labels."""
    jobs = []
    for episode in library.episodes:
        path = video_path(folder, episode.split, episode)
        path.parent.mkdir(parents=True)
        look = library.looks[episode.show]
        jobs.append(_Job(path, episode, look, picture, sound, lettering_share))
    _run(jobs, n_workers)
    for episode in library.episodes:
        made = video_path(folder, episode.split, episode)
        if Fault.DAMAGED in episode.faults:
            damage(made, faults.damaged_kept_share)
        if Fault.LEAKED in episode.faults:
            copy = video_path(folder, TEST, episode)
            copy.parent.mkdir(parents=True)
            shutil.copyfile(made, copy)
    for split in SPLITS:
        write_json(folder / split / "labels.json", labels(library.of_split(split), faults))


def video_path(folder: Path, split: str, episode: Episode) -> Path:
    """Return the place of an episode's video."""
    return folder / split / episode.id / f"{episode.id}.mp4"


def damage(path: Path, kept_share: float) -> None:
    """Cut a file's end off; an MP4 whose index stood there cannot be opened any more."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(round(size * kept_share))


def labels(episodes: list[Episode], faults: FaultForm) -> dict[str, dict[str, str | None]]:
    """Return the content of a label file, with the planned faults."""
    content: dict[str, dict[str, str | None]] = {}
    for episode in episodes:
        start_s, end_s = labelled_times(episode, faults)
        turn = episode.show + episode.number
        short = turn % _SHORT_CLOCK_EVERY == 0
        label = {
            "name": episode.name,
            "start": clock(start_s, short=short),
            "end": clock(end_s, short=short),
            "series": SHOWS[episode.show].name,
        }
        if turn % _URL_EVERY == 0:
            show = SHOWS[episode.show].slug
            label["url"] = f"https://video.example/{show}/season-1/{episode.number}"
        content[episode.id] = label
    return content


def labelled_times(episode: Episode, faults: FaultForm) -> tuple[Fraction | None, Fraction | None]:
    """Return start and end, in seconds, as the label says."""
    if episode.intro is None:
        return None, None
    start_s, end_s = episode.intro
    if Fault.LATE in episode.faults:
        start_s += faults.late_by_s
    if Fault.BEYOND_REPAIR in episode.faults:
        start_s = end_s + faults.beyond_repair_by_s
    return start_s, end_s


def clock(seconds: Fraction | None, *, short: bool) -> str | None:
    """Write seconds as `H:MM:SS`, or as `MM:SS`, with milliseconds as far as needed; None stays."""
    if seconds is None:
        return None
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    fraction = f".{thousandths:03d}".rstrip("0").rstrip(".")
    if short:
        return f"{whole // 60:02d}:{whole % 60:02d}{fraction}"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}{fraction}"


def frames(episode: Episode, look: Look, lettering_share: float) -> Iterator[Picture]:
    """Yield an episode's frames, uint8 (height, width, 3).

    A shot begins with the first frame that appears at its `start_s` or after it; or, where a full
    second comes before that frame, with the frame on screen at that second. So what is on screen
    at a full second is the shot that goes on then.
    """
    canvas = Canvas(*episode.size)
    for shot in episode.shots:
        scene = draw(canvas, look, shot, lettering_share)
        for index in _frame_range(episode, shot):
            yield scene(max(0.0, float(index / episode.rate - shot.start_s)))


def draw(canvas: Canvas, look: Look, shot: Shot, lettering_share: float) -> Scene:
    """Return the scene of a shot."""
    length_s = float(shot.end_s - shot.start_s)
    match shot.kind:
        case ShotKind.OPENING:
            first, second = _names(shot.entropy, 2)
            names = (first.upper(), second.upper())
            return openings.opening(canvas, look.design, names, length_s)
        case ShotKind.CLOSING:
            names_below = _names(shot.entropy, _N_CLOSING_NAMES)
            return scenes.closing_roll(canvas, names_below, shot.entropy, length_s)
        case ShotKind.RECAP:
            shown = scenes.film(canvas, look.moods, shot.entropy, lettering_share)
            return scenes.recap(canvas, shown, look.design.title)
        case ShotKind.FILM | ShotKind.ESTABLISHING:
            return scenes.film(canvas, look.moods, shot.entropy, lettering_share)


def soundtrack(episode: Episode, form: SoundForm) -> Samples:
    """Return an episode's sound, float32 (n,) in [-1, 1], as long as its frames."""
    n_samples = round(_n_frames(episode) / episode.rate * form.rate_hz)
    track = np.zeros(n_samples, np.float32)
    for shot in episode.shots:
        first, last = (round(at_s * form.rate_hz) for at_s in (shot.start_s, shot.end_s))
        room = track[first:last]
        heard = hear(shot.heard, form)[: len(room)]
        room[: len(heard)] = sound.faded(heard, round(_EDGE_S * form.rate_hz))
    return track.clip(-1, 1)


def hear(heard: Heard, form: SoundForm) -> Samples:
    """Return the sound of a scene, float32 (n,)."""
    n_samples, rate = round(heard.length_s * form.rate_hz), form.rate_hz
    total = np.zeros(n_samples, np.float32)
    levels = form.level_db
    for entropy, draw_sound, level_db in (
        (heard.music, sound.music, levels.music),
        (heard.voices, sound.murmur, levels.voices),
        (heard.surroundings, sound.surroundings, levels.surroundings),
        (heard.scene_music, sound.music, levels.scene_music),
    ):
        if entropy is not None:
            drawn = draw_sound(np.random.default_rng(entropy), n_samples, rate)
            total += sound.at_level(drawn, level_db)
    if heard.music is not None:
        total = sound.faded(total, round(form.fade_s * rate))
    return total


def manifest(
    folder: Path, library: Library, arithmetic: Arithmetic, versions: dict[str, str]
) -> DemoManifest:
    """Describe a rendered library."""
    records = [
        _record(folder, split, episode) for split in SPLITS for episode in library.of_split(split)
    ]
    return DemoManifest(
        n_files=len(records),
        duration_s=round(sum(record.duration_s for record in records), 3),
        without_intro=[episode.id for episode in library.episodes if episode.intro is None],
        without_sound=[episode.id for episode in library.episodes if not episode.has_sound],
        silent_openings=[
            SHOWS[show].name for show, look in enumerate(library.looks) if look.title_music is None
        ],
        faults={
            fault: [episode.id for episode in library.episodes if fault in episode.faults]
            for fault in Fault
        },
        episodes=records,
        arithmetic=arithmetic,
        versions=versions,
    )


def _record(folder: Path, split: str, episode: Episode) -> EpisodeRecord:
    path = video_path(folder, split, episode)
    start_s, end_s = map(float, episode.intro) if episode.intro else (None, None)
    n_frames = _n_frames(episode)
    return EpisodeRecord(
        split=split,
        id=episode.id,
        series=SHOWS[episode.show].name,
        start_s=start_s,
        end_s=end_s,
        duration_s=round(float(n_frames / episode.rate), 3),
        has_sound=episode.has_sound,
        width=episode.size[0],
        height=episode.size[1],
        rate=str(episode.rate),
        n_frames=n_frames,
        faults=list(episode.faults),
        n_bytes=path.stat().st_size,
        sha256=sha256_of_file(path),
        shots=[
            ShotRecord(kind=shot.kind, start_s=float(shot.start_s), end_s=float(shot.end_s))
            for shot in episode.shots
        ],
    )


def _frame_range(episode: Episode, shot: Shot) -> range:
    return range(_first_frame(episode, shot.start_s), _first_frame(episode, shot.end_s))


def _n_frames(episode: Episode) -> int:
    return _first_frame(episode, episode.shots[-1].end_s)


def _first_frame(episode: Episode, start_s: Fraction) -> int:
    on_screen_at_second = int(math.ceil(start_s) * episode.rate)
    return min(math.ceil(start_s * episode.rate), on_screen_at_second)


def _names(entropy: tuple[int, ...], number: int) -> tuple[str, ...]:
    rng = np.random.default_rng(entropy)
    picked = rng.choice(len(_FIRST_NAMES) * len(_LAST_NAMES), number, replace=False)
    pairs = (divmod(int(index), len(_LAST_NAMES)) for index in picked)
    return tuple(f"{_FIRST_NAMES[first]} {_LAST_NAMES[last]}" for first, last in pairs)


def _run(jobs: list[_Job], n_workers: int) -> None:
    """Render in fresh processes: OpenCV's threads do not survive a fork."""
    pool = ProcessPoolExecutor(
        n_workers,
        multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
    )
    try:
        running = [pool.submit(_render, job) for job in jobs]
        for future in progress(as_completed(running), len(jobs), Unit.EPISODES):
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Draw as all machines do; end with the process that needs the files, even if it is killed."""
    cv2.setNumThreads(1)
    cv2.setUseOptimized(False)  # its kernels for some processors, which round in other ways
    cv2.ipp.setUseIPP(False)  # Intel's, for Intel's
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _render(job: _Job) -> None:
    heard: Soundtrack | None = None
    if job.episode.has_sound:
        samples = soundtrack(job.episode, job.sound)
        heard = Soundtrack(samples, job.sound.rate_hz, job.sound.bit_rate)
    encode_h264(
        job.path,
        frames(job.episode, job.look, job.lettering_share),
        job.episode.rate,
        crf=job.picture.crf,
        keyframe_interval=job.picture.keyframe_interval,
        sound=heard,
    )

"""Takes the source folder in: every video decoded once, described, and put under DVC.

Reads   the folder `ingest.source` (see the README for its layout)
Writes  data/ingest/manifest.json, data/ingest/<split>/labels.json and, in mode `copy`,
        data/ingest/<split>/<id>.<ext>: a folder an episode would cost DVC a walk each, each time
"""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from skipintro.core.cache_dir import cache_dir, code_hash
from skipintro.core.errors import InputError
from skipintro.core.files import read_checked, sha256_of_file, write_checked, write_json, write_sums
from skipintro.core.isolation import thread_map
from skipintro.core.params import StageParams
from skipintro.core.progress import Unit, progress
from skipintro.core.stage import run_stage, stage_output
from skipintro.core.versions import versions
from skipintro.episodes.catalog import IngestedEpisode, IngestManifest, find_videos, leaked_ids
from skipintro.episodes.labels import read_labels
from skipintro.stages import words
from skipintro.video.container import PassingVideoError, VideoError
from skipintro.video.info import DecodingLimits, VideoInfo
from skipintro.video.isolated_decode import DecoderLostError, inspect

OUTPUT = Path("data/ingest")
TRAIN, TEST = "train", "test"
_TRY_AGAIN = "`dvc repro --single-item --force ingest` tries it again"


class Params(StageParams):
    """Section `ingest` of params.yaml."""

    source: Path
    train_split: str = Field(min_length=1)
    test_split: str = Field(min_length=1)
    mode: Literal["copy", "reference"]
    on_bad_video: Literal["set_aside", "fail"]
    truncation_tolerance_s: float = Field(ge=0)
    decoding: DecodingLimits
    extensions: tuple[Annotated[str, Field(pattern="^[a-z0-9]+$")], ...] = Field(min_length=1)


class _Verdict(BaseModel):
    """What an inspection has found out: a description, or what is wrong."""

    video: VideoInfo | None = None
    problem: str | None = None


def main(params: Params) -> None:
    """Ingest both splits; damaged and missing videos are set aside by name."""
    if not params.source.is_dir():
        raise InputError(f"{params.source}: no such folder; correct ingest.source in params.yaml")
    made_with = versions("av")
    key = code_hash(
        "skipintro.video.isolated_decode",
        tolerance_s=params.truncation_tolerance_s,
        decoding=params.decoding.model_dump(),
        versions=made_with,
    )
    memory = cache_dir(f"inspections/{key}")
    with stage_output(OUTPUT) as folder:
        episodes: list[IngestedEpisode] = []
        unlabelled: list[str] = []
        for split, name in ((TRAIN, params.train_split), (TEST, params.test_split)):
            source = params.source / name
            if not source.is_dir():
                raise InputError(
                    f"{source}: no such folder; a source holds one folder for each split "
                    "(ingest.train_split and ingest.test_split in params.yaml)"
                )
            labels = read_labels(
                source / "labels.json",
                "every split folder holds a labels.json (or correct the split names)",
            )
            videos = find_videos(source, params.extensions)
            if not labels:
                raise InputError(
                    f"{source / 'labels.json'}: holds no label; label the {len(videos)} videos "
                    "beside it"
                )
            (folder / split).mkdir()
            shutil.copyfile(source / "labels.json", folder / split / "labels.json")
            labelled = {id_: videos.get(id_) for id_ in labels}
            spare = set(videos.values()) - set(labelled.values())
            unlabelled += sorted(str(path.relative_to(params.source)) for path in spare)
            inspected = partial(_inspected, split, params=params, memory=memory)
            with thread_map(os.cpu_count() or 1) as mapped:
                found = mapped(inspected, labelled.keys(), labelled.values())
                episodes += [
                    _taken_in(episode, params.mode, folder)
                    for episode in progress(found, len(labelled), Unit.EPISODES)
                ]
            if not any(e.problem is None for e in episodes if e.split == split):
                first = next(e for e in episodes if e.split == split)
                raise InputError(
                    f"{source}: none of its {len(labels)} labelled episodes has a usable video "
                    f"(first: {first.id}: {first.problem}); add <id>/<id>.mp4 for the ids "
                    "in labels.json"
                )
        manifest = IngestManifest(
            mode=params.mode,
            truncation_tolerance_s=params.truncation_tolerance_s,
            decoding=params.decoding,
            episodes=episodes,
            unlabelled=unlabelled,
            leaked=leaked_ids(episodes, TRAIN, TEST),
            versions=made_with,
        )
        write_json(folder / "manifest.json", manifest)
        write_sums(folder, "**/*.json")  # of the videos, the manifest has them
    words.ingest(manifest)


def _taken_in(episode: IngestedEpisode, mode: str, folder: Path) -> IngestedEpisode:
    """Copy a usable episode's video into the output folder, where it is not left in its place."""
    if mode != "copy" or episode.problem is not None or episode.path is None:
        return episode
    target = Path(episode.split) / (episode.id + episode.path.suffix.lower())
    shutil.copyfile(episode.path, folder / target)
    return episode.model_copy(update={"path": OUTPUT / target})


def _inspected(
    split: str, id_: str, path: Path | None, *, params: Params, memory: Path
) -> IngestedEpisode:
    """Describe one episode's video; the verdict on a known file comes from the cache.

    Raises VideoError where the file cannot be read just now, which is no verdict on it.
    """
    if path is None:
        problem = "no video file of this name"
        if params.on_bad_video == "fail":
            raise InputError(
                f"{params.source}: {split}: {id_}: {problem}; add it, or set "
                "ingest.on_bad_video: set_aside"
            )
        return IngestedEpisode(
            split=split, id=id_, path=None, sha256=None, video=None, problem=problem
        )
    sha256 = sha256_of_file(path)
    try:
        verdict = _verdict(path, memory / f"{sha256}.json", params)
    except DecoderLostError as error:
        if params.on_bad_video == "fail":
            raise
        verdict = _Verdict(problem=f"{error.fault}; {_TRY_AGAIN}")
    if verdict.problem is not None and params.on_bad_video == "fail":
        raise VideoError(path, verdict.problem)
    return IngestedEpisode(
        split=split,
        id=id_,
        path=path,
        sha256=sha256,
        video=verdict.video,
        problem=verdict.problem,
    )


def _verdict(path: Path, known: Path, params: Params) -> _Verdict:
    """Return the cached verdict on a content, or inspect it. Raises PassingVideoError."""
    if (content := read_checked(known)) is not None:
        return _Verdict.model_validate_json(content)
    tolerance_s = params.truncation_tolerance_s
    try:
        found = inspect(path, params.decoding, truncation_tolerance_s=tolerance_s)
        verdict = _Verdict(video=found)
    except PassingVideoError:
        raise
    except VideoError as error:
        verdict = _Verdict(problem=error.fault)
    write_checked(known, verdict.model_dump_json().encode())
    return verdict


if __name__ == "__main__":
    run_stage("ingest", Params, main)

"""Makes a source folder for `ingest` of a label file and the videos that it names.

Writes  <out>/train/labels.json, <out>/train/<id>.<ext>, and the same of test
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.core.files import as_json, output_folder
from skipintro.core.progress import Unit, progress
from skipintro.episodes.labels import read_json_object, read_labels
from skipintro.labelling.deal import Episode, series_of_label
from skipintro.labelling.ids import id_of
from skipintro.library.discovery import find_series


def labelled_videos(labels: Path, places: Sequence[Path]) -> tuple[list[Episode], list[Path]]:
    """Return the episodes of a label file, in its order, and the videos that it does not name.

    Raises InputError for a faulty file, a label without a video, and a video under two names.
    """
    read = read_labels(labels)
    if not read:
        raise InputError(f"{labels}: holds no label; make one with `skipintro labels import`")
    entries = read_json_object(labels, "correct the path")
    by_id: dict[str, set[Path]] = defaultdict(set)
    spare = [video for series in find_series(places, 0) for video in series.videos]
    for video in spare:
        for id_ in _ids(video):
            by_id[id_].add(video)
    missing = [id_ for id_ in read if id_ not in by_id]
    if missing:
        raise InputError(
            f"{labels}: {len(missing)} of {len(read)} labels have no video in "
            f"{', '.join(map(str, places))}: {', '.join(missing[:3])}; give the folders of all "
            "videos, or remove these labels"
        )
    episodes = []
    for id_, label in read.items():
        videos = sorted(by_id[id_])
        if len(videos) > 1:
            raise InputError(
                f"{videos[0]}: and {videos[1]} are both the video of {id_!r}; rename or remove one"
            )
        episodes.append(Episode(id_, series_of_label(id_, label), videos[0], entries[id_]))
    named = {episode.video for episode in episodes}
    return episodes, [video for video in spare if video not in named]


def check_out(out: Path, places: Sequence[Path]) -> None:
    """Raise InputError unless a new folder can be made there, apart from the videos."""
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise InputError(f"{out}: exists; remove it or name another folder with --out")
    for place in places:
        if out.resolve().is_relative_to(place.resolve()):
            raise InputError(
                f"{out}: lies in {place}, whose videos it will name; name a folder elsewhere"
            )


def write_source(out: Path, splits: Mapping[str, Sequence[Episode]], *, copy: bool) -> None:
    """Write the folder of each split, with links to the videos or with copies; it appears whole."""
    with output_folder(out) as folder:
        videos = [(split, episode) for split, dealt in splits.items() for episode in dealt]
        for split, dealt in splits.items():
            (folder / split).mkdir()
            entries = {episode.id: episode.entry for episode in dealt}
            (folder / split / "labels.json").write_bytes(as_json(entries))
        for split, episode in progress(videos, len(videos), Unit.VIDEOS):
            place = folder / split / f"{episode.id}{episode.video.suffix}"
            if copy:
                shutil.copyfile(episode.video, place)
            else:
                place.symlink_to(os.path.realpath(episode.video))


def _ids(video: Path) -> set[str]:
    """Return the ids that a video may have: as `labels import` says, or its name alone."""
    try:
        return {id_of(video), id_of(Path("/", video.name))}
    except InputError:  # its name can be no id
        return set()

"""The episodes of a source folder: found by name, and described by the ingest stage's manifest."""

import unicodedata
from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from skipintro.core.errors import InputError
from skipintro.video.info import DecodingLimits, VideoInfo


class IngestedEpisode(BaseModel):
    """One labelled episode; `problem` says why its video is set aside, else None.

    `path` is relative to the root of the checkout (`ingest.mode: copy`) or as in the source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    id: str
    path: Path | None
    sha256: str | None
    video: VideoInfo | None
    problem: str | None


class IngestManifest(BaseModel):
    """What the ingest stage found, in the order of the label files, train before test."""

    model_config = ConfigDict(extra="forbid")

    mode: str
    truncation_tolerance_s: float
    decoding: DecodingLimits
    episodes: list[IngestedEpisode]
    unlabelled: list[str]  # video files that no label names
    leaked: list[str]  # ids whose test video is in train as well, by id or by content
    versions: dict[str, str]

    def usable(self) -> dict[tuple[str, str], IngestedEpisode]:
        """Return the episodes whose video can be used, by (split, id)."""
        return {(e.split, e.id): e for e in self.episodes if e.problem is None}

    def left_out(self) -> dict[str, str]:
        """Return why a video cannot be used, by `<split>/<id>`."""
        return {f"{e.split}/{e.id}": e.problem for e in self.episodes if e.problem}


def find_videos(folder: Path, extensions: Collection[str]) -> dict[str, Path]:
    """Return the videos of a split folder by id: `<id>/<id>.<ext>` or `<id>.<ext>`, names in NFC.

    Raises InputError where two files claim one id.
    """
    nested = (
        file
        for sub in folder.iterdir()
        if sub.is_dir()
        for file in sub.iterdir()
        if _nfc(file.stem) == _nfc(sub.name)
    )
    found: dict[str, Path] = {}
    for path in sorted([*nested, *folder.iterdir()]):
        if path.suffix.lower().lstrip(".") not in extensions or not path.is_file():
            continue
        episode = _nfc(path.stem)
        if episode in found:
            raise InputError(
                f"{path}: and {found[episode]} are both the video of {episode!r}; remove one"
            )
        found[episode] = path
    return found


def leaked_ids(episodes: Collection[IngestedEpisode], train: str, test: str) -> list[str]:
    """Return the test ids that are in train as well, under the same id or with the same bytes."""
    train_ids = {e.id for e in episodes if e.split == train}
    # Files that are set aside do not count: all empty ones have the same bytes.
    train_hashes = {e.sha256 for e in episodes if e.split == train and e.problem is None}
    return [
        e.id
        for e in episodes
        if e.split == test and (e.id in train_ids or e.sha256 in train_hashes)
    ]


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)

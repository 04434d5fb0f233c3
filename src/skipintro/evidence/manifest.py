"""The fingerprints of all episodes as files: one archive an episode, and a manifest."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from skipintro.core.arithmetic import Arithmetic
from skipintro.core.errors import InputError
from skipintro.evidence.recording import of_bytes
from skipintro.evidence.settings import FingerprintSettings
from skipintro.evidence.track import Evidence


class FingerprintedEpisode(BaseModel):
    """Where one episode's evidence is, and the video that it was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    id: str
    file: Path  # relative to the manifest's folder
    length_s: float  # of what was recorded
    video_sha256: str
    is_sound_undecodable: bool = False  # pictures alone, though there is sound


class FingerprintManifest(BaseModel):
    """What the fingerprint stage made, in the order of the ingest manifest."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: FingerprintSettings
    episodes: list[FingerprintedEpisode]
    left_out: dict[str, str]  # `<split>/<id>`: why
    arithmetic: Arithmetic
    versions: dict[str, str]


def read_evidence(path: Path) -> Evidence:
    """Return one episode's evidence. Raises InputError where it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it and run `dvc repro`") from (
            error
        )
    return of_bytes(content, path)

"""Turns every usable episode into one vector a second.

Reads   data/ingest (manifest.json and the videos that it names)
Writes  data/embed/<split>/<id>.npy, float32 (n_seconds, dimension), and data/embed/manifest.json
"""

import logging
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from skipintro.core.device import choose_device
from skipintro.core.errors import InputError
from skipintro.core.files import output_folder, read_model, sha256_of_file, write_json
from skipintro.core.params import StageParams
from skipintro.core.progress import progress
from skipintro.core.scratch import key_of, scratch_folder
from skipintro.core.stage import run_stage, versions
from skipintro.encoder import Encoder, load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.episodes.catalog import IngestedEpisode, IngestManifest
from skipintro.episodes.embeddings import (
    EmbeddedEpisode,
    EmbedManifest,
    read_vectors,
    write_vectors,
)

INGESTED = Path("data/ingest")
OUTPUT = Path("data/embed")
_CODE = ("episodes/video", "encoder")
_PACKAGES = ("av", "open_clip_torch", "timm", "torch")

log = logging.getLogger(__name__)


class Params(StageParams):
    """Section `embed` of params.yaml."""

    encoder: Literal["clip-vit-b-32", "efficientnet-lite0"]
    weights: str = Field(min_length=1)
    device: Literal["auto", "cpu", "cuda"]
    batch_size: int = Field(ge=1)


def main(params: Params) -> None:
    """Embed every usable episode; what the same encoder has embedded before is remembered."""
    ingested = read_model(IngestManifest, INGESTED / "manifest.json")
    device = choose_device(params.device)
    encoder = load_encoder(params.encoder, params.weights, device=device)
    log.info("encoder %s, weights %s, on %s", params.encoder, encoder.identity.weights, device)
    made_with = versions(*_PACKAGES)
    key = key_of(
        *_CODE,
        encoder=encoder.identity.model_dump(),
        batch_size=params.batch_size,
        device=device.type,
        versions=made_with,
    )
    memory = scratch_folder(f"embeddings/{key}")
    usable = ingested.usable().values()
    n_new = len({e.sha256 for e in usable} - {array.stem for array in memory.glob("*.npy")})
    with output_folder(OUTPUT) as folder:
        manifest = EmbedManifest(
            encoder=encoder.identity,
            episodes=[
                _embedded(episode, encoder, params.batch_size, memory=memory, folder=folder)
                for episode in progress(usable, len(usable), "episodes")
            ],
            left_out={f"{e.split}/{e.id}": e.problem for e in ingested.episodes if e.problem},
            versions=made_with,
        )
        write_json(folder / "manifest.json", manifest)
    log.info("%d episodes, %d of them embedded now", len(usable), n_new)


def _embedded(
    episode: IngestedEpisode, encoder: Encoder, batch_size: int, *, memory: Path, folder: Path
) -> EmbeddedEpisode:
    """Put one episode's vectors into the output folder, made now or taken from memory."""
    if episode.video is None or episode.path is None or episode.sha256 is None:
        raise InputError(f"{INGESTED}: {episode.id}: incomplete; run `dvc repro`")
    array = memory / f"{episode.sha256}.npy"
    if not array.exists():
        write_vectors(array, _vectors(episode, episode.path, encoder, batch_size))
    n_seconds = len(read_vectors(array))
    if n_seconds != episode.video.n_seconds:
        raise InputError(
            f"{episode.path}: {n_seconds} pictures, {episode.video.n_seconds} when it was "
            "ingested; run `dvc repro --force ingest`"
        )
    file = Path(episode.split) / f"{episode.id}.npy"
    (folder / episode.split).mkdir(exist_ok=True)
    shutil.copyfile(array, folder / file)
    return EmbeddedEpisode(
        split=episode.split,
        id=episode.id,
        file=file,
        n_seconds=n_seconds,
        video_sha256=episode.sha256,
    )


def _vectors(
    episode: IngestedEpisode, path: Path, encoder: Encoder, batch_size: int
) -> NDArray[np.float32]:
    """Embed one file, after making sure that it still is the one that was ingested."""
    if not path.is_file() or sha256_of_file(path) != episode.sha256:
        raise InputError(
            f"{path}: gone or changed since it was ingested; put it back, or run `dvc repro` "
            "once more to ingest it anew"
        )
    return embed_video(path, encoder, batch_size)


if __name__ == "__main__":
    run_stage("embed", Params, main)

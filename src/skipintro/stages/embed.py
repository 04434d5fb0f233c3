"""Turns every usable episode, or its beginning, into one vector a second.

Reads   data/ingest (manifest.json and the videos that it names)
Writes  data/embed/<split>/<id>.npy, float32 (n_seconds, dimension), and data/embed/manifest.json
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field

from skipintro.core.errors import InputError
from skipintro.core.files import check_sums, is_intact, read_model, write_json, write_sums
from skipintro.core.params import StageParams
from skipintro.core.progress import progress
from skipintro.core.scratch import scratch_folder
from skipintro.core.stage import run_stage, stage_output
from skipintro.encoder.engine import EncoderSpec, Job, RayParams
from skipintro.encoder.engine_choice import engine_device, engine_precision, open_engine
from skipintro.episodes.catalog import IngestedEpisode, IngestManifest
from skipintro.episodes.embeddings import (
    EmbeddedEpisode,
    EmbeddingConfig,
    EmbedManifest,
    Search,
    remembered_vectors,
    searched_seconds,
    write_vectors,
)
from skipintro.video.info import DecodingLimits, VideoInfo

INGESTED = Path("data/ingest")
OUTPUT = Path("data/embed")

log = logging.getLogger(__name__)


class Params(StageParams):
    """Section `embed` of params.yaml."""

    encoder: Literal["clip-vit-b-32", "efficientnet-lite0"]
    weights: str = Field(min_length=1)
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    batch_size: int = Field(ge=1)
    search: Search
    engine: Literal["local", "ray"]
    ray: RayParams

    def embedding(self, truncation_tolerance_s: float) -> EmbeddingConfig:
        """Give what a detector on these vectors has to go by."""
        return EmbeddingConfig(
            precision=self.precision,
            batch_size=self.batch_size,
            search=self.search,
            truncation_tolerance_s=truncation_tolerance_s,
        )


def main(params: Params) -> None:
    """Embed every usable episode; what the same encoder has embedded before is remembered."""
    check_sums(INGESTED)
    ingested = read_model(IngestManifest, INGESTED / "manifest.json")
    device = engine_device(params.engine, params.device, params.ray)
    spec = EncoderSpec(
        name=params.encoder,
        weights=params.weights,
        device=device,
        precision=engine_precision(params.engine, params.precision, params.encoder, device),
        batch_size=params.batch_size,
        search=params.search,
    )
    engine = open_engine(params.engine, spec, params.ray)
    origin = engine.origin
    log.info(
        "encoder %s, weights %s, %s on %s",
        spec.name,
        origin.identity.weights,
        spec.precision,
        spec.device,
    )
    memory = scratch_folder(f"embeddings/{origin.key}")
    usable = ingested.usable().values()
    wanted = _jobs(usable, ingested.decoding, memory)
    jobs = [job for job in wanted if not is_intact(job.target)]
    for _ in progress(engine.embed(jobs), len(jobs), "episodes"):
        pass
    with stage_output(OUTPUT) as folder:
        manifest = EmbedManifest(
            encoder=origin.identity,
            embedding=params.embedding(ingested.truncation_tolerance_s),
            precision=spec.precision,
            episodes=[
                _remembered(episode, spec.search, memory=memory, folder=folder)
                for episode in usable
            ],
            left_out={f"{e.split}/{e.id}": e.problem for e in ingested.episodes if e.problem},
            versions=origin.versions,
        )
        write_json(folder / "manifest.json", manifest)
        write_sums(folder)
    log.info("%d episodes, %d of them embedded now", len(usable), len(jobs))


def _jobs(episodes: Iterable[IngestedEpisode], limits: DecodingLimits, memory: Path) -> list[Job]:
    """Give one job for each content; a leaked episode stands in two splits."""
    jobs: dict[str, Job] = {}
    for episode in episodes:
        path, sha256, video = _content(episode)
        target = memory / f"{sha256}.npy"
        jobs.setdefault(sha256, Job(path, sha256, video.n_seconds, target, limits))
    return list(jobs.values())


def _remembered(
    episode: IngestedEpisode, search: Search, *, memory: Path, folder: Path
) -> EmbeddedEpisode:
    """Put one episode's vectors from memory into the output folder."""
    path, sha256, video = _content(episode)
    vectors = remembered_vectors(array := memory / f"{sha256}.npy")
    if vectors is None:
        raise InputError(f"{array}: gone or damaged meanwhile; run `dvc repro` to make it anew")
    n_found, n_wanted = len(vectors), searched_seconds(search, video.n_seconds)
    if n_found != n_wanted:
        raise InputError(
            f"{path}: {n_found} pictures, {n_wanted} when it was ingested; "
            "run `dvc repro --force ingest`"
        )
    file = Path(episode.split) / f"{episode.id}.npy"
    write_vectors(folder / file, vectors)
    return EmbeddedEpisode(
        split=episode.split,
        id=episode.id,
        file=file,
        n_seconds=video.n_seconds,
        video_sha256=sha256,
    )


def _content(episode: IngestedEpisode) -> tuple[Path, str, VideoInfo]:
    """Give file, hash and description of a usable episode."""
    if episode.path is None or episode.sha256 is None or episode.video is None:
        raise InputError(f"{INGESTED}: {episode.id}: incomplete; run `dvc repro`")
    return episode.path, episode.sha256, episode.video


if __name__ == "__main__":
    run_stage("embed", Params, main)

"""Turns every usable episode, or its beginning, into one vector a second.

Reads   data/ingest (manifest.json and the videos that it names)
Writes  data/embed/<split>/<id>.npy, float32 (n_seconds, dimension), and data/embed/manifest.json
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from skipintro.core.arithmetic import in_use
from skipintro.core.cache_dir import cache_dir
from skipintro.core.files import check_sums, read_model, write_json, write_sums
from skipintro.core.params import StageParams
from skipintro.core.stage import run_stage, stage_output
from skipintro.encoder.hardware import encoder_device, encoder_precision
from skipintro.encoder.spec import EncoderSpec
from skipintro.engines.base import ComputeParams
from skipintro.engines.choice import open_engine
from skipintro.engines.episodes import EpisodeJob, episode_jobs, make_missing
from skipintro.episodes.catalog import IngestManifest
from skipintro.episodes.embeddings import (
    EmbeddedEpisode,
    EmbeddingConfig,
    EmbedManifest,
    vectors_of_npy,
    write_vectors,
)
from skipintro.episodes.search import Search, searched_seconds
from skipintro.stages import words

INGESTED = Path("data/ingest")
OUTPUT = Path("data/embed")


class Params(StageParams):
    """Section `embed` of params.yaml, and `compute`."""

    compute: ComputeParams
    encoder: Literal["clip-vit-b-32", "efficientnet-lite0"]
    weights: str = Field(min_length=1)
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    batch_size: int = Field(ge=1)
    search: Search

    def embedding(self, truncation_tolerance_s: float) -> EmbeddingConfig:
        """Return what a detector on these vectors has to go by."""
        return EmbeddingConfig(
            precision=self.precision,
            batch_size=self.batch_size,
            search=self.search,
            truncation_tolerance_s=truncation_tolerance_s,
        )


def main(params: Params) -> None:
    """Embed every usable episode; earlier results of the same encoder come from the cache."""
    check_sums(INGESTED)
    ingested = read_model(IngestManifest, INGESTED / "manifest.json")
    compute = params.compute
    device = encoder_device(compute, params.device)
    spec = EncoderSpec(
        name=params.encoder,
        weights=params.weights,
        device=device,
        precision=encoder_precision(compute.engine, params.precision, params.encoder, device),
        batch_size=params.batch_size,
        search=params.search,
    )
    engine = open_engine(compute, spec)
    origin = engine.origin
    words.embed_begins(origin)
    memory = cache_dir(f"embeddings/{origin.key}")
    episodes = episode_jobs(ingested, memory, ".npy")
    n_made = make_missing(engine, episodes)
    with stage_output(OUTPUT) as folder:
        manifest = EmbedManifest(
            encoder=origin.identity,
            embedding=params.embedding(ingested.truncation_tolerance_s),
            precision=spec.precision,
            episodes=[_written(episode, spec.search, folder) for episode in episodes],
            left_out=ingested.left_out(),
            arithmetic=in_use(),
            versions=origin.versions,
        )
        write_json(folder / "manifest.json", manifest)
        write_sums(folder)
    words.embed(len(episodes), n_made)


def _written(episode: EpisodeJob, search: Search, folder: Path) -> EmbeddedEpisode:
    """Put one episode's vectors from memory into the output folder."""
    vectors = vectors_of_npy(episode.content())
    n_seconds = episode.video.n_seconds
    n_found, n_required = len(vectors), searched_seconds(search, n_seconds)
    if n_found != n_required:
        raise episode.changed(f"{n_found} pictures", str(n_required))
    file = Path(episode.split) / f"{episode.id}.npy"
    write_vectors(folder / file, vectors)
    return EmbeddedEpisode(
        split=episode.split,
        id=episode.id,
        file=file,
        n_seconds=n_seconds,
        video_sha256=episode.job.sha256,
    )


if __name__ == "__main__":
    run_stage("embed", Params, main)

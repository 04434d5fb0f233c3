"""What the embed stage would have written, without an encoder."""

from pathlib import Path

import numpy as np

from conftest import EMBEDDING, ENCODER, Checkout
from skipintro.core.files import write_json, write_sums
from skipintro.episodes.embeddings import EmbeddedEpisode, EmbedManifest, write_vectors


def write_embeddings(checkout: Checkout) -> None:
    """Write vectors of noise as the embed stage would write an encoder's."""
    folder = checkout.folder / "data" / "embed"
    rng = np.random.default_rng(0)
    episodes = []
    for row in checkout.read_json("data/ingest/manifest.json")["episodes"]:
        n_seconds = row["video"]["n_seconds"]
        file = Path(row["split"]) / f"{row['id']}.npy"
        write_vectors(
            folder / file, rng.normal(size=(n_seconds, ENCODER.dimension)).astype(np.float32)
        )
        episodes.append(
            EmbeddedEpisode(
                split=row["split"],
                id=row["id"],
                file=file,
                n_seconds=n_seconds,
                video_sha256=row["sha256"],
            )
        )
    manifest = EmbedManifest(
        encoder=ENCODER,
        embedding=EMBEDDING,
        precision="fp32",
        episodes=episodes,
        left_out={},
        arithmetic="portable",
        versions={},
    )
    write_json(folder / "manifest.json", manifest)
    write_sums(folder)

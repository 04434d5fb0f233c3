"""Seconds to record pictures and sound of a video, beside those to embed it; three runs by turns.

python benchmarks/fingerprint_speed.py VIDEO
"""

import sys
import time
from pathlib import Path

import torch

from skipintro.detectors import SHIPPED
from skipintro.detectors.openings import load_openings
from skipintro.encoder import load_encoder
from skipintro.encoder.embedding import embed_video
from skipintro.evidence.recording import record
from tables import print_table

N_RUNS = 3


def main() -> None:
    """Print a row a run."""
    video = Path(sys.argv[1])
    fingerprint = load_openings(SHIPPED).config.fingerprint
    encoder = load_encoder(
        "efficientnet-lite0", "openai", device=torch.device("cpu"), precision="bf16"
    )
    embed_video(video, encoder, 16, 5)  # children and threads start
    record(video, fingerprint, 5)
    rows = []
    for _ in range(N_RUNS):
        began = time.perf_counter()
        embed_video(video, encoder, 16)
        between = time.perf_counter()
        record(video, fingerprint)
        ended = time.perf_counter()
        embedding, recording = between - began, ended - between
        rows.append(
            {"embedding s": embedding, "fingerprints s": recording, "ratio": recording / embedding}
        )
    print_table("fingerprint_speed", rows)


if __name__ == "__main__":
    main()

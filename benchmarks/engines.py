"""Embedding the demo's test episodes: the local engine, and Ray with one worker and with two.

A Ray worker has one thread where there are two of them, so that both share two cores.
"""

import tempfile
import time
from pathlib import Path
from typing import Literal

from clips import DEMO
from skipintro.core.files import sha256_of_file
from skipintro.encoder.spec import EncoderSpec
from skipintro.engines.base import ComputeParams, Job, RayParams
from skipintro.engines.choice import open_engine
from skipintro.video.decoding import inspect
from tables import print_table

SPEC = EncoderSpec(
    name="efficientnet-lite0",
    weights="openai",
    device="cpu",
    precision="fp32",
    batch_size=16,
    search="whole",
)


def main() -> None:
    """Embed the same videos in each way; the start of Ray and of its workers counts."""
    videos = sorted(DEMO.glob("*/*.mp4"))
    rows: list[dict[str, float | str]] = []
    ways: list[tuple[str, Literal["local", "ray"], int, int]] = [
        ("local, 2 threads", "local", 1, 2),
        ("ray, 1 worker of 2 threads", "ray", 1, 2),
        ("ray, 2 workers of 1 thread", "ray", 2, 1),
    ]
    for name, engine, workers, cpus in ways:
        ray = RayParams(workers=workers, cpus_per_worker=cpus, gpus_per_worker=0, address=None)
        compute = ComputeParams(engine=engine, ray=ray)
        with tempfile.TemporaryDirectory() as folder:
            jobs = [
                Job(
                    video,
                    sha256_of_file(video),
                    inspect(video, truncation_tolerance_s=1).n_seconds,
                    Path(folder) / f"{index}.npy",
                )
                for index, video in enumerate(videos)
            ]
            began = time.perf_counter()
            done = list(open_engine(compute, SPEC).run(jobs))
            took = time.perf_counter() - began
        n_seconds = sum(job.n_seconds for job in done)
        first = float(rows[0]["s"]) if rows else took
        rows.append(
            {"engine": name, "s": took, "frames/s": n_seconds / took, "of local": took / first}
        )
    print_table("engines", rows)


if __name__ == "__main__":
    main()

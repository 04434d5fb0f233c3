"""Time and memory of the README's main job by stage, in a fresh clone of the committed state.

Takes about ten minutes; run it on a machine that does nothing else.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memory import PeakMemory
from tables import print_table

ROOT = Path(__file__).resolve().parents[1]
GIB = 2**30
_STAGE = re.compile(r"Running stage '(?:.*:)?(\w+)':")  # as DVC says before each


def timed(folder: Path, what: str, *words: str) -> list[dict[str, float | str]]:
    """Run a command; return a row for each stage that DVC runs in it, then one for all.

    A stage's seconds go on to the next one's start, so that what DVC hashes and copies is in them.
    Ends the benchmark where the command fails.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
    began = time.perf_counter()
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    peak = PeakMemory(process)
    said: list[str] = []
    parts = [("before the first stage", began, 0)]  # name, start, peak bytes before
    for line in process.stdout or ():
        said.append(line.decode(errors="replace"))
        if stage := _STAGE.match(said[-1]):
            parts.append((stage[1], time.perf_counter(), peak.bytes))
            peak.bytes = 0
    code, last_bytes, ended = process.wait(), peak.stop(), time.perf_counter()
    if code != 0:
        print("".join(said)[-3000:])
        sys.exit(f"{' '.join(words)}: exit code {code}")
    starts = [start for _, start, _ in parts] + [ended]
    peaks = [bytes_before for _, _, bytes_before in parts[1:]] + [last_bytes]
    rows: list[dict[str, float | str]] = [
        {"what": f"{what}: {name}", "s": until - since, "peak GiB": n_bytes / GIB}
        for (name, since, _), until, n_bytes in zip(parts, starts[1:], peaks, strict=True)
    ]
    return [
        *(rows if len(rows) > 1 else []),
        {"what": what, "s": ended - began, "peak GiB": max(peaks) / GIB},
    ]


def main() -> None:
    """Clone, set up, reproduce, and reproduce with nothing to do."""
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        dvc = str(clone / ".venv/bin/dvc")
        rows = [
            *timed(clone, "make env, packages in uv's cache as they are", "make", "env"),
            *timed(clone, "make repro, after that", "make", "repro"),
            *(
                row
                for _ in range(3)
                for row in timed(clone, "dvc repro, nothing to do", dvc, "repro")
            ),
        ]
        print_table("main_job", rows)


if __name__ == "__main__":
    main()

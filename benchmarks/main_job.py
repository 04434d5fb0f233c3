"""Time and memory of the README's main job, in a fresh clone of the committed state.

Takes about a quarter of an hour; run it on a machine that does nothing else.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memory import PeakMemory
from tables import tell

ROOT = Path(__file__).resolve().parents[1]
GIB = 2**30


def timed(folder: Path, *words: str) -> tuple[float, float]:
    """Run a command and give (seconds, peak GiB). Ends the benchmark where it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
    log = folder / "benchmark.log"
    start = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        peak = PeakMemory(process)
        code, peak_bytes = process.wait(), peak.stop()
        if code != 0:
            print(log.read_text(errors="replace")[-3000:])
            sys.exit(f"{' '.join(words)}: exit code {code}")
    return time.perf_counter() - start, peak_bytes / GIB


def main() -> None:
    """Clone, set up, reproduce, and reproduce with nothing to do."""
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        rows = [
            ("make env, packages in uv's cache as they are", *timed(clone, "make", "env")),
            ("make repro, after that", *timed(clone, "make", "repro")),
        ]
        dvc = str(clone / ".venv/bin/dvc")
        rows += [("dvc repro, nothing to do", *timed(clone, dvc, "repro")) for _ in range(3)]
        tell("main_job", [{"what": what, "s": s, "peak GiB": gib} for what, s, gib in rows])


if __name__ == "__main__":
    main()

"""Time and memory of the README's main job, in a fresh clone of the committed state.

Takes about a quarter of an hour; run it on a machine that does nothing else.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from tables import tell

ROOT = Path(__file__).resolve().parents[1]
GIB = 2**30


class PeakMemory:
    """The largest sum of the resident memory of a process and all its children, sampled."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.bytes = 0
        self._process = psutil.Process(process.pid)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while True:
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                return
            total = 0
            for member in family:
                try:
                    total += member.memory_full_info().pss
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, total)
            time.sleep(0.5)


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
        if process.wait() != 0:
            print(log.read_text(errors="replace")[-3000:])
            sys.exit(f"{' '.join(words)}: exit code {process.returncode}")
    return time.perf_counter() - start, peak.bytes / GIB


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

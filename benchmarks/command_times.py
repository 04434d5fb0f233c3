"""Seconds of commands with little to do, in this checkout after `make repro`; medians of 5 runs.

`promote` has nothing to promote, `detect` and `dvc repro` nothing that is new. Run
`skipintro promote` and `skipintro detect data/ingest/train` once before.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from tables import print_table

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
N_RUNS = 5
COMMANDS = {  # with their exit codes
    **dict.fromkeys(("skipintro --help", "skipintro models", "skipintro runs"), 0),
    "skipintro promote": 1,  # no challenger is left
    "skipintro report --no-open": 0,
    "skipintro detect data/ingest/train": 0,
    "dvc repro": 0,
}


def seconds(command: str) -> float:
    """Run a command and return its wall time; end the benchmark where it does something else."""
    program, *words = command.split()
    began = time.perf_counter()
    done = subprocess.run(
        [PROGRAMS / program, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    ended = time.perf_counter()
    if done.returncode != COMMANDS[command]:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return ended - began


def main() -> None:
    """Run the commands by turns, so that a busy minute of the machine meets all of them."""
    times = [[seconds(command) for command in COMMANDS] for _ in range(N_RUNS)]
    rows = [
        {"command": command, "median s": median(column), "least s": min(column)}
        for command, column in zip(COMMANDS, zip(*times, strict=True), strict=True)
    ]
    print_table("command_times", rows)


if __name__ == "__main__":
    main()

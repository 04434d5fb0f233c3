"""The embed stage on the demo's episodes: all anew, one added to those remembered, none new."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import tell

ROOT = Path(__file__).resolve().parents[1]


def run(folder: Path) -> float:
    """Run the stage and give its seconds, with the start of Python and loading the encoder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    began = time.perf_counter()
    words = [sys.executable, "-m", "skipintro.stages.embed"]
    subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Run the stage in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "data/ingest").symlink_to(ROOT / "data/ingest")
        shutil.copy(ROOT / "params.yaml", folder)
        took = {"all": run(folder)}
        remembered = sorted((folder / ".skipintro/embeddings").glob("*/*.npy"))
        remembered[0].unlink()
        took[f"one added to {len(remembered) - 1}"] = run(folder)
        took["none"] = run(folder)
    tell(
        "adding_one",
        [{"embedded": k, "s": s, "of all": s / took["all"]} for k, s in took.items()],
    )


if __name__ == "__main__":
    main()

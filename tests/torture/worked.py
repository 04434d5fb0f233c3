"""A checkout in which every stage has run once, and what that left."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from conftest import Checkout, make_checkout, write_toy_series
from embed_cases import write_embeddings
from forked import Forked
from skipintro.core.files import SUMS_FILE, sha256_of_file

STAGES = ("ingest", "annotate", "fingerprint", "window", "train", "fit", "evaluate", "track")
OUTPUTS: Mapping[str, str] = {
    "ingest": "data/ingest",
    "annotate": "data/annotate",
    "embed": "data/embed",
    "fingerprint": "data/fingerprint",
    "window": "data/window",
    "train": "models/train",
    "fit": "models/fit",
    "evaluate": "reports/evaluate",
    "track": "reports/track",
}
# Makes embed and `skipintro detect` load the encoder that takes no time.
CHEAP = """
import skipintro.detection.head_detector as detector, skipintro.encoder.spec as spec
from library_cases import CheapEncoder
detector.load_encoder = spec.load_encoder = lambda *_, **__: CheapEncoder()
"""


class Worked(Checkout):
    """A checkout, and the files of each stage's output after an unbroken run, by content."""

    def __init__(self, folder: Path, stages: Sequence[str]) -> None:
        super().__init__(folder)
        self.unbroken = {stage: left_by(self, stage) for stage in stages}


def make_worked(folder: Path, forks: Forked) -> None:
    """Run every stage but embed, whose vectors are noise, in `folder/checkout`."""
    made = make_checkout(folder / "checkout", write_toy_series(folder / "series"))
    made.set_params({"epochs": 2})
    for stage in STAGES:
        if stage == "window":
            write_embeddings(made)
        done = forks.stage(stage, made.folder)
        assert done.code == 0, done


def make_embedded(folder: Path, source: Path, forks: Forked) -> Worked:
    """Run ingest, and embed with an encoder that takes no time."""
    made = make_checkout(folder, source)
    made.set_params({"embed.search": 2})
    for stage in ("ingest", "embed"):
        done = forks.stage(stage, folder, prelude=CHEAP)
        assert done.code == 0, done
    return Worked(folder, ("ingest", "embed"))


def left_by(checkout: Checkout, stage: str) -> dict[str, str]:
    """Return the files of a stage's output, by content."""
    folder = checkout.folder / OUTPUTS[stage]
    return {
        path.relative_to(checkout.folder).as_posix(): sha256_of_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def checked_files(checkout: Checkout, stage: str) -> list[Path]:
    """Return the files of a stage's output that its sums name, and the sums."""
    folder = checkout.folder / OUTPUTS[stage]
    lines = (folder / SUMS_FILE).read_text("utf-8").splitlines()
    return [folder / SUMS_FILE, *(folder / line.partition("  ")[2] for line in lines)]


def half_written(folder: Path) -> list[Path]:
    """Return what no stage that has ended may leave."""
    return [path for path in folder.rglob("*") if path.suffix in {".partial", ".tmp"}]

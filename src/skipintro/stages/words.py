"""What each stage says at its end. It shapes no result: other words make no stage run again."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skipintro.demo.render import DemoManifest
    from skipintro.detectors.continued import FitManifest
    from skipintro.encoder.spec import EncoderOrigin
    from skipintro.episodes.annotations import Annotation
    from skipintro.episodes.catalog import IngestManifest
    from skipintro.evaluation.metrics import WindowTable
    from skipintro.model.windows import SplitWindows

log = logging.getLogger(__name__)


def demo(made: "DemoManifest", folder: Path) -> None:
    """Say what was rendered, and which faults are in it."""
    log.info("%d files, %.0f s of video, in %s", made.n_files, made.duration_s, folder)
    log.info("without intro: %s", ", ".join(made.without_intro))
    log.info("without sound: %s", ", ".join(made.without_sound))
    log.info("with a silent opening: %s", ", ".join(made.silent_openings))
    for fault, episodes in made.faults.items():
        log.info("%s: %s", fault, ", ".join(episodes))


def ingest(manifest: "IngestManifest") -> None:
    """Say what can be used, and name what cannot."""
    usable = manifest.usable().values()
    seconds = sum(e.video.duration_s for e in usable if e.video)
    log.info("%d of %d episodes usable, %.0f s", len(usable), len(manifest.episodes), seconds)
    for episode in manifest.episodes:
        if episode.problem:
            log.warning("%s/%s set aside: %s", episode.split, episode.id, episode.problem)
    for path in manifest.unlabelled:
        log.warning("%s: no label names this video; it is left out", path)
    if manifest.leaked:
        log.warning("stand in train and test: %s", ", ".join(manifest.leaked))


def annotate(episodes: Sequence["Annotation"], statuses: Iterable[str], alone: str) -> None:
    """Say what was done to labels, and name those left out; `alone` names missing siblings."""
    counts = Counter(str(episode.status) for episode in episodes)
    log.info("%s", ", ".join(f"{counts[status]} {status}" for status in statuses))
    for episode in episodes:
        if not episode.usable:
            log.warning("%s/%s left out: %s", episode.split, episode.id, episode.reason)
    if alone:
        log.warning("%s", alone)


def embed_begins(origin: "EncoderOrigin") -> None:
    """Say which encoder works where."""
    weights, spec = origin.identity.weights, origin.spec
    log.info("encoder %s, weights %s, %s on %s", spec.name, weights, spec.precision, spec.device)


def embed(n_episodes: int, n_made: int) -> None:
    """Say how much was embedded."""
    log.info("%d episodes, %d of them embedded now", n_episodes, n_made)


def fingerprint(n_episodes: int, n_made: int) -> None:
    """Say how much was recorded."""
    log.info("%d episodes, %d of them recorded now", n_episodes, n_made)


def window(splits: Mapping[str, "SplitWindows"]) -> None:
    """Say how much each split has."""
    for split, has in splits.items():
        counts = (split, has.episodes, has.frames, has.windows)
        log.info("%s: %d episodes, %d frames, %d windows", *counts)


def fit(manifest: "FitManifest") -> None:
    """Say what was chosen on series held out."""
    if (chosen := manifest.chosen) is not None:
        log.info(
            "series held out: %d right and %d wrong of %d episodes, with %d further trees",
            chosen.right,
            chosen.wrong,
            manifest.episodes,
            chosen.further_trees,
        )


def evaluate(windows: "WindowTable", table: str) -> None:
    """Say the write-up's figures, and those of whole episodes."""
    for name, row in windows:
        if row is not None:
            log.info("windows, %s: accuracy %.4f, F1 %.4f", name, row.accuracy, row.f1)
    log.info("whole episodes, without leaked ones:")
    for line in table.splitlines():
        log.info("%s", line)

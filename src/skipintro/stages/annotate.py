"""Corrects the labels by rule and by hand, and says for each episode what was done and why.

Reads   data/ingest (labels.json of each split, manifest.json), the overrides file
Writes  data/annotate/annotations.json, data/annotate/manifest.json
"""

from collections import Counter
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.core.files import check_sums, read_model, write_json, write_sums
from skipintro.core.stage import run_stage, stage_output
from skipintro.episodes.annotations import (
    Annotations,
    Status,
    check_within,
    format_singletons,
    read_overrides,
    without_siblings,
)
from skipintro.episodes.catalog import IngestManifest
from skipintro.episodes.corrections import CorrectionParams, labels_file, read_annotations
from skipintro.stages import words

INGESTED = Path("data/ingest")
OUTPUT = Path("data/annotate")

Params = CorrectionParams


def main(params: Params) -> None:
    """Annotate every labelled episode of both splits."""
    check_sums(INGESTED)
    manifest = read_model(IngestManifest, INGESTED / "manifest.json")
    overrides = read_overrides(params.overrides)
    usable = manifest.usable()
    episodes = read_annotations(INGESTED, manifest, params.rule(), overrides)
    for episode in episodes:
        ingested = usable.get((episode.split, episode.id))
        if ingested is not None and ingested.video is not None:
            by_hand = episode.id in overrides
            place = params.overrides if by_hand else labels_file(INGESTED, episode.split)
            check_within(str(place), episode, ingested.video.n_seconds)
    strangers = sorted(set(overrides) - {episode.id for episode in episodes})
    if strangers:
        raise InputError(
            f"{params.overrides}: {strangers[0]!r} is no episode of the source; correct the id"
        )
    annotations = Annotations(episodes=episodes, leaked=manifest.leaked)
    counts = Counter(episode.status for episode in episodes)
    with stage_output(OUTPUT) as folder:
        write_json(folder / "annotations.json", annotations)
        write_json(
            folder / "manifest.json",
            {
                "episodes": len(episodes),
                "by_status": {status: counts[status] for status in Status},
                "unusable": {f"{e.split}/{e.id}": e.reason for e in episodes if not e.usable},
                "leaked": annotations.leaked,
                "rule": params.rule().model_dump(),
            },
        )
        write_sums(folder)
    alone = without_siblings(episodes)
    words.annotate(episodes, Status, format_singletons(alone) if alone else "")


if __name__ == "__main__":
    run_stage("annotate", Params, main)

"""Builds the sequence of frames of each split, and counts the windows that it is cut into.

Reads   data/annotate/annotations.json, data/embed
Writes  data/window/<split>.npz (see `skipintro.model.windows`), data/window/manifest.json
"""

from collections.abc import Iterator
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.core.files import check_sums, read_model, write_json, write_sums
from skipintro.core.stage import run_stage, stage_output
from skipintro.core.versions import versions
from skipintro.episodes.annotations import Annotation, Annotations
from skipintro.episodes.embeddings import EmbedManifest, read_vectors
from skipintro.model.params import WindowParams
from skipintro.model.windows import (
    LabelledVectors,
    SplitWindows,
    WindowManifest,
    balanced_sequence,
    whole_sequence,
    window_starts,
    write_sequence,
)
from skipintro.stages import words

ANNOTATIONS = Path("data/annotate/annotations.json")
EMBEDDED = Path("data/embed")
OUTPUT = Path("data/window")

WHOLE = ("train", "whole")  # test keeps to the write-up's protocol, whatever train does

Params = WindowParams


def main(params: Params) -> None:
    """Write both splits' sequences."""
    for folder in (ANNOTATIONS.parent, EMBEDDED):
        check_sums(folder)
    annotations = read_model(Annotations, ANNOTATIONS)
    embedded = read_model(EmbedManifest, EMBEDDED / "manifest.json")
    splits, left_out = {}, dict(embedded.left_out)
    left_out |= {f"{a.split}/{a.id}": a.reason for a in annotations.episodes if not a.usable}
    with stage_output(OUTPUT) as folder:
        for split in ("train", "test"):
            build = whole_sequence if (split, params.train_frames) == WHOLE else balanced_sequence
            sequence = build(
                _episodes(annotations.of_split(split), embedded), embedded.encoder.dimension
            )
            if len(sequence) < params.length:
                raise InputError(
                    f"{split}: its usable episodes give a sequence of {len(sequence)} "
                    f"frames, fewer than one window of {params.length}; add labelled episodes "
                    f"to the split (left out: {len(left_out)}, see data/annotate and data/ingest)"
                )
            write_sequence(folder / f"{split}.npz", sequence)
            n_windows = len(window_starts(len(sequence), params.length, params.stride))
            splits[split] = SplitWindows(
                episodes=len(sequence.ids), frames=len(sequence), windows=n_windows
            )
        manifest = WindowManifest(
            length=params.length,
            stride=params.stride,
            encoder=embedded.encoder,
            splits=splits,
            leaked=annotations.leaked,
            left_out=left_out,
            versions=versions("numpy"),
        )
        write_json(folder / "manifest.json", manifest)
        write_sums(folder)
    words.window(splits)


def _episodes(annotations: list[Annotation], embedded: EmbedManifest) -> Iterator[LabelledVectors]:
    """Yield (id, intro frames, vectors) of the episodes that can be used, in the labels' order."""
    files = {(e.split, e.id): EMBEDDED / e.file for e in embedded.episodes}
    for annotation in annotations:
        file = files.get((annotation.split, annotation.id))
        if annotation.usable and file is not None:
            vectors = read_vectors(file)
            yield annotation.id, annotation.intro_frames(len(vectors)), vectors


if __name__ == "__main__":
    run_stage("window", Params, main)

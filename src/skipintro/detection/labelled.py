"""Reads the labelled episodes of a split, as a detector sees them."""

from pathlib import Path

from skipintro.detection.episode import Episode, LabelledEpisode
from skipintro.episodes.annotations import Annotations
from skipintro.episodes.embeddings import EmbedManifest, read_vectors


def labelled_episodes(
    split: str, annotations: Annotations, embedded: EmbedManifest, folder: Path
) -> list[LabelledEpisode]:
    """Give the episodes whose truth is known and whose video could be used, in the labels' order.

    `folder` holds the arrays that the embed manifest names.
    """
    entries = {e.id: e for e in embedded.episodes if e.split == split}
    found = []
    for annotation in annotations.of_split(split):
        if not annotation.usable or annotation.id not in entries:
            continue
        start_s, end_s = annotation.start_s, annotation.end_s
        truth = None if start_s is None or end_s is None else (start_s, end_s)
        entry = entries[annotation.id]
        vectors = read_vectors(folder / entry.file)
        episode = Episode(annotation.id, annotation.series, vectors)
        found.append(LabelledEpisode(episode, truth, entry.n_seconds - len(vectors)))
    return found

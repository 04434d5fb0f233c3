"""Reads the labelled episodes, as a detector sees them."""

from pathlib import Path

from skipintro.core.files import check_sums, read_model
from skipintro.detection.episode import Episode, LabelledEpisode
from skipintro.episodes.annotations import Annotations
from skipintro.episodes.embeddings import EmbedManifest, read_vectors


def all_labelled(annotations: Path, embedded: Path) -> tuple[list[LabelledEpisode], EmbedManifest]:
    """Give the labelled episodes of all splits, one an id, and what the embed stage says of them.

    `annotations` is the file, `embedded` the folder. Raises InputError where either is missing or
    damaged.
    """
    check_sums(annotations.parent)
    check_sums(embedded)
    read = read_model(Annotations, annotations)
    manifest = read_model(EmbedManifest, embedded / "manifest.json")
    splits = dict.fromkeys(episode.split for episode in read.episodes)
    found = {
        labelled.episode.id: labelled
        for split in splits
        for labelled in labelled_episodes(split, read, manifest, embedded)
    }
    return list(found.values()), manifest


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
        n_not_searched = entry.n_seconds - len(vectors)
        found.append(LabelledEpisode(episode, truth, n_not_searched, annotation.tags))
    return found

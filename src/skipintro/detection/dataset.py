"""Reads the labelled episodes, as a detector sees them."""

from dataclasses import dataclass, replace
from pathlib import Path

from skipintro.core.files import check_sums, read_model
from skipintro.core.layout import ANNOTATIONS, EMBEDDED, FINGERPRINTED
from skipintro.detection.episode import Episode, LabelledEpisode
from skipintro.episodes.annotations import Annotations
from skipintro.episodes.embeddings import EmbedManifest, read_vectors
from skipintro.evidence.manifest import FingerprintManifest, read_evidence


@dataclass(frozen=True, eq=False)
class LabelledData:
    """What the stages before have left in a checkout."""

    checkout: Path
    annotations: Annotations
    embedded: EmbedManifest
    fingerprinted: FingerprintManifest

    def episodes(self, split: str) -> list[LabelledEpisode]:
        """Return the episodes whose truth is known and whose video could be used.

        They are in the order of the labels. Raises InputError where an array is damaged.
        """
        entries = {e.id: e for e in self.embedded.episodes if e.split == split}
        found = []
        for one in fingerprinted_episodes(
            split, self.annotations, self.fingerprinted, self.checkout
        ):
            if entry := entries.get(one.episode.id):
                vectors = read_vectors(self.checkout / EMBEDDED / entry.file)
                episode = replace(one.episode, vectors=vectors)
                n_not_searched = entry.n_seconds - len(vectors)
                found.append(replace(one, episode=episode, n_not_searched=n_not_searched))
        return found

    def every_episode(self) -> list[LabelledEpisode]:
        """Return the labelled episodes of all splits, one an id."""
        splits = dict.fromkeys(episode.split for episode in self.annotations.episodes)
        found = {one.episode.id: one for split in splits for one in self.episodes(split)}
        return list(found.values())


def read_labelled(checkout: Path = Path()) -> LabelledData:
    """Return what a checkout holds. Raises InputError where something is missing or damaged."""
    annotations, fingerprinted = read_fingerprinted(checkout)
    check_sums(checkout / EMBEDDED)
    embedded = read_model(EmbedManifest, checkout / EMBEDDED / "manifest.json")
    return LabelledData(checkout, annotations, embedded, fingerprinted)


def read_fingerprinted(checkout: Path = Path()) -> tuple[Annotations, FingerprintManifest]:
    """Return labels and fingerprints of a checkout, and leave its embeddings alone.

    Raises InputError where something is missing or damaged.
    """
    for folder in (ANNOTATIONS.parent, FINGERPRINTED):
        check_sums(checkout / folder)
    return (
        read_model(Annotations, checkout / ANNOTATIONS),
        read_model(FingerprintManifest, checkout / FINGERPRINTED / "manifest.json"),
    )


def fingerprinted_episodes(
    split: str, annotations: Annotations, manifest: FingerprintManifest, checkout: Path = Path()
) -> list[LabelledEpisode]:
    """Return the episodes whose truth is known, with fingerprints and without embeddings."""
    entries = {e.id: e for e in manifest.episodes if e.split == split}
    return [
        LabelledEpisode(
            Episode(
                annotation.id,
                annotation.series,
                fingerprints=read_evidence(checkout / FINGERPRINTED / entries[annotation.id].file),
            ),
            annotation.intervals[0] if annotation.intervals else None,
            tags=annotation.tags,
            further=annotation.further,
        )
        for annotation in annotations.of_split(split)
        if annotation.usable and annotation.id in entries
    ]

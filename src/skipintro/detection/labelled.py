"""Reads the labelled episodes, as a detector sees them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skipintro.core.files import check_sums, read_model
from skipintro.core.layout import ANNOTATIONS, EMBEDDED, FINGERPRINTED
from skipintro.detection.episode import Episode, Interval, LabelledEpisode
from skipintro.episodes.annotations import Annotation, Annotations
from skipintro.episodes.embeddings import EmbedManifest, read_vectors
from skipintro.episodes.fingerprints import FingerprintManifest, read_evidence
from skipintro.evidence.track import Evidence


@dataclass(frozen=True, eq=False)
class FingerprintedLabel:
    """The fingerprints of an episode, and its corrected label."""

    annotation: Annotation
    truth: Interval | None  # None: no intro
    evidence: Evidence


@dataclass(frozen=True, eq=False)
class LabelledData:
    """What the stages before have left in a checkout."""

    checkout: Path
    annotations: Annotations
    embedded: EmbedManifest
    fingerprinted: FingerprintManifest

    def episodes(self, split: str) -> list[LabelledEpisode]:
        """Return the episodes whose truth is known and whose video could be used.

        They stand in the order of the labels. Raises InputError where an array is damaged.
        """
        entries = {e.id: e for e in self.embedded.episodes if e.split == split}
        fingerprints = {
            label.annotation.id: label.evidence
            for label in fingerprinted_labels(
                split, self.annotations, self.fingerprinted, self.checkout / FINGERPRINTED
            )
        }
        found = []
        for annotation in self.annotations.of_split(split):
            if not annotation.usable or annotation.id not in entries:
                continue
            entry = entries[annotation.id]
            vectors = read_vectors(self.checkout / EMBEDDED / entry.file)
            episode = Episode(
                annotation.id, annotation.series, vectors, fingerprints[annotation.id]
            )
            n_not_searched = entry.n_seconds - len(vectors)
            found.append(
                LabelledEpisode(episode, _truth(annotation), n_not_searched, annotation.tags)
            )
        return found

    def every_episode(self) -> list[LabelledEpisode]:
        """Return the labelled episodes of all splits, one an id."""
        splits = dict.fromkeys(episode.split for episode in self.annotations.episodes)
        found = {
            labelled.episode.id: labelled for split in splits for labelled in self.episodes(split)
        }
        return list(found.values())


def read_labelled(checkout: Path = Path()) -> LabelledData:
    """Return what a checkout holds. Raises InputError where something is missing or damaged."""
    for folder in (ANNOTATIONS.parent, EMBEDDED, FINGERPRINTED):
        check_sums(checkout / folder)
    return LabelledData(
        checkout=checkout,
        annotations=read_model(Annotations, checkout / ANNOTATIONS),
        embedded=read_model(EmbedManifest, checkout / EMBEDDED / "manifest.json"),
        fingerprinted=read_model(FingerprintManifest, checkout / FINGERPRINTED / "manifest.json"),
    )


def fingerprinted_labels(
    split: str, annotations: Annotations, manifest: FingerprintManifest, folder: Path
) -> Iterator[FingerprintedLabel]:
    """Yield the episodes whose truth is known, with the fingerprints that `manifest` names."""
    entries = {e.id: e for e in manifest.episodes if e.split == split}
    for annotation in annotations.of_split(split):
        if annotation.usable and annotation.id in entries:
            evidence = read_evidence(folder / entries[annotation.id].file)
            yield FingerprintedLabel(annotation, _truth(annotation), evidence)


def _truth(annotation: Annotation) -> Interval | None:
    if annotation.start_s is None or annotation.end_s is None:
        return None
    return annotation.start_s, annotation.end_s

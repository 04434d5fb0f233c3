"""Learns the priors from several labelled libraries, each the checkout of a finished pipeline."""

from collections.abc import Sequence
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.core.files import read_model
from skipintro.detection.candidates import CandidateConfig
from skipintro.detection.fitting import FitSettings, fit_priors
from skipintro.detection.labelled import labelled_episodes
from skipintro.detection.series_files import PriorFile, prior_weights
from skipintro.episodes.annotations import Annotations
from skipintro.episodes.embeddings import EmbedManifest

_EMBEDDED = Path("data/embed")
_ANNOTATIONS = Path("data/annotate/annotations.json")


def learn_prior(
    checkouts: Sequence[Path],
    base: CandidateConfig,
    settings: FitSettings,
    regularisation: float,
    learned_from: str,
) -> PriorFile:
    """Give the prior of all labelled episodes of the checkouts, train and test.

    Raises InputError where one lacks its data or holds no labelled episode.
    """
    libraries, videos, encoders = [], [], set()
    for checkout in checkouts:
        annotations = read_model(Annotations, checkout / _ANNOTATIONS)
        embedded = read_model(EmbedManifest, checkout / _EMBEDDED / "manifest.json")
        splits = dict.fromkeys(episode.split for episode in annotations.episodes)
        episodes = {
            labelled.episode.id: labelled
            for split in splits
            for labelled in labelled_episodes(split, annotations, embedded, checkout / _EMBEDDED)
        }
        if not episodes:
            raise InputError(f"{checkout}: no labelled episode; run `dvc repro window` in it")
        libraries.append(list(episodes.values()))
        videos += [e.video_sha256 for e in embedded.episodes]
        encoders.add(embedded.encoder.name)
    priors = fit_priors(libraries, base, settings, regularisation)
    return PriorFile(
        learned_from=learned_from,
        encoder=", ".join(sorted(encoders)),
        episodes=sum(len(library) for library in libraries),
        regularisation=regularisation,
        videos=sorted(set(videos)),
        weights=prior_weights(priors),
    )

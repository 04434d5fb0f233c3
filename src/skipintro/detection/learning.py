"""Learns the priors from several labelled libraries, each the checkout of a finished pipeline."""

from collections.abc import Sequence
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.detection.candidates import CandidateConfig
from skipintro.detection.fitting import FitSettings, fit_priors
from skipintro.detection.labelled import all_labelled
from skipintro.detection.series_files import PriorFile, prior_weights

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
        episodes, embedded = all_labelled(checkout / _ANNOTATIONS, checkout / _EMBEDDED)
        if not episodes:
            raise InputError(f"{checkout}: no labelled episode; run `dvc repro window` in it")
        libraries.append(episodes)
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

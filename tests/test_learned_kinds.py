"""From labelled episodes to a detector: the settings that it keeps."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contest_cases import drawn_series
from season_cases import FINGERPRINT, KINDS, LEARNING
from skipintro.core.errors import InputError
from skipintro.detectors import fit_library
from skipintro.detectors.fit_library import learn, learn_from_checkouts
from skipintro.evidence.chroma import ChromaSettings
from skipintro.evidence.settings import FingerprintSettings

HEARD = FINGERPRINT.model_copy(update={"chroma": ChromaSettings(algorithm="chromaprint-test2")})
OTHER = FINGERPRINT.model_copy(
    update={"pictures": FINGERPRINT.pictures.model_copy(update={"flat": 9.0})}
)
EPISODES = [
    labelled
    for seed, name in enumerate(("one", "two"), 1)
    for labelled in drawn_series(name, 3, seed=seed, kinds=(*KINDS, "chroma"))
]


def test_a_detector_records_the_kinds_alone_that_it_compares() -> None:
    """So that it takes no time for points that it makes no use of."""
    assert learn(EPISODES, HEARD, LEARNING).detector.config.fingerprint == FINGERPRINT


@pytest.mark.parametrize(
    ("given", "is_told"),
    [([HEARD, FINGERPRINT], False), ([FINGERPRINT, HEARD], False), ([HEARD, OTHER], True)],
)
def test_checkouts_may_differ_in_kinds_that_nobody_compares(
    monkeypatch: pytest.MonkeyPatch, given: list[FingerprintSettings], is_told: bool
) -> None:
    manifests = iter(given)
    annotations = SimpleNamespace(episodes=[SimpleNamespace(split="train")])
    monkeypatch.setattr(
        fit_library,
        "read_fingerprinted",
        lambda _: (annotations, SimpleNamespace(fingerprint=next(manifests))),
    )
    monkeypatch.setattr(fit_library, "fingerprinted_episodes", lambda *_: EPISODES)
    asked: list[Any] = []

    def learned(_: Any, settings: FingerprintSettings, *__: Any) -> Any:
        asked.append(settings)
        return SimpleNamespace(detector=None)

    monkeypatch.setattr(fit_library, "learn", learned)
    checkouts = [Path("first"), Path("second")]
    if is_told:
        with pytest.raises(InputError, match=r"second.*made with other settings than those of"):
            learn_from_checkouts(checkouts, LEARNING, "")
        return
    assert learn_from_checkouts(checkouts, LEARNING, "")[1] == 2 * len(EPISODES)
    assert asked == [FINGERPRINT]

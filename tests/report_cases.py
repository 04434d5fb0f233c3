"""Reports to draw: of known outcomes, with a name that must stay text, and a long one."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from outcome_cases import outcome
from skipintro.evaluation.calibration import reliability, risk_coverage
from skipintro.evaluation.comparison import compare
from skipintro.evaluation.report import HeadlineFigures, Report, episode_row
from skipintro.evaluation.results import Outcome

HOSTILE = (
    "</script><script>alert('\"1\"')</script><img src=x onerror=alert(2)> & Кухня 🍳 \u202eabc"
)
OUTCOMES = [
    replace(row, id=name)
    for name, row in {
        "exact": outcome((10, 20), (10, 20), series="a", seen=True, n_seconds=600, confidence=0.9),
        "late": outcome((0, 30), (2, 28), series="b", n_seconds=600, confidence=0.8),
        "wide": outcome((100, 120), (95, 140), series="b", n_seconds=600, confidence=0.7),
        "missed": outcome((40, 70), series="c", n_seconds=600, corrected=True),
        "alarm": outcome(None, (50, 55), series="b", n_seconds=600, confidence=0.6),
        "none": outcome(None, series="c", n_seconds=600),
        "copy": outcome((0, 30), (0, 30), series="a", seen=True, leaked=True, n_seconds=600),
    }.items()
]
TRAINING = {
    "epoch": (1.0, 2.0, 3.0),
    "train_loss": (0.75, 0.5, 0.25),
    "test_loss": (0.8, float("nan"), 0.4),
    "train_f1": (0.5, 0.75, 1.0),
}


def report(outcomes: Sequence[Outcome] = OUTCOMES, **changes: Any) -> Report:
    silent = [replace(row, predicted=(), confidence=None) for row in outcomes]
    detectors = {"silent": silent, "ours": outcomes}
    fields: dict[str, Any] = {
        "detector": "ours",
        "comparison": compare(detectors, n_resamples=20, seed=0, level=0.95),
        "episodes": tuple(episode_row(row) for row in outcomes),
        "training": TRAINING,
        "reliability": reliability(outcomes),
        "risk_coverage": risk_coverage(outcomes),
        "facts": {"commit": "0123abc"},
    }
    return Report(**{**fields, **changes})


def named(name: str) -> Report:
    """Return a report in which every text that comes from data is one name."""
    rows = [replace(row, id=f"{name} {k}", series=name) for k, row in enumerate(OUTCOMES)]
    champion = HeadlineFigures(
        name=name, f1_within_3s=0.5, story_s_per_hour=1.0, false_alarms=0, without_intro=1
    )
    return report(
        rows,
        comparison=compare({name: rows}, n_resamples=5, seed=0, level=0.95),
        detector=name,
        detectors={name: name},
        champion=champion,
        about_champion=name,
        notes=(name,),
        facts={name: name},
        training={"epoch": (1.0, 2.0), f"{name}_loss": (1.0, 0.5), "test_loss": (1.0, 0.5)},
    )


def jpeg(colour: tuple[int, int, int] | None = None) -> bytes:
    """Return a picture as large as a thumbnail: of one colour, or of noise (the largest file)."""
    pixels = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    image = Image.new("RGB", (160, 90), colour) if colour else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    return file.getvalue()


def long_report() -> Report:
    """Return a report of 100 episodes of 45 minutes, with four pictures each; the last is worst."""
    rng = np.random.default_rng(0)
    rows = [
        Outcome(
            id=f"episode {index}",
            series=f"series {index % 9}",
            truth=(60.0, 90.0),
            predicted=((61.0, 95.0 + index),),
            confidence=0.5,
            n_seconds=2700,
            probabilities=rng.random(2700, np.float32),
            seen=False,
            leaked=False,
            corrected=False,
        )
        for index in range(100)
    ]
    pictures = [jpeg()] * 4
    return report(rows, episodes=tuple(episode_row(row, pictures) for row in rows))

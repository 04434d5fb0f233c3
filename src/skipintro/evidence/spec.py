"""The fingerprints of a video as a kind of evidence that every engine makes."""

import os
from dataclasses import dataclass
from typing import Any

from skipintro.core.cache_dir import code_hash
from skipintro.core.versions import versions
from skipintro.engines.base import Job, Origin
from skipintro.evidence.recording import record, to_bytes
from skipintro.evidence.settings import FingerprintSettings

_PACKAGES = ("av", "numpy", "scipy")


@dataclass(frozen=True)
class FingerprintSpec:
    """All that shapes the fingerprints of a video."""

    fingerprint: FingerprintSettings

    @property
    def uses_gpu(self) -> bool:
        """Return False: decoding is all of the work."""
        return False

    @property
    def n_at_once(self) -> int:
        """Return as many videos as there are cores."""
        return os.cpu_count() or 1

    def open(self) -> "Recorder":
        """Return a maker; there is nothing to load."""
        return Recorder(self)

    def origin(self) -> "FingerprintOrigin":
        """Return what makes the fingerprints."""
        return FingerprintOrigin(
            code_hash("skipintro.evidence.recording"), versions(*_PACKAGES), self
        )


@dataclass(frozen=True)
class FingerprintOrigin(Origin):
    """What made the fingerprints of a video."""

    spec: FingerprintSpec

    def settings(self) -> dict[str, Any]:
        """Return the settings of each kind."""
        return {"settings": self.spec.fingerprint.model_dump()}


class Recorder:
    """Records whole videos."""

    def __init__(self, spec: FingerprintSpec) -> None:
        self._settings = spec.fingerprint
        self.origin = spec.origin()

    def make(self, job: Job) -> bytes:
        """Return a job's evidence as the bytes of an .npz file."""
        return to_bytes(record(job.path, self._settings, limits=job.limits))

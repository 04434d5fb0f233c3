"""What an engine is, and what a kind of evidence has to bring so that every engine makes it.

A kind brings a `Spec`, which can be sent to another process and opens a `Maker` there, and an
`Origin`. Engines read the videos of their jobs and write each job's target, whole, as soon as its
bytes are there. They shape no byte: the spec holds all that does.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from pydantic import Field

from skipintro.core.arithmetic import in_use
from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file, sha256_of_json
from skipintro.core.params import StageParams
from skipintro.video.info import USUAL_LIMITS, DecodingLimits


class RayParams(StageParams):
    """Section `compute.ray` of params.yaml: where the workers run, and what each one is given."""

    workers: int = Field(ge=1)
    cpus_per_worker: float = Field(gt=0)
    gpus_per_worker: float = Field(ge=0)
    address: str | None = Field(min_length=1)


class ComputeParams(StageParams):
    """Section `compute` of params.yaml: where evidence is made. It shapes no byte."""

    engine: Literal["local", "ray"]
    ray: RayParams


@dataclass(frozen=True)
class Job:
    """One video, the hash and length that it must have, and the file for what is made of it."""

    path: Path
    sha256: str
    n_seconds: int
    target: Path
    limits: DecodingLimits = USUAL_LIMITS


@dataclass(frozen=True)
class Origin(ABC):
    """What made the bytes of a target: equal origins, equal bytes."""

    code: str  # hash of the source
    versions: dict[str, str]  # of the packages

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return all else that shapes the bytes, as JSON, by the names that people know it by."""

    @property
    def key(self) -> str:
        """Return the hash by which targets are cached."""
        return sha256_of_json(
            {
                **self.settings(),
                "made_by": self.code,
                "versions": self.versions,
                "arithmetic": in_use(),
            }
        )

    def differences(self, theirs: "Origin") -> list[str]:
        """Return what differs in another origin of the same kind, in words."""
        found = {
            f"{name} {version} (here {self.versions[name]})"
            for name, version in theirs.versions.items()
            if version != self.versions[name]
        }
        if theirs.code != self.code:
            found.add("code of skipintro")
        ours, other = self.settings(), theirs.settings()
        return sorted(found | {name for name in ours if other[name] != ours[name]})


OriginT = TypeVar("OriginT", bound=Origin)
OriginT_co = TypeVar("OriginT_co", bound=Origin, covariant=True)


class Maker(Protocol[OriginT_co]):
    """Makes one kind of evidence of a video."""

    @property
    def origin(self) -> OriginT_co:
        """Return what its bytes are made by."""
        ...

    def make(self, job: Job) -> bytes:
        """Return the bytes of a job's target; may run in several threads at once.

        Raises InputError, as VideoError where decoding fails.
        """
        ...


class Spec(Protocol[OriginT_co]):
    """All that shapes one kind of evidence: the same spec, code and packages, the same bytes.

    It can be pickled, and is small.
    """

    @property
    def uses_gpu(self) -> bool:
        """Return whether its maker works on a GPU."""
        ...

    @property
    def n_at_once(self) -> int:
        """Return how many videos one maker in this process takes at a time."""
        ...

    def open(self) -> Maker[OriginT_co]:
        """Return a maker in this process. Raises InputError where something for it is missing."""
        ...

    def origin(self) -> OriginT_co:
        """Return the origin that its maker would have, also where that maker could not work."""
        ...


class Engine(Protocol[OriginT_co]):
    """Jobs in, finished jobs out."""

    @property
    def origin(self) -> OriginT_co:
        """Return what its targets are made by."""
        ...

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Yield each job when its target is written; raises what stopped it (InputError)."""
        ...


def made(maker: Maker[Origin], job: Job) -> bytes:
    """Return the bytes of a job's target.

    Raises InputError where the file is not the one that was ingested, and what the maker raises.
    """
    if not job.path.is_file() or sha256_of_file(job.path) != job.sha256:
        raise InputError(
            f"{job.path}: gone or changed since it was ingested; put it back, or run "
            "`dvc repro` once more to ingest it again"
        )
    return maker.make(job)

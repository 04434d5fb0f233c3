"""Makes evidence in this process."""

from collections.abc import Iterator, Sequence
from typing import Generic

from skipintro.core.files import write_checked
from skipintro.core.isolation import thread_map
from skipintro.engines.base import Job, OriginT, Spec, made


class LocalEngine(Generic[OriginT]):
    """So many videos at once by one maker, which the decoding of one may not feed."""

    def __init__(self, spec: Spec[OriginT], n_at_once: int) -> None:
        self._maker = spec.open()
        self._n_at_once = n_at_once
        self.origin = self._maker.origin

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Yield each job when its target, and those of the jobs before it, are written."""

        def finished(job: Job) -> Job:
            write_checked(job.target, made(self._maker, job))
            return job

        with thread_map(self._n_at_once) as mapped:
            yield from mapped(finished, jobs)

"""Makes evidence in Ray's workers, on this machine or on many; the only importer of ray.

A worker is a process with one maker. It reads videos and returns bytes; this process writes them. A
worker that is lost (killed, out of memory, its machine gone) is replaced, and its episode is done
again.
"""

import logging
import math
import os
import signal
import socket
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic

# Ray reads these when it is imported. The second keeps a cluster on this machine to the loopback
# interface: whoever reaches a port of Ray's can run code.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

import ray
from ray.exceptions import RayError, RayTaskError, UnserializableException

from skipintro.core import arithmetic
from skipintro.core.errors import InputError
from skipintro.core.files import write_checked
from skipintro.engines.base import Job, Origin, OriginT, RayParams, Spec, made

_ATTEMPTS = 3  # of one episode; what ends its worker that often will do so again
_CONNECT_S = 5.0
_REPORT_EVERY_S = 30.0
_OBJECT_STORE = 256 * 2**20  # bytes; the evidence of an hour is some MB
_SOURCE = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


class Worker:
    """Runs in a process of Ray's, in the folder of the checkout, with one maker.

    A fault of the input is a result, not an exception: Ray would wrap that into others.
    """

    def prepare(self, folder: Path, spec: Spec[Origin]) -> Origin | InputError | OSError:
        """Open the maker; returns what its bytes are made by."""
        try:
            os.chdir(folder)
        except OSError:
            return InputError(
                f"{socket.gethostname()}: {folder}: not there; the checkout has to be at the "
                "same place on every machine of the cluster"
            )
        try:
            self._maker = spec.open()
        except (InputError, OSError) as error:
            return error
        return self._maker.origin

    def make(self, job: Job) -> bytes | InputError | OSError:
        """Return the bytes of a job's target."""
        try:
            return made(self._maker, job)
        except (InputError, OSError) as error:
            return error

    def where(self) -> tuple[str, int]:
        """Return the machine and the process."""
        return socket.gethostname(), os.getpid()


class RayEngine(Generic[OriginT]):
    """As many jobs at a time as there are workers."""

    def __init__(self, spec: Spec[OriginT], ray_params: RayParams) -> None:
        self._params, self._spec = ray_params, spec
        self._n_gpus = ray_params.gpus_per_worker if spec.uses_gpu else 0.0
        self.origin = spec.origin()

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Yield each job when its target is written, in the order in which they are done."""
        if not jobs:
            return
        with _cluster(self._params):
            self._check_room()
            yield from self._run(deque(jobs))

    def _run(self, waiting: deque[Job]) -> Iterator[Job]:
        running: dict[Any, tuple[Any, Job | None]] = {}  # what a worker does; None: it loads
        losses: Counter[Job | None] = Counter()
        workers = min(self._params.workers, len(waiting))
        for _ in range(workers):
            self._start(running)
        while waiting or any(job for _, job in running.values()):
            done, _ = ray.wait(list(running), timeout=_REPORT_EVERY_S)
            if not done:
                log.info("%d workers of Ray's at work or waiting for room", len(running))
            for reference in done:
                worker, job = running.pop(reference)
                try:
                    self._take(ray.get(reference), worker, job)
                except (RayTaskError, UnserializableException):
                    raise  # a mistake in the code shows where
                except RayError as error:
                    losses[job] += 1
                    self._bury(job, error, losses[job], workers)
                    if job:
                        waiting.appendleft(job)
                    self._start(running)
                    continue
                if waiting:
                    following = waiting.popleft()
                    running[worker.make.remote(following)] = (worker, following)
                else:
                    ray.kill(worker)
                if job:
                    yield job

    def _take(self, result: Any, worker: Any, job: Job | None) -> None:
        """Write a job's target; of a worker that has loaded, look at what it will make."""
        if isinstance(result, (InputError, OSError)):
            raise result
        if job is None:
            self._check(result, worker)
        else:
            write_checked(job.target, result)

    def _start(self, running: dict[Any, tuple[Any, Job | None]]) -> None:
        """Ask for one more worker; it may have to wait until the cluster has room."""
        environment = {
            **arithmetic.environment(arithmetic.in_use()),
            "PYTHONPATH": str(_SOURCE),
            "OMP_NUM_THREADS": str(max(1, int(self._params.cpus_per_worker))),
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        actor: Any = ray.remote(Worker)
        worker = actor.options(
            num_cpus=self._params.cpus_per_worker,
            num_gpus=self._n_gpus,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": environment},
        ).remote()
        running[worker.prepare.remote(Path.cwd(), self._spec)] = (worker, None)

    def _bury(self, job: Job | None, error: RayError, n_losses: int, workers: int) -> None:
        """Log a lost worker. Raises InputError where one more would be lost as well."""
        reason = next((line for line in str(error).splitlines() if line), type(error).__name__)
        if "ModuleNotFoundError" in str(error):
            raise InputError(
                f"{_SOURCE}: Ray's workers cannot import skipintro from here, or not all that it "
                "needs; the checkout and its environment have to be at the same place on every "
                "machine of the cluster"
            )
        if job is None and n_losses < _ATTEMPTS * workers:
            log.warning("a worker was lost while it loaded (%s); starting another", reason)
        elif job is None:
            raise InputError(
                f"{n_losses} workers of Ray's were lost while they loaded, the last one: {reason}; "
                "give each more memory, or set compute.ray.workers lower"
            )
        elif n_losses < _ATTEMPTS:
            log.warning("%s: its worker was lost (%s); doing it again", job.path, reason)
        else:
            raise InputError(
                f"{job.path}: {n_losses} workers were lost over this file, the last one: "
                f"{reason}; replace the file, drop the episode, or give each worker more memory"
            )

    def _check(self, theirs: Origin, worker: Any) -> None:
        """Refuse a worker whose bytes would be others than this process's."""
        if theirs == self.origin:
            return
        host, _ = ray.get(worker.where.remote())
        raise InputError(
            f"{host}: a worker with other {', '.join(self.origin.differences(theirs))}; install "
            "requirements.lock and the same commit on every machine of the cluster"
        )

    def _check_room(self) -> None:
        """Refuse workers that no machine of the cluster could ever hold."""
        needed = {"CPU": self._params.cpus_per_worker, "GPU": self._n_gpus}
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]  # Ray's
        if not any(all(m.get(k, 0) >= n for k, n in needed.items()) for m in machines):
            largest = {kind: max(m.get(kind, 0) for m in machines) for kind in needed}
            raise InputError(
                f"params.yaml: compute.ray: a worker needs {needed['CPU']:g} CPUs and "
                f"{needed['GPU']:g} GPUs, but the largest machine of the cluster has "
                f"{largest['CPU']:g} and {largest['GPU']:g}; correct cpus_per_worker or "
                "gpus_per_worker, or start a larger machine"
            )


@contextmanager
def _cluster(params: RayParams) -> Iterator[None]:
    """Start a cluster on this machine, or join the one at an address; leave it at the end."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if params.address is None:
            ray.init(
                "local",
                num_cpus=max(1, math.ceil(params.workers * params.cpus_per_worker)),
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE,
                **quiet,
            )
        else:
            _join(params.address, quiet)
        if callable(on_sigterm):
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own there
        yield
    except SystemExit:
        if callable(on_sigterm):  # Ray's calls turn every exit code into 1: leave once more
            on_sigterm(signal.SIGTERM, None)
        raise
    finally:
        ray.shutdown()


def _join(address: str, quiet: dict[str, Any]) -> None:
    """Join a running cluster. Raises InputError, within seconds, where there is none."""
    remedy = (
        "start one (`ray start --head`), correct compute.ray.address, or set it to null for a "
        "cluster on this machine alone"
    )
    place = address.removeprefix("ray://")
    if address != "auto":
        host, _, port = place.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S):
                pass  # Ray itself would try for many minutes
        except ValueError as error:
            raise InputError(
                f"params.yaml: compute.ray.address: expected host:port, got {address!r}; correct it"
            ) from error
        except OSError as error:
            raise InputError(
                f"params.yaml: compute.ray.address: {address}: no Ray cluster responds "
                f"({error.strerror or error}); {remedy}"
            ) from error
    try:
        ray.init(address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        fault = next((line for line in str(error).splitlines() if line), type(error).__name__)
        reasons = f"{error} {error.__cause__} {error.__context__}"
        if "AuthToken" in reasons or "AUTH_TOKEN" in reasons:
            fault = "it requires a token"
            remedy = (
                "copy ~/.ray/auth_token from its first machine, and `export RAY_AUTH_MODE=token`"
            )
        raise InputError(
            f"params.yaml: compute.ray.address: {address}: cannot be joined ({fault}); {remedy}"
        ) from error

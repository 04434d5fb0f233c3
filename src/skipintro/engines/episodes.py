"""Evidence of all usable episodes: made once for each content, and cached from run to run."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.core.files import is_intact, read_checked
from skipintro.core.progress import Unit, progress
from skipintro.engines.base import Engine, Job, Origin
from skipintro.episodes.catalog import IngestedEpisode, IngestManifest
from skipintro.video.info import VideoInfo


@dataclass(frozen=True)
class EpisodeJob:
    """A usable episode and the job for its content, which other episodes may share."""

    split: str
    id: str
    video: VideoInfo
    job: Job

    def content(self) -> bytes:
        """Return the bytes that were made. Raises InputError where they are gone or damaged."""
        content = read_checked(self.job.target)
        if content is None:
            raise InputError(
                f"{self.job.target}: gone or damaged meanwhile; run `dvc repro` to make it again"
            )
        return content

    def changed(self, found: str, expected: str) -> InputError:
        """Return the error for a video of which something else was made than was ingested."""
        return InputError(
            f"{self.job.path}: {found}, {expected} when it was ingested; "
            "run `dvc repro --force ingest`"
        )


def episode_jobs(ingested: IngestManifest, memory: Path, suffix: str) -> list[EpisodeJob]:
    """Return a job for each usable episode, with a target in `memory` by content."""

    def job_of(episode: IngestedEpisode) -> EpisodeJob:
        path, sha256, video = episode.path, episode.sha256, episode.video
        if path is None or sha256 is None or video is None:
            raise InputError(
                f"data/ingest/manifest.json: {episode.id}: incomplete; run `dvc repro`"
            )
        target = memory / f"{sha256}{suffix}"
        job = Job(path, sha256, video.n_seconds, target, ingested.decoding)
        return EpisodeJob(episode.split, episode.id, video, job)

    return [job_of(episode) for episode in ingested.usable().values()]


def make_missing(engine: Engine[Origin], episodes: Iterable[EpisodeJob]) -> int:
    """Make what is not cached intact; returns how much that was.

    A leaked episode is in two splits, and is made once.
    """
    by_content: dict[str, Job] = {}
    for episode in episodes:
        by_content.setdefault(episode.job.sha256, episode.job)
    jobs = [job for job in by_content.values() if not is_intact(job.target)]
    for _ in progress(engine.run(jobs), len(jobs), Unit.EPISODES):
        pass
    return len(jobs)

"""Turns every usable episode into fingerprints of its pictures and of its sound.

Reads   data/ingest (manifest.json and the videos that it names)
Writes  data/fingerprint/<split>/<id>.npz, the evidence of one episode, and
        data/fingerprint/manifest.json
"""

import logging
from pathlib import Path

from skipintro.core.arithmetic import in_use
from skipintro.core.cache_dir import cache_dir
from skipintro.core.files import atomic_write, check_sums, read_model, write_json, write_sums
from skipintro.core.params import StageParams
from skipintro.core.stage import run_stage, stage_output
from skipintro.engines.base import ComputeParams
from skipintro.engines.choice import open_engine
from skipintro.engines.episodes import EpisodeJob, episode_jobs, make_missing
from skipintro.episodes.catalog import IngestManifest
from skipintro.evidence.chroma import ChromaSettings
from skipintro.evidence.manifest import FingerprintedEpisode, FingerprintManifest
from skipintro.evidence.pictures import PictureSettings
from skipintro.evidence.recording import PICTURES_ALONE, of_bytes
from skipintro.evidence.settings import FingerprintSettings
from skipintro.evidence.sound import SoundSettings
from skipintro.evidence.spec import FingerprintSpec
from skipintro.stages import words

INGESTED = Path("data/ingest")
OUTPUT = Path("data/fingerprint")

log = logging.getLogger(__name__)


class Params(StageParams):
    """Section `fingerprint` of params.yaml, and `compute`."""

    compute: ComputeParams
    pictures: PictureSettings
    sound: SoundSettings
    chroma: ChromaSettings | None = None  # for the published rules of sound among the baselines

    def fingerprint(self) -> FingerprintSettings:
        """Return the params as the package knows them."""
        return FingerprintSettings(pictures=self.pictures, sound=self.sound, chroma=self.chroma)


def main(params: Params) -> None:
    """Record every usable episode; earlier results of the same settings come from the cache."""
    check_sums(INGESTED)
    ingested = read_model(IngestManifest, INGESTED / "manifest.json")
    settings = params.fingerprint()
    engine = open_engine(params.compute, FingerprintSpec(settings))
    memory = cache_dir(f"fingerprints/{engine.origin.key}")
    episodes = episode_jobs(ingested, memory, ".npz")
    n_made = make_missing(engine, episodes)
    # A recording ends with the last picture that has begun.
    most_off_s = ingested.truncation_tolerance_s + 1 / settings.pictures.rate
    with stage_output(OUTPUT) as folder:
        manifest = FingerprintManifest(
            fingerprint=settings,
            episodes=[_written(episode, most_off_s, folder) for episode in episodes],
            left_out=ingested.left_out(),
            arithmetic=in_use(),
            versions=engine.origin.versions,
        )
        write_json(folder / "manifest.json", manifest)
        write_sums(folder)
    words.fingerprint(len(episodes), n_made)


def _written(episode: EpisodeJob, most_off_s: float, folder: Path) -> FingerprintedEpisode:
    """Put one episode's evidence from memory into the output folder."""
    content = episode.content()
    evidence, expected_s = of_bytes(content, episode.job.target), episode.video.duration_s
    if abs(evidence.length_s - expected_s) > most_off_s:
        raise episode.changed(f"{evidence.length_s:.1f} s of pictures", f"{expected_s:.1f} s")
    if evidence.is_sound_undecodable:
        log.warning(PICTURES_ALONE, episode.job.path)
    file = Path(episode.split) / f"{episode.id}.npz"
    with atomic_write(folder / file) as draft:
        draft.write_bytes(content)
    return FingerprintedEpisode(
        split=episode.split,
        id=episode.id,
        file=file,
        length_s=evidence.length_s,
        video_sha256=episode.job.sha256,
        is_sound_undecodable=evidence.is_sound_undecodable,
    )


if __name__ == "__main__":
    run_stage("fingerprint", Params, main)

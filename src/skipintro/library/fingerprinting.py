"""The fingerprints of videos by content and settings: made once, whatever detector reads them."""

from collections.abc import Sequence
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.core.files import read_checked, remove_stale, write_checked
from skipintro.detection.episode import Prediction
from skipintro.detectors.explaining import explained
from skipintro.detectors.openings import load_openings
from skipintro.episodes.search import seconds_to_decode
from skipintro.evidence.recording import of_bytes, record_checked, to_bytes
from skipintro.evidence.spec import FingerprintSpec
from skipintro.evidence.track import Evidence
from skipintro.library.cache import Memory
from skipintro.library.kept import is_kept, promised_length_s
from skipintro.library.results import Answer
from skipintro.matching.shared import SharedEvidence
from skipintro.video.container import VideoError


class Fingerprinter:
    """An opening detector at work on videos; earlier results come from the cache."""

    def __init__(self, folder: Path, memory: Memory) -> None:
        self._detector = load_openings(folder)
        self._lengths: dict[str, float | None] = {}  # by sha256
        origin = FingerprintSpec(self._detector.config.fingerprint).origin()
        self._folder = memory.folder / "fingerprints" / origin.key
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_stale(self._folder)

    def load(self) -> None:
        """Do nothing: there is no encoder to load."""

    def has(self, answer: Answer) -> bool:
        """Return whether the fingerprints are available; what cannot be opened has none."""
        self._lengths[answer.sha256] = promised_length_s(answer.video)
        return is_kept(self._file(answer))

    def make(self, answer: Answer) -> Evidence | InputError:
        """Return the evidence of a video, or its fault; may run in any thread."""
        promised_s = self._lengths[answer.sha256]
        n_seconds = self._n_seconds(answer)
        try:
            return record_checked(
                answer.video, self._detector.config.fingerprint, n_seconds, promised_s
            )
        except VideoError as error:
            return error

    def keep(self, answer: Answer, made: Evidence) -> None:
        """Write the evidence, whole or not at all."""
        write_checked(self._file(answer), to_bytes(made))

    def found(self, answers: Sequence[Answer]) -> list[tuple[float, Prediction]]:
        """Return the length in seconds and the prediction of each video of a series."""
        episodes = [self._evidence(answer) for answer in answers]
        predictions = self._detector.detect(
            episodes,
            limits=[each.local.limits for each in answers],
            names=[each.video.stem for each in answers],
        )
        return [
            (self._lengths[answer.sha256] or episode.length_s, prediction)
            for answer, episode, prediction in zip(answers, episodes, predictions, strict=True)
        ]

    def shared(self, answers: Sequence[Answer], position: int) -> SharedEvidence:
        """Return what the others of a series share with one video."""
        return self._detector.shared([self._evidence(answer) for answer in answers])[position]

    def explained(self, answers: Sequence[Answer]) -> list[str]:
        """Return for each video of a series why it has this interval, or none."""
        evidence = [self._evidence(answer) for answer in answers]
        limits, names = [a.local.limits for a in answers], [a.video.stem for a in answers]
        return explained(self._detector, evidence, limits, names)

    def _evidence(self, answer: Answer) -> Evidence:
        content = read_checked(file := self._file(answer))
        if content is None:
            raise InputError(f"{file}: gone or damaged meanwhile; run again to make it anew")
        return of_bytes(content, file)

    def _n_seconds(self, answer: Answer) -> int | None:
        return seconds_to_decode(answer.local.search or "whole", self._lengths[answer.sha256])

    def _file(self, answer: Answer) -> Path:
        n_seconds = self._n_seconds(answer)
        part = "" if n_seconds is None else f"-first-{n_seconds}"
        return self._folder / f"{answer.sha256}{part}.npz"

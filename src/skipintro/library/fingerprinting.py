"""The fingerprints of videos by content and settings: made once, whatever detector reads them."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from skipintro.core.errors import InputError
from skipintro.core.files import read_checked, remove_stale, write_checked
from skipintro.detection.episode import Prediction
from skipintro.detectors.explaining import explained
from skipintro.detectors.openings import load_openings, matched
from skipintro.episodes.search import seconds_to_decode
from skipintro.evidence.recording import of_bytes, record_checked, to_bytes
from skipintro.evidence.spec import FingerprintSpec
from skipintro.evidence.track import Evidence
from skipintro.library.cache import Memory
from skipintro.library.kept import is_kept, promised_length_s
from skipintro.library.pairs import PairMemory
from skipintro.library.results import Answer
from skipintro.matching.shared import SharedEvidence
from skipintro.matching.siblings import Season
from skipintro.video.container import VideoError


class Fingerprinter:
    """An opening detector at work on videos; earlier results come from the cache."""

    def __init__(self, folder: Path, memory: Memory) -> None:
        self._detector = load_openings(folder)
        self._pairs = PairMemory(memory, self._detector.config)
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

    def make(self, answer: Answer) -> Any:
        """Return the evidence of a video, or its fault; may run in any thread."""
        promised_s = self._lengths[answer.sha256]
        n_seconds = self._n_seconds(answer)
        try:
            return record_checked(
                answer.video, self._detector.config.fingerprint, n_seconds, promised_s
            )
        except VideoError as error:
            return error

    def keep(self, answer: Answer, made: Any) -> None:
        """Write the evidence, whole or not at all."""
        write_checked(self._file(answer), to_bytes(made))

    def rounds(self, answers: Sequence[Answer]) -> Iterator[list[Answer]]:
        """Yield nothing: what was made is all."""
        return iter(())

    def found(self, answers: Sequence[Answer]) -> list[tuple[float, Prediction]]:
        """Return the length in seconds and the prediction of each video of a series."""
        episodes, season = self._season(answers)
        predictions = self._detector.detect(
            episodes,
            season,
            limits=[each.local.limits for each in answers],
            names=[each.video.stem for each in answers],
        )
        return [
            (self._lengths[answer.sha256] or episode.length_s, prediction)
            for answer, episode, prediction in zip(answers, episodes, predictions, strict=True)
        ]

    def shared(self, answers: Sequence[Answer], position: int) -> SharedEvidence:
        """Return what the others of a series share with one video."""
        return self._detector.shared(*self._season(answers))[position]

    def explained(self, answers: Sequence[Answer]) -> list[str]:
        """Return for each video of a series why it has this interval, or none."""
        episodes, season = self._season(answers)
        limits, names = [a.local.limits for a in answers], [a.video.stem for a in answers]
        return explained(self._detector, episodes, season, limits, names)

    def _season(self, answers: Sequence[Answer]) -> tuple[list[Evidence], Season]:
        """Return the evidence of a series, and what its episodes share."""
        contents = [self._content(answer) for answer in answers]
        episodes = [
            of_bytes(content, self._file(answer))
            for answer, content in zip(answers, contents, strict=True)
        ]
        return episodes, self._matched(episodes, contents)

    def _matched(self, episodes: Sequence[Evidence], contents: Sequence[bytes]) -> Season:
        """Return what the episodes of a series share; `contents` are their evidence as bytes."""
        recall = self._pairs.of_season([hashlib.sha256(each).hexdigest() for each in contents])
        return matched(episodes, self._detector.config, recall)

    def _content(self, answer: Answer) -> bytes:
        content = read_checked(file := self._file(answer))
        if content is None:
            raise InputError(f"{file}: gone or damaged meanwhile; run again to make it anew")
        return content

    def _n_seconds(self, answer: Answer) -> int | None:
        return seconds_to_decode(answer.local.search or "whole", self._lengths[answer.sha256])

    def _file(self, answer: Answer) -> Path:
        n_seconds = self._n_seconds(answer)
        part = "" if n_seconds is None else f"-first-{n_seconds}"
        return self._folder / f"{answer.sha256}{part}.npz"

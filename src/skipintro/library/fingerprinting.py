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
from skipintro.library.cache import Cache
from skipintro.library.kept import is_kept, promised_length_s
from skipintro.library.pairs import PairCache
from skipintro.library.results import Result
from skipintro.matching.shared import SharedEvidence
from skipintro.matching.siblings import Season
from skipintro.video.container import VideoError


class Fingerprinter:
    """An opening detector at work on videos; earlier results come from the cache."""

    def __init__(self, folder: Path, cache: Cache) -> None:
        self._detector = load_openings(folder)
        self._pairs = PairCache(cache, self._detector.config)
        self._lengths: dict[str, float | None] = {}  # by sha256
        origin = FingerprintSpec(self._detector.config.fingerprint).origin()
        self._folder = cache.folder / "fingerprints" / origin.key
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_stale(self._folder)

    def load(self) -> None:
        """Do nothing: there is no encoder to load."""

    def has(self, result: Result) -> bool:
        """Return whether the fingerprints are available; what cannot be opened has none."""
        self._lengths[result.sha256] = promised_length_s(result.video)
        return is_kept(self._file(result))

    def make(self, result: Result) -> Any:
        """Return the evidence of a video, or its fault; may run in any thread."""
        promised_s = self._lengths[result.sha256]
        n_seconds = self._n_seconds(result)
        try:
            return record_checked(
                result.video, self._detector.config.fingerprint, n_seconds, promised_s
            )
        except VideoError as error:
            return error

    def keep(self, result: Result, made: Any) -> None:
        """Write the evidence, whole or not at all."""
        write_checked(self._file(result), to_bytes(made))

    def rounds(self, results: Sequence[Result]) -> Iterator[list[Result]]:
        """Yield nothing: what was made is all."""
        return iter(())

    def found(self, results: Sequence[Result]) -> list[tuple[float, Prediction]]:
        """Return the length in seconds and the prediction of each video of a series."""
        episodes, season = self._season(results)
        predictions = self._detector.detect(
            episodes,
            season,
            limits=[each.local.limits for each in results],
            names=[each.video.stem for each in results],
        )
        return [
            (self._lengths[result.sha256] or episode.length_s, prediction)
            for result, episode, prediction in zip(results, episodes, predictions, strict=True)
        ]

    def shared(self, results: Sequence[Result], position: int) -> SharedEvidence:
        """Return what the others of a series share with one video."""
        return self._detector.shared(*self._season(results))[position]

    def explained(self, results: Sequence[Result]) -> list[str]:
        """Return for each video of a series why it has this interval, or none."""
        episodes, season = self._season(results)
        limits, names = [a.local.limits for a in results], [a.video.stem for a in results]
        return explained(self._detector, episodes, season, limits, names)

    def _season(self, results: Sequence[Result]) -> tuple[list[Evidence], Season]:
        """Return the evidence of a series, and what its episodes share."""
        contents = [self._content(result) for result in results]
        episodes = [
            of_bytes(content, self._file(result))
            for result, content in zip(results, contents, strict=True)
        ]
        return episodes, self._matched(episodes, contents)

    def _matched(self, episodes: Sequence[Evidence], contents: Sequence[bytes]) -> Season:
        """Return what the episodes of a series share; `contents` are their evidence as bytes."""
        recall = self._pairs.of_season([hashlib.sha256(each).hexdigest() for each in contents])
        return matched(episodes, self._detector.config, recall)

    def _content(self, result: Result) -> bytes:
        content = read_checked(file := self._file(result))
        if content is None:
            raise InputError(f"{file}: gone or damaged meanwhile; run again to make it anew")
        return content

    def _n_seconds(self, result: Result) -> int | None:
        return seconds_to_decode(result.local.search or "whole", self._lengths[result.sha256])

    def _file(self, result: Result) -> Path:
        n_seconds = self._n_seconds(result)
        part = "" if n_seconds is None else f"-first-{n_seconds}"
        return self._folder / f"{result.sha256}{part}.npz"

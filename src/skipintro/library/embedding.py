"""The vectors of videos by content and encoder: made once, whatever model reads them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skipintro.core.cache_dir import code_hash
from skipintro.core.device import choose_device
from skipintro.core.errors import InputError
from skipintro.core.files import remove_stale
from skipintro.detection.episode import Episode, Prediction
from skipintro.detection.head_detector import HeadDetector, embed_checked, load_same_encoder
from skipintro.encoder import Encoder
from skipintro.episodes.embeddings import (
    EmbeddingConfig,
    store_vectors,
    stored_vectors,
)
from skipintro.episodes.search import seconds_to_decode
from skipintro.library.cache import Cache
from skipintro.library.kept import is_kept, promised_length_s
from skipintro.library.results import Result, Settings
from skipintro.video.container import VideoError


class Embedder:
    """Embeds videos for one detector; earlier results of the same encoder come from the cache."""

    def __init__(
        self,
        place: Path,
        cache: Cache,
        settings: Settings,
    ) -> None:
        self._device = device = choose_device(settings.device)
        self._detector = detector = HeadDetector(place, device)
        self._place = place
        self._config = detector.config.embedding
        self._cache, self._settings = cache, settings
        self._encoder: Encoder | None = None
        self._lengths: dict[str, float | None] = {}  # by sha256
        key = code_hash(
            "skipintro.encoder.embedding",
            encoder=detector.encoder.model_dump(),
            embedding=self._config.model_dump(include={"precision", "batch_size"}),
            device=device.type,  # which the precision goes by, too
        )
        self._folder = cache.folder / "vectors" / key
        remove_stale(self._folder)

    def load(self) -> None:
        """Load the encoder. Raises InputError where its weights are not those of the detector."""
        weights = self._settings.encoder_weights
        self._encoder = load_same_encoder(self._detector, self._place, self._device, weights)

    def has(self, result: Result) -> bool:
        """Return whether the vectors are available; what cannot be opened has none."""
        self._lengths[result.sha256] = promised_length_s(result.video)
        return is_kept(self._file(result))  # a damaged whole would hide the vectors of a part

    def make(self, result: Result) -> NDArray[np.float32] | InputError:
        """Return the vectors (n_seconds, D), or the fault of the video; may run in any thread."""
        if self._encoder is None:
            raise RuntimeError("load() comes first")
        promised_s = self._lengths[result.sha256]
        try:
            return embed_checked(result.video, self._encoder, self._config_of(result), promised_s)
        except VideoError as error:
            return error

    def keep(self, result: Result, vectors: NDArray[np.float32]) -> None:
        """Write the vectors, whole or not at all."""
        store_vectors(self._made_file(result), vectors)

    def rounds(self, results: Sequence[Result]) -> Iterator[list[Result]]:
        """Yield nothing: what was made is all."""
        return iter(())

    def found(self, results: Sequence[Result]) -> list[tuple[float, Prediction]]:
        """Return the length in seconds and the prediction of each video of a series."""
        episodes = [Episode(str(a.video), a.series, self._vectors(a)) for a in results]
        return [
            (
                self._length_s(result, len(episode.vectors)),
                result.local.limits.applied_to(prediction),
            )
            for result, episode, prediction in zip(
                results, episodes, self._detector.detect(episodes), strict=True
            )
        ]

    def shared(self, results: Sequence[Result], position: int) -> None:
        """Return nothing: the head uses no sibling."""

    def explained(self, results: Sequence[Result]) -> list[str]:
        """Return for each video how sure the head is at most, which is all that it knows."""
        most = [float(found.probabilities.max(initial=0)) for _, found in self.found(results)]
        least = self._detector.config.head.threshold
        return [f"highest probability {each:.2f}, threshold {least:.2f}" for each in most]

    def _vectors(self, result: Result) -> NDArray[np.float32]:
        vectors = stored_vectors(file := self._file(result))
        if vectors is None:
            raise InputError(f"{file}: gone or damaged meanwhile; run again")
        return self._config_of(result).looked_at(vectors, self._lengths[result.sha256])

    def _length_s(self, result: Result, n_decoded: int) -> float:
        """Return the video's length: its container's, or the seconds that were decoded, if more."""
        promised_s = self._lengths[result.sha256] or 0.0
        return promised_s if n_decoded < promised_s + 1 else float(n_decoded)

    def _first_s(self, result: Result) -> int | None:
        return seconds_to_decode(self._config_of(result).search, self._lengths[result.sha256])

    def _config_of(self, result: Result) -> EmbeddingConfig:
        search = result.local.search or self._config.search
        return self._config.model_copy(update={"search": search})

    def _file(self, result: Result) -> Path:
        """Return the vectors of the whole video where there are any, else the required ones."""
        whole = self._folder / f"{result.sha256}.npy"
        return whole if whole.exists() else self._made_file(result)

    def _made_file(self, result: Result) -> Path:
        first_s = self._first_s(result)
        part = "" if first_s is None else f"-first-{first_s}"
        return self._folder / f"{result.sha256}{part}.npy"

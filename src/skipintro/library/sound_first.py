"""Sound of all episodes first, and pictures only around what it proposes, where it is sure.

Beside <sha256>.npz, the evidence of a whole video, lie <sha256>.sound.npz and <sha256>.part.npz.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from skipintro.core.errors import InputError
from skipintro.core.files import read_checked, write_checked
from skipintro.evidence.recording import (
    TRUNCATION_TOLERANCE_S,
    of_bytes,
    record_around,
    record_sound,
    to_bytes,
)
from skipintro.evidence.track import Evidence, Spans
from skipintro.library.cache import Cache
from skipintro.library.fingerprinting import Fingerprinter
from skipintro.library.kept import is_kept
from skipintro.library.proposals import (
    POLICY,
    Look,
    covers,
    heard_alone,
    is_settled,
    spans_to_see,
)
from skipintro.library.results import Result
from skipintro.video.container import VideoError, check_not_truncated

_KIND = "seen"  # of what is remembered: the moments whose pictures a part holds


class SoundFirst(Fingerprinter):
    """An opening detector that looks at no more pictures than it takes to be sure.

    Where a file names no length, only a first part is searched, or `chroma` is asked for, all of a
    video is looked at.
    """

    def __init__(self, folder: Path, cache: Cache) -> None:
        super().__init__(folder, cache)
        self._cache = cache
        # By file, what is looked at next: nothing, which is sound alone, some moments, None: all.
        self._looks: dict[Path, Spans | None] = {}

    def has(self, result: Result) -> bool:
        """Return whether there is evidence of the sound, or more."""
        return self._seen(result) != [] or is_kept(self._beside(result, "sound"))

    def make(self, result: Result) -> Any:
        """Return the evidence that comes next of a video, or its fault; may run in any thread."""
        file, promised_s = self._file(result), self._lengths[result.sha256]
        settings, spans = self._detector.config.fingerprint, self._looks.get(file, [])
        is_whole = spans is None or self._n_seconds(result) is not None or settings.chroma
        if is_whole or promised_s is None:
            return super().make(result)
        try:
            if not spans:
                return record_sound(result.video, settings, promised_s)
            made, seen = record_around(result.video, settings, spans, self._heard(result))
            check_not_truncated(result.video, made.length_s, promised_s, TRUNCATION_TOLERANCE_S)
            if seen != [(0, len(made.tracks["pictures"]))]:
                return made, seen
            heard = record_sound(result.video, settings, made.length_s)  # of the exact length
            return Evidence({**made.tracks, **heard.tracks}, made.length_s)
        except VideoError as error:
            return error

    def keep(self, result: Result, made: Any) -> None:
        """Write the evidence, whole or not at all."""
        if isinstance(made, tuple):
            part, seen = made
            write_checked(self._beside(result, "part"), to_bytes(part))
            self._cache.put(_KIND, self._key(result), seen)
        elif "pictures" in made.tracks:
            super().keep(result, made)
        else:
            write_checked(self._beside(result, "sound"), to_bytes(made))

    def rounds(self, results: Sequence[Result]) -> Iterator[list[Result]]:
        """Yield the videos of a series that must be looked at, until the series is sure.

        What is yielded is made and kept before the next is asked for.
        """
        if all(self._seen(result) is None for result in results):
            return
        heard = [self._heard(result) for result in results]
        season = self._matched(heard, [to_bytes(each) for each in heard])
        wanted = spans_to_see(self._detector, heard, season, POLICY)
        for result, look in zip(results, wanted, strict=True):
            self._looks[self._file(result)] = None if look is None else look.spans
        if more := [a for a, look in zip(results, wanted, strict=True) if self._lacks(a, look)]:
            yield more
        left = [result for result in results if self._seen(result) != []]  # others have a fault
        seen = [self._seen(result) for result in left]
        if any(spans is not None for spans in seen):
            episodes, season = self._season(left)
            if not is_settled(self._detector, episodes, season, seen, POLICY):
                rest = [a for a, spans in zip(left, seen, strict=True) if spans is not None]
                self._looks |= dict.fromkeys(map(self._file, rest))
                yield rest

    def _lacks(self, result: Result, wanted: Look | None) -> bool:
        """Return whether less was seen of a video than is enough."""
        seen = self._seen(result)
        return seen is not None and (wanted is None or not covers(seen, wanted.least))

    def _seen(self, result: Result) -> Spans | None:
        """Return the moments whose pictures are known; None: all."""
        if super().has(result):
            return None
        if not is_kept(self._beside(result, "part")):
            return []
        return [(a, b) for a, b in self._cache.get(_KIND, self._key(result)) or []]

    def _heard(self, result: Result) -> Evidence:
        """Return the evidence of a video's sound, as stored; may run in any thread."""
        file = self._file(result)
        for place in (self._beside(result, "sound"), self._beside(result, "part"), file):
            if (content := read_checked(place)) is not None:
                return heard_alone(of_bytes(content, place))
        raise InputError(f"{file}: gone or damaged meanwhile; run again to make it anew")

    def _content(self, result: Result) -> bytes:
        if self._seen(result):
            return read_checked(self._beside(result, "part")) or b""
        return super()._content(result)

    def _beside(self, result: Result, what: str) -> Path:
        return self._file(result).with_suffix(f".{what}.npz")

    def _key(self, result: Result) -> str:
        return str(self._file(result).relative_to(self._cache.folder))

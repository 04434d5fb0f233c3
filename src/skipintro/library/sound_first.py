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
from skipintro.library.cache import Memory
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
from skipintro.library.results import Answer
from skipintro.video.container import VideoError, check_not_truncated

_KIND = "seen"  # of what is remembered: the moments whose pictures a part holds


class SoundFirst(Fingerprinter):
    """An opening detector that looks at no more pictures than it takes to be sure.

    Where a length is not told, only a first part is searched, or `chroma` is asked for, all of a
    video is looked at.
    """

    def __init__(self, folder: Path, memory: Memory) -> None:
        super().__init__(folder, memory)
        self._memory = memory
        # By file, what is looked at next: nothing, which is sound alone, some moments, None: all.
        self._looks: dict[Path, Spans | None] = {}

    def has(self, answer: Answer) -> bool:
        """Tell whether the sound is at hand, or more."""
        return self._seen(answer) != [] or is_kept(self._beside(answer, "sound"))

    def make(self, answer: Answer) -> Any:
        """Return the evidence that comes next of a video, or its fault; may run in any thread."""
        file, promised_s = self._file(answer), self._lengths[answer.sha256]
        settings, spans = self._detector.config.fingerprint, self._looks.get(file, [])
        is_whole = spans is None or self._n_seconds(answer) is not None or settings.chroma
        if is_whole or promised_s is None:
            return super().make(answer)
        try:
            if not spans:
                return record_sound(answer.video, settings, promised_s)
            made, seen = record_around(answer.video, settings, spans, self._heard(answer))
            check_not_truncated(answer.video, made.length_s, promised_s, TRUNCATION_TOLERANCE_S)
            if seen != [(0, len(made.tracks["pictures"]))]:
                return made, seen
            heard = record_sound(answer.video, settings, made.length_s)  # of the exact length
            return Evidence({**made.tracks, **heard.tracks}, made.length_s)
        except VideoError as error:
            return error

    def keep(self, answer: Answer, made: Any) -> None:
        """Write the evidence, whole or not at all."""
        if isinstance(made, tuple):
            part, seen = made
            write_checked(self._beside(answer, "part"), to_bytes(part))
            self._memory.put(_KIND, self._key(answer), seen)
        elif "pictures" in made.tracks:
            super().keep(answer, made)
        else:
            write_checked(self._beside(answer, "sound"), to_bytes(made))

    def rounds(self, answers: Sequence[Answer]) -> Iterator[list[Answer]]:
        """Yield the videos of a series that must be looked at, until the series is sure.

        What is yielded is made and kept before the next is asked for.
        """
        if all(self._seen(answer) is None for answer in answers):
            return
        heard = [self._heard(answer) for answer in answers]
        season = self._matched(heard, [to_bytes(each) for each in heard])
        wanted = spans_to_see(self._detector, heard, season, POLICY)
        for answer, look in zip(answers, wanted, strict=True):
            self._looks[self._file(answer)] = None if look is None else look.spans
        if more := [a for a, look in zip(answers, wanted, strict=True) if self._lacks(a, look)]:
            yield more
        left = [answer for answer in answers if self._seen(answer) != []]  # others have a fault
        seen = [self._seen(answer) for answer in left]
        if any(spans is not None for spans in seen):
            episodes, season = self._season(left)
            if not is_settled(self._detector, episodes, season, seen, POLICY):
                rest = [a for a, spans in zip(left, seen, strict=True) if spans is not None]
                self._looks |= dict.fromkeys(map(self._file, rest))
                yield rest

    def _lacks(self, answer: Answer, wanted: Look | None) -> bool:
        """Tell whether less was seen of a video than is enough."""
        seen = self._seen(answer)
        return seen is not None and (wanted is None or not covers(seen, wanted.least))

    def _seen(self, answer: Answer) -> Spans | None:
        """Return the moments whose pictures are at hand; None: all."""
        if super().has(answer):
            return None
        if not is_kept(self._beside(answer, "part")):
            return []
        return [(a, b) for a, b in self._memory.get(_KIND, self._key(answer)) or []]

    def _heard(self, answer: Answer) -> Evidence:
        """Return the sound of a video, from where it is at hand; may run in any thread."""
        file = self._file(answer)
        for place in (self._beside(answer, "sound"), self._beside(answer, "part"), file):
            if (content := read_checked(place)) is not None:
                return heard_alone(of_bytes(content, place))
        raise InputError(f"{file}: gone or damaged meanwhile; run again to make it anew")

    def _content(self, answer: Answer) -> bytes:
        if self._seen(answer):
            return read_checked(self._beside(answer, "part")) or b""
        return super()._content(answer)

    def _beside(self, answer: Answer, what: str) -> Path:
        return self._file(answer).with_suffix(f".{what}.npz")

    def _key(self, answer: Answer) -> str:
        return str(self._file(answer).relative_to(self._memory.folder))

"""Runs a detector over series of videos, and does nothing twice.

What was found for a series holds as long as its videos, the model and the code are the same. The
evidence of a whole video (vectors, or fingerprints) holds for every model that goes by it, that of
its first seconds for one that looks at as many; so a new one decodes nothing.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error, sha256_of_json
from skipintro.core.isolation import side_by_side
from skipintro.core.progress import Unit, progress
from skipintro.core.scratch import key_of
from skipintro.core.versions import versions
from skipintro.detection.kinds import kind_of
from skipintro.library.answers import Answer, Settings
from skipintro.library.memory import Memory, MemoryUnusableError, content_of

if TYPE_CHECKING:
    from skipintro.detection.episode import Prediction
    from skipintro.library.models import Model
    from skipintro.library.walking import Series
    from skipintro.matching.shared import SharedEvidence

log = logging.getLogger(__name__)


class Detection:
    """The detector's answers for many series: from memory where it can, made now where not."""

    def __init__(self, model: "Model", memory: Memory, settings: Settings) -> None:
        self._model, self._memory, self._settings = model, memory, settings
        self._key = {"model": model.identity, "search": settings.search}
        self._code = key_of(__name__)
        self._faults = key_of(
            "skipintro.detection.head_detector",
            "skipintro.evidence.recording",
            **self._key,
            versions=versions("av"),
        )
        self.n_made = 0  # answers that were made by this run
        self.n_decoded = 0  # videos that were decoded by it

    def answers(self, groups: "Sequence[Series]") -> Iterator[list[Answer]]:
        """Yield the answers of each series, of all its videos; those from memory come first."""
        waiting = []
        for group in progress(groups, len(groups), Unit.SERIES):
            known = [self._identified(video, group.name) for video in group.videos]
            told = self._remembered(known)
            if told is None:
                waiting.append(known)
            else:
                yield told
        if waiting:
            yield from self._made(waiting)

    def curve(self, answers: Sequence[Answer], answer: Answer) -> list[float]:
        """Give the probability of intro by second of one of the answers of a series."""
        curve = self._memory.get("curve", f"{self._group_key(answers)} {answer.sha256}")
        return [float(share) for share in curve or ()]

    def shared(self, answers: Sequence[Answer], answer: Answer) -> "SharedEvidence | None":
        """Return what siblings share with one of the answers of a series; None of a head."""
        sound = [each for each in answers if not each.fault]
        with self._model.opened() as folder:
            worker = _worker(folder, self._memory, self._settings)
            todo = [each for each in sound if not worker.has(each)]
            for each in todo:  # forgotten meanwhile
                made = worker.make(each)
                if isinstance(made, InputError):
                    raise made
                worker.keep(each, made)
            return worker.shared(sound, sound.index(answer))

    def _identified(self, video: Path, series: str) -> Answer:
        try:
            sha256 = content_of(video, self._memory)
        except OSError as error:
            return Answer(video, series, fault=describe_os_error(error))
        except MemoryUnusableError:
            raise
        except InputError as error:
            return Answer(video, series, fault=str(error))
        fault = self._memory.get("fault", f"{sha256} {self._faults}")
        return Answer(video, series, sha256, fault=f"{video}: {fault}" if fault else "")

    def _group_key(self, group: Sequence[Answer]) -> str:
        sound = [[answer.sha256, answer.video.name] for answer in group if not answer.fault]
        return sha256_of_json(
            {**self._key, "code": self._code, "series": group[0].series, "videos": sound}
        )

    def _remembered(self, group: list[Answer]) -> list[Answer] | None:
        if all(answer.fault for answer in group):
            return group
        found = self._memory.get("series", self._group_key(group))
        return None if found is None else _filled(group, found)

    def _made(self, groups: list[list[Answer]]) -> Iterator[list[Answer]]:
        """Embed what is not embedded yet; each series is answered as soon as it is whole."""
        log.info("model: %s", self._model.title)
        with self._model.opened() as folder:
            worker = _worker(folder, self._memory, self._settings)
            todo: dict[str, Answer] = {}  # by content: a copy is decoded once
            for answer in (answer for group in groups for answer in group):
                if not answer.fault and not worker.has(answer):
                    todo.setdefault(answer.sha256, answer)
            if todo:
                worker.load()
            faults: dict[str, str] = {}
            with side_by_side(self._settings.jobs) as mapped:
                made = progress(mapped(worker.make, todo.values()), len(todo), Unit.VIDEOS)
                for group in groups:
                    for answer in group:
                        if todo.get(answer.sha256) is answer:
                            self._keep(worker, answer, next(made), faults)
                    yield self._answered(worker, group, faults)
                next(made, None)  # the last one counts as done

    def _keep(
        self,
        worker: "Worker",
        answer: Answer,
        made: Any,
        faults: dict[str, str],
    ) -> None:
        """Keep the evidence of one video, or its fault."""
        from skipintro.video.opening import PassingVideoError  # noqa: PLC0415  loaded by now

        if isinstance(made, InputError):
            faults[answer.sha256] = fault = str(getattr(made, "fault", made))
            if not isinstance(made, PassingVideoError):
                self._memory.put("fault", f"{answer.sha256} {self._faults}", fault)
            return
        worker.keep(answer, made)
        self.n_decoded += 1

    def _answered(
        self, worker: "Worker", group: list[Answer], faults: dict[str, str]
    ) -> list[Answer]:
        group = [
            replace(a, fault=f"{a.video}: {faults[a.sha256]}") if a.sha256 in faults else a
            for a in group
        ]
        sound = [answer for answer in group if not answer.fault]
        if not sound:
            return group
        key = self._group_key(group)
        predictions = worker.found(sound)
        for answer, (_, prediction) in zip(sound, predictions, strict=True):
            curve = [round(float(share), 4) for share in prediction.probabilities]
            self._memory.put("curve", f"{key} {answer.sha256}", curve)
        found = [
            [length_s, prediction.interval, prediction.confidence]
            for length_s, prediction in predictions
        ]
        self._memory.put("series", key, found)
        self.n_made += len(sound)
        return _filled(group, found)


class Worker(Protocol):
    """A detector at work: makes the evidence that it goes by, and tells intervals by it."""

    def load(self) -> None:
        """Load what making evidence takes."""

    def has(self, answer: Answer) -> bool:
        """Tell whether the evidence of a video is at hand."""

    def make(self, answer: Answer) -> Any:
        """Return the evidence of a video, or the InputError that is its fault."""

    def keep(self, answer: Answer, made: Any) -> None:
        """Keep evidence for this run and later ones."""

    def found(self, answers: Sequence[Answer]) -> "list[tuple[float, Prediction]]":
        """Return the length in seconds and the prediction of each video of a series."""

    def shared(self, answers: Sequence[Answer], position: int) -> "SharedEvidence | None":
        """Return what the others of a series share with one video, where the detector asks them."""


def _worker(folder: Path, memory: Memory, settings: Settings) -> Worker:
    """Return the worker for the kind of detector that lies in a folder."""
    if kind_of(folder) == "openings":
        from skipintro.library.fingerprinting import Fingerprinter  # noqa: PLC0415  scipy

        return Fingerprinter(folder, memory, settings)
    from skipintro.library.embedding import Embedder  # noqa: PLC0415  torch takes seconds

    return Embedder(folder, memory, settings)


def _filled(group: Sequence[Answer], found: Sequence[list[Any]]) -> list[Answer]:
    rows = iter(found)
    filled = []
    for answer in group:
        if not answer.fault:
            length_s, interval, confidence = next(rows)
            answer = replace(  # noqa: PLW2901
                answer,
                length_s=length_s,
                interval=interval and (interval[0], interval[1]),
                confidence=confidence,
            )
        filled.append(answer)
    return filled

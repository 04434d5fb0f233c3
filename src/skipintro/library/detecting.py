"""Runs a detector over series of videos, and does nothing twice.

What was found for a series holds as long as its videos, the model and the code are the same. The
vectors of a whole video hold for every model with the same encoder, precision and batch size, those
of its first seconds for one that looks at as many; so a new one decodes nothing.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error, sha256_of_json
from skipintro.core.isolation import side_by_side
from skipintro.core.progress import progress
from skipintro.core.scratch import key_of
from skipintro.core.stage import versions
from skipintro.library.answers import Answer, Settings
from skipintro.library.memory import Memory, MemoryUnusableError, content_of
from skipintro.library.models import Model
from skipintro.library.walking import Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skipintro.detection.detector import EpisodeDetector
    from skipintro.library.embedding import Embedder

_DETECTING = ("detection", "model", "episodes/naming", "library/detecting", "library/embedding")

log = logging.getLogger(__name__)


class Detection:
    """The detector's answers for many series: from memory where it can, made now where not."""

    def __init__(self, model: Model, memory: Memory, settings: Settings) -> None:
        self._model, self._memory, self._settings = model, memory, settings
        self._key = {"model": model.identity, "search": settings.search}
        self._code = key_of(*_DETECTING, "video", "encoder")
        self._faults = key_of("video", "detection/detector", **self._key, versions=versions("av"))
        self.n_made = 0  # answers that were made by this run
        self.n_embedded = 0  # videos that were decoded by it

    def answers(self, groups: Sequence[Series]) -> Iterator[list[Answer]]:
        """Yield the answers of each series, of all its videos; those from memory come first."""
        waiting = []
        for group in progress(groups, len(groups), "series"):
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
        from skipintro.core.device import choose_device  # noqa: PLC0415  torch takes seconds
        from skipintro.detection.detector import EpisodeDetector  # noqa: PLC0415
        from skipintro.library.embedding import Embedder  # noqa: PLC0415

        log.info("model: %s", self._model.title)
        with self._model.opened() as folder:
            device = choose_device(self._settings.device)
            detector = EpisodeDetector(folder, device)
            embedder = Embedder(detector, folder, device, self._memory, self._settings)
            todo: dict[str, Answer] = {}  # by content: a copy is decoded once
            for answer in (answer for group in groups for answer in group):
                if not answer.fault and not embedder.has(answer):
                    todo.setdefault(answer.sha256, answer)
            if todo:
                embedder.load()
            faults: dict[str, str] = {}
            with side_by_side(self._settings.jobs) as mapped:
                made = progress(mapped(embedder.embed, todo.values()), len(todo), "videos")
                for group in groups:
                    for answer in group:
                        if todo.get(answer.sha256) is answer:
                            self._keep(embedder, answer, next(made), faults)
                    yield self._answered(detector, embedder, group, faults)
                next(made, None)  # the last one counts as done

    def _keep(
        self,
        embedder: "Embedder",
        answer: Answer,
        made: "NDArray[np.float32] | InputError",
        faults: dict[str, str],
    ) -> None:
        """Keep the vectors of one video, or its fault."""
        from skipintro.video.opening import PassingVideoError  # noqa: PLC0415  loaded by now

        if isinstance(made, InputError):
            faults[answer.sha256] = fault = str(getattr(made, "fault", made))
            if not isinstance(made, PassingVideoError):
                self._memory.put("fault", f"{answer.sha256} {self._faults}", fault)
            return
        embedder.keep(answer, made)
        self.n_embedded += 1

    def _answered(
        self,
        detector: "EpisodeDetector",
        embedder: "Embedder",
        group: list[Answer],
        faults: dict[str, str],
    ) -> list[Answer]:
        group = [
            replace(a, fault=f"{a.video}: {faults[a.sha256]}") if a.sha256 in faults else a
            for a in group
        ]
        sound = [answer for answer in group if not answer.fault]
        if not sound:
            return group
        key = self._group_key(group)
        episodes = [detector.episode(a.video, embedder.vectors(a)) for a in sound]
        predictions = detector.detect(episodes)
        for answer, prediction in zip(sound, predictions, strict=True):
            curve = [round(float(share), 4) for share in prediction.probabilities]
            self._memory.put("curve", f"{key} {answer.sha256}", curve)
        found = [
            [
                embedder.length_s(answer, len(episode.vectors)),
                prediction.interval,
                prediction.confidence,
            ]
            for answer, episode, prediction in zip(sound, episodes, predictions, strict=True)
        ]
        self._memory.put("series", key, found)
        self.n_made += len(sound)
        return _filled(group, found)


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

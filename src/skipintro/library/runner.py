"""Runs a detector over series of videos, and does nothing twice.

What was found for a series holds as long as its videos, the model and the code are the same. The
evidence of a whole video (vectors, or fingerprints) holds for every model that goes by it, that of
its first seconds for one that looks at as many; so a new one decodes nothing.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from skipintro.core.cache_dir import code_hash
from skipintro.core.errors import InputError
from skipintro.core.files import describe_os_error, sha256_of_json
from skipintro.core.interruption import check
from skipintro.core.isolation import thread_map
from skipintro.core.progress import Unit, progress
from skipintro.core.versions import versions
from skipintro.detection.kinds import kind_of
from skipintro.library.cache import Cache, CacheUnusableError, content_of
from skipintro.library.combining import by_chapter, by_hand
from skipintro.library.results import Interval, Result, Settings
from skipintro.library.shelf import Chosen, Local, Shelf
from skipintro.video.titles import Chapter

if TYPE_CHECKING:
    from skipintro.detection.episode import Prediction
    from skipintro.library.discovery import Series
    from skipintro.library.models import Model
    from skipintro.matching.shared import SharedEvidence

log = logging.getLogger(__name__)

_Look = tuple[str, Any]  # a content, and how much of it is looked at


class Detection:
    """The results for many series: from the cache where it can, made now where not.

    `given` goes before the settings of shelves, which are read at each call.
    """

    def __init__(
        self, model: "Model", cache: Cache, settings: Settings, given: Chosen | None = None
    ) -> None:
        self._model, self._cache, self._settings = model, cache, settings
        self._given = given
        self._key = {"model": model.identity}
        self._code = code_hash(__name__)
        self._faults = code_hash(
            "skipintro.detection.head_detector",
            "skipintro.evidence.recording",
            **self._key,
            versions=versions("av"),
        )
        self._chapters_key = code_hash("skipintro.video.chapters", versions=versions("av"))
        self.n_made = 0  # results that were made by this run
        self._decoded: set[_Look] = set()  # by it, some or all of each
        self.skipped: list[Path] = []  # that were requested, and that their shelf leaves out

    @property
    def n_decoded(self) -> int:
        """Videos that were decoded by this run."""
        return len(self._decoded)

    def results(self, groups: "Sequence[Series]") -> Iterator[list[Result]]:
        """Yield the results of each series, of all its videos; those from the cache come first.

        Raises InputError before anything is done where the settings of a shelf are wrong.
        """
        shelf = Shelf(self._given)
        settings = {video: shelf.of(video) for group in groups for video in group.videos}
        shelf.warn_of_unknown()
        self.skipped = [v for group in groups for v in sorted(group.asked) if settings[v].skip]
        waiting = []
        for group in progress(groups, len(groups), Unit.SERIES):
            videos = [video for video in group.videos if not settings[video].skip]
            if not videos:
                continue
            known = [self._identified(video, group.name, settings[video]) for video in videos]
            results = self._cached(known)
            if results is None:
                waiting.append(known)
            else:
                yield self._combined(results)
        for results in self._made(waiting) if waiting else ():
            yield self._combined(results)

    def curve(self, results: Sequence[Result], result: Result) -> list[float]:
        """Return the probability of intro by second of one of a series' results."""
        curve = self._cache.get("curve", f"{self._group_key(results)} {result.sha256}")
        return [float(share) for share in curve or ()]

    def shared(self, results: Sequence[Result], result: Result) -> "SharedEvidence | None":
        """Return what siblings share with one of a series' results; None of a head."""
        usable = [each for each in results if not each.fault]
        with self._model.opened() as folder:
            return self._equipped(folder, usable).shared(usable, usable.index(result))

    def explained(self, results: Sequence[Result]) -> dict[Path, str]:
        """Return for each video of a series that was read why it has this interval, or none."""
        usable = [each for each in results if not each.fault]
        with self._model.opened() as folder:
            worker = self._equipped(folder, usable)
            lines = worker.explained(usable) if usable else []
        return {each.video: line for each, line in zip(usable, lines, strict=True)}

    def _equipped(self, folder: Path, usable: Sequence[Result]) -> "Worker":
        """Return a worker that has all evidence; what was forgotten meanwhile is made again."""
        worker = _worker(folder, self._cache, self._settings)
        missing = [each for each in usable if not worker.has(each)]
        for group in chain([missing], worker.rounds(usable)):
            for each in group:
                made = worker.make(each)
                if isinstance(made, InputError):
                    raise made
                worker.keep(each, made)
        return worker

    def _combined(self, results: Sequence[Result]) -> list[Result]:
        """Return the results with what other sources than the detector say."""
        combined = []
        for result in results:
            share = partial(self._share_of_siblings, results, result)
            with_chapters = replace(result, chapters=self._chapters(result))
            combined.append(by_hand(by_chapter(with_chapters, share)))
        return combined

    def _chapters(self, result: Result) -> tuple[Chapter, ...]:
        """Return the chapters of a video that has no fault."""
        if result.fault:
            return ()
        key = f"{result.sha256} {self._chapters_key}"
        known = self._cache.get("chapters", key)
        if known is None:
            from skipintro.video.chapters import read_chapters  # noqa: PLC0415  loads FFmpeg
            from skipintro.video.container import VideoError  # noqa: PLC0415

            try:
                known = [list(astuple(chapter)) for chapter in read_chapters(result.video)]
            except VideoError as error:
                log.warning("%s: its chapters are passed over", error)
                return ()
            self._cache.put("chapters", key, known)
        return tuple(Chapter(*fields) for fields in known)

    def _share_of_siblings(
        self, results: Sequence[Result], result: Result, interval: Interval
    ) -> float:
        """Return how much of an interval of one of a series' results some sibling has."""
        key = f"{self._group_key(results)} {result.sha256} {interval}"
        known = self._cache.get("share", key)
        if known is None:
            shared = self.shared(results, result)
            known = 0.0 if shared is None else shared.share_between(*interval)
            self._cache.put("share", key, known)
        return float(known)

    def _identified(self, video: Path, series: str, local: Local) -> Result:
        if self._settings.search is not None:
            local = replace(local, search=self._settings.search)
        try:
            sha256 = content_of(video, self._cache)
        except OSError as error:
            return Result(video, series, fault=describe_os_error(error), local=local)
        except CacheUnusableError:
            raise
        except InputError as error:
            return Result(video, series, fault=str(error), local=local)
        result = Result(video, series, sha256, local=local)
        fault = self._cache.get("fault", self._fault_key(result))
        return replace(result, fault=f"{video}: {fault}" if fault else "")

    def _fault_key(self, result: Result) -> str:
        return f"{result.sha256} {result.local.search} {self._faults}"

    def _group_key(self, group: Sequence[Result]) -> str:
        sound = [
            [each.sha256, each.local.search, *astuple(each.local.limits)]
            for each in group
            if not each.fault
        ]
        return sha256_of_json(
            {
                **self._key,
                "code": self._code,
                "sound_first": self._settings.sound_first,
                "videos": sound,
            }
        )

    def _cached(self, group: list[Result]) -> list[Result] | None:
        if all(result.fault for result in group):
            return group
        found = self._cache.get("series", self._group_key(group))
        return None if found is None else _filled(group, found)

    def _made(self, groups: list[list[Result]]) -> Iterator[list[Result]]:
        """Embed what is not embedded yet; each series is yielded as soon as it is complete."""
        log.info("model: %s", self._model.title)
        with self._model.opened() as folder:
            worker = _worker(folder, self._cache, self._settings)
            todo: dict[_Look, Result] = {}  # by content: a copy is decoded once
            for result in (result for group in groups for result in group):
                if not result.fault and not worker.has(result):
                    todo.setdefault(_look(result), result)
            if todo:
                worker.load()
            faults: dict[_Look, str] = {}
            with thread_map(self._settings.jobs) as mapped:
                made = progress(mapped(worker.make, todo.values()), len(todo), Unit.VIDEOS)
                for group in groups:
                    for result in group:
                        if todo.get(_look(result)) is result:
                            self._keep(worker, result, next(made), faults)
                    sound = [a for a in group if not a.fault and _look(a) not in faults]
                    for more in worker.rounds(sound):
                        again = progress(mapped(worker.make, more), len(more), Unit.VIDEOS)
                        for result, further in zip(more, again, strict=True):
                            self._keep(worker, result, further, faults)
                    yield self._answered(worker, group, faults)
                next(made, None)  # the last one counts as done

    def _keep(
        self,
        worker: "Worker",
        result: Result,
        made: Any,
        faults: "dict[_Look, str]",
    ) -> None:
        """Keep the evidence of one video, or its fault."""
        from skipintro.video.container import PassingVideoError  # noqa: PLC0415  loaded by now

        if isinstance(made, InputError):
            check()  # a fault that an interrupt led to is none of the video
            faults[_look(result)] = fault = str(getattr(made, "fault", made))
            if not isinstance(made, PassingVideoError):
                self._cache.put("fault", self._fault_key(result), fault)
            return
        worker.keep(result, made)
        self._decoded.add(_look(result))

    def _answered(
        self, worker: "Worker", group: list[Result], faults: "dict[_Look, str]"
    ) -> list[Result]:
        group = [
            replace(a, fault=f"{a.video}: {faults[_look(a)]}") if _look(a) in faults else a
            for a in group
        ]
        usable = [result for result in group if not result.fault]
        if not usable:
            return group
        key = self._group_key(group)
        predictions = worker.found(usable)
        for result, (_, prediction) in zip(usable, predictions, strict=True):
            curve = [round(float(share), 4) for share in prediction.probabilities]
            self._cache.put("curve", f"{key} {result.sha256}", curve)
        found = [
            [length_s, prediction.intervals, prediction.confidence]
            for length_s, prediction in predictions
        ]
        self._cache.put("series", key, found)
        self.n_made += len(usable)
        return _filled(group, found)


def _look(result: Result) -> _Look:
    return result.sha256, result.local.search


class Worker(Protocol):
    """A detector at work: makes the evidence that it goes by, and finds intervals by it."""

    def load(self) -> None:
        """Load what making evidence takes."""

    def has(self, result: Result) -> bool:
        """Return whether the evidence of a video is available."""

    def make(self, result: Result) -> Any:
        """Return the evidence of a video, or the InputError that is its fault."""

    def keep(self, result: Result, made: Any) -> None:
        """Keep evidence for this run and later ones."""

    def rounds(self, results: Sequence[Result]) -> Iterator[list[Result]]:
        """Yield the videos of a series of which more must be made and kept, until it is enough."""

    def found(self, results: Sequence[Result]) -> "list[tuple[float, Prediction]]":
        """Return the length in seconds and the prediction of each video of a series."""

    def shared(self, results: Sequence[Result], position: int) -> "SharedEvidence | None":
        """Return what the others of a series share with one video, where the detector uses them."""

    def explained(self, results: Sequence[Result]) -> list[str]:
        """Return for each video of a series why it has this interval, or none."""


def _worker(folder: Path, cache: Cache, settings: Settings) -> Worker:
    """Return the worker for the kind of detector in a folder."""
    if kind_of(folder) == "openings":
        if settings.sound_first:
            from skipintro.library.sound_first import SoundFirst  # noqa: PLC0415  scipy

            return SoundFirst(folder, cache)
        from skipintro.library.fingerprinting import Fingerprinter  # noqa: PLC0415  scipy

        return Fingerprinter(folder, cache)
    from skipintro.library.embedding import Embedder  # noqa: PLC0415  torch takes seconds

    return Embedder(folder, cache, settings)


def _filled(group: Sequence[Result], found: Sequence[list[Any]]) -> list[Result]:
    rows = iter(found)
    filled = []
    for result in group:
        if not result.fault:
            length_s, intervals, confidence = next(rows)
            result = replace(  # noqa: PLW2901  as it was stored
                result,
                length_s=length_s,
                intervals=tuple((start_s, end_s) for start_s, end_s in intervals),
                confidence=confidence,
            )
        filled.append(result)
    return filled

"""Makes labels from the files beside videos and from their chapters."""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from skipintro.core.errors import InputError
from skipintro.core.progress import Unit, progress
from skipintro.episodes.annotations import format_interval, format_time
from skipintro.labelling import edl, segments, table
from skipintro.labelling.ids import id_of
from skipintro.labelling.kinds import Kind
from skipintro.labelling.source import Interval, SourceLabel
from skipintro.library.discovery import Series, find_series

AGREE_S = 1.0  # that two sources of one video may differ at an end
_OF_MS = 1e-6  # ends are whole milliseconds


@dataclass
class Collected:
    """Labels in the order of series and names, and what came of everything else."""

    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    taken: Counter[Kind] = field(default_factory=Counter)  # labels by where their times are from
    left_out: list[Path] = field(default_factory=list)  # no source has their intro
    unread: list[str] = field(default_factory=list)  # faults of videos that may have chapters
    faults: list[str] = field(default_factory=list)  # with any, the labels are not whole
    n_videos: int = 0

    def series(self) -> set[str]:
        """Return the series that have a label."""
        return {label["series"] for label in self.labels.values()}


def collect(places: Sequence[Path], kinds: Collection[Kind]) -> Collected:
    """Return the labels of all videos in folders, from sources of these kinds, in Kind's order.

    Every fault of a source is reported, none ends the search. Raises InputError where a place does
    not exist, there is no video, or the videos cannot be read just now.
    """
    found = Collected()
    groups = find_series(places, 0)
    videos = {_real(video): video for series in groups for video in series.videos}
    if not videos:
        raise InputError(f"{', '.join(map(str, places))}: no video in it; correct the path")
    found.n_videos = len(videos)
    rows = _rows(found, places, videos) if Kind.CSV in kinds else {}
    named: dict[str, list[Path]] = defaultdict(list)
    for series, video in progress(list(_each(groups)), len(videos), Unit.VIDEOS):
        sources = [*rows.get(_real(video), ()), *_beside(found, video, kinds)]
        if not sources:
            found.left_out.append(video)
        with _collected(found.faults):
            id_ = id_of(video)
            named[id_].append(video)
            if sources:
                _check_agreement(video, sources)
                found.labels[id_] = _label(id_, series, sources)
                found.taken[sources[0].kind] += 1
    for id_, same in named.items():
        if id_ in found.labels and len(same) > 1:
            found.faults.append(
                f"{same[0]}: has the id {id_!r}, which {same[1]} has, too; rename one of the two"
            )
    return found


def _rows(
    found: Collected, places: Iterable[Path], videos: dict[str, Path]
) -> dict[str, list[SourceLabel]]:
    """Return the rows of tables in the videos' folders, and above them up to the places."""
    roots = [Path(os.path.abspath(place)) for place in places]  # noqa: PTH100  links stay
    folders: set[Path] = set()
    for video in videos.values():
        folder = Path(os.path.abspath(video.parent))  # noqa: PTH100
        above = (one for one in folder.parents if any(one.is_relative_to(root) for root in roots))
        folders |= {folder, *above}
    rows: dict[str, list[SourceLabel]] = defaultdict(list)
    for path in sorted(folder / table.NAME for folder in folders):
        with _collected(found.faults):
            for row in table.read(path) if _is_there(path) else ():
                if (key := _real(row.video)) not in videos:
                    found.faults.append(
                        f"{row.place}: {row.video}: no such video in the given folders; correct "
                        "the row, or name its folder, too"
                    )
                intervals = () if row.interval is None else (row.interval,)
                rows[key].append(SourceLabel(Kind.CSV, row.place, intervals, row.series))
    return rows


def _beside(found: Collected, video: Path, kinds: Collection[Kind]) -> Iterator[SourceLabel]:
    """Yield the intros from files beside a video, and from its own chapters."""
    readers: list[tuple[Kind, str, Callable[[Path], tuple[Interval, ...]]]] = [
        (Kind.EDL, edl.SUFFIX, edl.read),
        (Kind.SEGMENTS, segments.SUFFIX, segments.read),
    ]
    if Kind.CHAPTERS in kinds:
        from skipintro.labelling import chapters  # noqa: PLC0415  loads PyAV
        from skipintro.video.container import PassingVideoError, VideoError  # noqa: PLC0415

        readers.append((Kind.CHAPTERS, chapters.SUFFIX, chapters.of_metadata))
    for kind, suffix, read in readers:
        path = video.with_suffix(suffix)
        with _collected(found.faults):
            if kind in kinds and _is_there(path) and (intervals := read(path)):
                yield SourceLabel(kind, str(path), intervals)
    if Kind.CHAPTERS in kinds:
        with _collected(found.faults):
            try:
                intervals = chapters.of_video(video)
            except PassingVideoError:
                raise
            except VideoError as error:
                found.unread.append(str(error))
                return
            if intervals:
                yield SourceLabel(Kind.CHAPTERS, str(video), intervals)


def _check_agreement(video: Path, sources: Sequence[SourceLabel]) -> None:
    for one, other in combinations(sources, 2):
        if not _agree(one.intervals, other.intervals):
            raise InputError(
                f"{video}: {one.place} says {_span(one)}, {other.place} says {_span(other)}; "
                "correct or remove one, or name the right source with --from"
            )


def _agree(one: Sequence[Interval], other: Sequence[Interval]) -> bool:
    ends, others = ([end for interval in each for end in interval] for each in (one, other))
    return len(ends) == len(others) and all(
        abs(a - b) <= AGREE_S + _OF_MS for a, b in zip(ends, others, strict=True)
    )


def _span(source: SourceLabel) -> str:
    return ", ".join(map(format_interval, source.intervals)) or "no intro"


@contextmanager
def _collected(faults: list[str]) -> Iterator[None]:
    """Collect a fault of the input, so that all of them are reported at once."""
    try:
        yield
    except InputError as error:
        faults.append(str(error))


def _is_there(path: Path) -> bool:
    """Return whether there is such a file. Raises InputError for what is none, such as a folder."""
    if os.path.lexists(path) and not path.is_file():
        raise InputError(f"{path}: no file; remove or rename it")
    return path.is_file()


def _real(path: Path) -> str:
    """Return one name for a file, whatever links lead to it or how its letters are composed."""
    return unicodedata.normalize("NFC", os.path.realpath(path))


def _each(groups: Iterable[Series]) -> Iterator[tuple[str, Path]]:
    return ((series.name, video) for series in groups for video in series.videos)


def _label(id_: str, series: str, sources: Sequence[SourceLabel]) -> dict[str, Any]:
    times = [[format_time(end) for end in interval] for interval in sources[0].intervals]
    start, end = times[0] if times else (None, None)
    ends = {"intervals": times} if len(times) > 1 else {"start": start, "end": end}
    given = next((one.series for one in sources if one.series), series) or id_
    return {"name": id_, **ends, "series": given}

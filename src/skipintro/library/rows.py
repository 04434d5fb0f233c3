"""From the results of whole series to the rows of the requested videos."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from skipintro.core.errors import InputError
from skipintro.library.cache import CacheUnusableError
from skipintro.library.discovery import Series, series_in
from skipintro.library.enums import Source
from skipintro.library.output import Row
from skipintro.library.postprocess import Rule, refine
from skipintro.library.results import Result
from skipintro.library.runner import Detection
from skipintro.sidecars.result import Finding


def asked_rows(
    detection: Detection,
    groups: Sequence[Series],
    row: Callable[[Result], Row],
    *,
    explain: bool = False,
) -> list[Row]:
    """Return a row a video, in the order of their series and names; on demand, it says why.

    `row` is called as soon as a series has its results.
    """
    requested = [video for group in groups for video in group.videos if video in group.asked]
    place = {video: number for number, video in enumerate(requested)}
    beside = cache(_beside)
    rows = []
    for results in detection.results(groups):
        why = detection.explained(results) if explain else {}
        for result in results:
            if result.video in place:
                note = without_sibling(result, results, beside)
                made = replace(row(result), note=note, why=_why(result, why))
                if made.why and result.intervals and not made.finding.interval:
                    made = replace(made, why=f"{made.why}; left out as this run's options ask")
                rows.append(made)
    return sorted(rows, key=lambda row: place[row.finding.video])


def _why(result: Result, of_detector: Mapping[Path, str]) -> str:
    """Return why an episode has this interval, or none; nothing where that was not requested."""
    line = of_detector.get(result.video, "")
    if line and result.source is Source.SETTINGS:
        return "set by hand in skipintro.toml"
    if line and result.source is Source.CHAPTER:
        return f"a chapter of the file names it; the detector alone: {line}"
    return line


def row_of(result: Result, rule: Rule, snapped: Callable[[Result, float], float]) -> Row:
    """Return the refined finding, or none with its fault; `snapped` as `refine` has it."""
    fault = result.fault
    if not fault:
        try:
            return Row(refine(result, rule, snapped))
        except CacheUnusableError:
            raise
        except InputError as error:
            fault = str(error)
    return Row(Finding(result.video, result.series, 0.0, None, None), fault)


def without_sibling(
    result: Result, results: Sequence[Result], beside: Callable[[Path], dict[Path, str]]
) -> str:
    """Say why one of the results of a series has no sibling; nothing where it has one or failed.

    `beside` returns the videos of a folder with their series.
    """
    if result.fault or sum(not each.fault for each in results) > 1:
        return ""
    if len(results) > 1:
        return "no sibling: the others cannot be read"
    there = beside(result.video.parent)
    others = [name for video, name in there.items() if video != result.video]
    if not others:
        return "no sibling: alone in its folder"
    if there.get(result.video, result.series) in others:
        return "no sibling: given alone"
    return "no sibling: alone of its name"


def _beside(folder: Path) -> dict[Path, str]:
    try:
        return series_in(folder, ())
    except OSError:  # nothing is known of it
        return {}

"""What the service's thread does: videos in, the rows of `skipintro detect` out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from skipintro.library.cache import Cache
from skipintro.library.discovery import Series, find_series
from skipintro.library.models import Model
from skipintro.library.output import Row
from skipintro.library.postprocess import Rule
from skipintro.library.results import Result, Settings
from skipintro.library.rows import asked_rows, row_of
from skipintro.library.runner import Detection
from skipintro.service.allowed_paths import Roots
from skipintro.service.http_errors import RefusalError
from skipintro.sidecars.result import Finding
from skipintro.video.container import VideoError
from skipintro.video.isolated_decode import length_s


@dataclass(frozen=True)
class Plan:
    """What is served: the model, its settings, where it looks, and how far."""

    model: Model
    cache: Path
    settings: Settings
    roots: Roots
    n_beside: int
    max_hours: float


class Finder:
    """A detector with its cache; it stays in one thread, as SQLite requires."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._cache = plan, Cache(plan.cache)
        self._detection = Detection(plan.model, self._cache, plan.settings)

    def of_library(self, paths: Sequence[Path]) -> list[Row]:
        """Return the rows of files and folders below the roots."""
        groups = find_series(paths, self._plan.n_beside, self._plan.roots.check)
        if not groups:
            raise RefusalError(422, f"no video in {', '.join(map(str, paths))}; name other paths")
        return _sound(self._rows(groups))

    def of_upload(self, path: Path) -> list[Row]:
        """Return the row of one file by itself, under its bare name."""
        [row] = self._rows(find_series([path], 0))
        finding = replace(row.finding, video=Path(path.name))
        fault = row.fault.replace(f"{path.parent}{os.sep}", "")
        return _sound([replace(row, finding=finding, fault=fault)])

    def close(self) -> None:
        """End the use of the cache."""
        self._cache.close()

    def _rows(self, groups: list[Series]) -> list[Row]:
        """Return the rows; a video that is too long is a fault of its own, and helps no other."""
        place = {video: number for number, video in enumerate(v for g in groups for v in g.videos)}
        hours = {video: _hours(video) for video in place}
        most = self._plan.max_hours
        short = [
            replace(
                group,
                videos=tuple(video for video in group.videos if hours[video] <= most),
                asked=frozenset(video for video in group.asked if hours[video] <= most),
            )
            for group in groups
        ]
        faulty = [
            Row(
                Finding(video, group.name, 0.0, None, None),
                f"{video}: {hours[video]:.1f} h long, allowed are {most:g} h; cut it, or raise "
                "--max-hours",
            )
            for group in groups
            for video in group.asked
            if hours[video] > most
        ]
        requested = [group for group in short if group.asked]
        made = asked_rows(self._detection, requested, lambda one: row_of(one, Rule(), _exactly))
        return sorted([*made, *faulty], key=lambda row: place[row.finding.video])


def _hours(path: Path) -> float:
    try:
        return (length_s(path) or 0.0) / 3600
    except VideoError:
        return 0.0  # its row names the fault


def _sound(rows: list[Row]) -> list[Row]:
    if rows and all(row.fault for row in rows):
        raise RefusalError(422, "; ".join(row.fault for row in rows))
    return rows


def _exactly(_answer: Result, second: float) -> float:
    return second

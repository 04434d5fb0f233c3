"""Chapters as FFmpeg writes them down: `Show S01E01.ffmetadata`.

`ffmpeg -i video.mkv -i video.ffmetadata -map 0 -map_chapters 1 -c copy out.mkv` reads it;
https://ffmpeg.org/ffmpeg-formats.html#Metadata-2.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from skipintro.sidecars.result import Finding, Interval
from skipintro.video.titles import Chapter, names_opening

INTRO, EPISODE = "Intro", "Episode"
_SPECIAL = re.compile(r"([=;#\\\n])")


def path_for(video: Path) -> Path:
    """Return the path of the sidecar."""
    return video.with_suffix(".ffmetadata")


def with_intros(
    known: Sequence[Chapter], intervals: Sequence[Interval], length_s: float
) -> list[Chapter]:
    """Return the chapters with each intro as one of its own; those that it cuts keep their rests.

    Without any known, the rest is one titled `Episode`: a player that jumps to the next chapter
    needs one after the intro. Where one of the known names an opening, all stay as they are.
    """
    if any(names_opening(chapter.title) for chapter in known):
        return list(known)
    rests = list(known)
    if not rests:
        rests = [Chapter(0.0, max(length_s, *(end_s for _, end_s in intervals)), EPISODE)]
    for start_s, end_s in intervals:
        rests = [
            Chapter(since, until, chapter.title)
            for chapter in rests
            for since, until in (
                (chapter.start_s, min(chapter.end_s, start_s)),
                (max(chapter.start_s, end_s), chapter.end_s),
            )
            if since < until
        ]
    intros = [Chapter(start_s, end_s, INTRO) for start_s, end_s in intervals]
    return sorted([*rests, *intros], key=lambda chapter: chapter.start_s)


def text(finding: Finding) -> str | None:
    """Return the file's content, None where there is no intro."""
    if finding.interval is None:
        return None
    lines = [";FFMETADATA1"]
    for chapter in with_intros(finding.chapters, finding.intervals, finding.length_s):
        lines += [
            "[CHAPTER]",
            "TIMEBASE=1/1000",
            f"START={round(chapter.start_s * 1000)}",
            f"END={round(chapter.end_s * 1000)}",
            "title=" + _SPECIAL.sub(r"\\\1", chapter.title),
        ]
    return "\n".join(lines) + "\n"

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


def with_intro(known: Sequence[Chapter], interval: Interval, length_s: float) -> list[Chapter]:
    """Return the chapters with the intro as one of its own; those that it cuts keep their rests.

    Without any known, the rest is one titled `Episode`: a player that jumps to the next chapter
    needs one after the intro. Where one of the known names an opening, all stay as they are.
    """
    if any(names_opening(chapter.title) for chapter in known):
        return list(known)
    start_s, end_s = interval
    whole = [Chapter(0.0, max(length_s, end_s), EPISODE)]
    rests = [
        Chapter(since, until, chapter.title)
        for chapter in known or whole
        for since, until in (
            (chapter.start_s, min(chapter.end_s, start_s)),
            (max(chapter.start_s, end_s), chapter.end_s),
        )
        if since < until
    ]
    return sorted([*rests, Chapter(start_s, end_s, INTRO)], key=lambda chapter: chapter.start_s)


def text(finding: Finding) -> str | None:
    """Return the file's content, None where there is no intro."""
    if finding.interval is None:
        return None
    lines = [";FFMETADATA1"]
    for chapter in with_intro(finding.chapters, finding.interval, finding.length_s):
        lines += [
            "[CHAPTER]",
            "TIMEBASE=1/1000",
            f"START={round(chapter.start_s * 1000)}",
            f"END={round(chapter.end_s * 1000)}",
            "title=" + _SPECIAL.sub(r"\\\1", chapter.title),
        ]
    return "\n".join(lines) + "\n"

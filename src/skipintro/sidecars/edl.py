"""Edit decision list of Kodi and MPlayer: `Show S01E01.edl` beside `Show S01E01.mkv`.

One line an interval, `start end action`, in seconds; https://kodi.wiki/view/Edit_decision_list.
"""

from pathlib import Path

from skipintro.sidecars.result import Finding

COMMERCIAL_BREAK = 3  # skipped once, and may be gone back to; MPlayer knows 0 and 1 alone


def path_for(video: Path) -> Path:
    """Return the path that a player looks at."""
    return video.with_suffix(".edl")


def text(finding: Finding, action: int = COMMERCIAL_BREAK) -> str | None:
    """Return the file's content, None where there is no intro."""
    lines = [f"{start_s:.3f}\t{end_s:.3f}\t{action}\n" for start_s, end_s in finding.intervals]
    return "".join(lines) or None

"""Media segments as Jellyfin's server returns them: `Show S01E01.segments.json`.

The fields of `GET /MediaSegments/{itemId}` (Jellyfin 10.10) without the ids, which only the server
knows; https://jellyfin.org/docs/general/server/metadata/media-segments/.
"""

import json
from pathlib import Path

from skipintro.sidecars.result import Finding

TICKS_PER_MS = 10_000  # a tick is 100 ns


def path_for(video: Path) -> Path:
    """Return the path of the sidecar."""
    return video.with_suffix(".segments.json")


def text(finding: Finding) -> str | None:
    """Return the file's content, None where there is no intro."""
    if finding.interval is None:
        return None
    items = [
        {"Type": "Intro", "StartTicks": _ticks(start_s), "EndTicks": _ticks(end_s)}
        for start_s, end_s in finding.intervals
    ]
    content = {"Items": items, "TotalRecordCount": len(items), "StartIndex": 0}
    return json.dumps(content, indent=2) + "\n"


def _ticks(second: float) -> int:
    return round(second * 1000) * TICKS_PER_MS

"""The label format of the source folder: `Show S01E01.intro.json`, to be corrected and learnt from.

`{id: {"name", "series", "start", "end"}}`, as `skipintro.episodes.labels` reads it; both times
null: no intro; of several intervals `intervals` in place of both.
"""

import json
import unicodedata
from pathlib import Path

from skipintro.episodes.annotations import format_time
from skipintro.sidecars.result import Finding


def path_for(video: Path) -> Path:
    """Return the path of the sidecar."""
    return video.with_suffix(".intro.json")


def text(finding: Finding) -> str:
    """Return the file's content."""
    name = unicodedata.normalize("NFC", finding.video.stem)
    times = [[format_time(second) for second in interval] for interval in finding.intervals]
    start, end = times[0] if times else (None, None)
    ends = {"intervals": times} if finding.further else {"start": start, "end": end}
    content = {name: {"name": name, "series": finding.series, **ends}}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

"""The label format of the source folder: `Show S01E01.intro.json`, to be corrected and learnt from.

`{id: {"name", "series", "start", "end"}}`, as `skipintro.episodes.labels` reads it; both times
null: no intro.
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
    start, end = map(format_time, finding.interval) if finding.interval else (None, None)
    content = {name: {"name": name, "series": finding.series, "start": start, "end": end}}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

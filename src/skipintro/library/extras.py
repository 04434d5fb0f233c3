"""Which videos among episodes are none: trailers, samples, interviews, menus of discs.

The names are those that Jellyfin and Plex know:
https://jellyfin.org/docs/general/server/media/shows, https://support.plex.tv/articles/local-files-for-tv-show-trailers-and-extras
"""

import re
from pathlib import Path

_NAMED = re.compile(  # whatever else the name says
    r"""[._-](?:trailer|sample)$
    |-(?:behind[\s._-]?the[\s._-]?scenes|deleted(?:[\s._-]?scenes?)?|featurette|interview|scene
        |short|clip|other|extra)$
    |[\s._-]NC(?:OP|ED)\d*\b
    |^(?:video_ts|vts_\d+_0)$""",
    re.IGNORECASE | re.VERBOSE,
)
_TITLED = re.compile(  # unless it is an episode's title
    r"(?:^|\s)(?:trailer|sample)$|\b(?:featurettes?|behind[\s._]the[\s._]scenes)\b", re.IGNORECASE
)
_FOLDERS = {
    *("behind the scenes", "deleted scenes", "interviews", "scenes", "samples", "sample", "shorts"),
    *("featurettes", "featurette", "clips", "extras", "extra", "trailers", "trailer", "backdrops"),
    "theme-music",
}
_EPISODE = re.compile(r"s\d+[\s._-]*e\d+|\d+x\d+", re.IGNORECASE)


def is_extra(video: Path, below: Path) -> bool:
    """Return whether a video in a folder `below` is no episode, by its name or a folder's.

    What is numbered as an episode is one in whatever folder: a show may be called `Extras`.
    """
    if _NAMED.search(video.stem):
        return True
    if _EPISODE.search(video.stem):
        return False
    folders = video.relative_to(below).parts[:-1]
    named_so = any(name.casefold() in _FOLDERS for name in folders)
    return named_so or bool(_TITLED.search(video.stem))

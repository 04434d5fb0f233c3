"""Which of a file's streams a player shows and plays.

That is the one that the file says must be played (forced), the one that it marks as the default, or
the first, as mpv chooses (https://mpv.io/manual/stable/#options-aid); never a cover or a preview,
and what is for some viewers alone comes last: commentary, descriptions, clear speech.
"""

import re
from collections.abc import Iterable
from typing import Any

import av
import av.stream

_MARK = av.stream.Disposition
_NO_PICTURES = _MARK.attached_pic | _MARK.timed_thumbnails | _MARK.still_image
_FOR_SOME = (
    _MARK.comment
    | _MARK.visual_impaired
    | _MARK.hearing_impaired
    | _MARK.descriptions
    | _MARK.karaoke
    | _MARK.clean_effects
)
# In files without such marks, a title may show it.
_TITLED_FOR_SOME = re.compile(r"comment|descri(?:ption|bed)|kommentar|коммент|тифло", re.IGNORECASE)


def shown_stream(streams: "Iterable[av.VideoStream]") -> "av.VideoStream | None":
    """Return the stream whose pictures a player shows, None where there is none."""
    moving = [stream for stream in streams if not stream.disposition & _NO_PICTURES]
    return min(moving, key=_rank, default=None)


def heard_stream(streams: "Iterable[av.AudioStream]") -> "av.AudioStream | None":
    """Return the stream whose sound a player plays, None where none can be decoded."""
    known = [stream for stream in streams if stream.codec_context is not None]
    return min(known, key=lambda stream: (_is_for_some(stream), _rank(stream)), default=None)


def _rank(stream: Any) -> tuple[bool, bool, bool]:
    """Return what orders streams; the first of those that are equal is chosen."""
    return (
        stream.codec_context is None,  # libav has no decoder
        not stream.disposition & _MARK.forced,
        not stream.disposition & _MARK.default,
    )


def _is_for_some(stream: "av.AudioStream") -> bool:
    title = stream.metadata.get("title", "")
    return bool(stream.disposition & _FOR_SOME or _TITLED_FOR_SOME.search(title))

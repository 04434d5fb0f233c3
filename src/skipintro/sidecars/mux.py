"""A copy of a Matroska or MP4 file with each intro as a chapter; streams are copied, not encoded.

The one place beside `skipintro.video` that imports PyAV: this one writes containers.
"""

from fractions import Fraction
from pathlib import Path

import av
import av.error

from skipintro.core.errors import InputError
from skipintro.sidecars.chapters import with_intros
from skipintro.sidecars.result import Finding
from skipintro.video.titles import Chapter

SUFFIXES = {".mkv", ".mp4", ".m4v", ".mov", ".webm"}
_MS = Fraction(1, 1000)
_COPIED = {"video", "audio", "subtitle", "attachment"}  # data: an MP4's chapters, made again


def write_copy(finding: Finding, copy: Path) -> None:
    """Write the copy of a video that has an intro; the video itself is only read.

    Raises InputError where the container cannot be written or holds what cannot be copied.
    """
    video = finding.video
    if video.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{video}: chapters can be written into {', '.join(sorted(SUFFIXES))}; use --write "
            "for a file beside it"
        )
    try:
        _remux(finding, copy)
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{video}: cannot be copied with chapters ({reason}); use --write for a file beside it"
        ) from error


def _remux(finding: Finding, copy: Path) -> None:
    with (
        av.open(str(finding.video.absolute()), metadata_errors="replace") as source,
        av.open(str(copy.absolute()), "w") as target,
    ):
        streams = {
            stream.index: target.add_stream_from_template(stream)
            for stream in source.streams
            if stream.type in _COPIED
        }
        for index, stream in streams.items():
            stream.metadata.update(source.streams[index].metadata)
            stream.disposition = source.streams[index].disposition
        target.metadata.update(source.metadata)
        known = [
            Chapter(
                float(chapter["start"] * (chapter["time_base"] or _MS)),
                float(chapter["end"] * (chapter["time_base"] or _MS)),
                chapter["metadata"].get("title", ""),
            )
            for chapter in source.chapters()
        ]
        target.set_chapters(
            [
                {
                    "id": number,
                    "start": round(chapter.start_s * 1000),
                    "end": round(chapter.end_s * 1000),
                    "time_base": _MS,
                    "metadata": {"title": chapter.title},
                }
                for number, chapter in enumerate(
                    with_intros(known, finding.intervals, finding.length_s), 1
                )
            ]
        )
        for packet in source.demux([source.streams[index] for index in streams]):
            if packet.size:  # the last one of a stream is empty: PyAV's way to say so
                packet.stream = streams[packet.stream.index]
                target.mux(packet)

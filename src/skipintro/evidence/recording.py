"""From a video file to its fingerprints, in one pass and in a process of its own."""

import io
import logging
import math
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from skipintro.core.errors import InputError
from skipintro.evidence.chroma import POINT_S, ChromaListener
from skipintro.evidence.pictures import THUMBNAIL, picture_track, scattered_track
from skipintro.evidence.settings import FingerprintSettings
from skipintro.evidence.sound import SAMPLE_RATE, band_energies, sound_track
from skipintro.evidence.track import Evidence, Spans, Track, on_grid
from skipintro.video import decoding, sound
from skipintro.video.container import check_not_truncated
from skipintro.video.info import USUAL_LIMITS, DecodingLimits
from skipintro.video.isolated_decode import decoded

PICTURES_ALONE = "%s: there is no decoder for the codec of its sound; it goes by pictures alone"
TRUNCATION_TOLERANCE_S = 2.0  # s that may lack of the length that a container promises
_BLOCK_S = 10  # of sound that is decoded at a time
_UNDECODABLE = "is_sound_undecodable"  # an array's name, where it is
# What reading a damaged .npz file raises: of the archive, of the arrays in it, of what they lack.
_UNREADABLE = (
    *(BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError),
    *(ValueError, TypeError, LookupError, OverflowError, MemoryError),
)

log = logging.getLogger(__name__)


def record(
    path: Path,
    settings: FingerprintSettings,
    n_seconds: int | None = None,
    limits: DecodingLimits = USUAL_LIMITS,
) -> Evidence:
    """Return the fingerprints of a video, or of its first `n_seconds`.

    A video without sound that can be decoded has pictures alone. Raises VideoError where the
    pictures cannot be decoded.
    """
    *made, is_undecodable = decoded(
        _recorded, path, limits, settings, n_seconds, max_length_s=limits.max_length_s
    )
    rates = {
        "pictures": settings.pictures.rate,
        "sound": settings.sound.rate,
        "chroma": 1 / POINT_S,
    }
    tracks = {
        kind: Track(rates[kind], rows.astype(np.float32), level, change)
        for kind, rows, level, change in made
    }
    return Evidence(tracks, len(tracks["pictures"]) / settings.pictures.rate, is_undecodable)


def record_checked(
    path: Path, settings: FingerprintSettings, n_seconds: int | None, promised_s: float | None
) -> Evidence:
    """Return the fingerprints of a video, which must be as long as its container promises.

    Logs a warning where its sound cannot be decoded. Raises VideoError where the pictures cannot
    be, or end before `promised_s`.
    """
    evidence = record(path, settings, n_seconds)
    check_not_truncated(path, evidence.length_s, promised_s, TRUNCATION_TOLERANCE_S, n_seconds)
    if evidence.is_sound_undecodable:
        log.warning(PICTURES_ALONE, path)
    return evidence


def record_sound(
    path: Path,
    settings: FingerprintSettings,
    length_s: float,
    limits: DecodingLimits = USUAL_LIMITS,
) -> Evidence:
    """Return the fingerprints of the sound of a video's first `length_s`, and of nothing else.

    Raises VideoError where the file cannot be opened.
    """
    found = decoded(
        _sound_recorded, path, limits, settings, length_s, max_length_s=limits.max_length_s
    )
    tracks = {
        kind: Track(settings.sound.rate, rows.astype(np.float32), level, change)
        for kind, rows, level, change in found
    }
    return Evidence(tracks, length_s)


def record_around(
    path: Path,
    settings: FingerprintSettings,
    spans: Spans,
    heard: Evidence,
    limits: DecodingLimits = USUAL_LIMITS,
) -> tuple[Evidence, Spans]:
    """Return the fingerprints of a video whose sound was recorded, with pictures of some moments.

    `spans` are those moments, as rows. With the evidence come the moments of which there
    are pictures: more where files allow no less. Raises VideoError as `record` does.
    """
    [(_, rows, level, change), is_known] = decoded(
        _some_pictures_recorded, path, limits, settings, spans, max_length_s=limits.max_length_s
    )
    pictures = Track(settings.pictures.rate, rows.astype(np.float32), level, change)
    length_s = len(pictures) / settings.pictures.rate
    tracks = {
        kind: on_grid(track, track.rate, round(length_s * track.rate))
        for kind, track in heard.tracks.items()
    }
    steps = np.diff(np.concatenate([[0], is_known.astype(np.int8), [0]]))
    begins, ends = (np.flatnonzero(steps == step).tolist() for step in (1, -1))
    return Evidence({"pictures": pictures, **tracks}, length_s), list(
        zip(begins, ends, strict=True)
    )


def _recorded(
    path: Path, settings: FingerprintSettings, n_seconds: int | None, *, max_length_s: float
) -> Iterator[tuple[Any, ...] | bool]:
    """Yield each kind with its rows (as float16), level and change; at last, `is_undecodable`."""
    wanted = settings.pictures
    most = None if n_seconds is None else n_seconds * wanted.rate
    pictures = decoding.grey_thumbnails(path, THUMBNAIL, wanted.rate, max_length_s=max_length_s)
    thumbnails = np.array(list(islice(pictures, most)), np.uint8)
    yield "pictures", *_fields(picture_track(thumbnails, wanted))
    if not sound.has_sound(path):
        yield sound.is_undecodable(path)
        return
    length_s = len(thumbnails) / wanted.rate
    yield from _sound_recorded(path, settings, length_s, max_length_s=max_length_s)
    yield False


def _sound_recorded(
    path: Path, settings: FingerprintSettings, length_s: float, *, max_length_s: float
) -> Iterator[tuple[Any, ...]]:
    """Yield each kind of sound, none where there is no sound that can be decoded."""
    if not sound.has_sound(path):
        return
    blocks = islice(
        sound.samples(path, SAMPLE_RATE, max_length_s=max_length_s), math.ceil(length_s / _BLOCK_S)
    )
    listener = None if settings.chroma is None else ChromaListener()
    energies = band_energies(
        blocks if listener is None else listener.overhearing(blocks), settings.sound
    )
    n_rows = round(length_s * settings.sound.rate)
    yield "sound", *_fields(sound_track(energies, n_rows, settings.sound))
    if listener is not None:
        yield "chroma", *_fields(listener.track(int(length_s / POINT_S)))


def _some_pictures_recorded(
    path: Path, settings: FingerprintSettings, spans: Spans, *, max_length_s: float
) -> Iterator[tuple[Any, ...] | NDArray[np.bool_]]:
    """Yield the pictures' rows, level and change, and bool (n,): the moments that were decoded."""
    bounds = np.array(spans, np.int64).reshape(-1, 2)

    def is_wanted(first: int, stop: int) -> bool:
        return bool(((bounds[:, 0] < stop) & (bounds[:, 1] > first)).any())

    wanted = settings.pictures
    pictures = decoding.some_grey_thumbnails(
        path, THUMBNAIL, wanted.rate, is_wanted, max_length_s=max_length_s
    )
    given = list(pictures)
    is_known = np.array([picture is not None for picture in given], bool)
    thumbnails = np.array([picture for picture in given if picture is not None], np.uint8)
    at = np.flatnonzero(is_known)
    yield "pictures", *_fields(scattered_track(thumbnails, at, len(given), wanted))
    yield is_known


def _fields(track: Track) -> tuple[NDArray[Any], ...]:
    return track.rows.astype(np.float16), track.level, track.change


def to_bytes(evidence: Evidence) -> bytes:
    """Return the evidence as the bytes of an .npz file; the same bytes for the same evidence."""
    buffer = io.BytesIO()
    arrays: dict[str, NDArray[Any]] = {"length_s": np.array([evidence.length_s], np.float64)}
    for name, track in evidence.tracks.items():
        arrays[f"{name}.rate"] = np.array([track.rate], np.float64)
        arrays[f"{name}.rows"] = track.rows.astype(np.float16)
        arrays[f"{name}.level"], arrays[f"{name}.change"] = track.level, track.change
    if evidence.is_sound_undecodable:
        arrays[_UNDECODABLE] = np.array([True])
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def of_bytes(content: bytes, name: Path) -> Evidence:
    """Return the evidence of such bytes. Raises InputError, naming the file, where it is none."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            kinds = [key.removesuffix(".rows") for key in file.files if key.endswith(".rows")]
            tracks = {
                kind: Track(
                    float(file[f"{kind}.rate"][0]),
                    file[f"{kind}.rows"].astype(np.float32),
                    file[f"{kind}.level"],
                    file[f"{kind}.change"],
                )
                for kind in kinds
            }
            for kind, track in tracks.items():
                if track.rows.ndim != 2 or not len(track) == len(track.level) == len(track.change):
                    raise ValueError(f"{kind}: its arrays differ in length")
            return Evidence(tracks, float(file["length_s"][0]), _UNDECODABLE in file.files)
    except _UNREADABLE as error:
        raise InputError(f"{name}: cannot be read ({error}); delete it and run again") from error

"""Readers of sidecars that know nothing of the writers; a library; an encoder for nothing."""

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from conftest import EMBEDDING, TOY_INTRO_S, make_once, tiny_config, write_toy_video
from skipintro.core.device import Precision
from skipintro.core.files import sha256_of_file, write_json
from skipintro.detection.folder import DetectionConfig, HeadDetectorConfig
from skipintro.detection.kinds import DETECTION_FILE
from skipintro.detectors.openings import save_openings, season_candidates
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.evidence import recording
from skipintro.evidence.recording import record
from skipintro.library import fingerprinting
from skipintro.model.head import IntroHead, save_head

TOYS = {
    "Other Show S01E01": 5,
    "Other Show S01E02": 2,
    "Toy S01E01": 3,
    "Toy S01E02": 8,
    "Toy S01E03": 0,
}
TOY_S = 26
HEAD = DetectionConfig(stride=5, threshold=0.5, min_length_s=1, batch_size=7)
INTERVALS = {name: (float(start), float(start + TOY_INTRO_S)) for name, start in TOYS.items()}


def write_library(folder: Path) -> list[Path]:
    """Write five episodes of 26 s with 16 s of intro, of two series."""
    paths = [folder / name.partition(" S01")[0] / f"{name}.mp4" for name in TOYS]
    for seed, (path, start) in enumerate(zip(paths, TOYS.values(), strict=True)):
        write_toy_video(path, start, seconds=TOY_S, seed=seed)
    return paths


def read_edl(path: Path) -> list[tuple[float, float, int]]:
    """Read an EDL as strictly as Kodi's wiki gives it: `start end action`, one blank or tab each.

    Times are seconds or H:MM:SS.sss, rising and without overlaps; actions are 0, 1, 2 and 3.
    """
    text = path.read_bytes().decode("ascii")
    assert text.endswith("\n")
    entries: list[tuple[float, float, int]] = []
    for line in text.splitlines():
        match = re.fullmatch(r"(\S+)[ \t]+(\S+)[ \t]+([0-3])", line)
        assert match, f"no entry: {line!r}"
        start, end = _edl_seconds(match[1]), _edl_seconds(match[2])
        assert start < end
        assert not entries or start >= entries[-1][1]
        entries.append((start, end, int(match[3])))
    return entries


def _edl_seconds(text: str) -> float:
    if ":" not in text:
        assert re.fullmatch(r"\d+(\.\d+)?", text)
        return float(text)
    match = re.fullmatch(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d{1,3})?)", text)
    assert match
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def read_chapters(path: Path) -> list[tuple[float, float, str]]:
    """Read chapters with FFmpeg, of a video or of an FFMETADATA file."""
    with av.open(str(path)) as container:
        return [
            (
                float(chapter["start"] * (chapter["time_base"] or 1)),
                float(chapter["end"] * (chapter["time_base"] or 1)),
                chapter["metadata"]["title"],
            )
            for chapter in container.chapters()
        ]


def write_chapters(video: Path, *chapters: tuple[float, float, str]) -> None:
    """Write a silent video anew with chapters, without encoding it again."""
    draft = video.with_name(f"draft{video.suffix}")
    with av.open(str(video)) as source, av.open(str(draft), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.set_chapters(
            [
                {
                    "id": number,
                    "start": round(start * 1000),
                    "end": round(end * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, (start, end, title) in enumerate(chapters, 1)
            ]
        )
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    draft.replace(video)


def packets(path: Path) -> list[tuple[str, bytes]]:
    """Return every packet of pictures, sound and subtitles, without its times."""
    with av.open(str(path)) as container:
        streams = [s for s in container.streams if s.type in {"video", "audio", "subtitle"}]
        return sorted(
            (packet.stream.type, bytes(packet))
            for packet in container.demux(streams)
            if packet.size
        )


def names(paths: Sequence[Path]) -> list[str]:
    return [path.name for path in paths]


def whole_evidence(cache: Path, kind: str) -> list[Path]:
    """Return the files of a cache that hold the evidence of whole videos."""
    return [path for path in cache.glob(f"{kind}/*/*.np*") if len(path.suffixes) == 1]


class CheapEncoder:
    """Return the colours of a picture's parts: enough for toys, and made in no time."""

    identity = EncoderIdentity(
        name="cheap",
        weights="imagenet",
        weights_sha256="0" * 64,
        trained=True,
        dimension=192,
        image_size=32,
    )
    precision: Precision = "fp32"
    delay_s = 0.0  # of each batch

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(self.delay_s)
        parts = pictures.reshape(len(pictures), 8, 4, 8, 4, 3).mean(axis=(2, 4))
        return np.asarray(parts.reshape(len(pictures), -1) / 255, np.float32)


def use_cheap_encoder(patch: pytest.MonkeyPatch, delay_s: float = 0.0) -> None:
    """Make every detector load the cheap encoder, whatever it asks for."""
    patch.setattr(CheapEncoder, "delay_s", delay_s)

    def load(*_: Any, **__: Any) -> CheapEncoder:
        return CheapEncoder()

    patch.setattr("skipintro.detection.head_detector.load_encoder", load)


def record_slowly(patch: pytest.MonkeyPatch, delay_s: float) -> None:
    """Make `detect` and `serve` wait before they record the fingerprints of each video."""
    real = recording.record_checked

    def slow(*words: Any, **more: Any) -> Any:
        time.sleep(delay_s)
        return real(*words, **more)

    patch.setattr(fingerprinting, "record_checked", slow)


@dataclass(frozen=True)
class Place:
    """A library, a detector's folder, and a cache in which its videos are fingerprinted."""

    library: Path
    detector: Path
    cache: Path

    @classmethod
    def in_(cls, folder: Path) -> "Place":
        return cls(folder / "library", folder / "detector", folder / "cache")

    def copy(self, folder: Path) -> "Place":
        """Copy what is there."""
        copy = Place.in_(folder)
        for source, target in zip(vars(self).values(), vars(copy).values(), strict=True):
            if source.exists():
                shutil.copytree(source, target)
        return copy

    def words(self, *words: str) -> list[str]:
        fixed = ("--model", str(self.detector), "--cache", str(self.cache))
        return ["detect", *(words or (str(self.library),)), *fixed]

    def videos(self) -> list[Path]:
        return sorted(self.library.rglob("*.mp4"))

    def files(self) -> dict[str, str]:
        """Return everything in the library but its videos, by content."""
        found = (path for path in self.library.rglob("*") if path.is_file())
        return {
            path.relative_to(self.library).as_posix(): sha256_of_file(path)
            for path in found
            if path.suffix != ".mp4"
        }


def make_place(folder: Path) -> Place:
    """Write the library, and a detector that was fitted to it."""
    # Here, so that processes which want the cheap encoder alone need not load scikit-learn.
    from season_cases import CONFIG, FITTING  # noqa: PLC0415
    from skipintro.detectors.fitting import (  # noqa: PLC0415
        LabelledSeason,
        fit_openings,
        fitted_detector,
    )

    place = Place.in_(folder)
    write_library(place.library)
    config = CONFIG.model_copy(  # for openings that are most of their episodes
        update={
            "candidates": CONFIG.candidates.model_copy(update={"max_share": 0.9}),
            "siblings": CONFIG.siblings.model_copy(update={"copy_share": 1.0}),
        }
    )
    seasons = []
    for series in sorted(place.library.iterdir()):
        videos = sorted(series.iterdir())
        episodes = [record(video, config.fingerprint) for video in videos]
        openings = tuple((INTERVALS[video.stem],) for video in videos)
        seasons.append(LabelledSeason(series.name, season_candidates(episodes, config), openings))
    by_heart = FITTING.trees.model_copy(update={"max_leaf_nodes": 12, "min_samples_leaf": 1})
    settings = FITTING.model_copy(update={"folds": 2, "trees": by_heart})
    fitted = fit_openings(seasons, settings, config.matching.rate)
    place.detector.mkdir()
    save_openings(place.detector, fitted_detector(fitted, config))
    return place


def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return what `make_place` makes, once for all workers; copy it before you change it."""
    return Place.in_(make_once("place", tmp_path_factory, make_place))


def write_head_detector(folder: Path, encoder: EncoderIdentity = CheapEncoder.identity) -> Path:
    """Write a detector with a random head whose probabilities lie around one half."""
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    sizes = {"length": 10, "heads": 1, "feedforward": 4, "position_std": 0.5}
    config = tiny_config(encoder=encoder, dimension=encoder.dimension, **sizes)
    save_head(folder, IntroHead(config))
    write_json(folder / DETECTION_FILE, HeadDetectorConfig(head=HEAD, embedding=EMBEDDING))
    return folder

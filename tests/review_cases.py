"""A checkout with labels in doubt, and the server of the page that shows them."""

import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from conftest import TOY_INTRO_S, Checkout, make_checkout, make_once, write_toy_video
from server_cases import Answer
from skipintro.cli.outliers import usual_rule
from skipintro.core.files import write_json
from skipintro.core.params import load_params
from skipintro.detection.episode import Interval
from skipintro.detection.label_disagreements import OutOfFoldPrediction
from skipintro.evaluation.metrics import EpisodeResult
from skipintro.review.app import make_server
from skipintro.review.label_issues import EVALUATED, HELD_OUT, gather
from skipintro.review.overrides import OverridesFile
from skipintro.review.queue import Queue
from skipintro.service.sockets import listen
from skipintro.stages import annotate

LENGTH_S = 30
HOSTILE = "x\"><img src=x onerror=alert(1)> & 'Ж' %2e 🎬 s01e03"
SERIES = '</script><script>alert("1")</script> «Серия» {{ 7 * 7 }}'
OVERRIDES = Path("data/overrides.json")

# Split, id, true start or none, label.
EPISODES: tuple[tuple[str, str, int | None, tuple[str | None, str | None]], ...] = (
    ("train", "right", 2, ("0:02", "0:18")),
    ("train", "contradicted", 8, ("0:04", "0:20")),
    ("train", HOSTILE, 6, ("0:06", "0:09")),  # 3 s, the others 16 s
    ("train", "unusable", 5, ("7:40", "0:05")),
    ("test", "late", 10, ("0:03", "0:19")),
    ("test", "unplayable", 0, (None, None)),
    ("test", "found", 1, ("0:01", "0:17")),
)
# Sorted by what speaks against their labels: 1, 0.9, 0.8, 1 - 5/13, 0.5.
IN_DOUBT = ["unusable", "contradicted", "unplayable", HOSTILE, "late"]


def make_doubtful_checkout(folder: Path) -> Checkout:
    """Write episodes, ingest and annotate them, and put beside them what a fit may say."""
    source = folder / "source"
    labels: dict[str, dict[str, Any]] = {"train": {}, "test": {}}
    for seed, (split, id_, start, (label_start, label_end)) in enumerate(EPISODES):
        path = source / split / f"{id_}.mp4"
        if id_ == "unplayable":
            write_old_video(path.with_suffix(".avi"))
        else:
            write_toy_video(path, start, seconds=LENGTH_S, seed=seed)
        labels[split][id_] = {
            "name": id_,
            "series": SERIES,
            "start": label_start,
            "end": label_end,
        }
    for split, rows in labels.items():
        (source / split / "labels.json").write_text(json.dumps(rows), encoding="utf-8")
    checkout = make_checkout(folder / "checkout", source)
    checkout.stage("ingest")
    checkout.stage("annotate")
    write_held_out(checkout.folder, contradicted=((4, 20), (8, 24), 0.9))
    results = [
        result("late", truth=(3, 19), predicted=(10, 26), confidence=0.5),
        result("unplayable", truth=None, predicted=(0, 16), confidence=0.8),
        result("found", truth=(1, 17), predicted=(1, 18), confidence=1.0),
    ]
    write_json(checkout.folder / EVALUATED, [row.model_dump(mode="json") for row in results])
    return checkout


def copy_doubtful_checkout(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Copy what `make_doubtful_checkout` makes, once for all workers."""
    made = make_once("doubtful", tmp_path_factory, make_doubtful_checkout)
    shutil.copytree(made / "checkout", folder)
    return Checkout(folder)


def write_old_video(path: Path) -> None:
    """Write an AVI of MPEG-4 Visual, which no browser plays, and which has no exact index."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(4))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(LENGTH_S * 4):
            pixels = np.full((64, 96, 3), (index * 2, 80, 255 - index * 2), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_held_out(checkout: Path, **told: tuple[Interval | None, Interval | None, float]) -> None:
    """Write what a fit says, by id: label, interval, confidence."""
    rows = [
        OutOfFoldPrediction(
            id=id_, series=SERIES, label=label, interval=interval, confidence=confidence
        )
        for id_, (label, interval, confidence) in told.items()
    ]
    write_json(checkout / HELD_OUT, [row.model_dump(mode="json") for row in rows])


def result(
    id_: str, *, truth: Interval | None, predicted: Interval | None, confidence: float | None
) -> EpisodeResult:
    return EpisodeResult(
        id=id_,
        series=SERIES,
        seen=True,
        leaked=False,
        n_seconds=LENGTH_S,
        truth=truth,
        predicted=predicted,
        confidence=confidence,
        iou=None,
        probabilities=[0.5] * LENGTH_S,
    )


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """Ask a server of this machine; `body` is sent as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())


@dataclass(frozen=True)
class Reviewed:
    """A page that is served, and the overrides file that it writes."""

    port: int
    file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def overrides(self) -> dict[str, Any]:
        content = json.loads(self.file.read_text(encoding="utf-8"))
        assert isinstance(content, dict)
        return content

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return ask(self.port, method, path, body, **headers)

    def decide(self, id_: str, kind: str, **more: Any) -> Answer:
        return self.ask("POST", "/decisions", {"id": id_, "kind": kind, "seen": None, **more})

    def open_ids(self) -> list[str]:
        return [one["id"] for one in self.ask("GET", "/doubts").json()["doubts"] if one["open"]]


@contextmanager
def reviewing(checkout: Checkout, *, everything: bool = False) -> Iterator[Reviewed]:
    """Serve the page in a thread, as `skipintro review` does in a process."""
    folder = checkout.folder
    file = OverridesFile(folder / OVERRIDES, folder.parent / "overrides.lock")
    decided = file.read()
    doubts = [
        doubt for doubt in gather(folder, usual_rule()) if everything or doubt.id not in decided
    ]
    rule = load_params(annotate.Params, "annotate", folder / "params.yaml").rule()
    listening = listen("127.0.0.1", 0)
    server = make_server(Queue(doubts, file, rule), folder)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield Reviewed(listening.getsockname()[1], file.path)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


assert TOY_INTRO_S == 16  # which the labels above count on

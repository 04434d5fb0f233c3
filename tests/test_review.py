"""`skipintro review`: what is in doubt, what is written, and the page in a real browser."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import forked
from browser_cases import visiting
from conftest import Checkout
from review_cases import (
    HOSTILE,
    IN_DOUBT,
    LENGTH_S,
    OVERRIDES,
    SERIES,
    Reviewed,
    ask,
    copy_doubtful_checkout,
    result,
    reviewing,
    write_held_out,
)
from skipintro.cli import review as cli_review
from skipintro.cli.outliers import usual_rule
from skipintro.core.errors import InputError
from skipintro.core.files import write_json
from skipintro.episodes.annotations import CorrectionRule, Override, read_overrides
from skipintro.episodes.catalog import IngestedEpisode, IngestManifest
from skipintro.review.decisions import Decision, entry_of
from skipintro.review.label_issues import EVALUATED, HELD_OUT, Doubt, gather
from skipintro.review.overrides import OverridesFile
from skipintro.review.queue import Queue
from skipintro.service.http_errors import RefusalError
from skipintro.service.sockets import listen
from skipintro.video.decoding import thumbnails
from skipintro.video.info import USUAL_LIMITS, VideoInfo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RULE = CorrectionRule(inversion_shift_s=60, min_length_s=1, max_length_s=20)
BY_HAND = {"start": "1:10", "end": 85.5, "reason": "label names the «recap»"}
UTF8 = "utf-8"


# --- what is in doubt ---


class Labels:
    """A checkout of labels alone: its manifest tells of videos that are not there."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self._episodes: list[IngestedEpisode] = []
        self._labels: dict[str, dict[str, Any]] = {"train": {}, "test": {}}
        (folder / "data").mkdir(parents=True)
        (folder / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
        self.override({})

    def add(
        self,
        id_: str,
        start: str | None,
        end: str | None,
        *,
        split: str = "train",
        n_seconds: int = 2000,
        problem: str | None = None,
        series: str = "s",
    ) -> None:
        video = VideoInfo(
            duration_s=n_seconds,
            n_seconds=n_seconds,
            n_frames=1,
            fps=1,
            width=1,
            height=1,
            codec="any",
        )
        self._episodes.append(
            IngestedEpisode(
                split=split, id=id_, path=Path(id_), sha256="", video=video, problem=problem
            )
        )
        self._labels[split][id_] = {"name": id_, "series": series, "start": start, "end": end}
        for name, rows in self._labels.items():
            write_json(self.folder / "data/ingest" / name / "labels.json", rows)
        manifest = IngestManifest(
            mode="copy",
            truncation_tolerance_s=2.0,
            decoding=USUAL_LIMITS,
            episodes=self._episodes,
            unlabelled=[],
            leaked=[],
            versions={},
        )
        write_json(self.folder / "data/ingest/manifest.json", manifest)

    def override(self, entries: dict[str, Any]) -> None:
        write_json(self.folder / OVERRIDES, entries)

    def doubts(self) -> dict[str, Doubt]:
        return {doubt.id: doubt for doubt in gather(self.folder, usual_rule())}


@pytest.fixture
def labels(tmp_path: Path, pytestconfig: pytest.Config) -> Labels:
    return Labels(tmp_path / "checkout", pytestconfig.rootpath)


def test_before_anything_is_ingested_the_command_for_it_is_told(labels: Labels) -> None:
    with pytest.raises(InputError, match=r"manifest\.json: missing; run `dvc repro annotate`"):
        labels.doubts()


def test_without_any_fit_labels_alone_are_judged(labels: Labels) -> None:
    for number in range(4):
        labels.add(f"right{number}", "0:10", "0:26")
    assert labels.doubts() == {}
    labels.add("short", "0:10", "0:13")
    labels.add("unusable", "7:40", "0:05")
    labels.add("none", None, None)
    assert list(labels.doubts()) == ["unusable", "short"]
    assert labels.doubts()["short"].label == (10, 13)
    assert not labels.doubts()["unusable"].usable


def test_several_reasons_weigh_more_than_one(labels: Labels) -> None:
    for number in range(4):
        labels.add(f"right{number}", "0:10", "0:26")
    labels.add("short", "0:10", "0:13")  # 1 - 5/13
    labels.add("unusable", "7:40", "0:05")  # 1
    write_held_out(labels.folder, short=((10, 13), (10, 26), 0.5), right1=((10, 26), (0, 9), 0.6))
    assert list(labels.doubts()) == ["short", "unusable", "right1"]
    assert len(labels.doubts()["short"].reasons) == 2
    assert labels.doubts()["short"].proposal == (10, 26)


def test_what_a_fit_said_is_held_against_the_label_as_it_is_now(labels: Labels) -> None:
    labels.add("changed", "0:10", "0:26")
    labels.add("unusable", "7:40", "0:05")
    labels.add("silent", "0:10", "0:26")
    write_held_out(
        labels.folder,
        changed=((30, 50), (10, 25), 0.9),
        unusable=((30, 50), (10, 25), 0.9),
        silent=((10, 26), None, 0.9),  # held out, a detector may say nothing
        gone=((30, 50), (10, 25), 0.9),
    )
    [doubt] = labels.doubts().values()
    assert (doubt.id, doubt.proposal, len(doubt.reasons)) == ("unusable", (10, 25), 1)


@pytest.mark.parametrize(
    ("label", "predicted", "doubted"),
    [
        ((10, 26), (10, 26), False),
        ((10, 26), (13, 26), False),  # by fit.right_within_s
        ((10, 26), (13.1, 26), True),
        ((10, 26), None, True),
        (None, (10, 26), True),
        (None, None, False),
    ],
)
def test_a_test_episode_is_in_doubt_where_detector_and_label_differ(
    labels: Labels, label: Any, predicted: Any, doubted: bool
) -> None:
    start, end = label or (None, None)
    labels.add("e1", start, end, split="test")
    row = result("e1", truth=None, predicted=predicted, confidence=0.5)
    write_json(labels.folder / EVALUATED, [row.model_dump(mode="json")])
    assert list(labels.doubts()) == ["e1"] * doubted


def test_an_episode_of_both_splits_stands_there_once(labels: Labels) -> None:
    labels.add("both", "7:40", "0:05", n_seconds=90)
    labels.add("both", "7:40", "0:05", split="test", n_seconds=80)
    labels.add("other", "0:10", "0:20")
    labels.add("other", "0:10", "0:21", split="test")
    doubts = labels.doubts()
    assert list(doubts) == ["both", "other"]
    assert (doubts["both"].splits, doubts["both"].n_seconds) == (("train", "test"), 80)
    assert len(doubts["both"].reasons) == 1
    assert doubts["other"].reasons == (
        "it is labelled differently: train 0:00:10 to 0:00:20, test 0:00:10 to 0:00:21",
    )


def test_a_label_that_ends_after_its_episode_is_in_doubt(labels: Labels) -> None:
    labels.add("exact", "0:10", "0:30", n_seconds=30)
    labels.add("beyond", "0:10", "0:30", n_seconds=29)
    assert list(labels.doubts()) == ["beyond"]  # the annotate stage ends there


def test_what_has_no_usable_video_is_left_out(labels: Labels) -> None:
    labels.add("damaged", "7:40", "0:05", problem="truncated")
    assert labels.doubts() == {}


def test_a_series_is_one_however_its_labels_spell_it(labels: Labels) -> None:
    for number in range(4):
        labels.add(f"right{number}", "0:10", "0:26", series="Другой сериал")
    labels.add("short", "0:10", "0:13", series="ДРУГОЙ cериал\u200f")  # a Latin c
    assert list(labels.doubts()) == ["short"]


def test_an_override_ends_a_doubt_and_the_label_is_still_told(labels: Labels) -> None:
    for number in range(4):
        labels.add(f"right{number}", "0:10", "0:26")
    labels.add("short", "0:10", "0:13")
    labels.override({"short": {"start": 10, "end": 26, "reason": "seen"}})
    [doubt] = labels.doubts().values()
    assert (doubt.id, doubt.label, doubt.reasons) == ("short", (10, 13), ())


@pytest.mark.parametrize("place", [HELD_OUT, EVALUATED])
def test_a_file_of_another_version_is_told_with_what_makes_it_anew(
    labels: Labels, place: Path
) -> None:
    labels.add("e1", "0:10", "0:26")
    write_json(labels.folder / place, [{"other": 1}])
    with pytest.raises(InputError, match=rf"{place}: .*; run `dvc repro"):
        labels.doubts()


# --- what is written ---


def doubt_of(id_: str = "e1", **changes: Any) -> Doubt:
    fields = {
        "id": id_,
        "series": "s",
        "splits": ("train",),
        "video": "e1.mp4",
        "n_seconds": 90,
        "usable": True,
        "label": (70.1234, 85),
        "proposal": None,
        "confidence": None,
        "reasons": (),
    }
    return Doubt.model_validate({**fields, **changes})


def decision(kind: str, start_s: Any = None, end_s: Any = None, **more: Any) -> Decision:
    fields = {"id": "e1", "kind": kind, "start_s": start_s, "end_s": end_s, "seen": None, **more}
    return Decision.model_validate(fields)


def test_entries_are_written_as_a_person_would_without_a_loss() -> None:
    assert entry_of(decision("correct", 70.0, 85.5), doubt_of(), RULE) == {
        "start": "0:01:10",
        "end": "0:01:25.5",
        "reason": "reviewed: corrected",
    }
    assert entry_of(decision("correct", 70.0, 90.0, reason=" seen "), doubt_of(), RULE) == {
        "start": "0:01:10",
        "end": "0:01:30",  # the episode's end itself
        "reason": "seen",
    }
    assert entry_of(decision("accept"), doubt_of(), RULE) == {
        "start": 70.1234,  # which no clock of ours tells
        "end": "0:01:25",
        "reason": "reviewed: the label is right",
    }
    nothing = {"start": None, "end": None}
    no_intro = entry_of(decision("no_intro"), doubt_of(), RULE)
    assert no_intro == {**nothing, "reason": "reviewed: no intro"}
    stands = entry_of(decision("accept"), doubt_of(label=None), RULE)
    assert stands == {**nothing, "reason": "reviewed: the label is right"}


def test_further_intervals_are_accepted_with_the_label_and_kept_by_a_correction() -> None:
    double = doubt_of(label=(5, 20), further=((70, 85),))
    reason = {"reason": "double"}
    assert entry_of(decision("accept", **reason), double, RULE) == {
        "intervals": [["0:00:05", "0:00:20"], ["0:01:10", "0:01:25"]],
        **reason,
    }
    assert entry_of(decision("correct", 6.5, 20.0, **reason), double, RULE) == {
        "intervals": [["0:00:06.5", "0:00:20"], ["0:01:10", "0:01:25"]],
        **reason,
    }
    seen = Override(start_s=5, end_s=20, reason="x", further=((60, 75),))
    kept = entry_of(decision("correct", 6.5, 20.0, seen=seen), double, RULE)
    assert kept["intervals"][1:] == [["0:01:00", "0:01:15"]]
    assert entry_of(decision("no_intro", **reason), double, RULE)["start"] is None


@pytest.mark.parametrize(
    ("made", "changes", "fault"),
    [
        (decision("correct", 20.0, 10.0), {}, "does not lie before the end"),
        (decision("correct", 20.0, 20.0), {}, "does not lie before the end"),
        (decision("correct", 80.0, 90.1), {}, r"after the episode's end \(0:01:30\)"),
        (decision("correct", 20.0, 20.9), {}, "0.9 s lies outside 1 to 20 s"),
        (decision("correct", 20.0, 40.1), {}, "20.1 s lies outside 1 to 20 s"),
        (decision("correct", 20.0), {}, "both start and end"),
        (decision("correct"), {}, "both start and end"),
        (decision("accept"), {"usable": False, "label": None}, "cannot be used"),
        (decision("accept"), {"n_seconds": 80}, "after the episode's end"),
        (decision("accept"), {"label": (5, 20), "further": ((70, 91),)}, "after the episode's end"),
        (decision("correct", 60.0, 71.0), {"further": ((70, 85),)}, "next one begins at 0:01:10"),
    ],
)
def test_what_the_annotate_stage_would_not_take_is_refused(
    made: Decision, changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(RefusalError, match=fault) as refusal:
        entry_of(made, doubt_of(**changes), RULE)
    assert refusal.value.status == 422


@pytest.fixture
def file(tmp_path: Path) -> OverridesFile:
    made = OverridesFile(tmp_path / "overrides.json", tmp_path / "lock")
    made.path.write_text("{}\n")
    return made


def test_entries_of_others_keep_their_place_and_their_spelling(file: OverridesFile) -> None:
    ours = {"start": 1, "end": 2, "reason": "x"}
    by_hand = {"z": BY_HAND, "b": {"start": None, "end": None, "reason": "нет"}, "a": BY_HAND}
    file.path.write_text(json.dumps(by_hand), encoding="utf-8-sig")
    assert file.put("new", ours, None) is None
    seen = file.read()
    assert file.put("b", ours, seen["b"]) == by_hand["b"]
    expected = {**by_hand, "b": ours, "new": ours}
    text = file.path.read_text(UTF8)
    assert json.loads(text) == expected
    assert list(json.loads(text)) == ["z", "b", "a", "new"]
    assert "«recap»" in text
    assert file.put("b", None, file.read()["b"]) == ours
    assert list(json.loads(file.path.read_text(UTF8))) == ["z", "a", "new"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": {}}', '{"a": 1, "a": 2}', "\xff"])
def test_a_broken_file_is_told_and_left_alone(file: OverridesFile, text: str) -> None:
    file.path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=re.escape(f"{file.path}: ")):
        file.put("e1", {"start": 1, "end": 2, "reason": "x"}, None)
    assert file.path.read_bytes() == text.encode("latin-1")
    assert list(file.path.parent.glob(".*partial")) == []


def test_what_the_annotate_stage_could_not_read_is_never_written(file: OverridesFile) -> None:
    with pytest.raises(InputError):
        file.put("e1", {"start": 2, "end": 1, "reason": "x"}, None)
    assert file.path.read_text() == "{}\n"


def test_two_sessions_at_once_lose_nothing(file: OverridesFile) -> None:
    ids = [f"e{number}" for number in range(40)]
    doubts = [doubt_of(id_) for id_ in ids]
    lock = file.path.with_name("lock")
    queues = [Queue(doubts, OverridesFile(file.path, lock), RULE) for _ in range(2)]
    start = threading.Barrier(8)

    def work(part: int) -> None:
        start.wait()
        for id_ in ids[part::8]:
            queues[part % 2].decide(decision("no_intro", id=id_))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert set(read_overrides(file.path)) == set(ids)


def queue_of(file: OverridesFile, *ids: str) -> Queue:
    return Queue([doubt_of(id_, label=(10, 20)) for id_ in ids], file, RULE)


def open_ids(queue: Queue) -> list[str]:
    return [one["id"] for one in queue.state()["doubts"] if one["open"]]


def seen(queue: Queue, id_: str) -> Any:
    return next(one["decision"] for one in queue.state()["doubts"] if one["id"] == id_)


def test_skipped_ones_come_again_in_the_end_and_undone_ones_at_once(file: OverridesFile) -> None:
    queue = queue_of(file, "e1", "e2", "e3")
    queue.decide(decision("skip"))
    assert open_ids(queue) == ["e2", "e3", "e1"]
    assert file.path.read_text() == "{}\n"
    queue.decide(decision("accept", id="e3"))
    assert (open_ids(queue), queue.state()["last"]) == (["e2", "e1"], "e3")
    queue.decide(decision("undo", id="e3", seen=seen(queue, "e3")))
    assert (open_ids(queue), queue.state()["last"]) == (["e3", "e2", "e1"], None)
    assert file.path.read_text() == "{}\n"


def test_undo_brings_back_what_stood_there_before_to_the_letter(file: OverridesFile) -> None:
    before = {"e1": {"start": "0:10.50", "end": 20, "reason": "by hand"}, "e2": BY_HAND}
    file.path.write_text(json.dumps(before))
    queue = queue_of(file, "e1", "e2")
    assert open_ids(queue) == ["e1", "e2"]
    queue.decide(decision("accept", seen=seen(queue, "e1")))
    queue.decide(decision("no_intro", seen=seen(queue, "e1")))
    assert open_ids(queue) == ["e2"]
    queue.decide(decision("undo", seen=seen(queue, "e1")))
    assert seen(queue, "e1")["reason"] == "reviewed: the label is right"
    queue.decide(decision("undo", seen=seen(queue, "e1")))
    assert json.loads(file.path.read_text()) == before
    assert open_ids(queue) == ["e1", "e2"]
    queue.decide(decision("undo", seen=seen(queue, "e1")))  # of what others wrote
    assert json.loads(file.path.read_text()) == {"e2": BY_HAND}
    with pytest.raises(RefusalError, match="nothing to take back"):
        queue.decide(decision("undo"))


def test_what_was_edited_by_hand_meanwhile_is_closed_and_not_overwritten(
    file: OverridesFile,
) -> None:
    queue = queue_of(file, "e1", "e2")
    file.path.write_text(json.dumps({"e1": BY_HAND}))
    with pytest.raises(RefusalError, match="changed meanwhile"):
        queue.decide(decision("accept"))
    assert json.loads(file.path.read_text()) == {"e1": BY_HAND}
    assert open_ids(queue) == ["e2"]


def test_undo_leaves_what_was_edited_by_hand_since(file: OverridesFile) -> None:
    queue = queue_of(file, "e1")
    queue.decide(decision("accept"))
    file.path.write_text(json.dumps({"e1": BY_HAND}))
    with pytest.raises(RefusalError, match="edited since"):
        queue.decide(decision("undo", seen=seen(queue, "e1")))
    assert json.loads(file.path.read_text()) == {"e1": BY_HAND}
    assert (queue.state()["last"], open_ids(queue)) == (None, [])


def test_what_was_removed_by_hand_is_open_again_and_holds_up_no_other(file: OverridesFile) -> None:
    queue = queue_of(file, "e1", "e2")
    queue.decide(decision("accept", id="e2"))
    queue.decide(decision("accept", id="e1"))
    entries = json.loads(file.path.read_text())
    file.path.write_text(json.dumps({"e2": entries["e2"]}))
    assert open_ids(queue) == ["e1"]
    with pytest.raises(RefusalError, match="nothing to take back"):
        queue.decide(decision("undo", id="e1"))
    assert queue.state()["last"] == "e2"
    queue.decide(decision("undo", id="e2", seen=seen(queue, "e2")))
    assert open_ids(queue) == ["e2", "e1"]


def test_a_link_is_replaced_and_not_written_through(file: OverridesFile, tmp_path: Path) -> None:
    cached = file.path.rename(tmp_path / "cached")
    file.path.symlink_to(cached)
    queue_of(file, "e1").decide(decision("accept"))
    assert cached.read_text() == "{}\n"
    assert list(file.read()) == ["e1"]


# --- over HTTP ---


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return copy_doubtful_checkout(tmp_path_factory.mktemp("review") / "checkout", tmp_path_factory)


@pytest.fixture
def place(made: Checkout) -> Checkout:
    (made.folder / OVERRIDES).write_text("{}\n")
    return made


@pytest.fixture
def served(place: Checkout) -> Iterator[Reviewed]:
    with reviewing(place) as one:
        yield one


def test_the_most_doubtful_come_first_and_decided_ones_only_when_asked_for(
    place: Checkout,
) -> None:
    with reviewing(place) as one:
        assert one.open_ids() == IN_DOUBT
        assert one.decide("contradicted", "accept").status == 200
        assert one.open_ids() == [id_ for id_ in IN_DOUBT if id_ != "contradicted"]
    with reviewing(place) as one:
        assert "contradicted" not in one.open_ids()
    with reviewing(place, everything=True) as one:
        assert sorted(one.open_ids()) == sorted(IN_DOUBT)


def test_no_page_of_another_origin_can_ask_or_decide(served: Reviewed) -> None:
    body = {"id": "late", "kind": "accept", "seen": None}
    own = {"Host": f"localhost:{served.port}", "Origin": f"http://localhost:{served.port}"}
    for headers, status in (
        ({"Host": f"evil.example:{served.port}"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": f"http://127.0.0.1:{served.port + 1}"}, 403),
        ({"Origin": f"https://127.0.0.1:{served.port}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ):
        told = served.ask("POST", "/decisions", body, **headers)
        assert told.status == status, headers
        told.fault()
        if status == 403:
            for path in ("/", "/doubts", "/videos/late", "/pictures/late?at=1"):
                assert served.ask("GET", path, **headers).status == 403
    assert served.overrides() == {}
    answer = served.ask("GET", "/doubts")
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert served.ask("POST", "/decisions", body, **own).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "late", "kind": "accept"},
        {"id": "late", "kind": "delete", "seen": None},
        {"id": "late", "kind": "accept", "seen": None, "path": "/etc/passwd"},
        {"id": "late", "kind": "correct", "start_s": -1, "end_s": 5, "seen": None},
        {"id": "late", "kind": "correct", "start_s": "1", "end_s": 5, "seen": None},
        {"id": "late", "kind": "correct", "start_s": float("nan"), "end_s": 5, "seen": None},
        {"id": "late", "kind": "correct", "start_s": 1, "end_s": float("inf"), "seen": None},
        {"id": "late", "kind": "correct", "start_s": 1, "end_s": 1e300, "seen": None},
        {"id": "late", "kind": "accept", "reason": "x" * 501, "seen": None},
        {"id": "late", "kind": "accept", "reason": "\ud800", "seen": None},
    ],
)
def test_a_decision_that_is_none_is_refused(served: Reviewed, body: Any) -> None:
    told = served.ask("POST", "/decisions", body)
    assert told.status == 400
    told.fault()
    assert served.overrides() == {}


@pytest.mark.parametrize(
    "id_",
    ["found", "gone", "", "..", "%2e%2e%2fparams.yaml", "..%2F..%2F..%2Fparams.yaml", "late%00"],
)
def test_nothing_but_the_videos_in_doubt_is_given(served: Reviewed, id_: str) -> None:
    for path in (f"/videos/{id_}", f"/pictures/{id_}?at=1"):
        assert served.ask("GET", path).status == 404
    told = served.decide(id_, "accept")
    assert (told.status, served.overrides()) == (404, {})


def test_a_video_is_given_in_parts(served: Reviewed, place: Checkout) -> None:
    content = (place.folder / "data/ingest/train/contradicted.mp4").read_bytes()
    whole = served.ask("GET", "/videos/contradicted")
    assert (whole.status, whole.body) == (200, content)
    assert whole.headers["content-type"] == "video/mp4"
    part = served.ask("GET", "/videos/contradicted", Range="bytes=100-199")
    assert (part.status, part.body) == (206, content[100:200])


def pixels(jpeg: bytes) -> NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).resize((48, 32)), np.float64)


def test_pictures_are_of_the_seconds_that_are_asked_for(served: Reviewed, place: Checkout) -> None:
    told = served.ask("GET", f"/pictures/unplayable?at=0&at={LENGTH_S - 1}&at={LENGTH_S}").json()
    assert [one is not None for one in told] == [True, True, False]
    seconds = [9.5, 3, 4.75, 3, 19, 20, 21.25]
    query = "&".join(f"at={second}" for second in seconds)
    for id_ in ("late", "unplayable"):  # with an index and without
        [video] = place.folder.glob(f"data/ingest/test/{id_}.*")
        told = served.ask("GET", f"/pictures/{id_}?{query}").json()
        for jpeg, expected in zip(told, thumbnails(video, seconds), strict=True):
            assert expected is not None
            one, other = pixels(base64.b64decode(jpeg)), pixels(expected)
            assert np.abs(one - other).mean() < 4  # of 255
    for query in ("", "?at=x", "?at=-1", "?at=nan", "?at=1e9", "?" + "at=1&" * 33):
        assert served.ask("GET", f"/pictures/unplayable{query}").status == 400


def test_a_video_that_is_gone_is_told(served: Reviewed, place: Checkout) -> None:
    path = place.folder / "data/ingest/test/late.mp4"
    path.rename(path.with_name("away"))
    try:
        for route in ("/videos/late", "/pictures/late?at=1"):
            told = served.ask("GET", route)
            assert told.status == 404
            assert "late.mp4: no such file" in told.fault()
    finally:
        path.with_name("away").rename(path)


def test_a_file_that_breaks_meanwhile_is_told_until_it_is_repaired(served: Reviewed) -> None:
    served.file.write_text("{")
    for told in (served.ask("GET", "/doubts"), served.decide("late", "accept")):
        assert told.status == 500
        assert re.search(r"overrides\.json: not valid JSON .*; correct it", told.fault())
    assert served.file.read_text() == "{"
    served.file.write_text("{}")
    assert served.decide("late", "accept").status == 200


# --- the command ---


@contextmanager
def command(checkout: Checkout, *words: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run `skipintro review`, and give its process and its port."""
    script = "from skipintro.cli import main; main()"
    options = ("review", "--port", "0", "--no-open", *words)
    process = checkout.start(sys.executable, "-c", script, *options, PYTHONPATH="src")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"\d+ in doubt: http://127\.0\.0\.1:(\d+)", line.strip())
        assert match, line + process.stdout.read()
        yield process, int(match[1])
    finally:
        process.kill()
        process.communicate()


def test_a_kill_right_after_a_decision_loses_nothing(place: Checkout) -> None:
    file = place.folder / OVERRIDES
    body = {"id": "late", "kind": "correct", "start_s": 10, "end_s": 26, "seen": None}
    with command(place) as (process, port):
        assert ask(port, "POST", "/decisions", body).status == 200
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert read_overrides(file)["late"].start_s == 10
    with command(place) as (process, port):  # and no lock is left
        doubts = ask(port, "GET", "/doubts").json()["doubts"]
        assert "late" not in [one["id"] for one in doubts]
        again = {"id": "contradicted", "kind": "accept", "seen": None}
        assert ask(port, "POST", "/decisions", again).status == 200
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "1 decided, in data/overrides.json; `dvc repro` takes them in" in told
        assert "Traceback" not in told
    assert list(read_overrides(file)) == ["late", "contradicted"]


def test_all_shows_the_decided_ones_and_nothing_in_doubt_ends_at_once(
    place: Checkout,
) -> None:
    no_intro = {"start": None, "end": None, "reason": "x"}
    write_json(place.folder / OVERRIDES, dict.fromkeys(IN_DOUBT, no_intro))
    told = place.fork("skipintro", "review")
    assert told == "no label is in doubt; 5 are decided in data/overrides.json\n"
    with command(place, "--all") as (process, port):
        assert len(ask(port, "GET", "/doubts").json()["doubts"]) == 5
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_ctrl_c_ends_it_in_order_from_the_moment_that_the_address_is_told(
    place: Checkout,
) -> None:
    prelude = (
        "import signal\n"
        "from skipintro.review import app\n"
        "app.make_server = lambda *_: signal.raise_signal(signal.SIGINT)\n"
    )
    words = ["skipintro", "review", "--no-open"]
    [done] = forked.forks().run(forked.Job(words, str(place.folder), place.env, prelude))
    assert done.code == 0, done
    assert "in doubt: http://" in done.said
    assert done.said.endswith("`dvc repro` takes them in\n")


def test_the_page_starts_without_loading_what_it_does_not_need() -> None:
    script = "import sys, skipintro.review.app; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert {"torch", "sklearn", "scipy", "mlflow", "matplotlib"}.isdisjoint(done.stdout.split())


def test_a_port_that_is_taken_is_passed_over_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(cli_review, "_PORT", port)
        with cli_review._listen(None) as other:
            assert other.getsockname()[0] == "127.0.0.1"
            assert other.getsockname()[1] != port
        with pytest.raises(InputError, match="choose others"):
            cli_review._listen(port)


# --- in a browser ---


def is_written(page: "Page", text: str) -> None:
    """Wait until the page says so."""
    from playwright.sync_api import expect  # noqa: PLC0415  most tests need none

    expect(page.locator("#status")).to_contain_text(text)


def until(page: "Page", script: str) -> None:
    """Wait until a script is true; Playwright's own way of waiting is `eval`, which is refused."""
    deadline = time.monotonic() + 10
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        page.wait_for_timeout(20)


def shown(page: "Page", id_: str) -> None:
    from playwright.sync_api import expect  # noqa: PLC0415  most tests need none

    expect(page.locator("#id")).to_have_text(id_)


def test_corrections_by_keys_and_by_sliders_are_taken_in_by_the_annotate_stage(
    place: Checkout, served: Reviewed, browser: "Browser"
) -> None:
    with visiting(browser, served.url) as page:
        shown(page, "unusable")  # begins with 0:00 to 0:10
        assert page.get_by_role("button", name="Label is right").is_disabled()
        for key in (*["ArrowRight"] * 6, ",", ".", "ArrowLeft", "e", "Shift+ArrowRight"):
            page.keyboard.press(key)
        for key in ("Shift+ArrowRight", "ArrowRight", "c"):
            page.keyboard.press(key)
        is_written(page, "unusable: 0:00:05 to 0:00:21 (16 s): reviewed: corrected. Written.")
        shown(page, "contradicted")
        page.get_by_role("slider", name="Start").fill("8")
        page.get_by_role("slider", name="End").fill("24")
        page.get_by_label("Reason").fill("label names the «recap» ?a")
        page.get_by_role("button", name="Correct to your times").click()
        is_written(page, "0:00:08 to 0:00:24")
        assert served.overrides() == {
            "unusable": {"start": "0:00:05", "end": "0:00:21", "reason": "reviewed: corrected"},
            "contradicted": {
                "start": "0:00:08",
                "end": "0:00:24",
                "reason": "label names the «recap» ?a",
            },
        }
    place.stage("annotate")
    rows = {row["id"]: row for row in place.read_json("data/annotate/annotations.json")["episodes"]}
    for id_, start, end in (("unusable", 5, 21), ("contradicted", 8, 24)):
        row = rows[id_]
        assert (row["status"], row["start_s"], row["end_s"]) == ("overridden", start, end)


def test_all_is_decided_by_keys_and_a_reload_goes_on(served: Reviewed, browser: "Browser") -> None:
    with visiting(browser, served.url) as page:
        shown(page, "unusable")
        page.keyboard.press("a")  # which cannot be
        page.keyboard.press("s")
        is_written(page, "unusable: skipped")
        shown(page, "contradicted")
        assert served.overrides() == {}
        page.keyboard.press("a")
        is_written(page, "the label is right")
        shown(page, "unplayable")
        page.keyboard.press("u")
        is_written(page, "contradicted: taken back")
        shown(page, "contradicted")
        assert served.overrides() == {}
        page.keyboard.press("p")
        page.keyboard.press("c")
        is_written(page, "0:00:08 to 0:00:24")
        page.reload()
        shown(page, "unplayable")
        assert "1 of 5 decided, 1 skipped" in page.inner_text("#progress")
        page.keyboard.press("n")
        shown(page, HOSTILE)
        page.evaluate(  # a Russian keyboard
            "document.body.dispatchEvent(new KeyboardEvent('keydown',"
            " {key: 'ф', code: 'KeyA', bubbles: true}))"
        )
        shown(page, "late")
        page.keyboard.press("a")
        shown(page, "unusable")
        assert "skipped before" in page.inner_text("#card")
        page.keyboard.press("n")
        page.get_by_role("heading", name="All is decided").wait_for()
        assert "dvc repro" in page.inner_text("main")
        assert sorted(served.overrides()) == sorted(IN_DOUBT)
        page.reload()
        page.get_by_role("heading", name="All is decided").wait_for()
        page.get_by_role("button", name="Undo the last").click()
        shown(page, "unusable")
    nothing = {"start": None, "end": None}
    assert served.overrides() == {
        "contradicted": {"start": "0:00:08", "end": "0:00:24", "reason": "reviewed: corrected"},
        "unplayable": {**nothing, "reason": "reviewed: no intro"},
        HOSTILE: {
            "start": "0:00:06",
            "end": "0:00:09",
            "reason": "reviewed: the label is right",
        },
        "late": {"start": "0:00:03", "end": "0:00:19", "reason": "reviewed: the label is right"},
    }


def test_the_video_and_the_pictures_show_the_ends(served: Reviewed, browser: "Browser") -> None:
    with visiting(browser, served.url) as page:
        shown(page, "unusable")
        page.keyboard.press("s")
        shown(page, "contradicted")
        at = "document.querySelector('video').readyState >= 2 && video.currentTime === "
        until(page, at + "4")
        page.keyboard.press("e")
        page.keyboard.press("ArrowRight")
        until(page, at + "21")
        pictures = page.locator("fieldset[data-end=end] img:visible")
        until(
            page,
            "[...document.querySelectorAll('fieldset img')]"
            ".every((one) => one.complete && one.naturalHeight === 90)",
        )
        assert pictures.count() == 7
        assert len({pictures.nth(place).get_attribute("src") for place in range(7)}) == 7
        page.get_by_role("button", name="end at 0:00:24").click()
        until(page, at + "24")
        assert page.inner_text("#choice") == "0:00:04 to 0:00:24 (20 s)"
        page.keyboard.press("i")  # the start where the video is
        assert "does not lie before" in page.inner_text("#choice")
        page.keyboard.press("l")
        assert page.inner_text("#choice") == "0:00:04 to 0:00:20 (16 s)"
        page.locator("#id").focus()
        page.keyboard.press("Space")
        until(page, "!video.paused && video.currentTime > 2 && video.currentTime < 4")
        page.keyboard.press("Space")
        until(page, "video.paused")


def test_a_file_that_no_browser_plays_is_shown_in_pictures(
    served: Reviewed, browser: "Browser"
) -> None:
    with visiting(browser, served.url) as page:
        shown(page, "unusable")
        page.keyboard.press("s")
        shown(page, "contradicted")
        page.keyboard.press("s")
        shown(page, "unplayable")
        page.get_by_text("This browser cannot play the file").wait_for()
        until(
            page,
            "document.querySelectorAll('fieldset[data-end=end] img:not([hidden])').length === 7",
        )
        assert not page.locator("video").is_visible()


def test_what_comes_from_data_is_text(served: Reviewed, browser: "Browser") -> None:
    with visiting(browser, served.url) as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        assert served.decide(HOSTILE, "accept", reason="<b>x</b>").status == 200
        for id_ in IN_DOUBT[:3]:
            assert served.decide(id_, "no_intro").status == 200
        page.reload()
        shown(page, "late")
        hostile = {"id": HOSTILE, "kind": "undo"}
        seen = {"start_s": 6, "end_s": 9, "reason": "<b>x</b>"}
        assert served.ask("POST", "/decisions", {**hostile, "seen": seen}).status == 200
        page.reload()
        shown(page, HOSTILE)
        assert page.inner_text("#series") == SERIES
        until(page, "video.readyState >= 2")  # its address is right
        page.get_by_label("Reason").fill("<img src=x onerror=alert(2)>")
        page.keyboard.press("Tab")
        page.keyboard.press("a")
        is_written(page, f"{HOSTILE}: 0:00:06 to 0:00:09 (3 s): <img src=x onerror=alert(2)>")
        assert page.locator("main img[src=x], #status img").count() == 0


def test_what_is_refused_is_told_on_the_page_and_nothing_is_lost(
    served: Reviewed, browser: "Browser"
) -> None:
    with visiting(browser, served.url, told=["422", "409", "500"]) as page:
        alert = page.get_by_role("alert")
        shown(page, "unusable")
        page.get_by_role("slider", name="End").fill("0")
        page.keyboard.press("c")
        alert.get_by_text("does not lie before the end").wait_for()
        assert served.overrides() == {}
        page.get_by_role("slider", name="End").fill("12")
        page.keyboard.press("c")
        shown(page, "contradicted")
        assert not alert.is_visible()
        by_hand = {"late": BY_HAND, **served.overrides(), "contradicted": BY_HAND}
        served.file.write_text(json.dumps(by_hand), encoding=UTF8)
        page.keyboard.press("a")
        alert.get_by_text("was changed meanwhile").wait_for()
        shown(page, "unplayable")
        page.keyboard.press("n")
        shown(page, HOSTILE)
        assert list(served.overrides()) == ["late", "unusable", "contradicted", "unplayable"]
        assert served.overrides()["late"] == served.overrides()["contradicted"] == BY_HAND
        text = served.file.read_text(UTF8)
        served.file.write_text("{")
        page.keyboard.press("a")
        alert.get_by_text("not valid JSON").wait_for()
        served.file.write_text(text, UTF8)
        page.keyboard.press("a")
        page.get_by_role("heading", name="All is decided").wait_for()


def test_a_decision_of_an_earlier_session_is_shown_and_can_be_taken_back(
    place: Checkout, browser: "Browser"
) -> None:
    entry = {"start": "0:10", "end": "0:26", "reason": "seen <i>twice</i>"}
    write_json(place.folder / OVERRIDES, {"found": entry, "late": entry})
    with reviewing(place, everything=True) as served, visiting(browser, served.url) as page:
        for id_ in ("found", *IN_DOUBT[:4]):  # the detector says another than the first's override
            shown(page, id_)
            page.keyboard.press("s")
        shown(page, "late")
        assert "0:00:10 to 0:00:26 (16 s): seen <i>twice</i>" in page.inner_text("#decided")
        assert page.inner_text("#choice") == "0:00:10 to 0:00:26 (16 s)"
        page.get_by_role("button", name="Take it back").click()
        is_written(page, "late: taken back")
        assert served.overrides() == {"found": entry}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_in_light_and_dark(
    served: Reviewed, browser: "Browser", scheme: str
) -> None:
    phone: dict[str, Any] = {
        "viewport": {"width": 360, "height": 740},
        "has_touch": True,
        "is_mobile": True,
    }
    with visiting(browser, served.url, color_scheme=scheme, **phone) as page:
        for id_ in IN_DOUBT[:4]:
            shown(page, id_)
            root = "document.documentElement"
            assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
            page.get_by_role("button", name="Skip").tap()
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[scheme]


def test_everything_can_be_done_with_the_keyboard_and_has_a_name(
    served: Reviewed, browser: "Browser"
) -> None:
    with visiting(browser, served.url) as page:
        shown(page, "unusable")
        names = page.evaluate(
            "[...document.querySelectorAll('button, input, video')].filter((one) =>"
            " !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))"
            ".map((one) => one.outerHTML)"
        )
        assert names == []
        page.keyboard.press("?")
        assert page.locator("dialog").is_visible()
        page.keyboard.press("n")  # a key of the page behind
        page.keyboard.press("Escape")
        assert not page.locator("dialog").is_visible()
        assert served.overrides() == {}
        page.get_by_role("slider", name="End").focus()
        page.keyboard.press("ArrowLeft")
        assert page.inner_text("#choice") == "0:00:00 to 0:00:09 (9 s)"
        page.get_by_role("button", name="No intro").focus()
        page.keyboard.press("Enter")
        shown(page, "contradicted")
        assert page.evaluate("document.activeElement.id") == "id"  # no button by accident

"""`skipintro serve`: over real sockets, the same rows as the command line, and no way around."""

import json
import os
import random
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from conftest import run_command, write_toy_video
from library_cases import INTERVALS, Place, make_place, use_cheap_encoder
from server_cases import Answer, wait_until
from service_cases import MOST_BYTES, Served, plan_of, serving, serving_apart, videos
from skipintro import cli
from skipintro.core.errors import InputError
from skipintro.core.files import sha256_of_file
from skipintro.detectors.openings import load_openings, save_openings
from skipintro.service.allowed_paths import Roots
from skipintro.service.connections import Timed
from skipintro.service.predictor import Finder
from skipintro.service.sockets import listen

TOKEN = "a long word that nobody guesses"  # noqa: S105  of these tests alone


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module", autouse=True)
def _cheap() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_cheap_encoder(patch)
        yield


def connected(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=10)


def all_of(line: socket.socket) -> bytes:
    """Return what comes until the server ends the connection."""
    told = b""
    with suppress(ConnectionResetError):
        while part := line.recv(1 << 16):
            told += part
    return told


@pytest.fixture(scope="module")
def served(place: Place) -> Iterator[Served]:
    with serving(plan_of(place)) as one:
        yield one


def command_line(place: Place, capsys: pytest.CaptureFixture[str], *paths: object) -> Any:
    """Return the JSON of `skipintro detect`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["skipintro", *place.words(*map(str, paths))])
        cli.app(standalone_mode=False)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return json.loads(capsys.readouterr().out)


def test_the_rows_are_those_of_the_command_line(
    served: Served, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    told = served.detect(place.library)
    assert (told.status, told.headers["content-type"]) == (200, "application/json")
    assert told.json() == command_line(place, capsys, place.library)
    found = {Path(row["video"]).stem: (row["start_s"], row["end_s"]) for row in told.json()}
    assert found == INTERVALS
    [one] = [video for video in place.videos() if video.stem == "Toy S01E02"]
    [row] = served.detect(one).json()  # its siblings are looked at, too
    assert [row] == command_line(place, capsys, one)
    assert (row["start_s"], row["end_s"]) == INTERVALS["Toy S01E02"]


def test_an_upload_has_the_row_of_the_same_file_by_itself(
    served: Served, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = place.videos()[2]
    alone = tmp_path / source.name
    shutil.copy(source, alone)
    told = served.ask("PUT", f"/detect/{source.name.replace(' ', '%20')}", source.read_bytes())
    assert told.status == 200
    [expected] = command_line(place, capsys, alone)
    assert told.json() == [{**expected, "video": source.name}]
    assert served.left() == []


def test_an_upload_that_is_sent_again_is_not_decoded_again(
    served: Served, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = place.videos()[0].read_bytes()
    first = served.ask("PUT", "/detect/S01E01.mp4", body)
    monkeypatch.setattr("skipintro.library.embedding.embed_checked", None)  # not to be called
    assert first.status == 200
    assert served.ask("PUT", "/detect/S01E01.mp4", body).json() == first.json()


def test_two_hundred_requests_at_once_are_answered_or_told_to_come_again(place: Place) -> None:
    n = 200
    with serving(plan_of(place), n_waiting=2) as served, ThreadPoolExecutor(n) as threads:
        assert served.detect(place.library).status == 200
        start = threading.Barrier(n)

        def ask(_: int) -> Answer:
            start.wait()
            return served.detect(place.library)

        answers = list(threads.map(ask, range(n)))
        assert {answer.status for answer in answers} <= {200, 429}
        assert sum(answer.status == 200 for answer in answers) >= 3
        busy = [answer for answer in answers if answer.status == 429]
        assert all(int(answer.headers["retry-after"]) > 0 for answer in busy)
        assert served.detect(place.library).status == 200
        assert "skipintro_queue 0.0" in served.ask("GET", "/metrics").body.decode()


def test_nothing_outside_of_the_roots_is_answered(
    served: Served, place: Place, tmp_path: Path
) -> None:
    secret = tmp_path / "Secret S01E01.mp4"
    shutil.copy(place.videos()[0], secret)
    beside = place.library.with_name("library-2")  # begins like the root
    beside.mkdir()
    link, folder = place.library / "link.mp4", place.library / "folder"
    inner = place.library / "Other Show" / "Other Show S01E03.mp4"
    folder.symlink_to(beside)
    assert served.detect(place.library).status == 403  # though there is no video
    folder.unlink()
    for one, target in ((link, secret), (folder, tmp_path), (inner, secret)):
        one.symlink_to(target)
    try:
        outside = (tmp_path, secret, "/", "/etc/passwd", "/nowhere", beside, link, folder)
        for path in (*outside, folder / secret.name, folder / "gone.mp4"):
            assert served.detect(path).status == 403, path
            assert "--root" in served.detect(place.videos()[2], path).fault()
        assert served.detect(place.library).status == 403  # a link in it leads out
        assert served.detect(place.library / "Other Show").status == 403
        assert served.detect(place.library / "Other Show" / "Other Show S01E01.mp4").status == 403
    finally:
        for one in (link, folder, inner):
            one.unlink()
    assert served.detect(place.library).status == 200
    inside = str(place.library)
    bad = (f"{inside}/../x", "Toy", "./Toy", "", "~", f"{inside}\0", f"{inside}/\ud800")
    for text in (*bad, f"{inside}/{'x' * 5000}"):
        assert served.detect(text).status == 400, text
        served.detect(text).fault()
    for path in ("gone.mp4", "*/*.mp4"):
        assert served.detect(place.library / path).status == 404


def test_a_pipe_is_refused_and_not_waited_for(served: Served, place: Place) -> None:
    pipe = place.library / "pipe.mp4"
    os.mkfifo(pipe)
    try:
        assert served.detect(pipe).status == 404
    finally:
        pipe.unlink()


def test_an_upload_over_the_limit_is_refused_by_its_length_or_as_soon_as_it_is_exceeded(
    served: Served,
) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
        line.sendall(
            b"PUT /detect/a.mp4 HTTP/1.1\r\nHost: localhost:1\r\n"
            b"Content-Length: %d\r\n\r\n" % (MOST_BYTES + 1)
        )
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 413")  # before a byte of the body
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
        line.sendall(
            b"PUT /detect/a.mp4 HTTP/1.1\r\nHost: localhost:1\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        part = b"%x\r\n%s\r\n" % (100_000, b"x" * 100_000)
        line.sendall(part * 3 + b"1\r\nx\r\n")  # and no end
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 413")
    assert served.left() == []
    exact = served.ask("PUT", "/detect/a.mp4", b"x" * MOST_BYTES)
    assert exact.status == 422  # no video, but not too large
    large = json.dumps({"paths": ["/" * (2 << 20)]})
    told = served.ask("POST", "/detect", large, **{"Content-Type": "application/json"})
    assert told.status == 413


def test_what_is_no_video_is_refused_with_the_fault(served: Served, place: Place) -> None:
    text = place.library / "notes.mp4"
    text.write_text("no video")
    try:
        assert "cannot be opened as video" in served.detect(text).fault()
        assert served.detect(text).status == 422
        mixed = served.detect(text, place.videos()[0])  # as the command line: the others go on
        assert mixed.status == 200
        assert sum(row["fault"] is not None for row in mixed.json()) == 1
    finally:
        text.unlink()
    hls = f"#EXTM3U\n#EXTINF:26,\nfile://{place.videos()[0]}\n#EXT-X-ENDLIST\n".encode()
    for body in (b"no video", b"", hls, b"\n" + hls, place.videos()[0].read_bytes()[:3000]):
        told = served.ask("PUT", "/detect/a.mp4", body)
        assert told.status == 422
        assert told.fault().startswith("a.mp4: ")
        assert ("a list of files" in told.fault()) == (hls in body)
    assert served.left() == []
    for name, status in (
        ("a.txt", 422),
        (".mp4", 400),
        ("a%00.mp4", 400),
        ("..%5Ca.mp4", 400),
        ("..%2Fa.mp4", 404),
        ("a" * 300 + ".mp4", 400),
    ):
        assert served.ask("PUT", f"/detect/{name}", b"x").status == status, name


def test_a_video_that_is_too_long_is_refused_by_its_container_s_length(place: Place) -> None:
    with serving(plan_of(place, max_hours=25 / 3600)) as served:
        told = served.detect(place.videos()[0])
        assert told.status == 422
        assert "--max-hours" in told.fault()
        upload = served.ask("PUT", "/detect/a.mp4", place.videos()[0].read_bytes())
        assert upload.status == 422
        assert served.left() == []


def test_a_video_that_is_too_long_is_its_own_fault_and_no_other_s(
    place: Place, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    shutil.copytree(place.library / "Toy", library / "Toy")
    marathon = library / "Toy" / "Toy S01E04.mp4"
    write_toy_video(marathon, 3, seconds=60)
    short = library / "Toy" / "Toy S01E03.mp4"
    plan = replace(plan_of(place, max_hours=50 / 3600), roots=Roots([library]))
    with serving(plan) as served:
        [row] = served.detect(short).json()  # beside which the long one lies
        assert row["fault"] is None
        assert not list(plan.cache.rglob(f"{sha256_of_file(marathon)}*"))
        *others, last = served.detect(library).json()
        assert [row["fault"] for row in others] == [None] * 3
        assert f"{marathon}: 0.0 h long" in last["fault"]


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "[]", "null", "[" * 100_000, "\xff", '{"paths": "/"}', '{"paths": []}'),
        *(
            '{"paths": [1]}',
            '{"path": ["/"]}',
            '{"paths": ["/"], "x": 1}',
            '{"paths": ["\\ud800"]}',
        ),
    ],
)
def test_json_that_is_none_or_another_is_refused(served: Served, body: str) -> None:
    content = body.encode("latin-1")
    told = served.ask("POST", "/detect", content, **{"Content-Type": "application/json"})
    assert told.status == 400
    told.fault()
    assert served.ask("POST", "/detect", content, **{"Content-Type": "text/plain"}).status == 415


def test_two_hundred_random_requests_are_all_refused_and_the_service_lives_on(
    served: Served,
) -> None:
    rng = random.Random(0)  # noqa: S311  no secret
    methods = (b"GET", b"POST", b"PUT", b"DELETE", b"TRACE", b"\x16\x03", b"post", b"")
    places = (
        b"/detect",
        b"/detect/a.mp4",
        b"/detect/../x",
        b"/nothing",
        b"*",
        b"",
        b"//",
        b"/\xff",
    )
    fields = (
        b"Content-Length: -1",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: " + b"9" * 5000,
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Type: application/json",
        b"Host: evil.example:80",
        b": x",
        b"X" * 70_000,
        b"Authorization: \xff\xfe",
    )
    for number in range(200):
        head = [
            rng.choice(methods)
            + b" "
            + rng.choice(places)
            + rng.choice((b" HTTP/1.1", b" x", b"")),
            *rng.sample((*fields, b"Host: localhost:1"), rng.randrange(4)),
        ]
        request = b"\r\n".join(head) + b"\r\n\r\n" + rng.randbytes(rng.randrange(100))
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
            try:
                line.sendall(request)
                line.shutdown(socket.SHUT_WR)
                told = line.recv(1 << 16)
            except ConnectionError:
                told = b""
        if told:  # a client that breaks off within its request may get none
            assert told[:10] in (b"HTTP/1.1 4", b"HTTP/1.0 4"), (number, request[:200], told)
            assert b"Traceback" not in told
    assert served.ask("GET", "/health").status == 200
    assert served.left() == []


def test_a_broken_off_upload_leaves_no_file_and_frees_its_place(place: Place) -> None:
    with serving(plan_of(place), n_waiting=0) as served:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
                line.sendall(
                    b"PUT /detect/a.mp4 HTTP/1.1\r\nHost: localhost:1\r\n"
                    b"Content-Length: 200000\r\n\r\n" + b"x" * 100_000
                )
                wait_until(lambda: bool(videos(served.uploads)), 5, "no upload has begun")
                # The one place is taken while the upload comes in.
                assert served.ask("PUT", "/detect/b.mp4", b"x").status == 429
            assert served.left() == []
        assert served.detect(place.library).status == 200


def test_a_token_is_wanted_everywhere_but_for_health(place: Place) -> None:
    with serving(plan_of(place), token=TOKEN) as served:
        assert served.ask("GET", "/health").status == 200
        routes = (("GET", "/model"), ("GET", "/metrics"), ("GET", "/openapi.json"), ("GET", "/no"))
        for method, path in (*routes, ("POST", "/detect"), ("PUT", "/detect/a.mp4")):
            for given in ("", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xff"):
                told = served.ask(method, path, b"", Authorization=given)
                assert told.status == 401
                assert TOKEN not in told.fault()
        keyed = replace(served, headers={"Authorization": f"Bearer {TOKEN}"})
        assert keyed.detect(place.library).status == 200
        assert keyed.ask("GET", "/model", Host="shows.example").status == 200


def test_without_a_token_other_names_than_this_machine_s_are_refused(served: Served) -> None:
    assert served.ask("GET", "/model", Host=f"evil.example:{served.port}").status == 403
    assert served.ask("GET", "/model", Host="localhost.evil.example").status == 403
    for name in (f"localhost:{served.port}", "localhost", "127.0.0.1"):
        assert served.ask("GET", "/model", Host=name).status == 200


def test_a_client_that_does_not_come_to_its_request_is_dropped(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timed, "head_limit_s", 0.3)
    with connected(served) as silent, connected(served) as slow, connected(served) as refused:
        slow.sendall(b"GET /model HTTP/1.1\r\nHost: local")
        refused.sendall(
            b"PUT /detect/a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        )
        for line, expected in ((silent, b""), (slow, b""), (refused, b"HTTP/1.1 422")):
            assert all_of(line)[:12] == expected


def test_a_client_that_does_not_read_its_answers_is_dropped(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timed, "unread_limit_s", 0.3)
    dropped = threading.Event()
    original = Timed.connection_lost

    def lost(self: Timed, exc: Exception | None) -> None:
        original(self, exc)
        dropped.set()

    monkeypatch.setattr(Timed, "connection_lost", lost)
    with connected(served) as line:
        line.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4000)
        assert dropped.wait(20)


def test_a_body_that_does_not_come_is_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skipintro.service.request_body._LEEWAY_S", 0.3)
    with connected(served) as line:
        line.sendall(b"PUT /detect/a.mp4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 408")
    assert served.left() == []


def test_of_too_many_connections_the_one_that_waits_longest_goes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skipintro.service.connections._MOST_CONNECTIONS", 3)
    with serving(plan_of(place)) as served, ExitStack() as held:
        first, *_ = [held.enter_context(connected(served)) for _ in range(3)]
        assert served.ask("GET", "/model").status == 200
        with suppress(ConnectionResetError):
            assert first.recv(1) == b""


def test_what_is_no_http_is_the_last_word_of_its_connection(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    start = b" /detect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    for method in (b"POST", b"HEAD"):  # the app answers before or after the chunk is seen
        for kind in (b"text/plain", b"application/json"):
            with connected(served) as line:
                line.sendall(method + start + b"Content-Type: " + kind + b"\r\n\r\nno chunk\r\n")
                told = all_of(line)
                assert told.count(b"HTTP/1.1 4") == 1
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_request_of_two_lengths_is_refused_with_all_behind_it(served: Served) -> None:
    with connected(served) as line:
        line.sendall(
            b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n"
        )
        told = all_of(line)
        assert told.startswith(b"HTTP/1.1 400")
        assert told.count(b"HTTP/1.1") == 1


def test_an_upload_with_an_odd_name_is_told_in_one_line_without_its_folder(served: Served) -> None:
    for name in ("%0D%0AX:y.mp4", "a%E2%80%AEb.mp4"):
        told = served.ask("PUT", f"/detect/{name}", b"no video")
        assert told.status == 422
        assert "upload" not in told.fault()


@contextmanager
def blocked(patch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Make every task wait for the event."""
    free = threading.Event()
    original = Finder.of_library

    def waiting(self: Finder, paths: Any) -> Any:
        assert free.wait(30)
        return original(self, paths)

    patch.setattr(Finder, "of_library", waiting)
    try:
        yield free
    finally:
        free.set()


def test_a_full_queue_is_told_and_emptied(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(plan_of(place), n_waiting=1) as served, blocked(monkeypatch) as free:
        with ThreadPoolExecutor(2) as threads:
            waiting = [threads.submit(served.detect, place.library) for _ in range(2)]
            deadline = time.monotonic() + 10
            while (told := served.ask("GET", "/metrics").body).find(b"skipintro_queue 2.0") < 0:
                assert time.monotonic() < deadline, told
            third = served.detect(place.library)
            assert third.status == 429
            assert int(third.headers["retry-after"]) > 0
            assert "full" in third.fault()
            assert served.ask("PUT", "/detect/a.mp4", b"x").status == 429
            assert served.ask("GET", "/health").status == 200  # the rest goes on
            free.set()
            assert [one.result().status for one in waiting] == [200, 200]
        assert served.detect(place.library).status == 200


def test_after_the_time_limit_504_and_the_place_is_free_when_the_work_has_really_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(plan_of(place), n_waiting=0, time_limit_s=0.3) as served:
        with blocked(monkeypatch) as free:
            assert served.detect(place.library).status == 504
            assert served.detect(place.library).status == 429
            free.set()
        deadline = time.monotonic() + 20
        while (told := served.detect(place.library)).status in {429, 504}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert told.status == 200


def test_a_request_that_waits_in_vain_is_dropped(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(plan_of(place), n_waiting=1, time_limit_s=0.3) as served, blocked(monkeypatch):
        with ThreadPoolExecutor(2) as threads:
            told = list(threads.map(served.detect, [place.library] * 2))
        assert [one.status for one in told] == [504, 504]
        queue = served.ask("GET", "/metrics").body.decode()
        assert "skipintro_queue 1.0" in queue  # the one at work


def test_a_fault_of_the_service_s_own_is_one_line_without_a_traceback(
    served: Served, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([ZeroDivisionError("x"), InputError("weights: are others"), OSError(28, "full")])

    def broken(*_: Any) -> None:
        raise next(faults)

    monkeypatch.setattr(Finder, "of_library", broken)
    for word in ("log", "weights: are others", "no space left"):
        told = served.detect(place.library)
        assert told.status == 500
        assert word in told.fault()


def test_a_model_that_is_replaced_is_told_and_what_it_has_found_is_still_answered(
    place: Place, tmp_path: Path
) -> None:
    own = replace(place, detector=tmp_path / "detector", cache=tmp_path / "cache")
    shutil.copytree(place.detector, own.detector)
    known, unknown = place.videos()[0], place.videos()[2]  # of two series
    with serving(plan_of(own)) as served:
        found = served.detect(known)
        assert found.status == 200
        detector = load_openings(own.detector)
        other = detector.config.model_copy(update={"min_confidence": 0.6})
        save_openings(own.detector, replace(detector, config=other))
        assert served.detect(known).json() == found.json()
        told = served.detect(unknown)
        assert told.status == 500
        assert "replaced meanwhile; start again" in told.fault()
    with serving(plan_of(own)) as served:
        assert served.detect(unknown).status == 200


def test_the_other_routes_tell_the_model_the_counts_and_themselves(
    served: Served, place: Place
) -> None:
    assert served.ask("GET", "/health").json() == {"status": "ok"}
    model = served.ask("GET", "/model").json()
    assert model == {"title": str(place.detector), "identity": plan_of(place).model.identity}
    assert served.detect(place.library).status == 200
    counts = served.ask("GET", "/metrics").body.decode()
    for line in (
        'skipintro_requests_total{route="/detect",status="200"}',
        'skipintro_request_seconds_count{route="/detect"}',
        "skipintro_intros_found_total",
    ):
        assert line in counts
    assert served.ask("GET", "/docs").status == 404  # its page loads scripts from elsewhere
    assert "openapi" in served.ask("GET", "/nothing").fault()
    assert served.ask("DELETE", "/detect").status == 405
    described = served.ask("GET", "/openapi.json").json()["paths"]
    assert set(described) == {"/detect", "/detect/{name}", "/health", "/model", "/metrics"}


def test_a_signal_ends_the_service_in_order_with_work_and_an_upload_under_way(
    place: Place, tmp_path: Path
) -> None:
    with (
        serving_apart(place, tmp_path, "--max-upload-mb", "inf", delay_s=30) as apart,
        ThreadPoolExecutor(1) as threads,
    ):
        served = apart.served
        at_work = threads.submit(served.detect, place.library)
        wait_until(
            lambda: b"skipintro_queue 1.0" in served.ask("GET", "/metrics").body,
            30,
            "no work begun",
        )
        upload = socket.create_connection(("127.0.0.1", served.port), timeout=10)
        upload.sendall(
            b"PUT /detect/a.mp4 HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 9\r\n\r\nx"
        )
        wait_until(lambda: bool(videos(served.uploads)), 30, "no upload has begun")
        began = time.monotonic()
        apart.process.send_signal(signal.SIGTERM)
        assert at_work.result().status == HTTPStatus.SERVICE_UNAVAILABLE
        upload.close()
        assert apart.process.wait(timeout=20) == 0
        assert time.monotonic() - began < 10
        assert "ended" in apart.said()
        assert "Traceback" not in apart.said()
        assert list(served.uploads.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code_and_fault"),
    [
        (["--host", "0.0.0.0"], (2, "--token-file")),  # noqa: S104  which is refused
        (["--root", "/nowhere"], (1, "--root /nowhere")),
        (["--token-file", os.devnull], (1, "expected a token")),
        (["--search", "half"], (2, "--search half")),
    ],
)
def test_a_fault_of_usage_is_told_before_anything_is_served(
    place: Place,
    words: list[str],
    code_and_fault: tuple[int, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fixed = ["--port", "0", *place.words()[2:]]
    monkeypatch.setattr(sys, "argv", ["skipintro", "serve", *words, *fixed])
    with pytest.raises(SystemExit) as end:
        cli.main()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    code, fault = code_and_fault
    assert end.value.code == code
    assert fault in capsys.readouterr().err


def test_a_token_file_that_is_no_text_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    for content in (b"\xff\xfe", "жетон".encode(), b"two\nlines"):
        file.write_bytes(content)
        code, _, told = run_command(["serve", "--token-file", str(file)], monkeypatch, capsys)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert code == 1
        assert told.splitlines() == [
            f"error: {file}: expected a token, printable ASCII, in one line; write one"
        ]


def test_a_port_that_is_taken_is_told(served: Served) -> None:
    with pytest.raises(InputError, match="choose others"):
        listen("127.0.0.1", served.port)

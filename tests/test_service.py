"""`skipintro serve`: over real sockets, the same rows as the command line, and no way around."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from library_cases import INTERVALS, Place, make_place, use_cheap_encoder
from server_cases import Answer
from skipintro import cli
from skipintro.core.errors import InputError
from skipintro.library.detecting import Settings
from skipintro.library.memory import Memory
from skipintro.library.models import find_model
from skipintro.service.finder import Finder, Plan
from skipintro.service.listening import listen
from skipintro.service.roots import Roots
from skipintro.service.server import Server, make_server

MOST_BYTES = 300_000
TOKEN = "a long word that nobody guesses"  # noqa: S105  of these tests alone


def lying(folder: Path) -> list[Path]:
    """Give what lies below a folder now; what goes meanwhile does no harm, as it does to rglob."""
    return [Path(place, name) for place, *names in os.walk(folder) for name in chain(*names)]


def videos(folder: Path) -> list[Path]:
    return [path for path in lying(folder) if path.suffix == ".mp4"]


@dataclass(frozen=True)
class Served:
    """A server that runs, and the folder of its uploads."""

    server: Server
    port: int
    uploads: Path
    headers: dict[str, str]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            with suppress(ConnectionError):  # refused before the body is through
                connection.request(method, path, body, {**self.headers, **headers})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())

    def detect(self, *paths: object) -> Answer:
        body = json.dumps({"paths": [str(path) for path in paths]})
        return self.ask("POST", "/detect", body, **{"Content-Type": "application/json"})

    def left(self) -> list[Path]:
        """Give what lies in the folder of uploads, once the service has had time to tidy."""
        deadline = time.monotonic() + 5
        while (found := lying(self.uploads)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module", autouse=True)
def _cheap() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_cheap_encoder(patch)
        yield


def plan_of(place: Place, max_hours: float = 1.0) -> Plan:
    memory = Memory(place.cache)
    model, _ = find_model(str(place.detector), None, memory)
    memory.close()
    settings = Settings("whole", "cpu")
    return Plan(model, place.cache, settings, Roots([place.library]), 4, max_hours)


@contextmanager
def serving(
    plan: Plan, *, n_waiting: int = 8, time_limit_s: float = 60.0, token: str | None = None
) -> Iterator[Served]:
    listening = listen("127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as uploads:
        server = make_server(
            plan,
            Path(uploads),
            n_waiting=n_waiting,
            time_limit_s=time_limit_s,
            most_bytes=MOST_BYTES,
            token=token,
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Served(server, listening.getsockname()[1], Path(uploads), {})
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
            server.worker.close()


@pytest.fixture(scope="module")
def served(place: Place) -> Iterator[Served]:
    with serving(plan_of(place)) as one:
        yield one


def command_line(place: Place, capsys: pytest.CaptureFixture[str], *paths: object) -> Any:
    """Give the JSON of `skipintro detect`."""
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
    source = place.videos()[1]
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
    monkeypatch.setattr("skipintro.library.embedding.embed_video", None)  # not to be called
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
    inner = place.library / "Other Show" / "Other Show S01E02.mp4"
    folder.symlink_to(beside)
    assert served.detect(place.library).status == 403  # though there is no video
    folder.unlink()
    for one, target in ((link, secret), (folder, tmp_path), (inner, secret)):
        one.symlink_to(target)
    try:
        outside = (tmp_path, secret, "/", "/etc/passwd", "/nowhere", beside, link, folder)
        for path in (*outside, folder / secret.name, folder / "gone.mp4"):
            assert served.detect(path).status == 403, path
            assert "--root" in served.detect(place.videos()[1], path).fault()
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
                deadline = time.monotonic() + 5
                while not videos(served.uploads) and time.monotonic() < deadline:
                    time.sleep(0.005)
                assert videos(served.uploads)
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
    script = (
        "import pytest\n"
        "from library_cases import use_cheap_encoder\n"
        "from skipintro.cli import main\n"
        "use_cheap_encoder(pytest.MonkeyPatch(), delay_s=30)\n"
        "main()\n"
    )
    options = ["--root", str(place.library), "--port", "0", "--cache", str(tmp_path / "cache")]
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", script, "serve", *options, "--model", str(place.detector)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(uploads)},
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    served = Served(None, int(line.rsplit(":", 1)[1]), uploads, {})  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as threads:
        at_work = threads.submit(served.detect, place.library)
        while "skipintro_queue 1.0" not in served.ask("GET", "/metrics").body.decode():
            time.sleep(0.02)
        upload = socket.create_connection(("127.0.0.1", served.port), timeout=10)
        upload.sendall(
            b"PUT /detect/a.mp4 HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 9\r\n\r\nx"
        )
        while not videos(uploads):
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert at_work.result().status == HTTPStatus.SERVICE_UNAVAILABLE
    upload.close()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert time.monotonic() - began < 10
    assert "ended" in errors
    assert "Traceback" not in errors
    assert list(uploads.iterdir()) == []


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


def test_a_port_that_is_taken_is_told(served: Served) -> None:
    with pytest.raises(InputError, match="choose others"):
        listen("127.0.0.1", served.port)

"""Clients of `skipintro serve` and of the page of `skipintro review` that mean harm."""

import hmac
import json
import os
import random
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from conftest import run_command
from library_cases import Place
from service_cases import MOST_BYTES, Apart, lying, plan_of, serving, serving_apart
from skipintro.core.files import write_json
from skipintro.episodes.annotations import CorrectionRule
from skipintro.review.app import make_server
from skipintro.review.label_issues import Doubt
from skipintro.review.overrides import OverridesFile
from skipintro.review.queue import Queue
from skipintro.service.sockets import listen
from torture.conftest import Attack
from torture.mutation import json_text, mutated
from torture.odd_names import files_of, odd_name

HEAD_LIMIT_S, LEEWAY_S, UNREAD_LIMIT_S = 1.5, 2.0, 1.5  # instead of 20, 20 and 60
MOST_FILES = 1024
SHORT_LIMITS = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({MOST_FILES}, {MOST_FILES}))
from skipintro.service import request_body, connections
connections.Timed.head_limit_s, connections.Timed.unread_limit_s = {HEAD_LIMIT_S}, {UNREAD_LIMIT_S}
request_body._LEEWAY_S, request_body._FEWEST_BYTES_PER_S = {LEEWAY_S}, 100_000
"""
TOKEN = "a long word that nobody guesses"  # noqa: S105  of these tests alone
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
PUT = b"PUT /detect/a.mp4 HTTP/1.1\r\n" + HOST
POST = b"POST /detect HTTP/1.1\r\n" + HOST
GET = b"GET /model HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def apart(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """Yield a server in its own process, with shorter limits of time, and of open files."""
    options = ("--max-upload-mb", str(MOST_BYTES / (1 << 20)), "--queue", "4")
    folder = tmp_path_factory.mktemp("apart")
    with serving_apart(place, folder, *options, more=SHORT_LIMITS) as one:
        assert one.served.detect(place.library).status == 200  # and is remembered
        yield one


@dataclass(frozen=True)
class Told:
    """One answer as it came over the wire."""

    status: int
    body: bytes


def answers(raw: bytes, request: bytes = b"") -> list[Told]:
    """Take apart the answers that a connection gave, as a strict client does."""
    found: list[Told] = []
    while raw:
        head, end, raw = raw.partition(b"\r\n\r\n")
        line = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        assert end, f"no whole head: {head[:200]!r}"
        assert line, f"no answer: {head[:200]!r}"
        if line[1] == b"100":
            continue
        fields = dict(re.findall(rb"\r\n([^:]+): ([^\r]*)", head.lower()))
        size = int(fields[b"content-length"])
        if request[:5] == b"HEAD " and not found and line[1] != b"400":
            size = 0
        found.append(Told(int(line[1]), raw[:size]))
        raw = raw[size:]
    return found


def check_refusal(told: Told) -> None:
    """Check that a refusal is one line of JSON."""
    assert told.status < 500, told
    assert b"Traceback" not in told.body
    if told.status >= 400 and told.body:  # of a HEAD it has none
        content = json.loads(told.body)
        assert list(content) == ["error"]
        assert "\n" not in content["error"]


def said_to(port: int, request: bytes, *, is_ended: bool, wait_s: float = 10.0) -> bytes:
    """Send it all, and give all that comes back until the server ends the connection."""
    got = b""
    with connected(port) as line, suppress(ConnectionError):
        line.sendall(request)
        if is_ended:
            with suppress(OSError):  # the server may have ended it before
                line.shutdown(socket.SHUT_WR)
        line.settimeout(wait_s)
        while part := line.recv(1 << 16):
            got += part
    return got


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def open_files(process: psutil.Process) -> int:
    """Return how many files and sockets a process has open, once none is being closed any more."""
    before, now = -1, process.num_fds()
    deadline = time.monotonic() + 10
    while before != now:
        assert time.monotonic() < deadline, f"files are opened and closed for 10 s: {now}"
        time.sleep(0.3)
        before, now = now, process.num_fds()
    return now


def check_calm(apart: Apart) -> None:
    """Check that the server lives, has nothing in its hands, and has told of no fault."""
    deadline = time.monotonic() + 10
    while "skipintro_queue 0.0" not in apart.served.ask("GET", "/metrics").body.decode():
        assert time.monotonic() < deadline, "work that nobody waits for is queued for 10 s"
        time.sleep(0.05)
    assert [path for path in lying(apart.served.uploads) if path.is_file()] == []
    assert apart.served.ask("GET", "/health").status == 200
    for fault in ("Traceback", "Exception", "Fatal error", "out of system resource"):
        said = apart.said()
        assert fault not in said, said[said.index(fault) :][-3000:]


# --- slow clients ---

READS_NOTHING = "reads nothing"
SLOW: dict[str, tuple[bytes, bytes]] = {  # what is sent at once, and what follows by the byte
    "no word": (b"", b""),
    "half a word": (b"GE", b""),
    "head": (b"", b"GET /health HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 9000),
    "head, line by line": (b"GET /health HTTP/1.1\r\n", b"A: b\r\n" * 1000),
    "json": (POST + JSON + b"Content-Length: 9000\r\n\r\n", b'{"paths": [' + b'"/", ' * 1000),
    "upload": (PUT + b"Content-Length: 90000\r\n\r\n", b"x" * 9000),
    "half an upload": (PUT + b"Content-Length: 90000\r\n\r\n" + b"x" * 400, b""),
    "chunks": (PUT + CHUNKED + b"\r\n", b"1\r\nx\r\n" * 1000),
    "size of a chunk": (PUT + CHUNKED + b"\r\n", b"0" * 9000),
    "after a refusal": (
        b"PUT /detect/a.txt HTTP/1.1\r\n" + HOST + b"Content-Length: 90000\r\n\r\n",
        b"x" * 9000,
    ),
    "after an answer": (GET, b"GET /model HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 9000),
    READS_NOTHING: (b"GET /openapi.json HTTP/1.1\r\n%s\r\n" % HOST * 8000, b""),
}


@pytest.mark.promise(
    "Clients that send by the byte, or nothing, or read nothing, are dropped after a time limit; "
    "others are served meanwhile."
)
def test_slow_clients(attack: Attack, apart: Apart, place: Place) -> None:
    n_each = attack.size(quick=1, wide=2, full=20)
    kinds = [kind for kind in SLOW for _ in range(2 if kind == READS_NOTHING else n_each)]
    attack.rng.shuffle(kinds)
    limit_s = 2 * max(HEAD_LIMIT_S, LEEWAY_S, UNREAD_LIMIT_S) + 2
    with ExitStack() as stack:
        lines = []
        for kind in kinds:
            line = stack.enter_context(socket.socket())
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", apart.served.port))
            line.setblocking(False)
            begin_with, follow_with = SLOW[kind]
            with suppress(OSError):
                line.send(begin_with)
            lines.append((kind, line, iter(follow_with)))
        slow = [one for one in lines if one[0] != READS_NOTHING]
        deadline = time.monotonic() + limit_s
        while slow and time.monotonic() < deadline:
            with attack.case("a client that is not slow"):
                assert apart.served.ask("GET", "/model").status == 200
            time.sleep(0.05)
            slow = [one for one in slow if received(one[1]) is not None]
            for _, line, rest in slow:
                if (byte := next(rest, None)) is not None:
                    with suppress(OSError):
                        line.send(bytes([byte]))
        time.sleep(max(0.0, deadline - time.monotonic()) + UNREAD_LIMIT_S)
        for kind, line, rest in lines:
            with attack.case(kind):
                if kind == READS_NOTHING:
                    line.settimeout(10)
                    n_bytes = 0
                    while part := received(line):
                        n_bytes += part
                        assert n_bytes < 10_000_000  # of about 20
                    assert part is None
                assert (kind, line, rest) not in slow, "still connected"
    with attack.case("afterwards"):
        assert apart.served.detect(place.library).status == 200
        check_calm(apart)


def received(line: socket.socket) -> int | None:
    """Take what is there: its size, or None where the server has ended the connection."""
    try:
        return len(line.recv(1 << 20)) or None
    except BlockingIOError:
        return 0
    except OSError:
        return None


# --- noise ---

METHODS = (
    *(b"GET", b"GET", b"POST", b"POST", b"PUT", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"TRACE"),
    *(b"CONNECT", b"PATCH", b"get", b"", b"\x16\x03\x01", b"PRI", b"G\0T", b"X" * 3000),
)
PLACES = (
    *(b"/detect", b"/detect", b"/detect/a.mp4", b"/detect/S01E02.mkv", b"/model", b"/health"),
    *(b"/metrics", b"/openapi.json", b"/docs", b"/", b"//", b"*", b"", b"/nothing", b"/\xff"),
    *(b"/detect/../../etc/passwd", b"/detect/%2e%2e%2fa.mp4", b"/detect/%00.mp4", b"/detect/"),
    *(b"/detect/%ff%fe.mp4", b"/detect/a.mp4?x=y", b"http://evil.example/model", b"//evil/model"),
    *(b"/detect/" + b"%41" * 5000 + b".mp4", b"/" + b"a" * 70_000, b"/detect/%ED%A0%80.mp4"),
    *(b"/model;x", b"/model#x", b"/MODEL", b"/./model", b"/detect/%0d%0aX:y.mp4", b"/%"),
)
VERSIONS = (
    *(b" HTTP/1.1",) * 8,
    b" HTTP/1.0",
    b" HTTP/2.0",
    b" HTTP/9.9",
    b"",
    b" x",
    b" HTTP/1.1 ",
)
FIELDS = (
    *(HOST, HOST, HOST, HOST, JSON, JSON, JSON, b"Content-Length: 5\r\n", b"Content-Length: 0\r\n"),
    *(b"Content-Length: -1\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n", CHUNKED, CHUNKED),
    *(b"Content-Length: " + b"9" * 5000 + b"\r\n", b"Content-Length: 99999999999999999999\r\n"),
    *(b"Content-Length: \xd9\xa5\r\n", b"Content-Length: +5\r\n", b"Content-Length: 5, 5\r\n"),
    *(b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n"),
    *(b"Host: evil.example:80\r\n", b"Host:\r\n", b"Host: [::1]\r\n", b": x\r\n", b"x\r\n"),
    *(b"X: " + b"x" * 70_000 + b"\r\n", b"X: y\r\n" * 5000, b"X: \0\r\n", b" folded: x\r\n"),
    *(b"Authorization: \xff\xfe\r\n", b"Connection: close\r\n", b"Connection: upgrade\r\n"),
    *(
        b"Upgrade: websocket\r\n",
        b"Upgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
        b"Expect: x\r\n",
    ),
    *(b"Content-Type: \xff\r\n", b"Content-Type: application/json; charset=x\r\n", b"Range: x\r\n"),
    *(b"X-Forwarded-For: \xff, x\r\n", b"X-Forwarded-Proto: \xff\r\n", b"Origin: null\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Cookie: " + b"a=b; " * 2000 + b"\r\n", b"Trailer: x\r\n"),
)


def noise(rng: random.Random, valid: bytes) -> bytes:
    """Return what a client may send: nearly a request, mostly; `valid` is JSON that is answered."""
    kind = rng.randrange(20)
    if kind == 0:
        return rng.randbytes(rng.choice((1, 30, 3000)))
    body = rng.choice((b"", rng.randbytes(rng.choice((5, 500, 30_000))), valid))
    if kind < 8:
        body = rng.choice((mutated(rng, valid), json_text(rng).encode("utf-8", "replace")))
    fields = [rng.choice(FIELDS) for _ in range(rng.randrange(4))]
    if kind < 14:
        fields += [HOST, b"Content-Length: %d\r\n" % len(body)]
    elif kind < 17:
        parts = [body[at : at + 4000] for at in range(0, len(body), 4000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        body = mutated(rng, body) if kind == 16 else body
        fields += [HOST, CHUNKED]
    rng.shuffle(fields)
    line = rng.choice(METHODS) + b" " + rng.choice(PLACES) + rng.choice(VERSIONS)
    request = line + b"\r\n" + b"".join(fields) + b"\r\n" + body
    return mutated(rng, request) if kind == 19 else request


def make_noise(attack: Attack, port: int, requests: Sequence[bytes]) -> None:
    """Send them by four clients at once, and check every answer."""
    ended = [attack.rng.random() < 0.3 for _ in requests]

    def send(number: int) -> bytes:
        request = requests[number]
        if not ended[number]:  # else answers may be lost with the connection
            request += b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
        return said_to(port, request, is_ended=ended[number])

    with ThreadPoolExecutor(4) as threads:
        for number, raw in enumerate(threads.map(send, range(len(requests)))):
            with attack.case(requests[number][:300]):
                for told in answers(raw, requests[number]):
                    check_refusal(told)


@pytest.mark.promise(
    "Requests of noise are answered, or refused in one line, never with a 500 or a traceback; "
    "memory and open files of the service are as before."
)
def test_noise(attack: Attack, apart: Apart, place: Place) -> None:
    valid = json.dumps({"paths": [str(place.videos()[0])]}).encode()
    n = attack.size(quick=150, wide=600, full=10_000)
    requests = [noise(attack.rng, valid) for _ in range(n)]
    process = psutil.Process(apart.process.pid)
    make_noise(attack, apart.served.port, requests[: n // 4])
    check_calm(apart)
    n_files, before = open_files(process), process.memory_info().rss
    make_noise(attack, apart.served.port, requests[n // 4 :])
    with attack.case("afterwards"):
        check_calm(apart)
        assert open_files(process) <= n_files
        assert process.memory_info().rss - before < 20_000_000
        assert apart.served.detect(place.library).status == 200


# --- bodies ---


@pytest.mark.promise(
    "An upload that is broken off, at any byte, in order or not, leaves no file and no place taken."
)
def test_broken_off_uploads(attack: Attack, apart: Apart, place: Place) -> None:
    process = psutil.Process(apart.process.pid)
    video = place.videos()[0].read_bytes()
    n_files = open_files(process)
    for number in attack.cases(quick=10, wide=30, full=500):
        is_chunked = number % 2 == 0
        head = PUT + (CHUNKED if is_chunked else b"Content-Length: %d\r\n" % len(video)) + b"\r\n"
        body = b"%x\r\n%s\r\n" % (len(video), video) if is_chunked else video[:-1]
        sent = (head + body)[: attack.rng.randrange(len(head + body))]
        with attack.case((number, len(sent))), connected(apart.served.port) as line:
            with suppress(ConnectionError):  # as soon as the queue is found full
                line.sendall(sent)
            if number % 3 == 0:  # a reset instead of an end
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if number % 10 == 0:  # give it time to be written
                time.sleep(0.02)
    with attack.case("afterwards"):
        check_calm(apart)
        assert open_files(process) <= n_files
        assert apart.served.ask("PUT", "/detect/a.mp4", video).status == 200


@pytest.mark.promise(
    "A body over the limit, declared or not, is refused with 413, and no more of it is kept."
)
def test_too_large_bodies(attack: Attack, apart: Apart) -> None:
    over = (MOST_BYTES + 1, MOST_BYTES * 2, 1 << 31, 1 << 40, 10**19)
    for number in attack.cases(quick=6, wide=20, full=200):
        size = attack.rng.choice(over)
        if number % 3 == 0:
            request = PUT + b"Content-Length: %d\r\n\r\n" % size
        elif number % 3 == 1:
            step = attack.rng.choice((70_000, 150_000, MOST_BYTES + 1))
            part = b"%x\r\n%s\r\n" % (step, b"x" * step)
            request = PUT + CHUNKED + b"\r\n" + part * (MOST_BYTES // step + 1)
        else:
            request = POST + JSON + CHUNKED + b"\r\n100001\r\n" + b" " * 0x100001
        with attack.case((number, size)), connected(apart.served.port) as line:
            with suppress(ConnectionError):
                line.sendall(request)
            [told] = answers(line.recv(1 << 16))
            check_refusal(told)
            assert told.status == 413
            kept = sum(path.stat().st_size for path in lying(apart.served.uploads))
            assert kept <= MOST_BYTES + 8 * 4096  # folders count, too
    with attack.case("afterwards"):
        check_calm(apart)


# --- smuggling ---

INNER = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
TWO_LENGTHS = b"Content-Length: 2\r\nContent-Length: %d\r\n" % len(INNER)
AMBIGUOUS: dict[str, bytes] = {  # fields before a body that may hold another request
    "two lengths": TWO_LENGTHS,
    "two lengths in one": b"Content-Length: 2, %d\r\n" % len(INNER),
    "length and chunks": b"Content-Length: 2\r\n" + CHUNKED,
    "chunks and length": CHUNKED + b"Content-Length: 5\r\n",
    "chunks twice": CHUNKED + CHUNKED,
    "chunks before something": b"Transfer-Encoding: chunked, identity\r\n",
    "something like chunks": b"Transfer-Encoding: xchunked\r\n",
    "chunks by a tab": b"Transfer-Encoding:\tchunked\r\nContent-Length: 2\r\n",
    "chunks by a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "a blank before the colon": b"Transfer-Encoding : chunked\r\n",
    "quoted chunks": b'Transfer-Encoding: "chunked"\r\n',
    "a signed length": b"Content-Length: +2\r\n",
    "a negative length": b"Content-Length: -2\r\n",
    "a length in hex": b"Content-Length: 0x2\r\n",
    "a length with a bar": b"Content-Length: 0_2\r\n",
    "a length of other digits": "Content-Length: ٢\r\n".encode(),
    "no length": b"Content-Length: \r\n",
    "a blank before the length's colon": b"Content-Length : 2\r\n",
    "a bare return": b"X: y\rContent-Length: 2\r\n",
    "a NUL": b"X: y\0\r\nContent-Length: 2\r\n",
    "two hosts": HOST + b"Content-Length: 2\r\n",
}


@pytest.mark.promise(
    "A request whose length can be read in two ways is refused, and its connection ends: nothing "
    "behind it is taken for a request."
)
def test_requests_of_two_lengths(attack: Attack, apart: Apart) -> None:
    n_times = attack.size(quick=1, wide=1, full=10)
    cases = [
        (kind, method, body)
        for kind in AMBIGUOUS
        for method in (POST + JSON, PUT)
        for body in (b"{}" + INNER, b"2\r\n{}\r\n0\r\n\r\n" + INNER, b"0\r\n\r\n" + INNER)
    ] * n_times

    def send(case: tuple[str, bytes, bytes]) -> bytes:
        kind, method, body = case
        request = method + AMBIGUOUS[kind] + b"\r\n" + body
        return said_to(apart.served.port, request, is_ended=False)

    with ThreadPoolExecutor(4) as threads:
        for case, raw in zip(cases, threads.map(send, cases), strict=True):
            with attack.case(case):
                [told] = answers(raw)
                check_refusal(told)
                assert told.status == 400
    check_calm(apart)


# --- many connections ---


@pytest.mark.promise(
    "However many connections are held open, the service keeps files to open, and answers whoever "
    "asks at once."
)
def test_many_connections(attack: Attack, apart: Apart, place: Place) -> None:
    process = psutil.Process(apart.process.pid)
    with ExitStack() as held:
        for number in range(attack.size(quick=400, wide=400, full=900)):
            line = held.enter_context(connected(apart.served.port))
            with suppress(OSError):
                line.send(attack.rng.choice((b"", b"G", b"GET /model HTTP/1.1\r\n")))
            if number % 50 == 0:
                with attack.case(number):
                    assert apart.served.ask("GET", "/model").status == 200
                    assert process.num_fds() < MOST_FILES * 3 / 4
        with attack.case("work"):
            assert apart.served.detect(place.library).status == 200
            check_calm(apart)


# --- tokens ---


def near(rng: random.Random, token: str) -> str:
    """Return a header that is nearly the right one."""
    at = rng.randrange(len(token))
    return rng.choice(
        (
            f"Bearer {token[:at]}",
            f"Bearer {token[at:]}" if at else "Bearer",
            f"Bearer {token[:at]}{chr(ord(token[at]) ^ 1 << rng.randrange(5))}{token[at + 1 :]}",
            f"Bearer {token}{token[:at]}x",
            f"Bearer {token[:at]}\x00{token[at:]}".replace("\0", "\x80"),
            f"Bearer  {token}",
            f"bearer {token}",
            f"Basic {token}",
            f"Bearer{token}",
            token,
            "",
            "Bearer ",
            "Bearer " + "".join(chr(rng.randrange(0x80, 0x100)) for _ in range(at)),
            f"Bearer {token}, Bearer {token}",
            f"Bearer {token.upper()}",
            "Bearer " + "x" * 20_000,
        )
    )


@pytest.mark.promise(
    "With a token, nothing but /health is returned to whoever sends another, however near; each is "
    "compared in constant time."
)
def test_tokens_that_are_nearly_right(
    attack: Attack, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0

    def counted(given: bytes, right: bytes) -> bool:
        nonlocal compared
        compared += 1
        return compare(given, right)

    compare = hmac.compare_digest
    monkeypatch.setattr("skipintro.service.auth.hmac.compare_digest", counted)
    with serving(plan_of(place), token=TOKEN) as served:
        for number in attack.cases(quick=30, wide=100, full=2_000):
            given = near(attack.rng, TOKEN)
            path = ("/model", "/metrics", "/openapi.json", "/nothing", "/detect", "//health")[
                number % 6
            ]
            with attack.case((path, given)):
                told = served.ask("GET", path, Authorization=given)
                assert told.status == 401
                assert TOKEN not in told.fault()
        assert compared == attack.n_cases
        assert served.ask("GET", "/model", Authorization=f"Bearer {TOKEN}").status == 200


ANYWHERE = "0.0.0.0"  # noqa: S104  which is refused
HOSTS = (
    *(ANYWHERE, "0", "::1", "[::1]", "::ffff:127.0.0.1", "localhost", "", "127.0.0.2", "127.1"),
    *("2130706433", "0177.0.0.1", "127.0.0.1 ", " 127.0.0.1", "example.org", "127.0.0.1.example"),
)
NO_TOKENS = (
    *(b"", b" \n\t", b"\xff\xfe", "жетон".encode(), b"two\nlines", b"a\0b", b"a\x1bb", b"a\x7f"),
    *("\ufeffbom".encode(), "tok\u200ben".encode(), b"tab\tbed", b"\r\n", b"a\rb"),
)


@pytest.mark.promise(
    "The service listens on 127.0.0.1, and elsewhere only with a token of printable ASCII; else it "
    "says so in one line and serves nothing."
)
def test_listening_elsewhere(
    *,
    attack: Attack,
    apart: Apart,
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*words: str) -> str:
        fixed = ("--port", "0", *place.words()[2:])
        code, out, told = run_command(["serve", *words, *fixed], monkeypatch, capsys)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert code in {1, 2}
        assert out == ""
        [line] = told.splitlines()
        assert line.startswith("error: ")
        return line

    with attack.case("by default"):
        [own] = [
            one.laddr.ip
            for one in psutil.Process(apart.process.pid).net_connections()
            if one.status == psutil.CONN_LISTEN
        ]
        assert own == "127.0.0.1"
    for host in HOSTS:
        with attack.case(host):
            assert "--token-file" in refuse("--host", host)
    file = tmp_path / "token"
    for content in NO_TOKENS:
        file.write_bytes(content)
        with attack.case(content):
            assert str(file) in refuse("--host", ANYWHERE, "--token-file", str(file))
    for path in (tmp_path, tmp_path / "gone", Path("/dev/null")):
        with attack.case(path):
            assert str(path) in refuse("--token-file", str(path))


# --- names ---


@pytest.mark.promise(
    "Whatever an upload is called, and whatever path is asked for, nothing is written outside of "
    "the uploads, and nothing revealed of what lies outside of the roots."
)
def test_names_that_mean_to_lead_elsewhere(
    attack: Attack, apart: Apart, place: Place, tmp_path: Path
) -> None:
    secret = tmp_path / "Secret S01E01.mp4"
    secret.write_bytes(place.videos()[0].read_bytes())
    before = files_of(place.library), files_of(tmp_path)
    root, video = str(place.library), str(place.videos()[0])
    ups = "/".join([".."] * 30)
    for number in attack.cases(quick=40, wide=200, full=3_000):
        name = odd_name(attack.rng)
        if number % 2:
            text = name.encode("utf-8", "surrogatepass")
            encoded = quote(text, safe=attack.rng.choice(("", "/", "/.%~")))
            path = attack.rng.choice((encoded, f"{ups}{secret}/{encoded}", f"..%2f{encoded}"))
            with attack.case(path):
                told = apart.served.ask("PUT", f"/detect/{quote(path, safe='/%')}.mp4", b"no video")
                assert told.status in {400, 404, 422}
                check_refusal(Told(told.status, told.body))
            continue
        path = attack.rng.choice(
            (
                *(
                    name,
                    f"/{name}",
                    f"{root}/{name}",
                    f"{root}/{name}/../{name}",
                    f"{root}{ups}/{name}",
                ),
                *(
                    f"{root}/{name}{secret}",
                    f"{root}/../{name}",
                    f"{root}{name}",
                    f"{video}/{name}",
                ),
                *(f"{root}/..{secret}", f"{root}/{ups}{secret}", f"file://{secret}", f"{secret}"),
            )
        )
        with attack.case(path):
            told = apart.served.ask(
                "POST",
                "/detect",
                json.dumps({"paths": [path]}),
                **{"Content-Type": "application/json"},
            )
            assert told.status in {400, 403, 404} or (
                told.status == 200 and Path(os.path.realpath(path)).is_relative_to(root)
            )
            check_refusal(Told(told.status, told.body))
    assert (files_of(place.library), files_of(tmp_path)) == before
    check_calm(apart)


# --- the page of `skipintro review` ---


@contextmanager
def paged(folder: Path) -> Iterator[tuple[int, Path]]:
    """Serve the page of a doubt without a video; gives the port and the overrides file."""
    path = folder / "overrides.json"
    write_json(path, {"other": {"start": 1, "end": 9, "reason": "by hand"}})
    doubt = Doubt(
        id="toy s01e01",
        series="toy",
        splits=("train",),
        video=Path("gone.mp4"),
        n_seconds=60,
        usable=True,
        label=(1, 9),
        proposal=None,
        confidence=None,
        reasons=("short",),
    )
    rule = CorrectionRule(inversion_shift_s=60, min_length_s=1, max_length_s=20)
    (folder / "lock").touch()
    listening = listen("127.0.0.1", 0)
    server = make_server(Queue([doubt], OverridesFile(path, folder / "lock"), rule), folder)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()[1], path
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.promise(
    "The page of `skipintro review` refuses noise in one line, never with a 500 or a traceback, "
    "and writes nothing of it."
)
def test_noise_on_the_page(
    attack: Attack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("skipintro.service.connections.Timed.head_limit_s", HEAD_LIMIT_S)
    monkeypatch.setattr("skipintro.service.request_body._LEEWAY_S", LEEWAY_S)
    decision = {"id": "toy s01e01", "kind": "skip", "seen": None}
    valid = json.dumps(decision).encode()
    ours = (b"/decisions", b"/doubts", b"/pictures/toy%20s01e01?at=1", b"/videos/toy%20s01e01")
    more = (
        *ours,
        b"/videos/..%2foverrides.json",
        b"/pictures/x?at=nan&at=1e999",
        b"/pictures/x?at=%FF",
    )
    n = attack.size(quick=40, wide=150, full=2_000)
    with paged(tmp_path) as (port, path):
        before = files_of(tmp_path)
        requests = [
            re.sub(
                rb" /[^ \r]*",
                lambda _: b" " + attack.rng.choice(more),
                noise(attack.rng, valid),
                count=1,
            )
            for _ in range(n)
        ]
        make_noise(attack, port, requests)
        with attack.case("afterwards"):
            assert files_of(tmp_path) == before
            assert path.exists()
            assert [one for one in caplog.records if one.exc_info] == []
            request = b"GET /doubts HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
            [told] = answers(said_to(port, request, is_ended=False))
            assert told.status == 200

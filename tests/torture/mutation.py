"""Seeded damage: to bytes, and JSON and YAML that no sensible person would write."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from skipintro.core.errors import InputError

T = TypeVar("T")

DEEP = 10_000
LONGEST_MESSAGE = 2000  # characters

_NUMBERS = (
    *("0", "-0", "-0.0", "0.5", "1e999", "-1e999", "1e-999", "NaN", "Infinity", "-Infinity"),
    *("9" * 400, "-" + "9" * 400, "9" * 4301, "0." + "3" * 400, "1e7", "9999999.9999999"),
)
_TEXTS = (
    *("0:00:05", "7:40", "-0:05", "", " ", "soon", "1e999", "nan", "٠:٠٥", "a/b", "..", "C:x"),
    *("\0", "\n", "\r\n", "\x1b[2J", "\x85", "\u2028", "\u2029", "\ufeff", "\u202e", "\u200f"),
    *("\ud800", "\udc00\ud800", "\U0001f3ac", "e\u0301", "x" * 300, "k" * 100_000, "\uffff"),
)
_KEYS = ("start", "end", "reason", "name", "series", "url", "s01e01", "ы s01e02", "", "\u202e")
_TOKENS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"null", b"true"),
    *(b"\0", b"\n", b"\r", b"\t", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xed\xa0\x80"),
    *(b"\xe2\x80\xae", b"NaN", b"1e999", b"-0.0", b"9" * 400, b"[" * 2000, b'{"a":' * 2000),
)
YAML_TOKENS = (
    *(b"&a ", b"*a", b"<<: *a\n", b"!!int ", b"!!float ", b"!!bool ", b"!!binary ", b"!!set "),
    *(b"!!timestamp ", b"!!python/object/apply:os.system ", b"? ", b"- ", b": ", b"|\n", b"%YAML"),
    *(b"---\n", b"...\n", b"\t", b"0x", b"0b_", b"1:60", b".inf", b".nan", b"2020-13-45", b"'"),
    *(b"1:" * 60 + b"1.5", b"0x" + b"f" * 5000, b"\xc2\x85", b"[" * 300, b"{a: " * 300, b"=", b"~"),
)


def mutated(rng: random.Random, content: bytes, more: Sequence[bytes] = ()) -> bytes:
    """Flip, replace, insert, delete, repeat and cut, one to eight times."""
    tokens = (*_TOKENS, *more)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at, until = sorted(rng.randrange(len(content) + 1) for _ in "ab")
        until = min(until, at + rng.choice((1, 4, 40)))
        head, part, tail = content[:at], content[at:until], content[until:]
        content = rng.choice(
            (
                head + bytes(byte ^ 1 << rng.randrange(8) for byte in part) + tail,
                head + rng.choice(tokens) + tail,
                head + rng.choice(tokens) + part + tail,
                head + tail,
                head + part * rng.choice((2, 50)) + tail,
                head + rng.randbytes(rng.choice((1, 8))) + tail,
                head,
            )
        )
    return content


def json_text(rng: random.Random, depth: int = 0) -> str:
    """Return JSON, or nearly: objects with keys twice, numbers out of range, and odd texts."""
    kind = rng.randrange(10)
    if depth < 4 and kind < (8 if depth < 2 else 3):
        pairs = (
            f"{json.dumps(rng.choice(_KEYS))}: {json_text(rng, depth + 1)}"
            for _ in range(rng.randrange(5))
        )
        return "{" + ", ".join(pairs) + "}"
    if depth < 4 and kind == 3:
        return "[" + ", ".join(json_text(rng, depth + 1) for _ in range(rng.randrange(4))) + "]"
    if kind == 4:
        n = rng.choice((10, 900, 960, 980, 1000, DEEP))
        return rng.choice(("[" * n + "]" * n, '{"a":' * n + "1" + "}" * n, "[" * n))
    if kind < 7:
        return rng.choice(_NUMBERS)
    if kind == 7:
        return rng.choice(("null", "true", "false"))
    return json.dumps(rng.choice(_TEXTS), ensure_ascii=rng.random() < 0.5)


def read_or_refused(path: Path, read: Callable[[], T]) -> T | None:
    """Return what is read, or None where it is refused as promised: in one line, by its name."""
    try:
        return read()
    except InputError as error:
        told = str(error)
    assert told.splitlines() == [told]
    assert str(path) in told
    assert len(told) <= LONGEST_MESSAGE
    told.encode()  # no half of a surrogate pair
    return None

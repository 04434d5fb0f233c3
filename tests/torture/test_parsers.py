"""Labels, overrides and params, as nobody would write them."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from skipintro import cli
from skipintro.core.params import flat_params, load_params
from skipintro.episodes.annotations import read_overrides
from skipintro.episodes.labels import read_labels
from skipintro.stages import annotate, window
from torture.conftest import Attack
from torture.mutation import YAML_TOKENS, json_text, mutated, read_or_refused
from torture.seeds import LABELS, OVERRIDES, PARAMS, check_times

MOST_S, MOST_MB = 20, 1000  # of reading one file, in a process of its own


@pytest.mark.promise(
    "Whatever bytes a label or an overrides file holds, it is read, or refused in one line that "
    "names it."
)
def test_label_files_of_any_bytes(attack: Attack, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    seeds = [json.dumps(content, ensure_ascii=False).encode() for content in (LABELS, OVERRIDES)]
    for number in attack.cases(quick=500, wide=5_000, full=80_000):
        if number % 3:
            content = mutated(attack.rng, attack.rng.choice(seeds))
        else:
            content = json_text(attack.rng).encode("utf-8", "surrogatepass")
        with attack.case(content):
            path.write_bytes(content)
            check_times(read_or_refused(path, lambda: read_labels(path)) or {})
            check_times(read_or_refused(path, lambda: read_overrides(path)) or {})


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
FIELDS = st.dictionaries(
    st.sampled_from(["start", "end", "name", "series", "url", "reason"]) | st.text(max_size=4),
    VALUES | st.lists(VALUES, max_size=2) | st.from_regex(r"\A[0-9:. -]{1,9}\Z"),
    max_size=5,
)
FILES = st.dictionaries(st.text(max_size=9), FIELDS | VALUES, max_size=3) | VALUES


@pytest.mark.promise(
    "Whatever values a label or an overrides file holds, every time that is read lies between 0 "
    "and 10,000,000 s."
)
def test_label_files_of_any_values(attack: Attack, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    size = attack.size(quick=50, wide=300, full=3_000)

    @settings(max_examples=size, deadline=None, derandomize=True, database=None)
    @given(FILES)
    def holds(content: Any) -> None:
        attack.n_cases += 1
        path.write_text(json.dumps(content), encoding="utf-8")
        check_times(read_or_refused(path, lambda: read_labels(path)) or {})
        check_times(read_or_refused(path, lambda: read_overrides(path)) or {})

    holds()


@pytest.mark.promise(
    "`skipintro labels check` reports on any two label files, or refuses one in one line that "
    "names it."
)
def test_labels_check_of_any_files(
    attack: Attack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    train, test = tmp_path / "train.json", tmp_path / "test.json"
    content = json.dumps(LABELS, ensure_ascii=False).encode()
    words = ["skipintro", "labels", "check", "--train", str(train), "--test", str(test)]
    for number in attack.cases(quick=6, wide=30, full=300):
        train.write_bytes(mutated(attack.rng, content) if number % 2 else content)
        test.write_bytes(mutated(attack.rng, content))
        monkeypatch.setattr(sys, "argv", [*words, "--json"] if number % 4 == 0 else words)
        with attack.case((train.read_bytes(), test.read_bytes())):
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
            told = capsys.readouterr()
            assert code in {0, 1}
            if code:
                assert told.out == ""
                assert len(told.err.splitlines()) == 1
                assert told.err.startswith(f"error: {tmp_path}")


READ_LABELS = """
import sys
from pathlib import Path
from skipintro.core.errors import InputError
from skipintro.episodes.labels import read_labels
try:
    read_labels(Path(sys.argv[1]))
    print("read")
except InputError as error:
    print("refused:", error)
"""


def run_limited(script: str, *words: str) -> str:
    """Run Python with little memory and time; give what it says."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MB << 20, MOST_MB << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_S, MOST_S))

    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        timeout=15 * MOST_S,  # of the clock: the machine may have other work
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


MB = 1 << 20
HUGE = {  # head, what is repeated, how often, tail
    "100 MB of blanks": (b"", b" ", 100 * MB, b""),
    "100 MB of empty objects": (b'{"a": [', b"{},", 33 * MB, b""),
    "100 MB in one key": (b'{"', b"k", 100 * MB, b""),
    "100 MB in one number": (b'{"a": ', b"9", 100 * MB, b""),
    "empty objects up to the limit": (b'{"a": [', b"{},", 5 * MB, b"{}]}"),
    "one key up to the limit": (b'{"', b"k", 15 * MB, b'": 1}'),
    "nested as deep as there is room": (b"", b"[", 15 * MB, b""),
    "halves of surrogate pairs up to the limit": (b'{"a": "', rb"\ud800", 2 * MB, b'"}'),
}


@pytest.mark.promise(
    f"A label file of 100 MB, or nested without end, costs less than {MOST_S} s and {MOST_MB} MB."
)
def test_huge_label_files(attack: Attack, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    names = list(HUGE)[:: attack.size(quick=8, wide=4, full=1)]
    for name in names:
        with attack.case(name):
            head, part, n_times, tail = HUGE[name]
            path.write_bytes(head + part * n_times + tail)
            told = run_limited(READ_LABELS, str(path))
            assert told.startswith(f"refused: {path}: ")
            assert len(told) < 3000


@pytest.mark.promise(
    "Whatever bytes params.yaml holds, its params are read, or refused in one line that names it."
)
def test_params_of_any_bytes(attack: Attack, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    for _ in attack.cases(quick=60, wide=400, full=20_000):
        content = mutated(attack.rng, PARAMS, YAML_TOKENS)
        with attack.case(content):
            path.write_bytes(content)
            read_or_refused(path, lambda: load_params(annotate.Params, "annotate", path))
            read_or_refused(path, lambda: load_params(window.Params, "window", path))
            for value in (read_or_refused(path, lambda: flat_params(path)) or {}).values():
                str(value)  # as a run's params have it


def _laughs(first: str, line: str) -> str:
    """Return a bomb: each line holds the one before ten times."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} " + line.replace("*", f"*a{n - 1}") for n in range(1, 15)]
    return "\n".join(lines) + "\n"


def _laughing(first: str, line: str) -> str:
    """Put a bomb in a section that is known, and use it where a number should stand."""
    bomb = _laughs(first, line).replace("\n", "\n  ")
    return f"promote:\n  {bomb}\nwindow:\n  length: *a14\n  stride: 5\n  train_frames: balanced\n"


BOMBS = {
    "lists of lists": _laughing("[lol]", "[" + ", ".join(["*"] * 10) + "]"),
    "mappings": _laughing("{k: lol}", "{" + ", ".join(f"k{n}: *" for n in range(10)) + "}"),
    "merges": _laughing("{k: lol}", "{<<: [" + ", ".join(["*"] * 10) + "]}"),
    "a list in itself": "window: &a [*a]\n",
    "a mapping in itself": "window: &a\n  length: *a\n  stride: *a\n  train_frames: balanced\n",
    "deep lists": "window: " + "[" * 10_000 + "]" * 10_000,
    "deep mappings": "window: " + "{a: " * 10_000 + "1" + "}" * 10_000,
    "an endless list": "window: " + "[" * 100_000,
    "a number of 5,000 digits in base 16": "window: {length: 0x" + "f" * 5000 + ", stride: 5}",
    "a number of 100,000 digits": "epochs: " + "9" * 100_000,
    "60,000 keys": "window: {" + ", ".join(f"{n:x}:" for n in range(30_000)) + "}",
    "tags that do not fit": "window: {length: !!int '', stride: !!bool 5}",
    "a float of 200 parts": "epochs: " + "1:" * 200 + "1.5",
}
READ_PARAMS = """
import sys
from pathlib import Path
from skipintro.core.errors import InputError
from skipintro.core.params import StageParams, flat_params, load_params

class Params(StageParams):
    length: int
    stride: int
    train_frames: str

path = Path(sys.argv[1])
for read in (lambda: load_params(Params, "window", path), lambda: flat_params(path)):
    try:
        read()
        print("read")
    except InputError as error:
        print("refused:", error)
"""


@pytest.mark.promise(
    "Bombs of aliases, merges, nesting and numbers in params.yaml are refused at once, in one line."
)
def test_bombs_in_params(attack: Attack, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    for name in list(BOMBS)[:: attack.size(quick=6, wide=3, full=1)]:
        with attack.case(name):
            path.write_text(BOMBS[name], encoding="utf-8")
            told = run_limited(READ_PARAMS, str(path)).splitlines()
            assert len(told) == 2
            assert told[0].startswith(f"refused: {path}: ")
            assert all(line == "read" or line.startswith(f"refused: {path}: ") for line in told)

"""A fuzzer that follows the coverage, over the parsers: `python -m torture.fuzzing TARGET [CASES]`.

Atheris draws the cases: half of them by libFuzzer's mutations, half by those of `mutation.py`;
what reaches new code is kept and changed further. It ends with the first traceback, which it tells
with the bytes that lead there. The file $CASES, if there is one, holds how many were tried.
"""

import json
import mmap
import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["skipintro", "yaml"]):
    from skipintro.core.errors import InputError
    from skipintro.core.params import flat_params, load_params
    from skipintro.episodes.annotations import read_overrides
    from skipintro.episodes.labels import parse_time, read_labels
    from skipintro.stages import annotate
    from skipintro.video.sampling import IrregularStreamError, Sample, required_packets

from torture.mutation import YAML_TOKENS, mutated, read_or_refused
from torture.seeds import LABELS, OVERRIDES, PARAMS, check_times

Read = Callable[[Path], object]


def read_params(path: Path) -> None:
    """Read params as stages and runs do."""
    read_or_refused(path, lambda: load_params(annotate.Params, "annotate", path))
    for value in (read_or_refused(path, lambda: flat_params(path)) or {}).values():
        str(value)


def read_time(path: Path) -> None:
    """Read one time of a label."""
    try:
        seconds = parse_time("here", path.read_bytes().decode("utf-8", "surrogatepass"))
    except (InputError, UnicodeDecodeError):
        return
    assert seconds is not None
    assert 0 <= seconds < 1e7


def read_samples(path: Path) -> None:
    """Choose packets by time stamps: of each four bytes, pts, dts, whether it is key and shown."""
    content = path.read_bytes()
    samples = [
        Sample(at, content[at] - 8, content[at + 1] - 8, bool(flags & 1), bool(flags & 2))
        for at in range(0, len(content) - 2, 3)
        for flags in (content[at + 2],)
    ]
    try:
        chosen = list(
            required_packets(iter(samples), lambda second: 4 * second, lambda last: last.pts // 4)
        )
    except IrregularStreamError:
        return
    assert [sample.packet for sample in chosen] == sorted({s.packet for s in chosen})


TARGETS: dict[str, tuple[bytes, Read]] = {
    "labels": (
        json.dumps(LABELS).encode(),
        lambda path: check_times(read_or_refused(path, lambda: read_labels(path)) or {}),
    ),
    "overrides": (
        json.dumps(OVERRIDES).encode(),
        lambda path: check_times(read_or_refused(path, lambda: read_overrides(path)) or {}),
    ),
    "params": (PARAMS, read_params),
    "times": (b"0:01:10.5", read_time),
    "samples": (
        bytes(n for k in range(40) for n in (8 + k, 8 + k, 2 + (k % 12 == 0))),
        read_samples,
    ),
}


def _mutate(content: bytes, most: int, seed: int) -> bytes:
    if seed % 2:
        return bytes(atheris.Mutate(content, most))
    rng = random.Random(seed)  # noqa: S311  no secret
    return mutated(rng, content, YAML_TOKENS)[:most]


def main() -> None:
    target, *n_cases = sys.argv[1:]
    seed, read = TARGETS[target]
    folder = Path(tempfile.mkdtemp(prefix="skipintro-fuzz-"))  # removed by the caller: libFuzzer
    (folder / "corpus").mkdir()  # ends the process at once
    (folder / "corpus" / "seed").write_bytes(seed)
    memory = os.memfd_create("case")  # a disk would take most of the time
    path = Path(f"/proc/self/fd/{memory}")
    counter = Path(os.environ.get("CASES", str(folder / "n_cases")))
    counter.write_bytes(bytes(8))
    with counter.open("r+b") as file:
        counted = mmap.mmap(file.fileno(), 8)

    def one(content: bytes) -> None:
        counted[:] = (int.from_bytes(counted, "little") + 1).to_bytes(8, "little")
        os.ftruncate(memory, 0)
        os.pwrite(memory, content, 0)
        read(path)

    limits = [f"-runs={number}" for number in n_cases]
    words = ["-seed=1", "-max_len=4096", f"-artifact_prefix={folder}/", *limits]
    atheris.Setup([sys.argv[0], *words, str(folder / "corpus")], one, custom_mutator=_mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""Does pieces of work one after the other, and tells what each cost.

A piece is the folder to do it in, and the name of a stage or the words of a command. As
`python -m torture.measured FILE`, a JSON list of them, it prints JSON, too: what they cost in a
process of their own.
"""

import gc
import importlib
import json
import resource
import sys
import threading
from contextlib import chdir
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from library_cases import CheapEncoder
from skipintro import cli
from skipintro.core.isolation import end_idle
from skipintro.core.params import load_params
from skipintro.detection import head_detector
from skipintro.encoder import spec
from skipintro.library import embedding, fingerprinting  # noqa: F401  loaded before anything is measured


@dataclass(frozen=True)
class Measured:
    """What pieces of work took; their children count for seconds alone."""

    seconds: list[float]  # of the processor
    calls: list[int]  # of functions, where they were counted
    memory: int  # the most that the process had; the unit is the system's

    @property
    def spent(self) -> list[float]:
        """The calls where they were counted, else the seconds."""
        return [calls or seconds for calls, seconds in zip(self.calls, self.seconds, strict=True)]


def do(words: list[str], patch: pytest.MonkeyPatch) -> None:
    if len(words) == 1:
        stage = importlib.import_module(f"skipintro.stages.{words[0]}")
        stage.main(load_params(stage.Params, words[0]))
        return
    patch.setattr(sys, "argv", ["skipintro", *words])
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise


def processor_s() -> float:
    """Seconds of this process, and of the children that have ended."""
    end_idle()
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def measured(pieces: list[list[str]], *, is_counted: bool = False) -> Measured:
    """Do the pieces with a cheap encoder; to count calls slows them down."""
    seconds, calls = [], []
    n_calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal n_calls
        n_calls += event in {"call", "c_call"}

    with pytest.MonkeyPatch.context() as patch:
        for module in (head_detector, spec):
            patch.setattr(module, "load_encoder", lambda *_, **__: CheapEncoder())
        for folder, *words in pieces:
            began_s, n_calls = processor_s(), 0
            if is_counted:
                threading.setprofile(count)
                sys.setprofile(count)
            try:
                with chdir(folder):
                    do(words, patch)
            finally:
                sys.setprofile(None)
                threading.setprofile(None)
            seconds.append(processor_s() - began_s)
            calls.append(n_calls)
    return Measured(seconds, calls, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    gc.collect()
    gc.freeze()  # what was loaded: a look through all of it takes longer than a short stage
    print(json.dumps(asdict(measured(json.loads(Path(sys.argv[1]).read_bytes())))))  # noqa: T201

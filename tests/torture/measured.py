"""Does pieces of work one after the other, and tells what each cost: `python -m torture.measured`.

The first word says whether calls are counted, which slows everything down; the second is a JSON
list of pieces: the words of a command, or the name of a stage of the checkout that it runs in. The
last line of the output is JSON, too: `Measured`.
"""

import importlib
import json
import resource
import sys
import threading
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any, Literal

import pytest

from library_cases import CheapEncoder
from skipintro import cli
from skipintro.core.params import load_params
from skipintro.detection import detector
from skipintro.encoder import engine
from skipintro.episodes.isolation import end_idle
from skipintro.library import embedding  # noqa: F401  loaded before anything is measured


@dataclass(frozen=True)
class Measured:
    """What pieces of work took; their processes' children count for seconds, not for memory."""

    seconds: list[float]  # of the processor
    calls: list[int]
    memory: int  # the most; the unit is the system's


def do(words: list[str]) -> None:
    """Run a command or, if it is one word, a stage."""
    if len(words) == 1:
        stage = importlib.import_module(f"skipintro.stages.{words[0]}")
        stage.main(load_params(stage.Params, words[0]))
        return
    sys.argv = ["skipintro", *words]
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


def main(how: Literal["timed", "counted"], pieces: list[list[str]]) -> Measured:
    seconds, calls = [], []
    n_calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal n_calls
        n_calls += event in {"call", "c_call"}

    for words in pieces:
        began_s, n_calls = processor_s(), 0
        if how == "counted":
            threading.setprofile(count)
            sys.setprofile(count)
        do(words)
        sys.setprofile(None)
        seconds.append(processor_s() - began_s)
        calls.append(n_calls)
    return Measured(seconds, calls, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        for module in (detector, engine):
            patch.setattr(module, "load_encoder", lambda *_, **__: CheapEncoder())
        told = main(sys.argv[1], json.loads(sys.argv[2]))  # type: ignore[arg-type]
    print(json.dumps(asdict(told)))  # noqa: T201

"""Programs for a checkout's PATH: what they start is forked from the process that has loaded all.

DVC is the real one, forked as well, and so are its lock file, its cache and its experiments. Stages
that are killed or told to end need a `python` of their own: `Checkout.run` as it is.
"""

import importlib
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

import forked
from skipintro.core.processes import is_alive

# What DVC imports when it runs, which takes longer than what it does in a toy's checkout.
_OF_DVC = ("cli", "commands.repro", "repo.experiments.queue.celery", "repo.reproduce", "repo.plots")
_LONGEST_S = 600

_PROGRAM = """#!{base} -IS
import json, os, socket, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
if name in ("dvc", "skipintro"):
    words = [name, *words]
elif words[:1] == ["-m"] and words[1].startswith("skipintro.stages."):
    words = ["stage", words[1].rpartition(".")[2]]
else:
    os.execv({python!r}, [{python!r}, *words])
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
job = {{"words": words, "folder": os.getcwd(), "env": dict(os.environ)}}
socket.send_fds(line, [json.dumps(job).encode()], [0, 1, 2])
line.shutdown(socket.SHUT_WR)
sys.exit(int(line.recv(9) or 1))  # nothing comes from a stage that was killed
"""


def forking_programs(folder: Path) -> Path:
    """Return a folder for the PATH of checkouts: its `python` has stages forked, and so on.

    Its `skipintro` and `dvc` have commands forked. None is told of signals.
    """
    address, programs = str(folder / "socket"), folder / "bin"
    programs.mkdir()
    base = sys._base_executable  # type: ignore[attr-defined]  # starts without site-packages
    for name in ("dvc", "python", "skipintro"):
        program = programs / name
        text = _PROGRAM.format(base=base, python=sys.executable, address=address)
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
    start = f"import stage_server; stage_server.start({address!r})"
    [done] = forked.forks().run(forked.Job(["a server"], str(folder), prelude=start))
    assert done == forked.Done(0, "")
    return programs


def start(address: str) -> None:
    """Listen at the address, in a process that ends with the one that has loaded all."""
    loaded = os.getppid()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    if os.fork():
        return
    for name in _OF_DVC:
        importlib.import_module(f"dvc.{name}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leaves no zombies
    listening.settimeout(1)
    while is_alive(loaded):
        try:
            line, _ = listening.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            listening.close()
            _answer(line)
        line.close()
    os._exit(0)


def _answer(line: socket.socket) -> None:
    """Run a stage or a command with the caller's streams, folder and environment.

    The caller gets its exit code.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.alarm(_LONGEST_S)
    line.settimeout(None)
    received, streams, *_ = socket.recv_fds(line, 1 << 20, 3)
    while more := line.recv(1 << 20):
        received += more
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    job, code = json.loads(received), 99
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["env"])
    try:
        sys.modules["__main__"].run_words(job["words"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    line.sendall(str(code).encode())
    os._exit(0)

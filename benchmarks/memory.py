"""Peak memory of processes, as Linux keeps it: looking by the clock would miss most of it."""

import re
import subprocess
import threading
from pathlib import Path

import psutil


def peak_resident(process: int | str) -> int:
    """Return the most memory of a process that was resident at once, in bytes: VmHWM of proc(5).

    Raises OSError where there is no such process.
    """
    status = Path("/proc", str(process), "status").read_text(encoding="utf-8")
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0  # a process that has ended has none


class PeakMemory:
    """The largest sum of the peaks of a process and of all its children that live at once.

    It is the most that they can have held together: the peaks need not fall together, and pages
    that several processes share count for each.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.bytes = 0
        self._process = psutil.Process(process.pid)
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._has_ended.wait(0.1):
            try:
                family = [self._process, *self._process.children(recursive=True)]
                total = sum(peak_resident(member.pid) for member in family)
            except (psutil.Error, OSError):
                continue  # one of them has just ended
            self.bytes = max(self.bytes, total)

    def stop(self) -> int:
        """Look no more, and give the bytes."""
        self._has_ended.set()
        self._thread.join()
        return self.bytes

"""Which processes are still there."""

import psutil


def is_alive(pid: int, begun: float | None = None) -> bool:
    """Return whether a process of this machine runs; a zombie has ended.

    `begun`, as psutil reports it, distinguishes it from a later one with the same number.
    """
    try:
        process = psutil.Process(pid)
        if begun is not None and abs(process.create_time() - begun) >= 1:
            return False
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it is somebody else's
        return True

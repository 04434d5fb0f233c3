"""Damage as disks do it: one bit, and neither the size nor the time of the file tells."""

import os
import random
from pathlib import Path


def flip_bit(path: Path, seed: int, among: range | None = None) -> None:
    """Flip one bit of a file, or `among` some bytes of it; its rights and time stay as they are."""
    rng = random.Random(seed)  # noqa: S311  no secret
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[rng.choice(among or range(len(content)))] ^= 1 << rng.randrange(8)
    path.chmod(before.st_mode | 0o200)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def without_length(path: Path) -> None:
    """Let an MP4 or an AVI state a length of 0, as one does that was not written to its end."""
    content = bytearray(path.read_bytes())
    if path.suffix == ".avi":
        at = content.index(b"strh") + 8 + 32  # dwLength, behind the chunk's head
    else:
        at = content.index(b"mdhd") + 4 + 16  # behind version, two times and the scale
    content[at : at + 4] = bytes(4)
    path.write_bytes(content)

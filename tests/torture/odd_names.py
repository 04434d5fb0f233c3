"""Names that mean to lead elsewhere, and what lies where they may have led."""

import random
from pathlib import Path

from skipintro.core.files import sha256_of_file

PARTS = (
    *("/", "\\", "..", ".", "~", "C:", "C:\\", "//host/", "file:", "%2e%2e%2f", "..%2f", "-rf "),
    *("CON", "nul", "aux.mp4", "LPT1", "$HOME", "`id`", "$(id)", ";", "|", "*", "?", "[x]", "{a}"),
    *("\uff0e\uff0e\uff0f", "\u2024\u2024", "\u2215", "\u29f5", "\0", "\n", "\x1b[2J", "\x7f"),
    *("\u202e", "\u200f", "\u2066", "\ufeff", "\u200b", "\u2028", "\ud800", "\udcff", "\U000e0041"),
    *("x" * 300, "x" * 190, "ы" * 100, "🎬", "e\u0301", "é", "s01e01", "Show", " ", "\u3000", "'"),
    *('"', "<", ">", "&", "#", "%", "+", "=", ",", "\t", "labels.json", "manifest.json", ".git"),
)


def odd_name(rng: random.Random) -> str:
    return "".join(rng.choice(PARTS) for _ in range(rng.choice((1, 1, 2, 3, 5))))


def files_of(folder: Path) -> dict[str, str]:
    """Return everything below a folder, by content; links are not followed."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())
    return {
        str(path): f"-> {path.readlink()}" if path.is_symlink() else sha256_of_file(path)
        for path in found
    }

"""What embedding 10,000 episodes of 45 minutes costs, from what the other benchmarks measured.

    python benchmarks/cost.py

Reads reports/bench/embedding_speed.json of this machine, where it has no GPU: by its decoding, the
rows of a GPU show what the cores beside one can feed it. Core-hours are those at work; days and
hours are those that pass, in which a core may have to wait.
"""

import json
import os
import sys

from tables import FOLDER, print_table

EPISODES, EPISODE_S = 10_000, 2_700
SECONDS = EPISODES * EPISODE_S
VECTOR_BYTES = 512 * 4
VIDEO_BITS_PER_S = 4_000_000  # of 1080p H.264; yours may be half or twice as much
NETWORK_BYTES_PER_S = 125_000_000  # 1 Gbit/s to a machine
CORES = os.cpu_count() or 1


def main() -> None:
    """Work out the table."""
    measured = FOLDER / "embedding_speed.json"
    if not measured.exists():
        sys.exit(f"{measured}: not there; run benchmarks/embedding_speed.py first")
    ways = {row["way"]: row for row in json.loads(measured.read_text(encoding="utf-8"))}
    whole = SECONDS / ways["ours"]["times real time"]  # s on this machine, one video at a time
    both, decoding, encoding = (
        whole * ways[f"ours{part}"]["core-s"] / ways["ours"]["s"]
        for part in ("", ", decoding alone", ", encoding alone")
    )  # s of a core
    moved = SECONDS * VIDEO_BITS_PER_S / 8
    rows: list[dict[str, float | str]] = [
        {"what": "core-hours, decoding", "value": decoding / 3600},
        {"what": "core-hours, encoding by CLIP", "value": encoding / 3600},
        {"what": "core-hours, both at once", "value": both / 3600},
        {"what": f"days on one machine of {CORES} cores", "value": whole / 86_400},
        {"what": f"days on ten machines of {CORES} cores", "value": whole / 864_000},
        {"what": "hours on ten machines of 32 cores", "value": whole * CORES / 320 / 3600},
        {
            "what": "GPU: pictures a second that 32 cores can decode",
            "value": SECONDS / decoding * 32,
        },
        {
            "what": "GPU-hours, where 32 cores beside it decode and it waits for them",
            "value": decoding / 32 / 3600,
        },
        {"what": "TB of video read", "value": moved / 1e12},
        {
            "what": "hours to move it to one machine at 1 Gbit/s",
            "value": moved / NETWORK_BYTES_PER_S / 3600,
        },
        {"what": "GB of vectors stored", "value": SECONDS * VECTOR_BYTES / 1e9},
        {
            "what": "GB of pictures, were they kept at 224 x 224",
            "value": SECONDS * 224 * 224 * 3 / 1e9,
        },
    ]
    print_table("cost", rows)


if __name__ == "__main__":
    main()

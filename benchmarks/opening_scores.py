"""Scores the opening detector on a library of known openings, by tag; and what it goes by.

`LIBRARY/truth.json` holds by id `start_s`, `end_s` (null: no opening), `others` (more openings),
`duration_s` and `trait` (a tag); the videos lie anywhere below. An episode's series is its id up
to the first `_`. Fingerprints are kept in `LIBRARY/fingerprints`, so that a second run is quick.

    python benchmarks/opening_scores.py LIBRARY... [--available 3] [--without sound] [--rules]
        [--model FOLDER] [--wrong]

`--available N` shows the detector N episodes of each series at a time, `--without KIND` withholds a
kind of evidence, `--rules` scores the two published rules of sound instead, by the
numbers in params.yaml.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skipintro.core.files import read_checked, write_checked
from skipintro.core.isolation import thread_map
from skipintro.core.params import read_params_file
from skipintro.detection.episode import Episode, Interval
from skipintro.detectors import SHIPPED
from skipintro.detectors.openings import OpeningDetector, load_openings
from skipintro.evaluation.audio_rules import AudioRules, predict_by_rule
from skipintro.evidence.chroma import ChromaSettings
from skipintro.evidence.recording import of_bytes, record, to_bytes
from skipintro.evidence.settings import FingerprintSettings
from skipintro.evidence.track import Evidence

Found = dict[str, tuple[Interval, ...]]
COLUMNS = ("openings", "reports", "1s", "3s", "useful", "story", "hours", "alarms", "half")


def main() -> None:
    """Print one table a library, and one of them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", nargs="+", type=Path)
    parser.add_argument("--available", type=int, default=0, help="episodes; else whole series")
    parser.add_argument("--without", choices=["pictures", "sound"], action="append", default=[])
    parser.add_argument("--rules", action="store_true")
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--wrong", action="store_true", help="list what is not right within 1 s")
    arguments = parser.parse_args()
    detector = load_openings(arguments.model)
    together: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(COLUMNS, 0.0))
    for library in arguments.libraries:
        truth = json.loads((library / "truth.json").read_text(encoding="utf-8"))
        if arguments.rules:
            tables = by_rules(library, truth, detector)
        else:
            folder = library / "fingerprints"
            evidence = recorded(library, truth, detector.config.fingerprint, folder)
            kept = {
                key: Evidence(
                    {kind: t for kind, t in one.tracks.items() if kind not in arguments.without},
                    one.length_s,
                )
                for key, one in evidence.items()
            }
            tables = {"": by_detector(detector, kept, arguments.available)}
        for name, found in tables.items():
            scored = score(truth, found, wrong=arguments.wrong)
            print_table(f"{library.name} {name}".strip(), scored)
            for tag, row in scored.items():
                for column, value in row.items():
                    together[f"{name} {tag}".strip()][column] += value
    if len(arguments.libraries) > 1:
        print_table("all libraries", together)


def recorded(
    library: Path, truth: dict[str, Any], settings: FingerprintSettings, folder: Path
) -> dict[str, Evidence]:
    """Return the evidence of all episodes; what was recorded before is read from the folder."""
    paths = videos(library, truth)
    folder.mkdir(exist_ok=True)

    def one(key: str) -> Evidence:
        file = folder / f"{key}.npz"
        content = read_checked(file)
        if content is None:
            content = to_bytes(record(paths[key], settings))
            write_checked(file, content)
        return of_bytes(content, file)

    with thread_map(2) as mapped:
        return dict(zip(truth, mapped(one, truth), strict=True))


def videos(library: Path, truth: dict[str, Any]) -> dict[str, Path]:
    """Return the video of each episode."""
    found = {path.stem: path for path in sorted(library.rglob("*.mp4"))}
    return {key: found[key] for key in truth}


def parts_of(keys: list[str], available: int) -> Iterator[list[str]]:
    """Yield the episodes of each series, or parts of so many; a rest is filled up with others."""
    series = defaultdict(list)
    for key in keys:
        series[key.split("_")[0]].append(key)
    for its_own in series.values():
        if not available or len(its_own) <= available:
            yield its_own
            continue
        for first in range(0, len(its_own), available):
            begin = min(first, len(its_own) - available)
            yield its_own[begin : begin + available]


def by_detector(detector: OpeningDetector, evidence: dict[str, Evidence], available: int) -> Found:
    """Return the intervals that a detector predicts; of an episode seen twice, the later ones."""
    found: Found = {}
    for keys in parts_of(list(evidence), available):
        predictions = detector.detect([evidence[key] for key in keys])
        found |= {key: one.intervals for key, one in zip(keys, predictions, strict=True)}
    return found


def by_rules(library: Path, truth: dict[str, Any], detector: OpeningDetector) -> dict[str, Found]:
    """Return the intervals of each published rule of sound."""
    params = read_params_file()
    chroma = ChromaSettings.model_validate(params["fingerprint"]["chroma"])
    rules = AudioRules.model_validate(params["evaluate"]["baselines"]["audio_rules"]).by_name()
    settings = detector.config.fingerprint.model_copy(update={"chroma": chroma})
    evidence = recorded(library, truth, settings, library / "fingerprints_with_chroma")
    episodes = [Episode(key, key.split("_")[0], fingerprints=one) for key, one in evidence.items()]
    return {
        name: {
            key: () if one is None else (one,)
            for key, one in zip(evidence, predict_by_rule(episodes, (), rule), strict=True)
        }
        for name, rule in rules.items()
    }


def score(truth: dict[str, Any], found: Found, *, wrong: bool) -> dict[str, dict[str, float]]:
    """Return the counts by tag, and of all."""
    rows: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(COLUMNS, 0.0))
    for key, fact in truth.items():
        openings = [] if fact["start_s"] is None else [(fact["start_s"], fact["end_s"])]
        openings += [tuple(other) for other in fact["others"]]
        counts = dict.fromkeys(COLUMNS, 0.0) | {
            "openings": len(openings),
            "reports": len(found[key]),
            "hours": fact["duration_s"] / 3600,
        }
        for start_s, end_s in found[key]:
            off = [(abs(start_s - o[0]), abs(end_s - o[1])) for o in openings]
            inside = sum(max(0.0, min(end_s, o[1]) - max(start_s, o[0])) for o in openings)
            counts["1s"] += any(max(ends) <= 1 for ends in off)
            counts["3s"] += any(max(ends) <= 3 for ends in off)
            counts["useful"] += any(start <= 15 and end <= 5 for start, end in off)
            counts["story"] += end_s - start_s - inside
            counts["alarms"] += not openings
            counts["half"] += end_s - start_s > fact["duration_s"] / 2
        if wrong and counts["1s"] < max(len(openings), len(found[key])):
            print(f"    {key} {fact['trait']}: {openings}, predicted {found[key]}")
        for tag in (fact["trait"], "all"):
            for column, value in counts.items():
                rows[tag][column] += value
    return rows


def print_table(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title}\n")
    print(
        "| tag | openings | reports | F1 within 1 s | within 3 s | useful | story, s an hour "
        "| reports without one | over half |"
    )
    print("| --- |" + " ---: |" * 8)
    for tag, row in sorted(rows.items(), key=lambda each: each[0].endswith("all")):
        both = row["openings"] + row["reports"]
        shares = [f"{2 * row[c] / both:.2f}" if both else "-" for c in ("1s", "3s", "useful")]
        print(
            f"| {tag} | {row['openings']:.0f} | {row['reports']:.0f} | {' | '.join(shares)} "
            f"| {row['story'] / row['hours']:.1f} | {row['alarms']:.0f} | {row['half']:.0f} |"
        )


if __name__ == "__main__":
    main()

"""What can be said of label files alone, before any video is read."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from skipintro.episodes.annotations import (
    Annotation,
    CorrectionRule,
    Status,
    annotate,
    format_singletons,
    unify_series,
    without_siblings,
)
from skipintro.episodes.labels import read_labels
from skipintro.model.windows import balanced_frames, window_starts
from skipintro.review.outliers import SuspicionRule, Suspicious, suspicious

_ENDLESS_S = 10**9  # episodes count as long enough for the film frames that follow the intro


class SplitReport(BaseModel):
    """Counts of one label file."""

    episodes: int
    inverted: int  # start is after end
    corrected: int  # of those, repaired by the rule
    unusable: int
    sequence_frames: int  # of the balanced sequence
    windows: int


class LabelReport(BaseModel):
    """Counts of both files, and what to look at."""

    splits: dict[str, SplitReport]
    leaked: int  # ids in both files
    leaked_ids: list[str]
    unusable: dict[str, str]  # `<split>/<id>`: why
    without_siblings: list[str]  # ids
    suspicious: list[Suspicious]  # the most suspicious first

    def as_text(self) -> str:
        """Return the report for a person."""
        names = list(SplitReport.model_fields)
        lines = [f"{'':8}" + "".join(f"{name.replace('_', ' '):>17}" for name in names)]
        for split, counts in self.splits.items():
            lines.append(f"{split:8}" + "".join(f"{n:>17}" for n in counts.model_dump().values()))
        lines += [
            f"{split}: too few seconds of intro for one window, without which `dvc repro` ends at "
            "`window`; add labelled episodes"
            for split, counts in self.splits.items()
            if not counts.windows
        ]
        lines += [f"unusable: {id_}: {why}" for id_, why in self.unusable.items()]
        lines += [
            f"suspicious: {label.split}/{label.id}: {label.reason}" for label in self.suspicious
        ]
        if self.suspicious:
            lines.append(f"Look at the first: {frames_command(self.suspicious[0])}")
        if self.without_siblings:
            lines.append(format_singletons(self.without_siblings))
        if self.leaked_ids:
            lines.append(f"{self.leaked} episodes stand in both: {', '.join(self.leaked_ids)}")
        lines.append("Labels alone: neither overrides nor videos are looked at.")
        return "\n".join(lines)


def report(
    files: Mapping[str, Path],
    rule: CorrectionRule,
    suspicion: SuspicionRule,
    *,
    length: int,
    stride: int,
) -> LabelReport:
    """Read the label file of every split. Raises InputError as `read_labels` does."""
    labels = {split: read_labels(path) for split, path in files.items()}
    splits: dict[str, SplitReport] = {}
    unusable: dict[str, str] = {}
    everything: list[Annotation] = []
    for split, episodes in labels.items():
        annotations = [annotate(split, id_, label, rule) for id_, label in episodes.items()]
        everything += annotations
        unusable |= {f"{split}/{a.id}": a.reason for a in annotations if not a.usable}
        frames = sum(
            len(balanced_frames(a.intro_frames(_ENDLESS_S), _ENDLESS_S)) for a in annotations
        )
        splits[split] = SplitReport(
            episodes=len(annotations),
            inverted=sum(
                label.start_s is not None
                and label.end_s is not None
                and label.start_s > label.end_s
                for label in episodes.values()
            ),
            corrected=sum(a.status is Status.SHIFTED for a in annotations),
            unusable=sum(not a.usable for a in annotations),
            sequence_frames=frames,
            windows=len(window_starts(frames, length, stride)),
        )
    everything = unify_series(everything)
    first, *others = labels.values()
    leaked = [id_ for id_ in first if any(id_ in other for other in others)]
    return LabelReport(
        splits=splits,
        leaked=len(leaked),
        leaked_ids=leaked,
        unusable=unusable,
        without_siblings=without_siblings(everything),
        suspicious=suspicious(everything, suspicion),
    )


def frames_command(label: Suspicious) -> str:
    """Return the command that shows both ends; labels know no videos, so that one is left open."""
    seconds = f"--at {int(label.start_s)} --at {int(label.end_s)}"
    return f"skipintro frames {shlex.quote(f'<video of {label.id}>')} {seconds} --out frames.png"

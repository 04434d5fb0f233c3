"""Pictures for the reports: PNG files that open without a network; the only importer of matplotlib.

Only colours and shapes that read in print and for the colour-blind (the Okabe-Ito palette).
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from skipintro.detection.episode import Interval, all_of
from skipintro.evaluation.metrics import EpisodeResult
from skipintro.matching.shared import SharedEvidence

TRUTH, PREDICTED, CURVE = "#009E73", "#D55E00", "#0072B2"


def loss_curves(path: Path, history: Mapping[str, Sequence[float]]) -> None:
    """Draw loss and F1 of train and test against the epoch, from the columns of history.csv."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, name in ((left, "loss"), (right, "f1")):
        for split, colour in (("train", CURVE), ("test", PREDICTED)):
            values = history[f"{split}_{name}"]
            axes.plot(history["epoch"], values, color=colour, label=split, marker=".")
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def confusion(path: Path, labels: NDArray[np.uint8], predicted: NDArray[np.bool_]) -> None:
    """Draw the confusion matrix of frames."""
    truth = labels.ravel() > 0
    counts = np.bincount(2 * truth + predicted.ravel(), minlength=4).reshape(2, 2)
    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() / 2
        axes.text(column, row, f"{count}", ha="center", va="center", color="w" if dark else "k")
    names = ["film", "intro"]
    axes.set(
        xticks=[0, 1],
        yticks=[0, 1],
        xticklabels=names,
        yticklabels=names,
        xlabel="predicted",
        ylabel="truth",
        title="frames of the test windows",
    )
    _save(figure, path)


def precision_recall(
    path: Path, labels: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> None:
    """Draw precision against recall over all thresholds."""
    # Takes a second to load, which the other pictures are spared.
    from sklearn.metrics import average_precision_score, precision_recall_curve  # noqa: PLC0415

    figure = Figure(figsize=(4.8, 3.8), layout="constrained")
    axes = figure.subplots()
    truth, scores = labels.ravel() > 0, probabilities.ravel()
    if truth.any():
        precision, recall, _ = precision_recall_curve(truth, scores)
        area = average_precision_score(truth, scores)
        axes.plot(recall, precision, color=CURVE, label=f"average precision {area:.3f}")
        axes.legend(loc="lower left")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.set_title("frames of the test windows")
    axes.grid(alpha=0.3)
    _save(figure, path)


def timeline(path: Path, episode: EpisodeResult, threshold: float | None) -> None:
    """Draw one episode: the probability of each second, the true and the predicted intervals."""
    figure = Figure(figsize=(10, 2.4), layout="constrained")
    axes = figure.subplots()
    seconds = np.arange(episode.n_seconds)
    axes.step(seconds, episode.probabilities, where="post", color=CURVE, label="probability")
    if threshold is not None:
        axes.axhline(threshold, color="0.5", linewidth=0.8, linestyle=":")
    for first, further, colour, name, y in (
        (episode.truth, episode.further_truth, TRUTH, "truth", 1.08),
        (episode.predicted, episode.further_predicted, PREDICTED, "predicted", 1.2),
    ):
        for number, interval in enumerate(all_of(first, further)):
            label = None if number else name
            axes.plot(
                interval, (y, y), color=colour, linewidth=6, solid_capstyle="butt", label=label
            )
    verdict = "no intro" if episode.iou is None else f"IoU {episode.iou:.2f}"
    leaked = ", stands in train as well" if episode.leaked else ""
    axes.set_title(f"{episode.series} · {episode.id} · {verdict}{leaked}", fontsize=10, loc="left")
    axes.set(xlim=(0, episode.n_seconds), ylim=(0, 1.3), xlabel="second", yticks=[0, 0.5, 1])
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    _save(figure, path)


def contact_sheet(
    path: Path, rows: Sequence[Sequence[tuple[str, NDArray[np.uint8]] | None]]
) -> None:
    """Draw rows of captions and RGB pictures (height, width, 3), as many in each; None: no picture.

    A caption is on its picture, in the upper left corner.
    """
    n_columns = len(rows[0])
    figure = Figure(figsize=(2.1 * n_columns, 2.1 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), n_columns, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        axes.axis("off")
        if (cell := rows[row][column]) is not None:
            caption, picture = cell
            axes.imshow(picture)
            axes.text(
                0.03,
                0.97,
                caption,
                transform=axes.transAxes,
                va="top",
                fontsize=9,
                color="k",
                bbox={"facecolor": "w", "edgecolor": "none", "pad": 2},
            )
    _save(figure, path)


def finding(
    path: Path,
    title: str,
    strips: Sequence[Sequence[tuple[float, NDArray[np.uint8] | None]]],
    curve: Sequence[float],
    *,
    intervals: Sequence[Interval],
    shared: SharedEvidence | None = None,
) -> None:
    """Draw strips of pictures with their seconds, and curves over time below them.

    The curves are the probability by second and, of each kind of evidence, the share of other
    episodes that have a moment as well; where a kind says nothing (a blank picture, silence) the
    line is broken. The pictures within an interval are framed in its colour.
    """
    kinds = {} if shared is None else shared.kinds
    n_rows = len(strips) + 1 + len(kinds)
    figure = Figure(figsize=(10, 1.5 * len(strips) + 2 + 0.9 * len(kinds)), layout="constrained")
    heights = [1.5] * len(strips) + [2.0] + [0.9] * len(kinds)
    grid = figure.add_gridspec(n_rows, len(strips[0]), height_ratios=heights)
    for (row, column), _ in np.ndenumerate(np.empty((len(strips), len(strips[0])))):
        second, picture = strips[row][column]
        axes = figure.add_subplot(grid[row, column])
        axes.set(xticks=[], yticks=[])
        inside = any(start_s <= second < end_s for start_s, end_s in intervals)
        for side in axes.spines.values():
            side.set(color=PREDICTED if inside else "0.8", linewidth=3 if inside else 1)
        if picture is not None:
            axes.imshow(picture)
            axes.set_title(f"{second:g} s", fontsize=9)
    length_s = max(1, len(curve))
    rate = 1 if shared is None else shared.rate
    rows = [("probability", 1, np.asarray(curve, np.float32))]
    rows += [(f"{kind}\nshared", rate, share) for kind, share in kinds.items()]
    for row, (name, per_second, values) in enumerate(rows):
        seconds = np.arange(len(values)) / per_second
        axes = figure.add_subplot(grid[len(strips) + row, :])
        axes.step(seconds, values, where="post", color=CURVE)
        if row:
            axes.fill_between(seconds, np.nan_to_num(values), step="post", color=CURVE, alpha=0.2)
        for interval in intervals:
            axes.axvspan(*interval, color=PREDICTED, alpha=0.25)
        axes.set(xlim=(0, length_s), ylim=(0, 1.05), ylabel=name)
        if row < len(rows) - 1:
            axes.set_xticklabels([])
    axes.set_xlabel("second")
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with warnings.catch_warnings(), mpl.rc_context({"text.parse_math": False}):
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # emoji in names
        figure.savefig(path, dpi=110, metadata={"Software": None})

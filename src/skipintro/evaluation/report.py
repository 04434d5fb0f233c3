"""The report of an evaluation: one page of HTML that opens anywhere, without a network.

Everything that comes from data (ids, names of series, facts) is escaped, and the page's own policy
forbids loads and any script but its own. Page, looks and behaviour stand beside this module in
report.html.j2, report.css and report.js.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from importlib import resources
from itertools import groupby

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from skipintro.detection.episode import Interval, all_of
from skipintro.evaluation.calibration import ReliabilityBin, RiskCoverage
from skipintro.evaluation.charts import Chart, Dot, Line, chart
from skipintro.evaluation.comparison import Comparison, ComparisonRow
from skipintro.evaluation.gate import Candidate
from skipintro.evaluation.results import (
    Outcome,
    boundary_errors,
    n_found,
    overlap_s,
    skipped_story_s,
    temporal_iou,
)
from skipintro.evaluation.slices import slices
from skipintro.matching.shared import SharedEvidence

HEADLINE_SLICE = "all_without_leaked"  # the part of the numbers at the top
TOLERANCE_S = 3.0  # at which an interval counts as found, as in those numbers
AROUND_S = 30  # that a timeline shows on both sides of the intro when it is zoomed
DASH = "–"  # an unknown value
MINUS = "−"

_PAGE = "report.html.j2"
_DOT, _DOT_OF_ALL = 2.5, 4.5  # radius of a point with no seconds, and what all of them add to it

Bounds = tuple[float, float]  # (low, high)

_PART_LABELS: Mapping[str, str] = {
    "all": "all test episodes",
    "all_without_leaked": "all, without leaked episodes",
    "seen": "series in train, without leaked episodes",
    "unseen": "series not in train, without leaked episodes",
    "intro_under_5s": "intro under 5 s",
    "intro_5_to_15s": "intro of 5 to 15 s",
    "intro_over_15s": "intro over 15 s",
    "cold_open": "cold open",
    "no_cold_open": "intro at the very start",
    "series_seen": "series in train",
    "series_unseen": "unseen series",
    "leaked": "leaked: stands in train as well",
    "not_leaked": "not leaked",
    "label_as_given": "label as given",
    "label_corrected": "corrected label",
}
# Of the parts that an episode belongs to, those that explain a failure are shown in its row.
_BADGES: Mapping[str, str] = {
    "series_unseen": "unseen series",
    "leaked": "leaked",
    "label_corrected": "corrected label",
    "cold_open": "cold open",
    "intro_under_5s": "under 5 s",
}


class Verdict(StrEnum):
    """What became of an episode, in the words of its row."""

    FOUND = "found"
    NO_INTRO = "rightly none found"
    OFF = "more than 3 s off"
    MISSED = "missed"
    FALSE_ALARM = "false alarm"

    @property
    def is_failure(self) -> bool:
        """Whether a player that follows the detector goes wrong here."""
        return self not in {Verdict.FOUND, Verdict.NO_INTRO}


class HeadlineFigures(BaseModel):
    """The three numbers that matter of one detector, on HEADLINE_SLICE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    f1_within_3s: float | None  # of intervals
    f1_bounds: Bounds | None = None
    story_s_per_hour: float | None
    story_bounds: Bounds | None = None
    false_alarms: int
    without_intro: int  # episodes that can give a false alarm


class EndPicture(BaseModel):
    """The picture on screen at one end of the true or of the predicted interval."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )

    name: str
    second: float
    jpeg: bytes | None  # None: beyond the end of the video, or not to be decoded

    @property
    def uri(self) -> str | None:
        """The picture as a data URI."""
        if self.jpeg is None:
            return None
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


class EpisodeRow(BaseModel):
    """One test episode: truth, prediction, and how far apart they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    series: str
    n_seconds: int
    truth: Interval | None  # None: no intro; of several the first
    further: tuple[Interval, ...] = Field(default=(), exclude_if=lambda found: not found)
    predicted: tuple[Interval, ...]
    confidence: float | None
    iou: float | None  # None where there is no intro
    start_error_s: float | None  # predicted minus true, of the first; None where one is missing
    end_error_s: float | None
    verdict: Verdict
    wrong_s: float  # story that is skipped, plus intro that is not
    parts: tuple[str, ...]  # names of the slices that it belongs to
    curve: str  # SVG path of the probability in whole percent, see `probability_path`
    shared: dict[str, str] = {}  # the same of the share of siblings that have a second, by kind
    pictures: tuple[EndPicture, ...] = ()

    @property
    def truths(self) -> tuple[Interval, ...]:
        """All true intervals; () where there is no intro."""
        return all_of(self.truth, self.further)

    @property
    def badges(self) -> list[str]:
        """What about the episode may explain a failure."""
        return [text for name, text in _BADGES.items() if name in self.parts]

    @property
    def zoomed(self) -> tuple[int, int]:
        """The seconds that a timeline shows around the intro; all of them where there is none."""
        ends = [end for one in (*self.truths, *self.predicted) for end in one]
        if not ends:
            return 0, self.n_seconds
        return (
            max(0, int(min(ends)) - AROUND_S),
            max(1, min(self.n_seconds, int(max(ends)) + AROUND_S)),
        )


class Report(BaseModel):
    """All that the page shows; as JSON, it comes back the same.

    Raises ValidationError where `detector` does not stand in the comparison, and for training
    curves without a column `epoch` or of several lengths.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    detector: str  # ours: its name in the comparison
    comparison: Comparison
    detectors: dict[str, str] = {}  # a few words on each detector, by its name
    champion: HeadlineFigures | None = None
    about_champion: str = ""  # a sentence: why it has no figures here, or that ours are its own
    episodes: tuple[EpisodeRow, ...]
    training: dict[str, tuple[float, ...]]  # columns of history.csv: epoch, train_loss, …
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: RiskCoverage
    notes: tuple[str, ...] = ()  # what a reader must know first, in whole sentences
    facts: dict[str, str]  # what the figures stand on: data, labels, encoder, commit, versions

    @property
    def headline(self) -> ComparisonRow:
        """Our detector on HEADLINE_SLICE."""
        return _row_of(self.comparison, self.detector, HEADLINE_SLICE)

    @model_validator(mode="after")
    def _fits_together(self) -> "Report":
        for slice_name in ("all", HEADLINE_SLICE):
            _row_of(self.comparison, self.detector, slice_name)
        lengths = {name: len(values) for name, values in self.training.items()}
        if lengths and ("epoch" not in lengths or len(set(lengths.values())) > 1):
            raise ValueError(f"training: got columns {lengths}, expected one `epoch` for all")
        return self


def headline_figures(row: ComparisonRow, name: str) -> HeadlineFigures:
    """Take the numbers that matter from a row of a comparison, for a champion for example."""
    return HeadlineFigures(
        name=name,
        f1_within_3s=row.figures.within_3s.f1,
        f1_bounds=row.bounds.get("within_3s/f1"),
        story_s_per_hour=row.figures.story_s_per_hour,
        story_bounds=row.bounds.get("story_s_per_hour"),
        false_alarms=row.figures.false_alarms,
        without_intro=row.figures.without_intro,
    )


def beside(
    report: Report, champion: Candidate, *, model_sha256: str, test_data_sha256: str
) -> Report:
    """Return the report of a model with the champion's figures, or why there are none."""
    title, figures, about = f"champion, version {champion.version}", None, ""
    false_alarms = champion.metrics.get("detector/test/false_alarms")
    if champion.model_sha256 == model_sha256:
        about = f"These are the figures of today's {title}."
    elif false_alarms is None:
        about = f"Today's {title}, has no figures to stand beside these."
    elif champion.data_sha256["test"] != test_data_sha256:
        about = (
            f"Today's {title}, was measured on other test data: its figures cannot stand beside "
            "these."
        )
    else:
        figures = HeadlineFigures(
            name=title,
            f1_within_3s=champion.metrics.get("detector/test/f1_within_3s"),
            story_s_per_hour=champion.metrics.get("detector/test/story_s_per_hour"),
            false_alarms=round(false_alarms),
            without_intro=report.headline.figures.without_intro,  # of the same test data
        )
    return report.model_copy(update={"champion": figures, "about_champion": about})


def picture_seconds(outcome: Outcome) -> list[float]:
    """Return the times whose pictures `episode_row` takes: both starts, then both ends."""
    return [second for _, second in _ends(outcome)]


def episode_row(
    outcome: Outcome,
    jpegs: Sequence[bytes | None] = (),
    shared: SharedEvidence | None = None,
) -> EpisodeRow:
    """Return an episode's row; `jpegs` are the pictures at its `picture_seconds`, or none at all.

    `shared` is what its siblings have of it, where the detector uses them. Raises ValueError where
    there are more or fewer pictures than seconds.
    """
    ends = _ends(outcome) if jpegs else []
    errors = boundary_errors(outcome)
    return EpisodeRow(
        id=outcome.id,
        series=outcome.series,
        n_seconds=outcome.n_seconds,
        truth=outcome.truth,
        further=outcome.further,
        predicted=tuple(sorted(outcome.predicted)),
        confidence=outcome.confidence,
        iou=None if outcome.truth is None else temporal_iou(outcome),
        start_error_s=None if errors is None else errors[0],
        end_error_s=None if errors is None else errors[1],
        verdict=_verdict(outcome),
        wrong_s=skipped_story_s(outcome) + _missed_s(outcome),
        parts=tuple(name for name, rows in slices([outcome]).items() if rows),
        curve=probability_path(outcome.probabilities),
        shared={}
        if shared is None
        else {
            kind: probability_path(curve[: outcome.n_seconds])
            for kind, curve in shared.by_second().items()
        },
        pictures=tuple(
            EndPicture(name=name, second=second, jpeg=jpeg)
            for (name, second), jpeg in zip(ends, jpegs, strict=True)
        ),
    )


def probability_path(probabilities: NDArray[np.float32]) -> str:
    """Return (T,) probabilities as an SVG path: x in seconds, y in whole percent, downwards.

    A step a second; equal seconds are one run, so that the path is small, and still shows every
    second to whoever reads it back. Empty where there is not one.
    """
    percent = np.rint(probabilities * 100).astype(int).tolist()
    path, before = "M0,100", 0
    for value, run in groupby(percent):
        path += f"v{before - value}h{sum(1 for _ in run)}"
        before = value
    return f"{path}V100" if percent else ""


def render(report: Report) -> str:
    """Return the page as HTML, all in one, to be written as UTF-8."""
    page = Environment(
        loader=PackageLoader("skipintro.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {
        "clock": _clock,
        "interval": _interval,
        "number": _number,
        "signed": _signed,
        "share": _share,
        "part": lambda name: _PART_LABELS.get(name, name.replace("_", " ")),
    }
    script, style = _text("report.js"), _text("report.css")
    comparison = report.comparison
    html = page.get_template(_PAGE).render(
        report=report,
        ours=headline_figures(report.headline, report.detector),
        n_leaked=(
            _row_of(comparison, report.detector, "all").figures.episodes
            - report.headline.figures.episodes
        ),
        tables=_tables(comparison),
        episodes=sorted(report.episodes, key=_worst_first),
        series=sorted({row.series for row in report.episodes}),
        parts=[
            name for name in slices([]) if any(name in episode.parts for episode in report.episodes)
        ],
        charts=[_reliability(report.reliability), _risk_coverage(report.risk_coverage)],
        training=_training(report.training),
        script=script,
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        style=style,
        headline_slice=HEADLINE_SLICE,
        dash=DASH,
    )
    return html.encode("utf-8", "replace").decode("utf-8")  # halves of surrogate pairs from JSON


def _row_of(comparison: Comparison, detector: str, slice_name: str) -> ComparisonRow:
    for row in comparison.rows:
        if (row.detector, row.slice_name) == (detector, slice_name):
            return row
    known = ", ".join(dict.fromkeys(f"{row.detector}/{row.slice_name}" for row in comparison.rows))
    raise ValueError(f"got {detector}/{slice_name}, expected one of: {known or 'none at all'}")


def _ends(outcome: Outcome) -> list[tuple[str, float]]:
    intervals: dict[str, Interval] = {}
    if outcome.truth is not None:
        intervals["true"] = outcome.truth
    if outcome.predicted:
        intervals["predicted"] = min(outcome.predicted)
    return [
        (f"{name} {end}", interval[index])
        for index, end in enumerate(("start", "end"))
        for name, interval in intervals.items()
    ]


def _verdict(outcome: Outcome) -> Verdict:
    n_truths = len(outcome.truths)
    if not n_truths:
        return Verdict.FALSE_ALARM if outcome.predicted else Verdict.NO_INTRO
    if not outcome.predicted:
        return Verdict.MISSED
    right = len(outcome.predicted) == n_truths == n_found(outcome, TOLERANCE_S)
    return Verdict.FOUND if right else Verdict.OFF


def _missed_s(outcome: Outcome) -> float:
    missed_s = 0.0
    for truth in outcome.truths:
        missed_s += truth[1] - truth[0] - sum(overlap_s(truth, one) for one in outcome.predicted)
    return missed_s


def _worst_first(row: EpisodeRow) -> tuple[bool, float, str]:
    return not row.verdict.is_failure, -row.wrong_s, row.id


def _tables(comparison: Comparison) -> dict[str, list[ComparisonRow]]:
    """Return the rows of each part that has an episode, the headline's first."""
    tables: dict[str, list[ComparisonRow]] = {HEADLINE_SLICE: []}
    for row in comparison.rows:
        if row.figures.episodes or row.slice_name == HEADLINE_SLICE:
            tables.setdefault(row.slice_name, []).append(row)
    return tables


def _reliability(bins: Iterable[ReliabilityBin]) -> Chart:
    filled = [
        (one.mean_probability, one.observed_share, one.n_seconds)
        for one in bins
        if one.mean_probability is not None and one.observed_share is not None
    ]
    n_seconds = sum(n for _, _, n in filled)
    return chart(
        "Reliability of the probability",
        "mean probability of the seconds",
        "share that is intro",
        lines=[Line("seconds", [(mean, share) for mean, share, _ in filled])] if filled else [],
        dots=[
            Dot(
                mean,
                share,
                round(_DOT + _DOT_OF_ALL * (n / n_seconds) ** 0.5, 1),  # an area by its seconds
                f"{n} seconds: mean probability {mean:.2f}, {share:.2f} of them intro",
            )
            for mean, share, n in filled
        ],
        x_range=(0, 1),
        y_range=(0, 1),
        diagonal=True,
    )


def _risk_coverage(curve: RiskCoverage) -> Chart:
    return chart(
        "Risk against coverage",
        "coverage: predictions that are kept",
        "share that is wrong",
        lines=(
            [Line("predictions", [(point.coverage, point.risk) for point in curve.points])]
            if curve.points
            else []
        ),
        dots=[
            Dot(
                point.coverage,
                point.risk,
                _DOT,
                f"confidence from {point.threshold:.2f} on: "
                f"{point.coverage:.2f} kept, {point.risk:.2f} of them wrong",
            )
            for point in curve.points
        ],
        x_range=(0, 1),
        y_range=(0, 1),
    )


def _training(columns: Mapping[str, Sequence[float]]) -> list[Chart]:
    """Return loss and F1 by epoch, of every split that has the column."""
    charts = []
    for metric, title, y_range in (("loss", "Loss", None), ("f1", "F1 of frames", (0.0, 1.0))):
        lines = [
            Line(name.removesuffix(f"_{metric}"), list(zip(columns["epoch"], values, strict=True)))
            for name, values in columns.items()
            if name.endswith(f"_{metric}")
        ]
        charts.append(chart(f"{title} by epoch", "epoch", metric, lines=lines, y_range=y_range))
    return charts


def _text(name: str) -> str:
    return (resources.files("skipintro.evaluation") / name).read_text(encoding="utf-8")


def _clock(second: float) -> str:
    """Return 0:05, 1:02.5 or 1:00:00."""
    tenths = round(second * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10:02}" + (f".{rest % 10}" if rest % 10 else "")
    return f"{hours}:{minutes:02}:{seconds}" if hours else f"{minutes}:{seconds}"


def _interval(interval: Interval) -> str:
    return f"{_clock(interval[0])} to {_clock(interval[1])}"


def _number(value: float | None, digits: int = 3) -> str:
    return DASH if value is None else f"{value:.{digits}f}"


def _signed(value: float | None, unit: str = " s") -> str:
    if value is None:
        return DASH
    size = f"{abs(value):.1f}"
    sign = "" if float(size) == 0 else MINUS if value < 0 else "+"
    return f"{sign}{size}{unit}"


def _share(count: int, of: int) -> str:
    return f"{count} of {of}" if of else DASH

"""The gate between a challenger and the champion: pure, on figures that were logged."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import Field

from skipintro.core.errors import InputError
from skipintro.core.params import StageParams

FaultOf = Callable[[str], str]  # why a version cannot be used, nothing where it can

# True of both models: a detector is none of epochs.
_MAKES_VERSIONS = (
    "`dvc repro` and `dvc exp run` register one where they make another model: a classifier by "
    "`-S epochs=40`, a detector by other labels or params of `fit`"
)

log = logging.getLogger(__name__)


class VetoParams(StageParams):
    """What test may forbid, and never chooses."""

    metric: str = Field(min_length=1)
    tolerance: float = Field(ge=0)  # by which it may be worse than the champion's
    story_metric: str = Field(min_length=1)  # seconds of story skipped an hour
    hours_metric: str = Field(min_length=1)  # of test
    max_story_s_per_hour: float = Field(ge=0)  # or the champion's on this data, if that is more
    forgiven_story_s: float = Field(ge=0)  # of test as a whole: of few hours one opening is a lot

    def most_story_s_per_hour(self, hours: float) -> float:
        """Return the limit for so many hours of test; the forgiven seconds matter where few."""
        return self.max_story_s_per_hour + (self.forgiven_story_s / hours if hours > 0 else 0.0)


class GateParams(StageParams):
    """The gate of one of the two models."""

    metric: str = Field(min_length=1)
    min_score: float  # of any champion, the first one too
    min_improvement: float = Field(ge=0)
    veto: VetoParams | None

    @property
    def chooses_on(self) -> str:
        """The split that the metric that chooses is measured on."""
        return (
            "test" if any(part.startswith("test") for part in self.metric.split("/")) else "train"
        )

    def figures(self) -> list[str]:
        """Return the names of the metrics that decide, the one that chooses first."""
        veto = self.veto
        return [self.metric, *((veto.metric, veto.story_metric) if veto else ())]


class PromoteParams(StageParams):
    """Section `promote` of params.yaml."""

    detector: GateParams
    classifier: GateParams


@dataclass(frozen=True)
class Candidate:
    """One registered version with what the gate looks at."""

    version: str
    run_id: str
    model_sha256: str  # of all its files
    metrics: dict[str, float]  # of its last run; empty: it was never measured
    data_sha256: dict[str, str]  # of the splits train and test
    trained: bool  # its encoder, or it has none
    reigns: tuple[tuple[str, str], ...] = ()  # when it became champion, and why

    def judged_on(self, gate: GateParams) -> set[tuple[str, str]]:
        """Return the splits that the gate's figures are from, with their hashes."""
        return {(split, self.data_sha256[split]) for split in {gate.chooses_on, "test"}}


@dataclass(frozen=True)
class Verdict:
    """The outcome of the gate; `refusals` is empty where the challenger may be promoted."""

    challenger: Candidate
    champion: Candidate | None
    refusals: tuple[str, ...]

    def reason(self, gate: GateParams, *, new_test_data: bool) -> str:
        """Return why the challenger is promoted."""
        figure = f"{gate.metric} {self.challenger.metrics[gate.metric]:.4f}"
        more = ", on new data" if new_test_data else ""
        return f"gate: {figure}, a choice on {gate.chooses_on}{more}"


def decide(
    model: str,
    candidates: Sequence[Candidate],
    holder: Candidate | None,
    gate: GateParams,
    requested: str | None,
    *,
    new_test_data: bool,
    fault_of: FaultOf,
) -> Verdict:
    """Judge the requested version, or the best challenger, against the holder of `@champion`.

    `new_test_data`: as `judge` says; the best is looked for on the newest version's data, even if
    that is the champion. Of those that cannot be used, a champion counts as none, a challenger is
    passed over. Raises InputError where the version does not exist, there is no challenger, or the
    requested version cannot be used.
    """
    champion = holder
    if holder is not None and (fault := fault_of(holder.version)):
        log.warning("the champion, version %s, cannot be used: %s", holder.version, fault)
        champion = None
    if requested is not None:
        challenger = requested_version(model, requested, candidates, champion, fault_of)
        return judge(challenger, champion, gate, new_test_data=new_test_data)
    usable = [c for c in candidates if champion or c is not holder]
    if new_test_data and usable:
        data = newest(usable).judged_on(gate)
        usable = [c for c in usable if c.judged_on(gate) == data]
    challenger = best_usable(model, usable, champion, gate, fault_of)
    verdict = judge(challenger, champion, gate, new_test_data=new_test_data)
    if verdict.refusals:
        tell_of_newest(verdict, newest(candidates), gate)
    return verdict


def judge(
    challenger: Candidate,
    champion: Candidate | None,
    gate: GateParams,
    *,
    new_test_data: bool = False,
) -> Verdict:
    """Hold a challenger against today's champion, or against nothing where there is none.

    Figures of other data than the champion's cannot be compared with its own: a refusal, unless
    `new_test_data` says that these are the ones that count from now on.
    """
    ours, veto = challenger.metrics, gate.veto
    needed = [*gate.figures(), *([veto.hours_metric] if veto else [])]
    refusals = [f"it has no metric {name!r}" for name in needed if name not in ours]
    if not challenger.trained:
        refusals.append("its encoder is untrained; such a model is never promoted")
    if gate.metric in ours and not ours[gate.metric] >= gate.min_score:  # nor what is no number
        refusals.append(
            f"its {gate.metric} {ours[gate.metric]:.4f} is below min_score, {gate.min_score:g}"
        )
    if veto:
        refusals += _too_much_story(challenger, champion, veto)
    if champion is not None:
        compared = [(gate.metric, gate.chooses_on), *([(veto.metric, "test")] if veto else [])]
        for metric, split in compared:
            if refusal := _incomparable(challenger, champion, metric, split):
                refusals += [] if new_test_data else [refusal]
            elif metric in ours:
                refusals += _worse(gate, metric, ours[metric], champion.metrics[metric])
    return Verdict(challenger, champion, tuple(dict.fromkeys(refusals)))


def best_challenger(
    candidates: Sequence[Candidate], champion: Candidate | None, gate: GateParams
) -> Candidate:
    """Return the best version that may be compared: on the champion's data, else the newest's.

    The metric that chooses decides alone. Equal scores: the older version. There is one at least
    that is not the champion.
    """
    rivals = [c for c in candidates if champion is None or c.version != champion.version]
    pool = [c for c in rivals if c.trained and gate.metric in c.metrics] or rivals
    reference = (champion or newest(pool)).judged_on(gate)
    fit = [c for c in pool if c.judged_on(gate) == reference]
    return max(fit or pool, key=lambda c: (c.metrics.get(gate.metric, -1.0), -int(c.version)))


def newest(candidates: Sequence[Candidate]) -> Candidate:
    """Return the version that was registered last."""
    return max(candidates, key=lambda c: int(c.version))


def _worse(gate: GateParams, metric: str, ours: float, theirs: float) -> list[str]:
    """Return by how much it is not good enough, else nothing."""
    figure = f"{metric} {ours:.4f} is"
    if metric == gate.metric:
        if ours > theirs + gate.min_improvement:
            return []
        least = f"by more than {gate.min_improvement:g}"
        return [f"its {figure} not better than the champion's {theirs:.4f} {least}"]
    tolerance = gate.veto.tolerance if gate.veto else 0.0
    if ours >= theirs - tolerance:
        return []
    return [f"veto of test: its {figure} more than {tolerance:g} below the champion's {theirs:.4f}"]


def _too_much_story(
    challenger: Candidate, champion: Candidate | None, veto: VetoParams
) -> list[str]:
    """Return a refusal where it skips more story than allowed and than the champion there."""
    story_s = challenger.metrics.get(veto.story_metric, 0.0)
    hours = challenger.metrics.get(veto.hours_metric, 0.0)
    limit = veto.most_story_s_per_hour(hours)
    if champion is not None and champion.data_sha256["test"] == challenger.data_sha256["test"]:
        limit = max(limit, champion.metrics.get(veto.story_metric, 0.0))
    if story_s <= limit:  # never of what is no number
        return []
    return [
        f"veto of test: it skips {story_s:.1f} s of story an hour, in {hours:.1f} h; allowed are "
        f"{limit:.1f} (max_story_s_per_hour and forgiven_story_s, or the champion's)"
    ]


def _incomparable(challenger: Candidate, champion: Candidate, metric: str, split: str) -> str:
    """Return why a metric of one split cannot be held against the champion's, else nothing."""
    if metric not in champion.metrics:
        fault = f"the champion, version {champion.version}, has no {metric} to compare with"
    elif challenger.data_sha256[split] != champion.data_sha256[split]:
        fault = (
            f"it was measured on other {split} data than the champion, version {champion.version}"
        )
    else:
        return ""
    return (
        f"{fault}; to go on with its data, whatever the champion's figures: `--version "
        f"{challenger.version} --new-test-data`; to compare: `dvc exp run` with the champion's "
        "params measures the champion on this data where that makes its very model again"
    )


def best_usable(
    model: str,
    candidates: Sequence[Candidate],
    champion: Candidate | None,
    gate: GateParams,
    fault_of: FaultOf,
) -> Candidate:
    """Return the best challenger that can be used; the others are named.

    Raises InputError where there is none.
    """
    rival = champion if champion in candidates else None  # else these are of newer data
    usable = [c for c in candidates if c != rival]
    while usable:
        best = best_challenger(usable, rival, gate)
        if not (fault := fault_of(best.version)):
            return best
        log.warning("version %s cannot be used: %s", best.version, fault)
        usable.remove(best)
    if rival is not None and rival == newest(candidates):
        raise InputError(f"{model}: {_newest_reigns(rival)}; on its data there is no other")
    raise InputError(f"{model}: no challenger that can be used is registered; {_MAKES_VERSIONS}")


def requested_version(
    model: str,
    requested: str,
    candidates: Sequence[Candidate],
    champion: Candidate | None,
    fault_of: FaultOf,
) -> Candidate:
    """Return the version of this number, of the model of this name.

    Raises InputError where there is none, it is the champion already, or it cannot be used.
    """
    known = {candidate.version: candidate for candidate in candidates}
    if requested not in known:
        raise InputError(f"{model}: no version {requested}; known are {', '.join(known)}")
    if champion is not None and requested == champion.version:
        raise InputError(f"{model}: version {requested} is the champion already")
    if fault := fault_of(requested):
        raise InputError(f"{model}: version {requested} cannot be used: {fault}")
    return known[requested]


def tell_of_newest(verdict: Verdict, last: Candidate, gate: GateParams) -> None:
    """Log why the newest version was not judged: it is the champion, or its data were changed."""
    champion = verdict.champion
    if champion is None or last == verdict.challenger:
        return
    if last == champion:
        log.warning(_newest_reigns(last))
    elif last.judged_on(gate) != champion.judged_on(gate):
        log.warning(
            "version %s, the newest, was not judged, since it was measured on other data than the "
            "champion; `--new-test-data` goes on with them",
            last.version,
        )


def _newest_reigns(champion: Candidate) -> str:
    return (
        f"the newest version, {champion.version}, is the champion already (a run that makes the "
        "model as it was registers none)"
    )

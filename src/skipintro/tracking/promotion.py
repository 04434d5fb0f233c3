"""Moves `@champion` to the best challenger, if it passes the gate of `params.yaml`."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from pydantic import Field

from skipintro.core.errors import InputError
from skipintro.core.params import StageParams
from skipintro.tracking.champion import CHAMPION, last_measured, measured_on, version_of
from skipintro.tracking.delivery import CHALLENGER, TRAINED_TAG
from skipintro.tracking.store import Store

log = logging.getLogger(__name__)


class GateParams(StageParams):
    """Section `promote` of params.yaml."""

    metric: str = Field(min_length=1)
    min_score: float  # of any champion, the first one too
    min_improvement: float = Field(ge=0)
    story_metric: str = Field(min_length=1)  # seconds of story skipped an hour
    max_story_s_per_hour: float = Field(ge=0)


@dataclass(frozen=True)
class Candidate:
    """One registered version with what the gate looks at."""

    version: str
    run_id: str
    score: float | None
    story_s_per_hour: float | None
    test_data_sha256: str
    trained: bool
    metrics: dict[str, float]


@dataclass(frozen=True)
class Verdict:
    """The outcome of the gate; `refusals` is empty where the challenger may be promoted."""

    challenger: Candidate
    champion: Candidate | None
    refusals: tuple[str, ...]


def judge(
    challenger: Candidate,
    champion: Candidate | None,
    gate: GateParams,
    *,
    new_test_data: bool = False,
) -> Verdict:
    """Hold a challenger against today's champion, or against nothing where there is none.

    Figures of other test data than the champion's cannot be compared with its own: a refusal,
    unless `new_test_data` says that these are the ones that count from now on.
    """
    refusals = []
    if not challenger.trained:
        refusals.append("its encoder is untrained; such a model is never promoted")
    if challenger.score is None:
        refusals.append(f"it has no metric {gate.metric!r}")
    elif not challenger.score >= gate.min_score:  # so that no number is not good enough, too
        refusals.append(
            f"its {gate.metric} {challenger.score:.4f} is below promote.min_score, "
            f"{gate.min_score:g}"
        )
    if challenger.story_s_per_hour is None:
        refusals.append(f"it has no metric {gate.story_metric!r}")
    elif not challenger.story_s_per_hour <= gate.max_story_s_per_hour:
        refusals.append(
            f"it skips {challenger.story_s_per_hour:.1f} s of story an hour, more than "
            f"promote.max_story_s_per_hour, {gate.max_story_s_per_hour:g}"
        )
    if champion is not None and champion.score is not None:
        if challenger.test_data_sha256 != champion.test_data_sha256:
            if not new_test_data:
                refusals.append(
                    "it was measured on other test data than the champion, so the figures cannot "
                    "be compared; to go on with its data, whatever the champion's figures: "
                    f"`skipintro promote --version {challenger.version} --new-test-data`; to "
                    "compare: `dvc exp run` with the champion's params measures the champion on "
                    "this data where that makes its very model again"
                )
        elif challenger.score is not None and not (
            challenger.score > champion.score + gate.min_improvement
        ):
            refusals.append(
                f"its {gate.metric} {challenger.score:.4f} is not better than the champion's "
                f"{champion.score:.4f} by more than {gate.min_improvement:g}"
            )
    return Verdict(challenger, champion, tuple(refusals))


def best_challenger(candidates: list[Candidate], champion: Candidate | None) -> Candidate:
    """Give the best version that may be compared: on the champion's test data, else the newest's.

    Equal scores: the older version. Raises InputError where there is no challenger.
    """
    rivals = [c for c in candidates if champion is None or c.version != champion.version]
    if not rivals:
        raise InputError(
            "no challenger that can be used is registered; run `dvc repro` or "
            "`dvc exp run -S epochs=40` first, or name a version by --version"
        )
    reference = (champion or _newest(rivals)).test_data_sha256
    fit = [c for c in rivals if c.trained and c.test_data_sha256 == reference]
    pool = fit or rivals
    return max(pool, key=lambda c: (-1.0 if c.score is None else c.score, -int(c.version)))


def promote(
    store: Store,
    model_name: str,
    gate: GateParams,
    wanted: str | None = None,
    *,
    new_test_data: bool = False,
    fault_of: Callable[[str], str] = lambda _: "",
) -> Verdict:
    """Judge the best challenger, or the wanted version, and move `@champion` where it passes.

    `new_test_data`: as `judge` says; the best is looked for on the newest version's test data, even
    if that is the champion. `fault_of` tells why a version cannot be used, nothing where it can.
    Such a champion counts as none, such a challenger is passed over.

    Raises InputError where the model or the version does not exist, or the wanted version cannot
    be used.
    """
    versions = _versions(store, model_name)
    candidates = [_candidate(store, version, gate) for version in versions]
    holder = version_of(store, model_name, CHAMPION)
    champion = next((c for c in candidates if holder and c.version == str(holder.version)), None)
    known = {c.version: c for c in candidates}
    if champion is not None and (fault := fault_of(champion.version)):
        log.warning("the champion, version %s, cannot be used: %s", champion.version, fault)
        candidates.remove(champion)
        champion = None
    if wanted is None:
        eligible = candidates
        if new_test_data and candidates:
            newest_data = _newest(candidates).test_data_sha256
            eligible = [c for c in candidates if c.test_data_sha256 == newest_data]
        challenger = _best_usable(eligible, champion if champion in eligible else None, fault_of)
    else:
        if wanted not in known:
            raise InputError(f"{model_name}: no version {wanted}; known are {', '.join(known)}")
        challenger = known[wanted]
        if champion is not None and challenger.version == champion.version:
            raise InputError(f"{model_name}: version {wanted} is the champion already")
        if fault := fault_of(wanted):
            raise InputError(f"{model_name}: version {wanted} cannot be used: {fault}")
    verdict = judge(challenger, champion, gate, new_test_data=new_test_data)
    if verdict.refusals:
        _tell_of_newer_data(verdict, _newest(candidates))
    else:
        client = store.client
        client.set_registered_model_alias(model_name, CHAMPION, challenger.version)
        newest = version_of(store, model_name, CHALLENGER)
        if newest is not None and challenger.version == str(newest.version):
            client.delete_registered_model_alias(model_name, CHALLENGER)
    return verdict


def standings(store: Store, model_name: str, gate: GateParams) -> list[tuple[Candidate, list[str]]]:
    """Give every version with its aliases, the newest first.

    Raises InputError where the model does not exist.
    """
    candidates = [_candidate(store, version, gate) for version in _versions(store, model_name)]
    aliases = store.client.get_registered_model(model_name).aliases
    return [
        (one, sorted(name for name, version in aliases.items() if str(version) == one.version))
        for one in sorted(candidates, key=lambda candidate: -int(candidate.version))
    ]


def measured_runs(store: Store, n_most: int) -> list[Run]:
    """Give the runs of the experiment, the newest first."""
    return list(
        store.client.search_runs(
            [store.experiment_id], max_results=n_most, order_by=["attributes.start_time DESC"]
        )
    )


def _best_usable(
    candidates: list[Candidate],
    champion: Candidate | None,
    fault_of: Callable[[str], str],
) -> Candidate:
    usable = list(candidates)
    while True:
        best = best_challenger(usable, champion)
        if not (fault := fault_of(best.version)):
            return best
        log.warning("version %s cannot be used: %s", best.version, fault)
        usable.remove(best)


def _newest(candidates: list[Candidate]) -> Candidate:
    return max(candidates, key=lambda c: int(c.version))


def _tell_of_newer_data(verdict: Verdict, newest: Candidate) -> None:
    """Name the newest version where it was not judged for its test data, which were changed."""
    champion = verdict.champion
    if champion is None or newest in (verdict.challenger, champion):
        return
    if newest.test_data_sha256 != champion.test_data_sha256:
        log.warning(
            "version %s, the newest, was not judged, since it was measured on other test data than "
            "the champion; to go on with them: `skipintro promote --new-test-data`",
            newest.version,
        )


def _versions(store: Store, model_name: str) -> list[ModelVersion]:
    versions = list(store.client.search_model_versions(f"name = '{model_name}'"))
    if not versions:
        raise InputError(f"{model_name}: no version is registered; run `dvc repro` first")
    return versions


def _candidate(store: Store, version: ModelVersion, gate: GateParams) -> Candidate:
    run = last_measured(store, version)
    metrics = run.data.metrics if run else {}
    return Candidate(
        version=str(version.version),
        run_id=run.info.run_id if run else "",
        score=metrics.get(gate.metric),
        story_s_per_hour=metrics.get(gate.story_metric),
        test_data_sha256=measured_on(version, run),
        trained=version.tags.get(TRAINED_TAG) == "true",
        metrics=dict(metrics),
    )

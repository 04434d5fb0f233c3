"""Moves `@champion`: to the best challenger that passes its gate, or back.

Each reign stands in a tag of its version: when it began, and by which gate or why.
"""

import logging
from contextlib import suppress
from datetime import UTC, datetime

from filelock import FileLock

from skipintro.core.cache_dir import cache_dir
from skipintro.core.errors import InputError
from skipintro.evaluation.gate import (
    Candidate,
    FaultOf,
    GateParams,
    Verdict,
    best_usable,
    judge,
    newest,
    tell_of_newer_data,
    wanted_version,
)
from skipintro.tracking.champion import CHAMPION, REIGN, candidate_of, version_of
from skipintro.tracking.publish import CHALLENGER
from skipintro.tracking.store import FAULTS, Store

log = logging.getLogger(__name__)


def promote(
    store: Store,
    model_name: str,
    gate: GateParams,
    wanted: str | None = None,
    *,
    new_test_data: bool = False,
    fault_of: FaultOf = lambda _: "",
) -> Verdict:
    """Judge the best challenger, or the wanted version, and move `@champion` where it passes.

    `new_test_data`: as `judge` says; the best is looked for on the newest version's data, even if
    that is the champion. Of those that cannot be used, a champion counts as none, a challenger is
    passed over. Raises InputError where the model or the version does not exist, or the wanted
    version cannot be used.
    """
    with _alone():
        candidates, holder = _candidates(store, model_name), _holder(store, model_name)
        champion = next((c for c in candidates if c.version == holder), None)
        if champion is not None and (fault := fault_of(holder)):
            log.warning("the champion, version %s, cannot be used: %s", holder, fault)
            champion = None
        if wanted is not None:
            challenger = wanted_version(model_name, wanted, candidates, champion, fault_of)
        else:
            usable = [c for c in candidates if champion or c.version != holder]
            if new_test_data and usable:
                data = newest(usable).judged_on(gate)
                usable = [c for c in usable if c.judged_on(gate) == data]
            rival = champion if champion in usable else None
            challenger = best_usable(usable, rival, gate, fault_of)
        verdict = judge(challenger, champion, gate, new_test_data=new_test_data)
        if verdict.refusals:
            tell_of_newer_data(verdict, newest(candidates), gate)
        else:
            why = f"gate: {gate.metric} {challenger.metrics[gate.metric]:.4f}, a choice on "
            why += gate.chooses_on + (", on new data" if new_test_data else "")
            _crown(store, model_name, challenger.version, holder, why)
    return verdict


def roll_back(
    store: Store, model_name: str, wanted: str, reason: str, fault_of: FaultOf = lambda _: ""
) -> None:
    """Make a version the champion that was it before, whatever the gate says.

    Raises InputError where it was not, is it now, or cannot be used.
    """
    with _alone():
        candidates, holder = _candidates(store, model_name), _holder(store, model_name)
        champion = next((c for c in candidates if c.version == holder), None)
        if not wanted_version(model_name, wanted, candidates, champion, fault_of).reigns:
            raise InputError(
                f"{model_name}: version {wanted} was never the champion; without --rollback the "
                "gate judges it"
            )
        _crown(store, model_name, wanted, holder, f"rollback: {reason}")


def list_versions(store: Store, model_name: str) -> list[tuple[Candidate, list[str]]]:
    """Return every version with its aliases, newest first; none of a model that is not there."""
    found = store.client.search_model_versions(f"name = '{model_name}'")
    candidates = [candidate_of(store, version) for version in found]
    aliases = store.client.get_registered_model(model_name).aliases if candidates else {}
    return [
        (one, sorted(name for name, version in aliases.items() if str(version) == one.version))
        for one in sorted(candidates, key=lambda candidate: -int(candidate.version))
    ]


def _alone() -> FileLock:
    """Return the lock that keeps two promotions of one workspace apart."""
    return FileLock(cache_dir("locks") / "mlflow-promotion.lock")


def _holder(store: Store, model_name: str) -> str:
    version = version_of(store, model_name, CHAMPION)
    return str(version.version) if version else ""


def _crown(store: Store, model_name: str, version: str, before: str, why: str) -> None:
    """Move the alias; the tag is there first, so that no champion is without its reason."""
    if (found := _holder(store, model_name)) != before:  # by another machine
        raise InputError(f"{model_name}: version {found} became the champion meanwhile; run again")
    client, tag = store.client, f"{REIGN}{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"
    told = f"{why}; before: version {before}" if before else why
    client.set_model_version_tag(model_name, version, tag, told)
    try:
        client.set_registered_model_alias(model_name, CHAMPION, version)
    except BaseException:
        with suppress(*FAULTS):
            if _holder(store, model_name) != version:  # else the answer alone got lost
                client.delete_model_version_tag(model_name, version, tag)
        raise
    challenger = version_of(store, model_name, CHALLENGER)
    if challenger is not None and version == str(challenger.version):
        client.delete_registered_model_alias(model_name, CHALLENGER)


def _candidates(store: Store, model_name: str) -> list[Candidate]:
    versions = store.client.search_model_versions(f"name = '{model_name}'")
    if not versions:
        raise InputError(f"{model_name}: no version is registered; run `dvc repro` first")
    return [candidate_of(store, version) for version in versions]

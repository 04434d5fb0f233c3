"""The versions in the registry, and `@champion`: who holds it, and how it moves on or back.

Each reign stands in a tag of its version: when it began, and by which gate or why.
"""

from contextlib import suppress
from datetime import UTC, datetime

from filelock import FileLock
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from skipintro.core.cache_dir import cache_dir
from skipintro.core.errors import InputError
from skipintro.evaluation.gate import (
    Candidate,
    FaultOf,
    GateParams,
    Verdict,
    decide,
    requested_version,
)
from skipintro.experiment import DATA_TAGS
from skipintro.tracking import runs
from skipintro.tracking.publish import CHALLENGER, MODEL_TAG, TRAINED_TAG
from skipintro.tracking.store import FAULTS, Store

CHAMPION = "champion"
REIGN = "champion since "  # of a tag's name; the time follows, and why is its value


def promote(
    store: Store,
    model: str,
    gate: GateParams,
    requested: str | None = None,
    *,
    new_test_data: bool = False,
    fault_of: FaultOf = lambda _: "",
) -> Verdict:
    """Judge the best challenger, or the requested version, and move `@champion` where it passes.

    Raises InputError where the model does not exist, and as `evaluation.gate.decide` does.
    """
    with FileLock(cache_dir("locks") / "mlflow-promotion.lock"):  # one after the other
        candidates, holder = _standing(store, model)
        verdict = decide(
            model,
            candidates,
            holder,
            gate,
            requested,
            new_test_data=new_test_data,
            fault_of=fault_of,
        )
        if not verdict.refusals:
            why = verdict.reason(gate, new_test_data=new_test_data)
            _crown(store, model, verdict.challenger, holder, why)
    return verdict


def roll_back(
    store: Store, model: str, requested: str, reason: str, fault_of: FaultOf = lambda _: ""
) -> None:
    """Make a version the champion that was it before, whatever the gate says.

    Raises InputError where it was not, is it now, or cannot be used.
    """
    with FileLock(cache_dir("locks") / "mlflow-promotion.lock"):  # one after the other
        candidates, holder = _standing(store, model)
        chosen = requested_version(model, requested, candidates, holder, fault_of)
        if not chosen.reigns:
            raise InputError(
                f"{model}: version {requested} was never the champion; without --rollback the "
                "gate judges it"
            )
        _crown(store, model, chosen, holder, f"rollback: {reason}")


def list_versions(store: Store, model: str) -> list[tuple[Candidate, list[str]]]:
    """Return every version with its aliases, newest first; none of a model that is not there."""
    found = store.client.search_model_versions(f"name = '{model}'")
    found.sort(key=lambda version: -int(version.version))
    aliases = _aliases(store, model) if found else {}
    holding = [sorted(a for a, held in aliases.items() if held == str(v.version)) for v in found]
    return [(_candidate(store, v), names) for v, names in zip(found, holding, strict=True)]


def find_champion(store: Store, model: str) -> Candidate | None:
    """Return the champion, or None where no version holds the alias."""
    try:
        version = store.client.get_model_version_by_alias(model, CHAMPION)
    except MlflowException:
        return None
    return _candidate(store, version)


def _candidate(store: Store, version: ModelVersion) -> Candidate:
    """Return what the gate looks at: of the newest run of this very model, and of its tags."""
    tags = version.tags
    same = {f"{version.name}.sha256": tags.get(MODEL_TAG, ""), runs.COMPLETE_TAG: "true"}
    found = runs.find(store, same, n_most=1)  # the newest: its data may have changed since
    if not found and version.run_id:
        with suppress(MlflowException):  # deleted for good
            found = [store.client.get_run(version.run_id)]
    metrics, of_run = (found[0].data.metrics, found[0].data.tags) if found else ({}, {})
    measured = tags | of_run
    reigns = [(k.removeprefix(REIGN), why) for k, why in tags.items() if k.startswith(REIGN)]
    return Candidate(
        version=str(version.version),
        run_id=found[0].info.run_id if found else "",
        model_sha256=tags.get(MODEL_TAG, ""),
        metrics=dict(metrics),
        data_sha256={split: measured.get(tag, "") for split, tag in DATA_TAGS.items()},
        trained=tags.get(TRAINED_TAG, "true") == "true",
        reigns=tuple(sorted(reigns)),
    )


def _aliases(store: Store, model: str) -> dict[str, str]:
    found = store.client.get_registered_model(model).aliases
    return {alias: str(version) for alias, version in found.items()}


def _standing(store: Store, model: str) -> tuple[list[Candidate], Candidate | None]:
    """Return all versions, and who of them is champion. Raises InputError where there is none."""
    versions = list_versions(store, model)
    if not versions:
        raise InputError(f"{model}: no version is registered; run `dvc repro` first")
    holder = next((one for one, aliases in versions if CHAMPION in aliases), None)
    return [one for one, _ in versions], holder


def _crown(store: Store, model: str, chosen: Candidate, before: Candidate | None, why: str) -> None:
    """Move the alias; the tag is there first, so that no champion is without its reason."""
    client, number, old = store.client, chosen.version, before.version if before else None
    aliases = _aliases(store, model)
    if (found := aliases.get(CHAMPION)) != old:  # by another machine
        raise InputError(f"{model}: version {found} became the champion meanwhile; run again")
    tag, replaced = f"{REIGN}{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}", f"; before: version {old}"
    client.set_model_version_tag(model, number, tag, why + (replaced if old else ""))
    try:
        client.set_registered_model_alias(model, CHAMPION, number)
    except BaseException:
        with suppress(*FAULTS):
            if _aliases(store, model).get(CHAMPION) != number:  # else the answer got lost
                client.delete_model_version_tag(model, number, tag)
        raise
    if aliases.get(CHALLENGER) == number:
        client.delete_registered_model_alias(model, CHALLENGER)

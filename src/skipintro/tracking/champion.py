"""The versions in the registry, and who of them is champion, as they were measured last."""

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from skipintro.core.store_address import is_missing, tracking_uri
from skipintro.evaluation.gate import Candidate
from skipintro.experiment import DATA_TAGS
from skipintro.tracking.publish import MODEL_TAG, TRAINED_TAG
from skipintro.tracking.runs import COMPLETE_TAG
from skipintro.tracking.store import Store, connect

CHAMPION = "champion"
REIGN = "champion since "  # of a tag's name; the time follows, and why is its value


def existing_store(experiment: str) -> Store | None:
    """Open the store to look something up, or give None where its file was never made.

    Raises InputError, within seconds, where the store does not answer.
    """
    return None if is_missing(tracking_uri()) else connect(experiment)


def find_champion(store: Store, model_name: str) -> Candidate | None:
    """Return the champion, or None where no version holds the alias."""
    version = version_of(store, model_name, CHAMPION)
    return None if version is None else candidate_of(store, version)


def version_of(store: Store, model_name: str, alias: str) -> ModelVersion | None:
    """Return the version that holds an alias, or None."""
    try:
        return store.client.get_model_version_by_alias(model_name, alias)
    except MlflowException:
        return None


def candidate_of(store: Store, version: ModelVersion) -> Candidate:
    """Return what the gate looks at: of the newest run of this very model, and of its tags."""
    run, tags = _last_measured(store, version), version.tags
    measured = tags | (run.data.tags if run else {})
    reigns = [(k.removeprefix(REIGN), why) for k, why in tags.items() if k.startswith(REIGN)]
    return Candidate(
        version=str(version.version),
        run_id=run.info.run_id if run else "",
        model_sha256=tags.get(MODEL_TAG, ""),
        metrics=dict(run.data.metrics) if run else {},
        data_sha256={split: measured.get(tag, "") for split, tag in DATA_TAGS.items()},
        trained=tags.get(TRAINED_TAG, "true") == "true",
        reigns=tuple(sorted(reigns)),
    )


def _last_measured(store: Store, version: ModelVersion) -> Run | None:
    """Return the newest complete run of this very model: its data may have changed since."""
    tag = f"tags.`{version.name}.sha256` = '{version.tags.get(MODEL_TAG)}'"
    runs = store.client.search_runs(
        [store.experiment_id],
        f"{tag} AND tags.`{COMPLETE_TAG}` = 'true'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    if runs:
        return runs[0]
    try:
        return store.client.get_run(version.run_id) if version.run_id else None
    except MlflowException:  # deleted for good
        return None

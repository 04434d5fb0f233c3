"""Today's champion: who it is, and its figures beside those of a report."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from skipintro.evaluation.report import HEADLINE_SLICE, HeadlineFigures, Report
from skipintro.tracking.addresses import is_missing, tracking_uri
from skipintro.tracking.delivery import MODEL_TAG, TEST_DATA_TAG
from skipintro.tracking.live import COMPLETE_TAG
from skipintro.tracking.store import Store, connect

CHAMPION = "champion"


@dataclass(frozen=True)
class Champion:
    """The registered version that holds the alias, as it was measured last."""

    title: str
    model_sha256: str
    test_data_sha256: str
    figures: HeadlineFigures | None  # None: it was never measured


def existing_store(experiment: str) -> Store | None:
    """Open the store to look something up, or give None where its file was never made.

    Raises InputError, within seconds, where the store does not answer.
    """
    return None if is_missing(tracking_uri()) else connect(experiment)


def find_champion(store: Store, model_name: str) -> Champion | None:
    """Give the champion, or None where no version holds the alias."""
    version = version_of(store, model_name, CHAMPION)
    if version is None:
        return None
    run = last_measured(store, version)
    title = f"champion, version {version.version}"
    return Champion(
        title=title,
        model_sha256=version.tags.get(MODEL_TAG, ""),
        test_data_sha256=measured_on(version, run),
        figures=_figures(title, run.data.metrics) if run else None,
    )


def beside(
    report: Report, champion: Champion, *, model_sha256: str, test_data_sha256: str
) -> Report:
    """Give the report of a model with the champion's figures, or with a word why there are none."""
    figures, told = None, ""
    if champion.model_sha256 == model_sha256:
        told = f"These are the figures of today's {champion.title}."
    elif champion.figures is None:
        told = f"Today's {champion.title}, has no figures to stand beside these."
    elif champion.test_data_sha256 != test_data_sha256:
        told = (
            f"Today's {champion.title}, was measured on other test data: its figures cannot stand "
            "beside these."
        )
    else:
        figures = champion.figures
    return report.model_copy(update={"champion": figures, "about_champion": told})


def version_of(store: Store, model_name: str, alias: str) -> ModelVersion | None:
    """Give the version that holds an alias, or None."""
    try:
        return store.client.get_model_version_by_alias(model_name, alias)
    except MlflowException:
        return None


def last_measured(store: Store, version: ModelVersion) -> Run | None:
    """Give the newest complete run of this very model: its test data may have changed since."""
    runs = store.client.search_runs(
        [store.experiment_id],
        f"tags.`{MODEL_TAG}` = '{version.tags.get(MODEL_TAG)}' AND tags.`{COMPLETE_TAG}` = 'true'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    if runs:
        return runs[0]
    if not version.run_id:  # made by hand
        return None
    try:
        return store.client.get_run(version.run_id)
    except MlflowException:  # deleted for good
        return None


def measured_on(version: ModelVersion, run: Run | None) -> str:
    """Give the hash of the test data that the version was measured on in this run."""
    known: str = version.tags.get(TEST_DATA_TAG, "")
    return run.data.tags.get(TEST_DATA_TAG, known) if run else known


def _figures(name: str, metrics: Mapping[str, float]) -> HeadlineFigures | None:
    """Take the numbers that matter from a run's metrics, in which those that are None miss."""
    part = f"episodes/{HEADLINE_SLICE}/intervals"
    try:
        return HeadlineFigures(
            name=name,
            f1_within_3s=metrics.get(f"{part}/within_3s/f1"),
            story_s_per_hour=metrics.get(f"{part}/story_s_per_hour"),
            false_alarms=round(metrics[f"{part}/false_alarms"]),
            without_intro=round(metrics[f"{part}/without_intro"]),
        )
    except KeyError:
        return None

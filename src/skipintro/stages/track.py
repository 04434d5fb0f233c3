"""Delivers the experiment to MLflow as one complete run, and registers its two models.

The report of the run has today's champion beside; the one in reports/evaluate, whose bytes depend
on data alone, has none.

Reads   models/train, models/fit, reports/evaluate, params.yaml, dvc.lock (the hashes of the data)
Writes  reports/track/receipt.json: what was delivered; no run id, which another store would
        not know
"""

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from skipintro.core.errors import InputError
from skipintro.core.files import SUMS_FILE, check_sums, read_model, write_json
from skipintro.core.layout import EVALUATED, FITTED, TRAINED
from skipintro.core.params import flat_params
from skipintro.core.stage import run_stage, stage_output
from skipintro.detection.folder import assemble
from skipintro.detection.kinds import ENCODER_WEIGHTS, Kind
from skipintro.encoder.stored import SMALL, store_encoder
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.evaluation.metrics import EpisodeResult, EvaluateManifest, Metrics, tables
from skipintro.evaluation.report import Report, beside, render
from skipintro.experiment import FinishedExperiment, MadeModel, TrackParams, experiment_params
from skipintro.model.history import read_history
from skipintro.model.training import TrainManifest
from skipintro.origin import origin_of
from skipintro.tracking.promotion import find_champion
from skipintro.tracking.publish import deliver
from skipintro.tracking.store import Store, connect, translate_errors

OUTPUT = Path("reports/track")
_EPISODES = TypeAdapter(list[EpisodeResult])

Params = TrackParams

log = logging.getLogger(__name__)


def main(params: Params) -> None:
    """Deliver what the stages before have left in the workspace."""
    check_sums(EVALUATED)
    evaluated = read_model(EvaluateManifest, EVALUATED / "manifest.json")
    metrics = read_model(Metrics, EVALUATED / "metrics.json")
    report = read_model(Report, EVALUATED / "report.json")
    encoder = evaluated.encoder
    with tempfile.TemporaryDirectory() as temporary, translate_errors():
        folder = Path(temporary)

        def made(name: str, kind: Kind, figures: dict[str, float]) -> MadeModel:
            place = folder / "models" / name
            place.mkdir(parents=True)
            sha256 = assemble(  # checks the source
                place, kind, head=TRAINED, openings=FITTED, config=evaluated.head_config()
            )
            if kind == "head":
                bring_encoder(place, encoder, params.with_encoder)
            return MadeModel(name, place, sha256, figures)

        kind = evaluated.detector
        detector = made(params.detector, kind, metrics.of_detector(kind))
        classifier = made(params.classifier, "head", metrics.of_classifier())
        store = connect(params.experiment)
        reports = folder / "reports"
        shutil.copytree(EVALUATED, reports, ignore=shutil.ignore_patterns("report.*", SUMS_FILE))
        page = render(_with_champion(report, store, detector, evaluated))
        (reports / "report.html").write_text(page, encoding="utf-8")
        episodes = _EPISODES.validate_json((EVALUATED / "episodes.json").read_bytes())
        experiment = FinishedExperiment(
            origin=origin_of(params.dataset),
            params=experiment_params(evaluated.encoder),
            history=read_history(TRAINED),
            models=(detector, classifier),
            weights_sha256=read_model(TrainManifest, TRAINED / "manifest.json").weights_sha256,
            data_sha256={"train": evaluated.train_data_sha256, "test": evaluated.test_data_sha256},
            encoder=evaluated.encoder,
            reports=reports,
            tables=tables(report.comparison, episodes),
        )
        deliver(store, experiment)
        receipt = {
            "models": {model.name: model.sha256 for model in experiment.models},
            "experiment_sha256": experiment.sha256(),
        }
    with stage_output(OUTPUT) as output:
        write_json(output / "receipt.json", receipt)


def bring_encoder(
    folder: Path, encoder: EncoderIdentity, when: Literal["auto", "always", "never"]
) -> None:
    """Put the encoder's weights beside a head: always, never, or where they are small and here.

    Raises InputError where they are required, and the available ones differ.
    """
    if when == "never" or (when == "auto" and encoder.name not in SMALL):
        return
    try:
        store_encoder(folder / ENCODER_WEIGHTS, encoder, flat_params()["embed.weights"])
    except InputError as error:
        if when == "always":
            raise
        log.warning("the model goes without its encoder: %s", error)


def _with_champion(
    report: Report, store: Store, detector: MadeModel, evaluated: EvaluateManifest
) -> Report:
    champion = find_champion(store, detector.name)
    if champion is None:
        return report
    return beside(
        report,
        champion,
        model_sha256=detector.sha256,
        test_data_sha256=evaluated.test_data_sha256,
    )


if __name__ == "__main__":
    run_stage("track", Params, main)

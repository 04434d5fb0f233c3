"""Delivers the experiment to MLflow as one complete run, and registers its model.

The report of the run has today's champion beside; the one in reports/evaluate, whose bytes depend
on data alone, has none.

Reads   models/train, models/fit, reports/evaluate, params.yaml, dvc.lock (the hashes of the data)
Writes  reports/track/receipt.json: what was delivered; no run id, which another store would
        not know
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml

from skipintro.core.files import SUMS_FILE, check_sums, read_model, write_json
from skipintro.core.layout import EVALUATED, FITTED, TRAINED
from skipintro.core.stage import run_stage, stage_output
from skipintro.detection.folder import assemble
from skipintro.evaluation.figures import EvaluateManifest, Metrics
from skipintro.evaluation.report import Report, render
from skipintro.model.history import read_history
from skipintro.model.training import TrainManifest
from skipintro.tracking.champion import beside, find_champion
from skipintro.tracking.delivery import DataVersion, FinishedExperiment, deliver
from skipintro.tracking.live import run_params
from skipintro.tracking.store import StoreParams, connect, faults_told

OUTPUT = Path("reports/track")

Params = StoreParams


def main(params: Params) -> None:
    """Deliver what the stages before have left in the workspace."""
    with faults_told():
        _deliver(params)


def _deliver(params: Params) -> None:
    check_sums(EVALUATED)
    evaluated = read_model(EvaluateManifest, EVALUATED / "manifest.json")
    with tempfile.TemporaryDirectory() as temporary:
        detector, reports = Path(temporary) / "detector", Path(temporary) / "reports"
        detector.mkdir()
        model_sha256 = assemble(  # checks both folders
            detector,
            evaluated.detector,
            head=TRAINED,
            openings=FITTED,
            config=evaluated.head_config(),
        )
        store = connect(params.experiment)
        trained = read_model(TrainManifest, TRAINED / "manifest.json")
        report = read_model(Report, EVALUATED / "report.json")
        champion = find_champion(store, params.model)
        if champion is not None:
            report = beside(
                report,
                champion,
                model_sha256=model_sha256,
                test_data_sha256=evaluated.test_data_sha256,
            )
        shutil.copytree(EVALUATED, reports, ignore=shutil.ignore_patterns("report.*", SUMS_FILE))
        (reports / "report.html").write_text(render(report), encoding="utf-8")
        experiment = FinishedExperiment(
            name=os.environ.get("DVC_EXP_NAME"),
            params=run_params(evaluated.encoder),
            history=read_history(TRAINED),
            metrics=read_model(Metrics, EVALUATED / "metrics.json").flat(),
            weights_sha256=trained.weights_sha256,
            model_sha256=model_sha256,
            test_data_sha256=evaluated.test_data_sha256,
            encoder=evaluated.encoder,
            tags=_git_tags(),
            data=_data_versions(),
            detector=detector,
            reports=reports,
        )
        deliver(store, experiment, params.model)
    with stage_output(OUTPUT) as folder:
        write_json(
            folder / "receipt.json",
            {
                "model": params.model,
                "model_sha256": experiment.model_sha256,
                "experiment_sha256": experiment.sha256(),
            },
        )


def _git_tags() -> dict[str, str]:
    """Give the commit that the code stands on, and whether it was changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("rev-parse", "HEAD")
    if not commit:
        return {}
    changed = git(
        "status", "--porcelain", "--", "src", "dvc.yaml", "params.yaml", "data", ":!data/dvc.lock"
    )
    return {"mlflow.source.git.commit": commit, "git.dirty": str(bool(changed)).lower()}


def _data_versions() -> list[DataVersion]:
    """Give the hashes by which DVC knows the data of the stages before."""
    lock = Path("dvc.lock")
    if not lock.exists():
        return []
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
    return [
        DataVersion(name=name, path=out["path"], digest=out["md5"])
        for name in ("ingest", "annotate", "embed", "fingerprint", "window")
        for out in stages.get(name, {}).get("outs", [])
    ]


if __name__ == "__main__":
    run_stage("track", Params, main)

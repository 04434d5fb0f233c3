"""Measures every detector on whole test episodes, and the head on windows; writes the report.

Reads   models/train, models/fit, data/window, data/embed, data/fingerprint, data/ingest,
        data/annotate
Writes  reports/evaluate/report.html, report.json (the page as data), comparison.md,
        comparison.json, metrics.json, episodes.json, manifest.json, loss.png, confusion.png,
        precision_recall.png, timelines/<id>.png, SHA256SUMS
"""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skipintro.core.arithmetic import in_use
from skipintro.core.device import choose_device
from skipintro.core.errors import InputError
from skipintro.core.files import check_sums, read_model, sha256_of_json, write_json, write_sums
from skipintro.core.isolation import thread_map
from skipintro.core.layout import EVALUATED, FITTED, TRAINED
from skipintro.core.params import read_params_file
from skipintro.core.progress import Unit, progress
from skipintro.core.stage import run_stage, stage_output
from skipintro.core.versions import versions
from skipintro.detection.dataset import read_labelled
from skipintro.detection.episode import LabelledEpisode, Prediction
from skipintro.detection.label_disagreements import OutOfFoldPrediction, read_out_of_fold
from skipintro.detectors.continued import FitManifest
from skipintro.detectors.openings import load_openings
from skipintro.episodes.annotations import Status
from skipintro.episodes.catalog import IngestManifest
from skipintro.episodes.embeddings import EncoderIdentity
from skipintro.evaluation import plots
from skipintro.evaluation.benchmark import (
    DESCRIPTIONS,
    matched_seasons,
    predict,
    score,
    shared_evidence,
)
from skipintro.evaluation.calibration import reliability, risk_coverage
from skipintro.evaluation.comparison import Comparison, compare, markdown
from skipintro.evaluation.metrics import (
    EvaluateManifest,
    WindowTable,
    metrics_of,
    results,
)
from skipintro.evaluation.params import EvaluationParams
from skipintro.evaluation.report import EpisodeRow, Report, episode_row, picture_seconds, render
from skipintro.evaluation.results import Outcome, outcome_of
from skipintro.evaluation.slices import TAG
from skipintro.evaluation.windows import window_metrics, window_outcome
from skipintro.matching.shared import SharedEvidence
from skipintro.model.head import load_head
from skipintro.model.history import read_history
from skipintro.model.windows import WindowManifest, read_sequence
from skipintro.stages import words
from skipintro.video.container import VideoError
from skipintro.video.isolated_decode import thumbnails

WINDOWS = Path("data/window")
INGESTED = Path("data/ingest")
DEMO = Path("data/demo")
OUTPUT = EVALUATED
_CORRECTED = (Status.SHIFTED, Status.OVERRIDDEN)

_TRY_AGAIN = "`dvc repro --single-item --force evaluate` tries again"

Params = EvaluationParams

log = logging.getLogger(__name__)


def main(params: Params) -> None:
    """Evaluate on both splits' windows and on the test split's whole episodes."""
    for folder in (TRAINED, FITTED, WINDOWS, INGESTED):
        check_sums(folder)
    head = load_head(TRAINED, choose_device(params.device))
    openings = load_openings(FITTED)
    window = read_model(WindowManifest, WINDOWS / "manifest.json")
    data = read_labelled()
    annotations, embedded = data.annotations, data.embedded
    train, test = (data.episodes(split) for split in ("train", "test"))
    video_hashes = {(e.split, e.id): e.video_sha256 for e in embedded.episodes}
    leaked = [id_ for split, id_ in video_hashes if split == "test" and id_ in annotations.leaked]
    seasons = matched_seasons(openings, [e.episode for e in test], [e.episode for e in train])
    predictions = predict(
        train,
        test,
        openings=openings,
        seasons=seasons,
        head=head,
        config=params.head(),
        settings=params.baselines,
    )
    outcomes = score(
        predictions,
        test,
        seen={labelled.episode.series for labelled in train},
        leaked=leaked,
        corrected={a.id for a in annotations.of_split("test") if a.status in _CORRECTED},
    )
    comparison = compare(outcomes, **params.bootstrap.model_dump())
    sequences = {split: read_sequence(WINDOWS / f"{split}.npz") for split in ("train", "test")}
    sequences["test_without_leaked"] = sequences["test"].without(leaked)
    windows = {
        name: window_outcome(head, sequence, window.stride, params.batch_size)
        for name, sequence in sequences.items()
    }
    metrics = metrics_of(
        _window_table(windows, params.threshold),
        held_out_outcomes(train, read_out_of_fold(FITTED / "held_out.json")),
        comparison,
        params.detector,
    )
    manifest = EvaluateManifest(
        detector=params.detector,
        head=params.head(),
        openings=openings.config,
        encoder=embedded.encoder,
        embedding=embedded.embedding,
        test_data_sha256=hash_of_test_data(train, test, video_hashes, leaked),
        train_data_sha256=hash_of_train_data(train, video_hashes),
        leaked=leaked,
        left_out={id_: why for id_, why in window.left_out.items() if id_.startswith("test/")},
        arithmetic=in_use(),
        versions=versions("torch", "numpy", "scikit-learn", "matplotlib"),
    )
    shared = shared_evidence(openings, seasons) if params.detector == "openings" else {}
    labels, probabilities = windows["test"]
    rows = results(outcomes[params.detector])
    history = _columns(read_history(TRAINED))
    with stage_output(OUTPUT) as folder:
        write_json(folder / "metrics.json", metrics)
        write_json(folder / "comparison.json", comparison)
        (folder / "comparison.md").write_text(_tables(comparison), encoding="utf-8")
        write_json(folder / "episodes.json", [result.model_dump(mode="json") for result in rows])
        write_json(folder / "manifest.json", manifest)
        report = Report(
            detector=params.detector,
            comparison=comparison,
            detectors=dict(DESCRIPTIONS),
            episodes=tuple(_with_pictures(outcomes[params.detector], shared)),
            training={name: tuple(column) for name, column in history.items()},
            reliability=reliability(outcomes[params.detector]),
            risk_coverage=risk_coverage(outcomes[params.detector]),
            notes=tuple(_notes(embedded.encoder)),
            facts={"dataset": params.dataset} | _facts(manifest, len(train), len(test)),
        )
        (folder / "report.json").write_text(report.model_dump_json(indent=2), encoding="utf-8")
        (folder / "report.html").write_text(render(report), encoding="utf-8")
        plots.loss_curves(folder / "loss.png", history)
        plots.confusion(folder / "confusion.png", labels, probabilities >= params.threshold)
        plots.precision_recall(folder / "precision_recall.png", labels, probabilities)
        (folder / "timelines").mkdir()
        threshold = params.threshold if params.detector == "head" else None
        for result in rows:
            plots.timeline(folder / "timelines" / f"{result.id}.png", result, threshold)
        write_sums(folder)
    words.evaluate(metrics.windows, markdown(comparison, "all_without_leaked"))


def hash_of_test_data(
    train: Sequence[LabelledEpisode],
    test: Sequence[LabelledEpisode],
    videos: Mapping[tuple[str, str], str],
    leaked: Collection[str],
) -> str:
    """Return the hash of all that figures on test depend on, beside the detector.

    `videos` are hashes by split and id. Train episodes of test's series are siblings that help to
    find. What is leaked belongs to it: the headline leaves that out.
    """
    rows = [
        (
            e.episode.id,
            e.episode.series,
            e.truth,
            videos["test", e.episode.id],
            e.episode.id in leaked,
            *e.further,
        )
        for e in test
    ]
    of_test = {e.episode.series for e in test}
    siblings = sorted(
        (e.episode.series, videos["train", e.episode.id])
        for e in train
        if e.episode.series in of_test
    )
    return sha256_of_json([rows, siblings])


def hash_of_train_data(
    train: Sequence[LabelledEpisode], videos: Mapping[tuple[str, str], str]
) -> str:
    """Return the hash of all that figures on held-out series depend on, beside the detector."""
    return sha256_of_json(
        [
            (e.episode.id, e.episode.series, e.truth, videos["train", e.episode.id], *e.further)
            for e in train
        ]
    )


def held_out_outcomes(
    train: Sequence[LabelledEpisode], held_out: Sequence[OutOfFoldPrediction]
) -> list[Outcome]:
    """Hold what the fit says of each train episode, its series held out, against the label.

    Raises InputError where it is of other episodes.
    """
    by_id = {row.id: row for row in held_out}
    if by_id.keys() != {labelled.episode.id for labelled in train}:
        raise InputError(f"{FITTED}/held_out.json: of other train episodes; run `dvc repro`")
    nothing = np.zeros(0, np.float32)
    return [
        outcome_of(
            labelled,
            Prediction(
                (row := by_id[labelled.episode.id]).interval, row.confidence, nothing, row.further
            ),
            seen=False,
            leaked=False,
            corrected=False,
        )
        for labelled in train
    ]


def _window_table(
    windows: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.float32]]], threshold: float
) -> WindowTable:
    """Return the write-up's table, of labels and probabilities of windows."""
    rows = {name: window_metrics(*outcome, threshold) for name, outcome in windows.items()}
    train, test = rows["train"], rows["test"]
    if train is None or test is None:
        raise InputError(f"{WINDOWS}: does not fit the model's window length; run `dvc repro`")
    return WindowTable(train=train, test=test, test_without_leaked=rows["test_without_leaked"])


def _with_pictures(
    outcomes: Sequence[Outcome], shared: Mapping[tuple[str, str], SharedEvidence]
) -> list[EpisodeRow]:
    """Return the report's rows, with pictures of the ends where the video can be read."""
    ingested = read_model(IngestManifest, INGESTED / "manifest.json")
    paths = {e.id: e.path for e in ingested.episodes if e.split == "test"}

    def row(outcome: Outcome) -> EpisodeRow:
        path = paths.get(outcome.id)
        try:
            seconds = picture_seconds(outcome)
            jpegs = [] if path is None else thumbnails(path, seconds, ingested.decoding)
        except VideoError as error:
            log.warning("%s; the report shows no pictures of it (%s)", error, _TRY_AGAIN)
            jpegs = []
        return episode_row(outcome, jpegs, shared.get((outcome.series, outcome.id)))

    with thread_map(os.cpu_count() or 1) as mapped:
        return list(progress(mapped(row, outcomes), len(outcomes), Unit.EPISODES))


def _notes(encoder: EncoderIdentity) -> list[str]:
    notes = []
    if Path(read_params_file()["ingest"]["source"]) == DEMO:
        notes.append(
            "The demo is generated data: these figures show that the machinery works and say "
            "nothing about television."
        )
    if not encoder.trained:
        notes.append(
            f"The encoder {encoder.name} is untrained: these figures say nothing about quality."
        )
    return notes


def _facts(manifest: EvaluateManifest, n_train: int, n_test: int) -> dict[str, str]:
    encoder = manifest.encoder
    return {
        "episodes": f"{n_train} train, {n_test} test",
        "test data": manifest.test_data_sha256[:12],
        "encoder": f"{encoder.name}, weights {encoder.weights}, {encoder.weights_sha256[:12]}",
        "stand in train as well": ", ".join(manifest.leaked) or "none",
        "left out": "; ".join(f"{k}: {why}" for k, why in manifest.left_out.items()) or "none",
        "further trees, chosen on held-out series": _further_trees(),
        "arithmetic": manifest.arithmetic,
        "confidence from": f"{manifest.openings.min_confidence:.2f}",
    } | manifest.versions


def _further_trees() -> str:
    chosen = read_model(FitManifest, FITTED / "manifest.json").chosen
    return "all learned from train alone" if chosen is None else str(chosen.further_trees)


def _columns(history: Sequence[tuple[int, dict[str, float]]]) -> dict[str, list[float]]:
    """Return the training's curves by name."""
    names = history[0][1]
    return {"epoch": [float(epoch) for epoch, _ in history]} | {
        name: [figures[name] for _, figures in history] for name in names
    }


def _tables(comparison: Comparison) -> str:
    """Return the tables of all test episodes, those not leaked, seen, unseen, and of each tag."""
    tagged = dict.fromkeys(r.slice_name for r in comparison.rows if r.slice_name.startswith(TAG))
    parts = ("all_without_leaked", "seen", "unseen", "all", *tagged)
    return "".join(f"## {part}\n\n{markdown(comparison, part)}\n" for part in parts)


if __name__ == "__main__":
    run_stage("evaluate", Params, main)

"""Fits the opening detector on the train episodes; every choice is made on series held out.

Reads   data/annotate, data/fingerprint, the detector to start from
Writes  models/fit/openings.safetensors, openings.json, held_out.json (what the fit predicts for
        each train episode when its series is held out), manifest.json
"""

from skipintro.core.arithmetic import in_use
from skipintro.core.errors import InputError
from skipintro.core.files import write_json, write_sums
from skipintro.core.layout import ANNOTATIONS, FITTED
from skipintro.core.stage import run_stage, stage_output
from skipintro.core.versions import versions
from skipintro.detection.dataset import fingerprinted_episodes, read_fingerprinted
from skipintro.detection.label_disagreements import OutOfFoldPrediction
from skipintro.detectors.continued import FitManifest
from skipintro.detectors.fit_library import FitParams, Learned, learn
from skipintro.detectors.openings import save_openings
from skipintro.stages import words

Params = FitParams


def main(params: Params) -> None:
    """Fit on train; no test episode is read."""
    annotations, manifest = read_fingerprinted()
    train = fingerprinted_episodes("train", annotations, manifest)
    if not train:
        raise InputError(f"{ANNOTATIONS}: no usable train episode; add labelled episodes to it")
    learned = learn(train, manifest.fingerprint, params.learning())
    with stage_output(FITTED) as folder:
        saved = save_openings(folder, learned.detector)
        write_json(folder / "held_out.json", _held_out(learned))
        fitted = FitManifest(
            episodes=len(train),
            series=len({labelled.episode.series for labelled in train}),
            start_learned_from=learned.start_learned_from,
            chosen=learned.chosen,
            trials=learned.trials,
            weights_sha256=saved.config.weights_sha256,
            arithmetic=in_use(),
            versions=versions("numpy", "scikit-learn", "scipy"),
        )
        write_json(folder / "manifest.json", fitted)
        write_sums(folder)
    words.fit(fitted)


def _held_out(learned: Learned) -> list[dict[str, object]]:
    return [
        OutOfFoldPrediction(
            id=labelled.episode.id,
            series=labelled.episode.series,
            label=labelled.truth,
            interval=prediction.interval,
            confidence=prediction.confidence,
            further_label=labelled.further,
            further=prediction.further,
        ).model_dump(mode="json")
        for labelled, prediction in learned.held_out
    ]


if __name__ == "__main__":
    run_stage("fit", Params, main)

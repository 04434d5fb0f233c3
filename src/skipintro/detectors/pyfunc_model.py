"""The registered model, as MLflow loads it: video paths in, intervals out. No pickle.

MLflow runs this file when the model is loaded ("models from code") and puts the package that was
stored with the model on the path.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class IntroDetector(PythonModel):
    """`predict(["S01E01.mp4"])` returns the columns `video, start_s, end_s, confidence`.

    A video without an intro is a row with empty times, one of several openings a row for each.
    `model_config` takes `device` (`auto`,
    `cpu`, `cuda`) and `encoder_weights` (a checkpoint file, where the encoder was loaded from one).
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the detector; an encoder whose hash differs from that of its training is refused."""
        from skipintro.core import arithmetic  # noqa: PLC0415  on the path from here on
        from skipintro.detectors.videos import load_detector  # noqa: PLC0415

        arithmetic.settle(arithmetic.of_environment())  # as far as nothing is loaded yet
        config = context.model_config or {}
        self._detector = load_detector(
            Path(context.artifacts["detector"]),
            config.get("device", "auto"),
            config.get("encoder_weights"),
        )

    def predict(  # type: ignore[override]  # mlflow reads the schema off this signature
        self, model_input: list[str], params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Detect the intro of each video file; pass the episodes of a series together."""
        del params
        rows: list[tuple[str, float | None, float | None, float | None]] = []
        found = self._detector.detect([Path(video) for video in model_input])
        for video, prediction in zip(model_input, found, strict=True):
            for start_s, end_s in prediction.intervals or ((None, None),):
                rows.append((video, start_s, end_s, prediction.confidence))
        columns = {"video": str, "start_s": float, "end_s": float, "confidence": float}
        return pd.DataFrame(rows, columns=list(columns)).astype(columns)


mlflow.models.set_model(IntroDetector())

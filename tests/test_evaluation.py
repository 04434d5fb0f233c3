"""Figures of a trained head on windows and on whole episodes, with probabilities known before."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from torch import Tensor

from conftest import tiny_config
from skipintro.detection.decoding import DetectionConfig
from skipintro.episodes.annotations import Annotation, Status
from skipintro.evaluation.figures import (
    EpisodeResult,
    EpisodeTable,
    Metrics,
    WindowTable,
    evaluate_episodes,
    summarise,
    window_metrics,
    window_outcome,
)
from skipintro.model.head import IntroHead
from skipintro.model.metrics import BinaryMetrics, EpisodeMetrics
from skipintro.model.windows import BalancedSequence

LENGTH = 4
CONFIG = DetectionConfig(stride=2, threshold=0.5, min_length_s=2, batch_size=3)


class TellingHead(IntroHead):
    """Says of a frame what stands in the frame: its one feature is its probability."""

    def __init__(self) -> None:
        super().__init__(tiny_config(length=LENGTH, dimension=1, heads=1))
        self.eval()

    def forward(self, windows: Tensor) -> Tensor:
        return torch.logit(windows.squeeze(-1))


HEAD = TellingHead()


def frames(*probabilities: float) -> NDArray[np.float32]:
    return np.array(probabilities, np.float32)[:, None]


def sequence(
    probabilities: list[float], labels: list[int], episodes: list[int], *ids: str
) -> BalancedSequence:
    return BalancedSequence(
        embeddings=frames(*probabilities),
        labels=np.array(labels, np.uint8),
        episodes=np.array(episodes, np.int32),
        seconds=np.arange(len(labels), dtype=np.int32),
        ids=ids,
    )


# Windows of 4 with stride 3 start at 0, 3 and 6: frames 3 and 6 stand in two each.
TEN = sequence(
    [0.9, 0.8, 0.2, 0.6, 0.1, 0.7, 0.4, 0.9, 0.3, 0.2],
    [1, 1, 1, 1, 0, 0, 1, 1, 0, 0],
    [0] * 6 + [1] * 4,
    "one",
    "two",
)


def annotation(
    id_: str, start_s: float | None, end_s: float | None, series: str = "Show"
) -> Annotation:
    return Annotation(
        split="test",
        id=id_,
        series=series,
        raw_start_s=start_s,
        raw_end_s=end_s,
        start_s=start_s,
        end_s=end_s,
        status=Status.AS_LABELLED,
        reason="start lies before end",
    )


def test_windows_are_cut_one_after_the_other_and_shared_frames_count_in_each() -> None:
    labels, probabilities = window_outcome(HEAD, TEN, 3, batch_size=2)
    assert labels.tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]]
    expected = [[0.9, 0.8, 0.2, 0.6], [0.6, 0.1, 0.7, 0.4], [0.4, 0.9, 0.3, 0.2]]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_window_figures_equal_those_worked_out_by_hand() -> None:
    # of 12: said intro 6 (5 rightly), meant 8; frames 2, 6 and 6 again missed, frame 5 too much
    found = window_metrics(HEAD, TEN, 3, CONFIG)
    assert found is not None
    assert found.model_dump() == pytest.approx(
        {"accuracy": 8 / 12, "precision": 5 / 6, "recall": 5 / 8, "f1": 10 / 14}
    )


@pytest.mark.parametrize(("stride", "threshold"), [(1, 0.5), (2, 0.3), (5, 0.9), (3, 0.05)])
def test_window_figures_equal_scikit_learn_s_on_windows_cut_by_a_loop(
    stride: int, threshold: float
) -> None:
    rng = np.random.default_rng(5)
    probabilities = rng.uniform(0.01, 0.99, 31).round(2).tolist()
    labels = rng.integers(0, 2, 31).tolist()
    cut = sequence(probabilities, labels, [0] * 31, "one")
    truth: list[int] = []
    said: list[bool] = []
    start = 0
    while start + LENGTH <= 31:
        truth += labels[start : start + LENGTH]
        said += [p >= threshold for p in probabilities[start : start + LENGTH]]
        start += stride
    config = CONFIG.model_copy(update={"threshold": threshold})
    found = window_metrics(HEAD, cut, stride, config)
    assert found is not None
    assert found.accuracy == pytest.approx(accuracy_score(truth, said))
    assert found.precision == pytest.approx(precision_score(truth, said, zero_division=0))
    assert found.recall == pytest.approx(recall_score(truth, said))
    assert found.f1 == pytest.approx(f1_score(truth, said))


def test_the_batch_size_changes_no_figure() -> None:
    config = CONFIG.model_copy(update={"batch_size": 100})
    assert window_metrics(HEAD, TEN, 1, config) == window_metrics(HEAD, TEN, 1, CONFIG)


@pytest.mark.parametrize(("n_frames", "n_windows"), [(0, 0), (3, 0), (4, 1)])
def test_fewer_frames_than_a_window_give_no_figures(n_frames: int, n_windows: int) -> None:
    short = sequence([0.9] * n_frames, [1] * n_frames, [0] * n_frames, "one")
    assert (window_metrics(HEAD, short, 1, CONFIG) is None) == (n_windows == 0)


def test_leaked_episodes_leave_the_sequence_before_it_is_cut_anew() -> None:
    clean = TEN.without(["one"])
    labels, probabilities = window_outcome(HEAD, clean, 3, batch_size=2)
    assert labels.tolist() == [[1, 1, 0, 0]]
    np.testing.assert_allclose(probabilities, [[0.4, 0.9, 0.3, 0.2]], atol=1e-6)
    assert window_metrics(HEAD, TEN.without(["one", "two"]), 3, CONFIG) is None


def evaluate(*episodes: tuple[Annotation, NDArray[np.float32]], leaked: Any = ()) -> Any:
    return evaluate_episodes(HEAD, episodes, CONFIG, leaked)


def test_an_episode_s_result_tells_truth_prediction_and_every_second() -> None:
    vectors = frames(0.1, 0.2, 0.9, 0.8, 0.9, 0.2, 0.1)
    [result] = evaluate((annotation("e1", 2, 6, "Show A"), vectors), leaked=["e1"])
    assert result.id == "e1"
    assert result.series == "Show A"
    assert result.leaked
    assert result.n_seconds == 7
    assert result.truth == (2, 6)
    assert result.predicted == (2, 5)
    assert result.iou == 0.75
    assert result.confidence == pytest.approx(2.6 / 3, abs=1e-6)
    assert result.probabilities == [0.1, 0.2, 0.9, 0.8, 0.9, 0.2, 0.1]


def test_an_episode_shorter_than_a_window_is_evaluated_too() -> None:
    [result] = evaluate((annotation("e1", 0, 2), frames(0.9, 0.9, 0.1)))
    assert result.predicted == (0, 2)
    assert result.iou == 1


def test_an_episode_without_an_intro_has_no_overlap_to_speak_of() -> None:
    quiet, alarm = evaluate(
        (annotation("e1", None, None), frames(0.1, 0.1, 0.1)),
        (annotation("e2", None, None), frames(0.1, 0.9, 0.9)),
    )
    assert (quiet.truth, quiet.predicted, quiet.iou, quiet.confidence) == (None, None, None, None)
    assert (alarm.truth, alarm.predicted, alarm.iou) == (None, (1, 3), None)


def test_an_interval_shorter_than_the_least_length_is_a_miss() -> None:
    [result] = evaluate((annotation("e1", 1, 2), frames(0.1, 0.9, 0.1, 0.1)))
    assert result.predicted is None
    assert result.iou == 0


def test_a_summary_counts_hits_misses_and_false_alarms() -> None:
    results = evaluate(
        (annotation("hit", 0, 4), frames(0.9, 0.9, 0.9, 0.9, 0.1, 0.1)),  # IoU 1
        (annotation("half", 0, 4), frames(0.9, 0.9, 0.1, 0.1, 0.1, 0.1)),  # IoU 0.5
        (annotation("miss", 0, 4), frames(0.1, 0.1, 0.1, 0.1, 0.1, 0.1)),
        (annotation("alarm", None, None), frames(0.1, 0.9, 0.9, 0.1)),
        (annotation("quiet", None, None), frames(0.1, 0.1, 0.1, 0.1)),
    )
    found = summarise(results)
    assert found.episodes == 5
    assert found.with_intro == 3
    assert found.found == 2
    assert found.mean_iou == pytest.approx(0.5)
    assert found.recall_at_iou_50 == pytest.approx(2 / 3)
    assert found.false_alarms == 1
    # 26 seconds: 12 of intro, 6 of them found, 2 more said
    assert found.per_second.model_dump() == pytest.approx(
        {"accuracy": 18 / 26, "precision": 6 / 8, "recall": 6 / 12, "f1": 12 / 20}
    )


def test_a_summary_of_no_episode_has_no_mean() -> None:
    found = summarise([])
    assert (found.episodes, found.mean_iou, found.recall_at_iou_50) == (0, None, None)


def test_results_are_the_same_after_a_trip_through_json() -> None:
    [result] = evaluate((annotation("серия «1»", 2, 6), frames(0.1, 0.2, 0.9, 0.8, 0.9, 0.2)))
    assert EpisodeResult.model_validate_json(result.model_dump_json()) == result


def test_metrics_have_the_names_that_mlflow_shows_and_none_is_left_out() -> None:
    row = BinaryMetrics(accuracy=0.1, precision=0.2, recall=0.3, f1=0.4)
    episodes = EpisodeMetrics(
        episodes=3,
        with_intro=2,
        found=1,
        mean_iou=0.5,
        recall_at_iou_50=0.6,
        false_alarms=1,
        per_second=row,
    )
    nothing = episodes.model_copy(update={"mean_iou": None, "recall_at_iou_50": None})
    flat = Metrics(
        windows=WindowTable(train=row, test=row, test_without_leaked=None),
        episodes=EpisodeTable(test=episodes, test_without_leaked=nothing),
    ).flat()
    figures = ("accuracy", "precision", "recall", "f1")
    counts = ("episodes", "with_intro", "found", "false_alarms")
    assert set(flat) == {
        *(f"windows/{split}/{name}" for split in ("train", "test") for name in figures),
        *(
            f"episodes/{split}/{name}"
            for split in ("test", "test_without_leaked")
            for name in (*counts, *(f"per_second/{figure}" for figure in figures))
        ),
        "episodes/test/mean_iou",
        "episodes/test/recall_at_iou_50",
    }
    assert flat["windows/test/f1"] == 0.4
    assert flat["episodes/test/mean_iou"] == 0.5
    assert flat["episodes/test/found"] == 1.0
    assert all(type(value) is float for value in flat.values())

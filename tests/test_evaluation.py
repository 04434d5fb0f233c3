"""Figures of a head on windows, with probabilities known before, and the metrics of a run."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from conftest import ROOT, TellingHead
from outcome_cases import outcome
from skipintro.core.errors import InputError
from skipintro.core.params import load_params
from skipintro.detection.episode import Episode, LabelledEpisode
from skipintro.detection.folder import DetectionConfig
from skipintro.detection.label_disagreements import OutOfFoldPrediction
from skipintro.evaluation.comparison import Comparison, compare
from skipintro.evaluation.gate import PromoteParams
from skipintro.evaluation.metrics import (
    EpisodeResult,
    Headline,
    Metrics,
    WindowTable,
    metrics_of,
    results,
    tables,
)
from skipintro.evaluation.results import Outcome, n_found
from skipintro.evaluation.windows import window_metrics, window_outcome
from skipintro.model.metrics import BinaryMetrics
from skipintro.model.windows import FrameSequence
from skipintro.stages.evaluate import hash_of_test_data, hash_of_train_data, held_out_outcomes

LENGTH = 4
CONFIG = DetectionConfig(stride=2, threshold=0.5, min_length_s=2, batch_size=3)


HEAD = TellingHead(LENGTH)


def frames(*probabilities: float) -> NDArray[np.float32]:
    return np.array(probabilities, np.float32)[:, None]


def sequence(
    probabilities: list[float], labels: list[int], episodes: list[int], *ids: str
) -> FrameSequence:
    return FrameSequence(
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


def test_windows_are_cut_one_after_the_other_and_shared_frames_count_in_each() -> None:
    labels, probabilities = window_outcome(HEAD, TEN, 3, batch_size=2)
    assert labels.tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]]
    expected = [[0.9, 0.8, 0.2, 0.6], [0.6, 0.1, 0.7, 0.4], [0.4, 0.9, 0.3, 0.2]]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def figures(cut: FrameSequence, stride: int, config: DetectionConfig) -> BinaryMetrics | None:
    labels, probabilities = window_outcome(HEAD, cut, stride, config.batch_size)
    return window_metrics(labels, probabilities, config.threshold)


def test_window_figures_equal_those_worked_out_by_hand() -> None:
    # of 12: said intro 6 (5 rightly), meant 8; frames 2, 6 and 6 again missed, frame 5 too much
    found = figures(TEN, 3, CONFIG)
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
    found = figures(cut, stride, config)
    assert found is not None
    assert found.accuracy == pytest.approx(accuracy_score(truth, said))
    assert found.precision == pytest.approx(precision_score(truth, said, zero_division=0))
    assert found.recall == pytest.approx(recall_score(truth, said))
    assert found.f1 == pytest.approx(f1_score(truth, said))


def test_the_batch_size_changes_no_figure() -> None:
    config = CONFIG.model_copy(update={"batch_size": 100})
    assert figures(TEN, 1, config) == figures(TEN, 1, CONFIG)


@pytest.mark.parametrize(("n_frames", "n_windows"), [(0, 0), (3, 0), (4, 1)])
def test_fewer_frames_than_a_window_give_no_figures(n_frames: int, n_windows: int) -> None:
    short = sequence([0.9] * n_frames, [1] * n_frames, [0] * n_frames, "one")
    assert (figures(short, 1, CONFIG) is None) == (n_windows == 0)


def test_leaked_episodes_leave_the_sequence_before_it_is_cut_anew() -> None:
    clean = TEN.without(["one"])
    labels, probabilities = window_outcome(HEAD, clean, 3, batch_size=2)
    assert labels.tolist() == [[1, 1, 0, 0]]
    np.testing.assert_allclose(probabilities, [[0.4, 0.9, 0.3, 0.2]], atol=1e-6)
    assert figures(TEN.without(["one", "two"]), 3, CONFIG) is None


def compared(**outcomes: list[Outcome]) -> Comparison:
    return compare(outcomes, n_resamples=10, seed=0, level=0.9)


SERIES = [
    outcome((10, 20), (12, 20), confidence=0.9, probabilities=(0.25,) * 60, seen=True),
    outcome((10, 20), (40, 50), confidence=0.5, leaked=True),
    outcome(None, (0, 6), confidence=0.4, series="two"),
]
NEVER = [
    outcome((10, 20), seen=True),
    outcome((10, 20), leaked=True),
    outcome(None, series="two"),
]
ROW = BinaryMetrics(accuracy=0.1, precision=0.2, recall=0.3, f1=0.4)
WINDOWS = WindowTable(train=ROW, test=ROW, test_without_leaked=None)


def test_a_result_tells_truth_prediction_and_every_second() -> None:
    [told, *_] = results([outcome((2, 6), (2, 5), n_seconds=4, confidence=0.9, leaked=True,
                                  probabilities=(0.12345, 0.5, 1, 0))])  # fmt: skip
    assert told == EpisodeResult(
        id="episode",
        series="one",
        seen=False,
        leaked=True,
        n_seconds=4,
        truth=(2, 6),
        predicted=(2, 5),
        confidence=0.9,
        iou=0.75,
        probabilities=[0.1235, 0.5, 1, 0],  # 0.12345 is a little more as float32
    )


def test_without_an_intro_there_is_no_overlap_and_without_a_find_no_confidence() -> None:
    quiet, alarm, miss = results([outcome(None), outcome(None, (1, 3)), outcome((1, 3))])
    assert (quiet.truth, quiet.predicted, quiet.iou, quiet.confidence) == (None, None, None, None)
    assert (alarm.truth, alarm.predicted, alarm.iou) == (None, (1, 3), None)
    assert (miss.truth, miss.predicted, miss.iou) == ((1, 3), None, 0)
    assert (quiet.probabilities, results([])) == ([], [])


def test_results_keep_the_order_and_are_the_same_after_a_trip_through_json() -> None:
    told = results([outcome(None, series="серия «1»"), *SERIES])
    assert [result.series for result in told] == ["серия «1»", "one", "one", "two"]
    assert [EpisodeResult.model_validate_json(r.model_dump_json()) for r in told] == told


def test_metrics_hold_every_part_for_the_detector_that_counts_and_headlines_for_all() -> None:
    comparison = compared(series=SERIES, never=NEVER)
    for name in ("series", "never"):
        found = metrics_of(WINDOWS, SERIES, comparison, name)
        rows = {row.slice_name: row for row in comparison.rows if row.detector == name}
        assert found.windows == WINDOWS
        assert found.episodes.keys() == rows.keys() > {"all", "all_without_leaked", "seen"}
        for part, figures in found.episodes.items():
            assert figures.intervals == rows[part].figures
            assert figures.macro == rows[part].macro
    assert metrics_of(WINDOWS, SERIES, comparison, "series").detectors == {
        # of two episodes of a minute: 2 s off at one end, and an alarm of 6 s
        "series": Headline(
            f1_within_1s=0,
            f1_within_3s=2 / 3,
            mean_iou=0.8,
            story_s_per_hour=6 * 30,
            false_alarms=1,
        ),
        "never": Headline(
            f1_within_1s=0, f1_within_3s=0, mean_iou=0, story_s_per_hour=0, false_alarms=0
        ),
    }


def headline(windows: WindowTable, held_out: list[Outcome]) -> dict[str, float]:
    """Return all that a run's default columns show of the opening detector and of the head."""
    comparison = compared(openings=SERIES, head=NEVER)
    metrics = metrics_of(windows, held_out, comparison, "openings")
    return metrics.of_detector("openings") | metrics.of_classifier()


def test_headline_figures_are_few_and_hold_what_the_gates_ask_for() -> None:
    whole = WINDOWS.model_copy(update={"test_without_leaked": ROW})
    found = headline(whole, SERIES)
    gates = load_params(PromoteParams, "promote", ROOT / "params.yaml")
    assert {*gates.detector.figures(), *gates.classifier.figures()} <= found.keys()
    assert len(found) <= 25
    assert found["detector/held_out/f1_within_3s"] == pytest.approx(2 / 5)  # leaked or not
    assert found["detector/held_out/story_s_per_hour"] == pytest.approx(16 * 20)
    assert found["detector/test/f1_within_3s"] == pytest.approx(2 / 3)
    assert found["detector/test/story_s_per_hour"] == 180
    assert found["classifier/test/f1_within_3s"] == 0
    assert found["windows/test_without_leaked/f1"] == 0.4
    assert all(type(value) is float for value in found.values())


def test_a_figure_of_which_nothing_is_said_is_left_out_of_the_headline() -> None:
    found = headline(WINDOWS, [outcome(None)])
    assert not [name for name in found if name.startswith("windows/test_without_leaked")]
    assert "detector/held_out/f1_within_3s" not in found
    assert found["detector/held_out/story_s_per_hour"] == 0


def test_no_series_is_held_out_from_the_head() -> None:
    metrics = metrics_of(WINDOWS, SERIES, compared(openings=SERIES, head=NEVER), "head")
    assert not [name for name in metrics.of_detector("head") if "held_out" in name]


def test_metrics_are_the_same_after_a_trip_through_json() -> None:
    metrics = metrics_of(WINDOWS, SERIES, compared(series=SERIES), "series")
    assert Metrics.model_validate_json(metrics.model_dump_json()) == metrics


def test_tables_have_a_row_for_each_detector_and_part_and_for_each_episode() -> None:
    comparison = compared(series=SERIES, never=NEVER)
    made = tables(comparison, results(SERIES))
    assert len(made["comparison"]["part"]) == len(comparison.rows)
    assert made["episodes"]["truth_start_s"] == [10, 10, None]
    assert made["episodes"]["predicted_end_s"] == [20, 50, 6]
    assert "probabilities" not in made["episodes"]
    for columns in made.values():
        assert len({len(column) for column in columns.values()}) == 1


VIDEOS = {("test", "a"): "0", ("test", "b"): "1", ("train", "a"): "2", ("train", "b"): "3"}


def episode(id_: str, series: str, truth: tuple[float, float] | None = None) -> LabelledEpisode:
    return LabelledEpisode(Episode(id_, series, np.zeros((3, 2), np.float32)), truth)


def test_series_and_siblings_of_train_belong_to_the_test_data() -> None:
    def of(series: str, *train: LabelledEpisode) -> str:
        return hash_of_test_data(train, [episode("a", series)], VIDEOS, ())

    alone = of("x")
    assert of("y") != alone
    assert of("x", episode("a", "other")) == alone  # more to train on is no other test
    with_sibling = of("x", episode("a", "x"))
    assert len({alone, with_sibling, of("x", episode("b", "x"))}) == 3
    assert of("x", episode("a", "x", (1.0, 2.0))) == with_sibling


def test_what_is_leaked_belongs_to_the_test_data() -> None:
    def of(*episodes: tuple[str, tuple[float, float] | None], leaked: Collection[str] = ()) -> str:
        rows = [episode(id_, "any", truth) for id_, truth in episodes]
        return hash_of_test_data([], rows, VIDEOS, leaked)

    a, b = ("a", (1.0, 2.0)), ("b", None)
    hashes = [of(a, b), of(a), of(("a", (1.0, 3.0)), b), of(a, b, leaked=["a"])]
    assert len(set(hashes)) == 4
    assert of(a, b, leaked=["gone"]) == hashes[0]


def test_further_intervals_belong_to_the_data_and_to_what_is_held_out() -> None:
    plain = episode("a", "x", (0.0, 1.0))
    double = replace(plain, further=((2.0, 3.0),))
    hashes = [hash_of_test_data([], [one], VIDEOS, ()) for one in (plain, double)]
    hashes += [hash_of_train_data([one], VIDEOS) for one in (plain, double)]
    assert len(set(hashes)) == 4
    told = OutOfFoldPrediction(
        id="a", series="x", label=None, interval=(0.0, 1.0), confidence=None, further=((2.0, 3.0),)
    )
    [found] = held_out_outcomes([double], [told])
    assert n_found(found, 0.5) == len(found.truths) == 2


def test_what_is_held_out_is_held_against_the_labels_of_train_whatever_test_says() -> None:
    train = [episode("a", "x", (0.0, 2.0)), episode("b", "y")]

    def told(id_: str, interval: tuple[float, float] | None) -> OutOfFoldPrediction:
        return OutOfFoldPrediction(
            id=id_, series="any", label=None, interval=interval, confidence=None
        )

    rows = [told("b", (1.0, 2.0)), told("a", (0.0, 2.0))]  # in any order
    found = held_out_outcomes(train, rows)
    assert [(one.id, one.truth, one.predicted) for one in found] == [
        ("a", (0.0, 2.0), ((0.0, 2.0),)),
        ("b", None, ((1.0, 2.0),)),
    ]
    assert [one.n_seconds for one in found] == [3, 3]
    with pytest.raises(
        InputError, match=r"held_out.json: of other train episodes; run `dvc repro`"
    ):
        held_out_outcomes(train, rows[:1])


def test_labels_and_videos_of_train_belong_to_the_train_data() -> None:
    a = episode("a", "x", (0.0, 2.0))
    hashes = [
        hash_of_train_data([a], VIDEOS),
        hash_of_train_data([a, episode("b", "x")], VIDEOS),
        hash_of_train_data([episode("a", "x", (0.0, 1.0))], VIDEOS),
        hash_of_train_data([a], {**VIDEOS, ("train", "a"): "another"}),
    ]
    assert len(set(hashes)) == 4
    assert hash_of_train_data([a], {**VIDEOS, ("test", "a"): "another"}) == hashes[0]

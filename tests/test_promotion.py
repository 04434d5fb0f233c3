"""The gate between challenger and champion, and the alias that it moves."""

import math
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from conftest import ROOT, run_command
from experiment_cases import copy_empty_store, main_workspace
from skipintro.core.errors import InputError
from skipintro.tracking.champion import CHAMPION
from skipintro.tracking.delivery import CHALLENGER, MODEL_TAG, TEST_DATA_TAG, TRAINED_TAG
from skipintro.tracking.live import COMPLETE_TAG
from skipintro.tracking.promotion import (
    Candidate,
    GateParams,
    Verdict,
    best_challenger,
    judge,
    promote,
)
from skipintro.tracking.report import comparison
from skipintro.tracking.store import Store, connect

METRIC = "episodes/all_without_leaked/intervals/within_3s/f1"
STORY = "episodes/all_without_leaked/intervals/story_s_per_hour"
GATE = GateParams(
    metric=METRIC,
    min_score=0.1,
    min_improvement=0.0,
    story_metric=STORY,
    max_story_s_per_hour=20.0,
)


def candidate(
    version: str,
    score: float | None,
    test_data: str = "a",
    *,
    trained: bool = True,
    story_s_per_hour: float | None = 0.0,
) -> Candidate:
    return Candidate(
        version=version,
        run_id=f"run{version}",
        score=score,
        story_s_per_hour=story_s_per_hour,
        test_data_sha256=test_data,
        trained=trained,
        metrics={} if score is None else {METRIC: score},
    )


def refusals(
    challenger: Candidate, champion: Candidate | None = None, **changes: Any
) -> tuple[str, ...]:
    return judge(challenger, champion, GATE.model_copy(update=changes)).refusals


@pytest.mark.parametrize(
    ("challenger", "champion"),
    [
        (candidate("1", 0.1), None),  # the least score is enough
        (candidate("2", 0.5), candidate("1", 0.4)),
        (candidate("2", 0.5), candidate("1", None)),  # a champion that was never measured
        (candidate("2", 0.5, "b"), candidate("1", None, "a")),
        (candidate("1", 0.5), candidate("2", 0.4)),  # an older version may come back
        (candidate("1", 0.5, story_s_per_hour=20.0), None),  # the most story is no more than that
        (candidate("2", 0.5, story_s_per_hour=9.0), candidate("1", 0.4, story_s_per_hour=1.0)),
    ],
)
def test_a_better_challenger_passes(challenger: Candidate, champion: Candidate | None) -> None:
    verdict = judge(challenger, champion, GATE)
    assert verdict.refusals == ()
    assert (verdict.challenger, verdict.champion) == (challenger, champion)


@pytest.mark.parametrize(
    ("challenger", "champion", "reason"),
    [
        (candidate("2", 0.9, trained=False), None, "untrained"),
        (candidate("2", 0.9, trained=False), candidate("1", 0.4), "untrained"),
        (candidate("2", None), None, f"no metric '{METRIC}'"),
        (candidate("2", None), candidate("1", 0.4), "no metric"),
        (candidate("2", 0.0999), None, "below promote.min_score, 0.1"),
        (candidate("2", math.nan), None, "below promote.min_score"),
        (candidate("2", 0.4), candidate("1", 0.4), "not better than the champion's 0.4000"),
        (candidate("2", 0.3), candidate("1", 0.4), "not better"),
        (candidate("2", math.nan), candidate("1", 0.4), "not better"),
        (candidate("2", 0.9, "b"), candidate("1", 0.4, "a"), "other test data"),
        (candidate("2", 0.9, story_s_per_hour=None), None, f"no metric '{STORY}'"),
        (candidate("2", 0.9, story_s_per_hour=20.1), None, "20.1 s of story an hour, more than"),
        (candidate("2", 0.9, story_s_per_hour=math.nan), None, "max_story_s_per_hour, 20"),
        (
            candidate("2", 0.9, story_s_per_hour=30.0),
            candidate("1", 0.4, story_s_per_hour=40.0),  # the limit is the gate's alone
            "30.0 s of story",
        ),
    ],
)
def test_any_other_challenger_is_refused_with_the_reason(
    challenger: Candidate, champion: Candidate | None, reason: str
) -> None:
    assert any(reason in refusal for refusal in refusals(challenger, champion))


def test_every_reason_is_told_not_just_the_first() -> None:
    worst = candidate("2", 0.05, "b", trained=False, story_s_per_hour=99.0)
    assert len(refusals(worst, candidate("1", 0.4))) == 4


def test_an_improvement_has_to_be_more_than_the_least_one() -> None:
    champion = candidate("1", 0.5)
    assert refusals(candidate("2", 0.75), champion, min_improvement=0.25)
    assert not refusals(candidate("2", 0.7501), champion, min_improvement=0.25)


@pytest.mark.parametrize("score", [0.4, 0.6])
def test_new_test_data_may_be_gone_on_with_whatever_the_champion_s_figures(score: float) -> None:
    champion = candidate("1", 0.5, "a")
    challenger = candidate("2", score, "b")
    [refusal] = judge(challenger, champion, GATE).refusals
    assert "`skipintro promote --version 2 --new-test-data`" in refusal
    assert judge(challenger, champion, GATE, new_test_data=True) == Verdict(
        challenger, champion, ()
    )


def test_new_test_data_excuse_from_nothing_else() -> None:
    champion = candidate("1", 0.5, "a")
    worst = candidate("2", 0.05, "b", trained=False, story_s_per_hour=99.0)
    assert len(judge(worst, champion, GATE, new_test_data=True).refusals) == 3
    [refusal] = judge(candidate("2", 0.4, "a"), champion, GATE, new_test_data=True).refusals
    assert "not better than the champion's" in refusal


@pytest.mark.parametrize(
    ("candidates", "champion", "best"),
    [
        ([candidate("1", 0.5)], None, "1"),
        ([candidate("1", 0.5), candidate("2", 0.7), candidate("3", 0.6)], None, "2"),
        ([candidate("1", 0.5), candidate("2", 0.5)], None, "1"),  # equal: the older
        ([candidate("9", 0.5), candidate("10", 0.5)], None, "9"),  # versions are numbers
        ([candidate("1", 0.9, "old"), candidate("2", 0.5, "new")], None, "2"),
        ([candidate("1", 0.9, trained=False), candidate("2", 0.2)], None, "2"),
        ([candidate("1", None), candidate("2", 0.0)], None, "2"),
        ([candidate("1", 0.4), candidate("2", 0.3)], "1", "2"),
        ([candidate("1", 0.4, "a"), candidate("2", 0.9, "b"), candidate("3", 0.5, "a")], "1", "3"),
        ([candidate("1", 0.4, "a"), candidate("2", 0.9, "b")], "1", "2"),  # judged, then refused
        ([candidate("1", 0.9, trained=False)], None, "1"),  # judged, then refused
    ],
)
def test_the_best_challenger_is_the_best_that_may_be_compared(
    candidates: list[Candidate], champion: str | None, best: str
) -> None:
    holder = next((c for c in candidates if c.version == champion), None)
    found = best_challenger(candidates, holder)
    assert found.version == best


@pytest.mark.parametrize("candidates", [[], [candidate("1", 0.5)]])
def test_without_any_challenger_the_next_step_is_told(candidates: list[Candidate]) -> None:
    champion = next(iter(candidates), None)
    with pytest.raises(
        InputError, match=r"no challenger that can be used is registered; run `dvc repro`"
    ):
        best_challenger(candidates, champion)


def table(
    capsys: pytest.CaptureFixture[str],
    metrics: dict[str, float],
    champion: dict[str, float] | None,
    *,
    equal_too: bool = False,
) -> str:
    """Give what is printed of version 2 against version 1."""
    challenger = replace(candidate("2", metrics.get(METRIC)), metrics=metrics)
    rival = None
    if champion is not None:
        rival = replace(candidate("1", champion.get(METRIC)), metrics=champion)
    comparison(Verdict(challenger, rival, ()), METRIC, equal_too=equal_too)
    return capsys.readouterr().out


OURS = {
    "episodes/all/intervals/predicted": 7.0,
    "windows/test/f1": 0.75,
    "windows/train/f1": 1.0,
    METRIC: 0.5,
}
THEIRS = {
    "episodes/all/intervals/predicted": 6.0,
    "windows/test/f1": 0.75,
    "windows/train/f1": 1.0,
    METRIC: 0.5,
}


def rows(output: str) -> list[list[str]]:
    return [
        line.strip("│").replace("│", " ").split() for line in output.splitlines() if "│" in line
    ]


def test_the_deciding_figure_comes_first_and_then_what_differs_with_counts_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    series = "episodes/all/macro/series"
    output = table(capsys, {**OURS, series: 3.0}, {**THEIRS, series: 2.0})
    assert rows(output) == [
        [METRIC, "0.5000", "0.5000"],
        ["episodes/all/intervals/predicted", "7", "6"],
        [series, "3", "2"],
    ]
    assert "2 more figures, equal in both: --all shows them" in output


def test_a_figure_that_one_of_the_two_lacks_is_a_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = table(capsys, {METRIC: 0.5, "windows/test/f1": 0.75}, {"windows/train/f1": 1.0})
    assert rows(output) == [
        [METRIC, "0.5000"],
        ["windows/test/f1", "0.7500"],
        ["windows/train/f1", "1.0000"],
    ]


def test_without_a_champion_the_deciding_figure_stands_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert rows(table(capsys, OURS, None)) == [[METRIC, "0.5000"]]


def test_all_figures_are_printed_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    output = table(capsys, OURS, THEIRS, equal_too=True)
    assert [row[0] for row in rows(output)] == [METRIC, *sorted(OURS.keys() - {METRIC})]
    assert "more figures" not in output


def test_names_stay_whole_on_one_line_in_a_file_and_are_folded_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    longest = "episodes/all_without_leaked/intervals/probabilities/calibration_error"
    assert f" {longest} " in table(capsys, {longest: 0.5}, {longest: 0.25})
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    output = re.sub(r"\x1b\[[\d;]*m", "", table(capsys, {longest: 0.5}, {longest: 0.25}))
    assert max(map(len, output.splitlines())) <= 60
    assert "…" not in output
    assert longest in "".join(row[0] for row in rows(output) if row)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Path]:
    """Give a checkout's folder with a store of its own."""
    folder = tmp_path_factory.mktemp("promotion")
    copy_empty_store(empty_store, folder)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    with main_workspace(folder):
        yield folder


def register(
    store: Store,
    model: str,
    score: float,
    test_data: str = "a",
    *,
    story_s_per_hour: float = 0.0,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Register a version as the track stage does, without its files."""
    client = store.client
    run = client.create_run(store.experiment_id)
    client.log_metric(run.info.run_id, METRIC, score)
    client.log_metric(run.info.run_id, STORY, story_s_per_hour)
    client.log_metric(run.info.run_id, "episodes/all/intervals/within_3s/f1", score / 2)
    if model not in {known.name for known in client.search_registered_models()}:
        client.create_registered_model(model)
    made = client.create_model_version(
        model,
        source=f"runs:/{run.info.run_id}/detector",
        run_id=run.info.run_id,
        tags={TEST_DATA_TAG: test_data, TRAINED_TAG: "true", **tags},
    )
    client.set_registered_model_alias(model, CHALLENGER, made.version)
    return str(made.version)


def aliases(store: Store, model: str) -> dict[str, str]:
    found = store.client.get_registered_model(model).aliases
    return {alias: str(version) for alias, version in found.items()}


def test_the_champion_moves_only_to_a_better_version(workspace: Path) -> None:
    store = connect("skipintro")
    register(store, "moves", 0.4)
    promote(store, "moves", GATE)
    assert aliases(store, "moves") == {CHAMPION: "1"}

    register(store, "moves", 0.3)
    verdict = promote(store, "moves", GATE)
    assert verdict.refusals
    assert aliases(store, "moves") == {CHAMPION: "1", CHALLENGER: "2"}

    register(store, "moves", 0.6)
    register(store, "moves", 0.9, "b")  # better, but on other test data
    verdict = promote(store, "moves", GATE)
    assert verdict.champion is not None
    assert (verdict.champion.version, verdict.challenger.version) == ("1", "3")
    assert aliases(store, "moves") == {CHAMPION: "3", CHALLENGER: "4"}


def test_a_library_of_its_own_begins_anew_after_a_champion_that_nothing_beats(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = connect("skipintro")
    register(store, "anew", 1.0, "demo")
    promote(store, "anew", GATE)
    register(store, "anew", 1.0, "demo")
    register(store, "anew", 0.9, "ours")
    register(store, "anew", 0.8, "ours")
    [refusal] = promote(store, "anew", GATE).refusals
    assert "1.0000 is not better than the champion's 1.0000" in refusal
    [told] = caplog.messages
    assert told.startswith("version 4, the newest, was not judged, since it was measured on other")
    assert told.endswith("`skipintro promote --new-test-data`")

    verdict = promote(store, "anew", GATE, new_test_data=True)
    assert (verdict.challenger.version, verdict.refusals) == ("3", ())
    assert aliases(store, "anew") == {CHAMPION: "3", CHALLENGER: "4"}
    for new_test_data in (False, True):  # once begun, what was before does not come back
        verdict = promote(store, "anew", GATE, new_test_data=new_test_data)
        assert verdict.challenger.version == "4"
        assert "0.8000 is not better than the champion's 0.9000" in verdict.refusals[0]
    [told] = caplog.messages  # nothing of it any more


def test_new_test_data_are_the_newest_version_s_whoever_that_is(workspace: Path) -> None:
    store = connect("skipintro")
    register(store, "newest", 0.5, "demo")
    register(store, "newest", 0.9, "ours", tags={TRAINED_TAG: "false"})
    register(store, "newest", 0.8, "ours")
    register(store, "newest", 0.7, "ours")
    promote(store, "newest", GATE, "1")
    faults = {"3": "its weights are gone"}
    promote(store, "newest", GATE, new_test_data=True, fault_of=lambda v: faults.get(v, ""))
    assert aliases(store, "newest") == {CHAMPION: "4"}
    for version in ("2", "3"):
        store.client.delete_model_version("newest", version)
    with pytest.raises(InputError, match="no challenger that can be used"):  # the demo's is none
        promote(store, "newest", GATE, new_test_data=True)
    promote(store, "newest", GATE, "1", new_test_data=True)  # unless it is named
    assert aliases(store, "newest") == {CHAMPION: "1"}


def test_a_version_that_cannot_be_used_is_no_rival(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = connect("skipintro")
    for score in (0.6, 0.9, 0.5):
        register(store, "unusable", score)
    promote(store, "unusable", GATE, "1")
    faults = {"1": "of yesterday", "2": "its weights are gone"}

    def fault_of(version: str) -> str:
        return faults.get(version, "")

    verdict = promote(store, "unusable", GATE, fault_of=fault_of)
    assert not verdict.refusals
    assert verdict.champion is None
    assert aliases(store, "unusable") == {CHAMPION: "3"}
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "the champion, version 1, cannot be used: of yesterday",
        "version 2 cannot be used: its weights are gone",
    ]
    with pytest.raises(InputError, match="version 2 cannot be used: its weights are gone"):
        promote(store, "unusable", GATE, "2", fault_of=fault_of)
    faults["3"] = "of yesterday, too"
    with pytest.raises(InputError, match="no challenger that can be used"):
        promote(store, "unusable", GATE, fault_of=fault_of)


@pytest.mark.parametrize("new_test_data", [False, True])
def test_beside_a_champion_that_cannot_be_used_there_may_be_no_version_at_all(
    workspace: Path, new_test_data: bool
) -> None:
    store, model = connect("skipintro"), f"alone-{new_test_data}"
    register(store, model, 0.9)
    promote(store, model, GATE)
    with pytest.raises(InputError, match="no challenger that can be used"):
        promote(store, model, GATE, new_test_data=new_test_data, fault_of=lambda _: "of yesterday")


def test_an_untrained_model_stays_a_challenger(workspace: Path) -> None:
    store = connect("skipintro")
    register(store, "untrained", 0.9, tags={TRAINED_TAG: "false"})
    assert "untrained" in promote(store, "untrained", GATE).refusals[0]
    assert aliases(store, "untrained") == {CHALLENGER: "1"}


def test_a_version_that_skips_too_much_story_stays_a_challenger(workspace: Path) -> None:
    store = connect("skipintro")
    register(store, "hasty", 0.9, story_s_per_hour=21.0)
    [refusal] = promote(store, "hasty", GATE).refusals
    assert "21.0 s of story an hour" in refusal
    assert aliases(store, "hasty") == {CHALLENGER: "1"}
    register(store, "hasty", 0.8, story_s_per_hour=19.0)
    assert not promote(store, "hasty", GATE, "2").refusals
    assert aliases(store, "hasty") == {CHAMPION: "2"}


def test_a_wanted_version_is_judged_instead_of_the_best(workspace: Path) -> None:
    store = connect("skipintro")
    register(store, "wanted", 0.5)
    register(store, "wanted", 0.7)
    assert promote(store, "wanted", GATE, "1").challenger.version == "1"
    assert aliases(store, "wanted")[CHAMPION] == "1"
    with pytest.raises(InputError, match="version 1 is the champion already"):
        promote(store, "wanted", GATE, "1")
    with pytest.raises(InputError, match=r"no version 7; known are (1, 2|2, 1)"):
        promote(store, "wanted", GATE, "7")
    with pytest.raises(InputError, match="no version is registered"):
        promote(store, "nobody", GATE)


def test_a_version_that_was_registered_by_hand_has_no_score_and_does_no_harm(
    workspace: Path,
) -> None:
    store = connect("skipintro")
    register(store, "by-hand", 0.5)
    store.client.create_model_version("by-hand", source="models:/by-hand/1")
    assert promote(store, "by-hand", GATE).challenger.version == "1"
    assert "it has no metric" in " ".join(promote(store, "by-hand", GATE, "2").refusals)


def test_the_command_prints_the_comparison_and_tells_the_outcome_by_its_exit_code(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text(encoding="utf-8"))
    model = params["track"]["model"]
    store = connect(params["track"]["experiment"])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("skipintro.cli.registry._fault_of", lambda *_: "")  # there are no files

    def command(*words: str) -> tuple[int, str, str]:
        return run_command(["promote", *words], monkeypatch, capsys)

    code, _, errors = command()
    assert (code, errors.count("\n")) == (1, 1)
    assert f"error: {model}: no version is registered; run `dvc repro`" in errors

    register(store, model, 0.6)
    code, output, _ = command()
    assert code == 0
    assert "no champion yet" in output
    assert f"{model} version 1 is @champion now" in output

    register(store, model, 0.6321)
    code, output, _ = command()
    assert code == 0
    rows = [line for line in output.splitlines() if "within_3s/f1" in line]
    assert METRIC in rows[0]  # the deciding figure comes first
    assert "0.6321" in rows[0]
    assert "0.6000" in rows[0]
    assert "0.3000" in rows[1]

    register(store, model, 0.55)
    code, output, errors = command("--version", "3")
    assert code == 1
    assert "champion: version 2" in output
    assert errors.startswith("not promoted: ")
    assert "0.5500 is not better than the champion's 0.6321" in errors

    register(store, model, 0.2, "b")
    code, _, errors = command("--version", "4")
    assert code == 1
    assert "`skipintro promote --version 4 --new-test-data`" in errors
    code, output, errors = command("--version", "4", "--new-test-data")
    assert (code, errors.count("\n")) == (1, 1)  # of what is told, that alone is left
    assert "0.2000 is below promote.min_score" in errors
    register(store, model, 0.55, "b")
    code, output, _ = command("--new-test-data")
    assert code == 0
    assert f"{model} version 5 is @champion now" in output

    code, _, errors = command("--version", "9")
    assert (code, errors.count("\n")) == (1, 1)
    assert "no version 9" in errors


def test_a_champion_that_was_measured_again_is_held_to_its_newest_figures(
    workspace: Path,
) -> None:
    store = connect("again")
    first = register(store, "again", 0.9, "old", tags={MODEL_TAG: "m1"})
    assert not promote(store, "again", GATE).refusals
    second = register(store, "again", 0.6, "new", tags={MODEL_TAG: "m2"})
    assert "other test data" in promote(store, "again", GATE, second).refusals[0]

    measured = store.client.create_run(store.experiment_id)
    for key, value in {MODEL_TAG: "m1", COMPLETE_TAG: "true", TEST_DATA_TAG: "new"}.items():
        store.client.set_tag(measured.info.run_id, key, value)
    for name, figure in {METRIC: 0.5, STORY: 0.0}.items():
        store.client.log_metric(measured.info.run_id, name, figure)
    verdict = promote(store, "again", GATE)
    assert verdict.champion is not None
    assert (verdict.champion.version, verdict.champion.score) == (first, 0.5)
    assert aliases(store, "again")[CHAMPION] == second

"""The gate between challenger and champion, and the alias that it moves."""

import math
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from conftest import ROOT, run_command
from experiment_cases import copy_empty_store, main_workspace
from skipintro.cli.versions import comparison
from skipintro.core.errors import InputError
from skipintro.evaluation.gate import (
    Candidate,
    GateParams,
    Verdict,
    VetoParams,
    best_challenger,
    best_usable,
    judge,
)
from skipintro.experiment import DATA_TAGS
from skipintro.tracking.promotion import CHAMPION, REIGN, promote, roll_back
from skipintro.tracking.publish import CHALLENGER, MODEL_TAG, TRAINED_TAG
from skipintro.tracking.runs import COMPLETE_TAG
from skipintro.tracking.store import Store, connect

CHOICE = "detector/held_out/f1_within_3s"
TEST = "detector/test/f1_within_3s"
STORY = "detector/test/story_s_per_hour"
HOURS = "detector/test/hours"
WINDOWS = "windows/test_without_leaked/f1"
GATE = GateParams(
    metric=CHOICE,
    min_score=0.1,
    min_improvement=0.0,
    veto=VetoParams(
        metric=TEST,
        tolerance=0.125,
        story_metric=STORY,
        hours_metric=HOURS,
        max_story_s_per_hour=20.0,
        forgiven_story_s=30.0,
    ),
)
ON_TEST = GateParams(metric=WINDOWS, min_score=0.1, min_improvement=0.0, veto=None)


def candidate(
    version: str,
    score: float | None,
    data: str = "aa",
    *,
    test: float | None = 0.5,
    trained: bool = True,
    story_s_per_hour: float | None = 0.0,
    hours: float = 10.0,
) -> Candidate:
    """Return a version; `data` are the hashes of train and test, a letter each."""
    metrics = {
        CHOICE: score,
        TEST: test,
        STORY: story_s_per_hour,
        HOURS: hours,
        WINDOWS: score,
    }
    return Candidate(
        version=version,
        run_id=f"run{version}",
        model_sha256=f"model{version}",
        data_sha256={"train": data[0], "test": data[1]},
        trained=trained,
        metrics={name: value for name, value in metrics.items() if value is not None},
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
        (candidate("1", 0.5), candidate("2", 0.4)),  # an older version may come back
        (candidate("1", 0.5, story_s_per_hour=23.0), None),  # 20 s an hour, and 30 s of the whole
        (candidate("1", 0.5, story_s_per_hour=170.0, hours=0.2), None),  # 34 s in 12 minutes
        (candidate("2", 0.5, story_s_per_hour=30.0), candidate("1", 0.4, story_s_per_hour=30.0)),
        (candidate("2", 0.5, story_s_per_hour=9.0), candidate("1", 0.4, story_s_per_hour=1.0)),
        (candidate("2", 0.5, test=0.375), candidate("1", 0.4)),  # as much worse as is tolerated
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
        (candidate("2", None), None, f"no metric '{CHOICE}'"),
        (candidate("2", None), candidate("1", 0.4), "no metric"),
        (candidate("2", 0.9, test=None), None, f"no metric '{TEST}'"),
        (candidate("2", 0.0999), None, "below min_score, 0.1"),
        (candidate("2", math.nan), None, "below min_score"),
        (candidate("2", 0.4), candidate("1", 0.4), "not better than the champion's 0.4000"),
        (candidate("2", 0.3), candidate("1", 0.4), "not better"),
        (candidate("2", math.nan), candidate("1", 0.4), "not better"),
        (candidate("2", 0.4, test=0.9), candidate("1", 0.4), "not better"),  # test chooses nothing
        (candidate("2", 0.9, test=0.3), candidate("1", 0.4), "veto of test: its detector/test/f1"),
        (candidate("2", 0.9, test=math.nan), candidate("1", 0.4), "veto of test"),
        (candidate("2", 0.9, "ab"), candidate("1", 0.4), "on other test data than the champion"),
        (candidate("2", 0.9, "ba"), candidate("1", 0.4), "on other train data than the champion"),
        (candidate("2", 0.9), candidate("1", None), f"the champion, version 1, has no {CHOICE}"),
        (candidate("2", 0.9), candidate("1", 0.1, test=None), f"version 1, has no {TEST}"),
        (candidate("2", 0.9, story_s_per_hour=None), None, f"no metric '{STORY}'"),
        (candidate("2", 0.9, story_s_per_hour=23.1), None, "23.1 s of story an hour, in 10.0 h; "),
        (candidate("2", 0.9, story_s_per_hour=171.0, hours=0.2), None, "allowed are 170.0"),
        (candidate("2", 0.9, story_s_per_hour=30.0, hours=0.0), None, "allowed are 20.0"),
        (candidate("2", 0.9, story_s_per_hour=math.nan), None, "allowed are 23.0"),
        (
            candidate("2", 0.9, story_s_per_hour=30.1),
            candidate("1", 0.4, story_s_per_hour=30.0),
            "allowed are 30.0",
        ),
        (
            candidate("2", 0.9, "ab", story_s_per_hour=30.0),
            candidate("1", 0.4, story_s_per_hour=40.0),  # on other episodes
            "allowed are 23.0",
        ),
    ],
)
def test_any_other_challenger_is_refused_with_the_reason(
    challenger: Candidate, champion: Candidate | None, reason: str
) -> None:
    [refusal] = [told for told in refusals(challenger, champion) if reason in told]
    assert refusal


def test_every_reason_is_told_not_just_the_first() -> None:
    worst = candidate("2", 0.05, "ab", trained=False, story_s_per_hour=99.0)
    assert len(refusals(worst, candidate("1", 0.4))) == 5


def test_an_improvement_has_to_be_more_than_the_least_one() -> None:
    champion = candidate("1", 0.5)
    assert refusals(candidate("2", 0.75), champion, min_improvement=0.25)
    assert not refusals(candidate("2", 0.7501), champion, min_improvement=0.25)


def test_whatever_the_labels_of_test_say_they_choose_nothing_and_only_forbid() -> None:
    """As if the labels of test were dealt out anew many times, to all versions alike."""
    rng = np.random.default_rng(0)
    scores = (0.5, 0.7, 0.6, 0.8)
    chosen, forbidden = set(), 0
    for _ in range(200):
        versions = [
            candidate(str(n), score, test=float(test), story_s_per_hour=float(story))
            for n, (score, test, story) in enumerate(
                zip(scores, rng.random(4), rng.uniform(0, 40, 4), strict=True), start=1
            )
        ]
        champion, *_ = versions
        best = best_challenger(versions, champion, GATE)
        chosen.add(best.version)
        told = judge(best, champion, GATE).refusals
        assert all(refusal.startswith("veto of test: ") for refusal in told)
        forbidden += bool(told)
        for version in versions[1:]:  # nor does a good test let pass what train would not
            worse = judge(champion, version, GATE).refusals
            assert any("not better than the champion's" in refusal for refusal in worse)
    assert chosen == {"4"}
    assert 0 < forbidden < 200


def test_the_write_up_s_protocol_chooses_on_test_and_says_so() -> None:
    assert (GATE.chooses_on, ON_TEST.chooses_on) == ("train", "test")
    champion = candidate("1", 0.5, "aa", test=None, story_s_per_hour=None)
    better = candidate("2", 0.6, "ba", test=None, story_s_per_hour=None)
    assert judge(better, champion, ON_TEST).refusals == ()  # more to train on is the same test
    [refusal] = judge(candidate("3", 0.6, "ab"), champion, ON_TEST).refusals
    assert "other test data" in refusal


@pytest.mark.parametrize("score", [0.4, 0.6])
def test_new_test_data_may_be_gone_on_with_whatever_the_champion_s_figures(score: float) -> None:
    champion = candidate("1", 0.5)
    challenger = candidate("2", score, "bb", test=0.0)
    told = judge(challenger, champion, GATE).refusals
    assert len(told) == 2
    assert all("`--version 2 --new-test-data`" in refusal for refusal in told)
    assert judge(challenger, champion, GATE, new_test_data=True) == Verdict(
        challenger, champion, ()
    )


def test_new_test_data_excuse_from_nothing_else() -> None:
    champion = candidate("1", 0.5)
    worst = candidate("2", 0.05, "bb", trained=False, story_s_per_hour=99.0)
    assert len(judge(worst, champion, GATE, new_test_data=True).refusals) == 3
    [refusal] = judge(candidate("2", 0.4), champion, GATE, new_test_data=True).refusals
    assert "not better than the champion's" in refusal
    of_more_train = candidate("2", 0.4, "ba", test=0.1)  # test is the same, and may forbid
    [refusal] = judge(of_more_train, champion, GATE, new_test_data=True).refusals
    assert refusal.startswith("veto of test: ")


@pytest.mark.parametrize(
    ("candidates", "champion", "best"),
    [
        ([candidate("1", 0.5)], None, "1"),
        ([candidate("1", 0.5), candidate("2", 0.7), candidate("3", 0.6)], None, "2"),
        ([candidate("1", 0.5), candidate("2", 0.5)], None, "1"),  # equal: the older
        ([candidate("9", 0.5), candidate("10", 0.5)], None, "9"),  # versions are numbers
        ([candidate("1", 0.9, "oo"), candidate("2", 0.5, "nn")], None, "2"),
        ([candidate("1", 0.9, trained=False), candidate("2", 0.2)], None, "2"),
        ([candidate("1", None), candidate("2", 0.0)], None, "2"),
        ([candidate("1", 0.4), candidate("2", 0.3)], "1", "2"),
        ([candidate("1", 0.4), candidate("2", 0.9, "ab"), candidate("3", 0.5)], "1", "3"),
        ([candidate("1", 0.4), candidate("2", 0.9, "ba"), candidate("3", 0.5)], "1", "3"),
        ([candidate("1", 0.4), candidate("2", 0.9, "bb")], "1", "2"),  # judged, then refused
        ([candidate("1", 0.9, trained=False)], None, "1"),  # judged, then refused
    ],
)
def test_the_best_challenger_is_the_best_that_may_be_compared(
    candidates: list[Candidate], champion: str | None, best: str
) -> None:
    holder = next((c for c in candidates if c.version == champion), None)
    found = best_challenger(candidates, holder, GATE)
    assert found.version == best


@pytest.mark.parametrize(
    ("candidates", "champion", "faulty", "told"),
    [
        ([], None, "", "no challenger that can be used is registered; `dvc repro` and"),
        ([candidate("1", 0.5)], None, "1", "a detector by other labels or params of `fit`"),
        ([candidate("1", 0.5)], "1", "", r"the newest version, 1, is the champion already \(a run"),
        (
            [candidate("1", 0.4), candidate("2", 0.5)],
            "2",
            "1",
            "newest version, 2, is the champion",
        ),
        ([candidate("1", 0.4), candidate("2", 0.5)], "1", "2", "no challenger that can be used"),
    ],
)
def test_without_any_challenger_it_is_told_why_and_what_would_make_one(
    candidates: list[Candidate], champion: str | None, faulty: str, told: str
) -> None:
    holder = next((c for c in candidates if c.version == champion), None)
    with pytest.raises(InputError, match=f"^any: .*{told}"):
        best_usable("any", candidates, holder, GATE, lambda v: "gone" if v == faulty else "")


def table(
    capsys: pytest.CaptureFixture[str],
    ours: dict[str, float],
    theirs: dict[str, float] | None,
    gate: GateParams = GATE,
) -> str:
    """Return what is printed of version 2 against version 1."""
    challenger = replace(candidate("2", None), metrics=ours)
    rival = None if theirs is None else replace(candidate("1", None), metrics=theirs)
    comparison(Verdict(challenger, rival, ()), gate)
    return capsys.readouterr().out


def rows(output: str) -> list[list[str]]:
    return [
        line.strip("│").replace("│", " ").split() for line in output.splitlines() if "│" in line
    ]


def test_the_deciding_figures_come_first_and_then_the_headline_with_counts_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    alarms = "classifier/test/false_alarms"
    ours = {CHOICE: 0.5, TEST: 0.5, STORY: 2.0, "windows/test/f1": 0.75, alarms: 3.0, "test_f1": 1}
    output = table(capsys, ours, {CHOICE: 0.25, alarms: 2.0, "windows/train/f1": 1.0})
    assert rows(output) == [
        [CHOICE, "0.5000", "0.2500"],
        [TEST, "0.5000"],
        [STORY, "2.0000"],
        [alarms, "3", "2"],
        ["windows/test/f1", "0.7500"],
        ["windows/train/f1", "1.0000"],
    ]
    assert "chosen on train; test is a veto" in output
    assert rows(table(capsys, ours, None))[0] == [CHOICE, "0.5000"]


def test_a_choice_on_test_is_called_that(capsys: pytest.CaptureFixture[str]) -> None:
    assert "chosen on test, as in the write-up" in table(capsys, {WINDOWS: 0.5}, None, ON_TEST)


def test_names_stay_whole_on_one_line_in_a_file_and_are_folded_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    longest = "windows/test_without_leaked/a_figure_with_a_name_that_is_too_long_for_it"
    assert f" {longest} " in table(capsys, {longest: 0.5}, {longest: 0.25})
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    output = re.sub(r"\x1b\[[\d;]*m", "", table(capsys, {longest: 0.5}, {longest: 0.25}))
    assert max(map(len, output.splitlines())) <= 60
    assert "…" not in output
    assert longest in "".join(row[0] for row in rows(output) if row)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Path]:
    """Yield a checkout's folder with a store of its own."""
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
    data: str = "aa",
    *,
    test: float = 0.5,
    story_s_per_hour: float = 0.0,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Register a version as the track stage does, without its files."""
    client = store.client
    run = client.create_run(store.experiment_id)
    values = {CHOICE: score, TEST: test, STORY: story_s_per_hour, HOURS: 10.0, WINDOWS: score}
    for name, value in values.items():
        client.log_metric(run.info.run_id, name, value)
    if model not in {known.name for known in client.search_registered_models()}:
        client.create_registered_model(model)
    hashes = dict(zip(DATA_TAGS.values(), data, strict=True))
    made = client.create_model_version(
        model,
        source=f"runs:/{run.info.run_id}/detector",
        run_id=run.info.run_id,
        tags={**hashes, **tags},
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
    register(store, "moves", 0.9, "ab")  # better, but on other test data
    verdict = promote(store, "moves", GATE)
    assert verdict.champion is not None
    assert (verdict.champion.version, verdict.challenger.version) == ("1", "3")
    assert aliases(store, "moves") == {CHAMPION: "3", CHALLENGER: "4"}


def test_a_library_of_its_own_begins_anew_after_a_champion_that_nothing_beats(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = connect("skipintro")
    register(store, "anew", 1.0, "dd")
    promote(store, "anew", GATE)
    register(store, "anew", 1.0, "dd")
    register(store, "anew", 0.9, "oo")
    register(store, "anew", 0.8, "oo")
    [refusal] = promote(store, "anew", GATE).refusals
    assert "1.0000 is not better than the champion's 1.0000" in refusal
    [told] = caplog.messages
    assert told.startswith("version 4, the newest, was not judged, since it was measured on other")
    assert told.endswith("`--new-test-data` goes on with them")  # of either model

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
    register(store, "newest", 0.5, "dd")
    register(store, "newest", 0.9, "oo", tags={TRAINED_TAG: "false"})
    register(store, "newest", 0.8, "oo")
    register(store, "newest", 0.7, "oo")
    promote(store, "newest", GATE, "1")
    faults = {"3": "its weights are gone"}
    promote(store, "newest", GATE, new_test_data=True, fault_of=lambda v: faults.get(v, ""))
    assert aliases(store, "newest") == {CHAMPION: "4"}
    for version in ("2", "3"):
        store.client.delete_model_version("newest", version)
    with pytest.raises(InputError, match=r"4, is the champion already .* on its data"):
        promote(store, "newest", GATE, new_test_data=True)
    promote(store, "newest", GATE, "1", new_test_data=True)  # unless it is named
    assert aliases(store, "newest") == {CHAMPION: "1"}


@pytest.mark.parametrize("model", ["intro-detector", "intro-classifier"])
def test_after_a_run_that_left_the_champion_as_it_was_nothing_is_said_of_running_once_more(
    workspace: Path, caplog: pytest.LogCaptureFixture, model: str
) -> None:
    store, name = connect("skipintro"), f"left-{model}"
    register(store, name, 0.5)
    promote(store, name, GATE)
    with pytest.raises(InputError, match="newest version, 1, is the champion already") as caught:
        promote(store, name, GATE)
    assert "dvc exp run" not in str(caught.value)
    register(store, name, 0.7)
    promote(store, name, GATE)
    [refusal] = promote(store, name, GATE).refusals  # of version 1, which is the only other one
    assert "0.5000 is not better than the champion's 0.7000" in refusal
    [told] = caplog.messages
    assert told.startswith("the newest version, 2, is the champion already")


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
    register(store, "hasty", 0.9, story_s_per_hour=24.0)
    [refusal] = promote(store, "hasty", GATE).refusals
    assert "24.0 s of story an hour" in refusal
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


def reigns(store: Store, model: str) -> list[tuple[str, str]]:
    """Return the versions that were champion, in order, and why."""
    found = store.client.search_model_versions(f"name = '{model}'")
    told = sorted((tag, str(v.version), why) for v in found for tag, why in v.tags.items())
    return [(version, why) for tag, version, why in told if tag.startswith(REIGN)]


def test_the_registry_knows_who_was_champion_when_by_which_gate_and_why(workspace: Path) -> None:
    store = connect("skipintro")
    for score in (0.5, 0.7):
        register(store, "reigns", score)
        promote(store, "reigns", GATE)
    roll_back(store, "reigns", "1", "it skips cold opens")
    assert aliases(store, "reigns") == {CHAMPION: "1"}
    assert reigns(store, "reigns") == [
        ("1", f"gate: {CHOICE} 0.5000, a choice on train"),
        ("2", f"gate: {CHOICE} 0.7000, a choice on train; before: version 1"),
        ("1", "rollback: it skips cold opens; before: version 2"),
    ]
    register(store, "reigns", 0.8, "nn")
    promote(store, "reigns", GATE, new_test_data=True)
    assert reigns(store, "reigns")[-1] == (
        "3",
        f"gate: {CHOICE} 0.8000, a choice on train, on new data; before: version 1",
    )


@pytest.mark.parametrize(
    ("version", "fault"),
    [
        ("1", "version 1 cannot be used: its weights are gone"),
        ("2", "version 2 is the champion already"),
        ("3", "version 3 was never the champion"),
        ("9", "no version 9; known are"),
    ],
)
def test_the_way_back_leads_to_an_earlier_champion_that_can_be_used_alone(
    workspace: Path, version: str, fault: str
) -> None:
    store, model = connect("skipintro"), f"back-{version}"
    for score in (0.5, 0.7):
        register(store, model, score)
        promote(store, model, GATE)
    register(store, model, 0.6)
    before = reigns(store, model)
    with pytest.raises(InputError, match=rf"^{model}: {fault}"):
        roll_back(
            store, model, version, "any", lambda v: "its weights are gone" if v == "1" else ""
        )
    assert aliases(store, model) == {CHAMPION: "2", CHALLENGER: "3"}
    assert reigns(store, model) == before


class Failing:
    """A client that fails in one call, before or after it is made."""

    def __init__(self, client: MlflowClient, name: str, *, is_made: bool) -> None:
        self._client, self._name, self._is_made = client, name, is_made

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*words: Any, **named: Any) -> None:
            if self._is_made:
                method(*words, **named)
            raise MlflowException("lost on the way")

        return call if name == self._name else method


@pytest.mark.parametrize("is_made", [False, True])
@pytest.mark.parametrize("name", ["set_model_version_tag", "set_registered_model_alias"])
def test_a_server_that_dies_within_a_promotion_leaves_the_champion_or_a_whole_new_one(
    workspace: Path, name: str, is_made: bool
) -> None:
    store, model = connect("skipintro"), f"dies-{name}-{is_made}"
    register(store, model, 0.5)
    promote(store, model, GATE)
    register(store, model, 0.7)
    failing = cast(MlflowClient, Failing(store.client, name, is_made=is_made))
    with pytest.raises(MlflowException):
        promote(replace(store, client=failing), model, GATE)
    is_moved = name == "set_registered_model_alias" and is_made
    assert aliases(store, model)[CHAMPION] == ("2" if is_moved else "1")
    assert reigns(store, model)[0][0] == "1"
    if is_moved:
        with pytest.raises(InputError, match="version 2 is the champion already"):
            promote(store, model, GATE, "2")
    else:
        promote(store, model, GATE)
    assert aliases(store, model)[CHAMPION] == "2"
    assert reigns(store, model)[-1][0] == "2"


def test_a_promotion_that_another_one_has_overtaken_changes_nothing(workspace: Path) -> None:
    """By another machine; those of one wait for each other."""
    store = connect("skipintro")
    for score in (0.5, 0.6, 0.7):
        register(store, "overtaken", score)
    promote(store, "overtaken", GATE, "1")

    def overtaken_by_2(_: str) -> str:
        store.client.set_registered_model_alias("overtaken", CHAMPION, "2")
        return ""

    with pytest.raises(InputError, match="version 2 became the champion meanwhile; run again"):
        promote(store, "overtaken", GATE, "3", fault_of=overtaken_by_2)
    assert aliases(store, "overtaken")[CHAMPION] == "2"
    assert [version for version, _ in reigns(store, "overtaken")] == ["1"]


def test_two_promotions_at_once_judge_one_after_the_other(workspace: Path) -> None:
    store = connect("skipintro")
    for score in (0.5, 0.7, 0.6):
        register(store, "at-once", score)
    promote(store, "at-once", GATE, "1")

    def attempt(version: str) -> tuple[str, ...]:
        def slowly(_: str) -> str:
            time.sleep(0.2)
            return ""

        return promote(store, "at-once", GATE, version, fault_of=slowly).refusals

    with ThreadPoolExecutor(2) as pool:
        told = dict(zip("23", pool.map(attempt, "23"), strict=True))
    assert told["2"] == ()
    assert aliases(store, "at-once")[CHAMPION] == "2"
    expected = ["1", "2"] if told["3"] else ["1", "3", "2"]
    assert [version for version, _ in reigns(store, "at-once")] == expected


def test_a_registry_of_the_old_layout_has_no_rival_and_keeps_its_champion(workspace: Path) -> None:
    """Its figures have other names."""
    store, client = connect("skipintro"), connect("skipintro").client
    old = "episodes/all_without_leaked/intervals/within_3s/f1"
    for score in (0.5, 0.7):
        register(store, "old", score)
        version = client.get_model_version_by_alias("old", CHALLENGER)
        run = client.create_run(store.experiment_id)
        client.log_metric(run.info.run_id, old, score)
        client.create_model_version("old", str(version.source), run.info.run_id)
        client.delete_model_version("old", version.version)
    client.set_registered_model_alias("old", CHAMPION, "2")
    assert f"it has no metric {CHOICE!r}" in promote(store, "old", GATE).refusals
    new = register(store, "old", 0.9)
    told = promote(store, "old", GATE, new).refusals
    assert any(f"the champion, version 2, has no {CHOICE} to compare with" in one for one in told)
    assert aliases(store, "old")[CHAMPION] == "2"
    assert not promote(store, "old", GATE, new, new_test_data=True).refusals
    assert aliases(store, "old")[CHAMPION] == new


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `skipintro promote` on versions that have no files."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("skipintro.cli.registry._fault_of", lambda *_: "")
    return lambda *words: run_command(["promote", *words], monkeypatch, capsys)


def test_the_command_prints_the_comparison_and_tells_the_outcome_by_its_exit_code(
    command: Command,
) -> None:
    store, model = connect("skipintro"), "intro-detector"  # as in params.yaml
    code, _, errors = command()
    assert (code, errors.count("\n")) == (1, 1)
    assert f"error: {model}: no version is registered; run `dvc repro`" in errors

    register(store, model, 0.6)
    code, output, _ = command()
    assert code == 0
    assert "no champion yet" in output
    assert f"{model} version 1 is @champion now" in output

    register(store, model, 0.6321)
    code, output, _ = command("--model", model)
    assert code == 0
    assert rows(output)[:2] == [[CHOICE, "0.6321", "0.6000"], [TEST, "0.5000", "0.5000"]]

    register(store, model, 0.55)
    code, output, errors = command("--version", "3")
    assert code == 1
    assert "champion: version 2" in output
    assert errors.startswith("not promoted: ")
    assert "0.5500 is not better than the champion's 0.6321" in errors

    register(store, model, 0.2, "bb")
    code, _, errors = command("--version", "4")
    assert code == 1
    assert "`--version 4 --new-test-data`" in errors
    code, output, errors = command("--version", "4", "--new-test-data")
    assert (code, errors.count("\n")) == (1, 1)  # of what is told, that alone is left
    assert "0.2000 is below min_score" in errors
    register(store, model, 0.55, "bb")
    code, output, _ = command("--new-test-data")
    assert code == 0
    assert f"{model} version 5 is @champion now" in output

    code, _, errors = command("--version", "9")
    assert (code, errors.count("\n")) == (1, 1)
    assert "no version 9" in errors

    code, output, _ = command("--version", "2", "--rollback", "--reason", "it\nwas better")
    assert (code, output) == (0, f"{model} version 2 is @champion now\n")
    assert reigns(store, model)[-1] == ("2", "rollback: it was better; before: version 5")


def test_the_command_promotes_the_classifier_by_its_own_gate(command: Command) -> None:
    store, model = connect("skipintro"), "intro-classifier"  # as in params.yaml
    register(store, model, 0.6, test=0.0, story_s_per_hour=500.0)
    code, output, _ = command("--model", model)
    assert code == 0
    assert "chosen on test, as in the write-up" in output
    assert f"{model} version 1 is @champion now" in output
    code, _, errors = command("--model", "any")
    assert code == 1
    assert errors == (
        "error: --model any: no such model; known are intro-detector and intro-classifier\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--rollback"],
        ["--rollback", "--version", "1"],
        ["--rollback", "--reason", "any"],
        ["--rollback", "--version", "1", "--reason", " "],
        ["--version", "1", "--reason", "any"],
        ["--rollback", "--version", "1", "--reason", "any", "--new-test-data"],
    ],
)
def test_the_way_back_wants_a_version_and_a_reason(command: Command, words: list[str]) -> None:
    code, _, errors = command(*words)
    assert code == 1
    assert errors.startswith("error: --rollback needs --version and --reason")


def test_a_champion_that_was_measured_again_is_held_to_its_newest_figures(
    workspace: Path,
) -> None:
    store = connect("again")
    first = register(store, "again", 0.9, "ao", tags={MODEL_TAG: "m1"})
    assert not promote(store, "again", GATE).refusals
    second = register(store, "again", 0.6, "an", tags={MODEL_TAG: "m2"})
    assert "other test data" in promote(store, "again", GATE, second).refusals[1]

    measured = store.client.create_run(store.experiment_id)
    tags = {"again.sha256": "m1", COMPLETE_TAG: "true", "train_data.sha256": "a"}
    for key, value in {**tags, "test_data.sha256": "n"}.items():
        store.client.set_tag(measured.info.run_id, key, value)
    for name, figure in {CHOICE: 0.5, TEST: 0.5, STORY: 0.0, HOURS: 1.0}.items():
        store.client.log_metric(measured.info.run_id, name, figure)
    verdict = promote(store, "again", GATE)
    assert verdict.champion is not None
    assert (verdict.champion.version, verdict.champion.metrics[CHOICE]) == (first, 0.5)
    assert aliases(store, "again")[CHAMPION] == second

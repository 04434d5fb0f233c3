"""Two of a kind at work on the same files at the same moment."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from conftest import REPRO, Checkout, copy_of
from forked import Forked
from library_cases import Place
from review_cases import OVERRIDES, Reviewed, make_doubtful_checkout, reviewing
from torture.breaking import Expected, Library, forget, started
from torture.conftest import Attack

pytestmark = pytest.mark.slow

BUSY = ("Unable to acquire lock", "is busy, it is being blocked by", "waiting for its end")


@pytest.mark.promise(
    "Of two `dvc repro` at once in one checkout, one works, and the other waits or says that "
    "another is at work; the bytes are right, with one finished run and one version."
)
@pytest.mark.only_from(
    "full",
    "several runs of the whole of DVC",
    held_by="test_stage.py::"
    "test_a_stage_waits_for_one_that_was_left_behind_even_if_that_is_stopped",
)
def test_two_dvc_repro(attack: Attack, reproduced: Checkout, tmp_path: Path) -> None:
    expected = Expected(reproduced)
    for number in attack.cases(full=2):
        checkout = forget(copy_of(reproduced, tmp_path / str(number)), all_of_it=True)
        logs = [tmp_path / f"{number}-{name}.log" for name in ("first", "second")]
        apart = attack.rng.choice((0.0, attack.rng.uniform(0, 8)))
        with attack.case((number, round(apart, 2))), ExitStack() as stack:
            both = []
            for log in logs:
                begun = started(REPRO, checkout.folder, log, checkout.env)
                both.append(stack.enter_context(begun))
                time.sleep(apart)
            codes = [process.wait(600) for process in both]
            told = [log.read_text("utf-8", "replace") for log in logs]
            assert 0 in codes, told
            for code, text in zip(codes, told, strict=True):
                assert "Traceback" not in text, text[-2000:]
                assert code == 0 or any(words in text for words in BUSY), text[-2000:]
            assert "up to date" in checkout.run("dvc", "repro")
            expected.check(checkout)
        shutil.rmtree(checkout.folder)


@pytest.mark.promise(
    "Four queued experiments at once are four finished runs in one store, each with the metrics "
    "of its own files, and none is left running."
)
@pytest.mark.only_from(
    "full",
    "a queue of four",
    held_by="test_pipeline.py::test_queued_experiments_log_into_the_one_store",
)
def test_four_experiments(attack: Attack, reproduced: Checkout, tmp_path: Path) -> None:
    epochs = ["2", "3", "4", "5"]
    checkout = copy_of(reproduced, tmp_path / "checkout")
    checkout.run("dvc", "exp", "run", "--queue", "-S", f"epochs={','.join(epochs)}")
    checkout.run("dvc", "queue", "start", "-j", str(len(epochs)))
    deadline = time.monotonic() + 900
    while "Queued" in (status := checkout.run("dvc", "queue", "status")) or "Running" in status:
        assert time.monotonic() < deadline, status
        time.sleep(5)
    client = MlflowClient(f"sqlite:///{checkout.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("skipintro")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    with attack.case("statuses"):
        assert status.count("Success") == len(epochs), status
        assert [run.info.status for run in runs] == ["FINISHED"] * (len(epochs) + 1)
    told = checkout.run("dvc", "exp", "show", "--json", "--no-pager")
    for epoch in epochs:
        with attack.case(epoch):
            [run] = [run for run in runs if run.data.params["epochs"] == epoch]
            assert run.data.tags["complete"] == "true"
            curve = client.get_metric_history(run.info.run_id, "train_loss")
            assert len(curve) == int(epoch)
            assert f"{run.data.metrics['windows/train/f1']!r}" in told
            found = client.search_model_versions(f"run_id = '{run.info.run_id}'")
            assert [version.name for version in found] == ["intro-classifier"]


@pytest.mark.promise(
    "Two `skipintro detect` at once over one library give the same results and the same whole "
    "files, and their cache stays valid."
)
def test_two_detect(attack: Attack, forks: Forked, place: Place, tmp_path: Path) -> None:
    library = Library(place, tmp_path)
    library.renew()
    told, expected = library.answers(forks).said, library.files()
    for number in attack.cases(quick=1, wide=2, full=20):
        library.renew()
        apart = attack.rng.choice((0.0, attack.rng.uniform(0, 1)))
        with attack.case((number, round(apart, 3))):
            with forks.started(library.job()) as first:
                time.sleep(apart)
                with forks.started(library.job()) as second:
                    both = [first.wait(), second.wait()]
            assert [(done.code, done.said) for done in both] == [(0, told)] * 2, both
            library.check(expected)
            again = library.answers(forks)
            assert again.said == told
            assert again.errors.rstrip().endswith("all is known and in place")


@pytest.mark.promise(
    "Two `skipintro review` at once over one overrides file lose no decision of either."
)
def test_two_reviews(attack: Attack, tmp_path: Path) -> None:
    checkout = make_doubtful_checkout(tmp_path)
    with reviewing(checkout) as first, reviewing(checkout) as second:
        halves = (first, ["contradicted", "unusable"]), (second, ["late", "found"])
        n_rounds = attack.size(quick=10, wide=20, full=100)
        with ThreadPoolExecutor(2) as pool:
            for half in [pool.submit(_decide, page, ids, n_rounds) for page, ids in halves]:
                half.result(300)
        entries = json.loads((checkout.folder / OVERRIDES).read_text("utf-8"))
        for _, ids in halves:
            for id_ in ids[:1]:
                with attack.case(id_):
                    assert entries[id_]["reason"] == f"because of {n_rounds - 1}", entries


def _decide(page: Reviewed, ids: list[str], n_rounds: int) -> None:
    seen = None
    for number in range(n_rounds):
        body = {"start_s": 2.0, "end_s": 18.0, "reason": f"because of {number}"}
        answer = page.ask(
            "POST", "/decisions", {"id": ids[0], "kind": "correct", "seen": seen, **body}
        )
        assert answer.status == 200, answer.body
        [seen] = [d["decision"] for d in answer.json()["doubts"] if d["id"] == ids[0]]

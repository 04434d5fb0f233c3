"""Two of a kind at work on the same files at the same moment."""

import json
import shutil
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from conftest import Checkout, copy_of
from library_cases import make_place
from review_cases import OVERRIDES, Reviewed, make_doubtful_checkout, reviewing
from torture.breaking import Expected, Forker, Library, forget, started
from torture.conftest import Attack

pytestmark = pytest.mark.slow

BUSY = ("Unable to acquire lock", "is busy, it is being blocked by", "waiting for its end")


@pytest.mark.promise(
    "Of two `dvc repro` at once in one checkout, one works, and the other waits or says that "
    "another is at work; the bytes are right, with one finished run and one version."
)
def test_two_dvc_repro(attack: Attack, reproduced: Checkout, tmp_path: Path) -> None:
    expected = Expected(reproduced)
    attack.only_at_full_size("several runs of the whole of DVC")
    for number in range(2):
        checkout = forget(copy_of(reproduced, tmp_path / str(number)), all_of_it=True)
        logs = [tmp_path / f"{number}-{name}.log" for name in ("first", "second")]
        apart = attack.rng.choice((0.0, attack.rng.uniform(0, 8)))
        with attack.case((number, round(apart, 2))), ExitStack() as stack:
            both = []
            for log in logs:
                words = ["dvc", "repro"]
                begun = started(words, checkout.folder, log, checkout.env)
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
def test_four_experiments(attack: Attack, reproduced: Checkout, tmp_path: Path) -> None:
    attack.only_at_full_size("a queue of two is in tests/test_pipeline.py, this one of four")
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
            assert len(found) == 1


@pytest.mark.promise(
    "Two `skipintro detect` at once over one library give the same answers and the same whole "
    "files, and their memory stays sound."
)
def test_two_detect(attack: Attack, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = make_place(tmp_path_factory.mktemp("made"))
    library = Library(made, tmp_path_factory.mktemp("detect"))
    logs = tmp_path_factory.mktemp("logs")
    both = [Forker(logs / name, delay_s=0.02) for name in ("first", "second")]
    try:
        library.renew()
        told, expected = both[0].run(library.words, made.library), library.files()
        for number in attack.cases(full=20, selection=2):
            library.renew()
            apart = attack.rng.choice((0.0, attack.rng.uniform(0, 1)))
            with attack.case((number, round(apart, 3))):
                for forker in both:
                    forker.start(library.words, made.library)
                    time.sleep(apart)
                codes = [forker.wait() for forker in both]
                assert codes == [0, 0], [forker.errors() for forker in both]
                assert [forker.log.read_text("utf-8") for forker in both] == [told, told]
                library.check(expected)
                again = both[0].run(library.words, made.library)
                assert again == told
                assert both[0].errors().rstrip().endswith("all is known and in place")
    finally:
        for forker in both:
            forker.close()


@pytest.mark.promise(
    "Two `skipintro review` at once over one overrides file lose no decision of either."
)
def test_two_reviews(attack: Attack, tmp_path: Path) -> None:
    checkout = make_doubtful_checkout(tmp_path)
    with reviewing(checkout) as first, reviewing(checkout) as second:
        halves = (first, ["contradicted", "unusable"]), (second, ["late", "found"])
        n_rounds = attack.size(full=100, selection=10)
        threads = [
            threading.Thread(target=_decide, args=(page, ids, n_rounds)) for page, ids in halves
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
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

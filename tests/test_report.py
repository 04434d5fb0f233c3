"""The page as a parser of HTML reads it; tests/test_report_page.py opens it in a browser."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from outcome_cases import outcome
from report_cases import HOSTILE, OUTCOMES, jpeg, long_report, named, report
from skipintro.core.files import read_model
from skipintro.evaluation.charts import ticks
from skipintro.evaluation.report import (
    HeadlineFigures,
    Report,
    Verdict,
    episode_row,
    headline_figures,
    picture_seconds,
    probability_path,
    render,
)
from skipintro.evaluation.results import Outcome

VOID = {"meta", "img", "input", "link", "br"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text that is read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.unclosed: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.unclosed and self.unclosed[-1] in {"script", "style"}:
            return
        self.text = f"{self.text} {data}"

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def with_class(self, name: str) -> list[dict[str, str]]:
        return [found for _, found in self.elements if name in found.get("class", "").split()]

    def rows(self) -> list[dict[str, str]]:
        return [found for _, found in self.elements if "data-rank" in found]


def page(outcomes: Sequence[Outcome] = OUTCOMES, **changes: Any) -> Page:
    return Page(render(report(outcomes, **changes)))


def section(found: Page, title: str, following: str) -> str:
    return found.words.rpartition(f" {title} ")[2].partition(f" {following} ")[0]


# --- what an episode's row holds ---


@pytest.mark.parametrize(
    ("name", "verdict", "wrong_s", "iou", "errors"),
    [
        ("exact", Verdict.FOUND, 0.0, 1.0, (0.0, 0.0)),
        ("late", Verdict.FOUND, 4.0, 26 / 30, (2.0, -2.0)),
        ("wide", Verdict.OFF, 25.0, 20 / 45, (-5.0, 20.0)),
        ("missed", Verdict.MISSED, 30.0, 0.0, (None, None)),
        ("alarm", Verdict.FALSE_ALARM, 5.0, None, (None, None)),
        ("none", Verdict.NO_INTRO, 0.0, None, (None, None)),
    ],
)
def test_an_episode_is_judged_by_what_a_player_gets_wrong(
    name: str,
    verdict: Verdict,
    wrong_s: float,
    iou: float | None,
    errors: tuple[float | None, float | None],
) -> None:
    row = episode_row(next(row for row in OUTCOMES if row.id == name))
    assert row.verdict is verdict
    assert row.wrong_s == wrong_s
    assert row.iou == iou
    assert (row.start_error_s, row.end_error_s) == errors


def test_a_second_interval_beside_the_right_one_is_a_failure() -> None:
    assert episode_row(outcome((10, 20), (10, 20), (40, 50))).verdict is Verdict.OFF


def test_a_timeline_is_zoomed_to_half_a_minute_around_all_ends() -> None:
    assert episode_row(outcome((100, 110), (90, 120), n_seconds=600)).zoomed == (60, 150)
    assert episode_row(outcome((5, 10), (50, 55.5), n_seconds=60)).zoomed == (0, 60)
    assert episode_row(outcome(None, n_seconds=60)).zoomed == (0, 60)


def test_pictures_are_taken_at_both_starts_then_at_both_ends() -> None:
    both = outcome((10, 20), (12, 19))
    assert picture_seconds(both) == [10, 12, 20, 19]
    assert picture_seconds(outcome(None, (12, 19))) == [12, 19]
    assert picture_seconds(outcome(None)) == []
    row = episode_row(both, [b"1", b"2", None, b"4"])
    assert [(one.name, one.second, one.jpeg) for one in row.pictures] == [
        ("true start", 10, b"1"),
        ("predicted start", 12, b"2"),
        ("true end", 20, None),
        ("predicted end", 19, b"4"),
    ]
    with pytest.raises(ValueError, match="zip"):
        episode_row(both, [b"1"])


def test_a_probability_path_tells_every_second_in_percent() -> None:
    assert probability_path(np.zeros(0, np.float32)) == ""
    assert probability_path(np.zeros(3, np.float32)) == "M0,100v0h3V100"
    assert (
        probability_path(np.array([0.5, 0.502, 1, 0.004], np.float32))
        == "M0,100v-50h2v-50h1v100h1V100"
    )
    drawn = np.random.default_rng(0).random(500).astype(np.float32)
    percent, height = [], 100
    for step, number in re.findall(r"([hv])(-?\d+)", probability_path(drawn)):
        if step == "v":
            height += int(number)
        else:
            percent += [100 - height] * int(number)
    assert percent == np.rint(drawn * 100).tolist()


# --- the numbers that matter ---


def test_the_headline_tells_known_numbers_without_leaked_episodes() -> None:
    """Of six episodes two of four intros are found by four predictions: F1 is 4 of 8.

    Story skipped: 25 s and 5 s in an hour of six times ten minutes.
    """
    words = page().words
    assert (
        "ours , measured on 6 whole test episodes of 3 series (1.0 hours; 4 with an intro, "
        "2 without); 1 further test episode that stands in train as well is left out."
    ) in words
    assert re.search(r"Intros found, within 3 s 0\.500 F1 95 % interval 0\.\d{3} to 1\.000", words)
    assert re.search(r"Story wrongly skipped 30\.0 s per hour 95 % interval 0\.0 to \d+\.\d", words)
    assert "False alarms 1 of 2 Episodes without an intro" in words
    assert "6 episodes, 3 series, 1.0 hours" in words


def test_the_champion_stands_beside_the_headline_where_there_is_one() -> None:
    assert "champion" not in page().words
    champion = HeadlineFigures(
        name="champion, version 3",
        f1_within_3s=0.25,
        f1_bounds=(0.125, 0.5),
        story_s_per_hour=None,
        false_alarms=0,
        without_intro=0,
    )
    words = page(champion=champion).words
    assert "champion, version 3: 0.250 (0.125 to 0.500)" in words
    assert words.count("champion, version 3: –") == 2


def test_a_word_about_the_champion_stands_below_the_headline() -> None:
    words = page(about_champion="It was measured on other test data.").words
    below = "where nothing can be told. It was measured on other test data. Detectors compared"
    assert below in words


def test_headline_figures_are_those_of_a_row_of_the_comparison() -> None:
    row = report().headline
    found = headline_figures(row, "ours")
    assert found.f1_within_3s == 0.5
    assert found.story_s_per_hour == pytest.approx(30.0)
    assert (found.f1_bounds, found.story_bounds) == (
        row.bounds["within_3s/f1"],
        row.bounds["story_s_per_hour"],
    )
    assert (found.false_alarms, found.without_intro) == (1, 2)


def test_what_cannot_be_told_is_a_dash() -> None:
    found = page([outcome(None)], training={}, facts={})
    assert "Intros found, within 3 s – 95 % interval –" in found.words
    assert "Story wrongly skipped 0.0 s per hour 95 % interval –" in found.words
    assert "False alarms 0 of 1" in found.words
    assert "None" not in found.words
    assert "nan" not in found.words
    assert found.words.count("Nothing to draw") == 4

    found = page([outcome((1, 5), (1, 5), leaked=True)])
    assert "Story wrongly skipped – 95 % interval –" in found.words
    assert "False alarms – Episodes" in found.words
    assert not found.unclosed


def test_an_evaluation_of_nothing_makes_a_page() -> None:
    assert "measured on 0 whole test episodes of 0 series" in page([]).words


def test_notes_are_told_before_the_numbers() -> None:
    words = page(notes=("The episodes are generated.", "The encoder is untrained.")).words
    assert "The episodes are generated. The encoder is untrained." in words
    assert words.index("generated") < words.index("Intros found")


# --- as data ---


def test_a_report_comes_back_from_json_the_same(tmp_path: Path) -> None:
    """Bytes that are no text, what is not a number, and what cannot be told, among it."""
    one = outcome((10, 20), (10, 60), probabilities=(0.25,) * 60)
    pictures = [bytes(range(256)), b"\xff\xd8\xfb\xff", b"", None]
    made = report([one, outcome(None)], episodes=(episode_row(one, pictures),))
    text = made.model_dump_json(indent=2)
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    read = read_model(Report, tmp_path / "report.json")
    assert read.episodes == made.episodes
    assert math.isnan(read.training["test_loss"][1])
    assert render(read) == render(made)
    assert read.model_dump_json(indent=2) == text
    json.loads(text, parse_constant=pytest.fail)  # NaN is no JSON


# --- the comparison ---


def test_each_part_with_episodes_has_a_table_in_which_ours_is_marked() -> None:
    found = page(detectors={"silent": "never finds one"})
    tables = {table["data-slice"]: table for table in found.with_class("table")}
    assert next(iter(tables)) == "all_without_leaked"
    assert [name for name, table in tables.items() if "hidden" not in table] == [
        "all_without_leaked"
    ]
    assert {"all", "seen", "unseen", "leaked", "cold_open"} <= set(tables)
    assert "intro_under_5s" not in tables  # no such episode
    assert len(found.with_class("ours")) == len(tables)
    assert "silent never finds one 0.000 0.000 to 0.000 0.000 0.000" in found.words


# --- the episodes ---


def test_failures_come_first_and_the_worst_of_them_before_all() -> None:
    found = page()
    told = section(found, "Where it fails", "Can it be trusted")
    names = ["missed", "wide", "alarm", "late", "copy", "exact", "none"]
    places = [re.search(rf"[✕✓] [a-z0-9 ,.]+ {name} [abc] ", told) for name in names]
    assert all(places)
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts)
    assert [row["data-failure"] for row in found.rows()] == ["1", "1", "1", "0", "0", "0", "0"]
    assert "✕ more than 3 s off, 25.0 s wrong wide b unseen series cold open" in told
    assert "truth 1:40 to 2:00 predicted 1:35 to 2:20 start, end error −5.0 s, +20.0 s" in told
    assert "IoU 0.44 confidence 0.70" in told
    assert "✕ missed, 30.0 s wrong missed c unseen series corrected label cold open" in told
    assert "copy a leaked truth" in told


def test_a_timeline_draws_truth_prediction_and_probability() -> None:
    probabilities = (0.0,) * 10 + (1.0,) * 10 + (0.0,) * 40
    drawn = page([outcome((10, 20.5), (9, 20), probabilities=probabilities)])
    bars = {one["class"]: one for tag, one in drawn.elements if tag == "rect" and "class" in one}
    assert (bars["truth"]["x"], bars["truth"]["width"]) == ("10.0", "10.5")
    assert (bars["predicted"]["x"], bars["predicted"]["width"]) == ("9.0", "11.0")
    (curve,) = drawn.with_class("curve")
    assert curve["d"] == "M0,100v0h10v-100h10v100h40V100"
    (timeline,) = drawn.with_class("timeline")
    assert (timeline["tabindex"], timeline["role"]) == ("0", "slider")
    assert not page([outcome((10, 20), (9, 20))]).with_class("curve")


def test_a_file_of_two_openings_shows_both() -> None:
    row = episode_row(outcome((10, 20), (10, 20), (40, 50), further=((40, 50),)))
    assert (row.verdict, row.wrong_s, row.zoomed) == (Verdict.FOUND, 0, (0, 60))
    assert episode_row(outcome((10, 20), (10, 20), further=((40, 50),))).verdict is Verdict.OFF
    drawn = page([outcome((10, 20), further=((40, 50),))])
    assert [one["x"] for one in drawn.with_class("truth") if "x" in one] == ["10.0", "40.0"]
    assert "0:10 to 0:20, 0:40 to 0:50" in drawn.words


def test_thumbnails_stand_in_the_page_itself() -> None:
    one = outcome((10, 20), (10, 60))
    found = page([one], episodes=(episode_row(one, [jpeg()] * 3 + [None]),))
    sources = [element["src"] for tag, element in found.elements if tag == "img"]
    assert len(sources) == 3
    assert all(source.startswith("data:image/jpeg;base64,/9j/") for source in sources)
    assert "no picture predicted end, 1:00" in found.words


# --- curves and facts ---


def test_training_curves_leave_out_what_is_not_finite() -> None:
    found = page()
    lines = [one["d"] for one in found.with_class("line") if one["d"] != "M0,4H24"]
    assert not any("nan" in line for line in lines)
    loss, test_loss, f1 = lines[-3:]
    assert (loss.count("L"), test_loss.count("L"), f1.count("L")) == (2, 1, 2)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (1, 30, ["10", "20", "30"]),
        (0, 0.07, ["0.00", "0.02", "0.04", "0.06"]),
        (1, 2, ["1.0", "1.2", "1.4", "1.6", "1.8", "2.0"]),
        (0, 4200, ["0", "1000", "2000", "3000", "4000"]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in ticks(low, high)] == texts


def test_facts_are_told_by_name() -> None:
    words = page(facts={"commit": "0123abc", "encoder": "any"}).words
    assert words.endswith("What it stands on commit 0123abc encoder any")


@pytest.mark.parametrize(
    "training", [{"loss": (1.0,)}, {"epoch": (1.0,), "train_loss": (1.0, 2.0)}]
)
def test_training_needs_an_epoch_for_all(training: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(ValidationError, match="expected one `epoch` for all"):
        report(training=training)


def test_a_detector_that_was_not_compared_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"got theirs/all, expected one of: silent/all, "):
        report(detector="theirs")


# --- one safe file ---


def test_hostile_names_stay_text() -> None:
    """The same elements with the same names of attributes, whatever the names say."""
    harmless, found = (Page(render(named(name))) for name in ("harmless", HOSTILE))
    assert not found.unclosed
    assert [(tag, list(attributes)) for tag, attributes in found.elements] == [
        (tag, list(attributes)) for tag, attributes in harmless.elements
    ]
    words = " ".join(HOSTILE.split())
    assert found.words == harmless.words.replace("harmless", words)
    assert {row["data-series"] for row in found.rows()} == {f"={HOSTILE}"}


def test_half_of_a_surrogate_pair_does_not_keep_the_page_from_being_written() -> None:
    one = replace(OUTCOMES[0], id="half \ud83c")
    assert "half ?" in Page(render(report([one]))).text


def test_the_page_loads_nothing_and_runs_its_own_script_alone() -> None:
    html = render(report())
    found = Page(html)
    assert not re.search(r"https?://|url\(|@import|\bfetch\b|<link|<iframe", html)
    loaded = [one["src"] for _, one in found.elements if "src" in one]
    assert all(source.startswith("data:") for source in loaded)
    assert [one["href"][0] for tag, one in found.elements if tag == "a"] == ["#"] * 5
    (policy,) = (one for tag, one in found.elements if "http-equiv" in one)
    assert policy["content"].startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy["content"]
    assert not [name for _, one in found.elements for name in one if name.startswith("on")]


def test_every_control_has_a_name() -> None:
    html = render(report())
    for tag in ("select", "input"):
        controls = re.findall(rf"<label[^>]*>[^<]*<{tag} ", html)
        assert len(controls) == html.count(f"<{tag} ") > 0
    for timeline in Page(html).with_class("timeline"):
        assert timeline["aria-label"].startswith("Timeline of ")


def test_a_hundred_long_episodes_with_pictures_stay_under_ten_megabytes() -> None:
    assert len(render(long_report()).encode()) < 10_000_000

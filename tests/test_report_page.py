"""The page in a browser: what a reader sorts, filters, points at and sees, in light and dark."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page

from browser_cases import visiting
from outcome_cases import outcome
from report_cases import HOSTILE, OUTCOMES, jpeg, long_report, named, report
from skipintro.evaluation.report import Report, episode_row, render
from skipintro.evaluation.results import Outcome

Opened = Callable[..., AbstractContextManager[Page]]

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def told() -> list[Outcome]:
    """Return the known outcomes, in all of which second 11 has 0.25 and second 110 has 0.75."""
    curve = np.zeros(600, np.float32)
    curve[11], curve[110] = 0.25, 0.75
    return [replace(row, probabilities=curve) for row in OUTCOMES]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Opened:
    """Return a function that opens a report; `looks` are the browser's."""

    def open_it(made: Report, **looks: Any) -> AbstractContextManager[Page]:
        file = tmp_path / "report.html"
        file.write_text(render(made), encoding="utf-8")
        return visiting(browser, file.as_uri(), **looks)

    return open_it


def shown(page: Page) -> str:
    """Return the names of the episodes that are to be seen, in their order."""
    return " ".join(page.locator("#episodes > li:visible h3").all_inner_texts())


def menu(page: Page, name: str) -> Locator:
    return page.get_by_role("combobox", name=name, exact=True)


def timeline(page: Page, episode: str) -> Locator:
    return page.get_by_role("slider", name=f"Timeline of {episode}", exact=True)


def point(page: Page, episode: str, share: float) -> None:
    """Move the mouse over a timeline, to a share of its width."""
    timeline(page, episode).scroll_into_view_if_needed()
    box = timeline(page, episode).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + 40)


def readout(page: Page, episode: str) -> str:
    row = page.locator("#episodes > li", has=timeline(page, episode))
    return row.locator(".readout").inner_text()


def test_episodes_are_sorted_by_every_order(opened: Opened) -> None:
    with opened(report()) as page:
        assert shown(page) == "missed wide alarm late copy exact none"
        for order, names in {
            "series": "copy exact wide alarm late missed none",
            "confidence, highest first": "exact late wide alarm missed copy none",
            "confidence, lowest first": "alarm wide late exact missed copy none",
            "error, worst first": "missed wide alarm late copy exact none",
        }.items():
            menu(page, "Sort by").select_option(label=order)
            assert shown(page) == names


def test_episodes_are_chosen_by_series_part_and_failure_and_counted(opened: Opened) -> None:
    with opened(report()) as page:
        count, none = page.get_by_role("status"), page.get_by_text("No episode fits")
        assert count.inner_text() == "7 of 7 episodes"
        page.get_by_label("only failures").check()
        assert (shown(page), count.inner_text()) == ("missed wide alarm", "3 of 7 episodes")
        menu(page, "Series").select_option(label="b")
        assert (shown(page), count.inner_text()) == ("wide alarm", "2 of 7 episodes")
        assert not none.is_visible()
        menu(page, "Part").select_option(label="leaked: stands in train as well")
        assert (shown(page), count.inner_text()) == ("", "0 of 7 episodes")
        assert none.is_visible()
        page.get_by_role("button", name="Show all").click()
        assert (shown(page), count.inner_text()) == (
            "missed wide alarm late copy exact none",
            "7 of 7 episodes",
        )
        menu(page, "Part").select_option(label="leaked: stands in train as well")
        assert shown(page) == "copy"


def test_one_table_is_seen_at_a_time_that_of_the_part_that_was_chosen(opened: Opened) -> None:
    with opened(report()) as page:
        captions = page.locator("table:visible caption")
        assert captions.all_inner_texts() == [
            "6 episodes of 3 series, 4 with an intro, 1.0 hours",
        ]
        menu(page, "Episodes").select_option(label="all test episodes (7)")
        assert captions.all_inner_texts() == [
            "7 episodes of 3 series, 5 with an intro, 1.2 hours",
        ]


def test_pointing_at_a_timeline_tells_the_second_and_its_probability(opened: Opened) -> None:
    with opened(report(told())) as page:
        line = timeline(page, "late")
        for second, words in ((11, "0:11, probability 0.25"), (599, "9:59, probability 0.00")):
            point(page, "late", (second + 0.5) / 600)
            assert readout(page, "late") == words
            assert line.locator(".cursor").get_attribute("d") == f"M{second + 0.5},0v136"
        assert readout(page, "wide") == ""
        page.mouse.move(0, 0)
        assert readout(page, "late") == ""


def test_a_timeline_without_probabilities_tells_the_second_alone(opened: Opened) -> None:
    with opened(report()) as page:
        timeline(page, "late").focus()
        page.keyboard.press("PageUp")
        assert readout(page, "late") == "0:10"


def test_the_arrow_keys_read_a_timeline_second_by_second(opened: Opened) -> None:
    with opened(report(told())) as page:
        line = timeline(page, "late")
        line.focus()
        for key, words in {
            "PageUp": "0:10, probability 0.00",
            "ArrowRight": "0:11, probability 0.25",
            "ArrowLeft": "0:10, probability 0.00",
            "ArrowUp": "0:11, probability 0.25",
            "ArrowDown": "0:10, probability 0.00",
            "PageDown": "0:00, probability 0.00",
            "End": "9:59, probability 0.00",
            "Home": "0:00, probability 0.00",
        }.items():
            page.keyboard.press(key)
            assert readout(page, "late") == words, key
            assert line.get_attribute("aria-valuetext") == words
        page.keyboard.press("ArrowLeft")  # no second before the first
        assert line.get_attribute("aria-valuenow") == "0"
        page.keyboard.press("Tab")
        assert readout(page, "late") == ""


def test_timelines_are_zoomed_to_the_intro_and_back(opened: Opened) -> None:
    with opened(report(told())) as page:
        line = timeline(page, "wide")
        scale = page.locator("#episodes > li", has=line).locator(".scale")
        menu(page, "Timelines").select_option(label="around the intro")
        assert line.get_attribute("viewBox") == "65 0 105 136"
        assert scale.inner_text().split() == ["1:05", "2:50"]
        point(page, "wide", (110.5 - 65) / 105)
        assert readout(page, "wide") == "1:50, probability 0.75"
        line.focus()
        for key, words in {
            "End": "2:49, probability 0.00",
            "Home": "1:05, probability 0.00",
        }.items():
            page.keyboard.press(key)
            assert readout(page, "wide") == words
        menu(page, "Timelines").select_option(label="whole episode")
        assert line.get_attribute("viewBox") == "0 0 600 136"
        page.mouse.move(0, 0)
        page.keyboard.press("Tab")
        assert scale.inner_text().split() == ["0:00", "10:00"]


FOCUSED = """() => {
  const name = (one) => one.id || one.textContent.trim() || one.getAttribute("aria-label");
  return document.activeElement === document.body ? "" : name(document.activeElement);
}"""


def test_the_tab_key_reaches_every_control_in_reading_order(opened: Opened) -> None:
    links = ["Detectors compared", "Where it fails", "Can it be trusted", "Training"]
    controls = ["sort", "series", "part", "zoom", "only-failures", "reset"]
    order = ["missed", "wide", "alarm", "late", "copy", "exact", "none"]
    with opened(report()) as page:
        reached = []
        for _ in range(30):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(FOCUSED))
            if reached[-1] == "Timeline of none":
                break
    table = next(name for name in reached if name.startswith("6 episodes of 3 series"))
    assert reached == [
        *links,
        "What it stands on",
        "slice",
        table,
        *controls,
        *(f"Timeline of {name}" for name in order),
    ]


def test_the_pictures_at_the_ends_are_shown(opened: Opened) -> None:
    one = outcome((10, 20), (10, 60), n_seconds=90)
    row = episode_row(one, [jpeg((200, 30, 30)), jpeg((30, 200, 30)), jpeg((30, 30, 200)), None])
    with opened(report([one], episodes=(row,))) as page:
        pictures = page.locator(".pictures img")
        pictures.first.scroll_into_view_if_needed()
        drawn = pictures.evaluate_all(
            """async (found) => {
              await Promise.all(found.map((one) => one.decode()));
              return found.map((one) => [one.naturalWidth, one.naturalHeight, one.width > 99]);
            }"""
        )
        assert drawn == [[160, 90, True]] * 3
        assert page.locator(".pictures figcaption").all_inner_texts() == [
            "true start, 0:10",
            "predicted start, 0:10",
            "true end, 0:20",
            "predicted end, 1:00",
        ]
        assert page.locator(".no-picture").inner_text() == "no picture"


def test_hostile_names_are_read_as_they_are_and_nothing_of_them_runs(opened: Opened) -> None:
    with opened(named(HOSTILE)) as page:
        names = page.locator("#episodes > li h3")
        assert {re.sub(r" \d$", "", name or "") for name in names.all_text_contents()} == {HOSTILE}
        assert page.locator("header strong").text_content() == HOSTILE
        menu(page, "Series").select_option(label=" ".join(HOSTILE.split()))
        assert page.get_by_role("status").inner_text() == "7 of 7 episodes"
        assert page.locator("script").count() == 1
        assert page.locator("img").count() == 0


@pytest.mark.parametrize("made", [report(told()), named(HOSTILE), named("W" * 80)])
def test_on_a_phone_nothing_is_wider_than_the_screen(opened: Opened, made: Report) -> None:
    with opened(made, **PHONE) as page:
        for zoom in ("around", "whole"):
            page.locator("#zoom").select_option(zoom)
            width = "document.documentElement.scrollWidth"
            assert page.evaluate(f"[{width}, innerWidth]") == [390, 390]
        assert menu(page, "Sort by").is_visible()


# Contrast of each piece of text with what lies behind it: (text, ratio) of WCAG 2.2, 1.4.3.
CONTRASTS = """() => {
  const parts = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const luminance = (colour) => {
    const [r, g, b] = parts(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (parts(colour)[3] === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !one.checkVisibility() || one.matches(".verdict > span, script, title")) continue;
    const style = getComputedStyle(one);
    const ours = luminance(one.closest("svg") ? style.fill : style.color);
    const theirs = luminance(behind(one));
    const [light, dark] = [Math.max(ours, theirs), Math.min(ours, theirs)];
    found.push([text, (light + 0.05) / (dark + 0.05)]);
  }
  return found;
}"""


def test_text_is_readable_in_light_and_in_dark(opened: Opened) -> None:
    made = report(
        told(), notes=("A note.",), about_champion="A word.", detectors={"ours": "so it works"}
    )
    papers = []
    for scheme in ("light", "dark"):
        with opened(made, color_scheme=scheme) as page:
            papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            contrasts = page.evaluate(CONTRASTS)
            assert {"ours", "A note.", "A word.", "so it works", "wide", "Loss by epoch"} <= {
                text for text, _ in contrasts
            }
            assert [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []
    assert papers == ["rgb(255, 255, 255)", "rgb(21, 24, 28)"]


def test_a_hundred_long_episodes_are_sorted_and_filtered_too(opened: Opened) -> None:
    with opened(long_report()) as page:
        assert page.locator("#episodes h3").first.inner_text() == "episode 99"
        menu(page, "Series").select_option(label="series 4")
        assert page.get_by_role("status").inner_text() == "11 of 100 episodes"

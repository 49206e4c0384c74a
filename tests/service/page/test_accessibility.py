"""For everybody: names, contrasts, keys, screens of any width."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from service.page import chromium
from service.page.chromium import eventually
from service.page.driver import Oracle, Page, questions


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_and_contrasts(page: Page, drawn: Path, oracle: Oracle, scheme: str) -> None:
    chromium.emulate(page.driver, prefers_color_scheme=scheme)
    try:
        page.open()
        eventually(lambda: page("token").is_displayed(), "the form")
        page("token").send_keys("not a token\n")
        sound(page, "signing in")
        page.open(page.service.token())
        sound(page, "the beginning")
        page("go").click()
        for which, decision in (("present", "match"), ("present", "possible"), ("absent", "unknown")):
            page("remove").click() if page("remove").is_displayed() else None
            page.choose(oracle.image_with(which, decision)).search()
            sound(page, decision)
        page("box-add").click()
        page("numbers").click()
        page("enlarge").click()
        sound(page, "a box")
        page("editor-done").click()
        page.one(".tick input").click()
        page("export").click()
        page.one("#export-dialog [type=submit]").click()
        sound(page, "exporting")
        page.one("#export-dialog [data-cancel]").click()
        page.one(".reject").click()
        sound(page, "naming")
        page("name").send_keys("Zoe\n")
        eventually(lambda: page.one(".reject").get_attribute("aria-pressed") == "true", "the rejection")
        page.all(".confirm")[1].click()
        eventually(lambda: page.all(".confirm")[1].get_attribute("aria-pressed") == "true", "the confirmation")
        sound(page, "judged")
        page.refuse_once(409, "another model")
        page("go").click()
        eventually(lambda: page.all(".failure"), "a failure")
        sound(page, "a failure")
        page("view-timeline").click()
        page("person").send_keys("Zoe\n")
        eventually(lambda: page.all(".mark"), "the timeline")
        page.one(".mark").click()
        page.one("#timeline details summary").click()
        sound(page, "the timeline")
    finally:
        chromium.emulate(page.driver)


def sound(page: Page, state: str) -> None:
    assert chromium.nameless(page.driver) == [], state
    contrasts = page.run(chromium.CONTRASTS)
    assert len(contrasts) > 3
    assert [(text, round(ratio, 2)) for text, ratio in contrasts if ratio < 4.5] == [], state


def test_tab_reaches_everything_in_the_order_of_reading(page: Page, drawn: Path) -> None:
    page.open(page.service.token()).choose(questions(drawn, "present")[0])
    page.search()
    page("box-add").click()
    page("numbers").click()
    expected, reached = chromium.tab_order(page.driver)
    assert len(expected) > 50
    assert reached == expected


def test_the_page_has_landmarks_headings_and_a_way_past_them(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open(page.service.token())
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1, landmark
    headings = [int(one.tag_name[1]) for one in page.all("h1, h2, h3") if one.is_displayed() or one.get_attribute("class")]
    assert headings.count(1) == 1 and all(after - before <= 1 for before, after in pairwise(headings))
    assert page.one("html").get_attribute("lang") == "en"
    page.keys(Keys.TAB)
    page.keys(Keys.ENTER)
    assert page.driver.switch_to.active_element == page("main")


def test_focus_is_visible(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open(page.service.token())
    for _ in range(8):
        page.keys(Keys.TAB)
        outline = page.run(
            "const one = document.activeElement.closest('.drop') ?? document.activeElement;"
            "const { outlineStyle, outlineWidth } = getComputedStyle(one); return [outlineStyle, outlineWidth]"
        )
        assert outline == ["solid", "3px"]


@pytest.mark.parametrize("width", [320, 800, 1600])
def test_nothing_is_wider_than_the_screen(page: Page, drawn: Path, width: int) -> None:
    chromium.resize(page.driver, width, 800)
    try:
        page.open(page.service.token()).choose(*questions(drawn, "present")[:2]).search()
        page("box-add").click()
        page("numbers").click()
        page.one(".confirm").click()
        page("name").clear()
        page("name").send_keys("W" * 200 + "\n")
        page.announced("confirmed as W")
        page.one("#matches .identity button").click()
        eventually(lambda: page.all(".mark"), "the timeline")
        for view in ("timeline", "search"):
            page(f"view-{view}").click()
            assert page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, view
        page.one(".reject").click()
        page.announced("rejected")  # the name is that of before, for the other tests
    finally:
        chromium.resize(page.driver, 1280, 900)


def test_nothing_moves_for_those_who_want_it_still(page: Page) -> None:
    chromium.emulate(page.driver, prefers_reduced_motion="reduce")
    try:
        page.open(page.service.token())
        moving = "return [...document.all].filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"
        assert page.run(moving) == 0
    finally:
        chromium.emulate(page.driver)
    assert page.run(moving) > 0, "the test can fail"

"""Who is there: tokens, roles, cameras."""

from __future__ import annotations

from pathlib import Path

import pytest

from resight.service import remove_token
from service.page.chromium import eventually
from service.page.driver import Page, questions


def test_a_token_in_the_address_signs_in_and_leaves_the_address(page: Page) -> None:
    page.open(page.service.token("Desk 7"))
    assert page.driver.current_url == page.service.address
    assert (page.text("account-name"), page.text("account-role")) == ("Desk 7", "operator")
    page.driver.refresh()
    eventually(lambda: page.text("account-name") == "Desk 7", "the session after a reload")
    eventually(lambda: "named people, kept for 365 days" in page.text("statistics"), "the statistics")


def test_a_wrong_token_is_refused_and_a_right_one_asked_for(page: Page) -> None:
    page.expected = ["401"]
    page.open()
    eventually(lambda: page("token").is_displayed(), "the form")
    page("token").send_keys("wrong\n")
    eventually(lambda: "not valid" in page.text("sign-in-problem"), "the reason")
    page("token").send_keys("never this \u2014 one\n")
    eventually(lambda: "not a token" in page.text("sign-in-problem"), "the reason")
    page("token").send_keys(page.service.token() + "\n")
    eventually(lambda: page("query").is_displayed(), "the page")
    page("sign-out").click()
    assert page("token").is_displayed() and not page("query").is_displayed()
    assert page.run("return sessionStorage.length") == 0


def test_who_loses_the_token_is_signed_out_and_sees_nothing_more(page: Page, drawn: Path) -> None:
    page.expected = ["401"]
    page.open(page.service.token("Desk 8")).choose(questions(drawn, "present")[0]).search()
    remove_token(drawn / "access.toml", "Desk 8")
    page("go").click()
    eventually(lambda: "signed out" in page.text("sign-in-problem"), "the form")
    assert not page.all("#matches > li") and not page.all("#strip button")
    assert not page("preview").get_attribute("src")


GATES = """
const [fetched, decoded] = [window.fetch, HTMLImageElement.prototype.decode];
const gate = new Promise((open) => (window.open_gate = open));
if (arguments[0] === "crop") {
  window.fetch = async (path, options) => {
    if (path.includes("best=true")) await gate;
    return fetched(path, options);
  };
} else HTMLImageElement.prototype.decode = async function () {
  await gate;
  return decoded.call(this);
};
"""
AFTER = "window.open_gate(); setTimeout(arguments[0], 500)"


@pytest.mark.parametrize("slow", ["crop", "decoding"])
def test_what_is_slow_does_not_come_back_after_signing_out(page: Page, drawn: Path, slow: str) -> None:
    page.open(page.service.token("Desk 8")).choose(questions(drawn, "present")[0]).search()
    page.one("#camera-list input").click()
    assert page("changed").is_displayed()
    page.run(GATES, slow)
    page.all("#matches .crop button")[2].click()
    page("sign-out").click()
    searches = len([entry for entry in page.service.log() if entry["action"] == "search"])
    page.driver.execute_async_script(AFTER)
    assert page("token").is_displayed() and not page("search-view").is_displayed()
    assert page.text("sign-in-problem") == "" and not page.all("#strip button") and not page.all("#camera-list li")
    page("token").send_keys(page.service.token("Desk 9") + "\n")
    eventually(lambda: page("query").is_displayed() and page.all("#camera-list input"), "the page")
    assert not page("changed").is_displayed() and not page("editor").is_displayed()
    assert all(one.is_selected() for one in page.all("#camera-list input"))
    assert len([entry for entry in page.service.log() if entry["action"] == "search"]) == searches


def test_a_viewer_searches_and_is_offered_nothing_else(page: Page, drawn: Path) -> None:
    page.open(page.service.token("Guest", "viewer")).choose(questions(drawn, "present")[0]).search()
    assert len(page.ids()) == 20
    assert not page.all(".confirm, .reject, .tick") and not page("toolbar").is_displayed()


def test_a_token_for_some_cameras_sees_no_others(page: Page, drawn: Path) -> None:
    page.open(page.service.token("Hall", "viewer", ["hall"])).choose(questions(drawn, "present")[0]).search()
    assert [one.text.split()[0] for one in page.all("#camera-list li")] == ["hall"]
    assert {one.text for one in page.all("#matches dd:nth-of-type(2)")} == {"hall"}
    assert "You may see 1 camera: hall." in page.text("statistics")

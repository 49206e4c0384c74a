"""What goes wrong is told, with a way out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from resight.gallery import Crop, Gallery, Settings, Where
from resight.models.model import Model
from service.page import chromium
from service.page.chromium import eventually
from service.page.driver import Page, check, questions, serve


def test_what_is_no_image_is_named(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no image")
    page.open(page.service.token())
    page("go").click()
    assert "Choose an image" in page.text("query-problem")
    page("files").send_keys(str(tmp_path / "notes.jpg"))
    eventually(lambda: "notes.jpg cannot be read" in page.text("query-problem"), "the reason")


def test_what_is_too_large_is_not_sent(page: Page, tmp_path: Path) -> None:
    (tmp_path / "frame.png").write_bytes(bytes(9_000_000))
    page.open(page.service.token())
    page("files").send_keys(str(tmp_path / "frame.png"))
    eventually(lambda: "frame.png has 9.0 MB; the service takes 8.0 MB." in page.text("query-problem"), "the reason")
    assert not page.all("#strip button")


def test_without_a_connection_it_says_so_and_tries_again(page: Page, drawn: Path) -> None:
    page.expected = ["ERR_INTERNET_DISCONNECTED"]
    page.open(page.service.token()).choose(questions(drawn, "present")[0])
    with chromium.offline(page.driver):
        page("go").click()
        eventually(lambda: page.sentence() == "No connection", "the reason")
        assert page.one("#answer .failure").get_attribute("role") == "alert"
    page.one("#answer button").click()
    eventually(lambda: len(page.ids()) == 20, "an answer")


def test_a_busy_service_is_asked_again_when_it_said(page: Page, drawn: Path) -> None:
    page.open(page.service.token()).choose(questions(drawn, "present")[0])
    page.refuse_once(429, "the queue is full; come again", retry_after="2")
    start = time.monotonic()
    page("go").click()
    eventually(lambda: page.sentence() == "The service is busy" and "Trying again in" in page("answer").text, "the reason")
    eventually(lambda: len(page.ids()) == 20, "an answer without being told to")
    assert time.monotonic() - start >= 2


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (409, "Another model"),
        (413, "The upload is too large"),
        (422, "This cannot be done"),
        (507, "Nothing can be written"),
    ],
)
def test_a_refusal_is_told_in_the_services_words_with_a_way_out(page: Page, drawn: Path, status: int, title: str) -> None:
    page.open(page.service.token()).choose(questions(drawn, "present")[0])
    page.refuse_once(status, "this is what to do")
    page("go").click()
    eventually(lambda: page.sentence() == title, "the reason")
    assert "This is what to do." in page("answer").text
    page.one("#answer button").click()
    eventually(lambda: len(page.ids()) == 20, "an answer to another try")


def test_empty_and_uncalibrated_galleries_say_what_to_do(browser: Any, drawn: Path, student: Model, tmp_path: Path) -> None:
    file = questions(drawn, "present")[0]
    Gallery.create(tmp_path / "gallery", Settings.for_model("student", student, retention=3600)).close()
    with serve(tmp_path, "--max-k", "15") as service:
        page = Page(browser, service)
        page.driver.get(f"{service.address}#token={service.token()}")
        eventually(lambda: "kept for 1 hour" in page.text("statistics"), "the page")
        assert page.text("k").split() == ["10", "15"] and page("k").get_property("value") == "15"
        page.choose(file)
        page("go").click()
        eventually(lambda: page.sentence() == "The gallery is empty.", "the answer")
        assert "resight gallery add" in page("answer").text
        with Gallery.open(tmp_path / "gallery") as gallery:
            gallery.enrol(student, [Crop(source=str(file))])
        page.search()
        assert page.sentence().startswith("Not calibrated") and "resight calibrate" in page("answer").text
        assert not page.all("#matches .band")
        with Gallery.open(tmp_path / "gallery") as gallery:
            gallery.enrol(student, [Crop(source=str(file), camera="door")])
            (unplaced,) = gallery.records(Where(cameras=frozenset({""})))
        page.driver.refresh()
        eventually(lambda: page.all("#camera-list input[value=door]"), "the new camera")
        page.choose(file).one("#camera-list input[value=door]").click()
        page.search()
        assert page.ids() == [unplaced.id], "what has no camera can be asked for too"
        check(page)

"""What is asked and answered: the page shows what the gallery answers in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from resight.gallery import Gallery, Settings, Where
from resight.gallery.tracklets import add_tracklet
from resight.images import decode
from resight.models.model import Model
from service.page.chromium import eventually
from service.page.driver import Oracle, Page, check, questions, serve

SENTENCES = {
    "match": "Match: this person is probably in the gallery.",
    "possible": "Possible: somebody alike is in the gallery.",
    "unknown": "Unknown: nobody in the gallery is near enough.",
}


@pytest.mark.parametrize(("which", "decision"), [("present", "match"), ("present", "possible"), ("absent", "unknown")])
def test_an_upload_is_answered_as_the_gallery_answers(page: Page, oracle: Oracle, which: str, decision: str) -> None:
    file = oracle.image_with(which, decision)
    expected = oracle.search([decode(file.read_bytes())])
    page.open(page.service.token()).choose(file).search()
    assert page.sentence() == SENTENCES[decision]
    assert page.ids() == [match.record.id for match in expected]
    page.announced("20 sightings, the most alike first.")
    assert f"The nearest is at {expected[0].distance:.3f}" in page("answer").text
    shown = [one.text for one in page.all("#matches dd:first-of-type")]
    assert shown == [f"{match.distance:.3f}" for match in expected]
    bands = [one.text.lower() for one in page.all("#matches .band")]
    assert bands == oracle.bands(expected)
    assert all(one.find_elements("css selector", "svg") for one in page.all("#matches .band")), "colour and words alone"
    eventually(lambda: page.run("return document.querySelector('#matches img').naturalWidth") > 0, "a thumbnail")


def test_several_images_are_one_question(page: Page, drawn: Path, oracle: Oracle) -> None:
    files = questions(drawn, "present")[:2]
    page.open(page.service.token()).choose(*files).search()
    assert page.ids() == oracle.ids([decode(file.read_bytes()) for file in files])
    assert "2 images were fused" in page("answer").text
    page("remove").click()
    eventually(lambda: len(page.all("#strip button")) == 1, "one image less")
    page.search()
    assert page.ids() == oracle.ids([decode(files[0].read_bytes())])


DATA = """
const [text, kind, name] = arguments;
const data = new DataTransfer();
data.items.add(new File([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], "image.jpg", { type: "image/jpeg" }));
"""


@pytest.mark.parametrize(
    "script",
    [
        "document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))",
        "document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))",
    ],
    ids=["pasted", "dropped"],
)
def test_images_come_by_other_ways_too(page: Page, drawn: Path, oracle: Oracle, script: str) -> None:
    import base64

    file = questions(drawn, "present")[3]
    page.open(page.service.token())
    page.run(DATA + script, base64.b64encode(file.read_bytes()).decode())
    eventually(lambda: page.all("#strip button"), "the image")
    assert page.search().ids() == oracle.ids([decode(file.read_bytes())])


def test_a_box_is_drawn_with_the_mouse(page: Page, drawn: Path, oracle: Oracle) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    street = decode((drawn / "questions" / "street.png").read_bytes())
    page.open(page.service.token()).choose(drawn / "questions" / "street.png")
    page("enlarge").click()
    stage = page("stage")
    width, height = stage.size["width"], stage.size["height"]
    drawing = ActionChains(page.driver, duration=10).move_to_element_with_offset(stage, round(-0.3 * width), round(-0.4 * height))
    drawing.click_and_hold().move_by_offset(round(0.2 * width), round(0.8 * height)).release().perform()
    x, y, wide, tall = box_of(page)
    # From a fifth to two fifths of the width, and a tenth from above and below: the second person.
    assert abs(np.array([x, y, wide, tall]) - np.array([0.2, 0.1, 0.2, 0.8]) * np.tile(street.shape[1::-1], 2)).max() <= 2
    corner = page.one("[data-corner=se]")
    ActionChains(page.driver, duration=10).drag_and_drop_by_offset(corner, 0, round(-0.2 * height)).perform()
    assert box_of(page)[:3] == [x, y, wide] and abs(box_of(page)[3] - 0.6 * street.shape[0]) <= 2
    ActionChains(page.driver, duration=10).drag_and_drop_by_offset(page("box"), round(0.1 * width), 0).perform()
    moved = box_of(page)
    assert abs(moved[0] - x - 0.1 * street.shape[1]) <= 2 and moved[2] == wide
    page("editor-done").click()
    page.search()
    x, y, wide, tall = moved
    assert page.ids() == oracle.ids([np.ascontiguousarray(street[y : y + tall, x : x + wide])])


def test_a_box_is_drawn_with_a_finger(page: Page, drawn: Path) -> None:
    page.open(page.service.token()).choose(drawn / "questions" / "street.png")
    area = page.run("return stage.getBoundingClientRect().toJSON()")
    for kind, part in (("touchStart", 0.25), ("touchMove", 0.5), ("touchMove", 0.75), ("touchEnd", None)):
        points = [] if part is None else [{"x": area["x"] + part * area["width"], "y": area["y"] + part * area["height"]}]
        page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert abs(np.array(box_of(page)) - [40, 16, 80, 32]).max() <= 2


def test_a_box_is_drawn_with_the_keyboard(page: Page, drawn: Path, oracle: Oracle) -> None:
    from selenium.webdriver.common.keys import Keys

    street = decode((drawn / "questions" / "street.png").read_bytes())
    page.open(page.service.token()).choose(drawn / "questions" / "street.png")
    page("box-add").send_keys(Keys.ENTER)
    assert page.driver.switch_to.active_element == page("box")
    x, y, wide, tall = box_of(page)
    page.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_DOWN)
    step = 2  # a hundredth of the longer side
    assert box_of(page) == [x - 2 * step, y + step, wide, tall]
    page("box").send_keys(Keys.SHIFT, Keys.ARROW_RIGHT)
    page("box").send_keys(Keys.SHIFT, Keys.ARROW_UP)
    assert box_of(page) == [x - 2 * step, y + step, wide + step, tall - step]
    assert f"{wide + step} × {tall - step} pixels" in page("box").get_attribute("aria-label")
    page.keys(*[Keys.ARROW_LEFT] * 200)
    assert box_of(page)[0] == 0, "it stays on the image"
    page("numbers").click()
    for side, value in zip(("x", "y", "width", "height"), (64, 4, 32, 999), strict=True):
        page(f"box-{side}").send_keys(Keys.CONTROL, "a")
        page(f"box-{side}").send_keys(str(value), Keys.TAB)
    assert box_of(page) == [64, 0, 32, 64], "it is fitted into the image"
    page.search()
    assert page.ids() == oracle.ids([np.ascontiguousarray(street[:, 64:96])])
    page("box").send_keys(Keys.DELETE)
    assert not page("box").is_displayed() and page.driver.switch_to.active_element == page("box-add")
    assert page("changed").is_displayed()


def box_of(page: Page) -> list[int]:
    return [int(page(f"box-{side}").get_property("value")) for side in ("x", "y", "width", "height")]


def test_cameras_and_times_filter(page: Page, drawn: Path, oracle: Oracle) -> None:
    file = questions(drawn, "present")[0]
    zone = ZoneInfo("Asia/Tokyo")
    page.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone.key})
    page.open(page.service.token()).choose(file)
    assert page.text("zone") == "(Asia/Tokyo, UTC+09:00)"
    page("cameras-none").click()
    page("go").click()
    assert "No camera is ticked" in page.text("query-problem")
    page.one("#camera-list input[value=hall]").click()
    page.search()
    assert page.ids() == oracle.ids([decode(file.read_bytes())], Where(cameras=frozenset({"hall"})))
    assert "Only 1 of 3 cameras searched" in page("answer").text
    page("cameras-all").click()
    with Gallery.open(drawn / "gallery") as gallery:
        times = sorted(record.time for record in gallery.records() if record.time)
    since, until = (times[len(times) * part // 4].replace(second=0) for part in (1, 3))
    try:
        for id, moment in (("since", since), ("until", until)):
            text = moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
            page.run(
                "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', { bubbles: true }))",
                page(id),
                text,
            )
        page.search()
        expected = oracle.search([decode(file.read_bytes())], Where(since=since, until=until))
        assert page.ids() == [match.record.id for match in expected]
        shown = page.all("#matches time")
        told = [match.record.time.astimezone(zone) for match in expected if match.record.time]
        assert [one.text for one in shown] == [f"{time.day} {time:%b %Y, %H:%M:%S}" for time in told]
        page.run("arguments[0].value = arguments[1]", page("until"), since.astimezone(zone).strftime("%Y-%m-%dT%H:%M"))
        page("go").click()
        assert "The time range is empty" in page.text("query-problem")
        for id, moment in (("since", until + timedelta(days=9)), ("until", until + timedelta(days=10))):
            page.run("arguments[0].value = arguments[1]", page(id), moment.strftime("%Y-%m-%dT%H:%M"))
        page("go").click()
        eventually(lambda: "No sighting there" in page.sentence(), "an empty answer")
        page.one("#answer button").click()
        eventually(lambda: page.ids() == oracle.ids([decode(file.read_bytes())]), "a search of everything")
    finally:
        page.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_a_result_asks_in_its_turn(page: Page, drawn: Path, oracle: Oracle) -> None:
    page.open(page.service.token()).choose(questions(drawn, "present")[0]).search()
    third = page.ids()[2]
    page.all("#matches .crop button")[2].click()
    with Gallery.open(drawn / "gallery") as gallery:
        expected = oracle.ids([decode(gallery.get(third).thumbnail)])
    eventually(lambda: page.ids() == expected, "the answer to the thumbnail")
    assert page.driver.switch_to.active_element == page("results-title")


def test_where_else_looks_behind_all_that_is_known(browser: Any, drawn: Path, student: Model, tmp_path: Path) -> None:
    """45 tracklets of one person are nearer than one of nobody known; only the newest is in the view of the cameras."""
    crop = decode(questions(drawn, "present")[0].read_bytes())
    (look,), rng, now = student.embed([crop]), np.random.default_rng(0), datetime.now(UTC)

    def add(gallery: Gallery, camera: str, number: int, unlike: float) -> str:
        vector = (look + unlike * np.linalg.norm(look) * rng.normal(size=look.shape)).astype(np.float32)
        time = now - timedelta(hours=number)
        path = {"camera": camera, "time": time, "source": "x", "crops": [crop], "embedding": vector, "seconds": 5.0}
        add_tracklet(gallery, name=f"{camera}-{number}", **path)  # type: ignore[arg-type]
        return next(one.id for one in gallery.records() if one.time == time)

    def elsewhere() -> None:
        page("view-cameras").click()
        eventually(lambda: page.one(".person .actions button"), "the person").click()

    with Gallery.create(tmp_path / "gallery", Settings.for_model("student", student, retention=10**7)) as gallery:
        known = [add(gallery, "door", number, 0.001) for number in range(45)]
        hall = add(gallery, "hall", 100, 0.01)
        gallery.label(known, "Ann")
        with serve(tmp_path, "--max-k", "50") as service:
            page = Page(browser, service).open(service.token())
            elsewhere()
            eventually(lambda: page.ids() == [hall], "the other")
            assert "45 tracklets that are known to be this person left out" in page("answer").text
            more = [add(gallery, "door", number, 0.001) for number in range(45, 51)]
            gallery.label(more, "Ann")
            elsewhere()
            eventually(lambda: page.sentence() == "Nowhere else among the nearest 50 tracklets.", "what was looked at")
            gallery.purge(Where(ids=frozenset([hall, *more])))
            elsewhere()
            eventually(lambda: page.sentence() == "Nowhere else.", "nobody else")
            assert "Only 45 tracklets of this person were found" in page("answer").text
            check(page)


def test_object_addresses_are_let_go(page: Page, drawn: Path) -> None:
    page.driver.execute_script("sessionStorage.clear()")
    script = """
    window.held = new Set();
    const [make, free] = [URL.createObjectURL, URL.revokeObjectURL];
    URL.createObjectURL = (thing) => { const url = make(thing); held.add(url); return url; };
    URL.revokeObjectURL = (url) => { held.delete(url); free(url); };
    """
    added = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        page.open(page.service.token()).choose(questions(drawn, "present")[0])
        for _ in range(3):
            page.search()
            eventually(
                lambda: page.run(
                    "return [...document.querySelectorAll('#matches img')].slice(0, 4).every((one) => one.naturalWidth)"
                ),
                "thumbnails",
            )
        assert page.run("return held.size") <= 21, "more than one list of thumbnails, and the image that asks, is held"
        page("sign-out").click()
        assert page.run("return held.size") == 0
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)

"""The room of the cameras, over a gallery that is filled by watching drawn films while the tests look at it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from resight.decision import Calibration
from resight.decision.calibration import OperatingPoint
from resight.decision.confidence import Rate
from resight.drawn.video import Films, generate_video
from resight.gallery import Gallery, Record, Settings, Where
from resight.gallery.strip import crops_in, draw_strip, seconds_in
from resight.models import load_model
from service.page import chromium
from service.page.chromium import eventually
from service.page.driver import Page, Service, check, serve

pytestmark = pytest.mark.slow  # watches three films to their end

FILMS = Films(people=6, cameras=3, seconds=24, rate=5, size=(180, 240), seed=5)
CAMERAS = ("door", "hall", "yard")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Three drawn films, with the true boxes, and a camera that is broken; watched to their end."""
    folder = tmp_path_factory.mktemp("watched")
    model = load_model("student-fastest")
    settings = Settings.for_model("student-fastest", model, retention=86_400)
    Gallery.create(folder / "gallery", settings).close()
    generate_video(folder / "films", FILMS)
    began = datetime.now(UTC) - timedelta(minutes=4)
    (folder / "boxes").mkdir()
    tables = ['[[camera]]\nname = "gate"\nsource = "rtsp://anna:s3cret@127.0.0.1:1/main"\n']
    for number, name in enumerate(CAMERAS, 1):
        lines = (folder / "films" / f"camera-{number}" / "gt" / "gt.txt").read_text().splitlines()
        boxes = [line.split(",") for line in lines if float(line.rpartition(",")[2]) > 0.4]
        (folder / "boxes" / f"{name}.txt").write_text("\n".join(",".join([row[0], "-1", *row[2:6], "1"]) for row in boxes))
        tables.append(f'[[camera]]\nname = "{name}"\nsource = "films/camera-{number}"\nstart = {began.isoformat()}\n')
    (folder / "boxes" / "gate.txt").write_text((folder / "boxes" / "door.txt").read_text())
    (folder / "cameras.toml").write_text("\n".join(tables))
    point = OperatingPoint(wanted=0.1, threshold=0.2, false_positives=Rate(0.0, 0.0, 0.1), misses=None)
    shape = {"height": settings.height, "width": settings.width, "model": "student-fastest", "distance": settings.distance}
    numbers = {"confidence": 0.95, "people": 100, "images": 300, "match": point, "possible": replace(point, threshold=0.3)}
    Calibration(model_sha256=settings.model_sha256, **shape, **numbers).save(folder / "calibration.json")  # type: ignore[arg-type]
    options = ["--watch", str(folder / "cameras.toml"), "--calibration", str(folder / "calibration.json")]
    with serve(folder, *options, "--detector", f"boxes:{folder / 'boxes'}", "--threads", "1") as running:
        over = ["ended", "reconnecting", "ended", "ended"]
        eventually(lambda: [one["state"] for one in states(running).values()] == over, "the end")
        eventually(lambda: all(one.identity for one in records(running)), "names")
        yield running


def states(service: Service) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {service.token('Watcher', 'admin')}"}
    answer = httpx.get(f"{service.address}api/cameras", headers=headers, timeout=60).json()
    return {one["camera"]: one["watched"] for one in answer["cameras"]}


def records(service: Service, **where: Any) -> list[Record]:
    with Gallery.open(service.folder / "gallery") as gallery:
        return gallery.records(Where(**where))


def people(service: Service) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for one in records(service):
        found.setdefault(one.identity, []).append(one)
    return found


@pytest.fixture
def room(browser: Any, watched: Service) -> Iterator[Page]:
    """The room, opened by an operator."""
    page = Page(browser, watched)
    yield enter(page, watched.token("Desk 1"))
    check(page)


def enter(page: Page, token: str) -> Page:
    page.open(token)
    page.run("document.getElementById('lately').value = '3600'")  # also on a slow machine
    page("view-cameras").click()
    eventually(lambda: page.all("#lately-people .person"), "people")
    return page


def card(page: Page, name: str) -> Any:
    return next(one for one in page.all(".person") if one.find_element("css selector", ".person-name").text == name)


def press(page: Page, name: str, words: str) -> None:
    eventually(lambda: press_now(page, name, words), f"{words!r} of {name}")


def press_now(page: Page, name: str, words: str) -> bool:
    next(one for one in card(page, name).find_elements("css selector", "button") if one.text == words).click()
    return True


def click(page: Page, element: Any) -> None:
    """Click in the middle of the window, not under the bar on top."""
    page.run("arguments[0].scrollIntoView({ block: 'center' })", element)
    element.click()


def test_every_camera_tells_its_state(room: Page, watched: Service) -> None:
    cards = {one.find_element("css selector", "h3").text.split("\n")[0]: one.text for one in room.all(".camera")}
    assert list(cards) == ["door", "gate", "hall", "yard"]
    for name, state in states(watched).items():
        word = {"ended": "Ended", "reconnecting": "Reconnecting"}[state["state"]]
        assert word in cards[name]
        assert f"Tracklets\n{state['tracklets']}" in cards[name] and f"Frames\n{state['frames']}" in cards[name]
    assert "no connection" in cards["gate"] and "s3cret" not in room.run("return document.documentElement.outerHTML")


def test_people_with_their_tracklets_on_one_timeline(room: Page, watched: Service) -> None:
    expected = people(watched)
    assert len(expected) > 2 and max(map(len, expected.values())) > 1
    eventually(lambda: len(room.all(".person")) == len(expected), "all people")
    assert {one.text for one in room.all(".person-name")} == set(expected)
    for name, mine in expected.items():
        pictures = card(room, name).find_elements("css selector", ".pass-by")
        by_time = sorted(mine, key=lambda one: str(one.time), reverse=True)
        assert [one.text.split()[0] for one in pictures] == [one.camera for one in by_time]
    rows = room.all("#passes .row-of-camera")[:-1]
    assert [one.text for one in rows] == ["door", "gate", "hall", "yard"]
    colours: dict[str, set[str]] = {}
    for row in rows:
        bars = row.find_elements("css selector", ".pass")
        mine = sorted((one for one in records(watched) if one.camera == row.text), key=lambda one: str(one.time))
        assert sorted(one.get_attribute("data-person") for one in bars) == sorted(one.identity for one in mine)
        by_place = sorted(bars, key=lambda bar: bar.rect["x"])
        assert [one.get_attribute("title").split(", ")[-1][:8] for one in by_place] == [local(one) for one in mine]
        for bar in bars:
            colours.setdefault(bar.get_attribute("data-person"), set()).add(bar.value_of_css_property("background-color"))
    assert all(len(some) == 1 for some in colours.values()) and len(set.union(*colours.values())) == len(expected)
    bar = room.all("#passes .pass")[0]
    room.run("arguments[0].dispatchEvent(new MouseEvent('mouseenter'))", bar)
    assert room.text("passes-hint") == bar.get_attribute("title")
    assert re.search(r"\d\d:\d\d:\d\d to \d\d:\d\d:\d\d$", room.text("passes-hint"))
    room.run("arguments[0].dispatchEvent(new MouseEvent('mouseleave'))", bar)
    name = bar.get_attribute("data-person")
    bar.click()
    assert room.driver.switch_to.active_element == card(room, name)
    loaded = "return [...document.querySelectorAll('.pass-by img')].filter((one) => one.naturalWidth >= 64).length"
    room.run("scrollTo(0, document.body.scrollHeight)")
    eventually(lambda: room.run(loaded) == sum(map(len, expected.values())), "pictures")


def local(record: Record) -> str:
    assert record.time is not None
    return record.time.astimezone().strftime("%H:%M:%S")


def test_a_tracklet_has_one_place_and_the_search_for_elsewhere_leaves_out_what_is_known(room: Page, watched: Service) -> None:
    expected = people(watched)
    name = max(expected, key=lambda one: len(expected[one]))
    press(room, name, "Where else?")
    eventually(lambda: room("search-view").is_displayed() and (room.ids() or room.all("#answer .sentence")), "an answer")
    eventually(lambda: room("results").get_attribute("aria-busy") == "false", "all of it")
    others = {one.id for who, some in expected.items() for one in some if who != name}
    assert set(room.ids()) == others and len(room.ids()) == len(others)  # one place a tracklet
    assert f"{len(expected[name])} tracklet" in room("answer").text and "left out" in room("answer").text
    asked = len({one.camera for one in expected[name]})
    assert len(room.all("#strip button")) == asked > 0
    whole = eventually(lambda: room.all("#matches .crop .whole"), "all crops of a tracklet")[0]
    with Gallery.open(watched.folder / "gallery") as gallery:
        strip = gallery.get(room.ids()[0]).thumbnail
    assert whole.get_property("naturalWidth") == 64 * len(crops_in(strip)) and seconds_in(strip) is not None


def test_an_operator_confirms_splits_and_merges(room: Page, watched: Service) -> None:
    expected, blue = people(watched), "Ms <i>Blue</i>"
    name = max(expected, key=lambda one: len(expected[one]))

    def ids(who: str) -> set[str]:
        return {one.id for one in records(watched, identities={who})}

    def merge(*names: str) -> None:
        for one in names:
            eventually(lambda one=one: card(room, one), one)  # type: ignore[misc]
            click(room, card(room, one).find_element("css selector", "input"))
        click(room, room("merge"))
        assert room("new-name").get_property("value") == blue  # the name that somebody gave, whoever comes first
        room("new-name").send_keys("\n")

    press(room, name, "Give a name …")
    room("new-name").send_keys("person-99\n")
    assert "form of a provisional name" in room.text("new-name-problem")
    room("new-name").clear()
    room("new-name").send_keys(f"{blue}\n")
    eventually(lambda: ids(blue) == {one.id for one in expected[name]}, "the name in the gallery")
    eventually(lambda: "provisional" not in card(room, blue).text, "a confirmed name")
    last = max(expected[name], key=lambda one: str(one.time))
    press(room, blue, "Split off")
    eventually(lambda: ids(blue) == {one.id for one in expected[name]} - {last.id}, "one tracklet less")
    eventually(lambda: records(watched, ids={last.id})[0].identity == "" and card(room, "Unknown person"), "a card of its own")
    merge("Unknown person", blue)
    eventually(lambda: ids(blue) == {one.id for one in expected[name]}, "one person again")
    other = next(one for one in expected if one != name)
    merge(other, blue)
    eventually(lambda: ids(blue) == {one.id for one in [*expected[name], *expected[other]]}, "both")
    eventually(lambda: len(room.all(".person")) == len(expected) - 1, "one card less")
    done = [entry["action"] for entry in watched.log() if entry["who"] == "Desk 1"]
    assert [one for one in done if one not in ("list", "look", "search")] == ["rename", "label", "label", "merge"]


def test_what_a_camera_sees_meanwhile_comes_by_itself(room: Page, watched: Service) -> None:
    with Gallery.open(watched.folder / "gallery") as gallery:
        known = gallery.get(gallery.records()[0].id)
        crops = [np.full((128, 64, 3), 120, np.uint8)] * 2
        new = {"id": "0" * 31 + "1", "time": datetime.now(UTC), "camera": "stairs", "tracklet": "new", "identity": "Newcomer"}
        gallery.add([replace(known, thumbnail=draw_strip(crops, 3), **new)])  # type: ignore[arg-type]
        try:
            eventually(lambda: card(room, "Newcomer"), "the newcomer")
            assert room.one("#passes .row-of-camera:nth-child(4)").text == "stairs"
        finally:
            gallery.purge(Where(ids=frozenset([new["id"]])))  # type: ignore[list-item]


def test_who_may_only_look_and_who_sees_one_camera(browser: Any, watched: Service) -> None:
    page = enter(Page(browser, watched), watched.token("Guest", "viewer"))
    words = {one.text for one in page.all(".person button")}
    assert words <= {"Where else?", "Timeline"} | {word for word in words if word.startswith("Show ")}
    assert not page("merging").is_displayed() and not page.all(".person input")
    check(page)
    page = enter(Page(browser, watched), watched.token("Hall", "viewer", ["hall"]))
    assert [one.text.split("\n")[0] for one in page.all(".camera h3")] == ["hall"]
    mine = {one.identity for one in records(watched, cameras={"hall"})}
    assert {one.text for one in page.all(".person-name")} <= mine | {"Unknown person"}
    assert {one.text.split()[0] for one in page.all(".pass-by")} == {"hall"}
    page("sign-out").click()
    assert not page.all(".person, .camera, .pass")
    check(page)


def test_nobody_lately_leads_to_the_last_ones(room: Page) -> None:
    room.run("const one = document.querySelector('#lately option'); one.value = '1'; one.selected = true")
    room.run("document.querySelector('#lately').dispatchEvent(new Event('change'))")
    button = eventually(lambda: next(one for one in room.all(".nobody button") if one.text == "Show that time"), "a way back")
    assert "Nobody in the last 1 second" in room.one(".nobody").text
    room.run("const one = document.querySelector('#lately option'); one.value = '3600'")
    button.click()
    eventually(lambda: room.all(".person") and "until" in room.text("lately-words"), "the last ones")
    room("lately-now").click()
    eventually(lambda: not room("lately-now").is_displayed() and "until" not in room.text("lately-words"), "now again")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_contrasts_and_the_order_of_tab(room: Page, scheme: str) -> None:
    chromium.emulate(room.driver, prefers_color_scheme=scheme)
    try:
        assert chromium.nameless(room.driver) == []
        contrasts = room.run(chromium.CONTRASTS)
        assert len(contrasts) > 20 and [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []
        expected, reached = chromium.tab_order(room.driver)
        assert len(expected) > 20 and reached == expected
    finally:
        chromium.emulate(room.driver)


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_nothing_is_wider_than_the_screen(room: Page, width: int) -> None:
    chromium.resize(room.driver, width, 800)
    try:
        room.run("document.querySelector('#lately').dispatchEvent(new Event('change'))")
        eventually(lambda: room.all("#passes .pass"), "the timeline")
        assert room.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    finally:
        chromium.resize(room.driver, 1280, 900)

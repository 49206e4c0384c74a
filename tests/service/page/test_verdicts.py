"""What is done with an answer is in the gallery and in the log: confirm, reject, timeline, export."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from datetime import datetime
from pathlib import Path

from resight.gallery import Gallery, Where
from service.page.chromium import eventually
from service.page.driver import Oracle, Page, questions


def test_confirming_and_rejecting_is_written_into_the_gallery(page: Page, oracle: Oracle, drawn: Path) -> None:
    page.open(page.service.token("Desk 3")).choose(questions(drawn, "present")[0]).search()
    first, second, third = page.ids()[:3]
    former = oracle.identity(second)
    page.all(".confirm")[0].click()
    page("name").clear()
    page("name").send_keys("\n")
    assert "Give a name" in page.text("name-problem")
    page("name").send_keys("Ms <b>Blue</b> & Co\n")
    eventually(lambda: oracle.identity(first) == "Ms <b>Blue</b> & Co", "the name in the gallery")
    page.announced("Rank 1 confirmed as Ms <b>Blue</b> & Co.")
    page.all(".confirm")[1].click()
    eventually(lambda: oracle.identity(second) == "Ms <b>Blue</b> & Co", "the name, without being asked again")
    before = oracle.identity(third)
    page.all(".reject")[2].click()
    eventually(lambda: page.all(".reject")[2].get_attribute("aria-pressed") == "true", "the rejection")
    assert oracle.identity(third) == before, "what has another name keeps it"
    page.all(".reject")[1].click()
    eventually(lambda: page.all(".confirm")[1].get_attribute("aria-pressed") == "false", "the rejection of what was confirmed")
    assert former and oracle.identity(second) == former, "it has the name again that it had before"
    names = [one.text for one in page.all("#matches .identity")]
    assert names[0].partition(", was ")[0] == "Ms <b>Blue</b> & Co", "a name is text, not markup"
    assert names[1] == f"{former}, was Ms <b>Blue</b> & Co"
    verdicts = [entry for entry in page.service.log() if entry["action"] == "verdict" and entry["who"] == "Desk 3"]
    assert [entry["details"]["verdict"] for entry in verdicts] == ["confirm", "confirm", "reject", "reject"]
    searched = [entry for entry in page.service.log() if entry["action"] == "search" and entry["who"] == "Desk 3"][-1]
    assert {entry["details"]["search"] for entry in verdicts} == {searched["details"]["search"]}


def test_the_timeline_shows_every_sighting_of_a_person(page: Page, drawn: Path, oracle: Oracle) -> None:
    with Gallery.open(drawn / "gallery") as gallery:
        names = [record.identity for record in gallery.records() if record.identity.startswith("Person")]
        person = max(sorted(set(names)), key=names.count)
        records = sorted(gallery.records(Where(identities=frozenset({person}))), key=lambda record: (record.time, record.id))
    page.open(page.service.token("Desk 4"))
    page("view-timeline").click()
    page("person").send_keys(person + "\n")
    eventually(lambda: page.all(".mark"), "the timeline")
    cameras = sorted({record.camera for record in records})
    assert [one.get_attribute("aria-label") for one in page.all(".row-of-camera[role=group]")] == cameras
    for camera, row in zip(cameras, page.all(".row-of-camera[role=group]"), strict=True):
        marks = row.find_elements("css selector", ".mark")
        assert sum(int(one.text or 1) for one in marks) == sum(record.camera == camera for record in records)
    places = {one.get_attribute("aria-label"): one.rect["x"] for one in page.all(".mark")}
    firsts = [label for label in places if label]
    when = {label: datetime.strptime(re.search(r"\d+ \w+ \d{4}, [\d:]{8}", label)[0], "%d %b %Y, %H:%M:%S") for label in firsts}  # type: ignore[index]
    by_time, by_place = (sorted(firsts, key=key.__getitem__) for key in (when, places))
    assert by_time == by_place, "later is further right"
    page.one("#timeline details summary").click()
    rows = [[cell.text for cell in row.find_elements("css selector", "td")][:2] for row in page.all("#timeline tbody tr")]
    assert [row[1] for row in rows] == [record.camera for record in records]
    mark = page.all(".mark")[0]
    mark.click()
    assert mark.get_attribute("aria-pressed") == "true"
    chosen = len(page.all(".detail .card"))
    assert chosen == int(mark.text or 1)
    rejected = records.index(
        min((record for record in records if record.camera == cameras[0]), key=lambda record: str(record.time))
    )
    page.one(".detail .card .facts button").click()
    eventually(lambda: oracle.identity(records[rejected].id) == "", "the name gone")
    eventually(lambda: len(page.all("#timeline tbody tr")) == len(records) - 1, "one sighting less")
    page.all(".mark")[0].click()
    page.one(".detail .crop button").click()
    eventually(lambda: page("search-view").is_displayed() and len(page.ids()) == 20, "a search with it")
    page("view-timeline").click()
    page("person").clear()
    page("person").send_keys("Nobody\n")
    eventually(lambda: "No sighting is called “Nobody”" in page("timeline").text, "an empty timeline")


def test_an_export_needs_a_reason_and_is_in_the_log(page: Page, drawn: Path, downloads: Path) -> None:
    page.open(page.service.token("Desk 5")).choose(questions(drawn, "present")[0]).search()
    assert not page("export").is_enabled()
    wanted = [page.ids()[rank] for rank in (0, 2)]
    for rank in (0, 2):
        page.all(".tick input")[rank].click()
    before = {path.name for path in downloads.iterdir()}
    page("export").click()
    page.one("#export-dialog [type=submit]").click()
    assert "Give a reason" in page.text("reason-problem")
    page("reason").send_keys("Case 17")
    page.one("#export-dialog [type=submit]").click()
    eventually(lambda: "2 sightings exported" in page.text("notice"), "the export")

    def fresh() -> list[Path]:
        return [path for path in downloads.glob("*.zip") if path.name not in before]

    file = eventually(fresh, "the file")[0]
    with zipfile.ZipFile(file) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("sightings.csv").decode())))
        about = json.loads(archive.read("about.json"))
        assert sorted(row["id"] for row in rows) == sorted(wanted)
        for id in wanted:
            with Gallery.open(drawn / "gallery") as gallery:
                assert archive.read(f"thumbnails/{id}.jpg") == gallery.get(id).thumbnail
    entry = page.service.log()[-1]
    assert (entry["action"], entry["who"]) == ("export", "Desk 5")
    assert about["reason"] == entry["details"]["reason"] == "Case 17"
    assert f"Audit entry {entry['number']} ({entry['sha256'][:12]})" in page.text("notice")


def test_a_person_is_renamed_and_merged_on_the_timeline(page: Page, drawn: Path, oracle: Oracle) -> None:
    with Gallery.open(drawn / "gallery") as gallery:
        names = sorted({record.identity for record in gallery.records() if record.identity.startswith("Person")})[:2]
        ids = [[record.id for record in gallery.records(Where(identities=frozenset({name})))] for name in names]

    def rename(old: str, new: str) -> None:
        page("person").clear()
        page("person").send_keys(old + "\n")
        eventually(lambda: page.text("chart-title") == old, "the timeline")
        next(one for one in page.all("#timeline button") if one.text == "Rename \u2026").click()
        page("new-name").clear()
        page("new-name").send_keys(new + "\n")
        eventually(lambda: page.text("chart-title") == new, "the timeline of the new name")

    page.open(page.service.token("Desk 9"))
    page("view-timeline").click()
    rename(names[0], "Zo\u00eb")
    assert {oracle.identity(id) for id in ids[0]} == {"Zo\u00eb"}
    rename("Zo\u00eb", names[1])
    assert {oracle.identity(id) for id in ids[0] + ids[1]} == {names[1]}
    assert [entry["action"] for entry in page.service.log() if entry["action"] in ("rename", "merge")][-2:] == ["rename", "merge"]

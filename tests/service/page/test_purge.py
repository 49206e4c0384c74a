"""The progress of a purge is on the page, for those who may see it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import threading
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from resight.gallery import Gallery
from service.page.chromium import eventually
from service.page.driver import Page, Service, check, serve


def purge(service: Service, camera: str) -> None:
    headers = {"Authorization": f"Bearer {service.token('Cleaner', 'admin')}", "Content-Type": "application/json"}
    body = json.dumps({"cameras": [camera], "dry_run": False}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{service.address}api/purge", body, headers), timeout=90).close()


def test_a_purge_is_followed_also_after_a_reload(browser: Any, drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn / "gallery", tmp_path / "gallery")
    (tmp_path / "gallery" / "audit.jsonl").unlink(missing_ok=True)
    with Gallery.open(tmp_path / "gallery") as gallery:
        (camera, of), (other, _), *_ = ((name, camera.sightings) for name, camera in gallery.cameras().items())
        names, left = set(gallery.cameras()), len(gallery) - of
    with serve(tmp_path) as service, closing(sqlite3.connect(tmp_path / "gallery" / "gallery.sqlite")) as reader:
        page = Page(browser, service)
        page.open(service.token("Boss", "admin"))
        assert not page("purge").is_displayed()
        reader.execute("BEGIN").execute("SELECT count(*) FROM sighting").fetchone()  # for which a purge waits
        cleaner = threading.Thread(target=purge, args=(service, camera))
        cleaner.start()
        words = f"0 of {of} sightings deleted without a trace."
        runs = re.compile(f"Purge since [0-9:]+: {re.escape(words)}").fullmatch
        eventually(lambda: runs(page.text("purge-words")), "the purge")
        page.announced("Purge since")
        page.driver.refresh()
        eventually(lambda: runs(page.text("purge-words")), "the purge, after a reload")
        eventually(lambda: page.one(f"#camera-list input[value={other}]"), "the cameras").click()
        assert page("purge-bar").is_displayed() and page("purge-bar").get_attribute("max") == str(of)
        reader.rollback()
        eventually(lambda: page.text("purge-words") == words.replace("0", f"The purge has ended: {of}", 1), "its end")
        assert not page("purge-bar").is_displayed()
        eventually(lambda: page.text("statistics").startswith(f"{left} sightings"), "the new numbers")
        boxes = "[...document.querySelectorAll('#camera-list input')].map((box) => [box.value, box.checked])"
        ticks = dict(page.run(f"return {boxes}"))
        assert ticks == {name: name != other for name in names if name != camera}, "who was left out stays left out"
        cleaner.join()
        page("sign-out").click()
        for token in (service.token("Hall", "admin", [other]), service.token("Desk", "operator")):
            page.open(token)
            assert not page("purge").is_displayed()
        check(page)

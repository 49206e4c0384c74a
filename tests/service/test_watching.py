"""Cameras watched beside the routes: their states, what becomes of their tracklets, and a full disk."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from cameras.films import frame, place, walk, write_folder
from gallery.fakes import ColourModel, make_settings
from resight.cameras import Detections, Frame, Source, open_source
from resight.cameras.detectors import Detector
from resight.cameras.events import EventLog
from resight.cameras.links import Limits
from resight.cameras.plan import read_plan
from resight.cameras.sources import FolderSource, open_sources
from resight.errors import StorageError, VideoError
from resight.gallery import Gallery
from resight.service import AuditLog
from resight.service import watching as module
from resight.service.app import create_app
from resight.service.lifecycle import Service
from resight.service.watching import Watching
from service.worlds import TestClient, World


class Truth(Detector):
    """Knows where the people of `cameras.films` are."""

    name = "truth"

    def detect(self, given: Frame) -> Detections:
        boxes = [box for person in range(2) if (box := place(person, given.index % 100)) is not None and box[2] - box[0] >= 8]
        return Detections(np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.9))


class Alike(NamedTuple):
    """Stands for a calibration: up to this distance, two are one person."""

    distance: float

    def limits(self) -> Limits:
        return Limits(lambda vector: self.distance)


class Live(FolderSource):
    """A stream that shows the pictures of a folder again and again, ten times as fast as its clock says."""

    live = True

    def frames(self) -> Iterator[Frame]:
        began, self.dated = time.time(), True
        pictures = list(super().frames())
        for number in itertools.count():
            self.counts.frames += 1
            yield replace(pictures[number % len(pictures)], index=number, time=began + number / 10)
            time.sleep(0.01)


class Street:
    """A gallery without sightings, served while cameras are watched."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack, self.model = folder, stack, ColourModel()
        self.gallery = Gallery.create(folder / "gallery", make_settings(distance="cosine"))
        self.audit = AuditLog(folder / "audit.jsonl")
        stack.callback(self.gallery.close)
        stack.callback(self.audit.close)
        self.service = stack.enter_context(Service(self.gallery, self.model, self.audit, World.find))
        self.film = write_folder(folder / "film", [frame(n) for n in range(100)])

    def watch(self, *sources: Source, **options: Any) -> Watching:
        made = Watching(self.gallery, self.model, self.service.log, sources, Truth(), **options)
        self.service.watching = made
        return made

    def client(self, token: str = "admin") -> TestClient:
        headers = {"Authorization": f"Bearer {token}"}
        return TestClient(create_app(self.service), base_url="http://localhost", headers=headers)

    def cameras(self, token: str = "admin") -> dict[str, Any]:
        return {one["camera"]: one for one in self.client(token).get("/api/cameras").json()["cameras"]}

    def logged(self) -> list[tuple[str, str]]:
        return [(entry["who"], entry["action"]) for entry in self.audit.newest(1000)][::-1]


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    with ExitStack() as stack:
        yield Street(tmp_path, stack)


def eventually(look: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not look():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_cameras_see_is_in_the_gallery_and_in_the_log_before(street: Street) -> None:
    plan = street.folder / "cameras.toml"
    plan.write_text(
        '[[camera]]\nname = "door"\nsource = "film"\nstart = 2026-03-01T12:00:00Z\n'
        '[[camera]]\nname = "hall"\nsource = "text.mp4"\n[[camera]]\nname = "yard"\nsource = "none.mp4"\n'
        '[[camera]]\nname = "gate"\nsource = "rtsp://anna:s3cret@127.0.0.1:1/main"\n[[camera]]\nname = "roof"\n'
    )
    (street.folder / "text.mp4").write_text("no video")
    read = read_plan(plan)
    sources, refused = open_sources(read.sources.items(), read.starts)
    events = EventLog(street.folder / "events.jsonl")
    street.stack.callback(events.close)
    watching = street.watch(*sources, refused=refused, calibration=Alike(0.0), plan=read, events=events)
    assert {one["watched"]["state"] for one in street.cameras().values()} == {"starting", "failed"}
    with watching:
        eventually(
            lambda: (found := street.cameras())["door"]["watched"]["state"] == "ended" and found["gate"]["watched"]["reason"]
        )
        found = street.cameras()
    assert {name: one["watched"]["state"] for name, one in found.items()} == {
        "door": "ended", "gate": "reconnecting", "hall": "failed", "yard": "failed"
    }  # fmt: skip
    door = found["door"]["watched"]
    assert (door["frames"], door["dropped"], door["tracklets"], door["in_view"]) == (100, 0, 2, 0)
    assert datetime.fromisoformat(door["last"]) == datetime(2026, 3, 1, 12, 0, 9, 900_000, UTC)
    assert "no connection" in found["gate"]["watched"]["reason"] and found["gate"]["sightings"] == 0
    assert "not a video" in found["hall"]["watched"]["reason"] and "no file" in found["yard"]["watched"]["reason"]
    assert str(street.folder) in found["hall"]["watched"]["reason"] and "s3cret" not in json.dumps(found)
    viewer = street.cameras("viewer")
    assert str(street.folder) not in json.dumps(viewer) and "text.mp4: not a video" in viewer["hall"]["watched"]["reason"]
    assert street.cameras("operator@hall").keys() == {"hall"}

    records = street.gallery.records()
    assert [(one.camera, one.identity) for one in records] == [("door", "person-1"), ("door", "person-2")]
    written = [json.loads(line) for line in (street.folder / "events.jsonl").read_text().splitlines()]
    assert [one["event"] for one in written if "person" in one] == ["new person"] * 2
    assert street.logged() == [("cameras", "enrol"), ("cameras", "label")] * 2
    people = street.client().post("/api/people/list", json={"since": "2026-03-01T12:00", "until": "2026-03-01T12:01"}).json()
    assert [one["identity"] for one in people["people"]] == ["person-2", "person-1"]
    assert all(one["tracklets"][0]["end"] for one in people["people"])
    with street.watch(*open_sources(read.sources.items(), read.starts)[0], calibration=Alike(0.0), plan=read) as again:
        eventually(lambda: again.states()[0].state == "ended")
    assert street.gallery.records() == records and street.logged()[4:] == [("admin", "list")]


def test_the_end_closes_the_tracklets_of_streams_and_takes_no_long_time(street: Street) -> None:
    with street.watch(Live("door", str(street.film))) as watching:
        eventually(lambda: watching.states()[0].in_view)
        first = watching.states()[0]
        assert first.state == "running" and first.last is not None
        eventually(lambda: watching.states()[0].last > first.last + 1)  # type: ignore[operator]
        before = len(street.gallery)
        began = time.monotonic()
    assert time.monotonic() - began < 8 and len(street.gallery) > before
    assert watching.states()[0].tracklets == len(street.gallery)


def test_an_operator_s_word_is_taken_up_between_two_frames(street: Street) -> None:
    client = street.client("operator")
    with street.watch(Live("door", str(street.film)), Live("hall", str(street.film)), calibration=Alike(2.0)):
        eventually(lambda: len(street.gallery) >= 2 and all(one.identity for one in street.gallery.records()))
        first = street.gallery.records()[0]
        eventually(lambda: len([one for one in street.gallery.records() if one.identity == first.identity]) > 1)
        assert client.post("/api/label", json={"ids": [first.id], "identity": ""}).status_code == 200
        eventually(lambda: street.gallery.get(first.id).identity not in ("", first.identity))
        assert street.gallery.get(first.id).identity.startswith("person-")


def test_a_full_disk_loses_no_tracklet(street: Street, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.05)
    full, before = threading.Event(), AuditLog.append
    full.set()

    def append(self: AuditLog, acts: Any) -> Any:
        if full.is_set():
            raise StorageError("cannot write /srv/audit.jsonl: No space left on device; free space")
        return before(self, acts)

    monkeypatch.setattr(AuditLog, "append", append)
    with street.watch(open_source("door", str(walk(street.folder / "a.mp4", 90)))) as watching:
        eventually(lambda: watching.trouble)
        told = street.client().get("/api/cameras").json()["trouble"]
        assert told == watching.trouble and "srv" not in told and len(street.gallery) == 0
        full.clear()
        eventually(lambda: watching.states()[0].state == "ended" and len(street.gallery) == 2)
        assert watching.trouble == ""
    messages = [record.getMessage() for record in caplog.records]
    assert len([one for one in messages if "cannot be kept" in one]) == 1 and any("kept again" in one for one in messages)


def test_a_file_of_cameras_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "cameras.toml").write_text('[[camera]]\nname = "door"\nsource = "none.mp4"\n')
    with pytest.raises(VideoError, match="door: there is no file or folder"):
        open_sources(read_plan(tmp_path / "cameras.toml").sources.items(), {})

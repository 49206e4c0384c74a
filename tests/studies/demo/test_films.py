"""The demo's films: drawn people walk from camera to camera, and are in the gallery."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from gallery.fakes import make_sighting
from resight.decision import Calibration
from resight.decision.calibration import OperatingPoint
from resight.decision.confidence import Rate
from resight.gallery import Gallery, Settings
from resight.models import load_model
from resight.studies.demo.films import FILMS, watch_films


def test_who_walks_in_the_films_is_in_the_gallery_once(tmp_path: Path) -> None:
    settings = Settings.for_model("student-fastest", load_model("student-fastest"), retention=None)
    point = OperatingPoint(wanted=0.1, threshold=0.2, false_positives=Rate(0.0, 0.0, 0.1), misses=None)
    values = {name: getattr(settings, name) for name in ("model", "model_sha256", "height", "width", "distance")}
    made = Calibration(**values, confidence=0.95, people=100, images=300, match=point, possible=point)
    made.save(tmp_path / "calibration.json")
    stranger = replace(make_sighting(0, identity=""), embedding=load_model("student-fastest").embed([]).sum(0) + 1)
    with Gallery.create(tmp_path / "gallery", settings) as gallery:
        gallery.add([stranger])
    short = replace(FILMS, seconds=6, people=3, size=(180, 240))
    counts = watch_films(tmp_path, short)
    with Gallery.open(tmp_path / "gallery") as gallery:
        before = [record.to_dict() for record in gallery.records()]
    watched = [record for record in before if record["tracklet"] != stranger.tracklet]
    assert counts["added"] == len(watched) >= 2 and {record["camera"] for record in watched} == {"lobby", "courtyard"}
    assert all(record["identity"].startswith("person-") for record in watched)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert {event["event"] for event in events} >= {"appeared", "left", "new person"}
    assert watch_films(tmp_path, short)["added"] == 0
    with Gallery.open(tmp_path / "gallery") as gallery:
        assert [record.to_dict() for record in gallery.records()] == before

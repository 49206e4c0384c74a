"""Naming people through the API, against a plain count, with what the audit log says afterwards; and grouped searches."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from gallery.fakes import CAMERAS, DIMENSION, make_image
from resight.gallery import Sighting, Where
from resight.gallery.grouping import search_one_per
from resight.gallery.strip import draw_strip, seconds_in
from service.test_search import expected, pairs, search
from service.worlds import World

NOW = datetime.now(UTC).replace(microsecond=0)


def of(world: World, name: str) -> set[str]:
    return {record.id for record in world.gallery.records(Where(identities=frozenset({name})))}


def test_sightings_are_named_by_id_and_by_tracklet(world: World) -> None:
    client = world.client("operator")
    added = [
        client.post("/api/sightings", files={"image": make_image(60 + n)}, data={"camera": CAMERAS[n], "tracklet": f"t{n}"}).json()[
            "id"
        ]
        for n in range(2)
    ]
    answer = client.post("/api/label", json={"ids": [world.ids[0]], "tracklets": ["t0", "t1"], "identity": "Zoe\u0308"})
    assert (answer.status_code, answer.json()) == (200, {"labelled": 3})
    assert of(world, "Zo\u00eb") == {world.ids[0], *added}
    entry = world.audit.newest(1)[0]
    assert (entry["action"], entry["who"], entry["details"]["identity"]) == ("label", "operator", "Zo\u00eb")
    assert {name: set(ids) for name, ids in entry["details"]["before"].items()} == {"person 0": {world.ids[0]}, "": set(added)}
    limited = world.client(f"operator@{CAMERAS[0]}")
    assert limited.post("/api/label", json={"tracklets": ["t0"], "identity": "eve"}).json() == {"labelled": 1}
    assert of(world, "eve") == {added[0]}
    assert limited.post("/api/label", json={"ids": [added[1]], "identity": "eve"}).status_code == 404
    assert client.post("/api/label", json={"ids": [world.ids[0]], "identity": ""}).json() == {"labelled": 1}
    assert world.gallery.get(world.ids[0]).identity == ""


def test_people_are_renamed_and_merged(world: World) -> None:
    client, before = world.client("operator"), of(world, "person 1")
    others = of(world, "person 2")
    refused = client.post("/api/people/rename", json={"old": "person 1", "new": "person 2"})
    assert refused.status_code == 422 and "merge" in refused.json()["detail"]
    assert client.post("/api/people/merge", json={"old": "person 1", "new": "anna"}).status_code == 422
    assert client.post("/api/people/rename", json={"old": "nobody", "new": "anna"}).status_code == 422
    assert world.actions() == []
    perhaps = set(sorted(of(world, "person 3"))[:2])
    world.gallery.label(perhaps, "person 1?")  # a watcher's name for those who look like them
    assert client.post("/api/people/rename", json={"old": "person 1", "new": "anna"}).json() == {"labelled": 8}
    assert (of(world, "anna"), of(world, "anna?")) == (before, perhaps) and not of(world, "person 1") | of(world, "person 1?")
    assert client.post("/api/people/merge", json={"old": "anna", "new": "person 2"}).json() == {"labelled": 8}
    assert (of(world, "person 2"), of(world, "person 2?")) == (before | others, perhaps)
    logged = [
        (entry["action"], entry["details"]["identity"], {name: set(ids) for name, ids in entry["details"]["before"].items()})
        for entry in world.audit.newest(4)[::-1]
    ]
    assert logged == [
        ("rename", "anna", {"person 1": before}),
        ("rename", "anna?", {"person 1?": perhaps}),
        ("merge", "person 2", {"anna": before}),
        ("merge", "person 2?", {"anna?": perhaps}),
    ]


@pytest.mark.parametrize("body", [{"identity": "anna"}, {"ids": ["x"], "identity": "anna"}, {"tracklets": ["t"]}])
def test_labels_that_say_too_little(shared_world: World, body: dict[str, Any]) -> None:
    assert shared_world.client("operator").post("/api/label", json=body).status_code == 422


def test_a_search_with_one_place_for_each(world: World) -> None:
    for one_per, count in (("identity", 4), ("camera", 3), ("tracklet", 20)):
        found = search(world, [make_image(3)], one_per=one_per)
        own = search_one_per(world.gallery, world.gallery.embed(world.model, [match_pixels(world)]), 20, one_per=one_per)  # type: ignore[arg-type]
        assert pairs(found) == [(match.record.id, match.distance) for match in own] and len(own) == count
        assert world.audit.newest(1)[0]["details"]["one_per"] == one_per
    assert search(world, [make_image(3)], one_per="day").status_code == 422


def match_pixels(world: World) -> Any:
    from resight.images import decode, resize

    return resize(decode(make_image(3)), world.model.size)


def test_a_search_without_a_camera(world: World) -> None:
    found = search(world, [make_image(3)], not_camera=[CAMERAS[1]])
    rest = Where(cameras=frozenset({CAMERAS[0], CAMERAS[2]}))
    assert pairs(found) == [(match.record.id, match.distance) for match in expected(world, [make_image(3)], 20, rest)]
    assert world.audit.newest(1)[0]["details"]["cameras"] == sorted([CAMERAS[0], CAMERAS[2]])
    nothing = search(world, [make_image(3)], token=f"viewer@{CAMERAS[0]}", not_camera=[CAMERAS[0]])
    assert nothing.status_code == 422 and "no camera is left" in nothing.json()["detail"]


def tracklet(name: str, camera: str, start: float, seconds: float | None = None, **changes: Any) -> Sighting:
    """A sighting of a tracklet, `start` seconds before now."""
    crops = [np.full((128, 64, 3), 90, np.uint8)]
    values: dict[str, Any] = {
        "id": hashlib.sha256(f"{name} {camera} {start}".encode()).hexdigest()[:32],
        "embedding": np.ones(DIMENSION, np.float32),
        "thumbnail": draw_strip(crops, seconds),
        "enrolled": NOW,
        "camera": camera,
        "time": NOW - timedelta(seconds=start),
        "tracklet": name,
    }
    return Sighting(**values | changes)


def ago(text: str | None) -> float | None:
    return None if text is None else (NOW - datetime.fromisoformat(text)).total_seconds()


def test_people_of_the_last_minutes_and_their_tracklets(world: World) -> None:
    """Ann walked from the entrance to the hall and back, person-2 stood in the hall, and one crop is nobody's."""
    entrance, hall = CAMERAS[:2]
    passes = [
        tracklet("a1", entrance, 600, 10, identity="ann"),
        tracklet("a2", hall, 500, 20, identity="ann"),
        tracklet("a3", entrance, 100, 5, identity="ann"),
        tracklet("p", hall, 520, 500, identity="person-2"),
        tracklet("two", hall, 300),
        tracklet("two", hall, 290),
        tracklet("", hall, 200),
        tracklet("old", hall, 7200, 1, identity="ann"),
        tracklet("no time", hall, 1, time=None, identity="ann"),
    ]
    assert world.gallery.add(passes) == len(passes)
    client = world.client("viewer")
    lately = {"since": (NOW - timedelta(minutes=15)).isoformat()}
    found = client.post("/api/people/list", json=lately).json()
    told = [
        (one["identity"], one["provisional"], one["cameras"], ago(one["first"]), ago(one["last"]), len(one["tracklets"]))
        for one in found["people"]
    ]
    assert told == [
        ("person-2", True, [hall], 520, 20, 1),
        ("ann", False, [entrance, hall], 600, 95, 3),
        ("", False, [hall], 200, 200, 1),
        ("", False, [hall], 300, 290, 1),
    ]
    assert [(one["camera"], ago(one["start"]), ago(one["end"])) for one in found["people"][1]["tracklets"]] == [
        (entrance, 600, 590), (hall, 500, 480), (entrance, 100, 95)
    ]  # fmt: skip
    assert found["people"][2]["tracklets"][0]["end"] is None and len(found["people"][3]["tracklets"][0]["sightings"]) == 2
    assert (ago(found["since"]), found["until"], found["more"]) == (900, None, False)
    picture = client.get(found["people"][1]["tracklets"][0]["thumbnail"])
    assert picture.status_code == 200 and seconds_in(picture.content) == 10

    mine = world.client(f"viewer@{entrance}").post("/api/people/list", json=lately).json()["people"]
    assert [(one["identity"], one["cameras"], len(one["tracklets"])) for one in mine] == [("ann", [entrance], 2)]
    assert world.client(f"viewer@{entrance}").post("/api/people/list", json={"cameras": [hall]}).status_code == 403
    (whole,) = client.post("/api/people/list", json={"identity": "ann"}).json()["people"]
    assert len(whole["tracklets"]) == 4 and ago(whole["first"]) == 7200
    assert [entry["action"] for entry in world.audit.newest(4)] == ["list", "list", "look", "list"]
    assert world.audit.newest(1)[0]["details"] == {"identity": "ann", "since": None, "until": None, "cameras": None}
    since = client.post("/api/people/list", json={}).json()["since"]
    assert timedelta(minutes=15) <= datetime.now(UTC) - datetime.fromisoformat(since) < timedelta(minutes=16)


@pytest.mark.parametrize("late", [0, 80])  # seconds, which the clock may have gone on: they move the times that are tried
def test_of_too_many_people_the_last_ones_are_listed(world: World, late: int) -> None:
    world.gallery.add([tracklet(f"t{n}", "hall", 10 * n + 1, 1, identity=f"person-{n}") for n in range(1, 80)])
    hour = {"since": (NOW - timedelta(hours=1)).isoformat(), "until": (NOW + timedelta(seconds=late)).isoformat()}
    answer = world.client().post("/api/people/list", json=hour | {"limit": 20}).json()
    names = [one["identity"] for one in answer["people"]]
    assert answer["more"] and 10 <= len(names) <= 20 and names == [f"person-{n}" for n in range(1, len(names) + 1)]
    assert ago(names and answer["people"][-1]["first"]) <= ago(answer["since"]) < 10 * (len(names) + 1) + 1  # type: ignore[operator]
    assert not world.client().post("/api/people/list", json=hour | {"limit": 79}).json()["more"]


def test_a_tracklet_that_is_split_off_is_nobodys(world: World) -> None:
    world.gallery.add([tracklet(f"t{n}", CAMERAS[n], 10 * n + 1, 1, identity="person-1") for n in range(2)])
    client = world.client("operator")
    assert client.post("/api/label", json={"tracklets": ["t1"], "identity": ""}).json() == {"labelled": 1}
    found = client.post("/api/people/list", json={"since": (NOW - timedelta(hours=1)).isoformat()}).json()["people"]
    assert [(one["identity"], [each["tracklet"] for each in one["tracklets"]]) for one in found] == [
        ("person-1", ["t0"]), ("", ["t1"])
    ]  # fmt: skip


def test_a_tracklet_of_a_camera_has_one_place(world: World) -> None:
    """One sighting holds all crops of a tracklet that a camera saw, so a search finds it once, however it is asked."""
    noise = np.random.default_rng(3).integers(0, 256, (4, 128, 64, 3), dtype=np.uint8)
    seen = tracklet("four crops", CAMERAS[0], 60, 3, thumbnail=draw_strip(list(noise), 3))
    world.gallery.add([replace(seen, embedding=world.model.embed(list(noise)).mean(0))])
    for one_per in ("sighting", "tracklet"):
        found = search(world, [cv2.imencode(".png", noise[0])[1].tobytes()], one_per=one_per).json()["matches"]
        assert [match["tracklet"] for match in found].count("four crops") == 1

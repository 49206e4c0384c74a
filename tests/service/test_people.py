"""Naming people through the API, against a plain count, with what the audit log says afterwards; and grouped searches."""

from __future__ import annotations

from typing import Any

import pytest

from gallery.fakes import CAMERAS, make_image
from resight.gallery import Where
from resight.gallery.grouping import search_one_per
from service.test_search import expected, pairs, search
from service.worlds import World


def of(world: World, name: str) -> set[str]:
    return {record.id for record in world.gallery.records(Where(identities=frozenset({name})))}


def test_sightings_are_named_by_id_and_by_tracklet(world: World) -> None:
    client = world.client("operator")
    added = [
        client.post("/api/sightings", files={"image": make_image(60 + n)}, data={"camera": CAMERAS[n], "tracklet": "t"}).json()[
            "id"
        ]
        for n in range(2)
    ]
    answer = client.post("/api/label", json={"ids": [world.ids[0]], "tracklets": ["t"], "identity": "Zoe\u0308"})
    assert (answer.status_code, answer.json()) == (200, {"labelled": 3})
    assert of(world, "Zo\u00eb") == {world.ids[0], *added}
    entry = world.audit.newest(1)[0]
    assert (entry["action"], entry["who"], entry["details"]["identity"]) == ("label", "operator", "Zo\u00eb")
    assert {name: set(ids) for name, ids in entry["details"]["before"].items()} == {"person 0": {world.ids[0]}, "": set(added)}
    limited = world.client(f"operator@{CAMERAS[0]}")
    assert limited.post("/api/label", json={"tracklets": ["t"], "identity": "eve"}).json() == {"labelled": 1}
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
    assert client.post("/api/people/rename", json={"old": "person 1", "new": "anna"}).json() == {"labelled": 6}
    assert of(world, "anna") == before and not of(world, "person 1")
    assert client.post("/api/people/merge", json={"old": "anna", "new": "person 2"}).json() == {"labelled": 6}
    assert of(world, "person 2") == before | others
    renamed, merged = world.audit.newest(2)[::-1]
    assert (renamed["action"], renamed["details"]["identity"]) == ("rename", "anna")
    assert set(renamed["details"]["before"]["person 1"]) == before
    assert (merged["action"], merged["details"]["identity"]) == ("merge", "person 2")
    assert set(merged["details"]["before"]["anna"]) == before


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

"""Enrolling, listing, looking at and judging sightings through the API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from gallery.fakes import CAMERAS, START, make_image
from resight.cameras.tracklets import Tracklet
from resight.gallery import Crop, Gallery, sighting_id
from resight.gallery.tracklets import enrol_tracklet
from resight.images import decode
from service.worlds import World


def enrol(world: World, image: bytes, token: str = "operator", **data: Any) -> Any:
    return world.client(token).post("/api/sightings", files={"image": image}, data=data)


def test_an_enrolled_crop_is_what_the_command_line_would_enrol(world: World, tmp_path: Any) -> None:
    known = {"camera": "Küche ☂", "time": "2026-03-01T13:00:00+01:00", "source": "door.png", "tracklet": "7", "identity": "anna"}
    answer = enrol(world, make_image(50), **known)
    assert answer.status_code == 201
    id = answer.json()["id"]
    assert id == sighting_id(hashlib.sha256(make_image(50)).hexdigest(), "Küche ☂", START)
    with Gallery.create(tmp_path / "other", world.gallery.settings) as other:
        crop = Crop(source="door.png", data=make_image(50), camera="Küche ☂", time=START, tracklet="7", identity="anna")
        other.enrol(world.model, [crop])
        expected, found = other.get(id), world.gallery.get(id)
        assert found.to_dict() | {"enrolled": ""} == expected.to_dict() | {"enrolled": ""}
        assert np.array_equal(found.embedding, expected.embedding)
        assert found.thumbnail == expected.thumbnail


def test_a_tracklet_shows_its_crops_and_its_best_to_search_with(world: World) -> None:
    crops = tuple(np.full((100, 50, 3), colour, np.uint8) for colour in (200, 50))
    path = {"camera": "hall", "track": 1, "start": START.timestamp(), "end": START.timestamp(), "dated": True}
    boxes = {"frames": np.arange(3), "xyxy": np.zeros((3, 4), np.float32), "confidence": np.ones(3, np.float32)}
    vector = np.ones(world.gallery.settings.dimension, np.float32)
    id, _ = enrol_tracklet(world.gallery, Tracklet(name="hall-1-x", crops=crops, embedding=vector, **path, **boxes))
    answers = [world.client("viewer").get(f"/api/sightings/{id}/thumbnail{which}") for which in ("", "?best=true")]
    both, best = (decode(answer.content) for answer in answers)
    assert (both.shape, best.shape) == ((128, 128, 3), (128, 64, 3))
    assert np.abs(best.astype(int) - 200).max() < 5
    plain = [world.client("viewer").get(f"/api/sightings/{world.ids[0]}/thumbnail{which}").content for which in ("", "?best=true")]
    assert plain[0] == plain[1]


def test_the_same_crop_is_one_sighting(world: World) -> None:
    first, again = (enrol(world, make_image(51), camera="hall") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["added"], again.json()["added"]) == (True, False)
    assert first.json()["id"] == again.json()["id"]
    assert len(world.gallery) == len(world.ids) + 1
    assert world.actions() == ["enrol", "enrol"]


def test_what_is_older_than_the_retention_is_not_added(serve: Callable[..., World]) -> None:
    world = serve(retention=10**9)
    old = datetime.now(UTC) - timedelta(seconds=10**9 + 5)
    assert enrol(world, make_image(52), time=old.isoformat()).status_code == 422
    assert enrol(world, make_image(52), time=(old + timedelta(hours=1)).isoformat()).status_code == 201


@pytest.mark.parametrize("data", [{"time": "noon"}, {"camera": "x" * 1001}, {"camera": "a\0b"}, {"k": "3"}, {"box": "0,0,9"}])
def test_what_cannot_be_enrolled(world: World, data: dict[str, str]) -> None:
    assert enrol(world, make_image(53), **data).status_code == 422
    assert enrol(world, b"\xff\xd8\xff nothing").status_code == 422
    assert len(world.gallery) == len(world.ids)


def test_listing_pages_through_everything_by_time(world: World) -> None:
    enrol(world, make_image(54), camera="hall")  # of unknown time
    client, found, after = world.client("viewer"), [], ""
    while after is not None:
        page = client.post("/api/sightings/list", json={"limit": 7, "after": after}).json()
        assert len(page["sightings"]) == min(7, len(world.ids) + 1 - len(found))
        found += page["sightings"]
        after = page["next"]
    assert [sighting["id"] for sighting in found[:-1]] == world.ids
    assert found[-1]["time"] is None
    assert world.actions()[1:] == ["list"] * 4


def test_listing_filters(world: World) -> None:
    client = world.client("viewer")

    def listed(**parameters: Any) -> list[str]:
        return [sighting["id"] for sighting in client.post("/api/sightings/list", json=parameters).json()["sightings"]]

    assert listed(identity="person 1") == world.ids[1::4]
    assert listed(cameras=[CAMERAS[0], CAMERAS[2]]) == [id for number, id in enumerate(world.ids) if number % 3 != 1]
    assert listed(since=(START + timedelta(seconds=20)).isoformat()) == world.ids[20:]
    assert listed(until=(START + timedelta(seconds=2)).isoformat(), identity="") == []
    assert listed(since="", until="", limit=3) == world.ids[:3]


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"limit": 0}, 422),
        ({"limit": 1001}, 422),
        ({"after": "x"}, 422),
        ({"after": "0" * 32}, 404),
        ({"since": "noon"}, 422),
        ({"identity": "a\0"}, 422),
    ],
)
def test_what_cannot_be_listed(shared_world: World, parameters: dict[str, Any], status: int) -> None:
    answer = shared_world.client("viewer").post("/api/sightings/list", json=parameters)
    assert answer.status_code == status
    assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize("path", ["", "/thumbnail"])
@pytest.mark.parametrize(("id", "status"), [("0" * 32, 404), ("x", 422), ("0" * 31 + "G", 422), ("..%2f..", 404)])
def test_sightings_that_are_not_there(shared_world: World, path: str, id: str, status: int) -> None:
    assert shared_world.client("viewer").get(f"/api/sightings/{id}{path}").status_code in (status, 404)


def test_verdicts(world: World) -> None:
    client, id = world.client("operator"), world.ids[0]

    def judge(verdict: str, identity: str) -> str:
        answer = client.post(f"/api/sightings/{id}/verdict", json={"search": "a" * 32, "verdict": verdict, "identity": identity})
        assert answer.status_code == 200
        assert answer.json() == {"id": id, "identity": world.gallery.get(id).identity}
        return str(answer.json()["identity"])

    assert judge("reject", "anna") == "person 0"  # it was not called anna
    assert judge("confirm", "anna") == "anna"
    assert judge("confirm", "anna") == "anna"
    assert judge("reject", "bob") == "anna"
    assert judge("reject", "anna") == ""
    details = [entry["details"] for entry in world.audit.newest(5)][::-1]
    assert [(one["verdict"], one["identity"], one["before"]) for one in details] == [
        ("reject", "anna", "person 0"),
        ("confirm", "anna", "person 0"),
        ("confirm", "anna", "anna"),
        ("reject", "bob", "anna"),
        ("reject", "anna", "anna"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"verdict": "maybe", "identity": "anna"},
        {"verdict": "confirm", "identity": ""},
        {"verdict": "confirm"},
        {"verdict": "confirm", "identity": "\ud800"},
        {"verdict": "confirm", "identity": "anna", "search": "x"},
        {"verdict": "confirm", "identity": "anna", "more": 1},
        [],
        None,
    ],
)
def test_verdicts_that_are_none(shared_world: World, body: Any) -> None:
    import json

    answer = shared_world.client("operator").post(
        f"/api/sightings/{shared_world.ids[0]}/verdict", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert list(answer.json()) == ["detail"]
    assert shared_world.gallery.get(shared_world.ids[0]).identity == "person 0"

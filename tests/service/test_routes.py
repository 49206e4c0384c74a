"""Every route, for every role and with and without a limit to cameras; what must hold is read off the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gallery.fakes import make_image
from resight.service import ROLES
from service.worlds import World

Request = dict[str, Any]


def names(world: World) -> list[str]:
    """People in the gallery now."""
    return sorted({record.identity for record in world.gallery.records()} - {"", "anna"})


SAMPLES: dict[tuple[str, str], Callable[[World, str], Request]] = {
    ("get", "/api/session"): lambda world, id: {},
    ("get", "/api/cameras"): lambda world, id: {},
    ("get", "/api/stats"): lambda world, id: {},
    ("get", "/api/metrics"): lambda world, id: {},
    ("get", "/api/audit"): lambda world, id: {},
    ("get", "/api/purge/progress"): lambda world, id: {},
    ("post", "/api/sightings/list"): lambda world, id: {"json": {}},
    ("get", "/api/sightings/{id}"): lambda world, id: {},
    ("get", "/api/sightings/{id}/thumbnail"): lambda world, id: {},
    ("post", "/api/search"): lambda world, id: {"files": {"images": world.images[0]}, "data": {"k": "24"}},
    ("post", "/api/sightings"): lambda world, id: {
        "files": {"image": make_image(99)},
        "data": {"camera": world.gallery.get(id).camera},
    },
    ("post", "/api/tracklets"): lambda world, id: {
        "files": {"crops": make_image(98)},
        "data": {"camera": world.gallery.get(id).camera, "tracklet": "7"},
    },
    ("post", "/api/sightings/{id}/verdict"): lambda world, id: {"json": {"verdict": "confirm", "identity": "anna"}},
    ("post", "/api/label"): lambda world, id: {"json": {"ids": [id], "identity": "anna"}},
    ("post", "/api/people/list"): lambda world, id: {"json": {"since": "2026-03-01"}},
    ("post", "/api/people/rename"): lambda world, id: {"json": {"old": names(world)[0], "new": names(world)[0] + "!"}},
    ("post", "/api/people/merge"): lambda world, id: {"json": dict(zip(("old", "new"), names(world), strict=False))},
    ("post", "/api/export"): lambda world, id: {"json": {"ids": [id], "reason": "a test"}},
    ("post", "/api/purge"): lambda world, id: {"json": {"ids": [id], "dry_run": False}},
}
"""A request that succeeds, about a sighting, for each route."""

OF_ALL_CAMERAS = {
    ("get", "/api/audit"),
    ("get", "/api/metrics"),
    ("get", "/api/purge/progress"),
    ("post", "/api/people/rename"),
    ("post", "/api/people/merge"),
}
SUBJECT = {"/api/purge": 3}
"""Which sighting a request is about, if it is not the first one."""


def ask(world: World, token: str, route: tuple[str, str]) -> Any:
    method, path = route
    id = world.ids[SUBJECT.get(path, 0)]
    return world.client(token).request(method, path.replace("{id}", id), **SAMPLES[route](world, id))


@pytest.fixture(scope="module")
def operations(shared_world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """All routes of the API."""
    paths = shared_world.client("").get("/openapi.json").json()["paths"]
    return {(method, path): operation for path, methods in paths.items() for method, operation in methods.items()}


def role_of(operation: dict[str, Any]) -> str:
    (requirement,) = operation["security"]
    (role,) = requirement["token"]
    return str(role)


def test_every_route_declares_one_role_and_is_tested_here(operations: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert operations.keys() == SAMPLES.keys()
    assert {role_of(operation) for operation in operations.values()} == set(ROLES)


@pytest.mark.parametrize("route", SAMPLES, ids=" ".join)
def test_nobody_without_a_token_gets_in(shared_world: World, route: tuple[str, str]) -> None:
    before = shared_world.audit.head, len(shared_world.gallery)
    for token in ("", "nobody", "admin2", "@hall"):
        answer = ask(shared_world, token, route)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (shared_world.audit.head, len(shared_world.gallery)) == before


@pytest.mark.parametrize("route", SAMPLES, ids=" ".join)
@pytest.mark.parametrize("role", ROLES)
def test_roles_and_cameras(
    shared_world: World, operations: dict[tuple[str, str], dict[str, Any]], route: tuple[str, str], role: str
) -> None:
    """The sighting is by the camera ``entrance``: a token of that camera may do with it what its role may, others do not see it."""
    world, path = shared_world, route[1]
    subject, size = world.ids[SUBJECT.get(path, 0)], len(world.gallery)
    identity = world.gallery.get(subject).identity
    allowed = ROLES.index(role) >= ROLES.index(role_of(operations[route]))
    other = ask(world, f"{role}@hall", route)
    if not allowed or route in OF_ALL_CAMERAS:
        assert other.status_code == 403
    elif "{id}" in path or path in ("/api/export", "/api/label"):
        assert other.status_code == 404
    elif route in {("post", "/api/sightings"), ("post", "/api/tracklets")}:
        assert other.status_code == 403
    else:
        assert other.status_code == 200
        assert subject not in other.text
        assert "entrance" not in other.text
    assert len(world.gallery) == size  # whatever it was, it did nothing
    assert world.gallery.get(subject).identity == identity
    own = ask(world, f"{role}@entrance", route)
    assert own.status_code in ((200, 201) if allowed and route not in OF_ALL_CAMERAS else (403,))
    if own.status_code == 200 and "{id}" not in path:
        assert not any(id in own.text for number, id in enumerate(world.ids) if number % 3)
        assert "hall" not in own.text
    everything = ask(world, role, route)
    assert everything.status_code in ((200, 201) if allowed else (403,))
    for answer in (other, own, everything):
        if answer.status_code >= 400:
            assert list(answer.json()) == ["detail"]
            assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing", "/api/sightings/..", "/%61pi/session", "/api/purge/", "/api//session"]
)
def test_what_is_not_there_needs_a_token_too(shared_world: World, path: str) -> None:
    assert shared_world.client("").get(path).status_code == 401


def test_naming_a_foreign_camera_is_refused(world: World) -> None:
    client = world.client("admin@hall")
    assert client.post("/api/sightings/list", json={"cameras": ["hall", "entrance"]}).status_code == 403
    assert client.post("/api/search", files={"images": world.images[0]}, data={"camera": "entrance"}).status_code == 403
    assert client.post("/api/purge", json={"cameras": ["entrance"], "dry_run": False}).status_code == 403
    assert client.post("/api/sightings", files={"image": make_image(1)}).status_code == 403  # nobody's camera is not theirs
    assert len(world.gallery) == len(world.ids)


def test_purging_everything_is_narrowed_to_the_cameras_of_the_token(world: World) -> None:
    answer = world.client("admin@hall").post("/api/purge", json={"everything": True, "dry_run": False})
    assert answer.json()["sightings"] == len(world.ids) // 3
    assert {record.camera for record in world.gallery.records()} == {"entrance", "Küche ☂"}


def test_the_scheme_must_be_bearer(world: World) -> None:
    client = world.client("")
    assert client.get("/api/session", headers={"Authorization": "Basic admin"}).status_code == 401
    assert client.get("/api/session", headers={"Authorization": "bearer admin"}).status_code == 200
    assert client.get("/api/session?token=admin").status_code == 401

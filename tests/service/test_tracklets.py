"""Enrolling tracklets through the API, as watchers on other machines do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from gallery.fakes import START, make_image, make_settings
from resight.cameras.tracklets import Tracklet
from resight.gallery import Gallery, fuse
from resight.gallery.tracklets import enrol_tracklet
from resight.images import decode, resize
from service.worlds import World

VECTOR = np.linspace(-1, 1, 16, dtype=np.float32)
CROPS = tuple(np.random.default_rng(n).integers(0, 256, (128, 64, 3), dtype=np.uint8) for n in range(3))
KNOWN = {"tracklet": "Küche-7-aabbccdd", "camera": "Küche ☂", "time": START.isoformat(), "source": "door.mp4", "seconds": "0"}


def png(pixels: Any) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def enrol(world: World, *, vector: bytes = b"", crops: Any = CROPS, token: str = "operator", **data: str) -> Any:
    files = [("crops", ("crop.png", crop if isinstance(crop, bytes) else png(crop))) for crop in crops]
    files += [("vector", ("vector", vector))] if vector else []
    return world.client(token).post("/api/tracklets", files=files, data=KNOWN | data)


def test_a_tracklet_is_what_a_watcher_beside_the_gallery_would_add(world: World, tmp_path: Any) -> None:
    sha256 = world.model.sha256
    first, again = (enrol(world, vector=VECTOR.tobytes(), model_sha256=sha256) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    id = first.json()["id"]
    assert (first.json(), again.json()) == (
        {"id": id, "added": True, "expired": False},
        {"id": id, "added": False, "expired": False},
    )
    with Gallery.create(tmp_path / "other", make_settings()) as other:
        path = {"camera": "Küche ☂", "track": 7, "start": START.timestamp(), "end": START.timestamp(), "dated": True}
        boxes = {"frames": np.arange(3), "xyxy": np.zeros((3, 4), np.float32), "confidence": np.ones(3, np.float32)}
        made = Tracklet(name="Küche-7-aabbccdd", crops=CROPS, embedding=VECTOR, **path, **boxes)
        assert enrol_tracklet(other, made, "door.mp4")[0] == id
        expected, found = other.get(id), world.gallery.get(id)
    assert found.to_dict() | {"enrolled": ""} == expected.to_dict() | {"enrolled": ""}
    assert np.array_equal(found.embedding, VECTOR)
    assert found.thumbnail == expected.thumbnail
    assert world.actions() == ["enrol", "enrol"]


def test_without_a_vector_the_service_fuses_the_crops(world: World) -> None:
    answer = enrol(world, crops=[make_image(3), make_image(4)])
    assert answer.status_code == 201
    images = [resize(decode(make_image(number)), world.model.size) for number in (3, 4)]
    np.testing.assert_allclose(world.gallery.get(answer.json()["id"]).embedding, fuse(world.model.embed(images))[0], rtol=1e-5)


def test_a_tracklet_at_the_end_of_time_hides_nobody(world: World) -> None:
    world.gallery.label([enrol(world, time="9999-12-31T23:59:59Z", seconds="1000000").json()["id"]], "anna")
    people = world.client().post("/api/people/list", json={"since": "9999-01-01"})
    assert people.status_code == 200
    assert people.json()["people"]


def test_what_is_too_old_is_left_out_and_said(serve: Callable[..., World]) -> None:
    world = serve(retention=10**9)
    old = datetime.now(UTC) - timedelta(seconds=10**9 + 5)
    answer = enrol(world, time=old.isoformat())
    assert (answer.status_code, answer.json()["expired"], answer.json()["added"]) == (200, True, False)
    assert len(world.gallery) == len(world.ids)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"vector": VECTOR.tobytes()}, 422, "give model_sha256"),
        ({"vector": VECTOR.tobytes(), "model_sha256": "0" * 64}, 409, "the request is for model 000000000000"),
        ({"vector": VECTOR.tobytes()[:-4], "model_sha256": "own"}, 422, "has 60 bytes; expected 64"),
        ({"vector": np.full(16, np.nan, np.float32).tobytes(), "model_sha256": "own"}, 422, "NaN"),
        ({"crops": [], "vector": VECTOR.tobytes(), "model_sha256": "own"}, 422, "crops"),
        ({"crops": [make_image(1)] * 9}, 422, "crops"),
        ({"crops": [b"no image"]}, 422, ""),
        ({"tracklet": ""}, 422, "tracklet"),
        ({"tracklet": "a\0"}, 422, "tracklet"),
        ({"token": "viewer"}, 403, "needs the role operator"),
        ({"token": "operator@hall"}, 403, "may not see Küche"),
    ],
)
def test_what_cannot_be_enrolled(world: World, changes: dict[str, Any], status: int, said: str) -> None:
    if changes.get("model_sha256") == "own":
        changes = changes | {"model_sha256": world.model.sha256}
    answer = enrol(world, **changes)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert len(world.gallery) == len(world.ids)

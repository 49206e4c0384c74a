"""LabelledSearches through the API, held against the gallery's own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from gallery.fakes import CAMERAS, START, make_image
from resight.decision import Calibration
from resight.decision.calibration import OperatingPoint
from resight.decision.confidence import Rate
from resight.decision.words import Usual
from resight.gallery import Match, Where
from resight.images import decode, resize
from service.worlds import World


def expected(world: World, images: list[bytes], k: int = 20, where: Where | None = None) -> list[Match]:
    """What the gallery says itself."""
    pixels = [resize(decode(image), world.model.size) for image in images]
    vectors = np.concatenate([world.gallery.embed(world.model, [image]) for image in pixels])
    return world.gallery.search(vectors, k, where or Where())


def search(world: World, images: list[bytes], token: str = "viewer", **data: Any) -> Any:
    return world.client(token).post("/api/search", files=[("images", image) for image in images], data=data)


def pairs(answer: Any) -> list[tuple[str, float]]:
    assert answer.status_code == 200, answer.text
    return [(match["id"], match["distance"]) for match in answer.json()["matches"]]


def own(matches: list[Match]) -> list[tuple[str, float]]:
    return [(match.record.id, match.distance) for match in matches]


def test_answers_are_bitwise_those_of_the_gallery(world: World) -> None:
    for number in range(40):
        image = make_image(number)
        assert pairs(search(world, [image], k=7)) == own(expected(world, [image], 7))
    several = [make_image(3), make_image(31), world.images[3]]
    assert pairs(search(world, several)) == own(expected(world, several))
    since, until = START + timedelta(seconds=5), START + timedelta(seconds=15)
    answer = search(world, several[:1], camera=list(CAMERAS[1:]), since=since.isoformat(), until=until.isoformat())
    where = Where(cameras=frozenset(CAMERAS[1:]), since=since, until=until)
    assert pairs(answer) == own(expected(world, several[:1], where=where))
    assert len(pairs(answer)) == 7


def test_the_event_loop_reads_no_gallery(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def people(cameras: object) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        asked.append(cameras)

    asked: list[object] = []
    monkeypatch.setattr(world.service, "people", people)
    assert search(world, [make_image(3)]).status_code == 200 and asked == [None]


def test_what_others_ask_at_the_same_time_changes_nothing(world: World) -> None:
    """64 searches at once, with different k and filters, each as if it were alone; some are answered together."""
    batches: list[int] = []
    world.service.searches._observe = batches.append
    asked = [(make_image(number % 30), number % 5 + 1, CAMERAS[number % 3] if number % 2 else None) for number in range(64)]

    def ask(case: tuple[bytes, int, str | None]) -> list[tuple[str, float]]:
        image, k, camera = case
        return pairs(search(world, [image], k=k, **({"camera": camera} if camera else {})))

    with ThreadPoolExecutor(world.service.places.count) as pool:
        found = list(pool.map(ask, asked))
    for (image, k, camera), answer in zip(asked, found, strict=True):
        where = Where(cameras=frozenset([camera]) if camera else None)
        assert answer == own(expected(world, [image], k, where))
    assert sum(batches) == 64
    assert max(batches) > 1
    assert world.actions() == ["search"] * 64
    assert world.audit.problems() == []


def test_a_match_tells_what_is_known(world: World) -> None:
    match = search(world, [world.images[5]], k=1).json()["matches"][0]
    sighting = world.gallery.get(world.ids[5])
    assert match == sighting.to_dict() | {
        "rank": 1,
        "distance": 0.0,
        "band": None,
        "thumbnail": f"/api/sightings/{world.ids[5]}/thumbnail",
    }
    answer = world.client("viewer").get(match["thumbnail"])
    assert answer.content == sighting.thumbnail
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"


def test_a_box_is_what_is_searched_for(world: World) -> None:
    image = np.zeros((80, 60, 3), np.uint8)
    image[20:68, 10:34] = decode(world.images[7])
    upload = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    assert pairs(search(world, [upload], box="10,20,24,48", k=1)) == [(world.ids[7], 0.0)]
    assert pairs(search(world, [upload], k=1)) != [(world.ids[7], 0.0)]
    both = search(world, [upload, world.images[7]], box=["10,20,24,48", ""], k=1)
    assert both.json()["matches"][0]["id"] == world.ids[7]
    enrolled = world.client().post("/api/sightings", files={"image": upload}, data={"box": "10,20,24,48", "camera": "new"})
    assert pairs(search(world, [upload], box="10,20,24,48", camera="new")) == [(enrolled.json()["id"], 0.0)]
    assert np.array_equal(world.gallery.get(enrolled.json()["id"]).embedding, world.gallery.get(world.ids[7]).embedding)


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "60,80,5,5", "0,0,0,5", "-9,-9,5,5", "1e3,0,5,5", "9999999,0,1,1", ["", ""]])
def test_boxes_that_are_none(world: World, box: str | list[str]) -> None:
    assert search(world, [make_image(0)], box=box).status_code == 422
    assert world.actions() == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"k": "0"}, "k: "),
        ({"k": "201"}, "at most 200"),
        ({"k": "many"}, "k: "),
        ({"since": "yesterday"}, "ISO 8601"),
        ({"limit": "3"}, "not a part of this form"),
        ({"box": "1,1,1,1", "camera": "a\0b"}, ""),
        ({"k": ["1", "2"]}, "twice"),
        ({"model_sha256": "x"}, "model_sha256"),
    ],
)
def test_what_cannot_be_asked(world: World, data: dict[str, Any], said: str) -> None:
    answer = search(world, [make_image(0)], **data)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]
    assert world.actions() == []


def test_one_to_eight_images(world: World) -> None:
    assert search(world, [make_image(n) for n in range(8)]).status_code == 200
    assert search(world, [make_image(n) for n in range(9)]).status_code == 422
    assert world.client().post("/api/search", data={"k": "3"}, files={"x": b""}).status_code == 422
    assert world.client().post("/api/search", json={"k": 3}).status_code == 422
    assert search(world, [b"no image"]).status_code == 422
    assert world.client().post("/api/search", data={"images": "text"}, files={"x": b""}).status_code == 422
    assert world.actions() == ["search"]


def test_another_model_is_a_conflict(world: World) -> None:
    sha256 = world.model.sha256
    assert search(world, [make_image(0)], model_sha256=sha256).status_code == 200
    other = hashlib.sha256(b"other").hexdigest()
    assert search(world, [make_image(0)], model_sha256=other).status_code == 409
    enrolled = world.client().post("/api/sightings", files={"image": make_image(77)}, data={"model_sha256": other})
    assert enrolled.status_code == 409
    assert world.actions() == ["search"]


def test_bands_are_the_calibration_s(serve: Callable[..., World], world_calibration: Calibration) -> None:
    world = serve(calibration=world_calibration)
    answer = search(world, [world.images[0]], k=24).json()
    assert answer["decision"] == "match"
    for match in answer["matches"]:
        limits = (world_calibration.match.threshold, world_calibration.possible.threshold)
        band = "match" if match["distance"] <= limits[0] else "possible" if match["distance"] <= limits[1] else "unknown"
        assert match["band"] == band
    assert {match["band"] for match in answer["matches"]} == {"match", "possible", "unknown"}
    assert answer["why"][0] == "The nearest is at 0.000; for this question, everything up to 0.000 is a match."
    assert search(world, [world.images[0]], camera="nowhere").json() | {"search": "", "milliseconds": 0} == {
        "search": "",
        "decision": "unknown",
        "thresholds": {"match": 0.0, "possible": 5.0},
        "asks": "image",
        "people": 0,
        "why": [],
        "matches": [],
        "milliseconds": 0,
    }
    session = world.client("viewer").get("/api/session").json()
    assert session["calibration"]["match"]["threshold"] == world_calibration.match.threshold
    assert (session["calibration"]["people"], session["calibration"]["notes"]) == (world_calibration.people, [])


def test_what_is_usual_in_the_gallery_is_told_to_who_sees_all_of_it(
    serve: Callable[..., World], world_calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = serve(calibration=world_calibration)
    monkeypatch.setattr(world.service, "usual", lambda: Usual(np.linspace(-1, 1, 60)))
    told = {token: search(world, [world.images[0]], token).json()["why"] for token in ("viewer", f"viewer@{CAMERAS[0]}")}
    assert [any("60 sightings of this gallery" in sentence for sentence in why) for why in told.values()] == [True, False]


@pytest.fixture
def world_calibration() -> Calibration:
    """Thresholds between the distances of the images of noise."""
    from gallery.fakes import make_settings

    settings, rate = make_settings(), Rate(0.0, 0.0, 0.1)
    points = [OperatingPoint(wanted=0.1, threshold=threshold, false_positives=rate, misses=None) for threshold in (0.0, 5.0)]
    return Calibration(
        model="colours",
        model_sha256=settings.model_sha256,
        height=16,
        width=8,
        distance="euclidean",
        confidence=0.95,
        people=100,
        images=300,
        match=points[0],
        possible=points[1],
    )


def test_the_log_says_who_searched_for_what_and_knows_no_pixels(world: World) -> None:
    name = search(world, [world.images[1], world.images[2]], token="viewer@hall", k=3, since="2026-03-01T12:00:00").json()["search"]
    (entry,) = world.audit.newest(1)
    assert (entry["who"], entry["action"]) == ("viewer@hall", "search")
    assert entry["details"] == {
        "search": name,
        "images": [hashlib.sha256(image).hexdigest() for image in world.images[1:3]],
        "boxes": [],
        "k": 3,
        "one_per": "sighting",
        "cameras": ["hall"],
        "since": "2026-03-01T12:00:00+00:00",
        "until": None,
    }

"""Tracklets as sightings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from gallery.fakes import DIMENSION, ColourModel, make_settings, make_sighting
from resight.cameras.tracklets import Tracklet
from resight.errors import ArrayError
from resight.gallery import Gallery, fuse
from resight.gallery.reembed import reembed
from resight.gallery.seen import people_seen
from resight.gallery.sighting import draw_thumbnail
from resight.gallery.strip import best_crop, crops_in, draw_strip, seconds_in
from resight.gallery.tracklets import enrol_tracklet
from resight.images import decode

SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_tracklet(**changes: object) -> Tracklet:
    crops = tuple(np.full((height, height // 2, 3), colour, np.uint8) for height, colour in ((100, 200), (256, 50)))
    values: dict[str, object] = {
        "name": "door-7-aabbccdd",
        "camera": "door",
        "track": 7,
        "start": SEEN.timestamp(),
        "end": SEEN.timestamp() + 2,
        "dated": True,
        "frames": np.arange(5),
        "xyxy": np.zeros((5, 4), np.float32),
        "confidence": np.ones(5, np.float32),
        "crops": crops,
        "embedding": np.arange(DIMENSION, dtype=np.float32),
    }
    return Tracklet(**values | changes)  # type: ignore[arg-type]


def test_one_tracklet_is_one_sighting(location: str) -> None:
    with Gallery.create(location, make_settings()) as gallery:
        id, what = enrol_tracklet(gallery, make_tracklet(), "door.mp4")
        assert (what, enrol_tracklet(gallery, make_tracklet(), "door.mp4")) == ("added", (id, "present"))
        found = gallery.get(id)
        assert (found.camera, found.tracklet, found.time, found.source) == ("door", "door-7-aabbccdd", SEEN, "door.mp4")
        assert seconds_in(found.thumbnail) == 2.0
        np.testing.assert_array_equal(found.embedding, np.arange(DIMENSION))
        picture = decode(found.thumbnail)
        assert picture.shape == (128, 128, 3)
        assert abs(int(picture[60, 20, 0]) - 200) < 4 and abs(int(picture[60, 100, 0]) - 50) < 4
        gallery.label([id], "anna")
        assert enrol_tracklet(gallery, make_tracklet())[1] == "present" and gallery.get(id).identity == "anna"
        other, what = enrol_tracklet(gallery, make_tracklet(name="door-7-other", dated=False))
        assert what == "added" and gallery.get(other).time is None and len(gallery) == 2


def test_what_is_too_old_stays_out_and_another_model_is_refused(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "gallery", make_settings(retention=3600)) as gallery:
        old = replace(make_tracklet(), start=(datetime.now(UTC) - timedelta(hours=2)).timestamp())
        assert enrol_tracklet(gallery, old)[1] == "expired" and len(gallery) == 0
        now = replace(old, start=datetime.now(UTC).timestamp())
        with pytest.raises(ArrayError):
            enrol_tracklet(gallery, replace(now, embedding=np.zeros(3, np.float32)))
        assert enrol_tracklet(gallery, now)[1] == "added"


def test_a_strip_holds_every_crop() -> None:
    crops = tuple(np.full((100, 30 + 60 * n, 3), 60 * n, np.uint8) for n in range(4))
    strip = draw_strip(crops)
    assert decode(strip).shape == (128, 256, 3)
    for crop, part in zip(crops, crops_in(strip), strict=True):
        assert part.shape == (128, 64, 3) and np.abs(part.astype(int) - crop[0, 0]).max() < 4
    np.testing.assert_allclose(decode(best_crop(draw_strip(crops[::-1]))), 180, atol=4)
    plain = draw_thumbnail(crops[3])  # is no strip, whatever its shape
    assert best_crop(plain) == plain and len(crops_in(plain)) == 1 and seconds_in(plain) is seconds_in(strip) is None


@pytest.mark.parametrize("seconds", [0.0, 0.04, 599.999999, 86400.5])
def test_a_strip_says_how_long_its_tracklet_was(seconds: float) -> None:
    crops = [np.full((64, 32, 3), 90, np.uint8)] * 3
    strip = draw_strip(crops, seconds)
    assert seconds_in(strip) == pytest.approx(seconds, abs=1e-6)
    for read in (decode, lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)):
        np.testing.assert_array_equal(read(strip), read(draw_strip(crops)))  # a comment changes no pixel
    assert len(crops_in(strip)) == 3 and best_crop(strip) == best_crop(draw_strip(crops))


def test_a_tracklet_ends_with_the_calendar() -> None:
    picture = draw_strip([np.zeros((9, 9, 3), np.uint8)], 1e6)
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    ((one,),) = [found.passes for found in people_seen([make_sighting(1, time=last, thumbnail=picture)])]
    assert one.start == last and one.end == datetime.max.replace(tzinfo=UTC)


def test_a_move_to_another_model_fuses_the_crops(tmp_path: Path) -> None:
    crops = tuple(np.random.default_rng(n).integers(0, 256, (128, 64, 3), dtype=np.uint8) for n in range(3))
    other = ColourModel("other")
    settings = replace(make_settings(), model="other", model_sha256=other.sha256)
    with Gallery.create(tmp_path / "old", make_settings()) as old, Gallery.create(tmp_path / "new", settings) as new:
        id, _ = enrol_tracklet(old, make_tracklet(crops=crops))
        assert reembed(old, new, other).embedded == 1
        np.testing.assert_allclose(new.get(id).embedding, fuse(other.embed(crops_in(old.get(id).thumbnail)))[0], rtol=1e-5)

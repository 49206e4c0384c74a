"""Names, times, thumbnails, and what a filter means."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from gallery.fakes import START, make_sighting
from resight.errors import ConfigurationError
from resight.gallery import Where, parse_time, sighting_id
from resight.gallery.sighting import draw_thumbnail, from_microseconds, to_microseconds
from resight.images import decode, header_size


def test_an_id_is_the_hash_of_crop_camera_and_time() -> None:
    crop = hashlib.sha256(b"crop").hexdigest()
    seen = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
    text = f'["{crop}", "hall", 1772366400000005]'
    assert sighting_id(crop, "hall", seen) == hashlib.sha256(text.encode()).hexdigest()[:32]
    others = [
        sighting_id(hashlib.sha256(b"other").hexdigest(), "hall", seen),
        sighting_id(crop, "hall2", seen),
        sighting_id(crop, "", seen),
        sighting_id(crop, "hall", seen + timedelta(microseconds=1)),
        sighting_id(crop, "hall", None),
        sighting_id(crop, "hall", seen),
    ]
    assert len(set(others)) == 6
    assert sighting_id(crop, "hall", seen.astimezone(timezone(timedelta(hours=9)))) == others[-1]


def test_times_survive_to_the_microsecond() -> None:
    for time in (START, datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)):
        assert from_microseconds(to_microseconds(time)) == time
    assert to_microseconds(datetime(1970, 1, 1, 0, 0, 1, 2, UTC)) == 1_000_002


def test_times_of_users() -> None:
    expected = datetime(2026, 3, 1, 11, 30, tzinfo=UTC)
    for text in ("2026-03-01T12:30:00+01:00", "2026-03-01 11:30", "20260301T113000Z", " 2026-03-01T11:30:00.000 "):
        assert parse_time(text) == expected
    for text in ("", "yesterday", "2026-13-01", "12:30", "0001-01-01T00:00:00+23:59"):
        with pytest.raises(ConfigurationError, match="ISO 8601"):
            parse_time(text)


@pytest.mark.parametrize(
    ("size", "expected"), [((128, 64), (128, 64)), ((1000, 500), (128, 64)), ((20, 10), (20, 10)), ((300, 3), (128, 1))]
)
def test_thumbnails(size: tuple[int, int], expected: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[..., 0], pixels[: size[0] // 2, :, 1] = 200, 120
    data = draw_thumbnail(pixels)
    assert header_size(data) == ("jpeg", *expected)
    assert b"Exif" not in data
    small = decode(data).astype(int)
    assert np.abs(small[expected[0] // 4, 0] - [200, 120, 0]).max() < 12  # red stays red
    assert np.abs(small[3 * expected[0] // 4, 0] - [200, 0, 0]).max() < 12


def test_everything_that_is_given_must_hold() -> None:
    sighting = make_sighting(1)  # hall, person 1, one second after the start
    second = timedelta(seconds=1)
    assert sighting.time
    for where, expected in (
        (Where(), True),
        (Where(cameras=frozenset({"hall"}), identities=frozenset({"person 1"}), ids=frozenset({sighting.id})), True),
        (Where(cameras=frozenset({"hall"}), identities=frozenset({"person 2"})), False),
        (Where(cameras=frozenset()), False),
        (Where(since=sighting.time), True),
        (Where(since=sighting.time + second), False),
        (Where(until=sighting.time), False),
        (Where(until=sighting.time + second), True),
        (Where(older_than=sighting.time), False),
        (Where(older_than=sighting.time + second), True),
    ):
        assert where.holds(sighting) is expected, where
    unknown = replace(sighting, time=None)
    assert not Where(since=START).holds(unknown)
    assert not Where(until=START).holds(unknown)
    assert Where(older_than=sighting.enrolled + second).holds(unknown)
    assert not Where(older_than=sighting.enrolled).holds(unknown)
    ahead = replace(sighting, time=sighting.enrolled + timedelta(days=10_000))  # a clock that is wrong
    assert Where(older_than=sighting.enrolled + second).holds(ahead)
    assert not Where(older_than=sighting.enrolled).holds(ahead)

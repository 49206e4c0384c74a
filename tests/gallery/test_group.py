"""Sightings that nobody named, joined into people; whatever a person named stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import DIMENSION, make_id, make_settings, make_sighting
from resight.cameras.ways import Ways
from resight.errors import ConfigurationError
from resight.gallery import Gallery, Sighting
from resight.gallery import group as module
from resight.gallery.group import group_people
from resight.gallery.passes import read_passes
from resight.gallery.strip import draw_strip

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
CROP = np.full((20, 10, 3), 90, np.uint8)


def look(*numbers: float) -> np.ndarray:
    return np.array([*numbers, *[0.0] * (DIMENSION - len(numbers))], np.float32)


ANN, BOB = look(1, 0), look(0, 1)


def seen(
    number: int, embedding: np.ndarray, camera: str = "door", at: float | None = None, *, lasts: float = 0, **more: str
) -> Sighting:
    time = None if at is None else BEGAN + timedelta(seconds=at)
    named = {"tracklet": "", "identity": ""} | more
    return make_sighting(number, embedding=embedding, camera=camera, time=time, thumbnail=draw_strip([CROP], lasts), **named)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.create(tmp_path / "gallery", make_settings(distance="cosine")) as made:
        yield made


def names(gallery: Gallery) -> dict[str, str]:
    return {record.id: record.identity for record in gallery.records()}


def test_a_tracklet_is_one_pass_and_lasts_as_long_as_its_sightings(gallery: Gallery) -> None:
    gallery.add(
        [seen(1, look(3, 0), at=4, tracklet="t"), seen(2, look(0, 1), at=0, lasts=2, tracklet="t"), seen(3, ANN), seen(4, ANN)]
    )
    first, *rest = read_passes(gallery)
    assert (first.name, first.ids) == (make_id(2), (make_id(2), make_id(1)))
    assert (first.start, first.end) == (BEGAN.timestamp(), BEGAN.timestamp() + 4)
    assert first.embedding[0] == pytest.approx(first.embedding[1]) and first.embedding[2] == 0  # each sighting counts the same
    assert [one.ids for one in rest] == sorted([(make_id(3),), (make_id(4),)]) and not any(one.dated for one in rest)


def test_people_are_found_and_a_second_call_changes_nothing(gallery: Gallery) -> None:
    gallery.add([seen(1, ANN, at=0), seen(2, BOB, at=50), seen(3, look(1, 0.1), "hall", at=100), seen(4, ANN), seen(5, look(0, 0))])
    tried = group_people(gallery, 0.3, keep=False)
    assert set(names(gallery).values()) == {""}
    done = group_people(gallery, 0.3)
    assert tried == done and (done.joined, done.changed, done.named, done.left_out) == (4, 0, 0, 1)
    assert names(gallery) == {
        make_id(1): "person-1",
        make_id(2): "person-2",
        make_id(3): "person-1",
        make_id(4): "person-1",
        make_id(5): "",
    }
    first = done.groups[0]
    assert (first.name, first.passes, first.cameras, set(first.ids)) == (
        "person-1",
        3,
        ("door", "hall"),
        {make_id(1), make_id(3), make_id(4)},
    )
    assert (first.first, first.last) == (BEGAN, BEGAN + timedelta(seconds=100))
    again = group_people(gallery, 0.3)
    assert again.groups == done.groups and again.joined == 0


def test_a_name_that_somebody_gave_is_never_changed(gallery: Gallery) -> None:
    gallery.add(
        [
            seen(1, ANN, at=0, identity="Ann"),
            seen(2, ANN, at=50, identity="Cid"),
            seen(3, look(1, 0.1), at=100),
            seen(4, ANN, at=150),
        ]
    )
    gallery.add([seen(5, BOB, at=200, identity="person-7"), seen(6, BOB, at=250, identity="Bob"), seen(7, BOB, at=300)])
    done = group_people(gallery, 0.3)
    found = names(gallery)
    assert [found[make_id(n)] for n in (1, 2, 6)] == ["Ann", "Cid", "Bob"] and done.named == 3
    assert found[make_id(3)] in ("Ann?", "Cid?") and found[make_id(4)] in ("Ann?", "Cid?")
    assert found[make_id(7)] == "Bob?" and found[make_id(5)] == "Bob?" and done.changed == 1  # person-7 has turned out to be Bob


def test_nobody_is_in_two_places_at_once_but_a_crop_without_a_time_may_be_anybody(gallery: Gallery) -> None:
    gallery.add(
        [seen(1, ANN, at=0, lasts=9, tracklet="a"), seen(2, ANN, "hall", at=3, lasts=9, tracklet="b"), seen(3, ANN, "hall")]
    )
    apart = group_people(gallery, 0.3, keep=False)
    assert sorted(one.passes for one in apart.groups) == [1, 2]
    overlapping = Ways(shortest={("door", "hall"): -60.0, ("hall", "door"): -60.0}, longest={("door", "hall"): 60.0})
    assert [one.passes for one in group_people(gallery, 0.3, overlapping).groups] == [3]


def test_what_somebody_did_meanwhile_stays(gallery: Gallery) -> None:
    gallery.add([seen(1, ANN, at=0), seen(2, ANN, at=50), seen(3, BOB, at=100)])

    def meanwhile(phase: str, done: int, of: int) -> None:
        if phase == "reading":
            gallery.label([make_id(2)], "Ann")
            gallery.purge(module.Where(ids=frozenset({make_id(3)})))

    group_people(gallery, 0.3, progress=meanwhile)
    assert names(gallery) == {make_id(1): "person-1", make_id(2): "Ann"}


@pytest.mark.parametrize("seed", range(3))
def test_after_any_interruption_the_same_people(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    faces = rng.standard_normal((5, DIMENSION))
    sightings = [
        seen(
            n,
            (faces[int(rng.integers(5))] + rng.normal(0, 0.45, DIMENSION)).astype(np.float32),
            f"camera {n % 3}",
            float(rng.uniform(0, 400)),
        )
        for n in range(40)
    ]

    class Interrupted(Exception):
        pass

    with (
        Gallery.create(tmp_path / "whole", make_settings(distance="cosine")) as whole,
        Gallery.create(tmp_path / "killed", make_settings(distance="cosine")) as killed,
    ):
        for gallery in (whole, killed):
            gallery.add(sightings)
        expected = group_people(whole, 0.35)
        for _ in range(4):
            stop = int(rng.integers(1, 8))

            def kill(phase: str, done: int, of: int, stop: int = stop) -> None:
                if phase == "joining" and done == stop:
                    raise Interrupted

            with pytest.raises(Interrupted):
                group_people(killed, 0.35, progress=kill)
        group_people(killed, 0.35)
        together = [
            {frozenset(id for id, other in held.items() if other == name) for name in held.values()}
            for held in map(names, (whole, killed))
        ]
        assert together[0] == together[1] and 1 < len(expected.groups) < 40


def test_only_the_cosine_distance_joins_people(tmp_path: Path) -> None:
    with (
        Gallery.create(tmp_path / "gallery", make_settings()) as gallery,
        pytest.raises(ConfigurationError, match="cosine distance"),
    ):
        group_people(gallery, 0.3)

"""Tracklets joined into people of a gallery, also after interruptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import DIMENSION, make_settings
from resight.cameras.links import Limits
from resight.cameras.tracklets import Tracklet
from resight.cameras.ways import Ways
from resight.errors import ConfigurationError, GalleryError, StorageError
from resight.gallery import Gallery, Where
from resight.gallery import people as module
from resight.gallery.group import group_people
from resight.gallery.labels import called, label
from resight.gallery.people import People
from resight.gallery.tracklets import enrol_tracklet
from resight.service.watching import _LoggedGallery

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def passage(name: str, camera: str, start: float, look: np.ndarray, *, lasts: float = 5, dated: bool = True) -> Tracklet:
    return Tracklet(
        name=name,
        camera=camera,
        track=1,
        start=BEGAN + start,
        end=BEGAN + start + lasts,
        dated=dated,
        frames=np.arange(3),
        xyxy=np.zeros((3, 4), np.float32),
        confidence=np.ones(3, np.float32),
        crops=(np.full((20, 10, 3), 90, np.uint8),),
        embedding=look.astype(np.float32),
    )


def look(*numbers: float) -> np.ndarray:
    return np.array([*numbers, *[0.0] * (DIMENSION - len(numbers))])


ANN, BOB = look(1, 0), look(0, 1)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery.create(tmp_path / "gallery", make_settings(distance="cosine"))


def test_a_gallery_by_another_distance_is_refused(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "gallery", make_settings()) as gallery, pytest.raises(ConfigurationError, match="cosine"):
        People(gallery, 0.3)


def give(gallery: Gallery, people: People, *tracklets: Tracklet) -> list[tuple[str, str]]:
    told = []
    for one in tracklets:
        id, _ = enrol_tracklet(gallery, one)
        told += [(event["event"], event["person"]) for event in people.add(one, id)]
        people.keep()
    return told


def named(gallery: Gallery) -> dict[str, str]:
    return {one.tracklet: one.identity for one in gallery.records()}


def call(gallery: Gallery, tracklet: str, name: str) -> None:
    gallery.label([one.id for one in gallery.records() if one.tracklet == tracklet], name)


def test_people_get_provisional_names_and_a_merge_renames_them(gallery: Gallery) -> None:
    people = People(gallery, 0.3)
    told = give(gallery, people, passage("a", "door", 0, ANN), passage("b", "door", 10, look(0.6, 0.8)))
    assert told == [("new person", "person-1"), ("new person", "person-2")]
    assert give(gallery, people, passage("c", "hall", 20, look(0.9, 0.43))) == [("seen again", "person-1"), ("merged", "person-1")]
    assert named(gallery) == dict.fromkeys("abc", "person-1")
    assert give(gallery, people, passage("d", "hall", 30, BOB, dated=False), passage("e", "hall", 40, look(0))) == []
    assert named(gallery)["d"] == named(gallery)["e"] == ""


def test_the_name_of_an_operator_always_wins(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REFRESH", 0.0)
    people = People(gallery, 0.3)
    give(gallery, people, passage("a", "door", 0, ANN), passage("b", "hall", 20, ANN), passage("c", "yard", 40, ANN))
    call(gallery, "a", "Ann")
    assert give(gallery, people, passage("d", "door", 60, ANN)) == [("seen again", "Ann?")]
    assert named(gallery) == {"a": "Ann", "b": "person-1", "c": "person-1", "d": "Ann?"}

    call(gallery, "c", "Cid")  # looks like Ann, and is not
    told = give(gallery, people, passage("e", "hall", 80, look(0.99, 0.1)))
    assert ("split", "Cid?") in told and told[-1][0] == "seen again"
    assert (named(gallery)["a"], named(gallery)["c"]) == ("Ann", "Cid")

    again = People(gallery, 0.3)  # after a restart
    assert give(gallery, again, passage("f", "yard", 100, ANN))[-1][0] in ("seen again", "merged")
    assert (named(gallery)["a"], named(gallery)["c"]) == ("Ann", "Cid") and named(gallery)["f"] in ("Ann?", "Cid?")


def test_a_merge_and_a_split_by_an_operator_are_taken_up(gallery: Gallery) -> None:
    people = People(gallery, 0.3)

    def operator(tracklet: str, name: str) -> list[tuple[str, str, str]]:
        call(gallery, tracklet, name)
        people.look_again()
        events = people.look()
        people.keep()
        return [(one["event"], one["person"], one["former"]) for one in events]

    give(gallery, people, passage("a", "door", 0, ANN), passage("b", "door", 10, BOB), passage("c", "hall", 20, ANN))
    assert operator("b", "person-1") == [("merged", "person-1", "person-2")]  # whom nothing but the operator joins
    assert give(gallery, people, passage("d", "hall", 40, BOB))[0] == ("new person", "person-3")  # far from their mean
    assert operator("b", "") == [("split", "person-4", "person-1")]
    assert named(gallery) == {"a": "person-1", "b": "person-4", "c": "person-1", "d": "person-3"}
    assert operator("c", "") == [("split", "person-5", "person-1")]
    told = give(gallery, people, passage("e", "yard", 60, ANN), passage("f", "gate", 80, ANN))
    assert [kind for kind, _ in told] == ["seen again", "seen again"] and named(gallery)["c"] == "person-5"  # never joined again
    assert operator("d", "") == []  # nobody is left to split it from
    call(gallery, "a", "Ann")
    people.look_again()
    people.look()
    assert operator("c", "Ann?") == [("merged", "Ann?", "person-5")]
    assert people.look() == [] and not people.stale


def test_who_is_perhaps_somebody_follows_their_name(gallery: Gallery) -> None:
    people = People(gallery, 0.3)

    def rename(old: str, new: str, *, merging: bool = False) -> list[dict[str, object]]:
        for name, records in called(gallery, old, new, merging=merging).items():
            label(gallery, records, name)
        people.look_again()
        return people.look()

    give(gallery, people, passage("a", "door", 0, ANN), passage("b", "door", 10, BOB))
    assert rename("person-1", "Ana") == rename("person-2", "Bob") == []
    give(gallery, people, passage("c", "hall", 20, ANN), passage("d", "hall", 30, BOB))
    assert rename("Ana", "Ann") == []  # nobody is split
    assert named(gallery) == {"a": "Ann", "b": "Bob", "c": "Ann?", "d": "Bob?"}
    assert give(gallery, people, passage("e", "yard", 40, ANN)) == [("seen again", "Ann?")]
    people = People(gallery, 0.3)  # after a restart
    assert give(gallery, people, passage("f", "door", 60, look(0.95, 0.31))) == [("seen again", "Ann?")]
    assert people._linker.people().keys() == {module._NAMED, module._NAMED + 1}
    rename("Bob", "Ann", merging=True)
    assert set(named(gallery).values()) == {"Ann", "Ann?"}
    rename("Ann", "person-9")  # taken back
    assert set(named(gallery).values()) == {"person-9"}


def test_what_an_operator_did_a_moment_ago_is_not_undone(gallery: Gallery) -> None:
    people = People(gallery, 0.3)
    give(gallery, people, passage("a", "door", 0, ANN), passage("b", "door", 10, look(0.6, 0.8)))
    call(gallery, "b", "")  # and nobody has looked again
    assert give(gallery, people, passage("c", "hall", 20, look(0.9, 0.43))) == [("seen again", "person-1"), ("merged", "person-1")]
    assert named(gallery) == {"a": "person-1", "b": "", "c": "person-1"}
    people.look_again()
    people.look()
    people.keep()
    assert named(gallery) == {"a": "person-1", "b": "person-3", "c": "person-1"}


def test_what_an_operator_named_while_the_log_was_written_stays(gallery: Gallery) -> None:
    def log(who: str, action: str, **details: object) -> None:
        if action == "label":
            call(gallery, "a", "Ann")

    give(watched := _LoggedGallery(gallery, log), People(watched, 0.3), passage("a", "door", 0, ANN))
    assert named(gallery) == {"a": "Ann"}


def test_who_was_purged_is_not_compared_any_more(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REFRESH", 0.0)
    people = People(gallery, 0.3)
    give(gallery, people, passage("a", "door", 0, ANN))
    gallery.purge(Where(identities=frozenset({"person-1"})))
    assert give(gallery, people, passage("b", "hall", 20, ANN)) == [("new person", "person-2")]


def test_what_is_possible_is_given_or_learned(gallery: Gallery) -> None:
    twins = passage("a", "door", 0, ANN), passage("b", "hall", 2, ANN)
    ways = Ways(shortest={("door", "hall"): -np.inf, ("hall", "door"): -np.inf})
    assert give(gallery, People(gallery, 0.3, ways), *twins)[1] == ("seen again", "person-1")
    people, eye = People(gallery, 0.3), np.eye(DIMENSION)
    for person in range(2, 14):  # everybody takes 30 s or more from here to there
        assert len(give(gallery, people, passage(f"{person}y", "yard", 100 * person, eye[person]))) == 1
        give(gallery, people, passage(f"{person}g", "gate", 100 * person + 35 + person, eye[person]))
    names = named(gallery)
    assert all(names[f"{person}y"] == names[f"{person}g"] for person in range(2, 14))
    give(gallery, people, passage("y", "yard", 5000, eye[14]), passage("g", "gate", 5007, eye[14]))
    assert named(gallery)["y"] != named(gallery)["g"]


@pytest.mark.parametrize("limits", (0.35, Limits(lambda vector: 0.35, lambda people: 0.6)), ids=("plain", "centred"))
@pytest.mark.parametrize("seed", range(4))
def test_after_any_interruption_the_same_people(seed: int, limits: Limits | float, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    faces = rng.standard_normal((5, DIMENSION))
    who = rng.integers(0, 5, 40)
    looks = faces[who] + rng.normal(0, 0.45, (40, DIMENSION))
    starts = np.sort(rng.uniform(0, 400, 40))
    tracklets = [passage(f"t{n}", f"camera {n % 3}", starts[n], looks[n], lasts=float(rng.uniform(1, 30))) for n in range(len(who))]
    tracklets.sort(key=lambda one: one.end)
    with (
        Gallery.create(tmp_path / "whole", make_settings(distance="cosine")) as whole,
        Gallery.create(tmp_path / "killed", make_settings(distance="cosine")) as killed,
    ):
        expected = give(whole, People(whole, limits), *tracklets)
        assert {kind for kind, _ in expected} == {"new person", "seen again", "merged"} or seed or limits != 0.35
        for _ in range(6):  # each time from the beginning, until it is killed before or after a name is kept
            people = People(killed, limits)
            stop = int(rng.integers(1, len(tracklets)))
            give(killed, people, *tracklets[:stop])
            id, _ = enrol_tracklet(killed, tracklets[stop])
            people.add(tracklets[stop], id)
        give(killed, People(killed, limits), *tracklets)
        groups = [
            {frozenset(t for t, other in names.items() if other == name) for name in names.values()}
            for names in (named(whole), named(killed))
        ]
        assert groups[0] == groups[1] and 1 < len(groups[0]) < 40


def test_a_tracklet_of_long_ago_keeps_its_person(gallery: Gallery) -> None:
    old = passage("a", "door", 0, ANN)
    give(gallery, People(gallery, 0.3), old, passage("b", "hall", 20, ANN))
    people = People(gallery, 0.3)
    give(gallery, people, replace(passage("c", "yard", 0, BOB), start=BEGAN + 9 * 86400, end=BEGAN + 9 * 86400 + 5))
    assert give(gallery, people, old) == [] and named(gallery)["a"] == "person-1"
    assert timedelta(days=9).total_seconds() == 9 * 86400 and named(gallery)["c"] == "person-2"


@pytest.mark.parametrize(("method", "fails_at"), [("sightings", 1), *(("records", number) for number in range(1, 6))])
def test_a_read_that_fails_once_changes_nothing(
    gallery: Gallery, method: str, fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(
        gallery,
        People(gallery, 0.3),
        passage("a", "door", 100, ANN),
        passage("b", "hall", 200, ANN),
        passage("c", "yard", 300, BOB),
    )
    call(gallery, "a", "Ann")
    call(gallery, "b", "Ann")
    people = People(gallery, 0.3)  # after a restart
    calls, real = [0], getattr(gallery, method)

    def away(*asked: object) -> object:
        calls[0] += 1
        if calls[0] == fails_at:
            raise StorageError("away")
        return real(*asked)

    def add(one: Tracklet) -> list[tuple[str, str]]:
        id, _ = enrol_tracklet(gallery, one)
        with monkeypatch.context() as failing:
            failing.setattr(gallery, method, away)
            try:
                told = people.add(one, id)
            except StorageError:
                told = people.add(one, id)
        people.keep()
        return [(event["event"], event["person"]) for event in told]

    assert add(passage("d", "door", 400, ANN)) == [("seen again", "Ann?")]
    call(gallery, "b", "Bea")
    people.look_again()
    early = passage("e", "yard", -50, BOB)  # before everything that was read
    (split, _), again = add(early)
    assert (split, again) == ("split", ("seen again", "person-2"))
    assert calls[0] >= fails_at
    assert {**named(gallery), "d": ""} == {"a": "Ann", "b": "Bea", "c": "person-2", "d": "", "e": "person-2"}


def test_one_process_alone_joins_people_of_a_gallery(location: str) -> None:
    with Gallery.create(location, make_settings(distance="cosine")) as first, Gallery.open(location) as second:
        people = People(first, 0.3)
        give(first, people, passage("door-1", "door", 0, ANN))
        People(first, 0.3)  # again, after an interruption
        with pytest.raises(GalleryError, match="another process joins people in this gallery"):
            People(second, 0.3)
        with pytest.raises(GalleryError, match="another process joins people in this gallery"):
            group_people(second, 0.3)
        assert group_people(second, 0.3, keep=False).groups[0].name == "person-1"
        second.add([])  # anything else
        first.close()
        give(second, People(second, 0.3), passage("hall-1", "hall", 60, ANN), passage("hall-2", "hall", 90, BOB))
        assert {record.tracklet: record.identity for record in second.records()} == {
            "door-1": "person-1",
            "hall-1": "person-1",
            "hall-2": "person-2",
        }

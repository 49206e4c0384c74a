"""What every back end must do: one suite, run on each."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.fakes import CAMERAS, DIMENSION, START, make_id, make_settings, make_sighting, make_sightings
from resight.errors import ArrayError, ConfigurationError, GalleryDamagedError, GalleryError
from resight.gallery import Camera, Gallery, Sighting, Store, Where, upkeep

Make = Callable[..., Store]


@pytest.fixture
def make(location: str) -> Iterator[Make]:
    """Makes the gallery with some sightings; `again=True` opens another handle to it."""
    opened = []

    def build(sightings: list[Sighting] = (), *, again: bool = False, **settings: Any) -> Store:  # type: ignore[assignment]
        gallery = Gallery.open(location) if again else Gallery.create(location, make_settings(**settings))
        opened.append(gallery)
        if sightings:
            assert gallery.add(sightings) == len(sightings)
        return gallery._store

    yield build
    for gallery in opened:
        gallery.close()


def oracle(sightings: list[Sighting], query: np.ndarray, k: int, where: Where, distance: str) -> tuple[list[str], list[float]]:
    """Distances in float64, pair by pair, and a sort by distance and id."""
    found = []
    for sighting in sightings:
        if where.holds(sighting):
            u, v = query.astype(np.float64), sighting.embedding.astype(np.float64)
            lengths = np.linalg.norm(u) * np.linalg.norm(v)
            value = np.linalg.norm(u - v) if distance == "euclidean" else 1 - u @ v / lengths if lengths else 1.0
            found.append((float(value), sighting.id))
    found = sorted(found)[:k]
    return [id for _, id in found], [value for value, _ in found]


WHERES = {
    "everything": Where(),
    "cameras": Where(cameras=frozenset({"hall", CAMERAS[2], "nowhere"})),
    "tracklets": Where(tracklets=frozenset({"3", "7", "nowhere"})),
    "since": Where(since=START + timedelta(seconds=100)),
    "until": Where(until=START + timedelta(seconds=100)),
    "range": Where(since=START + timedelta(seconds=50), until=START + timedelta(seconds=51)),
    "camera and range": Where(
        cameras=frozenset({"hall"}), since=START + timedelta(seconds=40), until=START + timedelta(seconds=200)
    ),
    "people": Where(identities=frozenset({"person 2", ""})),
    "ids": Where(ids=frozenset({make_id(3), make_id(200), make_id(9999)})),
    "old": Where(older_than=START + timedelta(days=1, seconds=30)),
    "new": Where(newer_than=START + timedelta(seconds=30)),
    "nothing": Where(cameras=frozenset({"nowhere"})),
}


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_search_equals_the_oracle(make: Make, distance: str) -> None:
    sightings = make_sightings(240)
    sightings[7] = make_sighting(7, embedding=np.zeros(DIMENSION, np.float32))
    for number in (11, 80, 119):  # copies of one vector, under other ids
        sightings[number] = make_sighting(number, embedding=sightings[10].embedding)
    index = make(sightings, distance=distance)
    queries = np.stack([sightings[10].embedding, sightings[5].embedding + 0.1, -sightings[3].embedding])
    for name, where in WHERES.items():
        for k in (1, 4, 300):
            ids, distances = index.search(queries, k, where)
            for row, query in enumerate(queries):
                expected_ids, expected = oracle(sightings, query, k, where, distance)
                assert ids[row].tolist() == expected_ids, (name, k)
                np.testing.assert_allclose(distances[row], expected, rtol=1e-5, atol=2e-6, err_msg=name)
            assert distances.dtype == np.float32
            assert ids.shape == distances.shape


def test_ties_are_in_the_order_of_ids_whatever_the_order_of_enrolment(make: Make) -> None:
    one = np.ones(DIMENSION, np.float32)
    sightings = [make_sighting(number, embedding=one) for number in np.random.default_rng(3).permutation(60).tolist()]
    index = make(sightings)
    assert index.search(one[None] * 2, 20)[0][0].tolist() == sorted(sighting.id for sighting in sightings)[:20]


def test_rounding_does_not_decide(make: Make) -> None:
    """In float32 all of these are equally far away; in float64 they are not."""
    vectors = np.full((90, DIMENSION), 1000, np.float32)
    vectors[:, 0] += np.random.default_rng(0).permutation(90).astype(np.float32) * np.spacing(np.float32(1000))
    query = np.full((1, DIMENSION), -1e6, np.float32)
    sightings = [make_sighting(number, embedding=vector) for number, vector in enumerate(vectors)]
    assert len(np.unique(np.linalg.norm(vectors - query, axis=1))) < 3
    assert make(sightings).search(query, 7)[0][0].tolist() == oracle(sightings, query[0], 7, Where(), "euclidean")[0]


def test_what_goes_in_comes_out(make: Make) -> None:
    sightings = make_sightings(12)
    index = make(sightings)
    assert len(index) == 12
    found = index.get([sighting.id for sighting in reversed(sightings)] + [make_id(99)])
    assert list(found) == [sighting.id for sighting in reversed(sightings)]
    for sighting in sightings:
        same = found[sighting.id]
        assert same.to_dict() == sighting.to_dict()
        assert same.thumbnail == sighting.thumbnail
        np.testing.assert_array_equal(same.embedding, sighting.embedding)
    assert index.present([make_id(3), make_id(99)]) == {make_id(3)}


def test_numbers_are_kept_to_the_last_bit(make: Make) -> None:
    numbers = np.array([1e16, -1e-30, 1 / 3, 0.1, 16777217, 5e-45, 0, -0.0] * 2, np.float32)
    index = make([make_sighting(0, embedding=numbers)])
    assert index.get([make_id(0)])[make_id(0)].embedding.tobytes() == numbers.tobytes()


def test_the_same_crop_twice_is_one_record(make: Make) -> None:
    index = make(make_sightings(10))
    changed = make_sighting(3, identity="somebody else", embedding=np.zeros(DIMENSION, np.float32))
    assert index.add([changed, make_sighting(50), make_sighting(50)]) == 1
    assert len(index) == 11
    assert index.get([make_id(3)])[make_id(3)].to_dict() == make_sighting(3).to_dict()
    assert index.search(make_sighting(50).embedding[None], 1)[0].tolist() == [[make_id(50)]]


def test_records_are_those_that_are_meant_in_the_order_of_enrolment(make: Make) -> None:
    sightings = make_sightings(240)
    index = make(sightings)
    for name, where in WHERES.items():
        expected = [sighting.to_dict() for sighting in sightings if where.holds(sighting)]
        assert [record.to_dict() for record in index.records(where)] == expected, name


def test_cameras_are_counted_as_their_records_are(make: Make) -> None:
    sightings = make_sightings(240)
    sightings += [replace(make_sighting(number), camera=CAMERAS[1], time=None) for number in (300, 301)]
    sightings += [replace(make_sighting(400), camera="without a clock", time=None)]
    index = make(sightings[:200])
    assert index.add(sightings[200:]) == 43
    index.remove(Where(ids=frozenset({make_id(number) for number in range(20)})))
    expected = []
    for name in sorted({record.camera for record in sightings[20:]}):
        times = [record.time for record in sightings[20:] if record.camera == name]
        known = [time for time in times if time is not None]
        expected.append((name, Camera(sightings=len(times), first=min(known, default=None), last=max(known, default=None))))
    assert list(index.cameras().items()) == expected


@pytest.mark.parametrize("name", ["camera and range", "people", "ids", "old", "nothing"])
def test_what_is_removed_is_never_found_again(location: str, make: Make, name: str) -> None:
    sightings = make_sightings(240)
    index = make(sightings)
    queries = np.stack([sighting.embedding for sighting in sightings[:9]])
    index.search(queries, 3)  # it is in memory now
    left = [sighting for sighting in sightings if not WHERES[name].holds(sighting)]
    assert index.remove(WHERES[name]).removed == len(sightings) - len(left)
    for handle in (index, make(again=True)):
        assert len(handle) == len(left)
        assert [record.id for record in handle.records()] == [sighting.id for sighting in left]
        assert handle.present(sighting.id for sighting in sightings) == {sighting.id for sighting in left}
        for row, query in enumerate(queries):
            assert handle.search(queries, 240)[0][row].tolist() == oracle(left, query, 240, Where(), "euclidean")[0]
    assert index.remove(WHERES[name]).removed == 0
    assert upkeep.verify(location) == []


def test_what_was_removed_can_be_enrolled_again(location: str, make: Make) -> None:
    index = make(make_sightings(10))
    index.remove(Where(ids=frozenset({make_id(4)})))
    assert index.add(make_sightings(10)) == 1
    assert index.search(make_sighting(4).embedding[None], 1)[0].tolist() == [[make_id(4)]]
    assert upkeep.verify(location) == []


def test_labels(location: str, make: Make) -> None:
    index = make(make_sightings(10))
    assert index.label([make_id(1), make_id(2), make_id(99)], "Zoë") == 2
    assert {record.id for record in index.records(Where(identities=frozenset({"Zoë"})))} == {make_id(1), make_id(2)}
    assert index.label([make_id(2)], "") == 1
    assert index.get([make_id(2)])[make_id(2)].identity == ""
    assert index.search(make_sighting(1).embedding[None], 9, Where(identities=frozenset({"Zoë"})))[0].tolist() == [[make_id(1)]]
    assert upkeep.verify(location) == []


def test_a_label_leaves_alone_what_was_named_meanwhile(make: Make) -> None:
    index = make(make_sightings(3, identity=""))
    was = {record.id: record.identity for record in index.records()}
    make(again=True).label([make_id(1)], "anna")
    assert index.label(was, "person-1", was) == 2
    assert [record.identity for record in index.records()] == ["person-1", "anna", "person-1"]
    assert index.summary(None, None, START).identities == 2


def test_a_tracklet_is_found_without_reading_the_others(location: str, make: Make) -> None:
    index = make(make_sightings(12))
    damage = "UPDATE {}sighting SET source = 'other' WHERE id = '" + make_id(11) + "'"
    if location.startswith("postgres"):
        import psycopg

        with psycopg.connect(location) as server:
            server.execute(damage.format("resight.").encode())
    else:
        with closing(sqlite3.connect(Path(location) / "gallery.sqlite", isolation_level=None)) as file:
            file.execute(damage.format(""))
    where = Where(tracklets=frozenset({"1", "nobody's"}))
    assert [record.id for record in index.records(where)] == [make_id(number) for number in range(4, 8)]
    only = replace(where, cameras=frozenset({"hall"}))
    assert [record.id for record in index.records(only)] == [make_id(number) for number in (4, 7)]
    with pytest.raises(GalleryDamagedError):
        index.records()


def test_an_empty_gallery(make: Make) -> None:
    index = make()
    assert len(index) == 0
    ids, distances = index.search(np.ones((2, DIMENSION), np.float32), 5)
    assert ids.shape == distances.shape == (2, 0)
    assert index.records() == []
    assert index.cameras() == {}
    assert index.get([make_id(1)]) == {}
    assert index.add([]) == 0
    assert index.remove(Where()).removed == 0


def test_another_handle_sees_every_change(make: Make) -> None:
    index = make(make_sightings(5))
    other = make(again=True)
    query = make_sighting(30).embedding[None]
    assert other.search(query, 9)[0].shape == (1, 5)
    for number in range(5, 40):
        index.add([make_sighting(number)])
        assert other.search(query, 100)[0].shape == (1, number + 1)
    assert other.search(query, 1)[0].tolist() == [[make_id(30)]]
    other.remove(Where(ids=frozenset({make_id(30)})))
    assert make_id(30) not in index.search(query, 100)[0][0].tolist()
    assert other.settings == index.settings == make_settings()


def test_another_handle_sees_a_crop_that_was_removed_and_enrolled_anew(make: Make) -> None:
    index = make(make_sightings(5))
    other = make(again=True)
    query = make_sighting(30).embedding
    other.search(query[None], 1)
    index.remove(Where(ids=frozenset({make_id(2)})))
    index.add([make_sighting(2, embedding=query)])
    ids, distances = other.search(query[None], 1)
    assert (ids.tolist(), distances.tolist()) == ([[make_id(2)]], [[0]])


def test_many_threads_add_the_same_at_once(location: str, make: Make) -> None:
    first = make()
    handles = [first, first, make(again=True), make(again=True)]
    added = []

    def work(handle: Store, seed: int) -> None:
        for number in np.random.default_rng(seed).permutation(40).tolist():
            added.append(handle.add([make_sighting(number)]))

    threads = [threading.Thread(target=work, args=(handle, seed)) for seed, handle in enumerate(handles)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 40
    assert len(first) == 40
    assert upkeep.verify(location) == []


def test_a_search_sees_all_of_an_addition_or_nothing(make: Make) -> None:
    index = make(make_sightings(10))
    done = threading.Event()

    def add() -> None:
        for start in range(10, 210, 10):
            index.add(make_sightings(10, start))
        done.set()

    thread = threading.Thread(target=add)
    thread.start()
    sizes = []
    while not done.is_set():
        sizes.append(index.search(np.zeros((1, DIMENSION), np.float32), 1000)[0].shape[1])
    thread.join()
    assert sizes == sorted(sizes)
    assert all(size % 10 == 0 for size in sizes)


def test_mistakes(make: Make, location: str) -> None:
    index = make(make_sightings(3))
    good = make_sighting(5)
    with pytest.raises(GalleryError, match="a gallery already"):
        Gallery.create(location, make_settings())
    for wrong, message in (
        (make_sighting(4, embedding=np.zeros(3, np.float32)), r"shape \(3,\)"),
        (make_sighting(4, embedding=np.full(DIMENSION, np.nan, np.float32)), "NaN"),
        (make_sighting(4, id="../../etc/passwd"), "32 hexadecimal"),
        (make_sighting(4, camera="nul \0"), "camera"),
        (make_sighting(4, identity="\ud800"), "identity"),
        (make_sighting(4, source="x" * 5000), "source"),
        (make_sighting(4, time=START.replace(tzinfo=None)), "time zone"),
    ):
        with pytest.raises((ArrayError, ConfigurationError), match=message):
            index.add([good, wrong])
    assert len(index) == 3  # not even the good one
    with pytest.raises(ArrayError, match="hold 3 numbers and the gallery's 16"):
        index.search(np.zeros((1, 3), np.float32), 1)
    with pytest.raises(ArrayError, match="k is 0"):
        index.search(np.zeros((1, DIMENSION), np.float32), 0)
    with pytest.raises(ArrayError, match="NaN"):
        index.search(np.full((1, DIMENSION), np.inf, np.float32), 1)
    with pytest.raises(ConfigurationError, match="identity"):
        index.label([make_id(0)], "\0")
    with pytest.raises(ConfigurationError, match="set of texts"):
        Where(cameras="hall")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="time zone"):
        Where(since=START.replace(tzinfo=None))
    index.close()
    with pytest.raises(GalleryError, match="the gallery is closed; open it again"):
        index.search(good.embedding[None], 1)
    with pytest.raises(GalleryError, match="the gallery is closed; open it again"):
        index.add([good])


@pytest.mark.parametrize("name", ["everything", "camera", "cameras", "people", "both", "from", "before", "between"])
def test_pages_are_slices_of_the_list_by_time(make: Make, name: str) -> None:
    index, sightings = make(make_sightings(60)), make_sightings(60)
    middle = START + timedelta(seconds=25)
    where = {
        "everything": Where(),
        "camera": Where(cameras=frozenset({"hall"})),
        "cameras": Where(cameras=frozenset({"hall", "Küche ☂", "none"})),
        "people": Where(identities=frozenset({"person 1", "", "person 3"})),
        "both": Where(identities=frozenset({"person 1"}), cameras=frozenset({"hall"})),
        "from": Where(since=middle),
        "before": Where(until=middle, cameras=frozenset({"hall"})),
        "between": Where(since=middle, until=middle + timedelta(seconds=9), identities=frozenset({"person 1", "person 2"})),
    }[name]
    expected = sorted(filter(where.holds, sightings), key=lambda one: (one.time is None, one.time or START, one.id))
    found: list[str] = []
    last = None
    while page := index.page(where, 7, last):
        assert len(page) == min(7, len(expected) - len(found))
        found += [record.id for record in page]
        last = page[-1]
    assert found == [one.id for one in expected]


def test_summaries_follow_additions_labels_and_removals(make: Make) -> None:
    index, sightings = make(make_sightings(60)), {one.id: one for one in make_sightings(60)}
    index.label([make_id(1), make_id(2)], "somebody new")
    for number in (1, 2):
        sightings[make_id(number)] = replace(sightings[make_id(number)], identity="somebody new")
    index.remove(Where(ids=frozenset(map(make_id, range(0, 60, 4)))))
    left = [one for number, one in enumerate(sightings.values()) if number % 4]
    for cameras in (None, frozenset({"hall", "none"})):
        seen = [one for one in left if cameras is None or one.camera in cameras]
        found = index.summary(cameras, START + timedelta(seconds=20), START + timedelta(seconds=30))
        assert {name: camera.sightings for name, camera in found.cameras.items()} == Counter(one.camera for one in seen)
        for name, camera in found.cameras.items():
            times = [one.time for one in seen if one.camera == name and one.time]
            assert (camera.first, camera.last) == (min(times), max(times))
        assert found.identities == len({one.identity for one in seen} - {""})
        assert found.unlabelled == sum(one.identity == "" for one in seen)
        assert found.expired == sum(Where(older_than=START + timedelta(seconds=20)).holds(one) for one in seen)
        assert found.future == sum(Where(newer_than=START + timedelta(seconds=30)).holds(one) for one in seen)
    assert index.summary(None, None, START).cameras == index.cameras()
    assert index.names() == ({one.camera for one in left}, {one.identity for one in left})


def test_lists_and_statistics_read_no_more_than_they_show(tmp_path: Path) -> None:
    """Counted by SQLite itself: the steps of its machine do not grow with the gallery."""
    steps = []
    for size in (200, 2000):
        with Gallery.create(tmp_path / str(size), make_settings()) as gallery:
            gallery.add(make_sightings(size, identity="one"))
            everything = gallery.page(limit=size)
            middle, late = (everything[size * part // 10].id for part in (5, 9))  # the last fifth has no time
            made = [0]
            gallery._store._reader.set_progress_handler(lambda made=made: made.__setitem__(0, made[0] + 1), 10)  # type: ignore
            last = gallery.page(limit=20)[-1]
            for place in (last.id, middle, late):
                gallery.page(limit=20, after=place)
                gallery.page(Where(identities=frozenset({"one"})), 20, after=place)
            gallery.page(Where(identities=frozenset({"one"}), since=START + timedelta(seconds=100)), 20)
            gallery.page(Where(cameras=frozenset({"hall", "entrance"}), until=START + timedelta(seconds=5)), 20)
            gallery.statistics()
            steps.append(made[0])
    assert steps[1] < 1.2 * steps[0]

"""What runs beside the routes: the places, the worker, the log before the act, and the retention."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gallery.fakes import ColourModel, make_image, make_settings, make_sighting
from resight.cli import main
from resight.errors import BusyError, ConfigurationError, GalleryError, ModelMismatchError, StorageError
from resight.gallery import Crop, Gallery, Where, upkeep
from resight.gallery.store import purge
from resight.service import Act
from resight.service.lifecycle import Limits, Service
from resight.service.search_queue import LARGEST_BATCH, Question
from service.worlds import World


def search(world: World, number: int = 0) -> Any:
    return world.client("viewer").post("/api/search", files={"images": world.images[number]}, data={"k": "1"})


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def blocked(serve: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> tuple[World, threading.Event]:
    """Three places, and searches that wait until an event is set."""
    world, go_on = serve(limits=Limits(queue=3)), threading.Event()
    before = Gallery.search_each

    def search_each(self: Gallery, *arguments: Any) -> Any:
        assert go_on.wait(30)
        return before(self, *arguments)

    monkeypatch.setattr(Gallery, "search_each", search_each)
    return world, go_on


def test_more_than_there_are_places_for_are_asked_to_come_again(blocked: tuple[World, threading.Event]) -> None:
    world, go_on = blocked
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(search, world, number) for number in range(3)]
        wait_for(lambda: world.service.places.taken == 3)
        refused = search(world)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] in ("1", "2", "3")  # not all at once
        other = world.client().post("/api/sightings", files={"image": make_image(99)})
        assert other.status_code == 201  # another caller has a share of its own
        viewer = world.client("viewer")
        assert viewer.get("/api/sightings/" + world.ids[0]).status_code == 200  # looking is still possible
        assert viewer.post("/api/sightings", files={"image": make_image(99)}).status_code == 403  # to come again would not help
        go_on.set()
        answers = [one.result() for one in asked]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.json()["matches"][0]["id"] for answer in answers] == world.ids[:3]
    assert world.service.places.taken == 0
    assert search(world).status_code == 200
    assert sorted(world.actions()) == ["enrol", *["search"] * 4]


def test_what_waits_is_answered_together_and_with_one_write(blocked: tuple[World, threading.Event]) -> None:
    world, go_on = blocked
    searches, writes, batches = world.service.searches, [], []
    searches._observe = batches.append
    before = world.audit._write
    world.audit._write = lambda data: (writes.append(data.count(b"\n")), before(data))[1]  # type: ignore[method-assign]
    vectors = world.gallery.get(world.ids[0]).embedding[None]
    questions = [
        Question(vectors=vectors, k=1, where=world.find("admin").narrow(_everything()), act=Act("a", "search", {"n": number}))  # type: ignore[union-attr]
        for number in range(2 * LARGEST_BATCH + 5)
    ]
    answers = [searches.ask(questions[0])]
    wait_for(lambda: writes == [1])
    answers += [searches.ask(question) for question in questions[1:]]
    answers[1].cancel()  # who asked is gone
    go_on.set()
    for number, answer in enumerate(answers):
        if number != 1:
            assert [match.record.id for match in answer.result(30)] == [world.ids[0]]
    assert writes == batches == [1, LARGEST_BATCH - 1, LARGEST_BATCH, 4]
    assert [entry["details"]["n"] for entry in world.audit.newest(200)[::-1]] == [0, *range(2, len(questions))]


def _everything() -> Any:
    from resight.gallery import EVERYTHING

    return EVERYTHING


def test_what_cannot_be_logged_is_not_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("search", "add", "label", "remove"):
        before = getattr(world.gallery._store, name)
        monkeypatch.setattr(world.gallery._store, name, _told(done, name, before))

    def fail(data: bytes) -> None:
        raise StorageError("no space in /secret")

    monkeypatch.setattr(world.audit, "_write", fail)
    client, id = world.client(), world.ids[0]
    for answer in (
        search(world),
        client.post("/api/sightings", files={"image": make_image(99)}),
        client.post("/api/sightings/list", json={}),
        client.post(f"/api/sightings/{id}/verdict", json={"verdict": "confirm", "identity": "anna"}),
        client.post("/api/export", json={"ids": [id], "reason": "x"}),
        client.post("/api/purge", json={"ids": [id], "dry_run": False}),
        client.get("/api/audit"),
    ):
        assert answer.status_code == 507
        assert "secret" not in answer.text
    assert done == []
    monkeypatch.undo()
    assert search(world).status_code == 200
    assert world.actions() == ["search"]


def _told(done: list[str], name: str, before: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        done.append(name)
        return before(*arguments, **options)

    return call


def test_a_failing_search_harms_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.gallery._store.search
    failing = [True]

    def fail_once(*arguments: Any) -> Any:
        if failing.pop() if failing else False:
            raise StorageError("the disk is gone")
        return before(*arguments)

    monkeypatch.setattr(world.gallery._store, "search", fail_once)
    assert search(world).status_code == 507
    assert search(world).status_code == 200


def test_who_asks_while_it_stops_is_told(serve: Callable[..., World]) -> None:
    world = serve()
    world.service.searches.close()
    answer = search(world)
    assert answer.status_code == 429
    with pytest.raises(BusyError):
        world.service.searches.ask(
            Question(vectors=world.gallery.get(world.ids[0]).embedding[None], k=1, where=_everything(), act=Act("a", "b", {}))
        )


def test_what_has_expired_is_purged_in_the_background_and_logged(serve: Callable[..., World]) -> None:
    retention = int((datetime.now(UTC) - datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)).total_seconds())
    world = serve(retention=retention + 30 * 86_400, purge_every=0.05)
    wait_for(lambda: len(world.gallery) == 24)
    fresh = Crop(source="a", data=make_image(70), time=datetime.now(UTC) - timedelta(seconds=5))
    world.gallery.enrol(world.model, [fresh])
    object.__setattr__(world.gallery.settings, "retention", retention)
    wait_for(lambda: len(world.gallery) < 20)
    left = {record.id for record in world.gallery.records()}
    assert left == {*world.ids[len(world.ids) - len(left) + 1 :], world.gallery.records()[-1].id}
    wait_for(lambda: "purge" in world.actions())
    entry = world.audit.newest(100)[-1]
    assert (entry["who"], entry["action"]) == ("retention", "purge")
    assert entry["details"]["sightings"] > 0


def test_a_purge_that_fails_is_tried_again(serve: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    world = serve(retention=10**9, purge_every=0.02)
    tried: list[int] = []

    def fail(*arguments: Any) -> Any:
        tried.append(1)
        raise StorageError("full")

    monkeypatch.setattr(world.gallery._store, "records", fail)
    wait_for(lambda: len(tried) > 2)
    monkeypatch.undo()
    assert "resight_failed_purges_total 0.0" not in world.client().get("/api/metrics").text


def test_without_an_end_nothing_expires(world: World) -> None:
    assert world.service.retention.purge_expired() is None


def test_another_model_is_refused(world: World) -> None:
    with pytest.raises(ModelMismatchError):
        Service(world.gallery, ColourModel("others"), world.audit, world.find)
    assert make_settings().model_sha256 == world.gallery.settings.model_sha256


def test_what_has_expired_is_purged_where_only_a_snapshot_has_it(serve: Callable[..., World]) -> None:
    world = serve(retention=100 * 365 * 86_400, purge_every=3600.0)
    upkeep.take_snapshot(world.gallery.folder, "without")
    fresh = Crop(source="a", data=make_image(70), time=datetime.now(UTC) - timedelta(hours=2))
    (id,) = world.gallery.enrol(world.model, [fresh]).ids
    upkeep.take_snapshot(world.gallery.folder, "with")
    upkeep.restore_snapshot(world.gallery.folder, "without")
    assert world.service.retention.purge_expired() is None
    object.__setattr__(world.gallery.settings, "retention", 3600)
    old = Where(older_than=datetime.now(UTC) - timedelta(hours=1))
    world.gallery.purge(Where(ids=frozenset(record.id for record in world.gallery.records(old))))
    assert not world.gallery.records(old)
    assert world.gallery.statistics().expired == 1
    removal = world.service.retention.purge_expired()
    assert removal
    assert (removal.removed, removal.removed_from_snapshots) == (0, 1)
    assert world.gallery.statistics().expired == 0
    upkeep.restore_snapshot(world.gallery.folder, "with")
    assert not world.gallery._store.present([id])


def test_a_purge_that_was_interrupted_is_finished(serve: Callable[..., World]) -> None:
    world = serve(retention=100 * 365 * 86_400, purge_every=3600.0)
    upkeep.take_snapshot(world.gallery.folder, "good")
    old = Where(older_than=datetime.now(UTC) - timedelta(hours=1))
    expired = world.gallery.records(old)
    assert len(expired) > 10
    broken = upkeep.take_snapshot(world.gallery.folder, "broken").path
    broken.write_bytes(b"x" * 100)
    with pytest.raises(GalleryError, match="damaged"):
        world.gallery.purge(Where(ids=frozenset(record.id for record in expired)))
    assert not world.gallery.records(old)  # but the other snapshot has them
    object.__setattr__(world.gallery.settings, "retention", 3600)
    with pytest.raises(GalleryError, match="damaged"):
        world.service.retention.purge_expired()
    broken.unlink()
    assert world.service.retention.purge_expired()
    assert world.service.retention.purge_expired() is None
    upkeep.restore_snapshot(world.gallery.folder, "good")
    assert not world.gallery.records(old)


def test_a_clock_that_jumps_stops_the_retention(serve: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    world = serve(retention=100 * 365 * 86_400, purge_every=3600.0)
    object.__setattr__(world.gallery.settings, "retention", 3600)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 7200)
    with pytest.raises(StorageError, match=r"clock has jumped by 2\.0 hours"):
        world.service.retention.purge_expired()
    assert len(world.gallery) == 24
    monkeypatch.undo()
    assert world.service.retention.purge_expired()


def test_what_a_wrong_clock_enrolled_is_named_and_can_be_deleted(
    serve: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    world, later = serve(retention=100 * 365 * 86_400, purge_every=3600.0), datetime.now(UTC) + timedelta(days=9999)
    wait_for(lambda: not world.service.purging.running)
    world.gallery.add([make_sighting(1, enrolled=later, time=None), make_sighting(2, enrolled=later), make_sighting(3, time=later)])
    assert world.client().get("/api/stats").json()["future"] == 1  # the others have a time that is right
    world.service.retention.warn_of_the_future()
    world.service.retention.warn_of_the_future()
    assert [record.getMessage()[:45] for record in caplog.records] == ["1 sightings were enrolled in the future, and w"[:45]]
    assert main(["gallery", "purge", str(world.gallery.folder), "--future", "--yes"]) == 0
    assert world.gallery.statistics().future == 0
    assert len(world.gallery) == 24 + 2


def test_the_progress_of_a_purge_can_be_seen(serve: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    world, go_on = serve(), threading.Event()
    monkeypatch.setattr(purge, "_BATCH", 5)
    before = purge._prove

    def wait(*arguments: Any) -> Any:
        if world.service.purging.done == 5:
            assert go_on.wait(30)
        return before(*arguments)

    monkeypatch.setattr(purge, "_prove", wait)
    client = world.client()
    nothing = {"running": False, "done": 0, "of": 0, "since": None, "unfinished": False}
    assert client.get("/api/purge/progress").json() == nothing
    assert (
        world.client("operator").get("/api/purge/progress").status_code
        == world.client("admin@hall").get("/api/purge/progress").status_code
        == 403
    )
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(client.post, "/api/purge", json={"cameras": ["hall"], "dry_run": False})
        wait_for(lambda: client.get("/api/purge/progress").json()["done"] == 5)
        seen = client.get("/api/purge/progress").json()
        assert (seen["running"], seen["of"], seen["unfinished"]) == (True, 8, False)
        go_on.set()
        assert done.result().json()["proved"]
    assert client.get("/api/purge/progress").json() == seen | {"running": False, "done": 8}
    monkeypatch.setattr(purge, "_prove", lambda *_: (_ for _ in ()).throw(StorageError("full")))
    assert client.post("/api/purge", json={"ids": [], "dry_run": False}).status_code == 507
    assert client.get("/api/purge/progress").json()["unfinished"]


@pytest.mark.parametrize("name", ["queue", "upload", "k", "pixels"])
def test_limits_are_positive(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the limit {name} is 0; expected at least 1"):
        Limits(**{name: 0})

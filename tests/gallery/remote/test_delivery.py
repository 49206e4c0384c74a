"""Delivery to a gallery that goes away, refuses, and forgets to answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gallery.fakes import ColourModel, make_settings
from gallery.test_tracklets import make_tracklet
from resight.cameras.tracklets import Tracklet
from resight.errors import ConfigurationError, GalleryAwayError, ModelMismatchError, UploadError
from resight.gallery.remote import Delivery
from resight.gallery.remote.backlog import Backlog
from resight.gallery.remote.parcel import Parcel
from resight.gallery.settings import Settings
from resight.gallery.tracklets import What
from resight.models.model import Model

PAUSES = (0.01, 0.02)
NOW = datetime.now(UTC).timestamp()


class Far:
    """A gallery far away. It does in turn what `plan` says: ``"away"``; ``"lost"``, it takes the parcel and the answer is lost;
    ``"refuse"``; and from the end of the plan on, it takes what comes."""

    shown = "https://far.example.org"

    def __init__(self, *plan: str, retention: int | None = None) -> None:
        self.plan, self.retention = list(plan), retention
        self.taken: list[str] = []
        self.there = threading.Event()
        self.there.set()

    def settings(self) -> Settings:
        if not self.there.is_set():
            raise GalleryAwayError(f"{self.shown} cannot be reached (no route)")
        return make_settings(retention=self.retention)

    def deliver(self, parcel: Parcel, model: Model) -> What:
        step = self.plan.pop(0) if self.plan else ""
        if step == "away" or not self.there.is_set():
            raise GalleryAwayError(f"{self.shown} cannot be reached (no route)")
        if step == "refuse":
            raise UploadError("not like this")
        if parcel.id in self.taken:
            return "present"
        self.taken.append(parcel.id)
        if step == "lost":
            raise GalleryAwayError(f"{self.shown} cannot be reached (timed out)")
        return "added"

    def close(self) -> None:
        pass


@pytest.fixture
def said() -> list[str]:
    return []


def make(folder: Path, far: Far, said: list[str], most: int = 10**7) -> Delivery:
    return Delivery(far, Backlog(folder, most), report=said.append, pauses=PAUSES)


def tracklets(count: int, first: int = 0) -> Iterator[Tracklet]:
    return (make_tracklet(name=f"door-{number}", start=NOW - number) for number in range(first, first + count))


def test_a_gallery_that_comes_and_goes_gets_everything_once_and_in_order(tmp_path: Path, said: list[str]) -> None:
    far = Far("", "away", "lost", "", "away", "away", "away", "lost")
    delivery = make(tmp_path, far, said)
    delivery.start(ColourModel())
    ids = [delivery.put(one, "door.mp4", wait=True)[0] for one in tracklets(10)]
    assert delivery.finish(10) == ""
    assert far.taken == ids
    assert delivery.counts == {"added": 8, "present": 2, "expired": 0, "refused": 0, "lost": 0, "waiting": 0}
    assert sum("tracklets wait" in line and "cannot be reached" in line for line in said) == 3  # once for each reason
    assert said[-1].startswith("https://far.example.org is back")


def test_what_waits_is_delivered_by_the_next_one(tmp_path: Path, said: list[str]) -> None:
    far = Far()
    delivery = make(tmp_path, far, said)
    far.there.clear()
    delivery.start(ColourModel())
    ids = [delivery.put(one, "", wait=True)[0] for one in tracklets(5)]
    late = delivery.finish(0.2)
    assert late.startswith(f"5 tracklets wait in {tmp_path} (https://far.example.org cannot be reached (no route)")
    assert delivery.counts["waiting"] == 5 and far.taken == []
    for there in (True, False):  # another gallery gets none of it, and is not taken for one that was reached
        other = Far()
        other.shown = "https://other.example.org"
        if not there:
            other.there.clear()
        with pytest.raises(
            ConfigurationError, match=rf"{tmp_path} is for https://far.example.org; name another folder by --backlog"
        ):
            make(tmp_path, other, said)
    far.shown += "/"
    delivery = make(tmp_path, far, said)  # away still; its settings are known from before
    assert delivery.settings == make_settings()
    delivery.start(ColourModel())
    assert [delivery.put(one, "", wait=True)[0] for one in tracklets(7)][:5] == ids
    far.there.set()
    assert delivery.finish(10) == "" and len(far.taken) == 7 == len(set(far.taken)) and far.taken[:5] == ids
    assert "5 tracklets wait in" in "\n".join(said)


def test_the_first_time_it_must_be_there(tmp_path: Path, said: list[str]) -> None:
    far = Far()
    far.there.clear()
    with pytest.raises(GalleryAwayError, match=r"no route.*the first time"):
        make(tmp_path, far, said)


def test_the_model_must_be_the_gallerys(tmp_path: Path, said: list[str]) -> None:
    delivery = make(tmp_path, Far(), said)
    with pytest.raises(ModelMismatchError):
        delivery.start(ColourModel("other"))
    delivery.close()


def test_what_is_refused_does_not_hold_up_the_rest_and_is_not_lost(tmp_path: Path, said: list[str]) -> None:
    far = Far("", "refuse")
    delivery = make(tmp_path, far, said)
    delivery.start(ColourModel())
    ids = [delivery.put(one, "", wait=True)[0] for one in tracklets(4)]
    assert delivery.finish(10) == ""
    assert far.taken == [ids[0], *ids[2:]]
    assert delivery.counts["refused"] == 1
    assert said == [f"https://far.example.org refuses door-1, which stays in {tmp_path}: not like this"]
    delivery = make(tmp_path, far, said)
    delivery.start(ColourModel())
    assert delivery.finish(10) == "" and far.taken[-1] == ids[1]


def test_a_full_backlog_costs_live_cameras_the_oldest_and_lets_films_wait(tmp_path: Path, said: list[str]) -> None:
    far = Far()
    delivery = make(tmp_path, far, said, most=13_000)
    far.there.clear()
    delivery.start(ColourModel())
    ids = [delivery.put(one, "", wait=False)[0] for one in tracklets(20)]
    lost = delivery.counts["lost"]
    assert 3 < lost < 18
    assert [line.split("; ")[1] for line in said if "is full" in line][:3] == [
        f"{n} tracklets are lost, the oldest" for n in (1, 2, 4)
    ]
    film = threading.Thread(target=lambda: ids.extend(delivery.put(one, "", wait=True)[0] for one in tracklets(5, 20)))
    film.start()
    time.sleep(0.2)
    assert film.is_alive()
    far.there.set()
    film.join(20)
    assert delivery.finish(10) == "" and delivery.counts["lost"] == lost
    assert far.taken == ids[lost:]


def test_what_expires_while_it_waits_is_deleted_here_too(tmp_path: Path, said: list[str]) -> None:
    far = Far(retention=2)
    delivery = make(tmp_path, far, said)
    far.there.clear()
    now = datetime.now(UTC).timestamp()
    assert delivery.put(make_tracklet(name="old", start=now - 10), "", wait=True)[1] == "expired"
    assert delivery.put(make_tracklet(name="door-1", start=now - 0.5), "", wait=True)[1] == "waiting"
    assert delivery.put(make_tracklet(name="door-2", dated=False), "", wait=True)[1] == "waiting"  # counts from now
    time.sleep(2.1)
    delivery.start(ColourModel())
    assert delivery.finish(10) == "" and far.taken == []
    assert delivery.counts["expired"] == 3

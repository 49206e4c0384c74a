"""Delivery to a database that breaks connections and goes away."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import ColourModel, make_settings
from gallery.test_tracklets import make_tracklet
from resight.cameras.tracklets import Tracklet
from resight.errors import GalleryAwayError
from resight.gallery import Gallery, fuse
from resight.gallery.remote import Delivery, open_delivery
from resight.gallery.remote.backlog import Backlog
from resight.gallery.remote.parcel import parcel_of
from resight.gallery.remote.postgres import DatabaseGallery

BREAK = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def tracklets(first: int) -> list[Tracklet]:
    return [make_tracklet(name=f"door-{number}") for number in range(first, first + 3)]


def test_a_database_that_comes_and_goes_gets_everything_once(postgres: str, tmp_path: Path) -> None:
    import psycopg

    Gallery.create(postgres, make_settings()).close()
    said: list[str] = []
    delivery = open_delivery(postgres, "postgresql://there", backlog=tmp_path, report=said.append)
    delivery.start(ColourModel())
    ids = [delivery.put(one, "door.mp4", wait=True)[0] for one in tracklets(0)]
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        while (connection.execute("SELECT count(*) FROM resight.sighting").fetchone() or (0,))[0] < 3:
            time.sleep(0.02)
        connection.execute("ALTER SCHEMA resight RENAME TO elsewhere")
        connection.execute(BREAK)
        ids += [delivery.put(one, "door.mp4", wait=True)[0] for one in tracklets(3)]
        deadline = time.monotonic() + 60
        while not any("tracklets wait" in line for line in said) and time.monotonic() < deadline:
            time.sleep(0.02)
        connection.execute("ALTER SCHEMA elsewhere RENAME TO resight")
    assert delivery.finish(60) == ""
    assert delivery.counts["added"] + delivery.counts["present"] == 6
    assert [line for line in said if "there is back" in line]
    with Gallery.open(postgres) as gallery:
        found = gallery.sightings(ids)
        assert len(found) == 6 == len(gallery)
        np.testing.assert_array_equal(found[ids[0]].embedding, np.arange(16))


def test_the_vector_of_another_model_is_made_anew(postgres: str) -> None:
    model = ColourModel("new")
    with Gallery.create(postgres, replace(make_settings(), model="new", model_sha256=model.sha256)) as gallery:
        parcel = parcel_of(tracklets(0)[0], "", ColourModel("old").sha256)
        with closing(DatabaseGallery(postgres, "there")) as there:
            assert there.deliver(parcel, model) == "added"
        np.testing.assert_allclose(gallery.get(parcel.id).embedding, fuse(model.embed(parcel.crops()))[0], rtol=1e-5)


def test_a_parcel_that_cannot_be_stored_is_set_aside(tmp_path: Path) -> None:
    """The same code with a gallery in a folder, which needs no server."""
    Gallery.create(tmp_path / "gallery", make_settings()).close()
    backlog, sha256 = Backlog(tmp_path / "backlog", 10**7), ColourModel().sha256
    backlog.put(replace(parcel_of(make_tracklet(name="door-1"), "", sha256), source="film\udce9.mp4"))  # as it once was put there
    backlog.put(replace(parcel_of(make_tracklet(name="door-2"), "", sha256), source="x" * 5000))
    backlog.put(replace(parcel_of(make_tracklet(name="door-3"), "", sha256), strip=b"no picture"))
    said: list[str] = []
    delivery = Delivery(DatabaseGallery(str(tmp_path / "gallery"), "there"), backlog, report=said.append, pauses=(0.01,))
    delivery.start(ColourModel())
    delivery.put(make_tracklet(name="door-4"), "clip\udce9.mp4", wait=True)
    assert delivery.finish(20) == ""
    assert (delivery.counts["added"], delivery.counts["refused"]) == (2, 2)
    assert [line.split(",")[0] for line in said[1:]] == ["there refuses door-2", "there refuses door-3"]
    with Gallery.open(tmp_path / "gallery") as gallery:
        assert [record.source for record in gallery.records()] == ["film\ufffd.mp4", "clip\ufffd.mp4"]


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(GalleryAwayError, match=r"postgresql://127\.0\.0\.1:9/x: the database says") as caught:
        open_delivery("postgresql://anna:s3cret@127.0.0.1:9/x", "postgresql://127.0.0.1:9/x", backlog=tmp_path)
    assert "s3cret" not in str(caught.value)
    Backlog(tmp_path, 1).close()  # which it has let go

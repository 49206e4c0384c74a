"""Copies at one moment, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import make_id, make_settings, make_sighting, make_sightings
from resight.errors import ConfigurationError, GalleryDamagedError, GalleryError
from resight.gallery import Gallery, Where, upkeep
from resight.gallery.store import database
from resight.gallery.store.snapshot import restore, snapshots


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.create(tmp_path / "gallery", make_settings()) as made:
        made.add(make_sightings(30))
        yield made


def contents(gallery: Gallery) -> dict[str, object]:
    found = gallery.sightings(record.id for record in gallery.records())
    return {id: (s.to_dict(), s.embedding.tobytes(), s.thumbnail) for id, s in found.items()}


def files(gallery: Gallery) -> list[str]:
    assert gallery.folder
    return sorted(str(path.relative_to(gallery.folder)) for path in gallery.folder.rglob("*") if path.is_file())


def test_back_to_what_it_was(gallery: Gallery) -> None:
    before = contents(gallery)
    taken = upkeep.take_snapshot(gallery.folder, "monday")
    assert (taken.name, taken.count, taken.bytes) == ("monday", 30, taken.path.stat().st_size)
    gallery.add(make_sightings(10, 30))
    gallery.label([make_id(2)], "somebody")
    assert contents(gallery) != before
    assert upkeep.restore_snapshot(gallery.folder, "monday").count == 30
    assert contents(gallery) == before
    assert upkeep.verify(gallery.folder) == []
    assert files(gallery) == [
        "gallery.lock",
        "gallery.sqlite",
        "gallery.sqlite-shm",
        "gallery.sqlite-wal",
        "reserve",
        "snapshots/monday.sqlite",
    ]


def test_a_snapshot_is_a_gallery_of_its_own_in_one_file(gallery: Gallery, tmp_path: Path) -> None:
    taken = upkeep.take_snapshot(gallery.folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "gallery.sqlite").write_bytes(taken.path.read_bytes())
    with Gallery.open(tmp_path / "elsewhere") as copy:
        assert contents(copy) == contents(gallery)
        assert copy.search(make_sighting(7).embedding[None], 1)[0].record.id == make_id(7)


def test_another_handle_sees_what_was_restored(gallery: Gallery) -> None:
    assert gallery.folder
    with Gallery.open(gallery.folder) as other:
        query = make_sighting(33).embedding[None]
        upkeep.take_snapshot(gallery.folder, "a")
        gallery.add(make_sightings(5, 30))
        assert other.search(query, 1)[0].record.id == make_id(33)
        upkeep.restore_snapshot(gallery.folder, "a")
        assert len(other.search(query, 99)) == 30
        # The numbers of rows begin again where the snapshot left off; what gets them now must not be taken for what had them.
        gallery.add(make_sightings(5, 100))
        assert len(other.search(query, 99)) == 35
        assert other.search(make_sighting(102).embedding[None], 1)[0].record.id == make_id(102)
        assert make_id(33) not in {match.record.id for match in other.search(query, 99)}
        upkeep.restore_snapshot(gallery.folder, "a")
        gallery.add(make_sightings(5, 200))  # both between two looks
        assert other.search(make_sighting(202).embedding[None], 1)[0].record.id == make_id(202)
        assert len(other.search(query, 99)) == 35


def test_what_was_purged_does_not_come_back(gallery: Gallery) -> None:
    upkeep.take_snapshot(gallery.folder, "a")
    gallery.purge(Where(cameras=frozenset({"hall"})))
    upkeep.restore_snapshot(gallery.folder, "a")
    assert {record.camera for record in gallery.records()} == {"entrance", "Küche ☂"}


@pytest.mark.parametrize("damage", ["header", "middle", "empty", "missing", "truncated", "other"])
def test_a_damaged_gallery_is_restored(gallery: Gallery, damage: str) -> None:
    assert gallery.folder
    before = contents(gallery)
    upkeep.take_snapshot(gallery.folder, "a")
    gallery.close()
    path = gallery.folder / database.FILE
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:100] = bytes(100)
    elif damage == "middle":
        data[4096 : len(data) // 2] = np.random.default_rng(0).bytes(len(data) // 2 - 4096)
    path.write_bytes({"empty": b"", "truncated": bytes(data[:5000]), "other": b"text" * 3000}.get(damage, bytes(data)))
    if damage == "missing":
        path.unlink()
    with pytest.raises((GalleryDamagedError, GalleryError)), Gallery.open(gallery.folder) as broken:
        broken.search(make_sighting(1).embedding[None], 30)
    assert restore(gallery.folder, "a").count == 30
    with Gallery.open(gallery.folder) as again:
        assert contents(again) == before
        assert upkeep.verify(gallery.folder) == []


def test_a_damaged_snapshot_changes_nothing(gallery: Gallery) -> None:
    taken = upkeep.take_snapshot(gallery.folder, "a")
    gallery.add(make_sightings(3, 50))
    before = contents(gallery)
    data = bytearray(taken.path.read_bytes())
    place = data.index(make_sighting(4).embedding.tobytes())
    data[place + 5] ^= 1
    taken.path.write_bytes(data)
    with pytest.raises(GalleryDamagedError, match=f"'a' is damaged: .*{make_id(4)}: its vector .*nothing was changed"):
        upkeep.restore_snapshot(gallery.folder, "a")
    assert contents(gallery) == before
    assert any("its vector" in problem for problem in upkeep.verify(gallery.folder))


def test_nothing_damaged_is_copied(gallery: Gallery) -> None:
    assert gallery.folder
    connection = sqlite3.connect(gallery.folder / database.FILE)
    connection.execute("UPDATE thumbnail SET jpeg = x'00' WHERE number = 3")
    connection.commit()
    connection.close()
    with pytest.raises(GalleryDamagedError, match=f"no snapshot was taken: .*{make_id(2)}: its thumbnail"):
        upkeep.take_snapshot(gallery.folder, "a")
    assert "snapshots/a.sqlite" not in files(gallery)
    assert not [name for name in files(gallery) if "partial" in name]


def test_names(gallery: Gallery) -> None:
    assert gallery.folder
    for name in ("../a", "a/b", "", "a.b", "ü", "x" * 101):
        with pytest.raises(ConfigurationError, match="cannot be called" if name else "no snapshot"):
            upkeep.restore_snapshot(gallery.folder, name or "none")
        if name:
            with pytest.raises(ConfigurationError, match="cannot be called"):
                upkeep.take_snapshot(gallery.folder, name)
    upkeep.take_snapshot(gallery.folder, "b")
    upkeep.take_snapshot(gallery.folder, "a")
    with pytest.raises(ConfigurationError, match="'a' already"):
        upkeep.take_snapshot(gallery.folder, "a")
    with pytest.raises(ConfigurationError, match="no snapshot 'c'; it has: a, b"):
        upkeep.restore_snapshot(gallery.folder, "c")
    assert [snapshot.name for snapshot in snapshots(gallery.folder)] == ["a", "b"]
    assert gallery.statistics().snapshots == ("a", "b")

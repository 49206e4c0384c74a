"""Damage is named, and nothing damaged is served: bits are flipped all over the file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import DIMENSION, make_id, make_settings, make_sightings
from resight.errors import GalleryDamagedError, GalleryError, ResightError
from resight.gallery import Gallery, Where
from resight.gallery.store import database
from resight.gallery.store.verify import verify


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a gallery of 120 sightings."""
    folder = tmp_path_factory.mktemp("whole")
    with Gallery.create(folder, make_settings()) as gallery:
        gallery.add(make_sightings(120))
    return (folder / database.FILE).read_bytes()


def answers(folder: Path) -> list[object]:
    """Everything that a gallery says of itself."""
    with Gallery.open(folder) as gallery:
        ids, distances = gallery._store.search(np.eye(DIMENSION, dtype=np.float32)[:3], 120, Where())
        found = gallery.sightings([make_id(number) for number in range(120)])
        people = [record.to_dict() for record in gallery.records(Where(identities=frozenset({"person 3"})))]
        shown = [(s.to_dict(), s.embedding.tobytes(), s.thumbnail) for s in found.values()]
        return [ids.tolist(), distances.tolist(), people, shown, len(gallery), gallery.settings]


def flip(whole: bytes, folder: Path, rng: np.random.Generator) -> None:
    data = bytearray(whole)
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    (folder / database.FILE).write_bytes(data)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_no_flipped_bit_changes_an_answer(whole: bytes, tmp_path: Path, seed: int) -> None:
    (tmp_path / database.FILE).write_bytes(whole)
    expected = answers(tmp_path)
    rng = np.random.default_rng(seed)
    outcomes = []
    for _ in range(2000 if seed else 60):
        for path in tmp_path.iterdir():
            path.unlink()
        flip(whole, tmp_path, rng)
        named = bool(verify(tmp_path))
        try:
            same = answers(tmp_path) == expected
        except ResightError:
            same = None  # refused
        assert same is not False, "a wrong answer was given"
        assert named or same, "damage was refused but not named"
        outcomes.append((named, same))
    assert (True, None) in outcomes  # most of the file is content


def test_every_truncation_is_named(whole: bytes, tmp_path: Path) -> None:
    for length in [0, 1, 99, 100, 4096, *np.linspace(5000, len(whole) - 1, 12).astype(int).tolist()]:
        for path in tmp_path.iterdir():
            path.unlink()
        (tmp_path / database.FILE).write_bytes(whole[:length])
        assert verify(tmp_path), length
        with pytest.raises(ResightError):
            answers(tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE sighting SET identity = 'other' WHERE number = 5", f"sighting {make_id(4)}: its record does not fit"),
        ("UPDATE vector SET embedding = zeroblob(64) WHERE number = 5", f"sighting {make_id(4)}: its vector does not fit"),
        ("UPDATE thumbnail SET jpeg = zeroblob(64) WHERE number = 5", f"sighting {make_id(4)}: its thumbnail does not fit"),
        ("DELETE FROM vector WHERE number = 5", f"sighting {make_id(4)} has no vector"),
        ("DELETE FROM thumbnail WHERE number = 5", f"sighting {make_id(4)} has no thumbnail"),
        ("DELETE FROM sighting WHERE number = 5", "holds 119 sightings and should hold 120"),
        ("UPDATE state SET count = 121", "holds 120 sightings and should hold 121"),
        ("UPDATE kept SET value = replace(value, 'euclidean', 'cosine')", "'settings' does not fit its checksum"),
        (
            "UPDATE vector SET embedding = (SELECT embedding FROM vector WHERE number = 6) WHERE number = 5",
            "its vector does not fit",
        ),
        (
            "UPDATE vector SET (embedding, crc) = (SELECT embedding, crc FROM vector WHERE number = 6) WHERE number = 5",
            f"sighting {make_id(4)}: its vector does not fit",
        ),
        ("INSERT INTO vector VALUES (999, zeroblob(64), 0)", "belongs to no sighting"),
        ("DELETE FROM state", "should hold -1"),
    ],
)
def test_changes_behind_its_back_are_named(whole: bytes, tmp_path: Path, change: str, problem: str) -> None:
    (tmp_path / database.FILE).write_bytes(whole)
    assert verify(tmp_path) == []
    connection = sqlite3.connect(tmp_path / database.FILE)
    connection.execute(change)
    connection.commit()
    connection.close()
    assert any(problem in found for found in verify(tmp_path)), verify(tmp_path)
    if "belongs to no sighting" not in problem:
        with pytest.raises(GalleryDamagedError):
            answers(tmp_path)


def test_a_record_that_is_missing_is_missed(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / database.FILE).write_bytes(whole)
    connection = sqlite3.connect(tmp_path / database.FILE)
    connection.execute("DELETE FROM sighting WHERE number = 5")
    connection.commit()
    connection.close()
    with Gallery.open(tmp_path) as gallery:
        for call in (gallery.records, gallery.statistics, lambda: gallery._store.search(np.ones((1, DIMENSION), np.float32), 1)):
            with pytest.raises(GalleryDamagedError, match=r"holds 119 sightings and|counts by camera do not add up"):
                call()


def test_damage_that_comes_while_it_is_open(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / database.FILE).write_bytes(whole)
    with Gallery.open(tmp_path) as gallery:
        query = make_sightings(1)[0].embedding[None]
        assert gallery.search(query, 1)[0].record.id == make_id(0)
        connection = sqlite3.connect(tmp_path / database.FILE)
        connection.execute("UPDATE thumbnail SET jpeg = zeroblob(9) WHERE number = 1")
        connection.execute("UPDATE sighting SET source = 'elsewhere' WHERE number = 2")
        connection.commit()
        connection.close()
        with pytest.raises(GalleryDamagedError, match=f"the thumbnail of sighting {make_id(0)}"):
            gallery.get(make_id(0))
        with pytest.raises(GalleryDamagedError, match=f"the record of sighting {make_id(1)}"):
            gallery.search(query, 120)


def test_an_index_of_ids_that_leaves_sightings_out(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / database.FILE).write_bytes(whole)
    root = "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'sighting'"
    connection = sqlite3.connect(tmp_path / database.FILE)
    page, size = (connection.execute(statement).fetchone()[0] for statement in (root, "PRAGMA page_size"))
    connection.close()
    with (tmp_path / database.FILE).open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(b"\x0a" + bytes(4) + size.to_bytes(2, "big") + b"\0")  # the head of a leaf without cells
    with Gallery.open(tmp_path) as gallery:
        for call in (gallery.sightings, lambda ids: gallery.records(Where(ids=frozenset(ids)))):
            with pytest.raises(GalleryDamagedError, match="its index of ids leaves sightings out"):
                call([make_id(0)])
            assert call([make_id(999)]) in ({}, [])


def test_files_that_are_no_gallery(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no gallery here"):
        Gallery.open(tmp_path)
    with pytest.raises(GalleryError, match="no gallery here"):
        verify(tmp_path)
    connection = sqlite3.connect(tmp_path / database.FILE)
    connection.execute("CREATE TABLE other (a)")
    connection.commit()
    connection.close()
    with pytest.raises(GalleryDamagedError, match="not that of a gallery"):
        Gallery.open(tmp_path)


@pytest.mark.parametrize(("version", "said"), [(4, "a newer version of Resight"), (1, "an older version of Resight")])
def test_another_version_is_refused_and_never_called_damage(whole: bytes, tmp_path: Path, version: int, said: str) -> None:
    (tmp_path / database.FILE).write_bytes(whole)
    connection = sqlite3.connect(tmp_path / database.FILE)
    connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(GalleryError, match=rf"{said} \(schema {version}, expected 3\)") as caught:
        Gallery.open(tmp_path)
    assert "damaged" not in str(caught.value)


def test_more_problems_than_are_named(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / database.FILE).write_bytes(whole)
    connection = sqlite3.connect(tmp_path / database.FILE)
    connection.execute("UPDATE sighting SET tracklet = 'x'")
    connection.commit()
    connection.close()
    found = verify(tmp_path)
    assert len(found) == 101
    assert found[-1].endswith("20 more problems")


def test_processes_that_end_meanwhile_do_not_disturb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Gallery.create(tmp_path / "gallery", make_settings()).close()
    before = os.scandir

    def scandir(path: object = ".") -> object:
        if str(path) == f"/proc/{os.getpid()}/fd":
            raise FileNotFoundError(path)
        return before(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", scandir)
    assert verify(tmp_path / "gallery") == []

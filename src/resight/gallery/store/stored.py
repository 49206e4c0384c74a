"""Contents of a gallery's SQLite file: sightings, records, counts and kept values, each read with its checksum."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from resight.gallery.settings import Settings
from resight.gallery.sighting import Record, Sighting
from resight.gallery.store.database import damaged
from resight.gallery.store.precision import decode_vectors
from resight.gallery.store.rows import COLUMNS, Row, blob_crc, record_of, row_crc, row_of

__all__ = [
    "WHOLE",
    "check_blob",
    "check_ids",
    "check_row",
    "delete",
    "find_records",
    "find_tracklets",
    "insert",
    "new_revision",
    "read_kept",
    "read_records",
    "read_sightings",
    "read_state",
    "write_identity",
    "write_kept",
    "write_state",
]

WHOLE = (
    "SELECT s.id, s.camera, s.time, s.enrolled, s.source, s.tracklet, s.identity, s.crc, v.embedding, v.crc{} "
    "FROM sighting s LEFT JOIN vector v USING (number){}"
)
"""Question for a record with its vector, and places for more columns and for a condition."""


def insert(connection: sqlite3.Connection, sighting: Sighting, embedding: bytes) -> bool:
    """Add one sighting, with its encoded vector; return whether it is new."""
    row = row_of(sighting)
    cursor = connection.execute(
        f"INSERT INTO sighting ({COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", (*row, row_crc(row))
    )
    if not cursor.rowcount:
        return False
    for table, content in (("vector", embedding), ("thumbnail", sighting.thumbnail)):
        values = (cursor.lastrowid, content, blob_crc(sighting.id, content))
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", values)
    return True


def delete(connection: sqlite3.Connection, ids: list[str]) -> int:
    """Delete sightings with their vectors and thumbnails, and return their number. A new revision tells other processes."""
    cursor = connection.execute("DELETE FROM sighting WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    if cursor.rowcount:
        write_state(connection, -cursor.rowcount, renew=True)
    return cursor.rowcount


def read_state(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of sightings, and the revision."""
    count, revision = connection.execute("SELECT count, revision FROM state").fetchone() or (-1, -1)
    return count, revision


def write_state(connection: sqlite3.Connection, more: int, *, renew: bool = False) -> None:
    """Add to the number of sightings. `renew` sets a new revision, which says that more than additions happened."""
    connection.execute("UPDATE state SET count = count + ?", (more,))
    if renew:
        connection.execute("UPDATE state SET revision = ?", (new_revision(),))


def read_records(connection: sqlite3.Connection, path: Path) -> Iterator[Record]:
    """Read and check all records in the order of their enrolment, in a transaction. Raises `GalleryDamagedError`."""
    found = 0
    for record in _records(connection, path, ""):
        found += 1
        yield record
    count, _ = read_state(connection)
    if found != count:
        raise damaged(path, f"it holds {found} sightings and should hold {count}")


def find_records(connection: sqlite3.Connection, path: Path, ids: Iterable[str]) -> list[Record]:
    """Read and check the records of some ids in the order of their enrolment. Raises `GalleryDamagedError`."""
    asked = set(ids)
    found = list(_records(connection, path, "WHERE id IN (SELECT value FROM json_each(?))", json.dumps(list(asked))))
    check_ids(connection, path, asked - {record.id for record in found})
    return found


def find_tracklets(connection: sqlite3.Connection, path: Path, tracklets: Iterable[str]) -> list[Record]:
    """Read and check the records of some tracklets in the order of their enrolment. Raises `GalleryDamagedError`."""
    return list(_records(connection, path, "WHERE tracklet IN (SELECT value FROM json_each(?))", json.dumps(list(tracklets))))


def check_ids(connection: sqlite3.Connection, path: Path, missing: Collection[str]) -> None:
    """Raise `GalleryDamagedError` if ids were not found because the index of ids leaves them out."""
    everywhere = "SELECT id FROM sighting NOT INDEXED WHERE id IN (SELECT value FROM json_each(?))"
    if missing and connection.execute(everywhere, (json.dumps(list(missing)),)).fetchone():
        raise damaged(path, "its index of ids leaves sightings out")


def _records(connection: sqlite3.Connection, path: Path, condition: str, *parameters: str) -> Iterator[Record]:
    for *row, crc in connection.execute(f"SELECT {COLUMNS}, crc FROM sighting {condition} ORDER BY number", parameters):
        check_row(tuple(row), crc, path)
        yield record_of(tuple(row))


def check_row(row: Row, crc: int, path: Path) -> None:
    """Raise `GalleryDamagedError` if a sighting's row does not fit its checksum."""
    if row_crc(row) != crc:
        raise damaged(path, f"the record of sighting {row[0]} does not fit its checksum")


def check_blob(kind: str, id: str, content: Any, crc: Any, path: Path) -> None:
    """Raise `GalleryDamagedError` if a vector or thumbnail does not fit its checksum."""
    if not isinstance(content, bytes) or blob_crc(id, content) != crc:
        raise damaged(path, f"the {kind} of sighting {id} does not fit its checksum")


def read_sightings(connection: sqlite3.Connection, path: Path, ids: Iterable[str], settings: Settings) -> dict[str, Sighting]:
    """Read and check sightings by id; unknown ids are left out. Raises `GalleryDamagedError`."""
    query = WHOLE.format(", t.jpeg, t.crc", " LEFT JOIN thumbnail t USING (number) WHERE s.id = ?")
    found = {}
    asked = list(ids)
    for id in asked:
        if row := connection.execute(query, (id,)).fetchone():
            check_row(row[:7], row[7], path)
            record = record_of(row[:7])
            check_blob("vector", record.id, row[8], row[9], path)
            check_blob("thumbnail", record.id, row[10], row[11], path)
            vector = decode_vectors([row[8]], settings.precision, settings.dimension)[0]
            found[record.id] = Sighting(embedding=vector, thumbnail=row[10], **vars(record))
    check_ids(connection, path, [id for id in asked if id not in found])
    return found


def write_identity(connection: sqlite3.Connection, record: Record) -> None:
    """Store the identity of a record."""
    values = (record.identity, row_crc(row_of(record)), record.id)
    connection.execute("UPDATE sighting SET identity = ?, crc = ? WHERE id = ?", values)


def write_kept(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Keep a JSON value under a name."""
    text = json.dumps(value, allow_nan=False)
    connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (name, text, blob_crc(name, text.encode())))


def read_kept(connection: sqlite3.Connection, path: Path, name: str) -> Any:
    """Return the JSON value under a name; None if there is none. Raises `GalleryDamagedError`."""
    row = connection.execute("SELECT value, crc FROM kept WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    if not isinstance(row[0], str) or blob_crc(name, row[0].encode()) != row[1]:
        raise damaged(path, f"{name!r} does not fit its checksum")
    return json.loads(row[0])


def new_revision() -> int:
    return secrets.randbits(62)

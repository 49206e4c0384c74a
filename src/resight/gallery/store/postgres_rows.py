"""Sightings and filters in the terms of PostgreSQL: rows with their checksums, and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from resight.errors import GalleryDamagedError
from resight.gallery.sighting import Record, Sighting, Where, from_microseconds, to_microseconds
from resight.gallery.store.interface import Camera, check_sightings
from resight.gallery.store.postgres_schema import TALLY
from resight.gallery.store.rows import COLUMNS, KEY, LATE, Row, blob_crc, record_of, row_crc, row_of
from resight.progress import Progress

__all__ = [
    "CHUNK",
    "checked_record",
    "condition_of",
    "count_sightings",
    "describe_camera",
    "find_damage",
    "get_sightings",
    "insert_sightings",
    "vector_crc",
    "vector_text",
]

CHUNK = 1000
"""Largest number of sightings that are read at a time."""

_WHOLE = f"{COLUMNS}, crc, embedding::real[], embedding_crc, thumbnail, thumbnail_crc"


def insert_sightings(connection: psycopg.Connection, sightings: Sequence[Sighting], dimension: int) -> int:
    """Insert those that are not there; return how many these are."""
    rows = []
    for sighting, vector in zip(sightings, check_sightings(sightings, dimension), strict=True):
        row = row_of(sighting)
        blobs = (
            vector_text(vector),
            vector_crc(sighting.id, vector),
            sighting.thumbnail,
            blob_crc(sighting.id, sighting.thumbnail),
        )
        rows.append((*row, row_crc(row), *blobs))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO resight.sighting ({COLUMNS}, crc, embedding, embedding_crc, thumbnail, thumbnail_crc) VALUES "
            "(%s, %s, %s, %s, %s, %s, %s, %s, %s::vector, %s, %s, %s) ON CONFLICT (id) DO NOTHING".encode(),
            rows,
        )
        return max(cursor.rowcount, 0)


def get_sightings(connection: psycopg.Connection, ids: list[str]) -> dict[str, Sighting]:
    """Read sightings by id, in the order of `ids`; unknown ids are left out. Raises `GalleryDamagedError`."""
    found = {}
    for row in connection.execute(f"SELECT {_WHOLE} FROM resight.sighting WHERE id = ANY(%s)".encode(), (ids,), binary=True):
        record, vector = checked_record(row), np.array(row[8], np.float32)
        if vector_crc(record.id, vector) != row[9] or blob_crc(record.id, row[10]) != row[11]:
            raise _damaged(record.id)
        found[record.id] = Sighting(embedding=vector, thumbnail=row[10], **vars(record))
    return {id: found[id] for id in ids if id in found}


def find_damage(connection: psycopg.Connection, progress: Progress) -> list[str]:
    """Read all sightings, and name every damaged one."""
    found = []
    ids = [id for (id,) in connection.execute("SELECT id FROM resight.sighting ORDER BY number")]
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        try:
            get_sightings(connection, some)
        except GalleryDamagedError:
            for id in some:
                try:
                    get_sightings(connection, [id])
                except GalleryDamagedError as error:
                    found.append(str(error))
        progress("verifying", start + len(some), len(ids))
    counted = connection.execute("SELECT camera, identity, count(*) FROM resight.sighting GROUP BY camera, identity")
    if sorted(counted.fetchall()) != sorted(connection.execute(TALLY.encode()).fetchall()):
        found.append("the database's counts by camera and identity are wrong")
    return found


def checked_record(row: Sequence[Any]) -> Record:
    """Return the record in the first columns of a row, after its checksum was checked. Raises `GalleryDamagedError`."""
    columns: Row = tuple(row[:7])
    if row_crc(columns) != row[7]:
        raise _damaged(row[0])
    return record_of(columns)


def _damaged(id: str) -> GalleryDamagedError:
    return GalleryDamagedError(f"sighting {id} in the database does not fit its checksums; restore a backup, or purge it")


def condition_of(where: Where) -> tuple[str, list[Any]]:
    """Write a filter as a condition, with the values of its parameters."""
    conditions: list[str] = []
    parameters: list[Any] = []
    sets = {"camera": where.cameras, "identity": where.identities, "id": where.ids, "tracklet": where.tracklets}
    for column, values in sets.items():
        if values is not None:
            conditions.append(f"{column} = ANY(%s)")
            parameters.append(sorted(values))
    for condition, time in (
        (f"({KEY} >= %s AND {KEY} < {LATE})", where.since),  # as the indexes have it
        (f"{KEY} < %s", where.until),
        ("least(time, enrolled) < %s", where.older_than),
        ("least(time, enrolled) > %s", where.newer_than),
    ):
        if time is not None:
            conditions.append(condition)
            parameters.append(to_microseconds(time))
    return (" WHERE " + " AND ".join(conditions) if conditions else ""), parameters


def describe_camera(connection: psycopg.Connection, camera: str, count: int) -> Camera:
    """Describe a camera; its first and last times are those that an index begins and ends with."""
    known = f"SELECT time FROM resight.sighting WHERE camera = %s AND {KEY} < {LATE} ORDER BY {KEY}"
    ends = [connection.execute(f"{known} {order} LIMIT 1".encode(), (camera,)).fetchone() for order in ("ASC", "DESC")]
    first, last = (None if end is None else from_microseconds(end[0]) for end in ends)
    return Camera(sightings=count, first=first, last=last)


def count_sightings(connection: psycopg.Connection, where: Where) -> int:
    """Count the sightings that pass a filter."""
    condition, parameters = condition_of(where)
    found = connection.execute(f"SELECT count(*) FROM resight.sighting{condition}".encode(), parameters).fetchone()
    return int(found[0]) if found else 0


def vector_text(vector: NDArray[np.float32]) -> str:
    """Write a vector for pgvector. Python writes enough digits to keep every number exactly."""
    return f"[{','.join(map(repr, vector.tolist()))}]"


def vector_crc(id: str, vector: NDArray[np.float32]) -> int:
    """Compute the checksum of a vector together with its sighting's id."""
    return blob_crc(id, vector.astype("<f4").tobytes())

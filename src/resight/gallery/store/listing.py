"""Pages and counts of a gallery's SQLite file, in time that does not grow with it: by its indexes and its tally."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from resight.gallery.sighting import Record, Where, from_microseconds, to_microseconds
from resight.gallery.store.database import damaged
from resight.gallery.store.interface import Camera
from resight.gallery.store.rows import COLUMNS, KEY, LATE, add_up, record_of
from resight.gallery.store.stored import check_row, read_state

__all__ = ["find_new", "find_old", "find_page", "summarise"]


def find_page(connection: sqlite3.Connection, path: Path, where: Where, limit: int, after: Record | None) -> list[Record]:
    """See `resight.gallery.store.interface.Store.page`; each record is checked. Raises `GalleryDamagedError`."""
    column, names = ("identity", where.identities) if where.identities is not None else ("camera", where.cameras)
    bounds = [(-LATE, "") if after is None else _key(after)]
    bounds += [] if where.since is None else [(to_microseconds(where.since), "")]
    first, id = max(bounds)
    conditions: list[str] = []
    parameters: list[Any] = []
    if where.until is not None or where.since is not None:  # then no sighting without a time
        conditions.append(f"{KEY} < ?")
        parameters.append(LATE if where.until is None else to_microseconds(where.until))
    if column == "identity" and where.cameras is not None:
        conditions.append("camera IN (SELECT value FROM json_each(?))")
        parameters.append(json.dumps(sorted(where.cameras)))
    found: list[Record] = []
    for name in [None] if names is None else sorted(names):
        more = conditions if name is None else [*conditions, f"{column} = ?"]
        values = [*parameters, *([] if name is None else [name]), limit]
        # Two questions, because SQLite compares rows such as (time, id) > (?, ?) without an index of expressions.
        for behind, bound, order in ((f"{KEY} = ? AND id > ?", [first, id], "id"), (f"{KEY} > ?", [first], f"{KEY}, id")):
            which = " AND ".join([behind, *more])
            for *row, crc in connection.execute(
                f"SELECT {COLUMNS}, crc FROM sighting WHERE {which} ORDER BY {order} LIMIT ?", [*bound, *values]
            ):
                check_row(tuple(row), crc, path)
                found.append(record_of(tuple(row)))
    if not all(map(where.holds, found)):
        raise damaged(path, "an index of it lists other sightings than it should")
    return sorted(found, key=_key)[:limit]


def summarise(connection: sqlite3.Connection, path: Path, cameras: frozenset[str] | None) -> tuple[dict[str, Camera], int, int]:
    """Return cameras, number of people, and number of sightings without an identity."""
    tally = connection.execute("SELECT camera, identity, count FROM tally")
    counts, people, unlabelled = add_up(tally, cameras)
    if cameras is None and sum(counts.values()) != read_state(connection)[0]:
        raise damaged(path, "its counts by camera do not add up")
    seen = {}
    for camera, count in counts.items():
        known = f"SELECT time FROM sighting WHERE camera = ? AND {KEY} < {LATE} ORDER BY {KEY}"
        ends = [connection.execute(f"{known} {order} LIMIT 1", (camera,)).fetchone() for order in ("ASC", "DESC")]
        first, last = (None if end is None else from_microseconds(end[0]) for end in ends)
        seen[camera] = Camera(sightings=count, first=first, last=last)
    return seen, people, unlabelled


def find_old(connection: sqlite3.Connection, cameras: frozenset[str] | None, older_than: datetime) -> set[str]:
    """Return ids of sightings that were seen or enrolled before a time."""
    return _of_age(connection, cameras, "<", older_than)


def find_new(connection: sqlite3.Connection, cameras: frozenset[str] | None, newer_than: datetime) -> set[str]:
    """Return ids of sightings that were seen and enrolled after a time."""
    return _of_age(connection, cameras, ">", newer_than)


def _of_age(connection: sqlite3.Connection, cameras: frozenset[str] | None, sign: str, time: datetime) -> set[str]:
    rows = connection.execute(
        f"SELECT id, camera FROM sighting WHERE min(coalesce(time, enrolled), enrolled) {sign} ?", (to_microseconds(time),)
    )
    return {id for id, camera in rows if cameras is None or camera in cameras}


def _key(record: Record) -> tuple[int, str]:
    return (LATE if record.time is None else to_microseconds(record.time)), record.id
